#include "canned.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "ackd/v1/daemon.pb-c.h"
#include "ackd/v1/inspect.pb-c.h"
#include "ackd/v1/tcp.pb-c.h"
#include "google/rpc/status.pb-c.h"
#include "proto/framing.h"

#define NOW INT64_C(100000000000)         /* the daemon's clock: 100 s */
#define WALL INT64_C(1790000000000000000) /* 2026-09-21 14:13:20 UTC */
#define INSTANCE "5f2c9a1e"
#define ISS 1000000u
#define IRS 3735928559u

/* ---- connections */

struct row {
    Ackd__V1__Connection c;
    Ackd__V1__Endpoint local, remote;
    Ackd__V1__Owner owner;
    Ackd__V1__Header received, sent;
    Ackd__V1__Options options;
    Ackd__V1__LimitedTime limited[2], *limited_list[2];
};

static void begin_row(struct row *r, uint64_t id, Ackd__V1__State state, const char *local,
                      uint32_t lport, const char *remote, uint32_t rport)
{
    memset(r, 0, sizeof *r);
    ackd__v1__connection__init(&r->c);
    ackd__v1__endpoint__init(&r->local);
    ackd__v1__endpoint__init(&r->remote);
    ackd__v1__owner__init(&r->owner);
    r->local.address = (char *)local;
    r->local.port = lport;
    r->remote.address = (char *)remote;
    r->remote.port = rport;
    r->c.id = id;
    r->c.state = state;
    r->c.local = &r->local;
    r->c.remote = &r->remote;
    r->c.owner = &r->owner;
}

static void own(struct row *r, uint32_t uid, uint32_t pid, const char *command)
{
    r->owner.uid = uid;
    r->owner.pid = pid;
    r->owner.command = (char *)command;
}

static void fill_headers(struct row *r)
{
    static uint8_t timestamps[12] = {1, 1, 8, 10, 0, 0, 0, 42, 0, 0, 0, 7};
    ackd__v1__header__init(&r->received);
    ackd__v1__header__init(&r->sent);
    r->received.source_port = 40112;
    r->received.destination_port = 7;
    r->received.sequence_number = IRS + 1;
    r->received.acknowledgment_number = ISS + 101;
    r->received.data_offset_words = 8;
    r->received.ack = r->received.psh = 1;
    r->received.flags_bits = 0x18;
    r->received.window = 502;
    r->received.checksum = 0xbeef;
    r->received.options.data = timestamps;
    r->received.options.len = sizeof timestamps;
    r->sent = r->received;
    r->sent.source_port = 7;
    r->sent.destination_port = 40112;
    r->sent.sequence_number = ISS + 101;
    r->sent.acknowledgment_number = IRS + 101;
    r->sent.psh = 0;
    r->sent.flags_bits = 0x10;
    r->sent.window = 1023;
    r->sent.checksum = 0x1234;
    r->c.last_received = &r->received;
    r->c.last_sent = &r->sent;
}

static void fill_congestion(struct row *r)
{
    static Ackd__V1__CongestionField fields[4];
    static Ackd__V1__CongestionField *list[4];
    static const struct {
        const char *name, *unit, *word;
        int64_t value;
    } values[] = {{"state", "", "CONCAVE", 0},
                  {"w_max", "bytes", "", 28960},
                  {"k", "ns", "", 2500000000},
                  {"css_rounds", "", "", 0}};
    for (size_t i = 0; i < 4; i++) {
        ackd__v1__congestion_field__init(&fields[i]);
        fields[i].name = (char *)values[i].name;
        fields[i].unit = (char *)values[i].unit;
        fields[i].word = (char *)values[i].word;
        fields[i].value = values[i].value;
        list[i] = &fields[i];
    }
    r->c.congestion = ACKD__V1__CONGESTION__CONGESTION_CUBIC;
    r->c.congestion_state = list;
    r->c.n_congestion_state = 4;
    r->c.delivered_bytes = 101;
    r->c.delivery_rate_bytes_per_s = 1250000;
}

static void fill_times(Ackd__V1__Connection *c)
{
    c->srtt_ns_known_case = ACKD__V1__CONNECTION__SRTT_NS_KNOWN_SRTT_NS;
    c->srtt_ns = 1234567;
    c->rttvar_ns_known_case = ACKD__V1__CONNECTION__RTTVAR_NS_KNOWN_RTTVAR_NS;
    c->rttvar_ns = 250000;
    c->min_rtt_ns_known_case = ACKD__V1__CONNECTION__MIN_RTT_NS_KNOWN_MIN_RTT_NS;
    c->min_rtt_ns = 900000;
    c->rto_ns = 1000000000;
    c->created_ns = NOW - INT64_C(65000000000);
    c->established_ns_known_case = ACKD__V1__CONNECTION__ESTABLISHED_NS_KNOWN_ESTABLISHED_NS;
    c->established_ns = NOW - INT64_C(64998000000);
    c->last_received_ns_known_case = ACKD__V1__CONNECTION__LAST_RECEIVED_NS_KNOWN_LAST_RECEIVED_NS;
    c->last_received_ns = NOW - 4200000000;
    c->rto_deadline_ns_known_case = ACKD__V1__CONNECTION__RTO_DEADLINE_NS_KNOWN_RTO_DEADLINE_NS;
    c->rto_deadline_ns = NOW + 200000000;
    c->keepalive_deadline_ns_known_case =
        ACKD__V1__CONNECTION__KEEPALIVE_DEADLINE_NS_KNOWN_KEEPALIVE_DEADLINE_NS;
    c->keepalive_deadline_ns = NOW + INT64_C(7140000000000);
}

static void fill_numbers(Ackd__V1__Connection *c)
{
    c->recv_q_bytes = 0;
    c->send_q_bytes = 1448;
    c->iss = ISS;
    c->irs = IRS;
    c->snd_una = ISS + 101;
    c->snd_nxt = ISS + 1549;
    c->snd_wnd = 502 << 7;
    c->rcv_nxt = IRS + 101;
    c->rcv_wnd = 1023 << 6;
    c->rcv_space_bytes = 65472;
    c->rcv_buffer_bytes = 65536;
    c->snd_buffer_bytes = 65536;
    c->snd_wscale = 7;
    c->rcv_wscale = 6;
    c->snd_mss_bytes = 1448;
    c->peer_mss_bytes = 1460;
    c->adv_mss_bytes = 1460;
    c->path_mtu_bytes = 1500;
    c->cwnd_bytes = 14480;
    c->ssthresh_bytes = UINT32_MAX;
    c->bytes_in_flight = 1448;
    c->bytes_sent = 1548;
    c->bytes_acked = 100;
    c->bytes_received = 100;
    c->bytes_read = 100;
    c->segs_out = 4;
    c->segs_in = 3;
    c->sack_ok = c->timestamps_ok = c->wscale_ok = c->passive = 1;
}

static void fill_limits(struct row *r)
{
    for (int i = 0; i < 2; i++) {
        ackd__v1__limited_time__init(&r->limited[i]);
        r->limited_list[i] = &r->limited[i];
    }
    r->limited[0].reason = ACKD__V1__LIMIT_REASON__LIMIT_APPLICATION_IDLE;
    r->limited[0].duration_ns = 60800000000;
    r->limited[1].reason = ACKD__V1__LIMIT_REASON__LIMIT_ZERO_WINDOW;
    r->limited[1].duration_ns = 4200000000;
    r->c.limited = r->limited_list;
    r->c.n_limited = 2;
}

/* The one that is shown in full: id 7. */
static void full_row(struct row *r)
{
    begin_row(r, 7, ACKD__V1__STATE__STATE_ESTABLISHED, "10.9.0.1", 7, "10.9.0.2", 40112);
    r->c.listener_id = 1;
    r->c.service = "echo";
    r->c.limit_reason = ACKD__V1__LIMIT_REASON__LIMIT_ZERO_WINDOW;
    fill_numbers(&r->c);
    fill_times(&r->c);
    fill_congestion(r);
    fill_headers(r);
    fill_limits(r);
}

#define ROWS 6
static void living_rows(struct row rows[ROWS])
{
    begin_row(&rows[0], 1, ACKD__V1__STATE__STATE_LISTEN, "", 7, "", 0);
    rows[0].c.service = "echo";
    rows[0].c.send_q_bytes = 128;
    begin_row(&rows[1], 2, ACKD__V1__STATE__STATE_LISTEN, "10.9.0.1", 5000, "", 0);
    own(&rows[1], 1000, 4711, "python3");
    rows[1].c.label = "web";
    rows[1].c.recv_q_bytes = 1;
    rows[1].c.send_q_bytes = 16;
    rows[1].c.session_id = 3;
    full_row(&rows[2]);
    begin_row(&rows[3], 8, ACKD__V1__STATE__STATE_TIME_WAIT, "10.9.0.1", 5000, "10.9.0.3", 1234);
    rows[3].c.time_wait_deadline_ns_known_case =
        ACKD__V1__CONNECTION__TIME_WAIT_DEADLINE_NS_KNOWN_TIME_WAIT_DEADLINE_NS;
    rows[3].c.time_wait_deadline_ns = NOW + 12345000000;
    begin_row(&rows[4], 9, ACKD__V1__STATE__STATE_SYN_SENT, "2001:db8::1", 49152, "2001:db8::2",
              443);
    own(&rows[4], 0, 99, "ackctl");
    rows[4].c.label = "probe";
    rows[4].c.detached = 1;
    begin_row(&rows[5], 10, ACKD__V1__STATE__STATE_CLOSE_WAIT, "10.9.0.1", 5000, "10.9.0.3", 1235);
    own(&rows[5], 1000, 4711, "python3");
    rows[5].c.label = "web";
    rows[5].c.listener_id = 2;
    rows[5].c.recv_q_bytes = 64;
    rows[5].c.session_id = 3;
}

static void closed_row(struct row *r)
{
    begin_row(r, 5, ACKD__V1__STATE__STATE_CLOSED, "10.9.0.1", 49999, "10.9.0.9", 80);
    own(r, 1000, 4700, "curl");
    r->c.last_state = ACKD__V1__STATE__STATE_SYN_SENT;
    r->c.close_reason = ACKD__V1__CLOSE_REASON__CLOSE_REFUSED;
    r->c.error = "ECONNREFUSED";
}

/* ---- Inspect */

static bool asked_for(const Ackd__V1__Filter *f, const Ackd__V1__Connection *c)
{
    bool any = !f || f->n_ids == 0;
    for (size_t i = 0; f && i < f->n_ids; i++) {
        any |= f->ids[i] == c->id;
    }
    return any;
}

/* In two messages, as a daemon with many rows would. */
static void answer_list(struct double_stream *s, const struct canned *canned,
                        const Ackd__V1__ListRequest *q)
{
    struct row rows[ROWS];
    size_t count = q->closed ? 1 : ROWS;
    if (q->closed) {
        closed_row(&rows[0]);
    } else {
        living_rows(rows);
    }
    for (size_t i = 0; i < count && !canned->no_rows; i++) {
        Ackd__V1__ListResponse r = ACKD__V1__LIST_RESPONSE__INIT;
        Ackd__V1__Connection *one = &rows[i].c;
        r.instance_id = INSTANCE;
        r.n_connections = asked_for(q->filter, one);
        r.connections = &one;
        double_send(s, &r.base);
    }
    Ackd__V1__ListResponse last = ACKD__V1__LIST_RESPONSE__INIT;
    last.instance_id = INSTANCE;
    double_send(s, &last.base);
    double_finish(s, 0, "", NULL);
}

static void answer_get(struct double_stream *s, uint64_t id)
{
    struct row rows[ROWS], closed;
    Ackd__V1__GetResponse r = ACKD__V1__GET_RESPONSE__INIT;
    living_rows(rows);
    closed_row(&closed);
    r.connection = closed.c.id == id ? &closed.c : NULL; /* the recently closed, too */
    for (size_t i = 0; i < ROWS; i++) {
        r.connection = rows[i].c.id == id ? &rows[i].c : r.connection;
    }
    if (!r.connection) {
        double_finish(s, 5, "no endpoint has this id", NULL);
        return;
    }
    r.instance_id = INSTANCE;
    double_reply(s, &r.base);
}

static void answer_why(struct double_stream *s, uint64_t id)
{
    struct row row;
    Ackd__V1__WhyResponse r = ACKD__V1__WHY_RESPONSE__INIT;
    if (id != 7) {
        double_finish(s, 5, "no endpoint has this id", NULL);
        return;
    }
    full_row(&row);
    r.id = 7;
    r.state = row.c.state;
    r.limit_reason = row.c.limit_reason;
    r.sentence = "the peer's receive window is zero since 4.2 s, next probe in 1.6 s";
    r.receive_sentence = "everything received was read; the window is 65472 bytes";
    r.limited = row.c.limited;
    r.n_limited = row.c.n_limited;
    r.next_change_known_case = ACKD__V1__WHY_RESPONSE__NEXT_CHANGE_KNOWN_NEXT_CHANGE_IN_NS;
    r.next_change_in_ns = 1600000000;
    r.connection = &row.c;
    double_reply(s, &r.base);
}

static void answer_counters(struct double_stream *s, const Ackd__V1__CountersRequest *q)
{
    static const struct {
        const char *name, *unit, *meaning;
        uint64_t value;
        bool gauge;
    } canned[] = {
        {"tcp.active_opens", "connections",
         "SYN-SENT entered from CLOSED (RFC 4022 tcpActiveOpens)", 3, false},
        {"tcp.passive_opens", "connections",
         "SYN-RECEIVED entered from LISTEN (RFC 4022 tcpPassiveOpens)", 12, false},
        {"tcp.in_bytes", "bytes", "payload received in order and new", 123456, false},
        {"tcp.retrans_segs", "segments", "segments retransmitted (RFC 4022 tcpRetransSegs)", 0,
         false},
        {"tcp.connections", "connections", "endpoints there are \"now\"", 6, true},
        {"tcp.drop.PAWS", "segments", "its timestamp is older than the last one", 2, false},
        {"tcp.drop.BAD_CHECKSUM", "segments", "the checksum does not match", 1, false},
        {"net.in_frames", "frames", "frames read from the link", 44, false},
        {"host.busy_ns", "ns", "time spent in callbacks", 1500000000, false},
    };
    enum { COUNT = sizeof canned / sizeof canned[0] };
    Ackd__V1__CountersResponse r = ACKD__V1__COUNTERS_RESPONSE__INIT;
    Ackd__V1__Counter counters[COUNT], *list[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        ackd__v1__counter__init(&counters[i]);
        counters[i].name = (char *)canned[i].name;
        counters[i].unit = (char *)canned[i].unit;
        counters[i].meaning = (char *)canned[i].meaning;
        counters[i].value = canned[i].value;
        counters[i].gauge = canned[i].gauge;
        if (strncmp(canned[i].name, q->prefix, strlen(q->prefix)) == 0) {
            list[r.n_counters++] = &counters[i];
        }
    }
    r.counters = list;
    r.instance_id = INSTANCE;
    r.time_ns = NOW;
    double_reply(s, &r.base);
}

static void answer_kill(struct double_stream *s)
{
    struct row rows[ROWS];
    Ackd__V1__KillResponse r = ACKD__V1__KILL_RESPONSE__INIT;
    Ackd__V1__Connection *killed[2];
    living_rows(rows);
    killed[0] = &rows[1].c;
    killed[1] = &rows[5].c;
    r.n_killed = 2;
    r.killed = killed;
    r.not_permitted = 1;
    double_reply(s, &r.base);
}

/* ---- Watch */

struct watching {
    struct double_stream *stream;
    bool mirror;
    uint64_t sequence;
    int64_t at_ns;
};

static void send_event(struct watching *w, Ackd__V1__WatchEvent *e, int64_t after_ns)
{
    w->at_ns += after_ns;
    e->sequence = ++w->sequence;
    e->event_id = 500 + w->sequence;
    e->instance_id = INSTANCE;
    e->time_ns = NOW + w->at_ns;
    e->wall_time_ns = WALL + w->at_ns;
    double_send(w->stream, &e->base);
}

static void send_state(struct watching *w, Ackd__V1__State from, Ackd__V1__State to,
                       Ackd__V1__CloseReason reason, int64_t after_ns)
{
    Ackd__V1__WatchEvent e = ACKD__V1__WATCH_EVENT__INIT;
    Ackd__V1__StateChange change = ACKD__V1__STATE_CHANGE__INIT;
    Ackd__V1__Endpoint local = ACKD__V1__ENDPOINT__INIT, remote = ACKD__V1__ENDPOINT__INIT;
    local.address = "10.9.0.1";
    local.port = 7;
    remote.address = "10.9.0.2";
    remote.port = 40112;
    change.id = 7;
    change.local = &local;
    change.remote = &remote;
    change.old_state = from;
    change.new_state = to;
    change.close_reason = reason;
    change.listener_id = 1;
    e.event_case = ACKD__V1__WATCH_EVENT__EVENT_STATE;
    e.state = &change;
    send_event(w, &e, after_ns);
}

struct wire {
    bool out;
    uint32_t seq, ack, length; /* relative */
    uint32_t flags;
    uint32_t window, scaled;
    Ackd__V1__State after;
    Ackd__V1__SendKind kind;
    uint32_t acked_seq, acked_length;
    const uint8_t *options;
    size_t options_length;
    const char *payload;
    Ackd__V1__DropReason drop;
    Ackd__V1__ResetSentReason reset;
    uint32_t gso;
    uint64_t id;
};

static void fill_header(Ackd__V1__Header *h, const struct wire *w)
{
    ackd__v1__header__init(h);
    h->source_port = w->out ? 7 : 40112;
    h->destination_port = w->out ? 40112 : 7;
    h->sequence_number = w->seq + (w->out ? ISS : IRS);
    h->acknowledgment_number = w->flags & 0x10 ? w->ack + (w->out ? IRS : ISS) : 0;
    h->data_offset_words = 5 + (uint32_t)w->options_length / 4;
    h->flags_bits = w->flags;
    h->fin = w->flags & 1;
    h->syn = w->flags >> 1 & 1;
    h->rst = w->flags >> 2 & 1;
    h->psh = w->flags >> 3 & 1;
    h->ack = w->flags >> 4 & 1;
    h->urg = w->flags >> 5 & 1;
    h->urgent_pointer = h->urg ? 5 : 0;
    h->window = w->window;
    h->options.data = (uint8_t *)w->options;
    h->options.len = w->options_length;
}

static void send_segment(struct watching *watching, const struct wire *w, int64_t after_ns)
{
    Ackd__V1__WatchEvent e = ACKD__V1__WATCH_EVENT__INIT;
    Ackd__V1__SegmentEvent s = ACKD__V1__SEGMENT_EVENT__INIT;
    Ackd__V1__Endpoint local = ACKD__V1__ENDPOINT__INIT, remote = ACKD__V1__ENDPOINT__INIT;
    Ackd__V1__Header header;
    fill_header(&header, w);
    local.address = "10.9.0.1";
    local.port = 7;
    remote.address = "10.9.0.2";
    remote.port = 40112;
    s.id = w->id;
    s.direction = w->out ? ACKD__V1__DIRECTION__DIRECTION_OUT : ACKD__V1__DIRECTION__DIRECTION_IN;
    s.local = &local;
    s.remote = &remote;
    s.header = &header;
    s.payload_length_bytes = w->length;
    s.gso_size_bytes = w->gso;
    s.payload.data = (uint8_t *)w->payload;
    s.payload.len = w->payload ? strlen(w->payload) : 0;
    s.state_after = w->after;
    s.send_kind = w->kind;
    s.drop_reason = w->drop;
    s.reset_reason = w->reset;
    s.scaled_window_bytes = w->scaled;
    s.acked_sequence_number = w->acked_length ? w->acked_seq + IRS : 0;
    s.acked_length = w->acked_length;
    s.iss = w->id ? ISS : 0;
    s.irs = w->id ? IRS : 0;
    s.cwnd_bytes = w->out && w->id ? 14480 : 0;
    s.bytes_in_flight = w->out ? w->length : 0;
    e.event_case = ACKD__V1__WATCH_EVENT__EVENT_SEGMENT;
    e.segment = &s;
    if (!watching->mirror || !w->id) {
        send_event(watching, &e, after_ns);
        return;
    }
    /* The same segment at both ends: sent here first when it is ours, there when it is the peer's.
     */
    for (int i = 0; i < 2; i++) {
        bool ours = w->out == (i == 0);
        s.id = ours ? 7 : 70;
        s.direction =
            i == 0 ? ACKD__V1__DIRECTION__DIRECTION_OUT : ACKD__V1__DIRECTION__DIRECTION_IN;
        s.local = ours ? &local : &remote;
        s.remote = ours ? &remote : &local;
        s.iss = ours ? ISS : IRS;
        s.irs = ours ? IRS : ISS;
        send_event(watching, &e, i == 0 ? after_ns : 1000);
    }
}

enum { F = 0x01, S = 0x02, R = 0x04, P = 0x08, A = 0x10, U = 0x20, E = 0x40, C = 0x80 };
#define STATE(name) ACKD__V1__STATE__STATE_##name
#define KIND(name) ACKD__V1__SEND_KIND__SEND_KIND_##name

static const uint8_t syn_options[20] = {2, 4,  0x05, 0xb4, 4, 2, 8, 10, 0, 0,
                                        0, 42, 0,    0,    0, 0, 1, 3,  3, 7};
static const uint8_t sack_options[12] = {1,    1,    5,    10,   0xde, 0xad,
                                         0xc3, 0x3f, 0xde, 0xad, 0xc8, 0xe7};

/* A handshake, data both ways, a drop, an offloaded frame, a close, and a reset to nobody. */
static void send_life(struct watching *w, bool segments)
{
    static const struct wire life[] = {
        {.seq = 0,
         .flags = S | E | C,
         .window = 64240,
         .scaled = 64240,
         .after = STATE(SYN_RECEIVED),
         .options = syn_options,
         .options_length = 20,
         .id = 7},
        {true, .seq = 0, .ack = 1, .flags = S | A | E, .window = 65535, .scaled = 65535,
         .after = STATE(SYN_RECEIVED), .kind = KIND(HANDSHAKE), .acked_seq = 0, .acked_length = 1,
         .options = syn_options, .options_length = 20, .id = 7},
        {.seq = 1,
         .ack = 1,
         .flags = A,
         .window = 502,
         .scaled = 64256,
         .after = STATE(ESTABLISHED),
         .id = 7},
        {.seq = 1,
         .ack = 1,
         .length = 5,
         .flags = P | A,
         .window = 502,
         .scaled = 64256,
         .after = STATE(ESTABLISHED),
         .payload = "hi\"\r\n",
         .id = 7},
        {true, .seq = 1, .ack = 6, .length = 5, .flags = P | A, .window = 1023, .scaled = 65472,
         .after = STATE(ESTABLISHED), .kind = KIND(DATA), .acked_seq = 1, .acked_length = 5,
         .payload = "hi\"\r\n", .id = 7},
        {.seq = 6,
         .ack = 6,
         .length = 2896,
         .flags = A,
         .window = 502,
         .scaled = 64256,
         .after = STATE(ESTABLISHED),
         .gso = 1448,
         .id = 7},
        {.seq = 1,
         .ack = 6,
         .length = 5,
         .flags = P | A,
         .window = 502,
         .scaled = 64256,
         .after = STATE(ESTABLISHED),
         .drop = ACKD__V1__DROP_REASON__DROP_OLD_DUPLICATE,
         .id = 7},
        {true, .seq = 6, .ack = 2902, .flags = A, .window = 1000, .scaled = 64000,
         .after = STATE(ESTABLISHED), .kind = KIND(DUPLICATE_ACK), .acked_seq = 6,
         .acked_length = 2896, .options = sack_options, .options_length = 12, .id = 7},
        {.seq = 2902,
         .ack = 6,
         .flags = F | A,
         .window = 502,
         .scaled = 64256,
         .after = STATE(CLOSE_WAIT),
         .id = 7},
        {true, .seq = 6, .ack = 2903, .flags = F | A, .window = 1023, .scaled = 65472,
         .after = STATE(LAST_ACK), .kind = KIND(FIN), .acked_seq = 2902, .acked_length = 1,
         .id = 7},
        {.seq = 2903,
         .ack = 7,
         .flags = A | U,
         .window = 502,
         .scaled = 64256,
         .after = STATE(CLOSED),
         .id = 7},
        {true, .seq = 0, .flags = R | A, .kind = KIND(RESET),
         .reset = ACKD__V1__RESET_SENT_REASON__RST_SENT_NO_CONNECTION},
    };
    static const struct {
        size_t after; /* segments */
        Ackd__V1__State from, to;
    } changes[] = {{1, STATE(LISTEN), STATE(SYN_RECEIVED)},
                   {3, STATE(SYN_RECEIVED), STATE(ESTABLISHED)},
                   {9, STATE(ESTABLISHED), STATE(CLOSE_WAIT)},
                   {10, STATE(CLOSE_WAIT), STATE(LAST_ACK)},
                   {11, STATE(LAST_ACK), STATE(CLOSED)}};
    size_t next = 0;
    for (size_t i = 0; i < sizeof life / sizeof life[0]; i++) {
        if (segments) {
            send_segment(w, &life[i], 123000);
        }
        if (next < 5 && changes[next].after == i + 1) {
            send_state(w, changes[next].from, changes[next].to,
                       next == 4 ? ACKD__V1__CLOSE_REASON__CLOSE_NORMAL : 0,
                       segments ? 0 : 1500000);
            next++;
        }
    }
}

static void answer_watch(struct double_stream *s, const struct canned *canned,
                         const Ackd__V1__WatchRequest *q)
{
    struct watching w = {.stream = s, .mirror = canned->mirror};
    struct row rows[ROWS];
    living_rows(rows);
    for (size_t i = 0; q->initial_snapshot && i < ROWS; i++) {
        Ackd__V1__WatchEvent e = ACKD__V1__WATCH_EVENT__INIT;
        e.event_case = ACKD__V1__WATCH_EVENT__EVENT_SNAPSHOT_ROW;
        e.snapshot_row = &rows[i].c;
        send_event(&w, &e, 0);
    }
    send_life(&w, q->segments);
    Ackd__V1__WatchEvent e = ACKD__V1__WATCH_EVENT__INIT;
    Ackd__V1__Lost lost = ACKD__V1__LOST__INIT;
    lost.count = 17;
    e.event_case = ACKD__V1__WATCH_EVENT__EVENT_LOST;
    e.lost = &lost;
    send_event(&w, &e, 1000);
    if (!canned->endless) {
        double_finish(s, 0, "", NULL);
    }
}

static void answer_capture(struct double_stream *s, const struct canned *canned)
{
    Ackd__V1__CaptureResponse r = ACKD__V1__CAPTURE_RESPONSE__INIT;
    r.data.data = (uint8_t *)"pcapng bytes\n";
    r.data.len = 13;
    r.lost_packets = 3;
    double_send(s, &r.base);
    if (!canned->endless) {
        double_finish(s, 0, "", NULL);
    }
}

/* ---- Daemon */

static void answer_status(struct double_stream *s)
{
    Ackd__V1__GetStatusResponse r = ACKD__V1__GET_STATUS_RESPONSE__INIT;
    Ackd__V1__StateCount counts[2], *count_list[2] = {&counts[0], &counts[1]};
    Ackd__V1__CallbackBucket buckets[3], *bucket_list[3] = {&buckets[0], &buckets[1], &buckets[2]};
    char *services[] = {"echo", "discard@9000"};
    ackd__v1__state_count__init(&counts[0]);
    ackd__v1__state_count__init(&counts[1]);
    counts[0].state = STATE(LISTEN);
    counts[0].count = 2;
    counts[1].state = STATE(ESTABLISHED);
    counts[1].count = 4;
    for (int i = 0; i < 3; i++) {
        ackd__v1__callback_bucket__init(&buckets[i]);
        buckets[i].below_ns = i == 2 ? INT64_MAX : i ? 100000 : 10000;
        buckets[i].cpu_count = i == 2 ? 0 : i ? 65 : 1000;
        buckets[i].count = (uint64_t)(1000 >> (4 * i));
    }
    r.instance_id = INSTANCE;
    r.version = "0.1.0";
    r.pid = 4242;
    r.link = "tap:ackd0";
    r.mtu_bytes = 1500;
    r.uptime_ns = NOW;
    r.time_ns = NOW;
    r.wall_time_ns = WALL;
    r.endpoints = 6;
    r.n_states = 2;
    r.states = count_list;
    r.memory_limit_bytes = 1 << 30;
    r.memory_used_bytes = 123456;
    r.memory_taken_bytes = 2097152;
    r.sessions = 1;
    r.control_connections = 2;
    r.watchers = 1;
    r.longest_callback_ns = 123456;
    r.longest_callback_name = "tap";
    r.longest_callback_cpu_ns = 98765;
    r.longest_callback_cpu_name = "cycle";
    r.n_callbacks = 3;
    r.callbacks = bucket_list;
    r.log_level = "notice";
    r.n_services = 2;
    r.services = services;
    r.wakeups = 77;
    double_reply(s, &r.base);
}

static void answer_version(struct double_stream *s)
{
    Ackd__V1__GetVersionResponse r = ACKD__V1__GET_VERSION_RESPONSE__INIT;
    char *capabilities[] = {"tcp", "inspect"};
    r.version = "0.1.0";
    r.schema = "ackd.v1";
    r.n_capabilities = 2;
    r.capabilities = capabilities;
    double_reply(s, &r.base);
}

static void answer_network(struct double_stream *s, const char *name)
{
    Ackd__V1__Address address = ACKD__V1__ADDRESS__INIT, *addresses[] = {&address};
    Ackd__V1__Route routes[2], *route_list[] = {&routes[0], &routes[1]};
    Ackd__V1__Neighbour neighbour = ACKD__V1__NEIGHBOUR__INIT, *neighbours[] = {&neighbour};
    if (strcmp(name, "ListAddresses") == 0) {
        Ackd__V1__ListAddressesResponse r = ACKD__V1__LIST_ADDRESSES_RESPONSE__INIT;
        address.address = "10.9.0.1";
        address.prefix_length = 24;
        address.state = "preferred";
        r.n_addresses = 1;
        r.addresses = addresses;
        r.mac = "02:00:00:00:00:01";
        double_reply(s, &r.base);
    } else if (strcmp(name, "ListRoutes") == 0) {
        Ackd__V1__ListRoutesResponse r = ACKD__V1__LIST_ROUTES_RESPONSE__INIT;
        ackd__v1__route__init(&routes[0]);
        ackd__v1__route__init(&routes[1]);
        routes[0].prefix = "10.9.0.0/24";
        routes[1].prefix = "0.0.0.0/0";
        routes[1].gateway = "10.9.0.254";
        r.n_routes = 2;
        r.routes = route_list;
        double_reply(s, &r.base);
    } else if (strcmp(name, "ListMetrics") == 0) {
        Ackd__V1__ListMetricsResponse r = ACKD__V1__LIST_METRICS_RESPONSE__INIT;
        Ackd__V1__PathMetrics one = ACKD__V1__PATH_METRICS__INIT, *all[] = {&one};
        one.local = "10.9.0.1";
        one.remote = "10.9.0.2";
        one.srtt_ns_known_case = ACKD__V1__PATH_METRICS__SRTT_NS_KNOWN_SRTT_NS;
        one.srtt_ns = 25000000;
        one.ssthresh_bytes = 29200;
        one.mss_bytes = 1460;
        one.fast_open_cookie_bytes = 8;
        r.n_metrics = 1;
        r.metrics = all;
        double_reply(s, &r.base);
    } else if (strcmp(name, "ClearMetrics") == 0) {
        Ackd__V1__ClearMetricsResponse r = ACKD__V1__CLEAR_METRICS_RESPONSE__INIT;
        r.cleared = 1;
        double_reply(s, &r.base);
    } else {
        Ackd__V1__ListNeighboursResponse r = ACKD__V1__LIST_NEIGHBOURS_RESPONSE__INIT;
        neighbour.address = "10.9.0.2";
        neighbour.mac = "02:00:00:00:00:02";
        neighbour.state = "reachable";
        neighbour.is_router = 1;
        r.n_neighbours = 1;
        r.neighbours = neighbours;
        double_reply(s, &r.base);
    }
}

/* ---- Daemon: keys */

static void answer_keys(struct double_stream *s)
{
    Ackd__V1__ListKeysResponse r = ACKD__V1__LIST_KEYS_RESPONSE__INIT;
    Ackd__V1__Key bgp = ACKD__V1__KEY__INIT, peers = ACKD__V1__KEY__INIT, *all[] = {&bgp, &peers};
    bgp.key_id = 1;
    bgp.algorithm = ACKD__V1__KEY_ALGORITHM__KEY_ALGORITHM_MD5;
    bgp.remote = "192.0.2.1";
    bgp.remote_port = 179;
    bgp.connections = 1;
    peers.key_id = 3;
    peers.algorithm = ACKD__V1__KEY_ALGORITHM__KEY_ALGORITHM_AES_128_CMAC_96;
    peers.remote = "2001:db8::/64";
    peers.local = "2001:db8:1::1";
    peers.send_id = 1;
    peers.receive_id = 200;
    peers.exclude_options = true;
    r.n_keys = 2;
    r.keys = all;
    double_reply(s, &r.base);
}

static void answer_add_key(struct double_stream *s, const Ackd__V1__AddKeyRequest *q)
{
    Ackd__V1__AddKeyResponse r = ACKD__V1__ADD_KEY_RESPONSE__INIT;
    r.key_id = q->secret.len; /* shows how much was read */
    double_reply(s, &r.base);
}

/* Takes the key of Linux's tests, a0bf63f7-ed803d81-cd641d30-cebc4a90 there, and as backup the
 * letters from `a`. */
static void answer_fast_open_key(struct double_stream *s, const Ackd__V1__SetFastOpenKeyRequest *q)
{
    static const uint8_t linux_key[16] = {0xf7, 0x63, 0xbf, 0xa0, 0x81, 0x3d, 0x80, 0xed,
                                          0x30, 0x1d, 0x64, 0xcd, 0x90, 0x4a, 0xbc, 0xce};
    const Ackd__V1__SetFastOpenKeyResponse r = ACKD__V1__SET_FAST_OPEN_KEY_RESPONSE__INIT;
    bool key = !q->key.len || (q->key.len == 16 && memcmp(q->key.data, linux_key, 16) == 0);
    bool backup = !q->backup.len ||
                  (q->backup.len == 16 && memcmp(q->backup.data, "abcdefghijklmnop", 16) == 0);
    if (key && backup) {
        double_reply(s, &r.base);
    } else {
        double_finish(s, 3, key ? "another backup was expected" : "another key was expected", NULL);
    }
}

/* ---- Tcp */

static void answer_open(struct double_stream *s, const struct canned *canned,
                        const Ackd__V1__OpenRequest *q)
{
    Ackd__V1__OpenResponse r = ACKD__V1__OPEN_RESPONSE__INIT;
    Ackd__V1__Endpoint local = ACKD__V1__ENDPOINT__INIT;
    local.address = "10.9.0.1";
    local.port = q->local && q->local->port ? q->local->port : 49152;
    if (canned->endless && canned->timeouts && !*q->request_id && q->wait_ms > 1000) {
        return; /* the caller's patience ends first, and no request id keeps the attempt alive */
    }
    r.id = 11;
    r.accepted_until = q->data.len < canned->syn_takes ? q->data.len : canned->syn_takes;
    r.state = canned->timeouts ? STATE(SYN_SENT) : STATE(ESTABLISHED);
    r.local = &local;
    r.remote = q->remote;
    double_reply(s, &r.base);
}

static void answer_listen(struct double_stream *s, const Ackd__V1__ListenRequest *q)
{
    Ackd__V1__ListenResponse r = ACKD__V1__LISTEN_RESPONSE__INIT;
    r.id = 12;
    r.local = q->local;
    double_reply(s, &r.base);
}

static void answer_accept(struct double_stream *s, const struct canned *canned,
                          const Ackd__V1__AcceptRequest *q)
{
    Ackd__V1__AcceptResponse r = ACKD__V1__ACCEPT_RESPONSE__INIT;
    Ackd__V1__Endpoint local = ACKD__V1__ENDPOINT__INIT, remote = ACKD__V1__ENDPOINT__INIT;
    local.address = "10.9.0.1";
    local.port = (uint32_t)q->id; /* shows which listener was meant */
    remote.address = "10.9.0.3";
    remote.port = 1236;
    r.id = canned->timeouts ? 0 : 13;
    r.local = &local;
    r.remote = &remote;
    double_reply(s, &r.base);
}

static void answer_tcp_status(struct double_stream *s)
{
    struct row row;
    Ackd__V1__StatusResponse r = ACKD__V1__STATUS_RESPONSE__INIT;
    full_row(&row);
    r.connection = &row.c;
    r.send_offset = 1548;
    r.receive_offset = 100;
    double_reply(s, &r.base);
}

/* Takes at most ten bytes at a time. */
static void answer_send(struct double_stream *s, const Ackd__V1__SendRequest *q)
{
    Ackd__V1__SendResponse r = ACKD__V1__SEND_RESPONSE__INIT;
    r.accepted_until = q->offset + (q->data.len < 10 ? q->data.len : 10);
    r.acknowledged_until = q->offset;
    double_reply(s, &r.base);
}

/* The stream is "hello, world\n" at offset 100, then its end. */
static void answer_receive(struct double_stream *s, const struct canned *canned,
                           const Ackd__V1__ReceiveRequest *q)
{
    static const char text[] = "hello, world\n";
    Ackd__V1__ReceiveResponse r = ACKD__V1__RECEIVE_RESPONSE__INIT;
    size_t at = q->from_offset < 100 ? 0 : (size_t)(q->from_offset - 100);
    size_t left = at < 13 && !canned->timeouts ? 13 - at : 0;
    r.offset = q->from_offset;
    r.data.data = (uint8_t *)text + at;
    r.data.len = left < q->max_bytes ? left : q->max_bytes;
    r.data.len = r.data.len > 7 ? 7 : r.data.len;
    r.end_of_stream = !canned->timeouts && at + r.data.len >= 13;
    double_reply(s, &r.base);
}

static void answer_close(struct double_stream *s, const Ackd__V1__CloseRequest *q)
{
    Ackd__V1__CloseResponse r = ACKD__V1__CLOSE_RESPONSE__INIT;
    r.state =
        q->how == ACKD__V1__CLOSE_REQUEST__HOW__HOW_SEND ? STATE(FIN_WAIT_1) : STATE(FIN_WAIT_2);
    double_reply(s, &r.base);
}

static void answer_set_options(struct double_stream *s, const Ackd__V1__SetOptionsRequest *q)
{
    Ackd__V1__SetOptionsResponse r = ACKD__V1__SET_OPTIONS_RESPONSE__INIT;
    Ackd__V1__Options o = ACKD__V1__OPTIONS__INIT;
    o.nodelay_known_case = ACKD__V1__OPTIONS__NODELAY_KNOWN_NODELAY;
    o.nodelay = q->options && q->options->nodelay_known_case && q->options->nodelay;
    o.keepalive_idle_known_case = ACKD__V1__OPTIONS__KEEPALIVE_IDLE_KNOWN_KEEPALIVE_IDLE_MS;
    o.keepalive_idle_ms = 7200000;
    o.rcv_buffer_known_case = ACKD__V1__OPTIONS__RCV_BUFFER_KNOWN_RCV_BUFFER_BYTES;
    o.rcv_buffer_bytes = 65536;
    o.icmp_policy = ACKD__V1__ICMP_POLICY__ICMP_POLICY_RFC5927;
    /* What durations became is told back. */
    r.options = q->options && q->options->keepalive_interval_known_case ? q->options : &o;
    double_reply(s, &r.base);
}

static void answer_session(struct double_stream *s)
{
    Ackd__V1__SessionEvent e = ACKD__V1__SESSION_EVENT__INIT;
    e.session_id = 3;
    e.token = "secret";
    double_send(s, &e.base);
}

/* An echo; the end of the requests ends the stream. */
static void answer_stream(struct double_stream *s, const struct canned *canned,
                          const Ackd__V1__StreamRequest *q)
{
    Ackd__V1__StreamResponse r = ACKD__V1__STREAM_RESPONSE__INIT;
    r.offset = q->offset < canned->syn_takes ? 0 : q->offset - canned->syn_takes;
    r.data = q->data;
    r.accepted_until = r.acknowledged_until = q->offset + q->data.len;
    r.end_of_stream = q->fin;
    double_send(s, &r.base);
}

/* ---- which call */

/* base64 of a google.rpc.Status with an ErrorInfo. */
static void make_details(const struct canned *c, char *out)
{
    Google__Rpc__ErrorInfo__MetadataEntry entry = GOOGLE__RPC__ERROR_INFO__METADATA_ENTRY__INIT,
                                          *entries[] = {&entry};
    Google__Rpc__ErrorInfo info = GOOGLE__RPC__ERROR_INFO__INIT;
    Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT, *anys[] = {&any};
    Google__Rpc__Status status = GOOGLE__RPC__STATUS__INIT;
    uint8_t packed[256], whole[512];
    entry.key = "errno";
    entry.value = (char *)c->errno_name;
    info.reason = (char *)(c->reason ? c->reason : "");
    info.domain = "ackd.v1";
    info.n_metadata = 1;
    info.metadata = entries;
    any.type_url = "type.googleapis.com/google.rpc.ErrorInfo";
    any.value.len = google__rpc__error_info__pack(&info, packed);
    any.value.data = packed;
    status.code = c->code;
    status.n_details = 1;
    status.details = anys;
    out[grpc_base64_encode(whole, google__rpc__status__pack(&status, whole), out)] = 0;
}

#define UNPACK(type, bytes, length) ackd__v1__##type##__unpack(NULL, length, bytes)
#define ANSWER(type, call)                                                                         \
    do {                                                                                           \
        void *q = UNPACK(type, data, length);                                                      \
        call;                                                                                      \
        protobuf_c_message_free_unpacked(q, NULL);                                                 \
    } while (0)

static void answer_tcp(struct double_stream *s, const struct canned *c, const char *name,
                       const uint8_t *data, size_t length)
{
    if (strcmp(name, "Open") == 0) {
        ANSWER(open_request, answer_open(s, c, q));
    } else if (strcmp(name, "Listen") == 0) {
        ANSWER(listen_request, answer_listen(s, q));
    } else if (strcmp(name, "Accept") == 0) {
        ANSWER(accept_request, answer_accept(s, c, q));
    } else if (strcmp(name, "Status") == 0) {
        answer_tcp_status(s);
    } else if (strcmp(name, "Send") == 0) {
        ANSWER(send_request, answer_send(s, q));
    } else if (strcmp(name, "Receive") == 0) {
        ANSWER(receive_request, answer_receive(s, c, q));
    } else if (strcmp(name, "Close") == 0) {
        ANSWER(close_request, answer_close(s, q));
    } else if (strcmp(name, "SetOptions") == 0) {
        ANSWER(set_options_request, answer_set_options(s, q));
    } else if (strcmp(name, "Session") == 0) {
        answer_session(s);
    } else if (strcmp(name, "Stream") == 0) {
        ANSWER(stream_request, answer_stream(s, c, q));
    } else {
        double_reply(s, &(Ackd__V1__AbortResponse)ACKD__V1__ABORT_RESPONSE__INIT.base);
    }
}

static void answer_inspect(struct double_stream *s, const struct canned *c, const char *name,
                           const uint8_t *data, size_t length)
{
    if (strcmp(name, "List") == 0) {
        ANSWER(list_request, answer_list(s, c, q));
    } else if (strcmp(name, "Get") == 0) {
        ANSWER(get_request, answer_get(s, ((Ackd__V1__GetRequest *)q)->id));
    } else if (strcmp(name, "Why") == 0) {
        ANSWER(why_request, answer_why(s, ((Ackd__V1__WhyRequest *)q)->id));
    } else if (strcmp(name, "Watch") == 0) {
        ANSWER(watch_request, answer_watch(s, c, q));
    } else if (strcmp(name, "Capture") == 0) {
        answer_capture(s, c);
    } else if (strcmp(name, "Kill") == 0) {
        answer_kill(s);
    } else {
        ANSWER(counters_request, answer_counters(s, q));
    }
}

static void on_message(struct double_stream *s, const uint8_t *data, size_t length)
{
    const struct canned *c = double_arg(s->server);
    const char *name = strrchr(s->path, '/') + 1;
    char details[1024];
    if (c->fail_path && strcmp(c->fail_path, s->path) == 0) {
        if (c->errno_name) {
            make_details(c, details);
        }
        double_finish(s, c->code, c->message, c->errno_name ? details : NULL);
    } else if (strncmp(s->path, "/ackd.v1.Tcp/", 13) == 0) {
        answer_tcp(s, c, name, data, length);
    } else if (strncmp(s->path, "/ackd.v1.Inspect/", 17) == 0) {
        answer_inspect(s, c, name, data, length);
    } else if (strcmp(name, "GetStatus") == 0) {
        answer_status(s);
    } else if (strcmp(name, "GetVersion") == 0) {
        answer_version(s);
    } else if (strcmp(name, "ListKeys") == 0) {
        answer_keys(s);
    } else if (strcmp(name, "AddKey") == 0) {
        ANSWER(add_key_request, answer_add_key(s, q));
    } else if (strcmp(name, "SetFastOpenKey") == 0) {
        ANSWER(set_fast_open_key_request, answer_fast_open_key(s, q));
    } else if (strncmp(name, "List", 4) == 0 || strcmp(name, "ClearMetrics") == 0) {
        answer_network(s, name);
    } else {
        double_reply(s, &(Ackd__V1__AddRouteResponse)ACKD__V1__ADD_ROUTE_RESPONSE__INIT.base);
    }
}

static void on_half_close(struct double_stream *s)
{
    if (strcmp(s->path, "/ackd.v1.Tcp/Stream") == 0) {
        double_finish(s, 0, "", NULL);
    }
}

struct double_script canned_script(const struct canned *canned)
{
    return (struct double_script){
        .on_message = on_message, .on_half_close = on_half_close, .arg = (void *)canned};
}

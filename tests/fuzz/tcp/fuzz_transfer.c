/* One connection that carries much data over a wire with delay, rate and queue, whose faults are
 * chosen segment by segment: what goes by is lost, doubled, late, marked, or has its header
 * changed; packets above a size vanish, told or untold. This is for what makes TCP go on and at
 * which pace: loss recovery, congestion control, ECN, pacing, the search for the path's MTU, the
 * buffers.
 *
 * The oracles: the engine's invariants at every instant; every octet that is read; no instant at
 * which the engines never come to rest; and once the faults stop, all that was accepted arrives
 * (unless ACKs were forged), and nothing stays when both have let go. */
#include "pair.h"

#define LANE 160u /* parcels: the queue */
#define MOMENTS 400000u

enum fault { LOSE, TWICE, LATE, MARK, BLEACH, MEDDLE, FAULTS };

/* One direction. */
struct lane {
    struct parcel parcel[LANE];
    unsigned n;
    int64_t delay_ns, spacing_ns, late_ns;
    ackd_time free_at;
    uint32_t cap;          /* bytes of the longest packet that passes */
    bool tells;            /* by ICMP, when one does not */
    bool merges;           /* what belongs together arrives as one frame */
    uint16_t mask[FAULTS]; /* which of the next 16 segments */
    bool again[FAULTS];    /* and of every 16 after them */
    uint8_t meddling, amount;
    unsigned nth;
};

struct user {
    uint64_t id, taken;
    uint64_t budget; /* octets that it writes as soon as there is room */
    bool stops_reading;
};

struct transfer {
    struct lane lane[2];
    struct user user[2];
    uint64_t listener;
};

static struct transfer *transfer_of(const struct world *w)
{
    return w->transfer;
}

/* ---- what happens to a header ---- */

static void put32(uint8_t *at, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++) {
        at[i] = (uint8_t)(value >> (24 - 8 * i));
    }
}

static uint32_t get32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* The option of that kind, or NULL. */
static uint8_t *option_of(struct parcel *p, uint8_t kind)
{
    uint8_t *at = p->bytes + TCP_HEADER_MIN, *end = p->bytes + p->header_len;
    while (at < end && *at != TCP_OPT_EOL) {
        if (*at == kind) {
            return at;
        }
        at += *at == TCP_OPT_NOP ? 1 : at[1];
    }
    return NULL;
}

static void blank(uint8_t *option)
{
    if (option != NULL) {
        memset(option, TCP_OPT_NOP, option[1]);
    }
}

static void meddle_with_options(struct parcel *p, const struct lane *l)
{
    uint8_t *sack = option_of(p, TCP_OPT_SACK), *stamps = option_of(p, TCP_OPT_TIMESTAMPS);
    uint8_t *accecn = option_of(p, TCP_OPT_ACCECN0);
    accecn = accecn != NULL ? accecn : option_of(p, TCP_OPT_ACCECN1);
    switch (l->meddling % 8) {
    case 0:
        blank(sack);
        break;
    case 1: /* the first block begins earlier: may look like a report of a duplicate */
        if (sack != NULL) {
            put32(sack + 2, get32(sack + 2) - l->amount);
        }
        break;
    case 2: /* it ends later: a lie */
        if (sack != NULL) {
            put32(sack + 6, get32(sack + 6) + l->amount * 8u);
        }
        break;
    case 3:
        if (stamps != NULL) {
            put32(stamps + 6, get32(stamps + 6) + l->amount - 128u);
        }
        break;
    case 4:
        blank(stamps);
        break;
    case 5:
        blank(accecn);
        break;
    case 6:
        if (accecn != NULL && accecn[1] >= 5) {
            accecn[4] = (uint8_t)(accecn[4] + l->amount);
        }
        break;
    default:
        if (accecn != NULL) {
            accecn[0] ^= TCP_OPT_ACCECN0 ^ TCP_OPT_ACCECN1;
        }
        break;
    }
}

/* False: it does not go on. Only an ACK of what did not arrive is a lie that loses data. */
static void meddle(struct world *w, const struct lane *l, struct parcel *p)
{
    uint8_t *flags = &p->bytes[13];
    switch (l->meddling / 8 % 8) {
    case 0:
        *flags ^= TCP_ECE;
        break;
    case 1:
        *flags ^= TCP_CWR;
        break;
    case 2:
        p->bytes[12] ^= 1; /* AE */
        break;
    case 3: /* the window closes, or nearly */
        p->bytes[14] = 0;
        p->bytes[15] = l->amount;
        break;
    case 4: /* an old ACK */
        put32(p->bytes + 8, get32(p->bytes + 8) - l->amount);
        break;
    case 5: /* one in advance */
        put32(p->bytes + 8, get32(p->bytes + 8) + l->amount * 4u);
        w->lied = true;
        break;
    default:
        w->lied = w->lied || l->meddling % 8 == 2 || l->meddling % 8 == 1;
        meddle_with_options(p, l);
        break;
    }
}

/* ---- lanes ---- */

static void lane_drop(struct lane *l, unsigned at)
{
    free(l->parcel[at].bytes);
    l->n--;
    memmove(&l->parcel[at], &l->parcel[at + 1], (l->n - at) * sizeof l->parcel[0]);
}

static struct parcel copy_of(const struct parcel *p)
{
    struct parcel copy = *p;
    copy.bytes = malloc(p->length);
    memcpy(copy.bytes, p->bytes, p->length);
    return copy;
}

/* The k-th segment of a super-frame, as a device cuts it. */
static struct parcel segment_of(const struct parcel *frame, uint32_t k)
{
    uint32_t payload = frame->length - frame->header_len, size = frame->gso_size;
    uint32_t from = k * size, n = payload - from < size ? payload - from : size;
    struct parcel p = *frame;
    p.gso_size = 0;
    p.length = p.header_len + n;
    p.bytes = malloc(p.length);
    memcpy(p.bytes, frame->bytes, p.header_len);
    memcpy(p.bytes + p.header_len, frame->bytes + p.header_len + from, n);
    put32(p.bytes + 4, get32(p.bytes + 4) + from);
    if (from + n < payload) {
        p.bytes[13] &= (uint8_t) ~(TCP_FIN | TCP_PSH);
    }
    if (k > 0) {
        p.bytes[13] &= (uint8_t)~TCP_CWR;
    }
    return p;
}

static void too_big(struct world *w, unsigned from, const struct parcel *p)
{
    const struct lane *l = &transfer_of(w)->lane[from];
    if (!l->tells) {
        return;
    }
    struct tcp_icmp icmp = {.kind = TCP_ICMP_TOO_BIG,
                            .src = p->src,
                            .dst = p->dst,
                            .sport = (uint16_t)(p->bytes[0] << 8 | p->bytes[1]),
                            .dport = (uint16_t)(p->bytes[2] << 8 | p->bytes[3]),
                            .seq = seq_of(get32(p->bytes + 4)),
                            .mtu = l->cap,
                            .error = 90};
    w->side[from].mtu = l->cap;
    tcp_icmp(w->side[from].engine, w->now, &icmp);
}

/* The lane takes it over; true when the next segment of its frame may be joined to it. */
static bool lane_put(struct world *w, unsigned from, struct parcel p, bool joins)
{
    struct lane *l = &transfer_of(w)->lane[from];
    bool has[FAULTS];
    unsigned bit = l->nth++ % 16;
    for (unsigned k = 0; k < FAULTS; k++) {
        has[k] = l->mask[k] >> bit & 1;
        l->mask[k] &= (uint16_t) ~(l->again[k] ? 0 : 1u << bit);
    }
    bool fits = p.length + (ip_addr_is_v4(&p.src) ? 20 : 40) <= l->cap;
    if (!fits) {
        too_big(w, from, &p);
    }
    if (has[LOSE] || !fits || l->n + 2 > LANE) {
        free(p.bytes);
        return false;
    }
    if (has[MEDDLE]) {
        meddle(w, l, &p);
    }
    p.tos = (uint8_t)(has[BLEACH] ? p.tos & ~3u : has[MARK] && (p.tos & 3) ? p.tos | 3 : p.tos);
    struct parcel *last = l->n > 0 ? &l->parcel[l->n - 1] : NULL;
    if (joins && l->merges && !has[LATE] && !has[TWICE] && last->tos == p.tos) {
        uint32_t more = p.length - p.header_len;
        last->gso_size = last->gso_size ? last->gso_size : (uint16_t)(last->length - p.header_len);
        last->bytes = realloc(last->bytes, last->length + more);
        memcpy(last->bytes + last->length, p.bytes + p.header_len, more);
        last->bytes[13] |= p.bytes[13];
        last->length += more;
        free(p.bytes);
        return true;
    }
    l->free_at = time_add(time_before(l->free_at, w->now) ? w->now : l->free_at, l->spacing_ns);
    p.due = time_add(l->free_at, l->delay_ns + (has[LATE] ? l->late_ns : 0));
    if (has[TWICE]) {
        l->parcel[l->n] = copy_of(&p);
        l->parcel[l->n++].due = time_add(p.due, l->late_ns);
    }
    l->parcel[l->n++] = p;
    return !has[LATE] && !has[MEDDLE];
}

static bool flush_one(struct world *w, unsigned i)
{
    struct side *s = &w->side[i];
    struct tcp_tx tx;
    if (!tcp_flush(s->engine, w->now, &tx)) {
        return false;
    }
    check_segment(w, &tx);
    if (s->refuses) {
        tcp_tx_failed(s->engine, w->now, &tx, TCP_TX_LOCAL_DROP, 0);
        return true;
    }
    struct parcel frame = parcel_of(&tx);
    if (frame.gso_size == 0) {
        lane_put(w, i, frame, false);
        return true;
    }
    bool joins = false;
    for (uint32_t k = 0; k * frame.gso_size < frame.length - frame.header_len; k++) {
        joins = lane_put(w, i, segment_of(&frame, k), joins);
    }
    free(frame.bytes);
    return true;
}

static unsigned lane_first(const struct lane *l)
{
    unsigned first = 0;
    for (unsigned i = 1; i < l->n; i++) {
        if (time_before(l->parcel[i].due, l->parcel[first].due)) {
            first = i;
        }
    }
    return first;
}

static ackd_time arrival(const struct world *w)
{
    ackd_time next = TIME_NEVER;
    for (unsigned i = 0; i < 2; i++) {
        const struct lane *l = &transfer_of(w)->lane[i];
        if (l->n > 0) {
            next = time_min(next, l->parcel[lane_first(l)].due);
        }
    }
    return next;
}

static bool arrive_one(struct world *w, unsigned from)
{
    struct lane *l = &transfer_of(w)->lane[from];
    unsigned at = lane_first(l);
    if (l->n == 0 || time_before(w->now, l->parcel[at].due)) {
        return false;
    }
    parcel_input(w, &l->parcel[at], l->parcel[at].length % 2);
    lane_drop(l, at);
    return true;
}

/* ---- users ---- */

static bool user_acts(struct world *w, unsigned i)
{
    struct user *u = &transfer_of(w)->user[i];
    if (!u->stops_reading) {
        u->taken = user_read_from(w, i, u->id, u->taken, UINT32_MAX);
    }
    int64_t room = u->budget > 0 ? tcp_send_room(w->side[i].engine, u->id) : 0;
    if (room <= 0) {
        return false;
    }
    uint32_t n = (uint32_t)(u->budget < (uint64_t)room ? u->budget : (uint64_t)room);
    n = n < 20000 ? n : 20000;
    user_send(w, i, u->id, n, 0);
    u->budget -= n;
    return true;
}

static void settle(struct world *w)
{
    bool moved = true;
    for (unsigned n = 0; moved; n++) {
        FUZZ_CHECK(n < 20000); /* it comes to rest */
        moved = false;
        for (unsigned i = 0; i < 2; i++) {
            while (arrive_one(w, i)) {
                moved = true;
            }
        }
        for (unsigned i = 0; i < 2; i++) {
            moved = user_acts(w, i) || moved;
            moved = flush_one(w, i) || moved;
        }
    }
    check(w);
}

/* The next instant at which anything happens, not after `until`. */
static bool moment(struct world *w, ackd_time until)
{
    ackd_time next = time_min(until, time_add(w->now, to_next(w)));
    if (!time_before(w->now, until)) {
        return false;
    }
    pass(w, time_diff(next, w->now));
    settle(w);
    for (unsigned i = 0; i < 2; i++) { /* what is left over is due at once */
        for (unsigned n = 0; time_reached(tcp_next_deadline(w->side[i].engine), w->now); n++) {
            FUZZ_CHECK(n < 100);
            pass(w, 0);
            settle(w);
        }
    }
    return true;
}

static void run(struct world *w, int64_t ns)
{
    ackd_time until = time_add(w->now, ns);
    unsigned n = 0;
    settle(w);
    while (moment(w, until)) {
        FUZZ_CHECK(++n < MOMENTS);
    }
}

/* ---- the beginning ---- */

static void side_of(struct world *w, unsigned i, struct bytes *in)
{
    struct tcp_config c;
    uint8_t device = take_u8(in), ways = take_u8(in), law = take_u8(in);
    pair_config(&c);
    c.push_super_frames = ways & 1;
    c.accept_missing_timestamps = ways & 2;
    c.nagle_minshall = ways & 4;
    c.probe_without_data = ways & 8;
    c.piggyback_acks = ways & 16;
    c.reordering_slack_ns = ways & 32 ? NS_PER_MS : 0;
    c.sack_whole_segments = ways & 64;
    c.quiet_on_unsent_ack = ways & 128;
    c.defaults.congestion = law % 4;
    c.defaults.ecn = law / 4 % 4;
    c.defaults.loss_detection = law / 16 % 2;
    c.defaults.pacing = law / 32 % 3;
    c.defaults.mtu_probing = law / 64 % 3;
    for (unsigned n = device / 32; n > 0; n--) {
        change_option(&c.defaults, in);
    }
    c.defaults.require_auth = false;
    struct tcp_link link = {.tso = device & 1,
                            .checksum_offload = device & 2,
                            .max_frame = device & 1 ? FRAME : MTU,
                            .paced_frame_segments = device & 4 ? 2 : 0,
                            .defer_divisor = device & 8 ? 3 : 0};
    side_init(w, i, &c, &link);
    struct lane *l = &transfer_of(w)->lane[i];
    l->delay_ns = 10 * NS_PER_MS;
    l->late_ns = 15 * NS_PER_MS;
    l->cap = MTU;
    l->merges = device & 16;
}

static bool begin(struct world *w)
{
    struct transfer *t = transfer_of(w);
    struct tcp_listen_args l = {.tuple = {.local_port = 1}, .backlog = 2};
    struct tcp_open_args o = {
        .tuple = {.local = w->side[0].addr, .remote = w->side[1].addr, .remote_port = 1},
        .mtu = MTU};
    FUZZ_CHECK(tcp_listen(w->side[1].engine, w->now, &l, &t->listener) == 0);
    FUZZ_CHECK(tcp_open(w->side[0].engine, w->now, &o, &t->user[0].id) == 0);
    run(w, NS_PER_S);
    return tcp_accept(w->side[1].engine, t->listener, 1, 2, &t->user[1].id) == 0;
}

/* ---- the steps ---- */

static void shape(struct world *w, unsigned i, struct bytes *in)
{
    struct lane *l = &transfer_of(w)->lane[i];
    uint8_t value = take_u8(in);
    switch (take_u8(in) % 8) {
    case 0:
        l->delay_ns = value * NS_PER_MS / 2;
        break;
    case 1:
        l->spacing_ns = value * NS_PER_MS / 64;
        break;
    case 2:
        l->late_ns = value * 2 * NS_PER_MS;
        break;
    case 3:
        l->merges = value & 1;
        break;
    case 4: /* another route */
        w->side[i].mtu = 576 + value * 4u;
        w->side[i].mtu = w->side[i].mtu < MTU ? w->side[i].mtu : MTU;
        break;
    default: /* IPv6 has no link below 1280 */
        l->cap = (ip_addr_is_v4(&w->side[i].addr) ? 576u : 1280u) + value * 4u;
        l->tells = value & 1;
        break;
    }
}

static void fault(struct world *w, unsigned i, struct bytes *in)
{
    struct lane *l = &transfer_of(w)->lane[i];
    uint8_t kind = take_u8(in);
    l->mask[kind % FAULTS] = take_u16(in);
    l->again[kind % FAULTS] = kind >= 192;
    if (kind % FAULTS == MEDDLE) {
        l->meddling = take_u8(in);
        l->amount = take_u8(in);
    }
}

/* Another takes over while the connection goes on. */
static void options(struct world *w, unsigned i, struct bytes *in)
{
    uint64_t id = transfer_of(w)->user[i].id;
    struct tcp_options o;
    if (tcp_get_options(w->side[i].engine, id, &o) == 0) {
        change_option(&o, in);
        o.require_auth = false;
        FUZZ_CHECK(tcp_set_options(w->side[i].engine, w->now, id, &o) == 0 ||
                   w->side[i].memory.refuse);
    }
}

static void look(struct world *w, unsigned i)
{
    struct tcp_congestion_field field[TCP_CONGESTION_FIELDS];
    struct tcp_info c;
    uint64_t id = transfer_of(w)->user[i].id;
    unsigned n = tcp_congestion_state(w->side[i].engine, id, field);
    FUZZ_CHECK(n <= TCP_CONGESTION_FIELDS);
    for (unsigned k = 0; k < n; k++) {
        FUZZ_CHECK(field[k].name != NULL && (field[k].word == NULL || field[k].word[0] != '\0'));
    }
    if (tcp_status(w->side[i].engine, w->now, id, true, &c) == 0 && c.state >= TCP_ESTABLISHED) {
        FUZZ_CHECK(c.cwnd_bytes > 0 && c.bytes_read <= c.bytes_received);
    }
}

static void end_early(struct world *w, unsigned i, struct bytes *in)
{
    uint64_t id = transfer_of(w)->user[i].id;
    switch (take_u8(in) % 16) {
    case 0:
        tcp_close(w->side[i].engine, w->now, id);
        break;
    case 1:
        tcp_release(w->side[i].engine, w->now, id);
        break;
    case 2:
        tcp_flush_send(w->side[i].engine, w->now, id);
        break;
    default:
        look(w, i);
        break;
    }
}

static void step(struct world *w, struct bytes *in)
{
    uint8_t op = take_u8(in);
    unsigned i = op & 1;
    struct user *u = &transfer_of(w)->user[i];
    switch (op / 2 % 14) {
    case 0:
        user_send(w, i, u->id, take_u16(in), op & 128 ? TCP_SEND_PUSH : 0);
        break;
    case 1:
        u->budget += take_u8(in) * 2048u;
        break;
    case 2:
    case 3:
    case 4:
        fault(w, i, in);
        break;
    case 5:
        shape(w, i, in);
        break;
    case 6:
    case 7:
        settle(w);
        for (unsigned n = take_u8(in) % 64; n > 0; n--) {
            moment(w, time_add(w->now, HOUR_NS));
        }
        break;
    case 8:
    case 9:
        run(w, take_u8(in) * 4 * NS_PER_MS);
        break;
    case 10:
        options(w, i, in);
        break;
    case 11:
        end_early(w, i, in);
        break;
    case 12:
        u->stops_reading = op & 128;
        break;
    default:
        if (op & 128) {
            w->side[i].refuses = take_u8(in) < 32;
        } else {
            memory_ends(&w->side[i], take_u8(in) < 32);
        }
        break;
    }
}

/* The faults stop. */
static void calm(struct world *w)
{
    for (unsigned i = 0; i < 2; i++) {
        struct lane *l = &transfer_of(w)->lane[i];
        memset(l->mask, 0, sizeof l->mask);
        l->cap = MTU;
        transfer_of(w)->user[i].stops_reading = false;
        memory_ends(&w->side[i], false);
        w->side[i].refuses = false;
    }
}

static void all_arrived(struct world *w)
{
    struct tcp_info c[2];
    for (unsigned i = 0; i < 2; i++) {
        uint64_t id = transfer_of(w)->user[i].id;
        if (tcp_status(w->side[i].engine, w->now, id, true, &c[i]) < 0 || c[i].released ||
            c[i].state == TCP_CLOSED || c[i].state == TCP_TIME_WAIT) {
            return;
        }
    }
    for (unsigned i = 0; i < 2 && !w->lied; i++) {
        int64_t sent = tcp_send_offset(w->side[i].engine, transfer_of(w)->user[i].id);
        FUZZ_CHECK(c[i].send_q_bytes == 0);
        FUZZ_CHECK(sent == (int64_t)c[1 - i].bytes_read);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = {data, size};
    struct world *w = calloc(1, sizeof *w);
    struct transfer *t = w->transfer = calloc(1, sizeof *t);
    uint8_t how = take_u8(&in);
    pair_init(w, how & 1);
    w->settle = settle;
    w->arrival = arrival;
    side_of(w, 0, &in);
    side_of(w, 1, &in);
    bool connected = begin(w);
    for (unsigned n = 0; connected && n < 200 && bytes_more(&in); n++) {
        step(w, &in);
    }
    calm(w);
    run(w, 1200 * NS_PER_S);
    all_arrived(w);
    nothing_stays(w);
    for (unsigned i = 0; i < 2; i++) {
        while (t->lane[i].n > 0) {
            lane_drop(&t->lane[i], 0);
        }
    }
    pair_free(w);
    free(t);
    free(w);
    return 0;
}

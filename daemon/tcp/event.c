/* Events: every change of state, and while asked for every segment, in a bounded ring that the
 * caller drains after each batch. A ring that is full loses the newest event; the gap in the
 * numbers tells, and a counter. */
#include "tcp/tcb.h"
#include "wire/checksum.h"

#include <string.h>

/* The next free place, numbered and zeroed; NULL when the ring is full. */
static struct tcp_event *event_new(struct tcp_engine *e, enum tcp_event_type type, ackd_time now)
{
    e->event_number++;
    if (e->event_count == e->config.event_ring) {
        e->counters.events_lost++;
        return NULL;
    }
    struct tcp_event *ev = &e->events[(e->event_head + e->event_count++) % e->config.event_ring];
    memset(ev, 0, sizeof *ev);
    ev->number = e->event_number;
    ev->at = now;
    ev->type = type;
    return ev;
}

bool tcp_event_next(struct tcp_engine *e, struct tcp_event *event)
{
    if (!e->event_count) {
        return false;
    }
    *event = e->events[e->event_head];
    e->event_head = (e->event_head + 1) % e->config.event_ring;
    e->event_count--;
    return true;
}

void tcp_trace_segments(struct tcp_engine *e, bool on)
{
    e->trace = on;
}

static uint64_t listener_of(const struct rec *r)
{
    if (r->kind == REC_HALF_OPEN) {
        return ((const struct half_open *)(const void *)r)->listener;
    }
    return r->kind == REC_CONNECTION ? ((const struct tcb *)(const void *)r)->listener : 0;
}

void event_state(struct tcp_engine *e, const struct rec *r, enum tcp_state old, ackd_time now,
                 enum tcp_close_reason reason)
{
    struct tcp_event *ev = event_new(e, TCP_EVENT_STATE, now);
    if (ev) {
        ev->id = r->id;
        ev->listener = listener_of(r);
        ev->tuple = r->tuple;
        ev->state = r->state;
        ev->old_state = old;
        ev->close_reason = reason;
    }
}

/* What a segment event says of the connection it belongs to. */
static void describe_tcb(struct tcp_event *ev, const struct tcb *c)
{
    ev->iss = c->snd.iss.v;
    ev->irs = c->rcv.irs.v;
    ev->cwnd = tcb_cwnd(c);
    ev->in_flight = c->act ? rtxq_pipe(&c->act->rtxq) : 0;
    ev->ack_seq = c->rcv.nxt.v - c->rcv.last_len;
    ev->ack_len = c->rcv.last_len;
}

static void describe_rec(struct tcp_event *ev, const struct rec *r)
{
    ev->state = r->state;
    ev->listener = listener_of(r);
    if (r->kind == REC_CONNECTION) {
        describe_tcb(ev, (const struct tcb *)(const void *)r);
    } else if (r->kind == REC_HALF_OPEN) {
        const struct half_open *h = (const struct half_open *)(const void *)r;
        ev->iss = h->iss.v;
        ev->irs = h->irs.v;
        ev->ack_seq = h->irs.v;
        ev->ack_len = 1;
    }
}

static struct cached_headers *cache_slot(struct tcp_engine *e, uint64_t id)
{
    struct cached_headers *slot = &e->headers[id % HEADER_CACHE];
    if (slot->id != id) {
        memset(slot, 0, sizeof *slot);
        slot->id = id;
    }
    return slot;
}

/* Completes a partial checksum for show: the device does it for the wire, if there is one. */
static void complete_checksum(uint8_t *header, uint8_t len, const struct tcp_range *ranges,
                              unsigned n)
{
    uint64_t sum = checksum_add(0, header, len);
    uint64_t odd = 0; /* payload octets so far: a range may begin at an odd one */
    for (unsigned i = 0; i < n; i++) {
        uint16_t part = checksum_fold(checksum_add(0, ranges[i].data, ranges[i].length));
        sum += odd & 1 ? (uint16_t)(part << 8 | part >> 8) : part;
        odd += ranges[i].length;
    }
    uint16_t value = checksum_finish(sum);
    header[16] = (uint8_t)(value >> 8);
    header[17] = (uint8_t)value;
}

/* A partial checksum is completed when somebody asks, which hardly anybody does, and only where
 * there was no payload, for that is gone by then. */
static void cache_header(struct tcp_last_header *to, ackd_time now, const uint8_t *header,
                         uint8_t len, uint32_t payload, bool partial)
{
    to->known = true;
    to->at = now;
    to->header_len = len;
    to->payload_len = payload;
    to->checksum_partial = partial;
    memcpy(to->header, header, len);
}

static struct tcp_last_header last_header(const struct tcp_last_header *cached)
{
    struct tcp_last_header h = *cached;
    if (h.checksum_partial && h.payload_len == 0) {
        complete_checksum(h.header, h.header_len, NULL, 0);
        h.checksum_partial = false;
    }
    return h;
}

int tcp_last_headers(struct tcp_engine *e, uint64_t id, struct tcp_last_header *received,
                     struct tcp_last_header *sent)
{
    const struct cached_headers *slot = &e->headers[id % HEADER_CACHE];
    *received = *sent = (struct tcp_last_header){0};
    if (slot->id == id) {
        *received = last_header(&slot->received);
        *sent = last_header(&slot->sent);
    }
    return 0;
}

void event_segment_in(struct tcp_engine *e, const struct segment *s)
{
    if (s->id) {
        cache_header(&cache_slot(e, s->id)->received, s->now, s->bytes, s->h.header_len, s->payload,
                     s->rx->checksum_partial);
    }
    struct tcp_event *ev = e->trace ? event_new(e, TCP_EVENT_SEGMENT, s->now) : NULL;
    if (!ev) {
        return;
    }
    struct rec *r = s->id ? rec_find(e, s->id) : NULL;
    ev->id = s->id;
    ev->tuple = s->tuple;
    ev->direction = TCP_IN;
    ev->drop = s->drop;
    ev->header_len = s->h.header_len;
    memcpy(ev->header, s->bytes, s->h.header_len);
    if (s->rx->checksum_partial) {
        const struct tcp_range payload = {s->bytes + s->h.header_len, s->payload};
        complete_checksum(ev->header, ev->header_len, &payload, 1);
    }
    ev->payload_len = s->payload;
    ev->gso_size = s->rx->gso_size;
    uint32_t n = s->payload < TCP_EVENT_PAYLOAD ? s->payload : TCP_EVENT_PAYLOAD;
    memcpy(ev->payload, s->bytes + s->h.header_len, n);
    ev->scaled_window = (uint32_t)s->h.window << s->wscale;
    ev->iss = s->iss.v;
    ev->irs = s->irs.v;
    if (r) {
        describe_rec(ev, r);
    }
}

void event_segment_out(struct tcp_engine *e, ackd_time now, const struct tcp_tx *tx,
                       const struct tcp_tuple *tuple, const struct tcb *c,
                       const struct control_segment *cs)
{
    if (tx->id) {
        struct tcp_last_header *to = &cache_slot(e, tx->id)->sent;
        cache_header(to, now, tx->header, tx->header_len, tx->payload_len, tx->checksum_partial);
    }
    struct tcp_event *ev = e->trace ? event_new(e, TCP_EVENT_SEGMENT, now) : NULL;
    if (!ev) {
        return;
    }
    ev->id = tx->id;
    ev->tuple = *tuple;
    ev->direction = TCP_OUT;
    ev->send_kind = tx->kind;
    ev->header_len = tx->header_len;
    memcpy(ev->header, tx->header, tx->header_len);
    if (tx->checksum_partial) {
        complete_checksum(ev->header, ev->header_len, tx->range, tx->n_ranges);
    }
    ev->payload_len = tx->payload_len;
    ev->gso_size = tx->gso_size;
    for (uint32_t i = 0, n = 0; i < tx->n_ranges && n < TCP_EVENT_PAYLOAD; i++) {
        uint32_t part = tx->range[i].length < TCP_EVENT_PAYLOAD - n ? tx->range[i].length
                                                                    : TCP_EVENT_PAYLOAD - n;
        memcpy(ev->payload + n, tx->range[i].data, part);
        n += part;
    }
    uint16_t window = (uint16_t)(tx->header[14] << 8 | tx->header[15]);
    bool syn = tx->header[13] & TCP_SYN;
    ev->scaled_window = c && !syn ? (uint32_t)window << c->nego.rcv_wscale : window;
    if (c) {
        describe_rec(ev, &c->t.rec);
    } else {
        ev->state = cs->state;
        ev->rst_reason = cs->rst_reason;
        ev->iss = cs->iss.v;
        ev->irs = cs->irs.v;
        ev->ack_seq = cs->irs.v;
        ev->ack_len = cs->ack.v - cs->irs.v;
    }
}

/* An observer between a host and its wires. It knows sequence numbers and windows and nothing of
 * how they come about, so it does not repeat the engine's mistakes:
 *
 * - acknowledgment numbers never go back;
 * - the right edge of the window never goes back (RFC 9293 SHLD-14), but by the rounding that its
 *   scale forces (RFC 7323 section 2.4);
 * - sequence numbers are used without a gap, and no octet lies beyond the rightmost edge that the
 *   peer has offered, but for the one of a window probe. The window of a SYN is the first offer,
 *   which bounds what a listener sends before its SYN,ACK is acknowledged (RFC 7413 section 4.2);
 * - nothing follows a FIN, and the FIN does not move (RFC 9293 section 3.6);
 * - every segment behind the SYN has an ACK (section 3.10.7.4). */
#include "monitor.h"

#include <string.h>
#include "wire/tcp.h"

/* Moves it to the front. A new one takes the place of the longest unused. */
static struct monitored *find(struct monitor *m, const struct ip_addr *peer, uint16_t port,
                              uint16_t peer_port)
{
    unsigned i = 0;
    while (i < m->n && !(m->of[i].port == port && m->of[i].peer_port == peer_port &&
                         ip_addr_equal(&m->of[i].peer, peer))) {
        i++;
    }
    struct monitored c = {.peer = *peer, .port = port, .peer_port = peer_port};
    if (i < m->n) {
        c = m->of[i];
    } else if (m->n < MONITORED) {
        m->n++;
    } else {
        i = MONITORED - 1;
    }
    memmove(&m->of[1], &m->of[0], i * sizeof(m->of[0]));
    m->of[0] = c;
    return &m->of[0];
}

static uint8_t scale(const struct monitored *c, uint8_t shift)
{
    return c->scales && c->peer_scales ? shift : 0;
}

/* With another number it is another connection, or another SYN cookie for the same. */
static void syn_sent(struct monitored *c, const struct tcp_hdr *h, const uint8_t *bytes,
                     uint32_t payload)
{
    struct tcp_opts o;
    tcp_opts_parse(bytes, h, &o);
    if (!c->syn_sent || !seq_eq(c->iss, h->seq)) {
        c->acked = c->granted = c->fin_sent = c->begun = false;
        c->peer_scales = c->next_peer_scales;
        c->peer_shift = c->next_peer_shift;
        c->iss = h->seq;
        c->nxt = seq_add(h->seq, 1);
    }
    c->nxt = seq_max(c->nxt, seq_add(h->seq, 1 + payload));
    c->syn_sent = true;
    c->passive = h->flags & TCP_ACK;
    c->scales = o.has_wscale;
    c->shift = o.has_wscale ? o.wscale : 0;
    if (h->flags & TCP_ACK) {
        c->edge = seq_add(h->ack, h->window); /* not scaled */
        c->ack = h->ack;
        c->acked = true;
        if (!c->granted) {
            c->limit = seq_add(c->iss, 1u + c->next_peer_window);
            c->granted = true;
        }
    }
}

static const char *window_offered(struct monitored *c, const struct tcp_hdr *h)
{
    uint8_t shift = scale(c, c->shift);
    tcp_seq edge = seq_add(h->ack, (uint32_t)h->window << shift);
    if (c->acked && seq_lt(h->ack, c->ack)) {
        return "an acknowledgment went back";
    }
    if (c->acked && seq_lt(seq_add(edge, (UINT32_C(1) << shift) - 1), c->edge)) {
        return "the right edge of the window went back";
    }
    c->edge = c->acked ? seq_max(c->edge, edge) : edge;
    c->ack = h->ack;
    c->acked = true;
    return NULL;
}

static const char *data_sent(struct monitored *c, const struct tcp_hdr *h, uint32_t payload)
{
    bool fin = h->flags & TCP_FIN;
    tcp_seq end = seq_add(h->seq, payload + fin);
    if (!c->begun && c->passive) { /* of several cookies one came back */
        c->nxt = seq_max(h->seq, seq_add(c->iss, 1));
    }
    c->begun = true;
    if (payload + fin == 0) {
        return NULL;
    }
    if (seq_gt(h->seq, c->nxt)) {
        return "sequence numbers were left out";
    }
    if (c->granted && seq_gt(end, seq_add(c->limit, 1 + fin))) {
        return "an octet beyond the window that was ever offered";
    }
    if (c->fin_sent && (seq_gt(end, c->fin_end) || (fin && !seq_eq(end, c->fin_end)))) {
        return "an octet behind the FIN, or another FIN";
    }
    c->fin_end = fin ? end : c->fin_end;
    c->fin_sent = c->fin_sent || fin;
    c->nxt = seq_max(c->nxt, end);
    return NULL;
}

const char *monitor_sent(struct monitor *m, const struct tcp_tx *tx)
{
    struct tcp_hdr h;
    if (!tcp_hdr_parse(tx->header, tx->header_len, &h)) {
        return "a header that cannot be parsed";
    }
    struct monitored *c = find(m, &tx->dst, h.sport, h.dport);
    if (h.flags & TCP_RST) {
        return NULL;
    }
    if (h.flags & TCP_SYN) {
        syn_sent(c, &h, tx->header, tx->payload_len);
        return NULL;
    }
    if (!(h.flags & TCP_ACK)) {
        return "a segment without ACK behind the SYN";
    }
    const char *broken = window_offered(c, &h);
    return broken != NULL || !c->syn_sent ? broken : data_sent(c, &h, tx->payload_len);
}

void monitor_received(struct monitor *m, const struct wire_segment *s)
{
    struct tcp_hdr h;
    struct tcp_opts o;
    if (!tcp_hdr_parse(s->bytes, s->length, &h) || h.flags & TCP_RST) {
        return;
    }
    struct monitored *c = find(m, &s->src, h.dport, h.sport);
    if (h.flags & TCP_SYN) {
        tcp_opts_parse(s->bytes, &h, &o);
        c->next_peer_scales = o.has_wscale;
        c->next_peer_shift = o.has_wscale ? o.wscale : 0;
        c->next_peer_window = h.window;
        if (!c->begun) {
            c->peer_scales = c->next_peer_scales;
            c->peer_shift = c->next_peer_shift;
        }
    }
    if (h.flags & TCP_ACK) {
        uint8_t shift = h.flags & TCP_SYN ? 0 : scale(c, c->peer_shift);
        tcp_seq edge = seq_add(h.ack, (uint32_t)h.window << shift);
        /* What acknowledges another SYN,ACK than the last brings another cookie back. */
        bool same = c->begun || seq_eq(h.ack, seq_add(c->iss, 1));
        c->limit = c->granted && same ? seq_max(c->limit, edge) : edge;
        c->granted = true;
    }
}

/* What the two SYNs agree on, and the sizes that follow: MSS (RFC 9293 section 3.7.1, RFC 6691),
 * window scale and timestamps (RFC 7323), SACK (RFC 2018). An option counts only when both sides
 * sent it. */
#include "tcp/tcb.h"

/* A peer may announce any MSS; segments of a few octets would cost us far more than them
 * (CVE-2019-11479). */
#define SEND_MSS_MIN 48u
#define TIMESTAMP_OPTION 12u /* with its padding */

uint32_t ip_overhead(const struct ip_addr *a)
{
    return ip_addr_is_v4(a) ? 20 : 40;
}

/* MUST-67: what the receiver can take, fixed headers subtracted and no options. */
uint16_t mss_advertised(const struct tcp_options *o, const struct ip_addr *a, uint32_t mtu)
{
    uint32_t mss = mtu - ip_overhead(a) - TCP_HEADER_MIN;
    if (o->mss_clamp && mss > o->mss_clamp) {
        mss = o->mss_clamp;
    }
    return mss > 65535 ? 65535 : (uint16_t)mss;
}

/* The smallest shift with which the whole buffer can be offered (RFC 7323 section 2.3: at most 14).
 */
uint8_t wscale_choose(uint32_t rcv_buffer)
{
    uint8_t shift = 0;
    while (shift < 14 && (rcv_buffer >> shift) > 65535) {
        shift++;
    }
    return shift;
}

void negotiate_offer(const struct tcp_options *o, struct negotiated *n)
{
    uint32_t most = o->rcv_buffer > o->rcv_buffer_max ? o->rcv_buffer : o->rcv_buffer_max;
    *n = (struct negotiated){.sack = o->sack,
                             .timestamps = o->timestamps,
                             .wscale = o->window_scaling,
                             .ecn = (uint8_t)ecn_offer(o),
                             .rcv_wscale = wscale_choose(most)};
}

void negotiate_from_syn(const struct segment *s, struct negotiated *n)
{
    n->peer_mss = ip_addr_is_v4(&s->tuple.local) ? 536 : 1220; /* MUST-15 */
    if (s->o.has_mss) {
        n->peer_mss = s->o.mss < SEND_MSS_MIN ? SEND_MSS_MIN : s->o.mss;
    }
    n->sack = n->sack && s->o.sack_permitted;
    n->timestamps = n->timestamps && s->o.has_timestamps;
    n->wscale = n->wscale && s->o.has_wscale;
    n->snd_wscale = !n->wscale ? 0 : s->o.wscale > 14 ? 14 : s->o.wscale;
    n->rcv_wscale = n->wscale ? n->rcv_wscale : 0;
    n->ecn_seen = s->rx->tos & 3;
}

uint32_t send_mss(const struct tcb *c)
{
    uint32_t mss = c->mtu - ip_overhead(&c->t.rec.tuple.local) - TCP_HEADER_MIN;
    uint32_t peer = c->nego.peer_mss;
    uint32_t clamp = c->options->v.mss_clamp;
    mss = peer < mss ? peer : mss;
    mss = clamp && clamp < mss ? clamp : mss;
    uint32_t floor = SEND_MSS_MIN;
    mss = mss < floor ? floor : mss;
    mss -= tcb_auth(c) ? tcb_auth(c)->option_length : 0;
    return c->nego.timestamps ? mss - TIMESTAMP_OPTION : mss;
}

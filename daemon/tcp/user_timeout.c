/* The user timeout option (RFC 5482): each end tells how long it will let data stay unacknowledged,
 * so that a connection survives an outage that both would sit out.
 *
 *     USER_TIMEOUT = min(U_LIMIT, max(ADV_UTO, REMOTE_UTO, L_LIMIT))
 *
 * in the synchronized states; the limits keep a peer from making us give up at once, or never. It
 * is the option's default to be off (ENABLED), and a timeout that the user set himself is not
 * changed by the peer (CHANGEABLE): the peer's is only shown. Options are not delivered reliably,
 * so ours goes with the SYN and again with the first segment behind the handshake, and whenever it
 * changes. */
#include "tcp/tcb.h"

#define R2_DEFAULT_NS (15 * 60 * NS_PER_S) /* RFC 9293 SHLD-11: at least 100 s */
#define MINUTES 0x8000u
#define VALUE_MAX 0x7fffu

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t advertised(const struct tcp_options *o)
{
    return o->uto_advertise_ns  ? o->uto_advertise_ns
           : o->user_timeout_ns ? o->user_timeout_ns
                                : R2_DEFAULT_NS;
}

/* Section 3.3: seconds while they fit. Never 0, which is reserved (section 3.4). */
static uint16_t encode(int64_t ns)
{
    int64_t s = (ns + NS_PER_S - 1) / NS_PER_S, min = (s + 59) / 60;
    return (uint16_t)(s <= (int64_t)VALUE_MAX     ? s
                      : min <= (int64_t)VALUE_MAX ? (int64_t)MINUTES | min
                                                  : (int64_t)(MINUTES | VALUE_MAX));
}

int64_t user_timeout_remote_ns(const struct tcb *c)
{
    int64_t value = c->uto_remote & VALUE_MAX;
    return !c->uto_remote ? -1 : c->uto_remote & MINUTES ? value * 60 * NS_PER_S : value * NS_PER_S;
}

int64_t user_timeout_ns(const struct tcb *c)
{
    const struct tcp_options *o = &c->options->v;
    if (o->user_timeout_ns || !o->uto) {
        return o->user_timeout_ns ? o->user_timeout_ns : R2_DEFAULT_NS;
    }
    /* Section 3.1: L_LIMIT must be larger than the retransmission timeout. */
    int64_t limit = larger(o->uto_min_ns, rto_ns(c) + NS_PER_S);
    int64_t timeout = larger(larger(advertised(o), user_timeout_remote_ns(c)), limit);
    return timeout < o->uto_max_ns ? timeout : o->uto_max_ns;
}

void user_timeout_option(const struct tcp_options *options, struct tcp_opts *o)
{
    o->has_user_timeout = options->uto;
    o->user_timeout = options->uto ? encode(advertised(options)) : 0;
}

bool user_timeout_due(const struct tcb *c)
{
    return c->uto_due && c->options->v.uto;
}

uint16_t user_timeout_heard(struct tcp_engine *e, const struct segment *s)
{
    bool usable = s->o.has_user_timeout && s->o.user_timeout & VALUE_MAX;
    e->counters.user_timeouts_received += usable;
    return usable ? s->o.user_timeout : 0;
}

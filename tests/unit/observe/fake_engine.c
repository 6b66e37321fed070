/* What observe/ asks of the engine and of net/: a queue of events, whether segments are traced, one
 * address. */
#include "fake_engine.h"

#include <string.h>

struct fake_engine fake;

bool tcp_event_next(struct tcp_engine *engine, struct tcp_event *event)
{
    (void)engine;
    if (fake.n == 0) {
        return false;
    }
    *event = fake.events[0];
    memmove(fake.events, fake.events + 1, --fake.n * sizeof fake.events[0]);
    return true;
}
void tcp_trace_segments(struct tcp_engine *engine, bool on)
{
    (void)engine;
    fake.tracing = on;
}
bool net_is_local(const struct net *net, const struct ip_addr *addr)
{
    (void)net;
    return ip_addr_equal(addr, &fake.local);
}

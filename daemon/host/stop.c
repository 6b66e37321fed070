/* The end, in turns of the loop: there may be a million connections to reset, and until the last of
 * them is told the daemon goes on with everything else, the answers to its clients included. Who
 * comes meanwhile finds no listener, or is reset in turn. A link that takes nothing any more does
 * not hold us for ever. */
#include "host/stop.h"

#include <stdlib.h>

#include "host/cycle.h"
#include "host/loop.h"

enum { RECORDS = 32, FRAMES = 64 };
/* What a turn spends on resetting; each record costs a microsecond or two. */
static const int64_t turn_ns = 150 * NS_PER_US;

struct stop {
    struct loop *loop;
    struct tcp_engine *engine;
    struct cycle *cycle;
    uint64_t last; /* the id that was reset last */
    bool all;      /* are reset */
    struct loop_timer *timer;
    ackd_time until;
};

static void reset_some(struct stop *s)
{
    ackd_time now = loop_now(s->loop);
    while (time_diff(loop_clock(s->loop), now) < turn_ns && !tcp_resets_wait(s->engine)) {
        for (unsigned i = 0; i < RECORDS; i++) {
            uint64_t id = tcp_next_id(s->engine, s->last);
            if (id == 0) {
                s->all = true;
                return;
            }
            s->last = id;
            tcp_abort(s->engine, now, id, TCP_CLOSE_KILLED);
        }
    }
}

static void turn(void *arg)
{
    struct stop *s = arg;
    if (!s->all) {
        reset_some(s);
    }
    bool sent = cycle_flush(s->cycle, FRAMES);
    if ((s->all && sent) || time_reached(s->until, loop_now(s->loop))) {
        loop_stop(s->loop);
        return;
    }
    loop_kick(s->loop);
    loop_timer_at(s->timer, loop_now(s->loop));
}

struct stop *stop_begin(struct loop *loop, struct tcp_engine *engine, struct cycle *cycle,
                        int64_t patience_ns)
{
    struct stop *s = calloc(1, sizeof *s);
    if (!s) {
        return NULL;
    }
    *s = (struct stop){.loop = loop,
                       .engine = engine,
                       .cycle = cycle,
                       .timer = loop_timer_new(loop, turn, s),
                       .until = time_add(loop_now(loop), patience_ns)};
    if (!s->timer) {
        free(s);
        return NULL;
    }
    loop_timer_at(s->timer, loop_now(loop));
    return s;
}

void stop_free(struct stop *s)
{
    if (s) {
        loop_timer_free(s->timer);
        free(s);
    }
}

/* The persist timer (RFC 9293 section 3.8.6.1, MUST-35, MUST-36, SHLD-29, SHLD-30): while nothing
 * is outstanding and the window holds data back, it asks again: with one octet beyond a zero
 * window, or, as the override of silly window avoidance (MUST-38), with what a small window takes.
 * The probes back off; they never end the connection as long as they are answered (MUST-37), while
 * somebody holds it. A connection that nobody holds could be kept so for ever, at no cost to a peer
 * that means to exhaust us: it ends when a closed window has held up its data for orphan_timeout_ns
 * without an octet acknowledged (RFC 6429 section 5). */
#include "tcp/tcb.h"

void orphan_restart(struct tcb *c, ackd_time now)
{
    int64_t limit = c->options->v.orphan_timeout_ns;
    if (c->flags & C_RELEASED) {
        c->t_state = limit ? time_add(now, limit) : TIME_NEVER;
    }
}

bool orphan_stuck(struct tcb *c, ackd_time now)
{
    if (!c->snd.wnd) {
        return true;
    }
    orphan_restart(c, now);
    return false;
}

void persist_fired(struct tcp_engine *e, struct tcb *c, ackd_time now)
{
    (void)now;
    tcb_rtx_stop(c); /* the flush arms it again while the window still holds data back */
    if (!tcb_unsent(c) && !(c->flags & C_FIN_QUEUED && !(c->flags & C_FIN_SENT))) {
        return;
    }
    if (c->snd.wnd) {
        c->flags |= C_WINDOW_OVERRIDE;
        e->counters.window_overrides++;
        return;
    }
    c->flags |= C_PROBE_DUE;
    if (c->persist_backoff < 16) {
        c->persist_backoff++;
    }
}

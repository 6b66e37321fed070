/* The persist timer (RFC 9293 section 3.8.6.1, MUST-35, MUST-36, SHLD-29, SHLD-30): while nothing
 * is outstanding and the window holds data back, it asks again: with one octet beyond a zero
 * window, or, as the override of silly window avoidance (MUST-38), with what a small window takes.
 * The probes back off; they never end the connection as long as they are answered (MUST-37). */
#include "tcp/tcb.h"

void persist_fired(struct tcp_engine *e, struct tcb *c, ackd_time now)
{
    (void)e;
    (void)now;
    c->t_rtx = TIME_NEVER; /* the flush arms it again while the window still holds data back */
    if (!tcb_unsent(c) && !(c->flags & C_FIN_QUEUED && !(c->flags & C_FIN_SENT))) {
        return;
    }
    if (c->snd.wnd) {
        c->flags |= C_WINDOW_OVERRIDE;
        return;
    }
    c->flags |= C_PROBE_DUE;
    if (c->persist_backoff < 16) {
        c->persist_backoff++;
    }
}

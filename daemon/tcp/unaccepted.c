/* CLOSE of a listener (RFC 9293 section 3.10.4 says only that it goes): who stands in its accept
 * queue has a peer that believes in a connection, and nobody will ever take it, so it is reset. A
 * queue may hold 65,535 of them: some at once, the others whenever time passes, no faster than
 * their resets leave. Until then they are connections as before, but for a listener. */
#include "tcp/tcb.h"

enum { CONNECTIONS_TURN = 128 };

static void end_one(struct tcp_engine *e, struct tcb *c, ackd_time now)
{
    if (c->t.rec.state == TCP_CLOSED) { /* it ended while it waited (accept_ended) */
        tcb_destroy(e, c);
        return;
    }
    c->flags |= C_RELEASED;
    reset_tcb(e, c, now, TCP_RST_SENT_LISTENER_CLOSED);
    tcb_closed(e, c, now, TCP_CLOSE_LISTENER_CLOSED);
}

void unaccepted_step(struct tcp_engine *e, ackd_time now)
{
    for (unsigned i = 0; i < CONNECTIONS_TURN && !list_empty(&e->unaccepted) && !tcp_resets_wait(e);
         i++) {
        end_one(e, container_of(e->unaccepted.next, struct tcb, queue), now);
    }
}

void unaccepted_take(struct tcp_engine *e, struct listener *l, ackd_time now)
{
    list_append_all(&e->unaccepted, &l->accept);
    unaccepted_step(e, now);
}

/* Readiness: each endpoint that something happened to, once, however often it happened
 * (edge-triggered). The owner asks; nobody is called. */
#include "tcp/tcb.h"

void ready_tcb(struct tcp_engine *e, struct tcb *c, unsigned what)
{
    if (c->flags & C_RELEASED || !(c->flags & C_ACCEPTED)) {
        return; /* nobody to tell; tcp_accept() tells what there is */
    }
    c->ready_bits |= (uint16_t)what;
    if (list_empty(&c->queue)) {
        list_append(&e->ready, &c->queue);
    }
}

void ready_sent(struct tcp_engine *e, struct tcb *c)
{
    unsigned what = tcb_buffered(c) ? 0 : TCP_READY_ACKED;
    if (c->flags & C_WRITE_WANTED && snd_room(c) >= c->options->v.snd_buffer / 3) {
        c->flags &= ~(uint32_t)C_WRITE_WANTED;
        what |= TCP_READY_WRITE;
    }
    if (what) {
        ready_tcb(e, c, what);
    }
}

void ready_listener(struct tcp_engine *e, struct listener *l, unsigned what)
{
    l->ready_bits |= what;
    if (list_empty(&l->ready)) {
        list_append(&e->listener_ready, &l->ready);
    }
}

void tcp_ready_again(struct tcp_engine *e, uint64_t id, unsigned what)
{
    struct listener *l = listener_find(e, id);
    struct tcb *c = l ? NULL : tcb_find(e, id);
    if (l) {
        ready_listener(e, l, what);
    } else if (c) {
        ready_tcb(e, c, what);
    }
}

bool tcp_ready_next(struct tcp_engine *e, struct tcp_ready *ready)
{
    if (!list_empty(&e->listener_ready)) {
        struct listener *l = container_of(e->listener_ready.next, struct listener, ready);
        list_remove(&l->ready);
        e->told = &l->rec;
        *ready = (struct tcp_ready){l->rec.id, l->owner, l->cookie, l->ready_bits};
        l->ready_bits = 0;
        return true;
    }
    if (!list_empty(&e->ready)) {
        struct tcb *c = container_of(e->ready.next, struct tcb, queue);
        list_remove(&c->queue);
        e->told = &c->t.rec;
        *ready = (struct tcp_ready){c->t.rec.id, c->owner, c->cookie, c->ready_bits};
        c->ready_bits = 0;
        return true;
    }
    return false;
}

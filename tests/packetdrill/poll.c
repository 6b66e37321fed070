/* Readiness as Linux's tcp_poll tells it, and poll(). */
#include "layer.h"

#include <errno.h>
#include <poll.h>

#define IN_EVENTS ((uint32_t)(EPOLLIN | EPOLLRDNORM))
#define OUT_EVENTS ((uint32_t)(EPOLLOUT | EPOLLWRNORM))

static uint32_t poll_stream(struct layer *l, struct sock *s, bool read_shut)
{
    struct tcp_info info;
    uint32_t mask = 0;
    if (!sock_status(l, s, &info)) {
        return OUT_EVENTS;
    }
    if (info.bytes_received > s->read || read_shut) {
        mask |= IN_EVENTS;
    }
    if (s->write_shut || s->state == SOCK_ENDED || stream_writable(l, s, &info)) {
        mask |= OUT_EVENTS;
    } else {
        s->write_blocked = true;
    }
    return mask | (info.urgent_pending ? EPOLLPRI : 0);
}

uint32_t sock_poll(struct layer *l, struct sock *s)
{
    sock_refresh(l, s);
    if (s->state == SOCK_LISTENING) {
        return s->seen_accepts ? IN_EVENTS : 0;
    }
    uint32_t mask = 0;
    bool closed = (s->state == SOCK_NEW && !s->deferred) || s->state == SOCK_ENDED;
    bool read_shut = s->read_shut || s->seen_end || s->state == SOCK_ENDED;
    if (closed || (read_shut && s->write_shut)) {
        mask |= EPOLLHUP;
    }
    if (read_shut) {
        mask |= IN_EVENTS | EPOLLRDHUP;
    }
    if (s->deferred) {
        mask |= OUT_EVENTS;
    } else if (s->state == SOCK_CONNECTED || closed) {
        mask |= poll_stream(l, s, read_shut);
    }
    if (s->error || !list_empty(&s->notices)) {
        mask |= EPOLLERR;
    }
    return mask;
}

static int poll_once(struct layer *l, struct pollfd *fds, nfds_t n)
{
    int ready = 0;
    for (nfds_t i = 0; i < n; i++) {
        fds[i].revents = 0;
        if (fds[i].fd < 0) {
            continue;
        }
        struct sock *s = sock_find(l, fds[i].fd);
        uint32_t wanted = (uint32_t)(unsigned short)fds[i].events | EPOLLERR | EPOLLHUP;
        fds[i].revents = (short)(s ? sock_poll(l, s) & wanted : POLLNVAL);
        ready += fds[i].revents != 0;
    }
    return ready;
}

int layer_poll(void *u, struct pollfd *fds, nfds_t n, int timeout)
{
    struct layer *l = u;
    layer_lock(l);
    ackd_time end = timeout < 0 ? TIME_NEVER : time_add(l->now, timeout * NS_PER_MS);
    int ready;
    while (!(ready = poll_once(l, fds, n)) && timeout && layer_wait(l, end)) {
    }
    layer_unlock(l);
    return ready;
}

/* epoll. An item is on the ready list once something happened to its socket that it asked for; a
 * wait then asks the socket what is true now. Level-triggered items stay while it is true,
 * edge-triggered ones come back with the next event, EPOLLONESHOT silences until the next
 * EPOLL_CTL_MOD. */
#include "layer.h"

#include <errno.h>
#include <stdlib.h>

#define PRIVATE_BITS ((uint32_t)(EPOLLET | EPOLLONESHOT | EPOLLEXCLUSIVE | EPOLLWAKEUP))

static uint32_t asked(const struct epoll_item *i)
{
    return i->event.events & ~PRIVATE_BITS;
}

static bool silenced(const struct epoll_item *i)
{
    return !asked(i);
}

int layer_epoll_create(void *u, int size)
{
    struct layer *l = u;
    if (size <= 0) {
        return fail(EINVAL);
    }
    struct epoll_file *ep = calloc(1, sizeof *ep);
    if (!ep) {
        return fail(ENOMEM);
    }
    list_init(&ep->items);
    layer_lock(l);
    int fd = file_open(l, &ep->file, FILE_EPOLL);
    if (fd < 0) {
        free(ep);
    }
    layer_unlock(l);
    return fd;
}

void epoll_free(struct layer *l, struct epoll_file *ep)
{
    (void)l;
    list_for_each_safe(link, tmp, &ep->items)
    {
        struct epoll_item *i = container_of(link, struct epoll_item, link);
        list_remove(&i->link);
        free(i);
    }
}

static struct epoll_file *epoll_find(struct layer *l, int fd)
{
    struct file *f = file_find(l, fd);
    if (f && f->kind != FILE_EPOLL) {
        errno = EINVAL;
        return NULL;
    }
    return (struct epoll_file *)(void *)f;
}

static struct epoll_item *item_find(struct epoll_file *ep, const struct sock *s)
{
    list_for_each_safe(link, tmp, &ep->items)
    {
        struct epoll_item *i = container_of(link, struct epoll_item, link);
        if (i->sock == s) {
            return i;
        }
    }
    return NULL;
}

void epoll_notify(struct layer *l, struct sock *s, uint32_t what)
{
    l->changes++;
    list_for_each_safe(link, tmp, &l->files)
    {
        struct file *f = container_of(link, struct file, link);
        struct epoll_item *i =
            f->kind == FILE_EPOLL ? item_find((struct epoll_file *)(void *)f, s) : NULL;
        if (i && !silenced(i) && (!what || what & (i->event.events | EPOLLERR | EPOLLHUP))) {
            i->ready = true;
        }
    }
}

void epoll_forget(struct layer *l, const struct sock *s)
{
    list_for_each_safe(link, tmp, &l->files)
    {
        struct file *f = container_of(link, struct file, link);
        struct epoll_item *i =
            f->kind == FILE_EPOLL ? item_find((struct epoll_file *)(void *)f, s) : NULL;
        if (i) {
            list_remove(&i->link);
            free(i);
        }
    }
}

static int set_item(struct layer *l, struct epoll_item *i, const struct epoll_event *event)
{
    i->event = *event;
    i->event.events |= EPOLLERR | EPOLLHUP;
    i->ready = (sock_poll(l, i->sock) & asked(i)) != 0;
    return 0;
}

static int add_item(struct layer *l, struct epoll_file *ep, struct sock *s,
                    const struct epoll_event *event)
{
    struct epoll_item *i = calloc(1, sizeof *i);
    if (!i) {
        return ENOMEM;
    }
    i->sock = s;
    list_append(&ep->items, &i->link);
    return set_item(l, i, event);
}

static int control(struct layer *l, struct epoll_file *ep, int op, struct sock *s,
                   const struct epoll_event *event)
{
    struct epoll_item *i = item_find(ep, s);
    switch (op) {
    case EPOLL_CTL_ADD:
        return i ? EEXIST : add_item(l, ep, s, event);
    case EPOLL_CTL_MOD:
        if (i && (i->event.events | event->events) & EPOLLEXCLUSIVE) {
            return EINVAL;
        }
        return i ? set_item(l, i, event) : ENOENT;
    case EPOLL_CTL_DEL:
        if (!i) {
            return ENOENT;
        }
        list_remove(&i->link);
        free(i);
        return 0;
    default:
        return EINVAL;
    }
}

int layer_epoll_ctl(void *u, int epfd, int op, int fd, struct epoll_event *event)
{
    struct layer *l = u;
    layer_lock(l);
    struct epoll_file *ep = epoll_find(l, epfd);
    struct sock *s = ep ? sock_find(l, fd) : NULL;
    int error = s ? control(l, ep, op, s, event) : errno;
    layer_unlock(l);
    return error ? fail(error) : 0;
}

static int collect(struct layer *l, struct epoll_file *ep, struct epoll_event *events, int max)
{
    int n = 0;
    list_for_each_safe(link, tmp, &ep->items)
    {
        struct epoll_item *i = container_of(link, struct epoll_item, link);
        if (!i->ready || silenced(i) || n == max) {
            continue;
        }
        uint32_t now = sock_poll(l, i->sock) & asked(i);
        i->ready = now && !(i->event.events & EPOLLET);
        if (!now) {
            continue;
        }
        events[n] = i->event;
        events[n++].events = now;
        if (i->event.events & EPOLLONESHOT) {
            i->event.events &= PRIVATE_BITS;
            i->ready = false;
        }
    }
    return n;
}

int layer_epoll_wait(void *u, int epfd, struct epoll_event *events, int max, int timeout)
{
    struct layer *l = u;
    layer_lock(l);
    struct epoll_file *ep = epoll_find(l, epfd);
    int n = -1;
    if (ep && max > 0) {
        ackd_time end = timeout < 0 ? TIME_NEVER : time_add(l->now, timeout * NS_PER_MS);
        while (!(n = collect(l, ep, events, max)) && timeout && layer_wait(l, end)) {
        }
    } else if (ep) {
        errno = EINVAL;
    }
    int error = errno;
    layer_unlock(l);
    errno = error;
    return n;
}

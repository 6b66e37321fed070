/* The door: packetdrill's table of functions, and the libc calls that packetdrill makes past it on
 * descriptors of ours (getsockopt for TCP_INFO in code snippets, sendfile), which the library
 * answers when it is preloaded. There is one instance per process. */
#include "interface.h"
#include "layer.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define EXPORT __attribute__((visibility("default")))

static struct layer *instance; /* for the calls that bring no userdata */

static void layer_free(void *u)
{
    struct layer *l = u;
    layer_lock(l);
    list_for_each_safe(link, tmp, &l->files)
    {
        struct file *f = container_of(link, struct file, link);
        list_remove(&f->link);
        if (f->kind == FILE_SOCKET) {
            errqueue_free((struct sock *)(void *)f);
        } else {
            epoll_free(l, (struct epoll_file *)(void *)f);
        }
        free(f); /* packetdrill closed the descriptor itself */
    }
    counters_close(l);
    link_close(l);
    instance = NULL;
    layer_unlock(l);
    pthread_mutex_destroy(&l->lock);
    free(l);
}

static struct layer *layer_new(const char *flags)
{
    struct layer *l = calloc(1, sizeof *l);
    struct timespec wall;
    if (!l) {
        return NULL;
    }
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->wake, NULL);
    pthread_cond_init(&l->handed_back, NULL);
    l->main = pthread_self();
    l->blocked.deadline = TIME_NEVER;
    clock_gettime(CLOCK_REALTIME, &wall);
    l->wall_base_ns = wall.tv_sec * NS_PER_S;
    l->now = time_from_ns(NS_PER_S);
    list_init(&l->files);
    list_init(&l->captured);
    sysctls_read(&l->sysctls);
    if (!link_open(l, flags)) {
        free(l);
        return NULL;
    }
    counters_open(l);
    layer_run(l);
    return l;
}

EXPORT void packetdrill_interface_init(const char *flags, struct packetdrill_interface *interface)
{
    struct layer *l = layer_new(flags);
    if (!l) {
        fputs("libackd-packetdrill: out of memory\n", stderr);
        exit(1);
    }
    instance = l;
    *interface = (struct packetdrill_interface){
        .userdata = l,
        .free = layer_free,
        .socket = layer_socket,
        .bind = layer_bind,
        .listen = layer_listen,
        .accept = layer_accept,
        .connect = layer_connect,
        .read = layer_read,
        .readv = layer_readv,
        .recv = layer_recv,
        .recvfrom = layer_recvfrom,
        .recvmsg = layer_recvmsg,
        .write = layer_write,
        .writev = layer_writev,
        .send = layer_send,
        .sendto = layer_sendto,
        .sendmsg = layer_sendmsg,
        .fcntl = layer_fcntl,
        .ioctl = layer_ioctl,
        .close = layer_close,
        .shutdown = layer_shutdown,
        .getsockopt = layer_getsockopt,
        .setsockopt = layer_setsockopt,
        .poll = layer_poll,
        .netdev_send = link_send,
        .netdev_receive = link_receive,
        .usleep = layer_usleep,
        .gettimeofday = layer_gettimeofday,
        .epoll_create = layer_epoll_create,
        .epoll_ctl = layer_epoll_ctl,
        .epoll_wait = layer_epoll_wait,
        .pipe = layer_pipe,
        .splice = layer_splice,
    };
}

/* ---- calls of libc's, when preloaded ---- */

static bool ours(int fd)
{
    if (!instance) {
        return false;
    }
    layer_lock(instance);
    bool known = file_find(instance, fd) != NULL;
    layer_unlock(instance);
    return known;
}

EXPORT int getsockopt(int fd, int level, int name, void *restrict value, socklen_t *restrict len)
{
    static int (*next)(int, int, int, void *, socklen_t *);
    if (ours(fd)) {
        return layer_getsockopt(instance, fd, level, name, value, len);
    }
    if (!next) {
        *(void **)&next = dlsym(RTLD_NEXT, "getsockopt");
    }
    return next ? next(fd, level, name, value, len) : fail(ENOSYS);
}

ssize_t sendfile(int out, int in, off_t *offset, size_t count);

EXPORT ssize_t sendfile(int out, int in, off_t *offset, size_t count)
{
    static ssize_t (*next)(int, int, off_t *, size_t);
    if (ours(out)) {
        return layer_sendfile(instance, out, in, offset, count);
    }
    if (!next) {
        *(void **)&next = dlsym(RTLD_NEXT, "sendfile");
    }
    return next ? next(out, in, offset, count) : fail(ENOSYS);
}

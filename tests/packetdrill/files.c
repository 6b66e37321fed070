/* Descriptors. Each record gets a real descriptor (one end of nothing), so that packetdrill's own
 * close() of what a script left open finds one, and numbers never collide with its files. */
#include "layer.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

int fail(int error)
{
    errno = error;
    return -1;
}

int file_open(struct layer *l, struct file *f, enum file_kind kind)
{
    f->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (f->fd < 0) {
        return -1;
    }
    f->kind = kind;
    list_append(&l->files, &f->link);
    return f->fd;
}

struct file *file_find(struct layer *l, int fd)
{
    list_for_each_safe(link, tmp, &l->files)
    {
        struct file *f = container_of(link, struct file, link);
        if (f->fd == fd) {
            return f;
        }
    }
    errno = EBADF;
    return NULL;
}

struct sock *sock_find(struct layer *l, int fd)
{
    struct file *f = file_find(l, fd);
    if (f && f->kind != FILE_SOCKET) {
        errno = ENOTSOCK;
        return NULL;
    }
    return (struct sock *)(void *)f;
}

/* The kernel checks the addresses for us. */
bool user_read(void *to, const void *from, size_t length)
{
    struct iovec local = {to, length}, remote = {(void *)(uintptr_t)from, length};
    return !length || process_vm_readv(getpid(), &local, 1, &remote, 1, 0) == (ssize_t)length;
}

bool user_write(void *to, const void *from, size_t length)
{
    struct iovec local = {(void *)(uintptr_t)from, length}, remote = {to, length};
    return !length || process_vm_writev(getpid(), &local, 1, &remote, 1, 0) == (ssize_t)length;
}

int layer_close(void *u, int fd)
{
    struct layer *l = u;
    layer_lock(l);
    struct file *f = file_find(l, fd);
    if (!f) {
        layer_unlock(l);
        return close(fd); /* a pipe's or a file's */
    }
    list_remove(&f->link);
    if (f->kind == FILE_SOCKET) {
        sock_close(l, (struct sock *)(void *)f);
    } else {
        epoll_free(l, (struct epoll_file *)(void *)f);
    }
    close(fd);
    free(f);
    layer_run(l);
    layer_unlock(l);
    return 0;
}

int layer_fcntl(void *u, int fd, int cmd, ...)
{
    struct layer *l = u;
    va_list args;
    va_start(args, cmd);
    long arg = cmd == F_SETFL ? va_arg(args, long) : 0;
    va_end(args);
    layer_lock(l);
    struct sock *s = sock_find(l, fd);
    int result = -1;
    if (s && cmd == F_SETFL) {
        s->nonblock = arg & O_NONBLOCK;
        result = 0;
    } else if (s && cmd == F_GETFL) {
        result = O_RDWR | (s->nonblock ? O_NONBLOCK : 0);
    } else if (s) {
        result = cmd == F_GETFD || cmd == F_SETFD ? 0 : fail(EINVAL);
    }
    layer_unlock(l);
    return result;
}

static int queue_length(struct layer *l, struct sock *s, unsigned long request, int *out)
{
    struct tcp_info info;
    if (s->state == SOCK_LISTENING) {
        return fail(EINVAL);
    }
    if (!sock_status(l, s, &info)) {
        *out = 0;
        return 0;
    }
    switch (request) {
    case SIOCINQ:
        *out = (int)info.recv_q_bytes;
        return 0;
    case SIOCOUTQ:
        *out = (int)info.send_q_bytes;
        return 0;
    case SIOCOUTQNSD:
        *out = (int)stream_unsent(&info);
        return 0;
    default:
        return fail(ENOTTY);
    }
}

int layer_ioctl(void *u, int fd, unsigned long request, ...)
{
    struct layer *l = u;
    va_list args;
    va_start(args, request);
    int *out = va_arg(args, int *);
    va_end(args);
    layer_lock(l);
    struct sock *s = sock_find(l, fd);
    int result = -1;
    if (s && request == FIONBIO) {
        s->nonblock = *out;
        result = 0;
    } else if (s) {
        result = queue_length(l, s, request, out);
    }
    layer_unlock(l);
    return result;
}

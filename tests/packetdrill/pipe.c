/* splice() and sendfile() between a socket and a real pipe or file. */
#include "layer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define PORTION 65536u

int layer_pipe(void *u, int fds[2])
{
    (void)u;
    return pipe2(fds, O_CLOEXEC);
}

static bool is_socket(struct layer *l, int fd)
{
    layer_lock(l);
    const struct file *f = file_find(l, fd);
    layer_unlock(l);
    return f != NULL;
}

static ssize_t from_socket(struct layer *l, int in, int out, size_t length, unsigned flags)
{
    uint8_t buffer[PORTION];
    size_t room = length < PORTION ? length : PORTION;
    ssize_t n =
        layer_recv(l, in, buffer, room, MSG_PEEK | (flags & SPLICE_F_NONBLOCK ? MSG_DONTWAIT : 0));
    ssize_t put = n > 0 ? write(out, buffer, (size_t)n) : n;
    return put > 0 ? layer_recv(l, in, buffer, (size_t)put, 0) : put;
}

static ssize_t to_socket(struct layer *l, int in, int out, size_t length, unsigned flags)
{
    uint8_t buffer[PORTION];
    ssize_t n = read(in, buffer, length < PORTION ? length : PORTION);
    return n > 0
               ? layer_send(l, out, buffer, (size_t)n, flags & SPLICE_F_NONBLOCK ? MSG_DONTWAIT : 0)
               : n;
}

int layer_splice(void *u, int fd_in, loff_t *off_in, int fd_out, loff_t *off_out, size_t length,
                 unsigned flags)
{
    struct layer *l = u;
    if (is_socket(l, fd_in)) {
        return off_in && *off_in ? fail(ESPIPE) : (int)from_socket(l, fd_in, fd_out, length, flags);
    }
    if (is_socket(l, fd_out)) {
        return off_out && *off_out ? fail(ESPIPE) : (int)to_socket(l, fd_in, fd_out, length, flags);
    }
    return (int)splice(fd_in, off_in, fd_out, off_out, length, flags);
}

ssize_t layer_sendfile(struct layer *l, int out, int in, off_t *offset, size_t count)
{
    uint8_t buffer[PORTION];
    size_t done = 0;
    while (done < count) {
        size_t want = count - done < PORTION ? count - done : PORTION;
        ssize_t n = offset ? pread(in, buffer, want, *offset) : read(in, buffer, want);
        if (n <= 0) {
            return done ? (ssize_t)done : n;
        }
        ssize_t sent = layer_send(l, out, buffer, (size_t)n, 0);
        if (sent < 0) {
            return done ? (ssize_t)done : sent;
        }
        done += (size_t)sent;
        if (offset) {
            *offset += sent;
        } else if (sent < n) {
            lseek(in, sent - n, SEEK_CUR);
        }
        if (sent < n) {
            break;
        }
    }
    return (ssize_t)done;
}

/* A relay with one buffer a direction and no queue: what one side does not take, the other is not
 * asked for. */
#include "relay.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include "ctl.h"

int write_all(int fd, const void *data, unsigned long length)
{
    const char *at = data;
    while (length) {
        ssize_t n = write(fd, at, length);
        if (n < 0 && errno == EAGAIN) { /* somebody made our descriptor non-blocking */
            struct pollfd p = {.fd = fd, .events = POLLOUT};
            poll(&p, 1, -1);
        } else if (n < 0 && (errno != EINTR || ctl_cancelled())) {
            return -1;
        }
        at += n > 0 ? n : 0;
        length -= n > 0 ? (unsigned long)n : 0;
    }
    return 0;
}

/* Moves what `from` has. 1 moved, 0 the end, -1 error. */
static int move(int from, int to)
{
    char buffer[65536];
    ssize_t n = read(from, buffer, sizeof buffer);
    if (n < 0) {
        return errno == EINTR || errno == EAGAIN ? 1 : -1;
    }
    return n == 0 ? 0 : write_all(to, buffer, (unsigned long)n) < 0 ? -1 : 1;
}

int relay(int fd, int in, int out)
{
    struct pollfd polls[3] = {{.fd = fd, .events = POLLIN},
                              {.fd = in, .events = POLLIN},
                              {.fd = ctl_cancel_fd(), .events = POLLIN}};
    for (;;) {
        if (poll(polls, 3, -1) < 0 && errno != EINTR) {
            return -1;
        }
        if (ctl_cancelled()) {
            return 0;
        }
        if (polls[0].revents) {
            int moved = move(fd, out);
            if (moved <= 0) {
                return moved;
            }
        }
        if (polls[1].revents) {
            int moved = move(in, fd);
            if (moved < 0) {
                return -1;
            }
            if (moved == 0) {
                shutdown(fd, SHUT_WR);
                polls[1].fd = -1;
            }
        }
    }
}

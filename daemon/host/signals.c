/* signalfd(2): blocked signals queue up in the kernel and are read like any descriptor, so a
 * handler may do whatever a callback may. */
#include "host/signals.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

struct signals {
    int fd;
    sigset_t before;
    struct loop_fd *watch;
    void (*fn)(void *arg, int signal);
    void *arg;
};

static void on_signal(void *arg, int fd, unsigned what)
{
    (void)what;
    struct signals *s = arg;
    struct signalfd_siginfo info;
    if (read(fd, &info, sizeof info) == sizeof info) {
        s->fn(s->arg, (int)info.ssi_signo);
    }
}

struct signals *signals_new(struct loop *loop, void (*fn)(void *arg, int signal), void *arg)
{
    struct signals *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return NULL;
    }
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    *s = (struct signals){.fn = fn, .arg = arg};
    sigprocmask(SIG_BLOCK, &set, &s->before);
    signal(SIGPIPE, SIG_IGN);
    s->fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    s->watch = s->fd < 0 ? NULL : loop_fd_new(loop, s->fd, LOOP_READ, on_signal, s);
    if (s->watch == NULL) {
        signals_free(s);
        return NULL;
    }
    return s;
}

void signals_free(struct signals *s)
{
    if (s == NULL) {
        return;
    }
    loop_fd_free(s->watch);
    if (s->fd >= 0) {
        close(s->fd);
    }
    sigprocmask(SIG_SETMASK, &s->before, NULL);
    free(s);
}

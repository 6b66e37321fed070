/* The watchdog's word is sent by the loop itself: a loop that hangs falls silent, and systemd
 * restarts us. Without a watchdog no timer exists, so that an idle daemon does not wake up. */
#include "host/notify.h"

#include <stdlib.h>
#include <systemd/sd-daemon.h>

struct notify {
    struct loop *loop;
    struct loop_timer *timer; /* NULL: no watchdog */
    int64_t interval_ns;
};

static void beat(void *arg)
{
    struct notify *n = arg;
    sd_notify(0, "WATCHDOG=1");
    loop_timer_at(n->timer, time_add(loop_now(n->loop), n->interval_ns));
}

struct notify *notify_new(struct loop *loop, const char *status)
{
    struct notify *n = calloc(1, sizeof *n);
    uint64_t watchdog_us = 0;
    if (n == NULL) {
        return NULL;
    }
    n->loop = loop;
    sd_notifyf(0, "READY=1\nSTATUS=%s", status);
    if (sd_watchdog_enabled(0, &watchdog_us) > 0 && watchdog_us > 1) {
        n->interval_ns = (int64_t)(watchdog_us / 2) * NS_PER_US;
        n->timer = loop_timer_new(loop, beat, n);
        if (n->timer == NULL) {
            free(n);
            return NULL;
        }
        beat(n);
    }
    return n;
}

void notify_stopping(void)
{
    sd_notify(0, "STOPPING=1");
}

void notify_free(struct notify *n)
{
    if (n != NULL) {
        loop_timer_free(n->timer);
        free(n);
    }
}

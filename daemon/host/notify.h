/* What systemd is told (sd_notify(3)): ready, stopping, alive. Without systemd nothing happens. */
#ifndef ACKD_HOST_NOTIFY_H
#define ACKD_HOST_NOTIFY_H

#include "base/loop.h"

struct notify;

/* Says READY=1 with a status line, and then WATCHDOG=1 in half of the interval that systemd asks
 * for, if it does. NULL when out of memory. */
struct notify *notify_new(struct loop *loop, const char *status);
void notify_stopping(void);
void notify_free(struct notify *notify);

#endif

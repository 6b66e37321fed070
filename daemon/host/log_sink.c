/* Lines for the journal carry their level as "<N>" (sd-daemon(3)), which the journal turns into a
 * priority; lines for a terminal or a file carry the time and the level's name.
 *
 * A peer can provoke log lines, so they are metered: a token bucket of 200 lines, refilled at 50
 * lines a second. What it refused is told with the next line that passes. */
#include "host/log_sink.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "base/time.h"

enum { BURST = 200, PER_SECOND = 50 };
static const int64_t line_ns = NS_PER_S / PER_SECOND;

static int64_t monotonic_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

static bool take_token(struct log_sink *sink)
{
    int64_t now = monotonic_ns();
    sink->tokens_ns += now - sink->filled_ns;
    sink->filled_ns = now;
    if (sink->tokens_ns > BURST * line_ns) {
        sink->tokens_ns = BURST * line_ns;
    }
    if (sink->tokens_ns < line_ns) {
        sink->suppressed++;
        return false;
    }
    sink->tokens_ns -= line_ns;
    return true;
}

static void put_line(const struct log_sink *sink, enum log_level level, const char *line)
{
    static const char *const names[] = {
        [LOG_LEVEL_ERROR] = "error: ", [LOG_LEVEL_WARNING] = "warning: ", [LOG_LEVEL_NOTICE] = "",
        [LOG_LEVEL_INFO] = "",         [LOG_LEVEL_DEBUG] = "debug: ",
    };
    if (sink->journal) {
        dprintf(sink->fd, "<%d>%s\n", (int)level, line);
        return;
    }
    struct timespec ts;
    struct tm tm;
    char when[16];
    clock_gettime(CLOCK_REALTIME, &ts);
    localtime_r(&ts.tv_sec, &tm);
    strftime(when, sizeof when, "%H:%M:%S", &tm);
    dprintf(sink->fd, "%s.%03ld ackd: %s%s\n", when, ts.tv_nsec / NS_PER_MS, names[level], line);
}

static void write_line(struct log *log, enum log_level level, const char *line)
{
    struct log_sink *sink = (struct log_sink *)log;
    if (!take_token(sink)) {
        return;
    }
    if (sink->suppressed != 0) {
        char told[64];
        snprintf(told, sizeof told, "%llu lines were suppressed",
                 (unsigned long long)sink->suppressed);
        sink->suppressed = 0;
        put_line(sink, LOG_LEVEL_WARNING, told);
    }
    put_line(sink, level, line);
}

/* systemd.exec(5): JOURNAL_STREAM is "DEVICE:INODE" of the stream that the journal reads. */
static bool is_journal(int fd)
{
    const char *stream = getenv("JOURNAL_STREAM");
    unsigned long long device, inode;
    struct stat st;
    return stream != NULL && sscanf(stream, "%llu:%llu", &device, &inode) == 2 &&
           fstat(fd, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

void log_sink_init(struct log_sink *sink, int fd, enum log_level level)
{
    *sink = (struct log_sink){
        .log = {.level = level, .write = write_line},
        .fd = fd,
        .journal = is_journal(fd),
        .tokens_ns = BURST * line_ns,
        .filled_ns = monotonic_ns(),
    };
}

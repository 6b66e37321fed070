/* Log lines. The sink is an argument: nothing here is global. A line is one sentence, without a
 * final newline. */
#ifndef ACKD_BASE_LOG_H
#define ACKD_BASE_LOG_H

#include <stdbool.h>

/* The numbers are syslog's. */
enum log_level {
    LOG_LEVEL_ERROR = 3,
    LOG_LEVEL_WARNING = 4,
    LOG_LEVEL_NOTICE = 5,
    LOG_LEVEL_INFO = 6,
    LOG_LEVEL_DEBUG = 7
};

struct log {
    enum log_level level; /* lines above this are not formatted */
    void (*write)(struct log *log, enum log_level level, const char *line);
};

void log_at(struct log *log, enum log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
#define log_error(log, ...) log_at(log, LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(log, ...) log_at(log, LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_notice(log, ...) log_at(log, LOG_LEVEL_NOTICE, __VA_ARGS__)
#define log_info(log, ...) log_at(log, LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(log, ...) log_at(log, LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif

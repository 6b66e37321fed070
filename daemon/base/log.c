/* A line is formatted in place on the stack, at most 1 KiB; one that is longer ends in "...". */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define LINE_BYTES 1024

void log_at(struct log *log, enum log_level level, const char *format, ...)
{
    if (level > log->level) {
        return;
    }
    char line[LINE_BYTES];
    va_list args;
    va_start(args, format);
    int length = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (length < 0) {
        return;
    }
    if ((size_t)length >= sizeof line) {
        memcpy(line + sizeof line - 4, "...", 4);
    }
    log->write(log, level, line);
}

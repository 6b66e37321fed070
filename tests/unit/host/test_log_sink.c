/* Lines as a terminal and as the journal want them, and the meter. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "host/log_sink.h"

static FILE *file;
static char text[65536];

static int open_file(void **state)
{
    (void)state;
    unsetenv("JOURNAL_STREAM");
    file = tmpfile();
    return file == NULL;
}

static int close_file(void **state)
{
    (void)state;
    fclose(file);
    return 0;
}

static const char *written(void)
{
    ssize_t n = pread(fileno(file), text, sizeof text - 1, 0);
    assert_true(n >= 0);
    text[n] = '\0';
    return text;
}

static void a_reader_gets_time_and_level(void **state)
{
    (void)state;
    struct log_sink sink;
    log_sink_init(&sink, fileno(file), LOG_LEVEL_INFO);
    log_error(&sink.log, "it is %s", "broken");
    log_info(&sink.log, "it works");
    log_debug(&sink.log, "not shown");
    assert_non_null(strstr(written(), " ackd: error: it is broken\n"));
    assert_non_null(strstr(text, " ackd: it works\n"));
    assert_null(strstr(text, "not shown"));
}

static void the_journal_gets_numbers(void **state)
{
    (void)state;
    struct stat st;
    char stream[64];
    struct log_sink sink;
    assert_int_equal(fstat(fileno(file), &st), 0);
    snprintf(stream, sizeof stream, "%llu:%llu", (unsigned long long)st.st_dev,
             (unsigned long long)st.st_ino);
    setenv("JOURNAL_STREAM", stream, 1);
    log_sink_init(&sink, fileno(file), LOG_LEVEL_INFO);
    log_warning(&sink.log, "mind this");
    assert_string_equal(written(), "<4>mind this\n");
    /* Another stream than the journal's, such as a redirected one. */
    setenv("JOURNAL_STREAM", "1:1", 1);
    log_sink_init(&sink, fileno(file), LOG_LEVEL_INFO);
    assert_false(sink.journal);
    unsetenv("JOURNAL_STREAM");
}

static void a_flood_is_metered_and_counted(void **state)
{
    (void)state;
    struct log_sink sink;
    log_sink_init(&sink, fileno(file), LOG_LEVEL_INFO);
    sink.filled_ns = INT64_MAX / 2; /* a clock that gives no credit back */
    sink.tokens_ns = 0;
    for (unsigned i = 0; i < 10; i++) {
        log_info(&sink.log, "line %u", i);
        sink.filled_ns = INT64_MAX / 2;
        sink.tokens_ns = 0;
    }
    assert_int_equal(sink.suppressed, 10);
    log_sink_init(&sink, fileno(file), LOG_LEVEL_INFO);
    sink.suppressed = 10;
    log_info(&sink.log, "after the flood");
    assert_non_null(strstr(written(), "10 lines were suppressed\n"));
    assert_non_null(strstr(text, "after the flood\n"));
    assert_null(strstr(text, "line 3"));
    assert_int_equal(sink.suppressed, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_reader_gets_time_and_level, open_file, close_file),
        cmocka_unit_test_setup_teardown(the_journal_gets_numbers, open_file, close_file),
        cmocka_unit_test_setup_teardown(a_flood_is_metered_and_counted, open_file, close_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Log lines: the level decides before anything is formatted, and a long line is cut. */
#include "cmocka_all.h"
#include "base/list.h"
#include "base/log.h"

struct sink {
    struct log log;
    int lines;
    enum log_level level;
    char last[2048];
};

static void keep(struct log *log, enum log_level level, const char *line)
{
    struct sink *s = container_of(log, struct sink, log);
    s->lines++;
    s->level = level;
    strcpy(s->last, line);
}

static void formats_at_its_level(void **state)
{
    (void)state;
    struct sink s = {.log = {LOG_LEVEL_NOTICE, keep}};
    log_notice(&s.log, "%d of %s", 3, "four");
    assert_string_equal(s.last, "3 of four");
    assert_int_equal(s.level, LOG_LEVEL_NOTICE);
    log_error(&s.log, "worse");
    assert_int_equal(s.level, LOG_LEVEL_ERROR);
    log_info(&s.log, "not told");
    log_debug(&s.log, "not told");
    assert_int_equal(s.lines, 2);
    s.log.level = LOG_LEVEL_DEBUG;
    log_debug(&s.log, "told");
    log_warning(&s.log, "told");
    assert_int_equal(s.lines, 4);
}

static void cuts_a_long_line(void **state)
{
    (void)state;
    struct sink s = {.log = {LOG_LEVEL_NOTICE, keep}};
    log_notice(&s.log, "%*d", 1023, 7);
    assert_int_equal(strlen(s.last), 1023);
    assert_int_equal(s.last[1022], '7');
    log_notice(&s.log, "%*d", 1024, 7);
    assert_int_equal(strlen(s.last), 1023);
    assert_string_equal(s.last + 1020, "...");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formats_at_its_level),
        cmocka_unit_test(cuts_a_long_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

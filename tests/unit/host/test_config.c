/* The table of options from both sides: what it takes, and what it says of what it does not take.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "host/config.h"
#include "host/config_options.h"

static struct config config;
static char said[8192];

/* Parses a command line given as words up to NULL; `said` holds the complaints. */
static int parse(const char *first, ...)
{
    char *argv[32] = {(char *)"ackd"};
    int argc = 1;
    va_list words;
    va_start(words, first);
    for (const char *w = first; w != NULL; w = va_arg(words, const char *)) {
        argv[argc++] = (char *)w;
    }
    va_end(words);
    memset(said, 0, sizeof said);
    FILE *errors = fmemopen(said, sizeof said, "w");
    assert_non_null(errors);
    int r = config_parse(&config, argc, argv, errors);
    fclose(errors);
    return r;
}

/* A file of this content; its path lives until the next call. */
static const char *file_of(const char *content)
{
    static char path[64];
    strcpy(path, "/tmp/ackd-config-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, content, strlen(content)), (ssize_t)strlen(content));
    close(fd);
    return path;
}

static void takes_a_full_command_line(void **state)
{
    (void)state;
    assert_int_equal(parse("--link", "tap:ackd0", "--address", "10.9.0.2/24",
                           "--address=fd00:9::2/64", "--host-address", "10.9.0.1/24", "--gateway",
                           "10.9.0.1", "--mtu=9000", "--service", "echo,discard@5009", "--seed",
                           "7", "--memory", "64M", "--log-level", "debug", "--no-offload",
                           "--busy-poll", "50", "--socket", "/tmp/a.sock", "--monitor-socket",
                           "auto", "--socket-group", "adm", NULL),
                     0);
    assert_string_equal(said, "");
    assert_int_equal(config.link, CONFIG_LINK_TAP);
    assert_string_equal(config.tap, "ackd0");
    assert_int_equal(config.n_addresses, 2);
    assert_int_equal(config.address[1].length, 64);
    assert_int_equal(config.n_host_addresses, 1);
    assert_int_equal(config.n_gateways, 1);
    assert_int_equal(config.mtu, 9000);
    assert_int_equal(config.n_services, 2);
    assert_string_equal(config.service[0].name, "echo");
    assert_int_equal(config.service[0].port, 7);
    assert_string_equal(config.service[1].name, "discard");
    assert_int_equal(config.service[1].port, 5009);
    assert_true(config.seeded);
    assert_int_equal(config.seed, 7);
    assert_int_equal(config.memory, 64 << 20);
    assert_int_equal(config.log_level, LOG_LEVEL_DEBUG);
    assert_true(config.no_offload);
    assert_int_equal(config.busy_poll_us, 50);
    assert_string_equal(config.socket, "/tmp/a.sock");
    assert_string_equal(config.monitor_socket, "auto");
    assert_string_equal(config.socket_group, "adm");
}

static void has_defaults(void **state)
{
    (void)state;
    assert_int_equal(parse("--link", "none", NULL), 0);
    assert_int_equal(config.mtu, 1500);
    assert_int_equal(config.log_level, LOG_LEVEL_INFO);
    assert_false(config.seeded);
    assert_int_equal(config.n_addresses, 2);
    char text[24];
    assert_string_equal(config_link_text(&config, text), "none");
}

struct mistake {
    const char *option, *value, *hint;
};

static void says_what_would_be_right(void **state)
{
    (void)state;
    static const struct mistake mistakes[] = {
        {"--link", "eth0", "tap:NAME or none"},
        {"--link", "tap:an-interface-name-too-long", "1 to 15 characters"},
        {"--link", "tap:a/b", "no slash"},
        {"--address", "10.0.0.2", "ADDR/LEN"},
        {"--address", "10.0.0.300/24", "ADDR/LEN"},
        {"--address", "10.0.0.2/33", "ADDR/LEN"},
        {"--address", "224.0.0.1/24", "one host can have"},
        {"--host-address", "x", "ADDR/LEN"},
        {"--gateway", "10.0.0.0/8", "on the link"},
        {"--mtu", "1279", "1280 to 65535"},
        {"--mtu", "-1", "1280 to 65535"},
        {"--mtu", "1500x", "1280 to 65535"},
        {"--service", "ecko", "echo, discard or chargen"},
        {"--service", "echo@0", "1 to 65535"},
        {"--service", "echo@70000", "1 to 65535"},
        {"--service", "echo,discard@7", "port 7 is taken by echo"},
        {"--seed", "0x7", "a number"},
        {"--memory", "1M", "32M or more"},
        {"--memory", "M", "32M or more"},
        {"--log-level", "loud", "error, warning"},
        {"--socket", "", "a path"},
        {"--service", "", "NAME[@PORT]"},
        {"--grant", "user:0=root", "roles monitor, user"},
        {"--grant", "nobody:0=lab", "user:NAME=ROLE"},
        {"--grant", "user:0=lab+port", "+ports behind it"},
        {"--grant", "user", "user:NAME=ROLE"},
        {"--grant", "user:no-such-user-here=lab", "no such user"},
        {"--grant", "group:no-such-group-here=lab", "no such group"},
        {"--destination", "10.0.0.0/33", "ADDR/LEN"},
    };
    for (unsigned i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
        const struct mistake *m = &mistakes[i];
        assert_int_equal(parse("--link", "none", m->option, m->value, NULL), -EINVAL);
        if (strstr(said, m->hint) == NULL || strstr(said, m->option) == NULL) {
            fail_msg("%s %s: said \"%s\"", m->option, m->value, said);
        }
    }
}

static void suggests_the_nearest_option(void **state)
{
    (void)state;
    assert_int_equal(parse("--link", "none", "--adress", "10.0.0.1/24", NULL), -EINVAL);
    assert_string_equal(said, "ackd: --adress: unknown option; did you mean --address?\n");
    assert_int_equal(parse("--link", "none", "--zzzzzzzzz", NULL), -EINVAL);
    assert_non_null(strstr(said, "ackd --help"));
    assert_int_equal(parse("--link", "none", "stray", NULL), -EINVAL);
    assert_non_null(strstr(said, "stray: not an option"));
    assert_int_equal(parse("--link", "none", "--address", "10.0.0.1/24", "fd00::1/64", NULL),
                     -EINVAL);
    assert_string_equal(said, "ackd: fd00::1/64: one more --address? An option takes one word: "
                              "--address A,B, or --address A --address B\n");
    assert_int_equal(parse("--service=echo", "discard", "chargen", "--link", "none", NULL),
                     -EINVAL);
    assert_non_null(strstr(said, "ackd: discard: one more --service?"));
    assert_non_null(strstr(said, "ackd: chargen: one more --service?"));
    assert_int_equal(parse("--link", "none", "--mtu", NULL), -EINVAL);
    assert_non_null(strstr(said, "--mtu: BYTES"));
    assert_int_equal(parse("--link", "none", "--no-offload=yes", NULL), -EINVAL);
    assert_non_null(strstr(said, "takes no value"));
    assert_int_equal(parse("--link", "none", "--busy-poll=1s", NULL), -EINVAL);
    assert_non_null(strstr(said, "microseconds"));
}

static void tells_every_mistake_at_once(void **state)
{
    (void)state;
    assert_int_equal(parse("--link", "none", "--mtu", "1", "--seed", "x", NULL), -EINVAL);
    assert_non_null(strstr(said, "--mtu 1:"));
    assert_non_null(strstr(said, "--seed x:"));
    assert_int_equal(parse("--link", "none", "--socket-group", "no such group", NULL), -EINVAL);
    assert_non_null(strstr(said, "--socket-group no such group: there is no such group"));
}

static void checks_the_whole(void **state)
{
    (void)state;
    assert_int_equal(parse(NULL, NULL), -EINVAL);
    assert_non_null(strstr(said, "--link: missing"));
    assert_int_equal(parse("--link", "none", "--host-address", "10.0.0.1/24", NULL), -EINVAL);
    assert_int_equal(parse("--link", "none", "--gateway", "10.0.0.1", NULL), -EINVAL);
    assert_int_equal(
        parse("--link", "tap:a", "--address", "10.0.0.2/24", "--host-address", "10.0.0.2/24", NULL),
        -EINVAL);
    assert_non_null(strstr(said, "another address than ours"));
    assert_int_equal(
        parse("--link", "tap:a", "--address", "10.0.0.2/24", "--gateway", "10.1.0.1", NULL),
        -EINVAL);
    assert_non_null(strstr(said, "10.1.0.1: not on the link"));
    assert_int_equal(
        parse("--link", "tap:a", "--address", "fd00::2/64", "--gateway", "fe80::1", NULL), 0);
    assert_int_equal(
        parse("--link", "tap:a", "--address", "10.0.0.2/24", "--address", "10.0.0.2/16", NULL),
        -EINVAL);
    assert_non_null(strstr(said, "given twice"));
}

static void reads_a_file(void **state)
{
    (void)state;
    const char *path = file_of("# a comment\n"
                               "[ackd]\n"
                               "link = tap:ackd0\n"
                               "address = 10.9.0.2/24, fd00:9::2/64\n"
                               "service = echo\n"
                               "  chargen@2000\n"
                               "no-offload = yes\n"
                               "mtu = 1400\n");
    assert_int_equal(parse("--config", path, NULL), 0);
    assert_string_equal(said, "");
    assert_int_equal(config.n_addresses, 2);
    assert_int_equal(config.n_services, 2);
    assert_int_equal(config.service[1].port, 2000);
    assert_true(config.no_offload);
    assert_int_equal(config.mtu, 1400);
    /* The command line wins, and its lists take the place of the file's. */
    assert_int_equal(parse("--mtu", "1300", "--service", "discard", "--config", path, NULL), 0);
    assert_int_equal(config.mtu, 1300);
    assert_int_equal(config.n_services, 1);
    assert_string_equal(config.service[0].name, "discard");
    assert_int_equal(config.n_addresses, 2);
    unlink(path);
}

static void names_the_line_of_a_mistake(void **state)
{
    (void)state;
    char want[128];
    const char *path = file_of("link = none\n"
                               "\n"
                               "mtv = 1400\n"
                               "seed = seven\n"
                               "no-offload = maybe\n"
                               "config = other\n"
                               "nonsense\n");
    assert_int_equal(parse("--config", path, NULL), -EINVAL);
    snprintf(want, sizeof want, "ackd: %s:3: mtv: unknown option; did you mean mtu?\n", path);
    assert_non_null(strstr(said, want));
    snprintf(want, sizeof want, "ackd: %s:4: seed = seven: a number", path);
    assert_non_null(strstr(said, want));
    snprintf(want, sizeof want, "ackd: %s:5: no-offload = maybe: yes or no", path);
    assert_non_null(strstr(said, want));
    snprintf(want, sizeof want, "ackd: %s:6: config: only on the command line", path);
    assert_non_null(strstr(said, want));
    snprintf(want, sizeof want, "ackd: %s:7: line: neither", path);
    assert_non_null(strstr(said, want));
    unlink(path);
}

static void refuses_other_sections_and_long_lines(void **state)
{
    (void)state;
    char content[700];
    snprintf(content, sizeof content, "link = none\naddress = %0400d\n[other]\nmtu = 1400\n", 0);
    const char *path = file_of(content);
    assert_int_equal(parse("--config", path, NULL), -EINVAL);
    assert_non_null(strstr(said, ":2: address = 000"));
    assert_non_null(strstr(said, "longer than"));
    assert_non_null(strstr(said, ":4: other: unknown section"));
    unlink(path);
    assert_int_equal(parse("--config", "/nonexistent/ackd.conf", NULL), -EINVAL);
    assert_non_null(strstr(said, "/nonexistent/ackd.conf: No such file"));
}

static void grants_rights(void **state)
{
    (void)state;
    assert_int_equal(parse("--link", "none", "--grant", "user:root=lab,group:7=admin+ports",
                           "--destination", "10.0.0.0/8", NULL),
                     0);
    assert_int_equal(config.n_grants, 2);
    assert_false(config.grant[0].group);
    assert_int_equal(config.grant[0].number, 0);
    assert_int_equal(config.grant[0].role, CONFIG_ROLE_LAB);
    assert_false(config.grant[0].privileged_ports);
    assert_true(config.grant[1].group);
    assert_int_equal(config.grant[1].number, 7);
    assert_int_equal(config.grant[1].role, CONFIG_ROLE_ADMIN);
    assert_true(config.grant[1].privileged_ports);
    assert_int_equal(config.n_destinations, 1);
    assert_int_equal(config.destination[0].length, 8);
}

static void help_and_version_need_nothing_else(void **state)
{
    (void)state;
    assert_int_equal(parse("--help", NULL), 0);
    assert_true(config.help);
    assert_int_equal(parse("-V", NULL), 0);
    assert_true(config.version);
}

static void help_lists_every_option(void **state)
{
    (void)state;
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    config_help(out);
    fclose(out);
    for (const struct config_option *o = config_options; o->name != NULL; o++) {
        char flag[40];
        snprintf(flag, sizeof flag, "  --%s", o->name);
        assert_non_null(strstr(text, flag));
    }
    assert_true(config_options[0].name != NULL);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_a_full_command_line),
        cmocka_unit_test(has_defaults),
        cmocka_unit_test(says_what_would_be_right),
        cmocka_unit_test(suggests_the_nearest_option),
        cmocka_unit_test(tells_every_mistake_at_once),
        cmocka_unit_test(checks_the_whole),
        cmocka_unit_test(reads_a_file),
        cmocka_unit_test(names_the_line_of_a_mistake),
        cmocka_unit_test(refuses_other_sections_and_long_lines),
        cmocka_unit_test(grants_rights),
        cmocka_unit_test(help_and_version_need_nothing_else),
        cmocka_unit_test(help_lists_every_option),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

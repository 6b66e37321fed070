/* What is generated or written from the table of commands agrees with it: the packaged completions
 * and the manual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "run.h"

static char *whole_file(const char *path)
{
    char *text = calloc(1, 1 << 18);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    text[fread(text, 1, (1 << 18) - 1, f)] = 0;
    fclose(f);
    return text;
}

static void check_completion(const char *shell, const char *file)
{
    char command[64], path[4096];
    snprintf(command, sizeof command, "ackctl completion %s", shell);
    snprintf(path, sizeof path, "%s/completion/%s", getenv("PACKAGING"), file);
    struct run run = run_command(command, NULL, NULL);
    char *packaged = whole_file(path);
    assert_int_equal(run.code, 0);
    assert_string_equal(run.out,
                        packaged); /* else: ackctl completion SHELL >packaging/completion/FILE */
    free(packaged);
    run_free(&run);
}

static void test_completions(void **state)
{
    (void)state;
    check_completion("bash", "ackctl.bash");
    check_completion("zsh", "_ackctl");
    check_completion("fish", "ackctl.fish");
}

/* bash understands its script and offers what it should. */
static void test_bash_completes(void **state)
{
    (void)state;
    struct canned c = {.fail_path = NULL};
    struct run run = run_command("bash -c 'eval \"$(ackctl completion bash)\"; COMP_WORDS=(ackctl "
                                 "--socket \"$ACKD_SOCKET\" watch --pa); COMP_CWORD=4; _ackctl;"
                                 "echo \"${COMPREPLY[@]}\"; COMP_WORDS=(ackctl show @p); "
                                 "COMP_CWORD=2; _ackctl; echo \"${COMPREPLY[@]}\"'",
                                 &c, NULL);
    assert_string_equal(run.err, "");
    assert_string_equal(run.out, "--packetdrill --payload\n@probe\n");
    run_free(&run);
}

/* The manual without roff's escapes, so that "\-\-no\-wait" is "--no-wait". */
static char *plain_manual(void)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/man/ackctl.1", getenv("PACKAGING"));
    char *text = whole_file(path), *out = text;
    for (const char *in = text; *in; in++) {
        if (*in != '\\') {
            *out++ = *in;
        } else if (in[1] == 'f') {
            in += 2;
        }
    }
    *out = 0;
    return text;
}

/* Does `text` have `word` with nothing behind it that would make it another word? */
static bool has_word(const char *text, const char *word)
{
    size_t n = strlen(word);
    for (const char *at = strstr(text, word); at; at = strstr(at + 1, word)) {
        if (!strchr("abcdefghijklmnopqrstuvwxyz-", at[n])) {
            return true;
        }
    }
    return false;
}

/* Every command has its section, and every option its mention in it. */
static void test_manual(void **state)
{
    (void)state;
    char *manual = plain_manual(), verb[32] = "", *save, section[40];
    struct run run = run_command(
        "for v in $(ackctl help | sed -n '/^Commands/,/^$/s/^  \\([a-z-]*\\) .*/\\1/p'); do echo "
        "\"verb $v\"; ackctl help $v | "
        "sed -n '/^Options:/,/^Every command/p' | cut -c1-30 | grep -oE -- ' "
        "--?[a-zA-Z0-9][a-z-]*'; done",
        NULL, NULL);
    int verbs = 0, options = 0;
    const char *at = manual;
    for (char *line = strtok_r(run.out, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        if (sscanf(line, "verb %31s", verb) == 1) {
            snprintf(section, sizeof section, "\n.SS %s", verb);
            at = strstr(manual, section);
            assert_non_null(at); /* no section on this command */
            verbs++;
            continue;
        }
        const char *option = line + strspn(line, " "), *end = strstr(at + 4, "\n.S");
        char *body = strndup(at, (size_t)(end - at));
        if (!has_word(body, option)) {
            fail_msg("ackctl(1) does not name %s of %s", option, verb);
        }
        free(body);
        options++;
    }
    assert_true(verbs > 20 && options > 80);
    run_free(&run);
    free(manual);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_completions),
        cmocka_unit_test(test_bash_completes),
        cmocka_unit_test(test_manual),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

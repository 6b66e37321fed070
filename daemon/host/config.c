/* One table names every option, its argument, its help and its setter; the command line, the file,
 * --help and the suggestion after a misspelt word are all made from it, so that none of them can
 * know an option that another does not.
 *
 * The file is an ini file: "name = value" with the names of the command line without their dashes;
 * a list may be split by commas, spaces or indented lines below. Sections carry no meaning and are
 * refused, but for [ackd]. */
#include "host/config.h"

#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <stdlib.h>
#include <string.h>
#include "host/config_options.h"

/* Where a word stood, for messages. */
struct place {
    FILE *errors;
    const char *file; /* NULL: the command line */
    unsigned line;
    bool failed;
};

static void complain(struct place *place, const char *word, const char *value, const char *right)
{
    place->failed = true;
    fputs("ackd: ", place->errors);
    if (place->file != NULL) {
        fprintf(place->errors, "%s:%u: ", place->file, place->line);
    }
    fprintf(place->errors, "%s%s%s%s: %s\n", place->file == NULL ? "--" : "", word,
            value != NULL ? (place->file == NULL ? " " : " = ") : "", value != NULL ? value : "",
            right);
}

/* ---- near misses ---- */

/* Edits (insert, delete, replace, swap of neighbours) that turn a into b, where both are short. */
static unsigned edit_distance(const char *a, const char *b)
{
    enum { MAX = 32 };
    size_t n = strlen(a), m = strlen(b);
    unsigned d[MAX + 1][MAX + 1];
    if (n > MAX || m > MAX) {
        return MAX;
    }
    for (size_t i = 0; i <= n; i++) {
        for (size_t j = 0; j <= m; j++) {
            if (i == 0 || j == 0) {
                d[i][j] = (unsigned)(i + j);
                continue;
            }
            unsigned best = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            best = d[i - 1][j] + 1 < best ? d[i - 1][j] + 1 : best;
            best = d[i][j - 1] + 1 < best ? d[i][j - 1] + 1 : best;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                d[i - 2][j - 2] + 1 < best) {
                best = d[i - 2][j - 2] + 1;
            }
            d[i][j] = best;
        }
    }
    return d[n][m];
}

static const struct config_option *option_find(const char *name, size_t length)
{
    for (const struct config_option *o = config_options; o->name != NULL; o++) {
        if (strlen(o->name) == length && memcmp(o->name, name, length) == 0) {
            return o;
        }
    }
    return NULL;
}

static void complain_unknown(struct place *place, const char *name)
{
    const struct config_option *nearest = NULL;
    unsigned distance = 4; /* further off is no misspelling */
    for (const struct config_option *o = config_options; o->name != NULL; o++) {
        unsigned d = edit_distance(name, o->name);
        if (d < distance) {
            distance = d;
            nearest = o;
        }
    }
    char right[96];
    if (nearest != NULL) {
        snprintf(right, sizeof right, "unknown option; did you mean %s%s?",
                 place->file == NULL ? "--" : "", nearest->name);
    } else {
        snprintf(right, sizeof right, "unknown option; ackd --help lists them");
    }
    complain(place, name, NULL, right);
}

/* ---- values ---- */

static void set_word(struct config *config, const struct config_option *o, const char *word,
                     struct place *place)
{
    char right[160];
    if (!o->set(config, word, right, sizeof right)) {
        complain(place, o->name, word, right);
    }
}

/* A list's words stand between commas or spaces. */
static void set_value(struct config *config, const struct config_option *o, const char *value,
                      struct place *place)
{
    static const char separators[] = ", \t\n";
    if (!o->is_list) {
        set_word(config, o, value, place);
        return;
    }
    const char *p = value + strspn(value, separators);
    if (*p == '\0') {
        complain(place, o->name, "", o->argument);
    }
    while (*p != '\0') {
        size_t length = strcspn(p, separators);
        char word[256];
        snprintf(word, sizeof word, "%.*s", (int)length, p);
        set_word(config, o, word, place);
        p += length;
        p += strspn(p, separators);
    }
}

/* ---- the file ---- */

struct reading {
    struct config *config;
    struct place place;
    FILE *stream;
};

/* inih's reader, in its fgets's place: counts lines, so that a message can name one. */
static char *read_line(char *line, int room, void *stream)
{
    struct reading *r = stream;
    if (fgets(line, room, r->stream) == NULL) {
        return NULL;
    }
    r->place.line++;
    if (strchr(line, '\n') == NULL && !feof(r->stream)) {
        char right[64];
        snprintf(right, sizeof right, "the line is longer than %d bytes", room - 2);
        line[20] = '\0';
        complain(&r->place, line, NULL, right);
        for (int c = 0; c != '\n' && c != EOF;) {
            c = fgetc(r->stream);
        }
        line[0] = '\0';
    }
    return line;
}

static int on_pair(void *user, const char *section, const char *name, const char *value)
{
    struct reading *r = user;
    if (section[0] != '\0' && strcmp(section, "ackd") != 0) {
        complain(&r->place, section, NULL, "unknown section; [ackd] or none");
        return 1;
    }
    const struct config_option *o = option_find(name, strlen(name));
    if (o == NULL) {
        complain_unknown(&r->place, name);
    } else if (o->only_command_line) {
        complain(&r->place, name, NULL, "only on the command line");
    } else if (o->argument != NULL) {
        set_value(r->config, o, value, &r->place);
    } else if (strcmp(value, "yes") == 0) {
        set_word(r->config, o, "", &r->place);
    } else if (strcmp(value, "no") != 0) {
        complain(&r->place, name, value, "yes or no");
    }
    return 1;
}

static bool parse_file(struct config *config, FILE *errors)
{
    struct reading r = {.config = config, .place = {.errors = errors, .file = config->file}};
    r.stream = fopen(config->file, "re");
    if (r.stream == NULL) {
        fprintf(errors, "ackd: --config %s: %s\n", config->file, strerror(errno));
        return false;
    }
    int line = ini_parse_stream(read_line, &r, on_pair, &r);
    if (line != 0) {
        r.place.line = line > 0 ? (unsigned)line : r.place.line;
        complain(&r.place, "line", NULL, "neither \"name = value\" nor \"[ackd]\" nor a comment");
    }
    fclose(r.stream);
    return !r.place.failed;
}

/* ---- the command line ---- */

/* A word that is no option: most likely one more value of the list before it. */
static void complain_stray(struct place *place, char *const *argv, int i)
{
    const char *word = argv[i];
    place->failed = true;
    int before = i - 1;
    while (before > 0 && strncmp(argv[before], "--", 2) != 0) {
        before--;
    }
    const struct config_option *o =
        before > 0 ? option_find(argv[before] + 2, strcspn(argv[before] + 2, "=")) : NULL;
    if (o != NULL && o->is_list && word[0] != '-') {
        fprintf(place->errors,
                "ackd: %s: one more --%s? An option takes one word: --%s A,B, or --%s A --%s B\n",
                word, o->name, o->name, o->name, o->name);
    } else {
        fprintf(place->errors, "ackd: %s: not an option; ackd --help lists them\n", word);
    }
}

/* Takes the option at argv[*i] apart, moving *i past its value. NULL when it is wrong. */
static const struct config_option *take_option(int argc, char *const *argv, int *i,
                                               const char **value, struct place *place)
{
    const char *word = argv[*i];
    if (strcmp(word, "-h") == 0 || strcmp(word, "-V") == 0) {
        *value = "";
        return word[1] == 'h' ? option_find("help", 4) : option_find("version", 7);
    }
    if (strncmp(word, "--", 2) != 0) {
        complain_stray(place, argv, *i);
        return NULL;
    }
    size_t length = strcspn(word + 2, "=");
    const struct config_option *o = option_find(word + 2, length);
    const char *inside = word[2 + length] == '=' ? word + 3 + length : NULL;
    if (o == NULL) {
        char name[40];
        snprintf(name, sizeof name, "%.*s", (int)length, word + 2);
        complain_unknown(place, name);
        /* What follows an unknown option is most likely its value. */
        *i += inside == NULL && *i + 1 < argc && argv[*i + 1][0] != '-';
        return NULL;
    }
    *value = inside != NULL ? inside : "";
    if (o->argument == NULL && inside != NULL) {
        complain(place, o->name, inside, "takes no value");
        return NULL;
    }
    if (o->argument != NULL && inside == NULL) {
        if (*i + 1 >= argc) {
            complain(place, o->name, NULL, o->argument);
            return NULL;
        }
        *value = argv[++*i];
    }
    return o;
}

static bool parse_command_line(struct config *config, int argc, char *const *argv, FILE *errors)
{
    struct place place = {.errors = errors};
    uint64_t replaced = 0; /* lists whose words from the file are gone */
    for (int i = 1; i < argc; i++) {
        const char *value;
        const struct config_option *o = take_option(argc, argv, &i, &value, &place);
        if (o == NULL) {
            continue;
        }
        uint64_t bit = UINT64_C(1) << (o - config_options);
        if (o->is_list && (replaced & bit) == 0) {
            *(unsigned *)((char *)config + o->count) = 0;
            replaced |= bit;
        }
        if (o->argument != NULL) {
            set_value(config, o, value, &place);
        } else {
            set_word(config, o, "", &place);
        }
    }
    return !place.failed;
}

int config_parse(struct config *config, int argc, char *const *argv, FILE *errors)
{
    static const struct config defaults = {
        .mtu = 1500, .memory = (size_t)1 << 30, .log_level = LOG_LEVEL_INFO};
    *config = defaults;
    /* A first pass finds --config and says what is wrong; the second comes after the file and wins
     * over it. */
    if (!parse_command_line(config, argc, argv, errors)) {
        return -EINVAL;
    }
    if (config->help || config->version) {
        return 0;
    }
    if (config->file[0] != '\0') {
        struct config given = defaults;
        memcpy(given.file, config->file, sizeof given.file);
        bool good = parse_file(&given, errors);
        *config = given;
        if (!parse_command_line(config, argc, argv, errors) || !good) {
            return -EINVAL;
        }
    }
    return config_check(config, errors) ? 0 : -EINVAL;
}

void config_help(FILE *out)
{
    fputs("ackd: TCP as a service. One daemon owns a network interface and a complete TCP;\n"
          "programs use it through the control socket, and ackctl looks inside.\n\n"
          "Usage: ackd --link tap:NAME|none --address ADDR/LEN... [OPTION...]\n\n",
          out);
    for (const struct config_option *o = config_options; o->name != NULL; o++) {
        char left[48];
        snprintf(left, sizeof left, "--%s%s%s", o->name, o->argument != NULL ? " " : "",
                 o->argument != NULL ? o->argument : "");
        fprintf(out, "  %-32s %s\n", left, o->help);
    }
    fputs("\nA list takes several words, split by commas, and may be given again. In the file of "
          "--config an\n"
          "option is \"name = value\" without the dashes, \"yes\" where there is no value.\n"
          "Exit status: 0 done, 1 the system refused, 2 a wrong option or configuration line.\n",
          out);
}

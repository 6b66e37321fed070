/* JSON as libackd prints messages, and the little that stands around them. */
#include <stdlib.h>
#include <string.h>
#include "ctl.h"

int print_json(FILE *out, const struct ackd_message *message, bool pretty, int indent)
{
    char *text = ackd_json(message, pretty ? ACKD_JSON_PRETTY : ACKD_JSON_SHORT);
    if (!text) {
        return -1;
    }
    size_t length = strlen(text);
    while (length && text[length - 1] == '\n') {
        length--;
    }
    for (size_t i = 0; i < length; i++) {
        putc(text[i], out);
        if (text[i] == '\n') {
            fprintf(out, "%*s", indent, "");
        }
    }
    free(text);
    return 0;
}

int ctl_print_json(const struct ctl *ctl, const struct ackd_message *message)
{
    if (print_json(stdout, message, ctl->json == JSON_PRETTY, 0) < 0) {
        ctl_complain(ctl, "out of memory");
        return EXIT_LIMIT;
    }
    putchar('\n');
    return EXIT_DONE;
}

void print_json_string(FILE *out, const char *text)
{
    putc('"', out);
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\') {
            fprintf(out, "\\%c", c);
        } else if (c < 0x20) {
            fprintf(out, "\\u%04x", c);
        } else {
            putc(c, out);
        }
    }
    putc('"', out);
}

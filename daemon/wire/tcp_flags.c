/* The control bits as people write them: in columns ("...A..S."), as letters (scapy's "SA",
 * packetdrill's and tcpdump's "S.", where the dot is ACK), or by name ("SYN,ACK"). */
#include "wire/tcp.h"

#include <string.h>

static const char columns[] = "CEUAPRSF"; /* from bit 7 down to bit 0 */

struct flag_name {
    char name[4];
    uint16_t bit;
};
static const struct flag_name names[] = {
    {"FIN", TCP_FIN}, {"SYN", TCP_SYN}, {"RST", TCP_RST}, {"PSH", TCP_PSH}, {"ACK", TCP_ACK},
    {"URG", TCP_URG}, {"ECE", TCP_ECE}, {"CWR", TCP_CWR}, {"AE", TCP_AE},
};

static bool parse_columns(const char *text, uint16_t *flags)
{
    uint16_t f = 0;
    if (strlen(text) == 9) {
        if (*text != 'e' && *text != '.') {
            return false;
        }
        f = *text++ == 'e' ? TCP_AE : 0;
    }
    if (strlen(text) != 8) {
        return false;
    }
    for (unsigned i = 0; i < 8; i++) {
        if (text[i] == columns[i]) {
            f |= (uint16_t)(0x80 >> i);
        } else if (text[i] != '.') {
            return false;
        }
    }
    *flags = f;
    return true;
}

static bool same_name(const char *text, size_t length, const char *name)
{
    for (size_t i = 0; i < length; i++) {
        if (name[i] == '\0' || (text[i] & ~0x20) != name[i]) {
            return false;
        }
    }
    return name[length] == '\0';
}

static bool parse_names(const char *text, uint16_t *flags)
{
    uint16_t f = 0;
    for (;;) {
        size_t length = strcspn(text, ",|+ ");
        uint16_t bit = 0;
        for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
            bit |= same_name(text, length, names[i].name) ? names[i].bit : 0;
        }
        if (bit == 0 || (f & bit) != 0) {
            return false;
        }
        f |= bit;
        if (text[length] == '\0') {
            *flags = f;
            return true;
        }
        text += length + 1;
    }
}

static uint16_t letter_bit(char c)
{
    if (c == '.') {
        return TCP_ACK;
    }
    if (c == 'W') { /* tcpdump's CWR */
        return TCP_CWR;
    }
    if (c == 'e') { /* tcpdump's AE */
        return TCP_AE;
    }
    const char *column = c != '\0' ? strchr(columns, c) : NULL;
    return column != NULL ? (uint16_t)(0x80 >> (column - columns)) : 0;
}

static bool parse_letters(const char *text, uint16_t *flags)
{
    uint16_t f = 0;
    for (; *text != '\0'; text++) {
        uint16_t bit = letter_bit(*text);
        if (bit == 0 || (f & bit) != 0) {
            return false;
        }
        f |= bit;
    }
    if (f == 0) {
        return false;
    }
    *flags = f;
    return true;
}

bool tcp_flags_parse(const char *text, uint16_t *flags)
{
    if (strcmp(text, "-") == 0 || strcmp(text, "none") == 0) {
        *flags = 0;
        return true;
    }
    return parse_columns(text, flags) || parse_names(text, flags) || parse_letters(text, flags);
}

char *tcp_flags_format(uint16_t flags, char text[10])
{
    char *p = text;
    if (flags & TCP_AE) {
        *p++ = 'e';
    }
    for (unsigned i = 0; i < 8; i++) {
        *p++ = flags & 0x80 >> i ? columns[i] : '.';
    }
    *p = '\0';
    return text;
}

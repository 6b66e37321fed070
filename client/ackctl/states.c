/* States as text. RFC 9293 section 3.3.2 names them; Linux, BSD, ss and the schema each spell them
 * another way, so spelling is compared by letters and digits alone. */
#include "states.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>

static const char *const names[ST_COUNT] = {
    "UNKNOWN",    "CLOSED",     "LISTEN",     "SYN-SENT", "SYN-RECEIVED", "ESTABLISHED",
    "FIN-WAIT-1", "FIN-WAIT-2", "CLOSE-WAIT", "CLOSING",  "LAST-ACK",     "TIME-WAIT",
};

static const struct {
    const char *word;
    uint32_t states;
} words[] = {
    {"close", STATE_BIT(ST_CLOSED)},
    {"unconn", STATE_BIT(ST_CLOSED)},
    {"unconnected", STATE_BIT(ST_CLOSED)},
    {"listening", STATE_BIT(ST_LISTEN)},
    {"synrecv", STATE_BIT(ST_SYN_RECEIVED)},
    {"synrcvd", STATE_BIT(ST_SYN_RECEIVED)},
    {"estab", STATE_BIT(ST_ESTABLISHED)},
    {"all", STATES_ALL},
    {"connected", STATES_ALL & ~(STATE_BIT(ST_CLOSED) | STATE_BIT(ST_LISTEN))},
    {"synchronized",
     STATES_ALL & ~(STATE_BIT(ST_CLOSED) | STATE_BIT(ST_LISTEN) | STATE_BIT(ST_SYN_SENT))},
    {"bucket", STATE_BIT(ST_SYN_RECEIVED) | STATE_BIT(ST_TIME_WAIT)},
    {"big", STATES_ALL & ~(STATE_BIT(ST_SYN_RECEIVED) | STATE_BIT(ST_TIME_WAIT))},
};

const char *state_name(int state)
{
    return names[state > 0 && state < ST_COUNT ? state : 0];
}

/* Lower case, letters and digits only; a leading "STATE_" (the schema's enum) falls away. */
static void squeeze(const char *word, char out[24])
{
    size_t n = 0;
    if (strncmp(word, "STATE_", 6) == 0) {
        word += 6;
    }
    for (; *word && n < 23; word++) {
        if (isalnum((unsigned char)*word)) {
            out[n++] = (char)tolower((unsigned char)*word);
        }
    }
    out[*word ? 0 : n] = 0;
}

uint32_t states_parse(const char *word)
{
    char wanted[24], name[24];
    squeeze(word, wanted);
    for (int s = 1; s < ST_COUNT; s++) {
        squeeze(names[s], name);
        if (strcmp(wanted, name) == 0) {
            return STATE_BIT(s);
        }
    }
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(wanted, words[i].word) == 0) {
            return words[i].states;
        }
    }
    return 0;
}

/* ackctl key fast-open: the secret of the cookies that listeners make (RFC 7413).
 *
 * Two keys are good at a time: cookies are made with the first, and those that were made with the
 * second are still taken. So hosts that share an address can share keys, and change them without
 * turning a client away: `set` gives both, `rotate` puts a new one in front of the present one. A
 * key is written as Linux does it in net.ipv4.tcp_fastopen_key (four groups of eight hexadecimal
 * digits; a comma, and the backup), or is 16 octets, two keys 32, as for its TCP_FASTOPEN_KEY. */
#include <inttypes.h>
#include <string.h>
#include "key.h"
#include "selector.h"
#include "states.h"
#include "units.h"

enum { LENGTH = 16 };

struct keys {
    uint8_t key[2 * LENGTH];
    unsigned n;
};

static int hex_digit(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = c ? strchr(digits, c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c) : NULL;
    return at ? (int)(at - digits) : -1;
}

/* One key at *text: words of 32 bits, whose octets lie in memory with the lowest first. */
static bool hex_key(const char **text, uint8_t key[LENGTH])
{
    for (unsigned word = 0; word < 4; word++) {
        uint32_t value = 0;
        *text += word && **text == '-';
        for (unsigned i = 0; i < 8; i++, (*text)++) {
            int digit = hex_digit(**text);
            if (digit < 0) {
                return false;
            }
            value = value << 4 | (uint32_t)digit;
        }
        for (unsigned i = 0; i < 4; i++) {
            key[4 * word + i] = (uint8_t)(value >> 8 * i);
        }
    }
    return true;
}

static bool hex_keys(const char *text, struct keys *out)
{
    bool good = hex_key(&text, out->key);
    out->n = 1;
    if (good && *text == ',') {
        text++;
        good = hex_key(&text, out->key + LENGTH);
        out->n = 2;
    }
    return good && (!*text || strcmp(text, "\n") == 0);
}

static bool parse(const char *octets, size_t length, struct keys *out)
{
    char text[KEY_OCTETS_MAX + 3] = {0};
    memcpy(text, octets, length);
    bool good = hex_keys(text, out);
    if (!good && (length == LENGTH || length == sizeof out->key)) {
        memcpy(out->key, octets, length);
        out->n = (unsigned)length / LENGTH;
        good = true;
    }
    explicit_bzero(text, sizeof text);
    return good;
}

static bool read_keys(const struct ctl *ctl, const struct key_source *source, struct keys *out)
{
    char octets[KEY_OCTETS_MAX + 2];
    int length = key_read(ctl, source, octets);
    bool good = length >= 0 && parse(octets, (size_t)length, out);
    if (length >= 0 && !good) {
        ctl_complain(ctl, "a Fast Open key has 16 octets, or 32 hexadecimal digits as in "
                          "net.ipv4.tcp_fastopen_key; behind it may stand a comma and its backup");
    }
    explicit_bzero(octets, sizeof octets);
    return good;
}

enum part { SET, ROTATE, RESET };

static int tell(struct ctl *ctl, enum part part, uint64_t listener, const struct keys *keys,
                const char *object)
{
    struct ackd_error err = {0};
    const uint8_t *key = keys->n ? keys->key : NULL;
    const uint8_t *backup = keys->n == 2 ? keys->key + LENGTH : NULL;
    int failed = part == ROTATE ? ackd_rotate_fast_open_key(ctl->ackd, listener, key, &err)
                                : ackd_set_fast_open_key(ctl->ackd, listener, key, backup, &err);
    if (failed < 0) {
        return ctl_fail(ctl, object, &err);
    }
    return ctl->json ? ctl_print_json(ctl, ackd_reply(ctl->ackd)) : EXIT_DONE;
}

int key_fast_open(struct ctl *ctl, int count, char **words, const struct key_source *source,
                  const char *listener)
{
    static const char *const parts[] = {"set", "rotate", "reset"};
    int part = count == 1 ? prefix_match(words[0], parts, 3) : -1;
    struct keys keys = {.n = 0};
    uint64_t id = 0;
    int code = EXIT_DONE;
    if (part < 0) {
        return ctl_usage(ctl, "key fast-open set|rotate|reset");
    }
    if (part == RESET && source->given) {
        return ctl_usage(ctl, "key fast-open reset takes no key");
    }
    if (listener) {
        code = selector_resolve(ctl, listener, STATE_BIT(ST_LISTEN), &id);
    }
    if (!code && (part == SET || source->given) && !read_keys(ctl, source, &keys)) {
        code = key_unread(ctl);
    } else if (!code && part == ROTATE && keys.n == 2) {
        code = ctl_usage(ctl, "key fast-open rotate takes one key: the present one is the backup");
    }
    if (!code) {
        code = tell(ctl, (enum part)part, id, &keys, listener ? listener : "the Fast Open key");
    }
    explicit_bzero(&keys, sizeof keys);
    return code;
}

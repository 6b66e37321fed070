/* Addresses in text, as RFC 5952 and RFC 3986 (brackets) have them. Parsing goes by inet_pton,
 * which the C library keeps strict. */
#include "hostport.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include "units.h"

bool net_addr_parse(const char *text, struct net_addr *addr)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    char bare[64];
    size_t n = strlen(text);
    memset(addr, 0, sizeof *addr);
    if (!*text || strcmp(text, "*") == 0) {
        return true;
    }
    if (text[0] == '[' && text[n - 1] == ']') {
        text++;
        n -= 2;
    }
    if (n >= sizeof bare) {
        return false;
    }
    memcpy(bare, text, n);
    bare[n] = 0;
    if (inet_pton(AF_INET, bare, addr->bytes) == 1) {
        addr->family = 4;
        return true;
    }
    if (inet_pton(AF_INET6, bare, addr->bytes) != 1) {
        return false;
    }
    addr->family = 6;
    if (memcmp(addr->bytes, mapped, sizeof mapped) == 0) {
        memmove(addr->bytes, addr->bytes + 12, 4);
        memset(addr->bytes + 4, 0, 12);
        addr->family = 4;
    }
    return true;
}

bool net_addr_within(const struct net_addr *addr, const struct net_addr *prefix, unsigned bits)
{
    if (!prefix->family) {
        return true;
    }
    if (addr->family != prefix->family) {
        return false;
    }
    unsigned whole = bits / 8, rest = bits % 8;
    if (memcmp(addr->bytes, prefix->bytes, whole) != 0) {
        return false;
    }
    return !rest || (addr->bytes[whole] ^ prefix->bytes[whole]) >> (8 - rest) == 0;
}

bool net_addr_is_v6(const char *text)
{
    struct net_addr addr;
    return net_addr_parse(text, &addr) && addr.family == 6;
}

bool hostport_split(const char *text, char *host, size_t host_size, const char **port)
{
    const char *end = NULL; /* of the host */
    *port = "";
    if (text[0] == '[') {
        end = strchr(++text, ']');
        if (!end || (end[1] && end[1] != ':')) {
            return false;
        }
        *port = end[1] ? end + 2 : end + 1;
    } else {
        const char *colon = strchr(text, ':');
        end = text + strlen(text);
        if (colon && !strchr(colon + 1, ':')) {
            end = colon;
            *port = colon + 1;
        }
    }
    size_t n = (size_t)(end - text);
    if (n >= host_size) {
        return false;
    }
    memcpy(host, text, n);
    host[n] = 0;
    return true;
}

bool port_parse(const char *text, uint16_t *port)
{
    uint64_t value;
    if (number_parse(text, 65535, &value)) {
        *port = (uint16_t)value;
        return true;
    }
    struct servent entry, *found;
    char space[1024];
    if (text[0] < 'a' || text[0] > 'z' ||
        getservbyname_r(text, "tcp", &entry, space, sizeof space, &found) || !found) {
        return false;
    }
    *port = ntohs((uint16_t)found->s_port);
    return true;
}

/* Without printf, for a listing of a million connections asks for two million of these. */
char *hostport_format(const char *address, unsigned port, char text[HOSTPORT_TEXT])
{
    char digits[8], *from = digits + sizeof digits - 1, *to = text;
    size_t length = strnlen(address, 52);
    bool brackets = strchr(address, ':') != NULL;
    unsigned n = port & 0xffff;
    *from = 0;
    do {
        *--from = port ? (char)('0' + n % 10) : '*';
        n /= 10;
    } while (n);
    if (brackets) {
        *to++ = '[';
    }
    memcpy(to, length ? address : "*", length ? length : 1);
    to += length ? length : 1;
    if (brackets) {
        *to++ = ']';
    }
    *to++ = ':';
    memcpy(to, from, strlen(from) + 1);
    return text;
}

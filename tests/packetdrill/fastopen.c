/* Fast Open as Linux's sockets offer it: MSG_FASTOPEN, TCP_FASTOPEN_CONNECT (the SYN waits for the
 * first write while a cookie is known), TCP_FASTOPEN on listeners, and the sysctl that switches it
 * all. Whether data ride on a SYN is the engine's decision. */
#include "layer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* bits of net.ipv4.tcp_fastopen */
enum {
    CLIENT_ENABLE = 1,
    SERVER_ENABLE = 2,
    CLIENT_NO_COOKIE = 4,
    SERVER_COOKIE_NOT_REQUIRED = 0x200,
    SERVER_WITHOUT_SOCKOPT = 0x400,
};

bool fastopen_client_enabled(const struct layer *l)
{
    return l->sysctls.fastopen & CLIENT_ENABLE;
}

void fastopen_options(const struct layer *l, struct sock *s)
{
    long bits = l->sysctls.fastopen;
    bool listens = s->state == SOCK_LISTENING || s->backlog;
    s->options.fast_open_experimental = true;
    if (!listens) {
        s->options.fast_open_no_cookie = bits & CLIENT_NO_COOKIE || s->fastopen_no_cookie;
        return;
    }
    int queue = s->fastopen_queue;
    if (!queue && bits & SERVER_WITHOUT_SOCKOPT) {
        queue = s->backlog;
    }
    s->options.fast_open_queue = bits & SERVER_ENABLE && queue > 0 ? (uint32_t)queue : 0;
    s->options.fast_open_no_cookie = bits & SERVER_COOKIE_NOT_REQUIRED || s->fastopen_no_cookie;
}

/* ---- keys ---- */

/* "a1a1a1a1-b2b2b2b2-c3c3c3c3-d4d4d4d4": four words, the octets of each in the other order. */
static bool parse_key(const char *text, uint8_t key[16])
{
    unsigned w[4];
    if (!text || sscanf(text, "%8x-%8x-%8x-%8x", &w[0], &w[1], &w[2], &w[3]) != 4) {
        return false;
    }
    for (unsigned i = 0; i < 16; i++) {
        key[i] = (uint8_t)(w[i / 4] >> 8 * (i % 4));
    }
    return true;
}

void fastopen_sysctl_keys(struct layer *l)
{
    uint8_t primary[16], backup[16];
    if (!strcmp(l->fastopen_key, l->sysctls.fastopen_key)) {
        return;
    }
    memcpy(l->fastopen_key, l->sysctls.fastopen_key, sizeof l->fastopen_key);
    const char *comma = strchr(l->fastopen_key, ',');
    if (parse_key(l->fastopen_key, primary)) {
        bool two = comma && parse_key(comma + 1, backup);
        tcp_fast_open_keys(l->engine, l->now, 0, primary, two ? backup : NULL);
    }
}

void fastopen_listener_keys(struct layer *l, const struct sock *s)
{
    if (s->state == SOCK_LISTENING && s->fastopen_keys_length) {
        bool two = s->fastopen_keys_length == sizeof s->fastopen_keys;
        tcp_fast_open_keys(l->engine, l->now, s->id, s->fastopen_keys,
                           two ? s->fastopen_keys + sizeof s->fastopen_keys / 2 : NULL);
    }
}

int fastopen_set_keys(struct layer *l, struct sock *s, const uint8_t *value, size_t length)
{
    if (length != 16 && length != 32) {
        return EINVAL;
    }
    memcpy(s->fastopen_keys, value, length);
    s->fastopen_keys_length = length;
    fastopen_listener_keys(l, s);
    return 0;
}

/* ---- MSG_FASTOPEN ---- */

/* Connects with the first of `length` octets on the SYN. *taken octets were queued; 0, EINPROGRESS
 * or another errno. */
int fastopen_send(struct layer *l, struct sock *s, const struct sockaddr *addr, socklen_t len,
                  const void *data, size_t length, bool nonblock, size_t *taken)
{
    uint8_t buffer[65536];
    *taken = 0;
    layer_read_sysctls(l);
    if (!fastopen_client_enabled(l) || (addr && addr->sa_family == AF_UNSPEC)) {
        return EOPNOTSUPP;
    }
    if (!s->deferred && s->state != SOCK_NEW) { /* after the handshake it is like any send */
        int error = s->connect_untold ? sock_connect_wait(l, s, true) : EISCONN;
        return error == EINPROGRESS ? EALREADY : error;
    }
    length = length < sizeof buffer ? length : sizeof buffer;
    if (!user_read(buffer, data, length)) {
        return EFAULT;
    }
    struct sock_opening how = {
        .fast_open = true, .data = buffer, .length = length, .more = !nonblock};
    int error = s->deferred ? sock_open_deferred(l, s, &how) : sock_open(l, s, addr, len, &how);
    if (error) {
        return error;
    }
    *taken = how.taken;
    s->bytes_queued += how.taken;
    layer_run(l);
    return sock_connect_wait(l, s, nonblock);
}

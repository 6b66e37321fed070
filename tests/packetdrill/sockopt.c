/* setsockopt and getsockopt: what concerns the protocol becomes an option of the engine, the rest
 * is kept and told again. */
#include "layer.h"
#include "linux_tcp.h"
#include "tcp/keys.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <string.h>

#ifndef SO_MEMINFO
#define SO_MEMINFO 55
#endif
#ifndef SO_ZEROCOPY
#define SO_ZEROCOPY 60
#endif
#ifndef SO_TIMESTAMPING
#define SO_TIMESTAMPING 37
#endif
#define SO_SNDBUF_MIN 4608
#define SO_RCVBUF_MIN 2304
#define WINDOW_CLAMP_MIN 1152  /* half of that */
#define ENGINE_BUFFER_MIN 2048 /* what the engine can do with */

/* ---- options that are a number kept here ---- */

static int *plain_slot(struct sock *s, int level, int name)
{
    if (level == SOL_SOCKET) {
        switch (name) {
        case SO_REUSEADDR:
        case SO_REUSEPORT:
            return &s->reuse;
        case SO_PRIORITY:
            return &s->priority;
        case SO_MARK:
            return &s->mark;
        case SO_RCVLOWAT:
            return &s->rcvlowat;
        case SO_ZEROCOPY:
            return &s->zerocopy;
        default:
            return NULL;
        }
    }
    if (level == IPPROTO_TCP) {
        switch (name) {
        case TCP_INQ:
            return &s->inq;
        case TCP_DEFER_ACCEPT:
            return &s->defer_accept;
        case TCP_SYNCNT:
            return &s->syncnt;
        case TCP_LINGER2:
            return &s->linger2;
        case TCP_THIN_LINEAR_TIMEOUTS:
            return &s->thin;
        case TCP_SAVE_SYN:
            return &s->save_syn;
        default:
            return NULL;
        }
    }
    bool err = (level == IPPROTO_IP && name == IP_RECVERR) ||
               (level == IPPROTO_IPV6 && name == IPV6_RECVERR);
    return err ? &s->recverr : NULL;
}

static struct kept_option *kept_find(struct sock *s, int level, int name)
{
    for (unsigned i = 0; i < s->n_kept; i++) {
        if (s->kept[i].level == level && s->kept[i].name == name) {
            return &s->kept[i];
        }
    }
    return NULL;
}

static int keep(struct sock *s, int level, int name, int v)
{
    struct kept_option *k = kept_find(s, level, name);
    if (!k && s->n_kept < KEPT_OPTIONS) {
        k = &s->kept[s->n_kept++];
    }
    if (k) {
        *k = (struct kept_option){level, name, v};
    }
    return 0;
}

/* ---- set ---- */

static int set_buffer(struct layer *l, struct sock *s, bool send, int v)
{
    long most = send ? l->sysctls.wmem_max : l->sysctls.rmem_max;
    long twice = 2 * (v < 0 || v > most ? most : (long)v);
    if (send) {
        s->sndbuf = (int)(twice < SO_SNDBUF_MIN ? SO_SNDBUF_MIN : twice);
    } else {
        s->rcvbuf = (int)(twice < SO_RCVBUF_MIN ? SO_RCVBUF_MIN : twice);
        s->options.rcv_buffer = profile_window(l, s->domain == AF_INET, s->rcvbuf);
        s->options.rcv_buffer_max = s->options.rcv_buffer; /* it stays as it was set */
    }
    s->buffers_locked[send] = true;
    return 0;
}

/* Bytes a second: 32 bits or 64, all of them set for no limit. */
static int set_pacing_rate(struct sock *s, const uint8_t *value, socklen_t len, int v)
{
    uint64_t rate = (uint32_t)v == UINT32_MAX ? UINT64_MAX : (uint32_t)v;
    if (len >= sizeof rate) {
        memcpy(&rate, value, sizeof rate);
    }
    uint64_t before = s->options.max_pacing_rate;
    const char *field;
    s->options.max_pacing_rate = rate == UINT64_MAX ? 0 : rate;
    if (tcp_options_check(&s->options, &field)) { /* slower than the engine can be */
        s->options.max_pacing_rate = before;
    }
    return keep(s, SOL_SOCKET, SO_MAX_PACING_RATE, v);
}

static int set_time(int64_t *ns, const void *value, socklen_t len)
{
    struct timeval tv;
    if (len < sizeof tv) {
        return EINVAL;
    }
    memcpy(&tv, value, sizeof tv);
    if (tv.tv_usec < 0 || tv.tv_usec >= 1000000) {
        return EDOM;
    }
    *ns = tv.tv_sec < 0 ? 1 : tv.tv_sec * NS_PER_S + tv.tv_usec * NS_PER_US;
    return 0;
}

static int set_socket(struct layer *l, struct sock *s, int name, const void *value, socklen_t len,
                      int v)
{
    switch (name) {
    case SO_SNDBUF:
        return set_buffer(l, s, true, v);
    case SO_RCVBUF:
        return set_buffer(l, s, false, v);
    case SO_RCVTIMEO:
        return set_time(&s->rcvtimeo_ns, value, len);
    case SO_SNDTIMEO:
        return set_time(&s->sndtimeo_ns, value, len);
    case SO_KEEPALIVE:
        s->options.keepalive = v;
        return 0;
    case SO_LINGER: {
        struct linger linger;
        if (len < sizeof linger) {
            return EINVAL;
        }
        memcpy(&linger, value, sizeof linger);
        s->linger_on = linger.l_onoff;
        s->linger_s = linger.l_linger;
        return 0;
    }
    case SO_TIMESTAMPING:
        s->timestamping = v;
        s->timestamp_base = (uint32_t)s->bytes_queued;
        return 0;
    case SO_SNDBUFFORCE:
    case SO_RCVBUFFORCE:
        return set_buffer(l, s, name == SO_SNDBUFFORCE, v);
    case SO_MAX_PACING_RATE:
        return set_pacing_rate(s, value, len, v);
    case SO_TYPE:
    case SO_PROTOCOL:
    case SO_DOMAIN:
    case SO_ERROR:
        return ENOPROTOOPT; /* only told */
    default:
        return keep(s, SOL_SOCKET, name, v);
    }
}

static int set_congestion(struct sock *s, const uint8_t *value, socklen_t len)
{
    char name[sizeof s->congestion] = {0};
    memcpy(name, value, len);
    int error = profile_congestion(name, &s->options.congestion);
    if (!error) {
        memcpy(s->congestion, name, sizeof name);
    }
    return error;
}

/* What was held back goes when the cork is pulled. */
static void set_cork(struct layer *l, struct sock *s, bool on)
{
    s->cork = on;
    if (!on && s->id) {
        tcp_send(l->engine, l->now, s->id, NULL, 0, 0);
    }
}

/* Linux's struct tcp_md5sig. */
struct md5sig {
    struct sockaddr_storage peer;
    uint8_t flags, prefix;
    uint16_t length;
    int interface;
    uint8_t key[TCP_KEY_OCTETS_MAX];
};

static bool peer_of(const struct sockaddr_storage *from, struct ip_prefix *to)
{
    const uint8_t *bytes = (const uint8_t *)from;
    if (from->ss_family == AF_INET) {
        to->addr = ip_addr_from_v4(bytes + offsetof(struct sockaddr_in, sin_addr));
    } else if (from->ss_family == AF_INET6) {
        to->addr = ip_addr_from_v6(bytes + offsetof(struct sockaddr_in6, sin6_addr));
    } else {
        return false;
    }
    to->length = ip_addr_is_v4(&to->addr) ? 32 : 128;
    return true;
}

/* The engine's keys belong to no socket: one of a peer is for all of them. Without octets it goes.
 */
static int set_md5(struct layer *l, const uint8_t *value, socklen_t len)
{
    struct md5sig sig;
    struct tcp_key key = {.algorithm = TCP_KEY_MD5}, old;
    const char *field;
    if (len < sizeof sig) {
        return EINVAL;
    }
    memcpy(&sig, value, sizeof sig);
    if (sig.length > sizeof sig.key || !peer_of(&sig.peer, &key.remote)) {
        return EINVAL;
    }
    bool found = false;
    for (uint64_t after = 0; !found && tcp_key_list(l->engine, after, &old, 1);) {
        after = old.number;
        found = old.algorithm == TCP_KEY_MD5 && ip_addr_equal(&old.remote.addr, &key.remote.addr);
    }
    if (found) {
        tcp_key_remove(l->engine, l->now, old.number, true);
    }
    if (!sig.length) {
        return found ? 0 : ENOENT;
    }
    return -tcp_key_add(l->engine, &key, sig.key, sig.length, &key.number, &field);
}

/* The most that is offered, and that the window scale has to say. */
static int set_window_clamp(struct sock *s, int v)
{
    if (v <= 0 && s->state != SOCK_NEW) {
        return EINVAL;
    }
    if (v > 0) {
        uint32_t most = v < WINDOW_CLAMP_MIN ? WINDOW_CLAMP_MIN : (uint32_t)v;
        v = (int)most;
        most = most < ENGINE_BUFFER_MIN ? ENGINE_BUFFER_MIN : most;
        s->options.rcv_buffer_max = most;
        s->options.rcv_buffer = s->options.rcv_buffer < most ? s->options.rcv_buffer : most;
    }
    return keep(s, IPPROTO_TCP, TCP_WINDOW_CLAMP, v);
}

static int set_tcp(struct layer *l, struct sock *s, int name, const void *value, socklen_t len,
                   int v)
{
    switch (name) {
    case TCP_NODELAY:
        s->options.nodelay = v;
        if (v && s->id) { /* even a corked segment goes, once */
            tcp_send(l->engine, l->now, s->id, NULL, 0, 0);
        }
        return 0;
    case TCP_CORK:
        set_cork(l, s, v);
        return 0;
    case TCP_MAXSEG:
        if (v && (v < 88 || v > 32767)) {
            return EINVAL;
        }
        s->user_mss = (uint32_t)v;
        s->options.mss_clamp = (uint32_t)v;
        return 0;
    case TCP_KEEPIDLE:
    case TCP_KEEPINTVL:
        if (v < 1 || v > 32767) {
            return EINVAL;
        }
        *(name == TCP_KEEPIDLE ? &s->options.keepalive_idle_ns
                               : &s->options.keepalive_interval_ns) = v * NS_PER_S;
        return 0;
    case TCP_KEEPCNT:
        if (v < 1 || v > 127) {
            return EINVAL;
        }
        s->options.keepalive_count = v < 2 ? 2 : (uint32_t)v;
        return 0;
    case TCP_USER_TIMEOUT:
        if (v < 0) {
            return EINVAL;
        }
        s->options.user_timeout_ns = v * NS_PER_MS;
        return 0;
    case TCP_NOTSENT_LOWAT:
        s->notsent_lowat = (uint32_t)v;
        return 0;
    case TCP_CONGESTION:
        if (!len || len >= sizeof s->congestion) {
            return EINVAL;
        }
        return set_congestion(s, value, len);
    case TCP_FASTOPEN:
        if (v < 0 || (s->state != SOCK_NEW && s->state != SOCK_LISTENING)) {
            return EINVAL;
        }
        s->fastopen_queue = v;
        fastopen_options(l, s);
        return 0;
    case TCP_FASTOPEN_CONNECT:
        if (v < 0 || v > 1 || s->state != SOCK_NEW) {
            return EINVAL;
        }
        layer_read_sysctls(l);
        if (!fastopen_client_enabled(l)) {
            return EOPNOTSUPP;
        }
        s->fastopen_connect = v;
        return 0;
    case TCP_FASTOPEN_NO_COOKIE:
        if (v < 0 || v > 1 || (s->state != SOCK_NEW && s->state != SOCK_LISTENING)) {
            return EINVAL;
        }
        s->fastopen_no_cookie = v;
        fastopen_options(l, s);
        return 0;
    case TCP_SYNCNT:
        if (v < 1 || v > 127) {
            return EINVAL;
        }
        s->syncnt = v;
        s->options.syn_timeout_ns = profile_syn_timeout(&l->sysctls, v);
        return 0;
    case TCP_QUICKACK:
        s->quickack = v != 0;
        return 0;
    case TCP_MD5SIG:
        return set_md5(l, value, len);
    case TCP_FASTOPEN_KEY:
        return fastopen_set_keys(l, s, value, len);
    case TCP_WINDOW_CLAMP:
        return set_window_clamp(s, v);
    default:
        return keep(s, IPPROTO_TCP, name, v);
    }
}

static int set_ip(struct sock *s, int level, int name, int v)
{
    bool v6 = level == IPPROTO_IPV6;
    if ((!v6 && name == IP_TOS) || (v6 && name == IPV6_TCLASS)) {
        s->options.dscp = (uint8_t)((v < 0 ? 0 : v & 255) >> 2);
    } else if ((!v6 && name == IP_TTL) || (v6 && name == IPV6_UNICAST_HOPS)) {
        s->options.ttl = v < 1 ? 64 : (uint8_t)v;
    } else if (v6 && name == IPV6_V6ONLY) {
        s->v6_only = v;
    } else {
        keep(s, level, name, v);
    }
    return 0;
}

static int do_set(struct layer *l, struct sock *s, int level, int name, const void *user,
                  socklen_t len)
{
    uint8_t value[256] = {0};
    if (!user_read(value, user, len < sizeof value ? len : sizeof value)) {
        return EFAULT;
    }
    int v = 0;
    memcpy(&v, value, len < sizeof v ? len : sizeof v);
    if (len < sizeof v && (level == SOL_SOCKET || level == IPPROTO_TCP) && name != TCP_CONGESTION) {
        return EINVAL;
    }
    int *slot = plain_slot(s, level, name);
    bool checked = level == IPPROTO_TCP && name == TCP_SYNCNT;
    int error = 0;
    if (slot && checked && len >= sizeof(int)) {
        error = set_tcp(l, s, name, value, len, v);
    } else if (slot && len < sizeof(int)) {
        error = EINVAL;
    } else if (slot) {
        *slot = v;
    } else if (level == SOL_SOCKET) {
        error = set_socket(l, s, name, value, len, v);
    } else if (level == IPPROTO_TCP) {
        error = set_tcp(l, s, name, value, len, v);
    } else if (level == IPPROTO_IP || level == IPPROTO_IPV6) {
        error = set_ip(s, level, name, v);
    } else {
        error = ENOPROTOOPT;
    }
    if (!error) {
        sock_apply_options(l, s);
        layer_run(l);
    }
    return error;
}

int layer_setsockopt(void *u, int fd, int level, int name, const void *value, socklen_t len)
{
    struct layer *l = u;
    layer_lock(l);
    struct sock *s = sock_find(l, fd);
    int error = s ? do_set(l, s, level, name, value, len) : errno;
    layer_unlock(l);
    return error ? fail(error) : 0;
}

/* ---- get ---- */

static int get_kept(struct sock *s, int level, int name, int otherwise, int *v)
{
    const struct kept_option *k = kept_find(s, level, name);
    *v = k ? k->value : otherwise;
    return 0;
}

static int get_socket(struct sock *s, int name, int *v)
{
    switch (name) {
    case SO_ERROR:
        *v = sock_take_error(s);
        return 0;
    case SO_SNDBUF:
        *v = s->sndbuf;
        return 0;
    case SO_RCVBUF:
        *v = s->rcvbuf;
        return 0;
    case SO_KEEPALIVE:
        *v = s->options.keepalive;
        return 0;
    case SO_TYPE:
        *v = SOCK_STREAM;
        return 0;
    case SO_DOMAIN:
        *v = s->domain;
        return 0;
    case SO_PROTOCOL:
        *v = IPPROTO_TCP;
        return 0;
    case SO_ACCEPTCONN:
        *v = s->state == SOCK_LISTENING;
        return 0;
    case SO_TIMESTAMPING:
        *v = s->timestamping;
        return 0;
    case SO_MAX_PACING_RATE:
        return get_kept(s, SOL_SOCKET, name, -1, v);
    case SO_SNDLOWAT:
        return get_kept(s, SOL_SOCKET, name, 1, v);
    default:
        return get_kept(s, SOL_SOCKET, name, 0, v);
    }
}

/* Seconds until the n-th retransmission of a SYN,ACK, as Linux rounds TCP_DEFER_ACCEPT. */
static int defer_accept_seconds(int asked)
{
    int seconds = 0;
    for (int wait = 1; seconds < asked && wait < 128; wait *= 2) {
        seconds += wait;
    }
    return seconds;
}

/* TCP_MAXSEG: what is in use, or what the user asked for before there is a connection. */
static int max_segment(struct layer *l, const struct sock *s)
{
    struct tcp_info info;
    if (s->state != SOCK_CONNECTED && s->user_mss) {
        return (int)s->user_mss;
    }
    return sock_status(l, s, &info) && info.snd_mss_bytes ? (int)info.snd_mss_bytes : 536;
}

static int get_tcp(struct layer *l, struct sock *s, int name, int *v)
{
    switch (name) {
    case TCP_CORK:
        *v = s->cork;
        return 0;
    case TCP_NODELAY:
        *v = s->options.nodelay;
        return 0;
    case TCP_MAXSEG:
        *v = max_segment(l, s);
        return 0;
    case TCP_KEEPIDLE:
        *v = (int)(s->options.keepalive_idle_ns / NS_PER_S);
        return 0;
    case TCP_KEEPINTVL:
        *v = (int)(s->options.keepalive_interval_ns / NS_PER_S);
        return 0;
    case TCP_KEEPCNT:
        *v = (int)s->options.keepalive_count;
        return 0;
    case TCP_USER_TIMEOUT:
        *v = (int)(s->options.user_timeout_ns / NS_PER_MS);
        return 0;
    case TCP_NOTSENT_LOWAT:
        *v = (int)s->notsent_lowat;
        return 0;
    case TCP_FASTOPEN:
        *v = s->fastopen_queue;
        return 0;
    case TCP_FASTOPEN_CONNECT:
        *v = s->fastopen_connect;
        return 0;
    case TCP_FASTOPEN_NO_COOKIE:
        *v = s->fastopen_no_cookie;
        return 0;
    case TCP_QUICKACK:
        *v = s->quickack;
        return 0;
    case TCP_WINDOW_CLAMP:
        return get_kept(s, IPPROTO_TCP, name, 0, v);
    default:
        return kept_find(s, IPPROTO_TCP, name) ? get_kept(s, IPPROTO_TCP, name, 0, v) : ENOPROTOOPT;
    }
}

/* IP_MTU: only a connection has one. */
static int path_mtu(struct layer *l, const struct sock *s, int *v)
{
    struct tcp_info info;
    if (s->state != SOCK_CONNECTED || !sock_status(l, s, &info)) {
        return ENOTCONN;
    }
    *v = (int)info.path_mtu_bytes;
    return 0;
}

static int get_ip(struct layer *l, struct sock *s, int level, int name, int *v)
{
    bool v6 = level == IPPROTO_IPV6;
    if ((!v6 && name == IP_TOS) || (v6 && name == IPV6_TCLASS)) {
        *v = s->options.dscp << 2;
    } else if ((!v6 && name == IP_TTL) || (v6 && name == IPV6_UNICAST_HOPS)) {
        *v = s->options.ttl;
    } else if (v6 && name == IPV6_V6ONLY) {
        *v = s->v6_only;
    } else if (name == (v6 ? IPV6_MTU : IP_MTU)) {
        return path_mtu(l, s, v);
    } else if (name == (v6 ? IPV6_MTU_DISCOVER : IP_MTU_DISCOVER)) {
        return get_kept(s, level, name, IP_PMTUDISC_WANT, v);
    } else if (kept_find(s, level, name)) {
        return get_kept(s, level, name, 0, v);
    } else {
        return ENOPROTOOPT;
    }
    return 0;
}

/* The options whose value is a record. 0 when it is none of them. */
static size_t get_record(struct layer *l, struct sock *s, int level, int name, void *to,
                         size_t room)
{
    if (level == IPPROTO_TCP && name == TCP_INFO) {
        return tcp_info_fill(l, s, to, room);
    }
    if (level == SOL_SOCKET && name == SO_MEMINFO) {
        return meminfo_fill(l, s, to, room);
    }
    if (level == IPPROTO_TCP && name == TCP_CONGESTION) {
        size_t n = sizeof s->congestion < room ? sizeof s->congestion : room;
        memcpy(to, s->congestion, n);
        return n;
    }
    if (level == SOL_SOCKET && name == SO_LINGER) {
        struct linger linger = {s->linger_on, s->linger_s};
        memcpy(to, &linger, sizeof linger < room ? sizeof linger : room);
        return sizeof linger < room ? sizeof linger : room;
    }
    if (level == SOL_SOCKET && (name == SO_RCVTIMEO || name == SO_SNDTIMEO)) {
        int64_t ns = name == SO_RCVTIMEO ? s->rcvtimeo_ns : s->sndtimeo_ns;
        struct timeval tv = {ns / NS_PER_S, ns % NS_PER_S / NS_PER_US};
        memcpy(to, &tv, sizeof tv < room ? sizeof tv : room);
        return sizeof tv < room ? sizeof tv : room;
    }
    return 0;
}

static int do_get(struct layer *l, struct sock *s, int level, int name, void *to, socklen_t *len)
{
    uint8_t record[512];
    sock_refresh(l, s);
    if (level == IPPROTO_TCP && name == TCP_CC_INFO) {
        *len = 0; /* no module has any to tell */
        return 0;
    }
    size_t n = get_record(l, s, level, name, record, *len < sizeof record ? *len : sizeof record);
    if (n) {
        *len = (socklen_t)n;
        return user_write(to, record, n) ? 0 : EFAULT;
    }
    int v = 0, *slot = plain_slot(s, level, name);
    int error = slot                                           ? 0
                : level == SOL_SOCKET                          ? get_socket(s, name, &v)
                : level == IPPROTO_TCP                         ? get_tcp(l, s, name, &v)
                : level == IPPROTO_IP || level == IPPROTO_IPV6 ? get_ip(l, s, level, name, &v)
                                                               : ENOPROTOOPT;
    if (error) {
        return error;
    }
    v = slot ? *slot : v;
    if (level == IPPROTO_TCP && name == TCP_DEFER_ACCEPT) {
        v = defer_accept_seconds(v);
    } else if (level == IPPROTO_TCP && name == TCP_SYNCNT && !v) {
        v = (int)l->sysctls.syn_retries;
    }
    *len = *len < sizeof v ? *len : sizeof v;
    return user_write(to, &v, *len) ? 0 : EFAULT;
}

int layer_getsockopt(void *u, int fd, int level, int name, void *value, socklen_t *len)
{
    struct layer *l = u;
    layer_lock(l);
    struct sock *s = sock_find(l, fd);
    int error = s ? do_get(l, s, level, name, value, len) : errno;
    layer_unlock(l);
    return error ? fail(error) : 0;
}

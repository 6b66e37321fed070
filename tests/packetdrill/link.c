/* The network: net/ speaks Ethernet to a station that is every remote host, packetdrill speaks IP.
 * Packets get and lose the link header here, super-frames are cut as a device would cut them, and
 * what only concerns the link (ARP, neighbour discovery) stays inside. Every address that a script
 * binds or sends to is ours; every address that it sends from can be reached. */
#include "layer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "wire/checksum.h"
#include "wire/eth.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"

/* Two ticks of 4 ms, and half of one. */
#define REORDERING_SLACK_NS (10200 * NS_PER_US)
#define RECEIVE_LIMIT_NS (3600 * NS_PER_S) /* no script waits longer for one packet */

static const uint8_t station_mac[6] = {2, 0, 0, 0, 0, 1}, our_mac[6] = {2, 0, 0, 0, 0, 2};

/* ---- what the command line says ---- */

/* "name=value" among words; false when it is not there. */
static bool find_word(const char *text, size_t length, const char *name, char *value, size_t room)
{
    size_t n = strlen(name);
    for (size_t at = 0; at < length;) {
        const char *word = text + at;
        size_t w = 0;
        while (at + w < length && word[w] && word[w] != ' ' && word[w] != ',') {
            w++;
        }
        const char *bare = word;
        size_t b = w;
        while (b && *bare == '-') {
            bare++;
            b--;
        }
        if (b > n + 1 && !strncmp(bare, name, n) && bare[n] == '=' && b - n - 1 < room) {
            memcpy(value, bare + n + 1, b - n - 1);
            value[b - n - 1] = 0;
            return true;
        }
        at += w + 1;
    }
    return false;
}

/* --so_flags first, then packetdrill's own options, which it does not pass on. */
static bool setting(const char *flags, const char *name, char *value, size_t room)
{
    if (flags && find_word(flags, strlen(flags), name, value, room)) {
        return true;
    }
    char line[8192];
    int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, line, sizeof line);
    if (fd >= 0) {
        close(fd);
    }
    return n > 0 && find_word(line, (size_t)n, name, value, room);
}

/* ---- life ---- */

static void *chunk_get(void *ctx, size_t bytes)
{
    (void)ctx;
    return aligned_alloc(64, (bytes + 63) / 64 * 64);
}

static void chunk_put(void *ctx, void *chunk, size_t bytes)
{
    (void)ctx;
    (void)bytes;
    free(chunk);
}

static void default_addresses(struct layer *l, const char *flags)
{
    char text[64];
    struct ip_addr a;
    l->local_v4 = ip_addr_v4(192, 168, 0, 1);
    ip_addr_parse("fd3d:a0b:17d6::1", &l->local_v6);
    if (setting(flags, "local_ip", text, sizeof text) && ip_addr_parse(text, &a)) {
        *(ip_addr_is_v4(&a) ? &l->local_v4 : &l->local_v6) = a;
    }
    l->mtu = setting(flags, "mtu", text, sizeof text) ? (uint32_t)strtoul(text, NULL, 10) : 1500;
    l->mtu = l->mtu < 1280 ? 1280 : l->mtu > 65535 ? 65535 : l->mtu;
}

static void add_default_routes(struct layer *l)
{
    struct net_route v4 = {.prefix = {.addr = ip_addr_v4(0, 0, 0, 0)}}, v6 = {0};
    net_route_add(l->net, &v4);
    net_route_add(l->net, &v6);
}

void link_set_frames(struct layer *l)
{
    const struct tcp_link link = {
        .tso = true,
        .max_frame = 65535,
        .paced_frame_segments =
            (uint32_t)(l->sysctls.min_tso_segs < 1 ? 1 : l->sysctls.min_tso_segs),
        .defer_divisor = (uint32_t)l->sysctls.tso_win_divisor,
    };
    tcp_set_link(l->engine, &link);
}

bool link_open(struct layer *l, const char *flags)
{
    const struct arena_source source = {chunk_get, chunk_put, NULL};
    default_addresses(l, flags);
    l->arena = arena_new(&source, (size_t)1 << 30);
    struct tcp_config config;
    tcp_config_default(&config);
    config.arena = l->arena;
    config.seed0 = 1;
    config.seed1 = 2;
    config.max_endpoints = 4096;
    config.push_super_frames = true;
    config.accept_missing_timestamps = true;
    config.nagle_minshall = true;
    config.probe_without_data = true;
    config.accept_ended = true;
    config.piggyback_acks = true;
    config.sack_whole_segments = true;
    config.reordering_slack_ns = REORDERING_SLACK_NS;
    config.quiet_on_unsent_ack = true;
    config.cwnd_as_linux = true;
    config.delay_fin_acks = true;
    config.icmp_ends_opening = true;
    config.accecn_as_linux = true;
    config.syn_linear_timeouts =
        l->sysctls.syn_linear_timeouts < 0 ? 0 : (uint32_t)l->sysctls.syn_linear_timeouts;
    l->engine = l->arena ? tcp_engine_new(&config, l->now) : NULL;
    struct net_config nc = {.arena = l->arena,
                            .engine = l->engine,
                            .seed0 = 3,
                            .seed1 = 4,
                            .link = NET_LINK_ETHERNET,
                            .mtu = l->mtu,
                            .tso = true};
    memcpy(nc.mac, our_mac, sizeof nc.mac);
    l->net = l->engine ? net_new(&nc, l->now) : NULL;
    if (!l->net) {
        return false;
    }
    link_set_frames(l);
    add_default_routes(l);
    link_add_local(l, &l->local_v4);
    link_add_local(l, &l->local_v6);
    return true;
}

void link_close(struct layer *l)
{
    list_for_each_safe(link, tmp, &l->captured)
    {
        struct captured *c = container_of(link, struct captured, link);
        list_remove(&c->link);
        free(c);
    }
    net_free(l->net);
    tcp_engine_free(l->engine);
    arena_free(l->arena);
}

void link_add_local(struct layer *l, const struct ip_addr *a)
{
    if (ip_addr_is_unspecified(a) || ip_addr_is_multicast(a) || net_is_local(l->net, a)) {
        return;
    }
    const struct ip_prefix host = {.addr = *a, .length = ip_addr_is_v4(a) ? 32 : 128};
    net_address_add(l->net, l->now, &host);
}

void link_add_remote(struct layer *l, const struct ip_addr *a)
{
    net_neighbour_set(l->net, l->now, a, station_mac);
}

/* ---- out ---- */

static bool for_the_link_only(const uint8_t *ip, size_t length)
{
    if (length < 41 || ip[0] >> 4 != 6) {
        return length < 20 || (ip[0] >> 4 == 4 && ip[9] == 2); /* IGMP */
    }
    size_t at = 40;
    uint8_t next = ip[6];
    if (next == 0 && length > 48) { /* hop-by-hop options: MLD */
        next = ip[at];
        at += 8 + (size_t)ip[at + 1] * 8;
    }
    return next == 58 && at < length && ip[at] >= 130 && ip[at] <= 143; /* MLD and ND */
}

static void keep(struct layer *l, const uint8_t *ip, size_t length)
{
    struct captured *c = malloc(sizeof *c + length);
    if (!c) {
        return;
    }
    c->at = l->now;
    c->length = length;
    memcpy(c->bytes, ip, length);
    list_append(&l->captured, &c->link);
}

static void put16(uint8_t *at, size_t v)
{
    at[0] = (uint8_t)(v >> 8);
    at[1] = (uint8_t)v;
}

static void put32(uint8_t *at, uint32_t v)
{
    put16(at, v >> 16);
    put16(at + 2, v & 0xffff);
}

static void finish_sums(uint8_t *ip, size_t header, size_t length)
{
    bool v4 = ip[0] >> 4 == 4;
    struct ip_addr src = v4 ? ip_addr_from_v4(ip + 12) : ip_addr_from_v6(ip + 8);
    struct ip_addr dst = v4 ? ip_addr_from_v4(ip + 16) : ip_addr_from_v6(ip + 24);
    if (v4) {
        put16(ip + 2, length);
        put16(ip + 10, 0);
        put16(ip + 10, checksum_finish(checksum_add(0, ip, header)));
    } else {
        put16(ip + 4, length - 40);
    }
    uint8_t *tcp = ip + header;
    put16(tcp + 16, 0);
    uint64_t sum = tcp_pseudo_sum(&src, &dst, (uint32_t)(length - header));
    put16(tcp + 16, checksum_finish(checksum_add(sum, tcp, length - header)));
}

/* A super-frame as a device cuts it: the sequence number moves, CWR stays with the first segment,
 * FIN and PSH with the last. */
static void segment(struct layer *l, const uint8_t *ip, size_t length, uint32_t gso)
{
    size_t ip_len = ip[0] >> 4 == 4 ? 20 : 40, head = ip_len + (size_t)(ip[ip_len + 12] >> 4) * 4;
    uint8_t *out = malloc(head + gso);
    uint32_t seq = (uint32_t)ip[ip_len + 4] << 24 | (uint32_t)ip[ip_len + 5] << 16 |
                   (uint32_t)ip[ip_len + 6] << 8 | ip[ip_len + 7];
    for (size_t at = head; out && at < length; at += gso) {
        size_t n = length - at < gso ? length - at : gso;
        memcpy(out, ip, head);
        memcpy(out + head, ip + at, n);
        put32(out + ip_len + 4, seq + (uint32_t)(at - head));
        uint8_t flags = out[ip_len + 13];
        if (at != head) {
            flags &= (uint8_t)~TCP_CWR;
        }
        if (at + n < length) {
            flags &= (uint8_t) ~(TCP_FIN | TCP_PSH);
        }
        out[ip_len + 13] = flags;
        finish_sums(out, ip_len, head + n);
        keep(l, out, head + n);
    }
    free(out);
}

void link_capture(struct layer *l)
{
    struct net_frame frame;
    static const size_t eth = ETH_HEADER;
    while (net_flush(l->net, l->now, &frame)) {
        uint8_t *bytes = malloc(frame.length);
        if (!bytes) {
            return;
        }
        memcpy(bytes, frame.header, frame.header_len);
        size_t at = frame.header_len;
        for (unsigned i = 0; i < frame.n_ranges; i++) {
            memcpy(bytes + at, frame.range[i].data, frame.range[i].length);
            at += frame.range[i].length;
        }
        uint16_t type = (uint16_t)(bytes[12] << 8 | bytes[13]);
        bool ip = type == ETH_TYPE_IPV4 || type == ETH_TYPE_IPV6;
        if (ip && !for_the_link_only(bytes + eth, at - eth)) {
            if (frame.offload.gso_size) {
                segment(l, bytes + eth, at - eth, frame.offload.gso_size);
            } else {
                keep(l, bytes + eth, at - eth);
            }
        }
        free(bytes);
    }
}

static bool take(struct layer *l, void *packet, size_t *count, long long *time_us)
{
    if (list_empty(&l->captured)) {
        return false;
    }
    struct captured *c = container_of(l->captured.next, struct captured, link);
    *count = c->length < *count ? c->length : *count;
    memcpy(packet, c->bytes, *count);
    *time_us = (l->wall_base_ns + c->at.ns) / NS_PER_US;
    list_remove(&c->link);
    free(c);
    return true;
}

int link_receive(void *u, void *packet, size_t *count, long long *time_us)
{
    struct layer *l = u;
    layer_lock(l);
    ackd_time limit = time_add(l->now, RECEIVE_LIMIT_NS);
    layer_run(l);
    while (!take(l, packet, count, time_us)) {
        ackd_time next = layer_next(l);
        if (!time_reached(next, limit)) {
            *count = 0;
            *time_us = layer_wall_ns(l) / NS_PER_US;
            break;
        }
        layer_advance(l, next);
    }
    layer_unlock(l);
    return 0;
}

/* ---- in ---- */

/* An empty device never gets a packet with a wrong length; a script may send one. */
static bool addresses(const uint8_t *ip, size_t length, struct ip_addr *src, struct ip_addr *dst)
{
    if (length >= 20 && ip[0] >> 4 == 4) {
        *src = ip_addr_from_v4(ip + 12);
        *dst = ip_addr_from_v4(ip + 16);
        return true;
    }
    if (length >= 40 && ip[0] >> 4 == 6) {
        *src = ip_addr_from_v6(ip + 8);
        *dst = ip_addr_from_v6(ip + 24);
        return true;
    }
    return false;
}

int link_send(void *u, const void *packet, size_t length)
{
    struct layer *l = u;
    const uint8_t *ip = packet;
    struct ip_addr src, dst;
    layer_lock(l);
    if (!addresses(ip, length, &src, &dst) || length + ETH_HEADER > PKT_FRAME_CAPACITY) {
        layer_unlock(l);
        return fail(EINVAL);
    }
    link_add_local(l, &dst);
    link_add_remote(l, &src);
    sockets_refresh_sysctls(l);
    struct pkt *pkt = pkt_get(tcp_pool(l->engine), PKT_FRAME_CAPACITY);
    if (!pkt) {
        layer_unlock(l);
        return fail(ENOBUFS);
    }
    memcpy(pkt->data, our_mac, 6);
    memcpy(pkt->data + 6, station_mac, 6);
    put16(pkt->data + 12, ip[0] >> 4 == 4 ? ETH_TYPE_IPV4 : ETH_TYPE_IPV6);
    memcpy(pkt->data + ETH_HEADER, ip, length);
    const struct net_offload none = {0};
    net_input(l->net, l->now, pkt, 0, (uint32_t)(ETH_HEADER + length), &none);
    pkt_unref(pkt);
    layer_run(l);
    layer_advance(l, l->now); /* a blocked call may have got what it waits for */
    layer_unlock(l);
    return 0;
}

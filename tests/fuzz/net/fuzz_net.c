/* Everything that can happen to net/ in any order: frames with any offload header, time, segments
 * of the engine (one that only records), addresses and neighbours that come and go, writes that
 * fail. After each step: what the engine was handed is what a slow reading of the frame allows,
 * what goes out is well-formed, tables keep their bounds, and nothing asks to be called again when
 * nothing is left to do. */
#include "../fuzz.h"

#include <errno.h>
#include <string.h>

#include "../../unit/net/fake_tcp.h"
#include "net/net.h"
#include "wire/checksum.h"
#include "wire/eth.h"
#include "wire/icmp.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"

enum { MTU = 1500, STEPS_MAX = 400, FRAMES_MAX = 4000 };

static const uint8_t our_mac[6] = {2, 0, 0, 0, 0, 1}, peer_mac[6] = {2, 0, 0, 0, 0, 2};
static const char *const address_text[] = {"10.0.0.1/24",    "10.9.0.1/16", "127.0.0.1/8",
                                           "2001:db8::1/64", "fe80::1/64",  "::1/128"};
static const char *const peer_text[] = {"10.0.0.2", "10.0.0.3",    "192.0.2.9",   "10.0.0.1",
                                        "fe80::2",  "2001:db8::2", "2001:db8::3", "2001:db8:1::9",
                                        "::1",      "2001:db8::1"};
#define COUNT(a) (sizeof(a) / sizeof(a)[0])

struct input {
    const uint8_t *at;
    size_t left;
};

static uint8_t take(struct input *in)
{
    if (in->left == 0) {
        return 0;
    }
    in->left--;
    return *in->at++;
}

struct run {
    struct arena *arena;
    struct tcp_engine *engine;
    struct net *net;
    ackd_time now;
    unsigned frames;
};

/* Mapping a chunk costs more than most inputs: the last one given back is given out again. */
static void *spare;
static size_t spare_bytes;

static void *chunk_get(void *ctx, size_t bytes)
{
    (void)ctx;
    if (spare && spare_bytes == bytes) {
        void *chunk = spare;
        spare = NULL;
        return chunk;
    }
    return aligned_alloc(64, (bytes + 63) & ~(size_t)63);
}

static void chunk_put(void *ctx, void *chunk, size_t bytes)
{
    (void)ctx;
    if (bytes > spare_bytes || !spare) {
        free(spare);
        spare = chunk;
        spare_bytes = bytes;
    } else {
        free(chunk);
    }
}

static struct ip_addr addr(const char *text)
{
    struct ip_addr a;
    FUZZ_CHECK(ip_addr_parse(text, &a));
    return a;
}

static struct ip_prefix prefix(const char *text)
{
    struct ip_prefix p;
    FUZZ_CHECK(ip_prefix_parse(text, &p));
    return p;
}

/* ---- frames in ---- */

/* Checksums are a wall to a fuzzer: write the right ones where a header and a message can be found.
 */
static void fix_checksums(uint8_t *frame, size_t length)
{
    uint8_t *ip = frame + ETH_HEADER;
    struct ipv4_hdr v4;
    struct ipv6_hdr v6;
    if (length < ETH_HEADER) {
        return;
    }
    length -= ETH_HEADER;
    if (ipv4_hdr_parse(ip, length, &v4) == IPV4_OK) {
        ip[10] = ip[11] = 0;
        uint16_t sum = checksum_finish(checksum_add(0, ip, v4.header_len));
        ip[10] = (uint8_t)(sum >> 8);
        ip[11] = (uint8_t)sum;
        uint32_t n = (uint32_t)v4.total_length - v4.header_len;
        if (v4.protocol == IP_PROTOCOL_ICMP && n >= 4) {
            uint8_t *icmp = ip + v4.header_len;
            icmp[2] = icmp[3] = 0;
            sum = checksum_finish(checksum_add(0, icmp, n));
            icmp[2] = (uint8_t)(sum >> 8);
            icmp[3] = (uint8_t)sum;
        }
    } else if (ipv6_hdr_parse(ip, length, &v6) == IPV6_OK && v6.next_header == IP_PROTOCOL_ICMPV6 &&
               v6.payload_length >= 4) {
        uint8_t *icmp = ip + IPV6_HEADER;
        uint8_t pseudo[8] = {0,
                             0,
                             (uint8_t)(v6.payload_length >> 8),
                             (uint8_t)v6.payload_length,
                             0,
                             0,
                             0,
                             IP_PROTOCOL_ICMPV6};
        icmp[2] = icmp[3] = 0;
        uint64_t s = checksum_add(checksum_add(0, ip + 8, 32), pseudo, 8);
        uint16_t sum = checksum_finish(checksum_add(s, icmp, v6.payload_length));
        icmp[2] = (uint8_t)(sum >> 8);
        icmp[3] = (uint8_t)sum;
    }
}

/* What the engine got must be what the bytes say. */
static void check_segment(const struct run *r, const struct pkt *pkt, uint32_t frame,
                          uint32_t length, const struct net_offload *o)
{
    const struct tcp_rx *rx = &r->engine->rx;
    FUZZ_CHECK(rx->offset >= frame + ETH_HEADER + 20);
    FUZZ_CHECK(rx->offset + rx->length <= frame + length);
    FUZZ_CHECK(rx->checksum_ok == (o->needs_checksum || o->data_valid));
    FUZZ_CHECK(!o->needs_checksum || (o->csum_start == rx->offset - frame && o->csum_offset == 16));
    FUZZ_CHECK(rx->gso_size == o->gso_size && (rx->gso_size == 0 || rx->checksum_ok));
    FUZZ_CHECK(rx->to_group || net_is_local(r->net, &rx->dst));
    FUZZ_CHECK(!net_is_local(r->net, &rx->src) && !ip_addr_is_multicast(&rx->src));
    FUZZ_CHECK(!ip_addr_is_loopback(&rx->src) && !ip_addr_is_loopback(&rx->dst));
    FUZZ_CHECK(!ip_addr_is_unspecified(&rx->src) && !ip_addr_is_limited_broadcast(&rx->src));
    bool v4 = ip_addr_is_v4(&rx->src);
    FUZZ_CHECK(v4 == ip_addr_is_v4(&rx->dst));
    FUZZ_CHECK(rx->mtu >= (v4 ? 552u : 1280u) && rx->mtu <= MTU);
    const uint8_t *type = pkt->data + frame + 12;
    bool tagged = type[0] == 0x81;
    FUZZ_CHECK(type[tagged ? 4 : 0] == (v4 ? 0x08 : 0x86));
}

static void frame_in(struct run *r, struct input *in)
{
    uint8_t flags = take(in);
    uint32_t length = (uint32_t)(take(in) | (take(in) & 7) << 8);
    struct net_offload o = {
        .needs_checksum = flags & 1, .data_valid = flags & 2, .gso_v6 = flags & 4};
    if (flags & 8) {
        o.gso_size = take(in);
    }
    if (o.needs_checksum) {
        o.csum_start = take(in);
        o.csum_offset = take(in);
    }
    length = length < in->left ? length : (uint32_t)in->left;
    uint32_t frame = 2;
    struct pkt *pkt = malloc(sizeof *pkt + frame + length);
    FUZZ_CHECK(pkt != NULL);
    *pkt = (struct pkt){.refs = 1, .capacity = frame + length};
    memcpy(pkt->data + frame, in->at, length);
    in->at += length;
    in->left -= length;
    if (flags & 0x10) {
        fix_checksums(pkt->data + frame, length);
    }
    unsigned inputs = r->engine->inputs;
    net_input(r->net, r->now, pkt, frame, length, &o);
    FUZZ_CHECK(r->engine->inputs <= inputs + 1);
    if (r->engine->inputs > inputs) {
        check_segment(r, pkt, frame, length, &o);
    }
    FUZZ_CHECK(pkt->refs == 1);
    free(pkt);
}

/* ---- frames out ---- */

static size_t flatten(const struct net_frame *f, uint8_t *out)
{
    size_t n = f->header_len;
    memcpy(out, f->header, n);
    for (unsigned i = 0; i < f->n_ranges; i++) {
        memcpy(out + n, f->range[i].data, f->range[i].length);
        n += f->range[i].length;
    }
    return n;
}

static void check_icmp(const struct ip_addr *src, const struct ip_addr *dst, uint8_t protocol,
                       const uint8_t *at, size_t length)
{
    if (protocol == IP_PROTOCOL_ICMP) {
        FUZZ_CHECK(icmp4_checksum_ok(at, length));
    } else if (protocol == IP_PROTOCOL_ICMPV6) {
        FUZZ_CHECK(icmp6_checksum_ok(src, dst, at, length));
    } else {
        FUZZ_CHECK(protocol == IP_PROTOCOL_TCP);
    }
}

static void check_frame(const struct net_frame *f)
{
    static uint8_t bytes[70000];
    size_t length = flatten(f, bytes);
    struct eth_hdr eth;
    struct ipv4_hdr v4;
    struct ipv6_hdr v6;
    const uint8_t *at = bytes + ETH_HEADER;
    FUZZ_CHECK(length == f->length && eth_hdr_parse(bytes, length, &eth));
    FUZZ_CHECK(memcmp(eth.src, our_mac, 6) == 0 && !eth_addr_is_zero(eth.dst));
    FUZZ_CHECK(length <= ETH_HEADER + MTU || f->offload.gso_size > 0);
    length -= ETH_HEADER;
    if (eth.type == ETH_TYPE_IPV4) {
        FUZZ_CHECK(ipv4_hdr_parse(at, length, &v4) == IPV4_OK && ipv4_checksum_ok(at, &v4));
        FUZZ_CHECK(v4.total_length == length && v4.dont_fragment && !ip_addr_is_loopback(&v4.dst));
        check_icmp(&v4.src, &v4.dst, v4.protocol, at + v4.header_len, length - v4.header_len);
    } else if (eth.type == ETH_TYPE_IPV6) {
        FUZZ_CHECK(ipv6_hdr_parse(at, length, &v6) == IPV6_OK &&
                   IPV6_HEADER + v6.payload_length == length);
        FUZZ_CHECK(!ip_addr_is_loopback(&v6.dst));
        check_icmp(&v6.src, &v6.dst, v6.next_header, at + IPV6_HEADER, v6.payload_length);
    } else {
        FUZZ_CHECK(eth.type == ETH_TYPE_ARP && length == 28);
    }
}

static bool frame_out(struct run *r, bool fail)
{
    struct net_frame f;
    if (!net_flush(r->net, r->now, &f)) {
        return false;
    }
    check_frame(&f);
    if (fail) {
        net_write_failed(r->net, r->now, &f);
    }
    FUZZ_CHECK(++r->frames < FRAMES_MAX);
    return true;
}

/* Turns of the host's cycle until there is nothing left to do at this instant: few, whatever came
 * before. */
static void settle(struct run *r)
{
    for (unsigned turn = 0; turn < 100; turn++) {
        net_timeout(r->net, r->now);
        while (frame_out(r, false)) {
        }
        if (time_before(r->now, net_next_deadline(r->net, r->now))) {
            FUZZ_CHECK(r->engine->sent == r->engine->scripted);
            return;
        }
    }
    FUZZ_CHECK(!"it never rests");
}

/* ---- steps ---- */

static void segment(struct run *r, struct input *in)
{
    static uint8_t payload[60000];
    uint8_t which = take(in), size = take(in);
    struct ip_addr dst = addr(peer_text[which % COUNT(peer_text)]), src;
    uint32_t mtu;
    if (net_source_for(r->net, &dst, NULL, &src, &mtu) != 0) {
        src = addr(ip_addr_is_v4(&dst) ? "10.0.0.1" : "2001:db8::1"); /* perhaps just removed */
    }
    bool super = size >= 0xf0;
    uint32_t n = super ? size * 200u : size * 4u;
    struct tcp_tx *tx = fake_tcp_script(r->engine, &src, &dst, payload, n);
    tx->gso_size = super ? 1000 : 0;
    tx->checksum_partial = super || (which & 0x80);
}

static void change_address(struct run *r, struct input *in)
{
    uint8_t which = take(in);
    struct ip_prefix p = prefix(address_text[which % COUNT(address_text)]);
    if (which & 0x80) {
        net_address_remove(r->net, r->now, &p.addr);
    } else {
        net_address_add(r->net, r->now, &p);
    }
}

static const char *const route_text[] = {"0.0.0.0/0",       "192.0.2.0/24", "192.0.2.9/32",
                                         "10.0.0.0/25",     "::/0",         "2001:db8:1::/48",
                                         "2001:db8::3/128", "10.9.0.0/33"};
static const char *const gateway_text[] = {"10.0.0.2", "10.0.0.3",    "10.0.0.1", "192.0.2.1",
                                           "fe80::2",  "2001:db8::2", "::1",      NULL};

/* A route that was taken is listed, is found by what it leads to, and does not lead to ourselves.
 */
static void change_route(struct run *r, struct input *in)
{
    uint8_t which = take(in), by = take(in);
    const char *gateway = gateway_text[by % COUNT(gateway_text)];
    struct net_route route = {.gateway = gateway ? addr(gateway) : (struct ip_addr){{0}}},
                     list[160];
    if (!ip_prefix_parse(route_text[which % COUNT(route_text)], &route.prefix)) {
        route.prefix = (struct ip_prefix){addr("10.9.0.0"), 33}; /* longer than the address */
    }
    if (which & 0x80) {
        int result = net_route_remove(r->net, &route.prefix);
        FUZZ_CHECK(result == 0 || result == -ENOENT);
        return;
    }
    int result = net_route_add(r->net, &route);
    unsigned n = net_route_list(r->net, list, COUNT(list)), found = 0;
    for (unsigned i = 0; i < n; i++) {
        found += list[i].prefix.length == route.prefix.length &&
                 ip_addr_equal(&list[i].prefix.addr, &route.prefix.addr) &&
                 ip_addr_equal(&list[i].gateway, &route.gateway);
    }
    FUZZ_CHECK(result != 0 || found >= 1);
    FUZZ_CHECK(net_route_list(r->net, list, n / 2) == n / 2);
}

/* Whatever is asked for: the source is ours, of the destination's family, and the one wanted. */
static void choose_source(struct run *r, struct input *in)
{
    static const char *const odd[] = {"0.0.0.0", "224.0.0.1", "10.0.0.255", "::",
                                      "ff02::1", "127.0.0.5", "240.0.0.1",  "fe80::77"};
    uint8_t to = take(in), wanted = take(in);
    struct ip_addr dst =
        to & 0x80 ? addr(odd[to % COUNT(odd)]) : addr(peer_text[to % COUNT(peer_text)]);
    struct ip_prefix want = prefix(address_text[wanted % COUNT(address_text)]);
    struct ip_addr src;
    uint32_t mtu = 0;
    if (net_source_for(r->net, &dst, wanted & 0x80 ? &want.addr : NULL, &src, &mtu) == 0) {
        FUZZ_CHECK(net_is_local(r->net, &src) && ip_addr_is_v4(&src) == ip_addr_is_v4(&dst));
        FUZZ_CHECK(!(wanted & 0x80) || ip_addr_equal(&src, &want.addr));
        FUZZ_CHECK(mtu >= (ip_addr_is_v4(&dst) ? 552u : 1280u) && !ip_addr_is_multicast(&dst));
    }
}

static void change_neighbour(struct run *r, struct input *in)
{
    uint8_t which = take(in);
    struct ip_addr a = addr(peer_text[which % COUNT(peer_text)]);
    if (which & 0x80) {
        net_neighbour_remove(r->net, &a);
    } else {
        net_neighbour_set(r->net, r->now, &a, peer_mac);
    }
}

static void check_tables(const struct run *r)
{
    static struct net_neighbour list[2048];
    unsigned n = net_neighbour_list(r->net, list, 2048);
    FUZZ_CHECK(n <= 1024);
    for (unsigned i = 0; i < n; i++) {
        FUZZ_CHECK(list[i].queued <= 32);
        FUZZ_CHECK(list[i].queued == 0 || list[i].state == NET_NEIGH_INCOMPLETE);
        FUZZ_CHECK(list[i].state == NET_NEIGH_FAILED ||
                   (list[i].state == NET_NEIGH_INCOMPLETE) == eth_addr_is_zero(list[i].mac));
        FUZZ_CHECK(!eth_addr_is_group(list[i].mac));
        FUZZ_CHECK(!list[i].is_static || memcmp(list[i].mac, peer_mac, 6) == 0);
    }
    struct arena_stats stats;
    arena_stats(r->arena, &stats);
    FUZZ_CHECK(stats.used < 40u << 20);
}

static void step(struct run *r, struct input *in)
{
    uint8_t op = take(in);
    switch (op & 7) {
    case 0:
    case 1:
        frame_in(r, in);
        break;
    case 2:
        settle(r);
        r->now = time_add(r->now, NS_PER_MS << (take(in) % 20));
        settle(r);
        break;
    case 3:
        segment(r, in);
        break;
    case 4:
        (op & 8 ? change_route : change_address)(r, in);
        break;
    case 5:
        (op & 8 ? choose_source : change_neighbour)(r, in);
        break;
    case 6:
        frame_out(r, op & 0x80);
        break;
    default:
        r->engine->icmp_bad_sequence = op & 0x80;
        settle(r);
        break;
    }
    check_tables(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct arena_source source = {chunk_get, chunk_put, NULL};
    struct input in = {data, size};
    struct run r = {.now = time_from_ns(NS_PER_S)};
    r.arena = arena_new(&source, 64u << 20);
    r.engine = fake_tcp_new(r.arena);
    struct net_config config = {.arena = r.arena,
                                .engine = r.engine,
                                .link = NET_LINK_ETHERNET,
                                .mtu = MTU,
                                .checksum_offload = true,
                                .tso = true,
                                .allow_source_route = size & 1};
    memcpy(config.mac, our_mac, 6);
    struct arena_stats before, after;
    arena_stats(r.arena, &before);
    r.net = net_new(&config, r.now);
    struct ip_prefix p4 = prefix(address_text[0]), p6 = prefix(address_text[3]);
    net_address_add(r.net, r.now, &p4);
    net_address_add(r.net, r.now, &p6);
    struct net_route route = {prefix("0.0.0.0/0"), addr("10.0.0.2")};
    net_route_add(r.net, &route);
    for (unsigned i = 0; i < STEPS_MAX && in.left > 0; i++) {
        step(&r, &in);
    }
    settle(&r);
    net_free(r.net);
    arena_stats(r.arena, &after);
    FUZZ_CHECK(after.used <= before.used + 8 * (65568u + 64u)); /* the pool's idle buffers */
    fake_tcp_free(r.engine);
    arena_free(r.arena);
    return 0;
}

/* ICMP of both families with the packets that errors quote, neighbour discovery, ARP and Ethernet.
 * The first byte of the input chooses; for neighbour discovery the next 33 are source, destination
 * and hop limit. */
#include "../fuzz.h"

#include <string.h>
#include "wire/arp.h"
#include "wire/eth.h"
#include "wire/icmp.h"
#include "wire/ndp.h"

static const struct ip_addr src = {{0xfe, 0x80, [15] = 1}}, dst = {{0xfe, 0x80, [15] = 2}};

static void check_quote(const struct icmp_msg *msg, const struct icmp_quote *quote)
{
    if (!quote->later_fragment) {
        FUZZ_CHECK(quote->upper > msg->body);
        FUZZ_CHECK(quote->upper + quote->upper_len <= msg->body + msg->body_len);
    }
}

static size_t build(uint8_t *bytes, size_t capacity, bool v6, const struct icmp_msg *msg)
{
    return v6 ? icmp6_build(bytes, capacity, &src, &dst, msg) : icmp4_build(bytes, capacity, msg);
}

/* The bytes that a message may have, by the RFCs' lists. */
static size_t allowed(bool v6, uint8_t type, size_t size)
{
    bool error = v6 ? type < 128 : type == 3 || type == 4 || type == 5 || type == 11 || type == 12;
    size_t most = v6 ? 1280 - 40 : 576 - 20;
    return error && size > most ? most : size;
}

static void check_icmp(const uint8_t *data, size_t size, bool v6)
{
    struct icmp_msg msg, again;
    struct icmp_quote quote;
    if (!(v6 ? icmp6_parse : icmp4_parse)(data, size, &msg)) {
        FUZZ_CHECK(size < ICMP_HEADER);
        return;
    }
    FUZZ_CHECK(msg.body_len == size - ICMP_HEADER);
    if ((v6 ? icmp6_quote_parse : icmp4_quote_parse)(msg.body, msg.body_len, &quote)) {
        check_quote(&msg, &quote);
    }
    uint8_t *built = malloc(size);
    FUZZ_CHECK(built != NULL);
    size_t length = build(built, size, v6, &msg);
    FUZZ_CHECK(length == allowed(v6, msg.type, size));
    uint8_t *tight = malloc(length);
    FUZZ_CHECK(tight != NULL && build(tight, length, v6, &msg) == length);
    FUZZ_CHECK(build(tight, length - 1, v6, &msg) == 0);
    free(tight);
    FUZZ_CHECK(v6 ? icmp6_checksum_ok(&src, &dst, built, length)
                  : icmp4_checksum_ok(built, length));
    FUZZ_CHECK((v6 ? icmp6_parse : icmp4_parse)(built, length, &again));
    FUZZ_CHECK(again.type == msg.type && again.code == msg.code && again.id == msg.id);
    FUZZ_CHECK(again.sequence == msg.sequence && again.mtu == msg.mtu &&
               again.pointer == msg.pointer);
    FUZZ_CHECK(memcmp(again.body, msg.body, again.body_len) == 0);
    free(built);
}

static void check_ndp(const uint8_t *data, size_t size)
{
    struct ndp_msg msg, again;
    if (size < 33) {
        return;
    }
    struct ip_addr from = ip_addr_from_v6(data), to = ip_addr_from_v6(data + 16);
    if (!ndp_parse(&from, &to, data[32], data + 33, size - 33, &msg)) {
        return;
    }
    FUZZ_CHECK(data[32] == NDP_HOP_LIMIT && msg.n_prefixes <= NDP_PREFIXES_MAX);
    for (unsigned i = 0; i < msg.n_prefixes; i++) {
        FUZZ_CHECK(msg.prefix[i].prefix.length <= 128 &&
                   !ip_addr_is_v4(&msg.prefix[i].prefix.addr));
    }
    uint8_t built[NDP_LENGTH_MAX], twice[NDP_LENGTH_MAX];
    size_t length = ndp_build(built, &from, &to, &msg);
    FUZZ_CHECK(length <= sizeof built && icmp6_checksum_ok(&from, &to, built, length));
    FUZZ_CHECK(ndp_parse(&from, &to, NDP_HOP_LIMIT, built, length, &again));
    FUZZ_CHECK(ndp_build(twice, &from, &to, &again) == length && memcmp(twice, built, length) == 0);
    FUZZ_CHECK(again.type == msg.type && ip_addr_equal(&again.target, &msg.target));
    FUZZ_CHECK(again.n_prefixes == msg.n_prefixes && again.mtu == msg.mtu);
}

static void check_arp(const uint8_t *data, size_t size)
{
    struct arp_msg msg;
    uint8_t built[ARP_LENGTH];
    if (arp_parse(data, size, &msg)) {
        arp_build(built, &msg);
        FUZZ_CHECK(memcmp(built, data, ARP_LENGTH) == 0);
    }
}

static void check_eth(const uint8_t *data, size_t size)
{
    struct eth_hdr hdr;
    uint8_t built[ETH_HEADER_VLAN], mac[ETH_ADDR];
    char text[ETH_ADDR_TEXT] = {0};
    memcpy(text, data, size < sizeof text ? size : sizeof text - 1);
    if (eth_addr_parse(text, mac)) {
        eth_addr_format(mac, text);
        FUZZ_CHECK(eth_addr_parse(text, built) && memcmp(mac, built, ETH_ADDR) == 0);
    }
    if (eth_hdr_parse(data, size, &hdr)) {
        FUZZ_CHECK(eth_hdr_build(built, &hdr) == hdr.header_len);
        FUZZ_CHECK(memcmp(built, data, hdr.header_len) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    switch (data[0] % 5) {
    case 0:
        check_arp(data + 1, size - 1);
        break;
    case 1:
        check_icmp(data + 1, size - 1, false);
        break;
    case 2:
        check_icmp(data + 1, size - 1, true);
        break;
    case 3:
        check_ndp(data + 1, size - 1);
        break;
    default:
        check_eth(data + 1, size - 1);
    }
    return 0;
}

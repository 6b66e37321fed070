/* Destination, source and type, big-endian, before the payload; an 802.1Q tag is a type of its own,
 * two bytes of tag control and then the payload's type. The frame check sequence is the device's
 * business. */
#include "wire/eth.h"

#include <stdio.h>
#include <string.h>

#include "wire/bytes.h"

bool eth_hdr_parse(const uint8_t *bytes, size_t length, struct eth_hdr *out)
{
    memset(out, 0, sizeof *out);
    if (length < ETH_HEADER) {
        return false;
    }
    memcpy(out->dst, bytes, ETH_ADDR);
    memcpy(out->src, bytes + 6, ETH_ADDR);
    out->type = get16(bytes + 12);
    out->header_len = ETH_HEADER;
    if (out->type == ETH_TYPE_VLAN) {
        if (length < ETH_HEADER_VLAN) {
            return false;
        }
        out->has_vlan = true;
        out->vlan_tci = get16(bytes + 14);
        out->type = get16(bytes + 16);
        out->header_len = ETH_HEADER_VLAN;
    }
    return true;
}

uint8_t eth_hdr_build(uint8_t bytes[ETH_HEADER_VLAN], const struct eth_hdr *hdr)
{
    memcpy(bytes, hdr->dst, ETH_ADDR);
    memcpy(bytes + 6, hdr->src, ETH_ADDR);
    if (!hdr->has_vlan) {
        put16(bytes + 12, hdr->type);
        return ETH_HEADER;
    }
    put16(bytes + 12, ETH_TYPE_VLAN);
    put16(bytes + 14, hdr->vlan_tci);
    put16(bytes + 16, hdr->type);
    return ETH_HEADER_VLAN;
}

bool eth_addr_is_broadcast(const uint8_t mac[ETH_ADDR])
{
    static const uint8_t broadcast[ETH_ADDR] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    return memcmp(mac, broadcast, ETH_ADDR) == 0;
}

bool eth_addr_is_zero(const uint8_t mac[ETH_ADDR])
{
    static const uint8_t zero[ETH_ADDR];
    return memcmp(mac, zero, ETH_ADDR) == 0;
}

bool eth_addr_for_group(const struct ip_addr *ip, uint8_t mac[ETH_ADDR])
{
    if (ip_addr_is_limited_broadcast(ip)) {
        memset(mac, 0xff, ETH_ADDR);
    } else if (!ip_addr_is_multicast(ip)) {
        return false;
    } else if (ip_addr_is_v4(ip)) {
        put16(mac, 0x0100);
        put32(mac + 2, 0x5e000000 | (get32(ip->b + 12) & 0x7fffff));
    } else {
        put16(mac, 0x3333);
        memcpy(mac + 2, ip->b + 12, 4);
    }
    return true;
}

char *eth_addr_format(const uint8_t mac[ETH_ADDR], char text[ETH_ADDR_TEXT])
{
    snprintf(text, ETH_ADDR_TEXT, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3],
             mac[4], mac[5]);
    return text;
}

bool eth_addr_parse(const char *text, uint8_t mac[ETH_ADDR])
{
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    uint8_t out[ETH_ADDR];
    if (strlen(text) != ETH_ADDR_TEXT - 1 || (text[2] != ':' && text[2] != '-')) {
        return false;
    }
    for (unsigned i = 0; i < ETH_ADDR; i++) {
        const char *pair = text + 3 * i;
        const char *high = strchr(digits, pair[0]), *low = strchr(digits, pair[1]);
        if (high == NULL || low == NULL || pair[2] != (i < ETH_ADDR - 1 ? text[2] : '\0')) {
            return false;
        }
        out[i] = (uint8_t)((high - digits) % 16 << 4 | (low - digits) % 16);
    }
    memcpy(mac, out, ETH_ADDR);
    return true;
}

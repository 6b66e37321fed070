/* RFC 826: hardware and protocol type and the lengths of their addresses say how long the four
 * addresses are that follow; we speak one combination, Ethernet and IPv4. */
#include "wire/arp.h"

#include <string.h>

#include "wire/bytes.h"
#include "wire/eth.h"

#define HARDWARE_ETHERNET 1

bool arp_parse(const uint8_t *bytes, size_t length, struct arp_msg *out)
{
    memset(out, 0, sizeof *out);
    if (length < ARP_LENGTH || get16(bytes) != HARDWARE_ETHERNET ||
        get16(bytes + 2) != ETH_TYPE_IPV4 || bytes[4] != ETH_ADDR || bytes[5] != 4) {
        return false;
    }
    out->op = get16(bytes + 6);
    memcpy(out->sender_mac, bytes + 8, ETH_ADDR);
    out->sender_ip = ip_addr_from_v4(bytes + 14);
    memcpy(out->target_mac, bytes + 18, ETH_ADDR);
    out->target_ip = ip_addr_from_v4(bytes + 24);
    return true;
}

void arp_build(uint8_t bytes[ARP_LENGTH], const struct arp_msg *msg)
{
    put16(bytes, HARDWARE_ETHERNET);
    put16(bytes + 2, ETH_TYPE_IPV4);
    bytes[4] = ETH_ADDR;
    bytes[5] = 4;
    put16(bytes + 6, msg->op);
    memcpy(bytes + 8, msg->sender_mac, ETH_ADDR);
    memcpy(bytes + 14, msg->sender_ip.b + 12, 4);
    memcpy(bytes + 18, msg->target_mac, ETH_ADDR);
    memcpy(bytes + 24, msg->target_ip.b + 12, 4);
}

/* ARP for IPv4 on Ethernet (RFC 826). Pure: bytes in, struct out and back. */
#ifndef ACKD_WIRE_ARP_H
#define ACKD_WIRE_ARP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "wire/addr.h"

#define ARP_LENGTH 28u

enum { ARP_REQUEST = 1, ARP_REPLY = 2 };

struct arp_msg {
    uint16_t op; /* any value: who receives it decides (RFC 826 looks at the opcode last) */
    uint8_t sender_mac[6], target_mac[6];
    struct ip_addr sender_ip, target_ip; /* IPv4 */
};

/* False when it is shorter than 28 bytes or not of hardware Ethernet (length 6) and protocol IPv4
 * (length 4). Trailing padding is ignored. */
bool arp_parse(const uint8_t *bytes, size_t length, struct arp_msg *out);
void arp_build(uint8_t bytes[ARP_LENGTH], const struct arp_msg *msg);

#endif

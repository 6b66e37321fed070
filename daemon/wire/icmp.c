/* RFC 792 and RFC 4443. What the second four bytes mean depends on the type; an error's body begins
 * with the IP header of the packet it is about, as that looked where it failed, and at least eight
 * bytes more: enough to find the connection. */
#include "wire/icmp.h"

#include <string.h>

#include "wire/bytes.h"
#include "wire/checksum.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"

/* What the second four bytes hold. */
enum rest { REST_UNUSED, REST_ECHO, REST_MTU16, REST_MTU32, REST_POINTER8, REST_POINTER32 };

bool icmp4_is_error(uint8_t type)
{
    return type == ICMP4_UNREACHABLE || type == ICMP4_SOURCE_QUENCH || type == ICMP4_REDIRECT ||
           type == ICMP4_TIME_EXCEEDED || type == ICMP4_PARAMETER_PROBLEM;
}

static enum rest rest4(uint8_t type, uint8_t code)
{
    switch (type) {
    case ICMP4_ECHO:
    case ICMP4_ECHO_REPLY:
        return REST_ECHO;
    case ICMP4_UNREACHABLE:
        return code == ICMP4_UNREACH_FRAGMENTATION ? REST_MTU16 : REST_UNUSED;
    case ICMP4_PARAMETER_PROBLEM:
        return REST_POINTER8;
    default:
        return REST_UNUSED;
    }
}

static enum rest rest6(uint8_t type)
{
    switch (type) {
    case ICMP6_ECHO:
    case ICMP6_ECHO_REPLY:
        return REST_ECHO;
    case ICMP6_TOO_BIG:
        return REST_MTU32;
    case ICMP6_PARAMETER_PROBLEM:
        return REST_POINTER32;
    default:
        return REST_UNUSED;
    }
}

static void read_rest(const uint8_t *bytes, enum rest rest, struct icmp_msg *out)
{
    switch (rest) {
    case REST_ECHO:
        out->id = get16(bytes + 4);
        out->sequence = get16(bytes + 6);
        break;
    case REST_MTU16:
        out->mtu = get16(bytes + 6);
        break;
    case REST_MTU32:
        out->mtu = get32(bytes + 4);
        break;
    case REST_POINTER8:
        out->pointer = bytes[4];
        break;
    case REST_POINTER32:
        out->pointer = get32(bytes + 4);
        break;
    case REST_UNUSED:
        break;
    }
}

static void write_rest(uint8_t *bytes, enum rest rest, const struct icmp_msg *msg)
{
    put32(bytes + 4, 0);
    switch (rest) {
    case REST_ECHO:
        put16(bytes + 4, msg->id);
        put16(bytes + 6, msg->sequence);
        break;
    case REST_MTU16:
        put16(bytes + 6, (uint16_t)(msg->mtu > 0xffff ? 0xffff : msg->mtu));
        break;
    case REST_MTU32:
        put32(bytes + 4, msg->mtu);
        break;
    case REST_POINTER8:
        bytes[4] = (uint8_t)msg->pointer;
        break;
    case REST_POINTER32:
        put32(bytes + 4, msg->pointer);
        break;
    case REST_UNUSED:
        break;
    }
}

static bool read_fixed(const uint8_t *bytes, size_t length, struct icmp_msg *out)
{
    memset(out, 0, sizeof *out);
    if (length < ICMP_HEADER) {
        return false;
    }
    out->type = bytes[0];
    out->code = bytes[1];
    out->body = bytes + ICMP_HEADER;
    out->body_len = length - ICMP_HEADER;
    return true;
}

bool icmp4_parse(const uint8_t *bytes, size_t length, struct icmp_msg *out)
{
    if (!read_fixed(bytes, length, out)) {
        return false;
    }
    read_rest(bytes, rest4(out->type, out->code), out);
    return true;
}

bool icmp6_parse(const uint8_t *bytes, size_t length, struct icmp_msg *out)
{
    if (!read_fixed(bytes, length, out)) {
        return false;
    }
    read_rest(bytes, rest6(out->type), out);
    return true;
}

bool icmp4_checksum_ok(const uint8_t *bytes, size_t length)
{
    return checksum_finish(checksum_add(0, bytes, length)) == 0;
}

bool icmp6_checksum_ok(const struct ip_addr *src, const struct ip_addr *dst, const uint8_t *bytes,
                       size_t length)
{
    uint64_t sum = checksum_pseudo(src, dst, IP_PROTOCOL_ICMPV6, (uint32_t)length);
    return checksum_finish(checksum_add(sum, bytes, length)) == 0;
}

/* Everything but the checksum, which stays zero. */
static size_t write_message(uint8_t *bytes, size_t capacity, const struct icmp_msg *msg,
                            size_t body_max, enum rest rest)
{
    size_t body = msg->body_len < body_max ? msg->body_len : body_max;
    if (capacity < ICMP_HEADER || body > capacity - ICMP_HEADER) {
        return 0;
    }
    if (body > 0) {
        memmove(bytes + ICMP_HEADER, msg->body, body);
    }
    bytes[0] = msg->type;
    bytes[1] = msg->code;
    put16(bytes + 2, 0);
    write_rest(bytes, rest, msg);
    return ICMP_HEADER + body;
}

size_t icmp4_build(uint8_t *bytes, size_t capacity, const struct icmp_msg *msg)
{
    size_t body_max = icmp4_is_error(msg->type) ? ICMP4_QUOTE_MAX : SIZE_MAX;
    size_t length = write_message(bytes, capacity, msg, body_max, rest4(msg->type, msg->code));
    if (length > 0) {
        put16(bytes + 2, checksum_finish(checksum_add(0, bytes, length)));
    }
    return length;
}

size_t icmp6_build(uint8_t *bytes, size_t capacity, const struct ip_addr *src,
                   const struct ip_addr *dst, const struct icmp_msg *msg)
{
    size_t body_max = icmp6_is_error(msg->type) ? ICMP6_QUOTE_MAX : SIZE_MAX;
    size_t length = write_message(bytes, capacity, msg, body_max, rest6(msg->type));
    if (length > 0) {
        uint64_t sum = checksum_pseudo(src, dst, IP_PROTOCOL_ICMPV6, (uint32_t)length);
        put16(bytes + 2, checksum_finish(checksum_add(sum, bytes, length)));
    }
    return length;
}

bool icmp4_quote_parse(const uint8_t *body, size_t length, struct icmp_quote *out)
{
    struct ipv4_hdr ip;
    memset(out, 0, sizeof *out);
    enum ipv4_error error = ipv4_hdr_parse(body, length, &ip);
    if (error != IPV4_OK && error != IPV4_TOTAL_LENGTH) { /* a quote is cut short as a rule */
        return false;
    }
    size_t end = error == IPV4_OK ? ip.total_length : length;
    *out = (struct icmp_quote){
        .src = ip.src,
        .dst = ip.dst,
        .protocol = ip.protocol,
        .tos = ip.tos,
        .ttl = ip.ttl,
        .total_length = ip.total_length,
        .later_fragment = ip.fragment_offset != 0,
    };
    if (!out->later_fragment) {
        out->upper = body + ip.header_len;
        out->upper_len = end - ip.header_len;
    }
    return true;
}

bool icmp6_quote_parse(const uint8_t *body, size_t length, struct icmp_quote *out)
{
    struct ipv6_hdr ip;
    struct ipv6_walk walk;
    memset(out, 0, sizeof *out);
    enum ipv6_error error = ipv6_hdr_parse(body, length, &ip);
    if (error != IPV6_OK && error != IPV6_PAYLOAD_LENGTH) {
        return false;
    }
    size_t end = error == IPV6_OK ? IPV6_HEADER + (size_t)ip.payload_length : length;
    ipv6_walk(body, end, &walk);
    if (walk.end != IPV6_WALK_UPPER && walk.end != IPV6_WALK_FRAGMENT) {
        return false;
    }
    *out = (struct icmp_quote){
        .src = ip.src,
        .dst = ip.dst,
        .protocol = walk.protocol,
        .tos = ip.traffic_class,
        .ttl = ip.hop_limit,
        .total_length =
            (uint16_t)(ip.payload_length > 0xffff - IPV6_HEADER ? 0xffff
                                                                : IPV6_HEADER + ip.payload_length),
        .later_fragment = walk.fragment_offset != 0,
    };
    if (!out->later_fragment) {
        out->upper = body + walk.offset;
        out->upper_len = end - walk.offset;
    }
    return true;
}

/* ICMP (RFC 792, RFC 1122 3.2.2) and ICMPv6 (RFC 4443): echo, errors that concern our segments,
 * errors of our own.
 *
 * An error is the network's word on a packet of ours, and anybody can forge it. What is checked
 * here: its form, that it quotes TCP from one of our addresses, and for path MTU that the number is
 * possible. Whether the quoted sequence number is in flight only the engine knows (RFC 5927 section
 * 4); the path MTU of the destination, which all its connections share, is lowered only when the
 * engine did not refuse the message. Kinds: MUST-56 names the soft errors, SHLD-26 the hard ones;
 * what neither names is soft, since a soft error ends nothing.
 *
 * Our own errors never answer an error, a fragment, or anything sent to or from a group, and pass a
 * token bucket: a burst of ten, then ten a second (RFC 4443 2.4(f), RFC 1812 4.3.2.8). */
#include <errno.h>
#include "net/internal.h"

#define ICMP_BURST 10u
#define ICMP_TOKEN_NS (100 * NS_PER_MS)
#define ICMP_TTL 64

void icmp_init(struct net *net)
{
    net->icmp_tokens = ICMP_BURST;
    net->icmp_refilled = net->now;
}

/* ---- sending ---- */

static void send(struct net *net, ackd_time now, const struct ip_addr *src,
                 const struct ip_addr *dst, const struct icmp_msg *msg)
{
    bool v4 = ip_addr_is_v4(dst);
    uint32_t ip = ip_header_length(dst);
    size_t room = ICMP_HEADER + msg->body_len;
    struct net_packet *packet = packet_new(net, (uint32_t)(ip + room));
    if (!packet) {
        return;
    }
    uint8_t *at = packet->pkt->data;
    size_t length =
        v4 ? icmp4_build(at + ip, room, msg) : icmp6_build(at + ip, room, src, dst, msg);
    struct ip_out out = {
        .src = *src,
        .dst = *dst,
        .protocol = v4 ? IP_PROTOCOL_ICMP : IP_PROTOCOL_ICMPV6,
        .ttl = ICMP_TTL,
        .payload = (uint32_t)length,
    };
    ip_build(at, &out);
    packet->length = (uint32_t)(ip + length);
    net->counters.icmp_out++;
    output_packet(net, now, packet, src, dst);
}

static bool take_token(struct net *net, ackd_time now)
{
    int64_t tokens = time_diff(now, net->icmp_refilled) / ICMP_TOKEN_NS;
    if (tokens > 0) {
        net->icmp_refilled = time_add(net->icmp_refilled, tokens * ICMP_TOKEN_NS);
        int64_t sum = tokens + net->icmp_tokens;
        net->icmp_tokens = sum > ICMP_BURST ? ICMP_BURST : (uint32_t)sum;
    }
    if (net->icmp_tokens == 0) {
        return false;
    }
    net->icmp_tokens--;
    return true;
}

/* Is the packet an ICMP error (or a redirect, RFC 4443 2.4(e.2)) itself? */
static bool is_error(const struct net_rx *rx)
{
    const uint8_t *message = rx_bytes(rx);
    if (rx->protocol == IP_PROTOCOL_ICMP) {
        return rx->length == 0 || icmp4_is_error(message[0]);
    }
    if (rx->protocol == IP_PROTOCOL_ICMPV6) {
        return rx->length == 0 || icmp6_is_error(message[0]) || message[0] == ICMP6_REDIRECT;
    }
    return false;
}

void icmp_error(struct net *net, const struct net_rx *rx, const struct icmp_complaint *c)
{
    bool group = rx->ip_group || rx->link_group;
    if ((group && !c->to_group_too) || ip_addr_is_unspecified(&rx->src) || is_error(rx)) {
        return;
    }
    struct ip_addr src = rx->dst;
    uint32_t mtu;
    if (rx->ip_group && net_source_for(net, &rx->src, NULL, &src, &mtu) != 0) {
        return;
    }
    if (!take_token(net, rx->now)) {
        net_drop(net, NET_DROP_ICMP_RATE_LIMITED);
        return;
    }
    struct icmp_msg msg = {
        .type = c->type,
        .code = c->code,
        .pointer = c->pointer,
        .body = rx->pkt->data + rx->ip_offset,
        .body_len = rx->ip_length,
    };
    send(net, rx->now, &src, &rx->src, &msg);
}

/* The answer repeats the question's body; an IPv6 group is answered from an address of our own (RFC
 * 4443 4.2), an IPv4 one not at all (RFC 1122 3.2.2.6 leaves it open; an amplifier helps nobody).
 */
static void echo_input(struct net *net, const struct net_rx *rx, const struct icmp_msg *request)
{
    bool v4 = ip_addr_is_v4(&rx->src);
    struct ip_addr src = rx->dst;
    uint32_t mtu;
    if (rx->ip_group && (v4 || net_source_for(net, &rx->src, NULL, &src, &mtu) != 0)) {
        net_drop(net, NET_DROP_ICMP_TYPE);
        return;
    }
    if (rx->ip_length > net->config.mtu) {
        net_drop(net, NET_DROP_IP_LENGTH); /* the answer would not fit the link */
        return;
    }
    struct icmp_msg reply = *request;
    reply.type = v4 ? ICMP4_ECHO_REPLY : ICMP6_ECHO_REPLY;
    net->counters.echo_replies++;
    send(net, rx->now, &src, &rx->src, &reply);
}

/* ---- errors about our segments ---- */

struct verdict {
    bool known;
    enum tcp_icmp_kind kind;
    int error;
};

#define SOFT(errno_) ((struct verdict){true, TCP_ICMP_SOFT, errno_})
#define HARD(errno_) ((struct verdict){true, TCP_ICMP_HARD, errno_})
#define TOO_BIG ((struct verdict){true, TCP_ICMP_TOO_BIG, EMSGSIZE})

static struct verdict unreachable_v4(uint8_t code)
{
    switch (code) {
    case ICMP4_UNREACH_PROTOCOL:
        return HARD(ENOPROTOOPT);
    case ICMP4_UNREACH_PORT:
        return HARD(ECONNREFUSED);
    case ICMP4_UNREACH_FRAGMENTATION:
        return TOO_BIG;
    case ICMP4_UNREACH_NET:
    case ICMP4_UNREACH_NET_UNKNOWN:
    case ICMP4_UNREACH_NET_PROHIBITED:
    case ICMP4_UNREACH_NET_TOS:
        return SOFT(ENETUNREACH);
    case ICMP4_UNREACH_SOURCE_ROUTE:
        return SOFT(EOPNOTSUPP);
    default:
        return code <= 15 ? SOFT(EHOSTUNREACH) : (struct verdict){.known = false};
    }
}

static struct verdict judge_v4(const struct icmp_msg *msg)
{
    switch (msg->type) {
    case ICMP4_UNREACHABLE:
        return unreachable_v4(msg->code);
    case ICMP4_TIME_EXCEEDED:
        return SOFT(EHOSTUNREACH);
    case ICMP4_PARAMETER_PROBLEM:
        return SOFT(EPROTO);
    default:
        return (struct verdict){.known = false};
    }
}

static struct verdict unreachable_v6(uint8_t code)
{
    switch (code) {
    case ICMP6_UNREACH_NO_ROUTE:
        return SOFT(ENETUNREACH);
    case ICMP6_UNREACH_PROHIBITED:
        return HARD(EACCES);
    case ICMP6_UNREACH_PORT:
        return HARD(ECONNREFUSED);
    case ICMP6_UNREACH_POLICY:
    case ICMP6_UNREACH_REJECT:
        return SOFT(EACCES);
    default:
        return code <= ICMP6_UNREACH_REJECT ? SOFT(EHOSTUNREACH) : (struct verdict){.known = false};
    }
}

static struct verdict judge_v6(const struct icmp_msg *msg)
{
    switch (msg->type) {
    case ICMP6_UNREACHABLE:
        return unreachable_v6(msg->code);
    case ICMP6_TOO_BIG:
        return TOO_BIG;
    case ICMP6_TIME_EXCEEDED:
        return SOFT(EHOSTUNREACH);
    case ICMP6_PARAMETER_PROBLEM:
        return SOFT(EPROTO);
    default:
        return (struct verdict){.known = false};
    }
}

/* What the next hop can take, 0 when the number is impossible. RFC 1191 section 5: an old router
 * says 0, then the plateau below the packet's length; RFC 8201 section 4: below 1280 is to be
 * discarded. */
static uint32_t judge_mtu(const struct net *net, ackd_time now, const struct icmp_msg *msg,
                          const struct icmp_quote *quote)
{
    bool v4 = ip_addr_is_v4(&quote->dst);
    uint32_t mtu = msg->mtu;
    if (v4 && mtu == 0) {
        mtu = pmtu_plateau(quote->total_length);
    }
    if (v4 && mtu < NET_MTU_MIN_V4) {
        mtu = NET_MTU_MIN_V4;
    }
    if (!v4 && mtu < NET_MTU_MIN_V6) {
        return 0;
    }
    uint32_t current = pmtu_get(net, now, &quote->dst);
    return mtu < current ? mtu : current;
}

/* True when the engine knows the connection and the sequence number is in flight: it counts what it
 * refuses, and nothing else tells. */
static bool tell_engine(struct net *net, ackd_time now, const struct tcp_icmp *icmp)
{
    const struct tcp_counters *c = tcp_counters(net->config.engine);
    uint64_t before = c->drops[TCP_DROP_ICMP_NO_CONNECTION] + c->drops[TCP_DROP_ICMP_BAD_SEQUENCE];
    tcp_icmp(net->config.engine, now, icmp);
    return before == c->drops[TCP_DROP_ICMP_NO_CONNECTION] + c->drops[TCP_DROP_ICMP_BAD_SEQUENCE];
}

static uint32_t be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Ports and sequence number are the first eight bytes of a TCP header; any error quotes as many
 * (RFC 792). */
static bool quote_of_segment(const struct icmp_quote *quote, struct tcp_icmp *icmp)
{
    if (quote->protocol != IP_PROTOCOL_TCP || quote->upper_len < 8) {
        return false;
    }
    icmp->src = quote->src;
    icmp->dst = quote->dst;
    icmp->sport = (uint16_t)(quote->upper[0] << 8 | quote->upper[1]);
    icmp->dport = (uint16_t)(quote->upper[2] << 8 | quote->upper[3]);
    icmp->seq = seq_of(be32(quote->upper + 4));
    return true;
}

static void error_input(struct net *net, ackd_time now, const struct icmp_msg *msg,
                        const struct verdict *verdict, bool v4)
{
    struct icmp_quote quote;
    struct tcp_icmp icmp = {.kind = verdict->kind, .error = verdict->error};
    bool parsed = v4 ? icmp4_quote_parse(msg->body, msg->body_len, &quote)
                     : icmp6_quote_parse(msg->body, msg->body_len, &quote);
    if (!parsed || !quote_of_segment(&quote, &icmp) || !address_find(net, &quote.src) ||
        ip_addr_is_v4(&quote.dst) != v4) {
        net_drop(net, NET_DROP_ICMP_QUOTE);
        return;
    }
    if (verdict->kind == TCP_ICMP_TOO_BIG) {
        icmp.mtu = judge_mtu(net, now, msg, &quote);
        if (icmp.mtu == 0) {
            net_drop(net, NET_DROP_ICMP_TYPE);
            return;
        }
    }
    if (tell_engine(net, now, &icmp) && icmp.mtu > 0) {
        pmtu_lower(net, now, &quote.dst, icmp.mtu);
    }
}

void icmp_local_unreachable(struct net *net, ackd_time now, const struct net_packet *packet)
{
    struct icmp_quote quote;
    struct tcp_icmp icmp = {.kind = TCP_ICMP_SOFT, .error = EHOSTUNREACH};
    const uint8_t *bytes = packet->pkt->data;
    bool v4 = bytes[0] >> 4 == 4;
    bool parsed = v4 ? icmp4_quote_parse(bytes, packet->length, &quote)
                     : icmp6_quote_parse(bytes, packet->length, &quote);
    if (parsed && quote_of_segment(&quote, &icmp)) {
        tell_engine(net, now, &icmp);
    }
}

/* ---- the doors ---- */

void icmp_input_v4(struct net *net, struct net_rx *rx)
{
    struct icmp_msg msg;
    if (!offload_check(net, rx)) {
        return;
    }
    net->counters.icmp_in++;
    if (!icmp4_parse(rx_bytes(rx), rx->length, &msg)) {
        net_drop(net, NET_DROP_ICMP_TRUNCATED);
        return;
    }
    if (!icmp4_checksum_ok(rx_bytes(rx), rx->length)) {
        net_drop(net, NET_DROP_ICMP_CHECKSUM);
        return;
    }
    struct verdict verdict = judge_v4(&msg);
    if (msg.type == ICMP4_ECHO && msg.code == 0) {
        echo_input(net, rx, &msg);
    } else if (verdict.known) {
        error_input(net, rx->now, &msg, &verdict, true);
    } else {
        net_drop(net, msg.type == ICMP4_SOURCE_QUENCH ? NET_DROP_ICMP_SOURCE_QUENCH
                                                      : NET_DROP_ICMP_TYPE);
    }
}

static bool is_neighbour_discovery(const struct icmp_msg *msg)
{
    return msg->type == ICMP6_NEIGHBOUR_SOLICITATION || msg->type == ICMP6_NEIGHBOUR_ADVERTISEMENT;
}

static void message_input_v6(struct net *net, struct net_rx *rx, const struct icmp_msg *msg)
{
    struct verdict verdict = judge_v6(msg);
    bool strange = ip_addr_is_unspecified(&rx->src) || (!rx->looped && address_find(net, &rx->src));
    if (is_neighbour_discovery(msg)) {
        ndp_input(net, rx);
    } else if (strange) {
        net_drop(net, NET_DROP_IP_SOURCE_INVALID);
    } else if (msg->type == ICMP6_ECHO && msg->code == 0) {
        echo_input(net, rx, msg);
    } else if (verdict.known) {
        error_input(net, rx->now, msg, &verdict, false);
    } else {
        net_drop(net, NET_DROP_ICMP_TYPE);
    }
}

void icmp_input_v6(struct net *net, struct net_rx *rx)
{
    struct icmp_msg msg;
    if (!offload_check(net, rx)) {
        return;
    }
    net->counters.icmp_in++;
    if (!icmp6_parse(rx_bytes(rx), rx->length, &msg)) {
        net_drop(net, NET_DROP_ICMP_TRUNCATED);
    } else if (!icmp6_checksum_ok(&rx->src, &rx->dst, rx_bytes(rx), rx->length)) {
        net_drop(net, NET_DROP_ICMP_CHECKSUM);
    } else {
        message_input_v6(net, rx, &msg);
    }
}

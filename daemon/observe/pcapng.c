/* pcapng: a section header, a description of each interface, then one enhanced packet block a frame
 * (draft-ietf-opsawg-pcapng sections 4.1, 4.2, 4.3). Blocks are in the writer's byte order, which
 * the magic number tells. Timestamps count nanoseconds since 1970. Each packet says in its comment
 * what only the engine knows of it.
 *
 * Both interfaces are Ethernet and have one snapshot length: libpcap, and so tcpdump, reads no file
 * whose interfaces differ in either. */
#include "observe/observe.h"

#include <stdio.h>
#include <string.h>

enum {
    BLOCK_SECTION = 0x0a0d0d0a,
    BLOCK_INTERFACE = 1,
    BLOCK_PACKET = 6,
    MAGIC = 0x1a2b3c4d,
    LINK_ETHERNET = 1,
    OPT_END = 0,
    OPT_COMMENT = 1,
    OPT_SHB_USERAPPL = 4,
    OPT_IF_NAME = 2,
    OPT_IF_TSRESOL = 9,
    OPT_EPB_FLAGS = 2,
    COMMENT_MAX = 384,
};

static size_t put32(uint8_t *out, size_t at, uint32_t v)
{
    memcpy(out + at, &v, 4);
    return at + 4;
}

static size_t put16(uint8_t *out, size_t at, uint16_t v)
{
    memcpy(out + at, &v, 2);
    return at + 2;
}

static size_t put_padded(uint8_t *out, size_t at, const void *data, size_t length)
{
    memcpy(out + at, data, length);
    memset(out + at + length, 0, (4 - length % 4) % 4);
    return at + (length + 3) / 4 * 4;
}

static size_t put_option(uint8_t *out, size_t at, uint16_t code, const void *data, size_t length)
{
    at = put16(out, at, code);
    at = put16(out, at, (uint16_t)length);
    return put_padded(out, at, data, length);
}

static size_t begin_block(uint8_t *out, size_t at, uint32_t type)
{
    at = put32(out, at, type);
    return put32(out, at, 0); /* the length, see end_block() */
}

/* Ends the options and writes the block's length at both of its ends. */
static size_t end_block(uint8_t *out, size_t start, size_t at)
{
    at = put32(out, at, OPT_END);
    uint32_t length = (uint32_t)(at + 4 - start);
    put32(out, start + 4, length);
    return put32(out, at, length);
}

static size_t put_interface(uint8_t *out, size_t at, const char *name, uint32_t snap)
{
    size_t start = at;
    at = begin_block(out, at, BLOCK_INTERFACE);
    at = put16(out, at, LINK_ETHERNET);
    at = put16(out, at, 0);
    at = put32(out, at, snap);
    at = put_option(out, at, OPT_IF_NAME, name, strnlen(name, 64));
    at = put_option(out, at, OPT_IF_TSRESOL, (const uint8_t[]){9}, 1);
    return end_block(out, start, at);
}

size_t pcapng_header(uint8_t out[PCAPNG_HEADER_MAX], const char *application, const char *link_name,
                     uint32_t snap)
{
    size_t at = begin_block(out, 0, BLOCK_SECTION);
    at = put32(out, at, MAGIC);
    at = put16(out, at, 1);
    at = put16(out, at, 0);
    at = put32(out, at, UINT32_MAX); /* length of the section: not known */
    at = put32(out, at, UINT32_MAX);
    at = put_option(out, at, OPT_SHB_USERAPPL, application, strnlen(application, 64));
    at = end_block(out, 0, at);
    at = put_interface(out, at, link_name, snap);
    return put_interface(out, at, "loopback", snap);
}

/* "conn 7 ESTABLISHED, RETRANSMIT_RTO, cwnd 14480, in flight 2896" */
static size_t comment(char text[COMMENT_MAX], const struct observe_record *r)
{
    const struct tcp_event *e = &r->event;
    if (!r->known) {
        return r->id ? (size_t)snprintf(text, COMMENT_MAX, "conn %llu", (unsigned long long)r->id)
                     : 0;
    }
    int n = e->id ? snprintf(text, COMMENT_MAX, "conn %llu %s", (unsigned long long)e->id,
                             tcp_state_name(e->state))
                  : snprintf(text, COMMENT_MAX, "no connection");
    if (e->direction == TCP_OUT && e->send_kind) {
        n +=
            snprintf(text + n, (size_t)(COMMENT_MAX - n), ", %s", tcp_kind_text[e->send_kind].name);
    }
    if (e->rst_reason) {
        n += snprintf(text + n, (size_t)(COMMENT_MAX - n), ", %s: %s",
                      tcp_rst_sent_text[e->rst_reason].name,
                      tcp_rst_sent_text[e->rst_reason].sentence);
    }
    if (e->drop) {
        n += snprintf(text + n, (size_t)(COMMENT_MAX - n), ", dropped, %s: %s",
                      tcp_drop_text[e->drop].name, tcp_drop_text[e->drop].sentence);
    }
    if (e->id) {
        n += snprintf(text + n, (size_t)(COMMENT_MAX - n), ", cwnd %u, in flight %u", e->cwnd,
                      e->in_flight);
    }
    return n < COMMENT_MAX ? (size_t)n : COMMENT_MAX - 1;
}

size_t pcapng_packet(uint8_t *out, const struct observe_record *r, int64_t wall_ns, uint32_t snap)
{
    uint32_t kept = r->kept < snap ? r->kept : snap;
    char text[COMMENT_MAX];
    size_t at = begin_block(out, 0, BLOCK_PACKET);
    at = put32(out, at, r->interface == OBSERVE_LINK ? 0 : 1);
    at = put32(out, at, (uint32_t)((uint64_t)wall_ns >> 32));
    at = put32(out, at, (uint32_t)wall_ns);
    at = put32(out, at, kept);
    at = put32(out, at, r->length);
    at = put_padded(out, at, r->data, kept);
    uint32_t flags = r->direction == TCP_IN ? 1 : 2;
    at = put_option(out, at, OPT_EPB_FLAGS, &flags, sizeof flags);
    size_t length = comment(text, r);
    if (length > 0) {
        at = put_option(out, at, OPT_COMMENT, text, length);
    }
    return end_block(out, 0, at);
}

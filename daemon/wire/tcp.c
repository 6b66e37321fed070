/* RFC 9293 section 3.1: twenty fixed bytes, then options up to the data offset. An option is a
 * single byte (end of list, no-operation) or kind, length of the whole, and content; so whoever
 * doesn't know a kind can step over it. */
#include "wire/tcp.h"

#include <string.h>

#include "wire/bytes.h"
#include "wire/checksum.h"
#include "wire/ipv4.h"

#define OPTIONS_MAX (TCP_HEADER_MAX - TCP_HEADER_MIN)
#define FAST_OPEN_COOKIE_MIN 4u /* RFC 7413 4.1.1: 4 to 16 bytes, an even number */
#define FAST_OPEN_COOKIE_MAX 16u
#define FAST_OPEN_EXPERIMENT 0xf989u

bool tcp_hdr_parse(const uint8_t *bytes, size_t length, struct tcp_hdr *out)
{
    memset(out, 0, sizeof *out);
    if (length > 12) {
        out->header_len = (uint8_t)((bytes[12] >> 4) * 4);
    }
    if (length < TCP_HEADER_MIN) {
        return false;
    }
    out->sport = get16(bytes);
    out->dport = get16(bytes + 2);
    out->seq = seq_of(get32(bytes + 4));
    out->ack = seq_of(get32(bytes + 8));
    out->reserved = bytes[12] >> 1 & 7;
    out->flags = get16(bytes + 12) & 0x1ff;
    out->window = get16(bytes + 14);
    out->checksum = get16(bytes + 16);
    out->urgent = get16(bytes + 18);
    return out->header_len >= TCP_HEADER_MIN && out->header_len <= length;
}

void tcp_hdr_build(uint8_t bytes[TCP_HEADER_MIN], const struct tcp_hdr *hdr)
{
    put16(bytes, hdr->sport);
    put16(bytes + 2, hdr->dport);
    put32(bytes + 4, hdr->seq.v);
    put32(bytes + 8, hdr->ack.v);
    put16(bytes + 12,
          (uint16_t)(hdr->header_len / 4 << 12 | (hdr->reserved & 7) << 9 | (hdr->flags & 0x1ff)));
    put16(bytes + 14, hdr->window);
    put16(bytes + 16, hdr->checksum);
    put16(bytes + 18, hdr->urgent);
}

/* The length that a kind must have, 0 when its content decides. */
static uint8_t option_length(uint8_t kind)
{
    switch (kind) {
    case TCP_OPT_MSS:
    case TCP_OPT_USER_TIMEOUT:
        return 4;
    case TCP_OPT_WSCALE:
        return 3;
    case TCP_OPT_SACK_PERMITTED:
        return 2;
    case TCP_OPT_TIMESTAMPS:
        return 10;
    case TCP_OPT_MD5:
        return TCP_OPT_MD5_LENGTH;
    default:
        return 0;
    }
}

static void read_sack(const uint8_t *content, uint8_t length, struct tcp_opts *out)
{
    if (out->n_sack > 0) {
        return;
    }
    out->n_sack = length / 8;
    for (unsigned i = 0; i < out->n_sack; i++) {
        out->sack[i].start = seq_of(get32(content + 8 * i));
        out->sack[i].end = seq_of(get32(content + 8 * i + 4));
    }
}

/* A cookie of another length is as good as no option (RFC 7413 4.1.1). */
static void read_fast_open(const uint8_t *content, uint8_t length, bool experimental,
                           struct tcp_opts *out)
{
    bool cookie =
        length >= FAST_OPEN_COOKIE_MIN && length <= FAST_OPEN_COOKIE_MAX && length % 2 == 0;
    if (!out->has_fast_open && (length == 0 || cookie)) {
        out->has_fast_open = true;
        out->fast_open_len = length;
        out->fast_open = content;
        out->fast_open_experimental = experimental;
    }
}

/* Three counters, or fewer, of three octets each (RFC 9768 section 3.2.3). */
static void read_accecn(uint8_t kind, const uint8_t *content, uint8_t length, struct tcp_opts *out)
{
    if (out->has_accecn || length % 3 != 0 || length > 9) {
        return;
    }
    out->has_accecn = true;
    out->accecn_order1 = kind == TCP_OPT_ACCECN1;
    out->accecn_fields = length / 3;
    for (unsigned i = 0; i < out->accecn_fields; i++) {
        const uint8_t *p = content + 3 * i;
        out->accecn[i] = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
    }
}

/* What is there of key ids and MAC; both kinds in one header are for the reader to refuse. */
static void read_mac(uint8_t kind, const uint8_t *content, uint8_t length, struct tcp_opts *out)
{
    bool first = !out->has_md5 && !out->has_ao;
    if (kind == TCP_OPT_MD5) {
        out->has_md5 = true;
    } else if (length >= 2 && !out->has_ao) {
        out->has_ao = true;
        out->ao_key_id = content[0];
        out->ao_next_id = content[1];
    } else {
        return;
    }
    if (first) {
        uint8_t ids = kind == TCP_OPT_AO ? 2 : 0;
        out->mac = content + ids;
        out->mac_len = length - ids;
    }
}

/* Takes the content of one option, whose length is legal, unless one of its kind came before. */
static void read_option(uint8_t kind, const uint8_t *content, uint8_t length, struct tcp_opts *out)
{
    if (kind == TCP_OPT_MSS && !out->has_mss) {
        out->has_mss = true;
        out->mss = get16(content);
    } else if (kind == TCP_OPT_WSCALE && !out->has_wscale) {
        out->has_wscale = true;
        out->wscale = content[0];
    } else if (kind == TCP_OPT_SACK_PERMITTED) {
        out->sack_permitted = true;
    } else if (kind == TCP_OPT_SACK) {
        read_sack(content, length, out);
    } else if (kind == TCP_OPT_TIMESTAMPS && !out->has_timestamps) {
        out->has_timestamps = true;
        out->tsval = get32(content);
        out->tsecr = get32(content + 4);
    } else if (kind == TCP_OPT_USER_TIMEOUT && !out->has_user_timeout) {
        out->has_user_timeout = true;
        out->user_timeout = get16(content);
    } else if (kind == TCP_OPT_FAST_OPEN) {
        read_fast_open(content, length, false, out);
    } else if (kind == TCP_OPT_EXPERIMENT && length >= 2 &&
               get16(content) == FAST_OPEN_EXPERIMENT) {
        read_fast_open(content + 2, length - 2, true, out);
    } else if (kind == TCP_OPT_ACCECN0 || kind == TCP_OPT_ACCECN1) {
        read_accecn(kind, content, length, out);
    } else if (kind == TCP_OPT_MD5 || kind == TCP_OPT_AO) {
        read_mac(kind, content, length, out);
    }
}

void tcp_opts_parse(const uint8_t *bytes, const struct tcp_hdr *hdr, struct tcp_opts *out)
{
    memset(out, 0, sizeof *out);
    const uint8_t *p = bytes + TCP_HEADER_MIN;
    size_t left = hdr->header_len - TCP_HEADER_MIN;
    out->raw = p;
    out->raw_len = (uint8_t)left;
    while (left > 0 && p[0] != TCP_OPT_EOL) {
        if (p[0] == TCP_OPT_NOP) {
            p++;
            left--;
            continue;
        }
        uint8_t length = left >= 2 ? p[1] : 0;
        uint8_t want = option_length(p[0]);
        if (length < 2 || length > left || (want != 0 && length != want) ||
            (p[0] == TCP_OPT_SACK && (length < 10 || length % 8 != 2))) {
            out->malformed = true;
            return;
        }
        read_option(p[0], p + 2, (uint8_t)(length - 2), out);
        p += length;
        left -= length;
    }
}

/* Bytes under construction. */
struct writer {
    uint8_t *at;
    unsigned left;
};

static void write8(struct writer *w, uint8_t v)
{
    *w->at++ = v;
    w->left--;
}

static void write32(struct writer *w, uint32_t v)
{
    put32(w->at, v);
    w->at += 4;
    w->left -= 4;
}

static void write_option(struct writer *w, unsigned nops, uint8_t kind, uint8_t length)
{
    while (nops-- > 0) {
        write8(w, TCP_OPT_NOP);
    }
    write8(w, kind);
    write8(w, length);
}

/* Before all others: it has to find room. */
static void write_mac(struct writer *w, const struct tcp_opts *opts)
{
    if (opts->has_ao) {
        write_option(w, 0, TCP_OPT_AO, TCP_OPT_AO_LENGTH);
        write8(w, opts->ao_key_id);
        write8(w, opts->ao_next_id);
    } else if (opts->has_md5) {
        write_option(w, 2, TCP_OPT_MD5, TCP_OPT_MD5_LENGTH);
    } else {
        return;
    }
    unsigned length = opts->has_ao ? TCP_OPT_AO_LENGTH - 4 : TCP_OPT_MD5_LENGTH - 2;
    for (unsigned i = 0; i < length; i++) {
        write8(w, opts->mac ? opts->mac[i] : 0);
    }
}

/* The first fields matter most. As many as fit beside `reserved` bytes, filled up with
 * no-operations. */
static void write_accecn(struct writer *w, const struct tcp_opts *opts, unsigned reserved)
{
    unsigned left = w->left > reserved ? w->left - reserved : 0,
             room = left >= 2 ? (left - 2) / 3 : 0;
    unsigned n = opts->accecn_fields < room ? opts->accecn_fields : room;
    if (!opts->has_accecn || n == 0) {
        return;
    }
    write_option(w, 0, opts->accecn_order1 ? TCP_OPT_ACCECN1 : TCP_OPT_ACCECN0,
                 (uint8_t)(2 + 3 * n));
    for (unsigned i = 0; i < n; i++) {
        write8(w, (uint8_t)(opts->accecn[i] >> 16));
        write8(w, (uint8_t)(opts->accecn[i] >> 8));
        write8(w, (uint8_t)opts->accecn[i]);
    }
    while (w->left % 4 != 0) {
        write8(w, TCP_OPT_NOP);
    }
}

/* Bytes that what follows AccECN's option needs more than it does. */
static unsigned behind_accecn(const struct tcp_opts *opts)
{
    unsigned head = opts->fast_open_experimental ? 4 : 2;
    return (opts->sack_permitted && !opts->has_timestamps ? 4u : 0u) +
           (opts->has_wscale ? 4u : 0u) +
           (opts->has_fast_open ? (head + opts->fast_open_len + 3u) & ~3u : 0u) +
           (opts->n_sack ? 4 + 8u * opts->n_sack : 0u) + (opts->has_user_timeout ? 4u : 0u);
}

/* The options of a SYN, and timestamps everywhere, AccECN's among them: 20 bytes at most. */
static void write_handshake(struct writer *w, const struct tcp_opts *opts)
{
    if (opts->has_mss) {
        write_option(w, 0, TCP_OPT_MSS, 4);
        write8(w, (uint8_t)(opts->mss >> 8));
        write8(w, (uint8_t)opts->mss);
    }
    if (opts->sack_permitted && opts->has_timestamps) {
        write_option(w, 0, TCP_OPT_SACK_PERMITTED, 2);
    }
    if (opts->has_timestamps) {
        write_option(w, opts->sack_permitted ? 0 : 2, TCP_OPT_TIMESTAMPS, 10);
        write32(w, opts->tsval);
        write32(w, opts->tsecr);
    }
    write_accecn(w, opts, behind_accecn(opts));
    if (opts->sack_permitted && !opts->has_timestamps) {
        write_option(w, 2, TCP_OPT_SACK_PERMITTED, 2);
    }
    if (opts->has_wscale) {
        write_option(w, 1, TCP_OPT_WSCALE, 3);
        write8(w, opts->wscale);
    }
}

/* Filled up with no-operations, as Linux does. */
static void write_fast_open(struct writer *w, const struct tcp_opts *opts)
{
    unsigned head = opts->fast_open_experimental ? 4 : 2, length = head + opts->fast_open_len;
    if (!opts->has_fast_open || length > w->left) {
        return;
    }
    write_option(w, 0, head == 4 ? TCP_OPT_EXPERIMENT : TCP_OPT_FAST_OPEN, (uint8_t)length);
    if (head == 4) {
        write8(w, FAST_OPEN_EXPERIMENT >> 8);
        write8(w, FAST_OPEN_EXPERIMENT & 0xff);
    }
    for (unsigned i = 0; i < opts->fast_open_len; i++) {
        write8(w, opts->fast_open[i]);
    }
    while (w->left % 4 != 0) {
        write8(w, TCP_OPT_NOP);
    }
}

/* As many blocks as fit beside `reserved` bytes. */
static void write_sack(struct writer *w, const struct tcp_opts *opts, unsigned reserved)
{
    unsigned room = w->left > reserved + 4 ? (w->left - reserved - 4) / 8 : 0;
    unsigned n = opts->n_sack < room ? opts->n_sack : room;
    if (n == 0) {
        return;
    }
    write_option(w, 2, TCP_OPT_SACK, (uint8_t)(2 + 8 * n));
    for (unsigned i = 0; i < n; i++) {
        write32(w, opts->sack[i].start.v);
        write32(w, opts->sack[i].end.v);
    }
}

uint8_t tcp_opts_build(uint8_t bytes[40], const struct tcp_opts *opts)
{
    struct writer w = {.at = bytes, .left = OPTIONS_MAX};
    memset(bytes, 0, OPTIONS_MAX);
    write_mac(&w, opts);
    write_handshake(&w, opts);
    write_fast_open(&w, opts);
    write_sack(&w, opts, opts->has_user_timeout ? 4 : 0);
    if (opts->has_user_timeout && w.left >= 4) {
        write_option(&w, 0, TCP_OPT_USER_TIMEOUT, 4);
        write8(&w, (uint8_t)(opts->user_timeout >> 8));
        write8(&w, (uint8_t)opts->user_timeout);
    }
    return (uint8_t)((OPTIONS_MAX - w.left + 3) & ~3u);
}

uint16_t tcp_pseudo_sum(const struct ip_addr *src, const struct ip_addr *dst, uint32_t length)
{
    return checksum_fold(checksum_pseudo(src, dst, IP_PROTOCOL_TCP, length));
}

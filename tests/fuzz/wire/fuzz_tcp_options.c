/* TCP options by grammar. The input is a list of options to write, any kinds in any order, legal
 * or with a false length; then of bytes to change. The reading is compared with what was written
 * and, after the changes, with a second reader that only notes where the first option of each kind
 * stands. What was read is then written in our own layout, and read again. */
#include <string.h>
#include "../fuzz.h"
#include "../tcp/bytes.h"
#include "wire/tcp.h"

#define OPTIONS 40u

struct script {
    uint8_t bytes[TCP_HEADER_MAX];
    unsigned used; /* of the options */
    struct tcp_opts want;
    bool ended, broken; /* nothing that follows counts */
};

static bool counts(const struct script *s)
{
    return !s->ended && !s->broken;
}

static uint8_t *place(struct script *s, unsigned length)
{
    if (s->used + length > OPTIONS) {
        return NULL;
    }
    uint8_t *at = s->bytes + TCP_HEADER_MIN + s->used;
    s->used += length;
    return at;
}

static uint8_t *option(struct script *s, uint8_t kind, uint8_t length)
{
    uint8_t *at = place(s, length);
    if (at != NULL) {
        at[0] = kind;
        at[1] = length;
    }
    return at;
}

static uint32_t big(const uint8_t *p, unsigned n)
{
    uint32_t v = 0;
    for (unsigned i = 0; i < n; i++) {
        v = v << 8 | p[i];
    }
    return v;
}

static void fill(uint8_t *at, unsigned n, struct bytes *in)
{
    for (unsigned i = 0; i < n; i++) {
        at[i] = take_u8(in);
    }
}

/* ---- the grammar: each production writes an option, and what it means ---- */

static void put_mss(struct script *s, struct bytes *in)
{
    uint8_t *at = option(s, TCP_OPT_MSS, 4);
    if (at != NULL) {
        fill(at + 2, 2, in);
        if (counts(s) && !s->want.has_mss) {
            s->want.has_mss = true;
            s->want.mss = (uint16_t)big(at + 2, 2);
        }
    }
}

static void put_wscale(struct script *s, struct bytes *in)
{
    uint8_t *at = option(s, TCP_OPT_WSCALE, 3);
    if (at != NULL) {
        fill(at + 2, 1, in);
        if (counts(s) && !s->want.has_wscale) {
            s->want.has_wscale = true;
            s->want.wscale = at[2];
        }
    }
}

static void put_timestamps(struct script *s, struct bytes *in)
{
    uint8_t *at = option(s, TCP_OPT_TIMESTAMPS, 10);
    if (at != NULL) {
        fill(at + 2, 8, in);
        if (counts(s) && !s->want.has_timestamps) {
            s->want.has_timestamps = true;
            s->want.tsval = big(at + 2, 4);
            s->want.tsecr = big(at + 6, 4);
        }
    }
}

static void put_sack(struct script *s, unsigned blocks, struct bytes *in)
{
    uint8_t *at = option(s, TCP_OPT_SACK, (uint8_t)(2 + 8 * blocks));
    if (at != NULL) {
        fill(at + 2, 8 * blocks, in);
        bool first = counts(s) && s->want.n_sack == 0;
        for (unsigned i = 0; first && i < blocks; i++) {
            s->want.sack[i] = (struct tcp_sack_block){seq_of(big(at + 2 + 8 * i, 4)),
                                                      seq_of(big(at + 6 + 8 * i, 4))};
        }
        if (first) {
            s->want.n_sack = (uint8_t)blocks;
        }
    }
}

static void put_user_timeout(struct script *s, struct bytes *in)
{
    uint8_t *at = option(s, TCP_OPT_USER_TIMEOUT, 4);
    if (at != NULL) {
        fill(at + 2, 2, in);
        if (counts(s) && !s->want.has_user_timeout) {
            s->want.has_user_timeout = true;
            s->want.user_timeout = (uint16_t)big(at + 2, 2);
        }
    }
}

/* Of the experimental form (RFC 7413 section 7.1), too; the first of either form counts. */
static void put_fast_open(struct script *s, uint8_t cookie, bool experimental, struct bytes *in)
{
    uint8_t head = experimental ? 4 : 2,
            kind = experimental ? TCP_OPT_EXPERIMENT : TCP_OPT_FAST_OPEN;
    uint8_t *at = option(s, kind, (uint8_t)(head + cookie));
    if (at != NULL) {
        if (experimental) {
            at[2] = 0xf9;
            at[3] = 0x89;
        }
        fill(at + head, cookie, in);
        bool good = cookie == 0 || (cookie >= 4 && cookie <= 16 && cookie % 2 == 0);
        if (counts(s) && good && !s->want.has_fast_open) {
            s->want.has_fast_open = true;
            s->want.fast_open_experimental = experimental;
            s->want.fast_open_len = cookie;
            s->want.fast_open = at + head;
        }
    }
}

/* RFC 9768 section 3.2.3: up to three counters; another length says nothing. */
static void put_accecn(struct script *s, bool order1, uint8_t content, struct bytes *in)
{
    uint8_t *at = option(s, order1 ? TCP_OPT_ACCECN1 : TCP_OPT_ACCECN0, (uint8_t)(2 + content));
    if (at != NULL) {
        fill(at + 2, content, in);
        if (counts(s) && content % 3 == 0 && content <= 9 && !s->want.has_accecn) {
            s->want.has_accecn = true;
            s->want.accecn_order1 = order1;
            s->want.accecn_fields = content / 3;
            for (unsigned i = 0; i < content / 3u; i++) {
                s->want.accecn[i] = big(at + 2 + 3 * i, 3);
            }
        }
    }
}

/* A kind that we do not read: to be stepped over (MUST-6). */
static void put_unknown(struct script *s, uint8_t kind, uint8_t content, struct bytes *in)
{
    static const uint8_t ours[] = {TCP_OPT_EOL,        TCP_OPT_NOP,          TCP_OPT_MSS,
                                   TCP_OPT_WSCALE,     TCP_OPT_SACK,         TCP_OPT_SACK_PERMITTED,
                                   TCP_OPT_TIMESTAMPS, TCP_OPT_USER_TIMEOUT, TCP_OPT_FAST_OPEN,
                                   TCP_OPT_EXPERIMENT, TCP_OPT_ACCECN0,      TCP_OPT_ACCECN1,
                                   TCP_OPT_MD5};
    uint8_t *at = memchr(ours, kind, sizeof ours) ? NULL : option(s, kind, (uint8_t)(2 + content));
    if (at != NULL) {
        fill(at + 2, content, in);
    }
}

/* A length that the kind cannot have, or that no option can (MUST-7). */
static void put_false_length(struct script *s, uint8_t which)
{
    static const uint8_t wrong[][2] = {{TCP_OPT_MSS, 3},
                                       {TCP_OPT_MSS, 0},
                                       {TCP_OPT_WSCALE, 4},
                                       {TCP_OPT_SACK_PERMITTED, 3},
                                       {TCP_OPT_TIMESTAMPS, 9},
                                       {TCP_OPT_SACK, 2},
                                       {TCP_OPT_SACK, 12},
                                       {TCP_OPT_USER_TIMEOUT, 5},
                                       {TCP_OPT_FAST_OPEN, 1},
                                       {77, 0},
                                       {77, 1},
                                       {77, 41},
                                       {TCP_OPT_SACK, 42}};
    const uint8_t *w = wrong[which % (sizeof wrong / sizeof wrong[0])];
    uint8_t *at = place(s, 2);
    if (at != NULL) {
        at[0] = w[0];
        at[1] = w[1];
        s->broken = s->broken || !s->ended;
    }
}

static void write_one(struct script *s, struct bytes *in)
{
    uint8_t op = take_u8(in), *at;
    switch (op % 14) {
    case 0:
        put_mss(s, in);
        break;
    case 1:
        put_wscale(s, in);
        break;
    case 2:
        at = option(s, TCP_OPT_SACK_PERMITTED, 2);
        s->want.sack_permitted = s->want.sack_permitted || (at != NULL && counts(s));
        break;
    case 3:
    case 4:
        put_sack(s, 1 + op / 14 % 4, in);
        break;
    case 5:
        put_timestamps(s, in);
        break;
    case 6:
        put_user_timeout(s, in);
        break;
    case 7:
        put_fast_open(s, op / 14, false, in);
        break;
    case 12:
        put_fast_open(s, op / 14, true, in);
        break;
    case 13:
        put_accecn(s, op & 1, (uint8_t)(op / 28 % 4 * 3 + (op == 0xff)), in);
        break;
    case 8:
        put_unknown(s, take_u8(in), op / 14, in);
        break;
    case 9:
        put_false_length(s, op / 14);
        break;
    case 10:
        at = place(s, 1);
        if (at != NULL) {
            *at = TCP_OPT_EOL;
            s->ended = true;
        }
        break;
    default:
        at = place(s, 1);
        if (at != NULL) {
            *at = TCP_OPT_NOP;
        }
        break;
    }
}

/* ---- reading ---- */

static void same(const struct tcp_opts *a, const struct tcp_opts *b)
{
    FUZZ_CHECK(a->has_mss == b->has_mss && a->mss == b->mss);
    FUZZ_CHECK(a->has_wscale == b->has_wscale && a->wscale == b->wscale);
    FUZZ_CHECK(a->sack_permitted == b->sack_permitted);
    FUZZ_CHECK(a->has_timestamps == b->has_timestamps && a->tsval == b->tsval &&
               a->tsecr == b->tsecr);
    FUZZ_CHECK(a->has_user_timeout == b->has_user_timeout && a->user_timeout == b->user_timeout);
    FUZZ_CHECK(a->has_fast_open == b->has_fast_open && a->fast_open_len == b->fast_open_len);
    FUZZ_CHECK(!a->has_fast_open || a->fast_open_len == 0 ||
               memcmp(a->fast_open, b->fast_open, a->fast_open_len) == 0);
    FUZZ_CHECK(a->fast_open_experimental == b->fast_open_experimental);
    FUZZ_CHECK(a->has_accecn == b->has_accecn && a->accecn_order1 == b->accecn_order1);
    FUZZ_CHECK(a->accecn_fields == b->accecn_fields);
    FUZZ_CHECK(memcmp(a->accecn, b->accecn, a->accecn_fields * sizeof a->accecn[0]) == 0);
    FUZZ_CHECK(a->n_sack == b->n_sack);
    FUZZ_CHECK(memcmp(a->sack, b->sack, a->n_sack * sizeof a->sack[0]) == 0);
}

static void parse(const uint8_t *bytes, unsigned used, struct tcp_opts *out)
{
    struct tcp_hdr hdr = {.header_len = (uint8_t)(TCP_HEADER_MIN + (used + 3) / 4 * 4)};
    tcp_opts_parse(bytes, &hdr, out);
    FUZZ_CHECK(out->raw == bytes + TCP_HEADER_MIN && out->raw_len == hdr.header_len - 20);
}

/* The second reader: where the first option of each kind stands, or that the list is broken. */
static bool locate(const uint8_t *options, unsigned length, uint8_t first[256])
{
    memset(first, 0xff, 256);
    for (unsigned at = 0; at < length && options[at] != TCP_OPT_EOL;) {
        uint8_t kind = options[at];
        unsigned size = kind == TCP_OPT_NOP ? 1 : at + 1 < length ? options[at + 1] : 0;
        bool fixed = (kind == TCP_OPT_MSS && size != 4) || (kind == TCP_OPT_WSCALE && size != 3) ||
                     (kind == TCP_OPT_SACK_PERMITTED && size != 2) ||
                     (kind == TCP_OPT_TIMESTAMPS && size != 10) ||
                     (kind == TCP_OPT_USER_TIMEOUT && size != 4) ||
                     (kind == TCP_OPT_MD5 && size != 18) ||
                     (kind == TCP_OPT_SACK && (size < 10 || (size - 2) % 8 != 0));
        if (size == 0 || (size == 1 && kind != TCP_OPT_NOP) || fixed || at + size > length) {
            return false;
        }
        uint8_t slot = kind;
        bool counts = true;
        if (kind == TCP_OPT_EXPERIMENT && size >= 4 && big(options + at + 2, 2) == 0xf989) {
            slot = TCP_OPT_FAST_OPEN;
        } else if (kind == TCP_OPT_ACCECN0 || kind == TCP_OPT_ACCECN1) {
            slot = TCP_OPT_ACCECN0;
            counts = size % 3 == 2 && size <= 11;
        }
        if (slot == TCP_OPT_FAST_OPEN) {
            unsigned cookie = size - (kind == slot ? 2 : 4);
            counts = cookie == 0 || (cookie >= 4 && cookie <= 16 && cookie % 2 == 0);
        }
        if (first[slot] == 0xff && counts) {
            first[slot] = (uint8_t)at;
        }
        at += size;
    }
    return true;
}

static void check_located(const uint8_t *bytes, unsigned used)
{
    const uint8_t *o = bytes + TCP_HEADER_MIN;
    unsigned length = (used + 3) / 4 * 4;
    struct tcp_opts got, want = {0};
    uint8_t first[256], at;
    parse(bytes, used, &got);
    FUZZ_CHECK(got.malformed == !locate(o, length, first));
    if ((at = first[TCP_OPT_MSS]) != 0xff) {
        want.has_mss = true;
        want.mss = (uint16_t)big(o + at + 2, 2);
    }
    if ((at = first[TCP_OPT_WSCALE]) != 0xff) {
        want.has_wscale = true;
        want.wscale = o[at + 2];
    }
    want.sack_permitted = first[TCP_OPT_SACK_PERMITTED] != 0xff;
    if ((at = first[TCP_OPT_TIMESTAMPS]) != 0xff) {
        want.has_timestamps = true;
        want.tsval = big(o + at + 2, 4);
        want.tsecr = big(o + at + 6, 4);
    }
    if ((at = first[TCP_OPT_USER_TIMEOUT]) != 0xff) {
        want.has_user_timeout = true;
        want.user_timeout = (uint16_t)big(o + at + 2, 2);
    }
    if ((at = first[TCP_OPT_FAST_OPEN]) != 0xff) {
        want.has_fast_open = true;
        want.fast_open_experimental = o[at] == TCP_OPT_EXPERIMENT;
        unsigned head = want.fast_open_experimental ? 4 : 2;
        want.fast_open_len = (uint8_t)(o[at + 1] - head);
        want.fast_open = o + at + head;
    }
    if ((at = first[TCP_OPT_ACCECN0]) != 0xff) {
        want.has_accecn = true;
        want.accecn_order1 = o[at] == TCP_OPT_ACCECN1;
        want.accecn_fields = o[at + 1] / 3;
        for (unsigned i = 0; i < want.accecn_fields; i++) {
            want.accecn[i] = big(o + at + 2 + 3 * i, 3);
        }
    }
    if ((at = first[TCP_OPT_SACK]) != 0xff) {
        want.n_sack = o[at + 1] / 8;
        for (unsigned i = 0; i < want.n_sack; i++) {
            want.sack[i] = (struct tcp_sack_block){seq_of(big(o + at + 2 + 8 * i, 4)),
                                                   seq_of(big(o + at + 6 + 8 * i, 4))};
        }
    }
    same(&got, &want);
}

/* ---- writing ---- */

/* The bytes that our layout takes, by its description in tcp.h; what does not fit is left out. */
static void check_built(const struct tcp_opts *read)
{
    uint8_t bytes[TCP_HEADER_MAX] = {0};
    struct tcp_opts again, want = *read;
    unsigned used = read->has_mss ? 4 : 0;
    used += read->has_timestamps ? 12 : read->sack_permitted ? 4 : 0;
    used += read->has_wscale ? 4 : 0;
    unsigned fast_open = (read->fast_open_experimental ? 4u : 2u) + read->fast_open_len;
    if (used + fast_open > OPTIONS) {
        want.has_fast_open = want.fast_open_experimental = false;
        want.fast_open_len = 0;
    }
    used += want.has_fast_open ? (fast_open + 3) / 4 * 4 : 0;
    unsigned kept = used + (read->has_user_timeout ? 4 : 0);
    unsigned room = kept + 4 <= OPTIONS ? (OPTIONS - kept - 4) / 8 : 0;
    want.n_sack = want.n_sack < room ? want.n_sack : (uint8_t)room;
    used += want.n_sack > 0 ? 4 + 8u * want.n_sack : 0;
    if (want.has_user_timeout && used + 4 > OPTIONS) {
        want.has_user_timeout = false;
        want.user_timeout = 0;
    }
    used += want.has_user_timeout ? 4 : 0;
    unsigned fields = used + 2 <= OPTIONS ? (OPTIONS - used - 2) / 3 : 0;
    want.accecn_fields = want.accecn_fields < fields ? want.accecn_fields : (uint8_t)fields;
    want.has_accecn = want.accecn_fields > 0;
    want.accecn_order1 = want.has_accecn && want.accecn_order1;
    used += want.has_accecn ? 2 + 3u * want.accecn_fields : 0;
    struct tcp_opts plain = *read; /* who builds a MAC computes one of its own length */
    plain.has_md5 = plain.has_ao = false;
    unsigned length = tcp_opts_build(bytes + TCP_HEADER_MIN, &plain);
    FUZZ_CHECK(length == (used + 3) / 4 * 4);
    parse(bytes, length, &again);
    FUZZ_CHECK(!again.malformed);
    same(&again, &want);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = {data, size};
    struct script s = {0};
    struct tcp_opts read;
    uint8_t changes = take_u8(&in) % 8;
    while (bytes_more(&in) && s.used < OPTIONS && in.left > 2u * changes) {
        write_one(&s, &in);
    }
    parse(s.bytes, s.used, &read);
    FUZZ_CHECK(read.malformed == s.broken);
    same(&read, &s.want);
    check_built(&read);
    for (; changes > 0 && s.used > 0; changes--) {
        s.bytes[TCP_HEADER_MIN + take_u8(&in) % s.used] ^= take_u8(&in);
        check_located(s.bytes, s.used);
    }
    parse(s.bytes, s.used, &read);
    check_built(&read);
    return 0;
}

/* TCP header and options: what was parsed builds the same bytes again, and its options, however
 * they came in, survive our own layout of them. The input is a segment; its first bytes as text are
 * tried as flags. */
#include "../fuzz.h"

#include <string.h>
#include "wire/tcp.h"

static void check_header(const uint8_t *data, const struct tcp_hdr *hdr)
{
    uint8_t built[TCP_HEADER_MIN];
    tcp_hdr_build(built, hdr);
    FUZZ_CHECK(memcmp(built, data, sizeof built) == 0);
}

static void check_flags(const struct tcp_hdr *hdr)
{
    char text[10];
    uint16_t flags;
    FUZZ_CHECK(tcp_flags_parse(tcp_flags_format(hdr->flags, text), &flags));
    FUZZ_CHECK(flags == hdr->flags);
}

static void check_same(const struct tcp_opts *a, const struct tcp_opts *b)
{
    FUZZ_CHECK(!b->malformed);
    FUZZ_CHECK(a->has_mss == b->has_mss && a->mss == b->mss);
    FUZZ_CHECK(a->has_wscale == b->has_wscale && a->wscale == b->wscale);
    FUZZ_CHECK(a->sack_permitted == b->sack_permitted);
    FUZZ_CHECK(a->has_timestamps == b->has_timestamps && a->tsval == b->tsval &&
               a->tsecr == b->tsecr);
    if (b->has_fast_open) {
        FUZZ_CHECK(a->has_fast_open && a->fast_open_len == b->fast_open_len);
        FUZZ_CHECK(memcmp(a->fast_open, b->fast_open, a->fast_open_len) == 0);
    }
    if (b->has_user_timeout) {
        FUZZ_CHECK(a->has_user_timeout && a->user_timeout == b->user_timeout);
    }
    FUZZ_CHECK(b->n_sack <= a->n_sack);
    FUZZ_CHECK(memcmp(a->sack, b->sack, b->n_sack * sizeof a->sack[0]) == 0);
}

/* Which lengths an option may have, said once more and otherwise: as the list of them. */
static bool legal(uint8_t kind, uint8_t length)
{
    static const uint8_t fixed[256] = {
        [TCP_OPT_MSS] = 4,         [TCP_OPT_WSCALE] = 3,       [TCP_OPT_SACK_PERMITTED] = 2,
        [TCP_OPT_TIMESTAMPS] = 10, [TCP_OPT_USER_TIMEOUT] = 4, [TCP_OPT_MD5] = 18,
    };
    if (kind == TCP_OPT_SACK) {
        return length == 10 || length == 18 || length == 26 || length == 34;
    }
    return fixed[kind] == 0 ? length >= 2 : length == fixed[kind];
}

static bool model_malformed(const uint8_t *p, const uint8_t *end)
{
    while (p < end && *p != TCP_OPT_EOL) {
        if (*p == TCP_OPT_NOP) {
            p++;
        } else if (end - p < 2 || !legal(p[0], p[1]) || p[1] > end - p) {
            return true;
        } else {
            p += p[1];
        }
    }
    return false;
}

static void check_options(const uint8_t *data, const struct tcp_hdr *hdr)
{
    struct tcp_opts opts, again;
    tcp_opts_parse(data, hdr, &opts);
    FUZZ_CHECK(opts.raw_len == hdr->header_len - TCP_HEADER_MIN);
    FUZZ_CHECK(opts.n_sack <= TCP_SACK_BLOCKS_MAX);
    FUZZ_CHECK(opts.malformed == model_malformed(data + TCP_HEADER_MIN, data + hdr->header_len));
    opts.has_md5 = opts.has_ao = false; /* who builds them computes a MAC of their own length */
    uint8_t built[TCP_HEADER_MAX] = {0};
    uint8_t length = tcp_opts_build(built + TCP_HEADER_MIN, &opts);
    FUZZ_CHECK(length % 4 == 0 && length <= 40);
    struct tcp_hdr next = {.header_len = (uint8_t)(TCP_HEADER_MIN + length)};
    tcp_opts_parse(built, &next, &again);
    check_same(&opts, &again);
    if (!opts.has_fast_open) { /* all have room but SACK blocks */
        FUZZ_CHECK(opts.has_user_timeout == again.has_user_timeout);
        FUZZ_CHECK(opts.n_sack == again.n_sack || length > 40 - 12);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tcp_hdr hdr;
    if (size == 0) {
        return 0;
    }
    if (tcp_hdr_parse(data, size, &hdr)) {
        check_header(data, &hdr);
        check_flags(&hdr);
        check_options(data, &hdr);
    } else {
        FUZZ_CHECK(size < TCP_HEADER_MIN || hdr.header_len < TCP_HEADER_MIN ||
                   hdr.header_len > size);
    }
    char text[24] = {0};
    uint16_t flags;
    memcpy(text, data, size < sizeof text - 1 ? size : sizeof text - 1);
    FUZZ_CHECK(!tcp_flags_parse(text, &flags) || flags <= 0x1ff);
    return 0;
}

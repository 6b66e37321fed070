/* Signed connections (RFC 5925, 2385) against somebody on the wire who has no key: he changes any
 * octet of what goes by, sends it again, and forges what he likes, while users add, remove and
 * change keys, the same at both ends or not. No connection may exist without a key, so that in all
 * this not one octet may reach a user that his peer did not send. */
#include "pair.h"

#include <errno.h>
#include "tcp/keys.h"

#define KEYS 12u

struct keeper {
    uint64_t number[KEYS]; /* of the keys that were added */
    unsigned n;
};

/* ---- keys ---- */

/* Everybody knows what the ids are; the octets are the same at both ends when `value` is. */
static void add_key(struct world *w, unsigned i, struct keeper *k, uint8_t what, uint8_t value)
{
    uint8_t octets[TCP_KEY_OCTETS_MAX];
    const struct side *peer = &w->side[1 - i];
    uint8_t there = value & 3, back = value >> 2 & 3; /* what side 0 sends with, and side 1 */
    struct tcp_key key = {.algorithm = (enum tcp_key_algorithm)(what % 5),
                          .send_id = i == 0 ? there : back,
                          .receive_id = i == 0 ? back : there,
                          .exclude_options = what & 16};
    bool v4 = ip_addr_is_v4(&peer->addr);
    key.remote = (struct ip_prefix){peer->addr, v4 ? 32 : 128};
    if (what & 32) {
        key.remote.length = v4 ? 24 : 64;
        key.remote.addr.b[15] = 0;
    }
    if (what & 64) { /* of one listener at side 1 */
        key.local_port = i == 1 ? 1 : 0;
        key.remote_port = i == 0 ? 1 : 0;
    }
    key.local = what & 128 ? w->side[i].addr : key.local;
    if (key.algorithm == TCP_KEY_MD5) {
        key.send_id = key.receive_id = 0;
        key.exclude_options = false;
    }
    memset(octets, 1 + value % 7, sizeof octets);
    const char *field = NULL;
    uint64_t number = 0;
    int result = tcp_key_add(w->side[i].engine, &key, octets, value == 255 ? 0 : 1 + value % 80,
                             &number, &field);
    FUZZ_CHECK((result == 0) == (number != 0));
    if (result == 0) {
        k->number[k->n++ % KEYS] = number;
    }
}

static void side_of(struct world *w, unsigned i, struct keeper *k, struct bytes *in)
{
    struct tcp_config c;
    uint8_t traits = take_u8(in);
    pair_config(&c);
    c.max_keys = traits & 1 ? 3 : 8;
    c.defaults.timestamps = traits & 2;
    c.defaults.sack = !(traits & 4);
    c.defaults.ecn = traits & 8 ? TCP_ECN_ACCURATE : TCP_ECN_PASSIVE;
    c.defaults.syn_cookies = traits & 16 ? TCP_SYN_COOKIES_ALWAYS : TCP_SYN_COOKIES_WHEN_FULL;
    c.defaults.fast_open_queue = traits & 32 ? 2 : 0;
    c.defaults.require_auth = true;
    struct tcp_link link = {.tso = traits & 64,
                            .checksum_offload = traits & 128,
                            .max_frame = traits & 64 ? FRAME : MTU};
    side_init(w, i, &c, &link);
    add_key(w, i, k, TCP_KEY_MD5, 0); /* the first makes the table */
    FUZZ_CHECK(tcp_key_remove(w->side[i].engine, w->now, k->number[--k->n], false) == 0);
    w->side[i].baseline = memory_used(&w->side[i].memory);
}

/* What the MAC does not cover can be changed, to no more than that it goes on slower, or not. */
static void may_stall(struct world *w, const struct tcp_key *key)
{
    w->lied = w->lied || key->algorithm == TCP_KEY_MD5 || key->exclude_options;
}

static void key_step(struct world *w, unsigned i, struct keeper *k, struct bytes *in)
{
    struct tcp_engine *e = w->side[i].engine;
    struct tcp_key list[8];
    uint8_t how = take_u8(in), value = take_u8(in);
    uint64_t one = k[i].n ? k[i].number[value % KEYS] : 0, other = k[i].number[value / 16 % KEYS];
    switch (how % 8) {
    case 0:
    case 1:
    case 2: { /* at both ends, as it should be */
        uint8_t what = take_u8(in);
        add_key(w, 0, &k[0], what, value);
        add_key(w, 1, &k[1], what, value);
        break;
    }
    case 3:
        add_key(w, i, &k[i], take_u8(in), value);
        break;
    case 4:
        tcp_key_remove(e, w->now, one, how & 16);
        break;
    case 5:
    case 6:
        tcp_key_use(e, w->now, pick(&w->side[i], in), how & 16 ? one : 0, how & 32 ? other : 0);
        break;
    default:
        break;
    }
    unsigned n = tcp_key_list(e, 0, list, 8);
    for (unsigned m = 0; m < n; m++) {
        FUZZ_CHECK(list[m].number != 0 && list[m].algorithm != TCP_KEY_NONE);
        FUZZ_CHECK(m == 0 || list[m].number > list[m - 1].number);
        may_stall(w, &list[m]);
    }
}

/* ---- on the wire ---- */

/* An octet of a segment changes, or of its place in the connection. */
static void tamper(struct world *w, unsigned i, struct bytes *in)
{
    struct side *s = &w->side[i];
    uint8_t which = take_u8(in), bits = take_u8(in);
    uint16_t at = take_u16(in);
    if (s->on_wire > 0 && bits != 0) {
        struct parcel *p = &s->wire[which % s->on_wire];
        p->bytes[at < 8192 ? at % p->header_len : at % p->length] ^= bits;
    }
}

static void without_a_key(struct world *w, unsigned i, struct bytes *in)
{
    bool forged = w->forged;
    forge(w, i, in);
    w->forged = forged; /* it must have been for nothing */
}

/* ---- users ---- */

static void open_one(struct world *w, unsigned i, uint8_t how)
{
    struct side *s = &w->side[i];
    uint64_t id;
    struct tcp_open_args a = {.tuple = {.local = s->addr, .remote = w->side[1 - i].addr},
                              .mtu = MTU,
                              .fast_open = how & 16};
    a.tuple.local_port = how % 4;
    a.tuple.remote_port = 1 + how / 4 % 3;
    if (tcp_open(s->engine, w->now, &a, &id) == 0) {
        know(w, i, id);
    }
}

static void listen_one(struct world *w, unsigned i, uint8_t how)
{
    struct tcp_listen_args a = {.tuple = {.local_port = (uint16_t)(1 + how % 3)}, .backlog = 3};
    uint64_t id;
    if (tcp_listen(w->side[i].engine, w->now, &a, &id) == 0) {
        know(w, i, id);
    }
}

/* Every connection has a key. */
static void all_signed(struct world *w)
{
    for (unsigned i = 0; i < 2; i++) {
        for (unsigned k = 0; k < w->side[i].n_ids; k++) {
            struct tcp_info c;
            if (tcp_status(w->side[i].engine, w->now, w->side[i].ids[k], true, &c) == 0 &&
                c.state > TCP_LISTEN) {
                FUZZ_CHECK(c.auth_algorithm != TCP_KEY_NONE);
            }
        }
    }
}

static void other_step(struct world *w, unsigned i, uint8_t op, struct bytes *in)
{
    struct side *s = &w->side[i];
    switch (op / 2 % 14) {
    case 8:
        user_end(w, i, in);
        break;
    case 9: {
        uint64_t id = pick(s, in);
        user_send(w, i, id, take_u8(in) * 16u, 0);
        user_read(w, 1 - i, pick(&w->side[1 - i], in), UINT32_MAX);
        break;
    }
    case 10:
        without_a_key(w, i, in);
        break;
    case 11:
        memory_ends(s, op & 128 && take_u8(in) < 32);
        break;
    default:
        pass(w, (int64_t)take_u8(in) * 100 * NS_PER_MS);
        break;
    }
}

static void step(struct world *w, struct keeper *k, struct bytes *in)
{
    uint8_t op = take_u8(in);
    unsigned i = op & 1;
    switch (op / 2 % 14) {
    case 0:
        key_step(w, i, k, in);
        break;
    case 1:
        open_one(w, i, take_u8(in));
        break;
    case 2:
        listen_one(w, i, take_u8(in));
        break;
    case 3:
        user_accept(w, i, in);
        break;
    case 4:
        tamper(w, i, in);
        break;
    case 5:
        op & 128 ? pass(w, to_next(w)) : flush(w, i, 4, take_u8(in));
        break;
    case 6:
        deliver(w, i, take_u8(in));
        break;
    case 7:
        talk(w, take_u8(in) % 16);
        break;
    default:
        other_step(w, i, op, in);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = {data, size};
    struct keeper k[2] = {{{0}, 0}, {{0}, 0}};
    struct world *w = calloc(1, sizeof *w);
    pair_init(w, take_u8(&in) & 1);
    side_of(w, 0, &k[0], &in);
    side_of(w, 1, &k[1], &in);
    while (bytes_more(&in)) {
        step(w, k, &in);
        check(w);
        all_signed(w);
    }
    for (unsigned i = 0; i < 2; i++) {
        memory_ends(&w->side[i], false);
    }
    everything_arrives(w);
    let_go(w);
    for (unsigned i = 0; i < 2; i++) {
        for (unsigned n = 0; n < KEYS; n++) {
            int result = tcp_key_remove(w->side[i].engine, w->now, k[i].number[n], false);
            FUZZ_CHECK(result == 0 || result == -ENOENT); /* nobody uses it any more */
        }
    }
    nothing_stays(w);
    pair_free(w);
    free(w);
    return 0;
}

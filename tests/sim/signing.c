/* Keys of a simulation. The SendID of a key at one end is its RecvID at the other (RFC 5925 section
 * 3.1). A change is what an operator does on one side alone: the peer follows RNextKeyID, while
 * segments signed with the old key are still on their way, are lost, and go again signed with the
 * new one. */
#include "signing.h"

#include <inttypes.h>
#include <string.h>

static uint64_t add_key(struct signing *s, struct world *w, unsigned i, unsigned n,
                        const uint8_t *octets, size_t length)
{
    const struct ip_addr *remote = &w->host[1 - i].addr;
    struct tcp_key key = {.remote = {*remote, ip_addr_is_v4(remote) ? 32 : 128},
                          .algorithm = s->algorithm,
                          .exclude_options = octets[0] % 4 == 0 && s->algorithm != TCP_KEY_MD5};
    if (s->algorithm != TCP_KEY_MD5) {
        key.send_id = (uint8_t)(10 * (i + 1) + n);
        key.receive_id = (uint8_t)(10 * (2 - i) + n);
    }
    uint64_t number = 0;
    const char *field = "";
    int error = tcp_key_add(w->host[i].engine, &key, octets, length, &number, &field);
    if (error != 0) {
        world_fail(w, "tcp_key_add: %d %s", error, field != NULL ? field : "");
    }
    w->host[i].baseline = host_used(&w->host[i]);
    return number;
}

static void next_change(struct signing *s, unsigned i, uint64_t received)
{
    s->change_at[i] = received + 1 + rng_below(&s->rng, 200000);
}

void signing_begin(struct signing *s, struct world *w, uint64_t seed,
                   enum tcp_key_algorithm algorithm, unsigned keys)
{
    memset(s, 0, sizeof(*s));
    rng_init(&s->rng, seed, UINT64_C(0x6b657973));
    s->algorithm = algorithm;
    s->keys = keys;
    for (unsigned n = 0; n < keys; n++) {
        uint8_t octets[TCP_KEY_OCTETS_MAX] = {0};
        size_t length = 1 + rng_below(&s->rng, TCP_KEY_OCTETS_MAX);
        for (size_t k = 0; k < length; k++) {
            octets[k] = (uint8_t)rng_u32(&s->rng);
        }
        for (unsigned i = 0; i < 2; i++) {
            s->number[i][n] = add_key(s, w, i, n, octets, length);
        }
    }
    next_change(s, 0, 0);
    next_change(s, 1, 0);
}

void signing_random(struct signing *s, struct world *w, uint64_t seed)
{
    struct rng rng;
    rng_init(&rng, seed, UINT64_C(0x7369676e));
    uint32_t choice = rng_below(&rng, 12);
    enum tcp_key_algorithm algorithm = choice == 0   ? TCP_KEY_MD5
                                       : choice == 1 ? TCP_KEY_HMAC_SHA1_96
                                       : choice == 2 ? TCP_KEY_AES_128_CMAC_96
                                                     : TCP_KEY_NONE;
    memset(s, 0, sizeof(*s));
    if (algorithm != TCP_KEY_NONE) {
        signing_begin(s, w, seed, algorithm,
                      algorithm == TCP_KEY_MD5 ? 1 : 2 + rng_below(&rng, SIGNING_KEYS - 1));
    }
}

void signing_change(struct signing *s, struct world *w, unsigned i, uint64_t id)
{
    unsigned next = (s->next[i] + 1) % s->keys;
    int error = tcp_key_use(w->host[i].engine, w->now, id, 0, s->number[i][next]);
    if (error != 0) {
        world_fail(w, "%s: tcp_key_use: %d", w->host[i].name, error);
    }
    s->next[i] = next;
    s->changes++;
}

void signing_step(struct signing *s, struct world *w, const struct users *u)
{
    if (s->keys < 2) {
        return;
    }
    for (unsigned i = 0; i < 2; i++) {
        const struct user *me = &u->flow[0].user[i];
        if (me->connected && !me->closed && me->received >= s->change_at[i]) {
            signing_change(s, w, i, me->id);
            next_change(s, i, me->received);
            world_settle(w);
        }
    }
}

/* Where a connection takes the place of one in TIME-WAIT, the answers to that one's last duplicates
 * may come after its SYN, and are signed with the keys of other initial numbers. */
static bool old_answers_may_come(struct world *w)
{
    return tcp_counters(w->host[0].engine)->time_wait_reuses +
               tcp_counters(w->host[1].engine)->time_wait_reuses >
           0;
}

void signing_check(struct world *w)
{
    bool old = old_answers_may_come(w);
    for (unsigned i = 0; i < 2; i++) {
        const struct tcp_counters *c = tcp_counters(w->host[i].engine);
        uint64_t bad = c->drops[TCP_DROP_AUTH_MISSING] + c->drops[TCP_DROP_AUTH_KEY_UNKNOWN] +
                       c->drops[TCP_DROP_AUTH_MERGED] + (old ? 0 : c->drops[TCP_DROP_AUTH_BAD_MAC]);
        if (bad + c->auth_unmatched > 0) {
            world_fail(w,
                       "%s: %" PRIu64 " segments discarded for their signature, %" PRIu64
                       " signed ones that nobody asked for",
                       w->host[i].name, bad, c->auth_unmatched);
        }
    }
}

/* Signed connections (RFC 5925, 2385) in virtual time. The peer of the script signs by the rules of
 * the RFCs, with MACs that test_mac.c has checked, and verifies every segment that the engine
 * sends: whichever is not signed as it should be fails the test. */
#include <errno.h>
#include <stdio.h>
#include "../cmocka_all.h"
#include "../script.h"
#include "tcp/auth/mac.h"

#define SECRET "bgp-secret"
#define TS "mss 1000,sackOK,TS val 1 ecr 0"

/* The peer's end of a key, and its view of the extensions. */
static struct {
    enum tcp_key_algorithm algorithm;
    const char *secret;
    uint8_t send_id, next_id; /* KeyID and RNextKeyID of what it sends */
    bool exclude_options;
    bool corrupt;                 /* the MAC of what it sends */
    uint32_t snd_sne;             /* of what it sends */
    uint8_t their_id, their_next; /* expected of the engine */
    unsigned verified;
} peer;

/* ---- the peer's hands ---- */

static void peer_option(struct script *s, struct tcp_opts *o)
{
    (void)s;
    o->has_md5 = peer.algorithm == TCP_KEY_MD5;
    o->has_ao = !o->has_md5;
    o->ao_key_id = peer.send_id;
    o->ao_next_id = peer.next_id;
}

static void peer_mac(struct ao_context c, uint32_t sne, const struct mac_segment *m, uint8_t *mac)
{
    const uint8_t *secret = (const uint8_t *)peer.secret;
    uint8_t traffic[AO_TRAFFIC_KEY_MAX];
    if (peer.algorithm == TCP_KEY_MD5) {
        md5_mac(secret, strlen(peer.secret), m, mac);
        return;
    }
    ao_traffic_key(peer.algorithm, secret, strlen(peer.secret), &c, traffic);
    ao_mac(peer.algorithm, traffic, peer.exclude_options, sne, m, mac);
}

static bool only_syn(uint16_t flags)
{
    return (flags & (TCP_SYN | TCP_ACK)) == TCP_SYN;
}

static void peer_sign(struct script *s, uint8_t *segment, uint32_t length)
{
    struct tcp_hdr h;
    tcp_hdr_parse(segment, length, &h);
    struct tcp_range text = {segment + h.header_len, length - h.header_len};
    struct mac_segment m = {.src = s->tuple.remote,
                            .dst = s->tuple.local,
                            .header = segment,
                            .header_len = h.header_len,
                            .mac_at = TCP_MAC_AT,
                            .range = &text,
                            .n_ranges = 1,
                            .payload_len = text.length};
    struct ao_context c = {.src = m.src,
                           .dst = m.dst,
                           .sport = s->tuple.remote_port,
                           .dport = s->tuple.local_port,
                           .src_isn = seq_of(s->peer_iss),
                           .dst_isn = seq_of(only_syn(h.flags) ? 0 : s->local_iss)};
    uint8_t mac[MD5_MAC];
    peer_mac(c, peer.snd_sne, &m, mac);
    mac[0] ^= peer.corrupt;
    memcpy(segment + TCP_MAC_AT, mac, peer.algorithm == TCP_KEY_MD5 ? MD5_MAC : AO_MAC);
}

static void peer_verify(struct script *s, const struct tcp_tx *tx)
{
    struct tcp_hdr h;
    struct tcp_opts o;
    tcp_hdr_parse(tx->header, tx->header_len, &h);
    tcp_opts_parse(tx->header, &h, &o);
    assert_int_equal(o.has_md5, peer.algorithm == TCP_KEY_MD5);
    assert_int_equal(o.has_ao, peer.algorithm != TCP_KEY_MD5);
    assert_int_equal(tx->gso_size, 0); /* a super-frame cannot be signed */
    if (o.has_ao) {
        assert_int_equal(o.ao_key_id, peer.their_id);
        assert_int_equal(o.ao_next_id, peer.their_next);
    }
    struct mac_segment m = {.src = tx->src,
                            .dst = tx->dst,
                            .header = tx->header,
                            .header_len = tx->header_len,
                            .mac_at = (uint32_t)(o.mac - tx->header),
                            .range = tx->range,
                            .n_ranges = tx->n_ranges,
                            .payload_len = tx->payload_len};
    struct ao_context c = {.src = m.src,
                           .dst = m.dst,
                           .sport = h.sport,
                           .dport = h.dport,
                           .src_isn = seq_of(s->local_iss),
                           .dst_isn = seq_of(only_syn(h.flags) ? 0 : s->peer_iss)};
    uint8_t mac[MD5_MAC];
    peer_mac(c, h.seq.v < s->local_iss, &m, mac);
    assert_memory_equal(mac, o.mac, o.has_md5 ? MD5_MAC : AO_MAC);
    peer.verified++;
}

static const struct script_signer signer = {peer_option, peer_sign, peer_verify};

/* ---- keys ---- */

static struct tcp_key key_for(const struct script *s, enum tcp_key_algorithm algorithm, uint8_t id)
{
    struct tcp_key k = {.algorithm = algorithm,
                        .remote = {s->tuple.remote, ip_addr_is_v4(&s->tuple.remote) ? 32 : 128}};
    if (algorithm != TCP_KEY_MD5) {
        k.send_id = id;
        k.receive_id = id + 100;
    }
    return k;
}

static uint64_t add(struct script *s, const struct tcp_key *k, const char *secret)
{
    uint64_t number = 0;
    const char *field;
    assert_int_equal(
        tcp_key_add(s->engine, k, (const uint8_t *)secret, strlen(secret), &number, &field), 0);
    return number;
}

static void peer_uses(const struct tcp_key *k, const char *secret)
{
    peer.algorithm = k->algorithm;
    peer.secret = secret;
    peer.exclude_options = k->exclude_options;
    peer.send_id = peer.their_next = k->receive_id;
    peer.next_id = peer.their_id = k->send_id;
}

/* A fresh engine and one key that both know. */
static uint64_t begin(struct script *s, enum tcp_key_algorithm algorithm, bool v6)
{
    script_begin(s, NULL);
    memset(&peer, 0, sizeof peer);
    if (v6) {
        ip_addr_parse("fd00::1", &s->tuple.local);
        ip_addr_parse("fd00::2", &s->tuple.remote);
    }
    struct tcp_key k = key_for(s, algorithm, 7);
    peer_uses(&k, SECRET);
    s->signer = &signer;
    return add(s, &k, SECRET);
}

static uint64_t drops(const struct script *s, enum tcp_drop why)
{
    return script_counters(s)->drops[why];
}

/* ---- a whole life, signed ---- */

static const enum tcp_key_algorithm algorithms[] = {TCP_KEY_MD5, TCP_KEY_HMAC_SHA1_96,
                                                    TCP_KEY_AES_128_CMAC_96};

/* Handshake by the peer, data both ways, a segment out of order, close by the peer, TIME-WAIT at
 * the peer's; every segment signed, as both families have it. */
static void passive_life(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 6; i++) {
        struct script s;
        begin(&s, algorithms[i % 3], i >= 3);
        script_passive(&s, "mss 1000,sackOK");
        struct tcp_info info = script_info(&s);
        unsigned option = algorithms[i % 3] == TCP_KEY_MD5 ? 20 : 16;
        assert_int_equal(info.snd_mss_bytes,
                         1000 - option); /* the option takes its room (MUST-16) */
        assert_int_equal(info.auth_algorithm, algorithms[i % 3]);
        assert_int_equal(info.auth_key, 1);
        script_send(&s, 500, 0);
        script_inject(&s, "P. 1:501(500) ack 1");
        script_expect(&s, "P. 1:501(500) ack 501");
        script_inject(&s, ". 1001:1501(500) ack 501");
        script_expect(&s, ". 501:501(0) ack 501 <nop,nop,sack 1001:1501>");
        script_inject(&s, ". 501:1001(500) ack 501");
        script_expect(&s, ". 501:501(0) ack 1501");
        assert_int_equal(script_read(&s), 1500);
        script_inject(&s, "F. 1501:1501(0) ack 501");
        script_expect(&s, ". 501:501(0) ack 1502");
        tcp_close(s.engine, s.now, s.id);
        script_expect(&s, "F. 501:501(0) ack 1502");
        script_inject(&s, ". 1502:1502(0) ack 502");
        assert_int_equal(script_state(&s), TCP_CLOSED);
        assert_true(peer.verified >= 6);
        script_end(&s);
    }
}

/* An active open; our side closes first, and TIME-WAIT answers a repeated FIN signed, from its own
 * small record. */
static void active_life_and_time_wait(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 6; i++) {
        struct script s;
        begin(&s, algorithms[i % 3], i >= 3);
        script_active(&s, "mss 1000,sackOK");
        tcp_release(s.engine, s.now, s.id);
        script_expect(&s, "F. 1:1(0) ack 1");
        script_inject(&s, "F. 1:1(0) ack 2");
        script_expect(&s, ". 2:2(0) ack 2");
        assert_int_equal(script_state(&s), TCP_TIME_WAIT);
        script_inject(&s, "F. 1:1(0) ack 2");
        script_expect(&s, ". 2:2(0) ack 2");
        s.signer = NULL;
        script_inject(&s, "F. 1:1(0) ack 2");
        script_quiet(&s);
        assert_int_equal(drops(&s, TCP_DROP_AUTH_MISSING), 1);
        script_end(&s);
    }
}

/* Timestamps leave room for one SACK block beside TCP-AO (RFC 5925 section 7.6), and none beside
 * MD5: there they are not used. The MAC can leave out the options. */
static void option_room(void **state)
{
    (void)state;
    struct script s;
    begin(&s, TCP_KEY_HMAC_SHA1_96, false);
    script_passive(&s, TS);
    assert_int_equal(script_info(&s).snd_mss_bytes, 1000 - 12 - 16);
    script_inject(&s, ". 1001:1501(500) ack 1");
    assert_int_equal(script_discard(&s), 1);
    script_inject(&s, ". 2001:2501(500) ack 1");
    struct tcp_tx tx;
    assert_true(tcp_flush(s.engine, s.now, &tx));
    struct tcp_hdr h;
    struct tcp_opts o;
    tcp_hdr_parse(tx.header, tx.header_len, &h);
    tcp_opts_parse(tx.header, &h, &o);
    assert_int_equal(o.n_sack, 1);
    assert_true(o.has_timestamps && o.has_ao);
    script_end(&s);

    begin(&s, TCP_KEY_MD5, false);
    script_passive(&s, TS);
    assert_true(script_info(&s).sack_ok);
    assert_false(script_info(&s).timestamps_ok);
    script_end(&s);
}

static void options_left_out(void **state)
{
    (void)state;
    struct script s;
    script_begin(&s, NULL);
    memset(&peer, 0, sizeof peer);
    struct tcp_key k = key_for(&s, TCP_KEY_AES_128_CMAC_96, 255);
    k.exclude_options = true;
    peer_uses(&k, SECRET);
    s.signer = &signer;
    add(&s, &k, SECRET);
    script_passive(&s, TS);
    script_inject(&s, "P. 1:501(500) ack 1");
    script_expect(&s, ". 1:1(0) ack 501");
    script_end(&s);
}

static void tso(struct script *s)
{
    tcp_set_link(s->engine, &(struct tcp_link){.tso = true, .max_frame = 65535});
}

static void no_super_frames(void **state)
{
    (void)state;
    struct script s;
    begin(&s, TCP_KEY_HMAC_SHA1_96, false);
    tso(&s);
    script_passive(&s, "mss 1000,sackOK");
    script_send(&s, 4 * 984, 0);
    assert_int_equal(script_discard(&s), 4);
    script_end(&s);
}

/* ---- what is discarded, without an answer (RFC 5925 section 7.3) ---- */

static void wrong_segments(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        struct script s;
        begin(&s, algorithms[i], false);
        script_passive(&s, "mss 1000,sackOK");
        peer.corrupt = true;
        script_inject(&s, "P. 1:501(500) ack 1");
        script_inject(&s, "R 1:1(0)");
        script_quiet(&s);
        assert_int_equal(drops(&s, TCP_DROP_AUTH_BAD_MAC), 2);
        peer.corrupt = false;
        s.signer = NULL; /* who does not know the key */
        script_inject(&s, "P. 1:501(500) ack 1");
        script_inject(&s, "R 1:1(0)");
        script_inject(&s, "S 0:0(0) win 1000 <mss 1000>");
        script_inject(&s, ". 9000000:9000000(0) ack 1"); /* not even a challenge */
        script_quiet(&s);
        assert_int_equal(drops(&s, TCP_DROP_AUTH_MISSING), 4);
        assert_int_equal(script_state(&s), TCP_ESTABLISHED);
        assert_int_equal(script_info(&s).bytes_received, 0);
        assert_int_equal(script_info(&s).auth_failures, 6);
        s.signer = &signer;
        s.gso_size = 500;
        script_inject(&s, "P. 1:1001(1000) ack 1");
        s.gso_size = 0;
        assert_int_equal(drops(&s, TCP_DROP_AUTH_MERGED), 1);
        script_quiet(&s);
        script_inject(&s, "R 1:1(0)"); /* the true peer may */
        assert_int_equal(script_state(&s), TCP_CLOSED);
        script_end(&s);
    }
}

static void other_options(void **state)
{
    (void)state;
    struct script s;
    begin(&s, TCP_KEY_HMAC_SHA1_96, false);
    script_passive(&s, "mss 1000,sackOK");
    s.signer = NULL;
    /* MD5 instead, both at once, a MAC of another length, the key of somebody else */
    script_inject(&s, ". 1:1(0) ack 1 <raw 0101131200000000000000000000000000000000>");
    script_inject(&s, ". 1:1(0) ack 1 <raw 1312000000000000000000000000000000001d086b0700000000>");
    assert_int_equal(drops(&s, TCP_DROP_AUTH_MISSING), 2);
    script_inject(&s, ". 1:1(0) ack 1 <raw 1d086b0700000000>");
    assert_int_equal(drops(&s, TCP_DROP_AUTH_BAD_MAC), 1);
    script_inject(&s, ". 1:1(0) ack 1 <raw 1d100707000000000000000000000000>");
    assert_int_equal(drops(&s, TCP_DROP_AUTH_KEY_UNKNOWN), 1);
    script_quiet(&s);
    script_end(&s);
}

/* A SYN without or with a wrong signature makes no record and gets no answer, neither at a listener
 * nor at a closed port. */
static void wrong_syns(void **state)
{
    (void)state;
    struct script s;
    begin(&s, TCP_KEY_HMAC_SHA1_96, false);
    for (int listening = 0; listening < 2; listening++) {
        if (listening) {
            script_listen(&s, 16);
        }
        peer.corrupt = true;
        script_inject(&s, "S 0:0(0) win 1000 <mss 1000>");
        peer.corrupt = false;
        s.signer = NULL;
        script_inject(&s, "S 0:0(0) win 1000 <mss 1000>");
        script_inject(&s, ". 1:1(0) ack 1");
        script_quiet(&s);
        s.signer = &signer;
        script_inject(&s, ". 1:1(0) ack 1"); /* RFC 5925 section 7.7: of a life before */
        script_quiet(&s);
        assert_int_equal(drops(&s, TCP_DROP_AUTH_NO_STATE), 1 + listening);
    }
    assert_int_equal(tcp_endpoints(s.engine), 1);
    script_end(&s);
}

static void passive_only_signed(struct tcp_config *c)
{
    c->defaults.require_auth = true;
}

/* RFC 5925 section 7.3: without a key segments are accepted, signed or not, unless the endpoint
 * requires one. */
static void without_a_key(void **state)
{
    (void)state;
    struct script s;
    begin(&s, TCP_KEY_HMAC_SHA1_96, false);
    s.tuple.remote = ip_addr_v4(192, 0, 2, 77);
    s.signer = NULL;
    script_listen(&s, 4);
    script_inject(&s, "S 0:0(0) win 1000 <raw 1d100707000000000000000000000000020403e8>");
    script_expect(&s, "S. 0:0(0) ack 1 <mss 1460>");
    script_inject(&s, ". 1:1(0) ack 1 <raw 1d100707000000000000000000000000>");
    assert_int_equal(script_state(&s), TCP_ESTABLISHED);
    assert_int_equal(script_counters(&s)->auth_unmatched, 2);
    script_end(&s);

    script_begin(&s, passive_only_signed);
    script_listen(&s, 4);
    script_inject(&s, "S 0:0(0) win 1000 <mss 1000>");
    script_quiet(&s);
    assert_int_equal(drops(&s, TCP_DROP_AUTH_REQUIRED), 1);
    struct tcp_open_args a = {.tuple = s.tuple, .mtu = 1500};
    uint64_t id;
    assert_int_equal(tcp_open(s.engine, s.now, &a, &id), -ENOKEY);
    script_end(&s);
}

/* A key that comes later does not change a connection that began without. */
static void later_keys(void **state)
{
    (void)state;
    struct script s;
    script_begin(&s, NULL);
    script_passive(&s, "mss 1000");
    struct tcp_key k = key_for(&s, TCP_KEY_MD5, 0);
    add(&s, &k, SECRET);
    script_inject(&s, "P. 1:501(500) ack 1");
    script_expect(&s, ". 1:1(0) ack 501");
    script_end(&s);
}

/* ---- resets ---- */

/* A signed SYN to a closed port gets a signed reset, zero for our ISN that never was (section 3.2);
 * a SYN,SENT of ours believes such a one. */
static void refused(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        struct script s;
        begin(&s, algorithms[i], false);
        script_inject(&s, "S 0:0(0) win 1000 <mss 1000>");
        script_expect(&s, "R. 0:0(0) ack 1");
        script_end(&s);

        begin(&s, algorithms[i], false);
        script_open(&s);
        script_expect(&s, "S 0:0(0)");
        s.peer_iss = 0;
        s.signer = NULL;
        script_inject(&s, "R. 0:0(0) ack 1");
        assert_int_equal(script_state(&s), TCP_SYN_SENT);
        s.signer = &signer;
        script_inject(&s, "R. 0:0(0) ack 1");
        assert_int_equal(script_state(&s), TCP_CLOSED);
        script_end(&s);
    }
}

/* MD5 needs no state: a leftover of a life before is answered. An abort is signed. */
static void resets_of_ours(void **state)
{
    (void)state;
    struct script s;
    begin(&s, TCP_KEY_MD5, false);
    script_inject(&s, ". 1:1(0) ack 77");
    script_expect(&s, "R 77:77(0)");
    script_end(&s);
    for (unsigned i = 0; i < 3; i++) {
        begin(&s, algorithms[i], false);
        script_passive(&s, "mss 1000,sackOK");
        tcp_abort(s.engine, s.now, s.id, TCP_CLOSE_ABORTED);
        script_expect(&s, "R. 1:1(0) ack 1");
        script_end(&s);
    }
}

/* ---- rollover (RFC 5925 section 6.1) ---- */

static void rollover(void **state)
{
    (void)state;
    struct script s;
    uint64_t first = begin(&s, TCP_KEY_HMAC_SHA1_96, false);
    script_passive(&s, "mss 1000,sackOK");
    struct tcp_key k = key_for(&s, TCP_KEY_AES_128_CMAC_96, 8);
    uint64_t second = add(&s, &k, "another secret");
    /* The peer has it, too, and asks us to sign with it. */
    peer.next_id = 8;
    script_inject(&s, "P. 1:501(500) ack 1");
    assert_int_equal(script_info(&s).auth_send_id, 8);
    assert_int_equal(script_info(&s).auth_key_changes, 1);
    peer_uses(&k, "another secret");
    peer.their_next = 107; /* ours is still to change */
    script_expect(&s, ". 1:1(0) ack 501");
    /* We ask for it in turn; an ACK tells. */
    assert_int_equal(tcp_key_use(s.engine, s.now, s.id, 0, second), 0);
    peer.their_next = 108;
    script_expect(&s, ". 1:1(0) ack 501");
    script_inject(&s, "P. 501:1001(500) ack 1");
    script_expect(&s, ". 1:1(0) ack 1001");
    struct tcp_info info = script_info(&s);
    assert_int_equal(info.auth_key, second);
    assert_int_equal(info.auth_next_key, second);
    assert_int_equal(info.auth_next_id, 108);
    /* Nobody needs the first any more; what is signed with it is of an unknown key now. */
    assert_int_equal(tcp_key_remove(s.engine, s.now, first, false), 0);
    struct tcp_key old = key_for(&s, TCP_KEY_HMAC_SHA1_96, 7);
    peer_uses(&old, SECRET);
    script_inject(&s, "P. 1001:1501(500) ack 1");
    script_quiet(&s);
    assert_int_equal(drops(&s, TCP_DROP_AUTH_KEY_UNKNOWN), 1);
    script_end(&s);
}

/* A RNextKeyID that names no key of ours changes nothing (section 7.5 step 2.e.ii.1). */
static void unknown_next_key(void **state)
{
    (void)state;
    struct script s;
    begin(&s, TCP_KEY_HMAC_SHA1_96, false);
    script_passive(&s, "mss 1000,sackOK");
    peer.next_id = 99;
    script_inject(&s, "P. 1:501(500) ack 1");
    script_expect(&s, ". 1:1(0) ack 501");
    assert_int_equal(script_counters(&s)->auth_key_changes, 0);
    script_end(&s);
}

/* Four keys in turn pass through three places; each works while it is the one. */
static void many_keys(void **state)
{
    (void)state;
    struct script s;
    begin(&s, TCP_KEY_HMAC_SHA1_96, false);
    script_passive(&s, "mss 1000,sackOK");
    uint32_t at = 1;
    for (uint8_t id = 8; id < 14; id++) {
        struct tcp_key k = key_for(&s, algorithms[1 + id % 2], id);
        uint64_t number = add(&s, &k, "rolling");
        assert_int_equal(tcp_key_use(s.engine, s.now, s.id, number, number), 0);
        peer_uses(&k, "rolling");
        assert_int_equal(script_discard(&s), 1);
        char text[80];
        snprintf(text, sizeof text, "P. %u:%u(500) ack 1", at, at + 500);
        script_inject(&s, text);
        at += 500;
        assert_int_equal(script_discard(&s), 1);
    }
    assert_int_equal(script_info(&s).bytes_received, 3000);
    script_end(&s);
}

/* ---- removal ---- */

static void removal(void **state)
{
    (void)state;
    struct script s;
    uint64_t key = begin(&s, TCP_KEY_HMAC_SHA1_96, false);
    script_passive(&s, "mss 1000,sackOK");
    struct tcp_key row;
    assert_int_equal(tcp_key_list(s.engine, 0, &row, 1), 1);
    assert_int_equal(row.connections, 1);
    assert_int_equal(tcp_key_remove(s.engine, s.now, key, false), -EBUSY);
    assert_int_equal(tcp_key_remove(s.engine, s.now, key + 1, false), -ENOENT);
    assert_int_equal(tcp_key_remove(s.engine, s.now, key, true), 0);
    script_expect(&s, "R. 1:1(0) ack 1"); /* still signed */
    assert_int_equal(script_state(&s), TCP_CLOSED);
    assert_int_equal(script_info(&s).close_reason, TCP_CLOSE_KEY_REMOVED);
    assert_int_equal(script_counters(&s)->rsts_sent[TCP_RST_SENT_KEY_REMOVED], 1);
    assert_int_equal(tcp_key_list(s.engine, 0, &row, 1), 0);
    script_end(&s);

    /* Another key that fits takes over. */
    key = begin(&s, TCP_KEY_HMAC_SHA1_96, false);
    script_passive(&s, "mss 1000,sackOK");
    struct tcp_key k = key_for(&s, TCP_KEY_HMAC_SHA1_96, 8);
    add(&s, &k, "another secret");
    assert_int_equal(tcp_key_remove(s.engine, s.now, key, true), 0);
    peer_uses(&k, "another secret");
    script_send(&s, 100, 0);
    script_expect(&s, "P. 1:101(100) ack 1");
    script_end(&s);
}

/* Half-open connections and TIME-WAIT hold no key up, they go with it. */
static void removal_from_small_records(void **state)
{
    (void)state;
    struct script s;
    uint64_t key = begin(&s, TCP_KEY_MD5, false);
    script_listen(&s, 4);
    script_inject(&s, "S 0:0(0) win 1000 <mss 1000>");
    script_expect(&s, "S. 0:0(0) ack 1");
    assert_int_equal(tcp_key_remove(s.engine, s.now, key, false), 0);
    assert_int_equal(tcp_endpoints(s.engine), 1);
    script_end(&s);

    key = begin(&s, TCP_KEY_AES_128_CMAC_96, false);
    script_active(&s, "mss 1000");
    tcp_release(s.engine, s.now, s.id);
    script_discard(&s);
    script_inject(&s, "F. 1:1(0) ack 2");
    script_discard(&s);
    assert_int_equal(script_state(&s), TCP_TIME_WAIT);
    assert_int_equal(tcp_key_remove(s.engine, s.now, key, false), 0);
    assert_int_equal(tcp_endpoints(s.engine), 0);
    script_end(&s);
}

/* ---- the table ---- */

static int try_add(struct script *s, const struct tcp_key *k, size_t length, const char **field)
{
    static const uint8_t octets[100] = {1};
    uint64_t number;
    return tcp_key_add(s->engine, k, octets, length, &number, field);
}

static void two_keys(struct tcp_config *c)
{
    c->max_keys = 2;
}

static void what_may_be_added(void **state)
{
    (void)state;
    struct script s;
    const char *field;
    script_begin(&s, two_keys);
    struct tcp_key k = key_for(&s, TCP_KEY_HMAC_SHA1_96, 7), wide = k, md5 = {0};
    assert_int_equal(try_add(&s, &k, 0, &field), -EINVAL);
    assert_string_equal(field, "key");
    assert_int_equal(try_add(&s, &k, 81, &field), -EINVAL);
    k.algorithm = TCP_KEY_NONE;
    assert_int_equal(try_add(&s, &k, 1, &field), -EINVAL);
    assert_string_equal(field, "algorithm");
    k.algorithm = TCP_KEY_HMAC_SHA1_96;
    assert_int_equal(try_add(&s, &k, 80, &field), 0);
    /* RFC 5925 section 3.1: ids do not overlap where the peers do. */
    wide.remote = (struct ip_prefix){ip_addr_v4(192, 0, 0, 0), 8};
    wide.receive_id = 1;
    assert_int_equal(try_add(&s, &wide, 16, &field), -EEXIST);
    wide.send_id = 2;
    wide.receive_id = k.receive_id;
    assert_int_equal(try_add(&s, &wide, 16, &field), -EEXIST);
    wide.local_port = 179;
    k.local_port = 180;
    wide.receive_id = 1;
    md5.algorithm = TCP_KEY_MD5;
    md5.remote = wide.remote;
    assert_int_equal(try_add(&s, &md5, 16, &field), -EEXIST);
    assert_int_equal(try_add(&s, &wide, 16, &field), 0);
    md5.remote = (struct ip_prefix){ip_addr_v4(10, 0, 0, 0), 8};
    assert_int_equal(try_add(&s, &md5, 16, &field), -ENOBUFS);
    script_end(&s);
}

/* The narrower MD5 key is the peer's; one for another port is not. */
static void narrowest_key(void **state)
{
    (void)state;
    struct script s;
    script_begin(&s, NULL);
    memset(&peer, 0, sizeof peer);
    struct tcp_key k = {.algorithm = TCP_KEY_MD5, .remote = {ip_addr_v4(192, 0, 2, 0), 24}};
    add(&s, &k, "everybody's");
    k = key_for(&s, TCP_KEY_MD5, 0);
    k.local_port = LOCAL_PORT;
    add(&s, &k, SECRET);
    peer_uses(&k, SECRET);
    s.signer = &signer;
    script_passive(&s, "mss 1000");
    assert_int_equal(script_info(&s).auth_key, 2);
    s.tuple.remote = ip_addr_v4(192, 0, 2, 9);
    peer_uses(&k, "everybody's");
    script_inject(&s, "S 0:0(0) win 1000 <mss 1000>");
    script_expect(&s, "S. 0:0(0) ack 1");
    script_end(&s);
}

static void use_what_is_not_for_it(void **state)
{
    (void)state;
    struct script s;
    uint64_t key = begin(&s, TCP_KEY_HMAC_SHA1_96, false);
    script_passive(&s, "mss 1000");
    struct tcp_key k = key_for(&s, TCP_KEY_HMAC_SHA1_96, 1);
    k.remote.addr = ip_addr_v4(192, 0, 2, 99);
    uint64_t other = add(&s, &k, SECRET);
    assert_int_equal(tcp_key_use(s.engine, s.now, s.id, other, 0), -EINVAL);
    assert_int_equal(tcp_key_use(s.engine, s.now, s.id, 0, 77), -ENOENT);
    assert_int_equal(tcp_key_use(s.engine, s.now, 12345, key, 0), -EBADF);
    script_end(&s);
    key = begin(&s, TCP_KEY_MD5, false);
    script_passive(&s, "mss 1000");
    assert_int_equal(tcp_key_use(s.engine, s.now, s.id, key, 0), -ENOTCONN);
    script_end(&s);
}

/* ---- SNE ---- */

/* The peer's numbers wrap: the extension goes with each number, also with the one before the wrap
 * that comes late (section 6.2). */
static void their_numbers_wrap(void **state)
{
    (void)state;
    struct script s;
    begin(&s, TCP_KEY_HMAC_SHA1_96, false);
    s.peer_iss = 0xffffffffu - 599;
    script_passive(&s, "mss 1000,sackOK");
    peer.snd_sne = 1;
    script_inject(&s, "P. 1001:1501(500) ack 1");
    assert_int_equal(script_discard(&s), 1);
    peer.snd_sne = 0;
    script_inject(&s, "P. 1:1001(1000) ack 1");
    script_expect(&s, ". 1:1(0) ack 1501");
    assert_int_equal(script_info(&s).rcv_sne, 1);
    script_inject(&s, "P. 1501:2001(500) ack 1"); /* with the extension of before: a replay */
    script_quiet(&s);
    assert_int_equal(drops(&s, TCP_DROP_AUTH_BAD_MAC), 1);
    peer.snd_sne = 1;
    script_inject(&s, "P. 1501:2001(500) ack 1");
    script_expect(&s, ". 1:1(0) ack 2001");
    script_end(&s);
}

/* And ours: a port is looked for whose ISN is near the end. peer_verify() extends by itself. */
static void our_numbers_wrap(void **state)
{
    (void)state;
    struct script s;
    begin(&s, TCP_KEY_AES_128_CMAC_96, false);
    script_listen(&s, 65535);
    s.tuple.remote_port = 1024;
    for (;;) {
        s.tuple.remote_port++;
        assert_int_not_equal(s.tuple.remote_port, 60000);
        s.id = 0;
        script_inject(&s, "S 0:0(0) win 65535 <mss 1000,sackOK>");
        script_expect(&s, "S. 0:0(0) ack 1");
        if (s.local_iss >= 0xfff80000u) {
            break;
        }
        script_inject(&s, "R 1:1(0)");
    }
    script_inject(&s, ". 1:1(0) ack 1");
    assert_int_equal(script_accept(&s), s.id);
    while (script_info(&s).snd_sne == 0 || script_info(&s).snd_nxt < 100000) {
        script_send(&s, 5000, 0);
        script_discard(&s);
        char text[80];
        uint32_t sent = script_info(&s).snd_nxt - s.local_iss;
        snprintf(text, sizeof text, ". 1:1(0) ack %u", sent);
        script_inject(&s, text);
    }
    script_end(&s);
}

int auth_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(passive_life),
        cmocka_unit_test(active_life_and_time_wait),
        cmocka_unit_test(option_room),
        cmocka_unit_test(options_left_out),
        cmocka_unit_test(no_super_frames),
        cmocka_unit_test(wrong_segments),
        cmocka_unit_test(other_options),
        cmocka_unit_test(wrong_syns),
        cmocka_unit_test(without_a_key),
        cmocka_unit_test(later_keys),
        cmocka_unit_test(refused),
        cmocka_unit_test(resets_of_ours),
        cmocka_unit_test(rollover),
        cmocka_unit_test(unknown_next_key),
        cmocka_unit_test(many_keys),
        cmocka_unit_test(removal),
        cmocka_unit_test(removal_from_small_records),
        cmocka_unit_test(what_may_be_added),
        cmocka_unit_test(narrowest_key),
        cmocka_unit_test(use_what_is_not_for_it),
        cmocka_unit_test(their_numbers_wrap),
        cmocka_unit_test(our_numbers_wrap),
    };
    return cmocka_run_group_tests_name("auth", tests, NULL, NULL);
}

/* What a connection does with keys (RFC 5925 section 7, RFC 2385).
 *
 * Whether segments are signed is settled by the SYN and by nothing in it: when a key fits the
 * tuple, every segment of the connection carries the option, and one that comes without it, or with
 * a MAC that does not match, is discarded without an answer (section 7.3). A connection that began
 * without a key goes on without. A SYN is verified before anything is remembered of it, so that
 * only a peer that knows the key costs a record.
 *
 * Traffic keys (section 5.2) hang on both ISNs: a SYN is signed with zero for the one that is not
 * known yet, and so is a reset in answer to a SYN (section 3.2). Once made they are kept. The
 * sequence number's extensions (section 6.2) follow SND.NXT and RCV.NXT, which between two segments
 * move by less than half the space. Without a record nothing but a SYN can be verified with TCP-AO
 * (section 7.7); with MD5 everything can.
 *
 * A merged frame has one header for several segments, and so lost the MACs of all but one; devices
 * that merge compare the options and let such segments be. */
#include "tcp/auth/auth.h"

#include <nettle/memops.h>
#include <string.h>

#include "tcp/tcb.h"

/* ---- life ---- */

void auth_use_drop(struct auth_use *u)
{
    list_remove(&u->link);
    explicit_bzero(u, sizeof *u);
}

uint8_t auth_use_of(struct auth *a, struct auth_key *key)
{
    uint8_t place = AUTH_USES;
    for (uint8_t i = 0; i < AUTH_USES; i++) {
        if (a->use[i].key == key) {
            return i;
        }
        if (!a->use[i].key) {
            place = i;
        }
    }
    for (uint8_t i = 0; i < AUTH_USES && place == AUTH_USES; i++) {
        if (i != a->current && i != a->next) {
            auth_use_drop(&a->use[i]);
            place = i;
        }
    }
    struct auth_use *u = &a->use[place];
    u->key = key;
    u->auth = a;
    list_append(&key->uses, &u->link);
    return place;
}

struct auth *auth_new(struct tcp_engine *e, uint64_t id, struct auth_key *key, tcp_seq iss,
                      struct negotiated *nego)
{
    struct auth *a = slab_alloc(&e->auth_slab);
    if (!a) {
        return NULL;
    }
    bool md5 = key->v.algorithm == TCP_KEY_MD5;
    a->id = id;
    a->iss = a->snd.at = iss;
    a->option_length = md5 ? TCP_OPT_MD5_LENGTH + 2 : TCP_OPT_AO_LENGTH;
    a->current = a->next = auth_use_of(a, key);
    if (md5 && nego->sack) { /* beside both no SACK block would find room */
        nego->timestamps = false;
    }
    return a;
}

void auth_free(struct tcp_engine *e, struct timed *t)
{
    struct auth *a = auth_take(t);
    if (!a) {
        return;
    }
    for (unsigned i = 0; i < AUTH_USES; i++) {
        if (a->use[i].key) {
            auth_use_drop(&a->use[i]);
        }
    }
    slab_free(&e->auth_slab, a);
}

/* ---- sequence numbers ---- */

/* What the record knows of its numbers by now. */
static void auth_follow(struct timed *t)
{
    struct auth *a = auth_of(t);
    tcp_seq snd_nxt, rcv_nxt;
    if (t->rec.kind == REC_HALF_OPEN) {
        const struct half_open *h = (const struct half_open *)(const void *)t;
        a->irs = h->irs;
        snd_nxt = seq_add(h->iss, 1);
        rcv_nxt = seq_add(h->irs, 1);
    } else if (t->rec.kind == REC_TIME_WAIT) {
        const struct time_wait *tw = (const struct time_wait *)(const void *)t;
        snd_nxt = tw->snd_nxt;
        rcv_nxt = tw->rcv_nxt;
    } else if (t->rec.state > TCP_SYN_SENT) {
        const struct tcb *c = (const struct tcb *)(const void *)t;
        a->irs = c->rcv.irs;
        snd_nxt = c->snd.nxt;
        rcv_nxt = c->rcv.nxt;
    } else {
        return;
    }
    if (!a->irs_known) {
        a->irs_known = true;
        a->rcv.at = a->irs;
    }
    sne_advance(&a->snd, snd_nxt);
    sne_advance(&a->rcv, rcv_nxt);
}

/* ---- traffic keys ---- */

static void derive_send(const struct auth_key *k, const struct tcp_tuple *t, tcp_seq iss,
                        tcp_seq irs, uint8_t *out)
{
    const struct ao_context c = {.src = t->local,
                                 .dst = t->remote,
                                 .sport = t->local_port,
                                 .dport = t->remote_port,
                                 .src_isn = iss,
                                 .dst_isn = irs};
    ao_traffic_key(k->v.algorithm, k->octets, k->length, &c, out);
}

static void derive_receive(const struct auth_key *k, const struct tcp_tuple *t, tcp_seq irs,
                           tcp_seq iss, uint8_t *out)
{
    const struct ao_context c = {.src = t->remote,
                                 .dst = t->local,
                                 .sport = t->remote_port,
                                 .dport = t->local_port,
                                 .src_isn = irs,
                                 .dst_isn = iss};
    ao_traffic_key(k->v.algorithm, k->octets, k->length, &c, out);
}

/* Receive_other_traffic_key, kept once both ISNs are known. */
static void receive_key(struct auth *a, struct auth_use *u, const struct segment *s, uint8_t *out)
{
    if (!a->irs_known) {
        tcp_seq none = {0};
        derive_receive(u->key, &s->tuple, s->h.flags & TCP_SYN ? s->h.seq : none, a->iss, out);
        return;
    }
    if (!u->have_receive) {
        derive_receive(u->key, &s->tuple, a->irs, a->iss, u->receive);
        u->have_receive = true;
    }
    memcpy(out, u->receive, AO_TRAFFIC_KEY_MAX);
}

/* ---- segments that arrive ---- */

static bool opens(const struct segment *s)
{
    return (s->h.flags & (TCP_SYN | TCP_ACK)) == TCP_SYN;
}

/* The key and extension of a segment with TCP-AO. */
static uint32_t incoming(struct auth *a, struct auth_key *k, const struct segment *s,
                         uint8_t traffic[AO_TRAFFIC_KEY_MAX])
{
    if (!a || opens(s)) {
        derive_receive(k, &s->tuple, s->h.seq, (tcp_seq){0}, traffic);
        return 0;
    }
    receive_key(a, &a->use[auth_use_of(a, k)], s, traffic);
    return a->irs_known ? sne_of(&a->rcv, s->h.seq) : 0;
}

static bool mac_matches(struct auth *a, struct auth_key *k, const struct segment *s)
{
    struct tcp_range text = {s->bytes + s->h.header_len, s->payload};
    struct mac_segment m = {.src = s->rx->src,
                            .dst = s->rx->dst,
                            .header = s->bytes,
                            .header_len = s->h.header_len,
                            .mac_at = (uint32_t)(s->o.mac - s->bytes),
                            .range = &text,
                            .n_ranges = s->payload ? 1 : 0,
                            .payload_len = s->payload};
    uint8_t mac[MD5_MAC], traffic[AO_TRAFFIC_KEY_MAX];
    if (k->v.algorithm == TCP_KEY_MD5) {
        md5_mac(k->octets, k->length, &m, mac);
        return memeql_sec(mac, s->o.mac, MD5_MAC);
    }
    if (s->o.mac_len != AO_MAC) {
        return false;
    }
    uint32_t sne = incoming(a, k, s, traffic);
    ao_mac(k->v.algorithm, traffic, k->v.exclude_options, sne, &m, mac);
    explicit_bzero(traffic, sizeof traffic);
    return memeql_sec(mac, s->o.mac, AO_MAC);
}

/* Section 7.5 step 2.e: the peer names the key that it would rather see. */
static void follow_peer(struct tcp_engine *e, struct auth *a, const struct segment *s)
{
    if (!s->o.has_ao || a->use[a->current].key->v.send_id == s->o.ao_next_id) {
        return;
    }
    struct auth_key *k = keys_find(e, &s->tuple, KEY_BY_SEND_ID, s->o.ao_next_id);
    if (k) {
        a->current = auth_use_of(a, k);
        a->key_changes++;
        e->counters.auth_key_changes++;
    }
}

/* The key that the segment names, of those that fit. NULL with s->drop, or without when nobody asks
 * for one. */
static struct auth_key *named_key(struct tcp_engine *e, const struct auth *a, struct segment *s)
{
    bool md5 = s->o.has_md5, ao = s->o.has_ao;
    struct auth_key *any = a ? a->use[a->current].key : keys_find(e, &s->tuple, KEY_ANY, 0);
    if (!any) {
        e->counters.auth_unmatched += md5 || ao;
        return NULL;
    }
    bool wants_md5 = any->v.algorithm == TCP_KEY_MD5;
    if (md5 == ao || md5 != wants_md5) { /* none, both (RFC 5925 section 2.2), or the other */
        s->drop = TCP_DROP_AUTH_MISSING;
        return NULL;
    }
    struct auth_key *k =
        wants_md5 ? any : keys_find(e, &s->tuple, KEY_BY_RECEIVE_ID, s->o.ao_key_id);
    if (!k) {
        s->drop = TCP_DROP_AUTH_KEY_UNKNOWN;
    } else if (s->rx->gso_size) {
        s->drop = TCP_DROP_AUTH_MERGED;
    } else if (!a && ao && !opens(s)) {
        s->drop = TCP_DROP_AUTH_NO_STATE;
    }
    return s->drop ? NULL : k;
}

bool auth_input(struct tcp_engine *e, struct rec *r, struct segment *s)
{
    bool fresh = !r || (r->state == TCP_TIME_WAIT && opens(s));
    struct timed *t = fresh ? NULL : (struct timed *)(void *)r;
    struct auth *a = t ? auth_of(t) : NULL;
    if (t && !a) {
        e->counters.auth_unmatched += s->o.has_md5 || s->o.has_ao;
        return true;
    }
    if (a) {
        auth_follow(t);
    }
    struct auth_key *k = named_key(e, a, s);
    if (k && !mac_matches(a, k, s)) {
        s->drop = TCP_DROP_AUTH_BAD_MAC;
    }
    if (s->drop) {
        s->id = r ? r->id : 0;
        if (a) {
            a->failures++;
        }
        return false;
    }
    s->key = k;
    if (a) {
        follow_peer(e, a, s);
    }
    return true;
}

bool auth_begin(struct tcp_engine *e, struct timed *t, const struct segment *s, tcp_seq iss,
                struct negotiated *nego)
{
    if (!s->key) {
        return true;
    }
    struct auth *a = auth_new(e, t->rec.id, s->key, iss, nego);
    if (a) {
        *auth_place(t) = a;
        follow_peer(e, a, s);
    }
    return a;
}

/* ---- segments that leave ---- */

static void signature_ids(const struct auth_key *current, const struct auth_key *next,
                          struct auth_signature *out)
{
    out->algorithm = (uint8_t)current->v.algorithm;
    out->send_id = current->v.send_id;
    out->next_id = next->v.receive_id;
    out->exclude_options = current->v.exclude_options;
    if (current->v.algorithm == TCP_KEY_MD5) {
        out->length = current->length;
        memcpy(out->key, current->octets, current->length);
    } else {
        out->length = ao_traffic_key_length(current->v.algorithm);
    }
}

void auth_signature(struct timed *t, tcp_seq seq, uint16_t flags, struct auth_signature *out)
{
    struct auth *a = auth_of(t);
    *out = (struct auth_signature){0};
    if (!a) {
        return;
    }
    auth_follow(t);
    struct auth_use *u = &a->use[a->current];
    signature_ids(u->key, a->use[a->next].key, out);
    if (out->algorithm == TCP_KEY_MD5) {
        return;
    }
    if (!a->irs_known || (flags & (TCP_SYN | TCP_ACK)) == TCP_SYN) {
        derive_send(u->key, &t->rec.tuple, a->iss, (tcp_seq){0}, out->key);
        return;
    }
    if (!u->have_send) {
        derive_send(u->key, &t->rec.tuple, a->iss, a->irs, u->send);
        u->have_send = true;
    }
    memcpy(out->key, u->send, sizeof u->send);
    out->sne = sne_of(&a->snd, seq);
}

/* The queue outlives the record, so the signature goes along. */
static struct auth_signature *attach(struct tcp_engine *e, struct control_segment **cs)
{
    (*cs)->signature = slab_alloc(&e->signature_slab);
    if (!(*cs)->signature) {
        control_drop(e, *cs);
        *cs = NULL;
        return NULL;
    }
    return (*cs)->signature;
}

void auth_control(struct tcp_engine *e, struct timed *t, struct control_segment **cs)
{
    if (auth_of(t) && attach(e, cs)) {
        auth_signature(t, (*cs)->seq, (*cs)->flags, (*cs)->signature);
    }
}

void auth_answer(struct tcp_engine *e, const struct segment *s, struct control_segment **cs)
{
    struct rec *r = s->id ? rec_find(e, s->id) : NULL;
    if (!s->key) {
        return;
    }
    if (r && r->kind != REC_LISTENER) {
        auth_control(e, (struct timed *)(void *)r, cs);
        return;
    }
    struct auth_signature *sig = attach(e, cs);
    if (!sig) {
        return;
    }
    signature_ids(s->key, s->key, sig);
    if (sig->algorithm != TCP_KEY_MD5) {
        derive_send(s->key, &s->tuple, (tcp_seq){0}, s->h.seq, sig->key);
    }
}

void auth_option(const struct auth_signature *sig, struct tcp_opts *o)
{
    o->has_md5 = sig->algorithm == TCP_KEY_MD5;
    o->has_ao = sig->algorithm != TCP_KEY_MD5;
    o->ao_key_id = sig->send_id;
    o->ao_next_id = sig->next_id;
}

void auth_seal(const struct auth_signature *sig, struct tcp_tx *tx)
{
    const struct mac_segment m = {.src = tx->src,
                                  .dst = tx->dst,
                                  .header = tx->header,
                                  .header_len = tx->header_len,
                                  .mac_at = TCP_MAC_AT,
                                  .range = tx->range,
                                  .n_ranges = tx->n_ranges,
                                  .payload_len = tx->payload_len};
    uint8_t mac[MD5_MAC];
    if (sig->algorithm == TCP_KEY_MD5) {
        md5_mac(sig->key, sig->length, &m, mac);
        memcpy(tx->header + TCP_MAC_AT, mac, MD5_MAC);
    } else {
        ao_mac((enum tcp_key_algorithm)sig->algorithm, sig->key, sig->exclude_options, sig->sne, &m,
               mac);
        memcpy(tx->header + TCP_MAC_AT, mac, AO_MAC);
    }
}

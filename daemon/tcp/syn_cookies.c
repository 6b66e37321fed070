/* SYN cookies (RFC 4987 section 3.6): a SYN,ACK for which nothing is remembered. What a half-open
 * record would hold travels through the peer: its last ACK brings back our ISN plus one, and in
 * TSecr the timestamp of our SYN,ACK.
 *
 * The ISN is 28 bits of a MAC over the tuple, the peer's ISN, the epoch and the MSS, then the index
 * of the MSS in a table of eight, then the parity of the epoch. An epoch lasts 64 s and has a
 * secret of its own, derived from one that never leaves the engine; this epoch's and the last one's
 * cookies count, so one is good for 64 to 128 s. The low six bits of the timestamp hold the window
 * scale, SACK and classic ECN; without timestamps all three are given up, as is what the table
 * rounds off the MSS. AccECN needs no memory: ACE of the last ACK tells that it was agreed on (RFC
 * 9768 section 5.1). What is lost is which SYNs came beside the one that was answered: whether one
 * of them was without ECN (RFC 3168 section 6.1.1 would then set no ECT), or offered another form.
 *
 * The price is that the SYN,ACK is not sent again, and that whoever sees a cookie can use it again
 * while it lives; so cookies are made only when there is no room to remember (unless the listener
 * says otherwise), and believed only by a listener that lately made some. An ISN that is a cookie
 * does not follow RFC 6528's clock: a SYN that succeeds a connection in TIME-WAIT without
 * timestamps gets none when its number would not be beyond the old ones. */
#include "tcp/syn_cookies.h"

#include <string.h>

#define EPOCH_NS (64 * NS_PER_S)
#define LOW_BITS 4u   /* of the ISN: parity and index of the MSS */
#define CARRIED 0x3fu /* the bits of the timestamp that are ours */
#define CARRIED_NO_WSCALE 15u
#define CARRIED_SACK 16u
#define CARRIED_ECN 32u
#define ACE_ACCURATE_MIN 2u /* 0 and 1: the peer does not speak AccECN */

static const uint16_t mss_table[8] = {48, 536, 1220, 1360, 1400, 1440, 1460, 8940};

static uint64_t epoch_of(ackd_time now)
{
    return (uint64_t)now.ns / (uint64_t)EPOCH_NS;
}

static struct hash_key epoch_secret(const struct hash_key *root, uint64_t epoch)
{
    const uint64_t in[2][2] = {{epoch, 0}, {epoch, 1}};
    return (struct hash_key){siphash24(root, in[0], sizeof in[0]),
                             siphash24(root, in[1], sizeof in[1])};
}

static uint32_t mac(const struct hash_key *root, const struct tcp_tuple *t, tcp_seq irs,
                    uint64_t epoch, uint32_t low)
{
    struct hash_key secret = epoch_secret(root, epoch);
    uint8_t in[16 + 16 + 2 + 2 + 4 + 1];
    memcpy(in, t->local.b, 16);
    memcpy(in + 16, t->remote.b, 16);
    memcpy(in + 32, &t->local_port, 2);
    memcpy(in + 34, &t->remote_port, 2);
    memcpy(in + 36, &irs.v, 4);
    in[40] = (uint8_t)low;
    return (uint32_t)siphash24(&secret, in, sizeof in) << LOW_BITS;
}

tcp_seq syn_cookie_isn(const struct hash_key *root, const struct tcp_tuple *t, tcp_seq irs,
                       uint16_t peer_mss, ackd_time now)
{
    uint64_t epoch = epoch_of(now);
    uint32_t index = 7;
    while (index && mss_table[index] > peer_mss) {
        index--;
    }
    uint32_t low = index << 1 | (uint32_t)(epoch & 1);
    return seq_of(mac(root, t, irs, epoch, low) | low);
}

bool syn_cookie_check(const struct hash_key *root, const struct tcp_tuple *t, tcp_seq irs,
                      tcp_seq isn, ackd_time now, uint16_t *peer_mss)
{
    uint32_t low = isn.v & ((1u << LOW_BITS) - 1);
    uint64_t epoch = epoch_of(now);
    if ((epoch & 1) != (low & 1)) {
        if (!epoch) {
            return false;
        }
        epoch--;
    }
    *peer_mss = mss_table[low >> 1];
    return (mac(root, t, irs, epoch, low) | low) == isn.v;
}

/* Not after `now`: what we send later must not look older (PAWS). */
uint32_t syn_cookie_timestamp(const struct negotiated *n, uint32_t now)
{
    uint32_t carried = n->wscale ? n->snd_wscale : CARRIED_NO_WSCALE;
    carried |= n->sack ? CARRIED_SACK : 0;
    carried |= n->ecn == ECN_CLASSIC ? CARRIED_ECN : 0;
    uint32_t value = (now & ~CARRIED) | carried;
    return (int32_t)(value - now) > 0 ? value - (CARRIED + 1) : value;
}

static enum ecn_mode ecn_agreed_on(const struct tcp_options *o, const struct segment *s,
                                   bool classic)
{
    if (classic && o->ecn != TCP_ECN_OFF) {
        return ECN_CLASSIC;
    }
    bool accurate = ecn_from_syn(o, TCP_ECN_FLAGS) == ECN_ACCURATE;
    return accurate && accecn_ace(s->h.flags) >= ACE_ACCURATE_MIN ? ECN_ACCURATE : ECN_NONE;
}

void syn_cookie_negotiated(const struct tcp_options *o, const struct segment *s,
                           struct negotiated *n)
{
    negotiate_offer(o, n);
    uint32_t carried = s->o.tsecr & CARRIED;
    n->timestamps = n->timestamps && s->o.has_timestamps;
    n->sack = n->sack && n->timestamps && carried & CARRIED_SACK;
    uint32_t shift = carried & CARRIED_NO_WSCALE;
    n->wscale = n->wscale && n->timestamps && shift != CARRIED_NO_WSCALE;
    n->snd_wscale = !n->wscale ? 0 : shift > 14 ? 14 : (uint8_t)shift;
    n->rcv_wscale = n->wscale ? n->rcv_wscale : 0;
    n->ecn = (uint8_t)ecn_agreed_on(o, s, n->timestamps && carried & CARRIED_ECN);
}

bool syn_cookies_lately(const struct listener *l, ackd_time now)
{
    return !time_is_never(l->cookie_sent) && time_diff(now, l->cookie_sent) < 2 * EPOCH_NS;
}

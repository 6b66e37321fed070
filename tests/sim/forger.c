/* The forger knows addresses, ports, and the window better than an attacker could: the guess is
 * always inside the window, and never the one number that a reset would need. So every segment gets
 * as far into the engine as one that is not acceptable can: a reset in the window and a SYN are
 * challenged (RFC 5961 sections 3 and 4), an acknowledgment of what was never sent or of what is
 * too old is answered and dropped (section 5), and so are data beyond the window. */
#include "forger.h"

#include <string.h>
#include "wire/tcp.h"

void forger_init(struct forger *f, uint64_t seed)
{
    memset(f, 0, sizeof(*f));
    rng_init(&f->rng, seed, UINT64_C(0x666f72676572));
    f->ppm = 3000;
}

/* Header and options of what the peer could say now. */
static struct tcp_hdr truth(const struct tcp_info *info, struct tcp_opts *o)
{
    memset(o, 0, sizeof(*o));
    o->has_timestamps = info->timestamps_ok;
    o->tsval = info->ts_recent;
    return (struct tcp_hdr){.sport = info->tuple.remote_port,
                            .dport = info->tuple.local_port,
                            .seq = {info->rcv_nxt},
                            .ack = {info->snd_una},
                            .flags = TCP_ACK,
                            .window = 1000};
}

/* False: there is no such lie now. */
static bool lie(struct forger *f, enum forgery what, const struct tcp_info *info, struct tcp_hdr *h,
                uint32_t *payload)
{
    uint32_t some = 1 + rng_below(&f->rng, 10000);
    switch (what) {
    case FORGED_RST:
        h->flags = TCP_RST;
        h->seq = seq_add(h->seq, info->rcv_wnd < 2 ? 1 : 1 + some % (info->rcv_wnd - 1));
        return info->rcv_wnd > 1;
    case FORGED_SYN:
        h->flags = TCP_SYN;
        h->seq = seq_add(h->seq, some % (info->rcv_wnd + 1));
        return true;
    case FORGED_OLD_ACK:
        h->ack = seq_sub(h->ack, info->snd_max_wnd + some);
        return true;
    case FORGED_UNSENT_ACK:
        h->ack = seq_add((tcp_seq){info->snd_nxt}, some + 1); /* a window probe's octet is sent */
        *payload = some % 100;
        return true;
    default:
        h->seq = seq_add(h->seq, info->rcv_wnd + 1 + some);
        *payload = 1 + some % 100;
        return true;
    }
}

static void forge(struct forger *f, struct host *h, const struct tcp_info *info)
{
    uint8_t room[sizeof(struct wire_segment) + TCP_HEADER_MAX + 100] __attribute__((aligned(8)));
    struct wire_segment *s = (struct wire_segment *)(void *)room;
    enum forgery what = (enum forgery)rng_below(&f->rng, FORGERIES);
    struct tcp_opts o;
    struct tcp_hdr hdr = truth(info, &o);
    uint32_t payload = 0;
    if (!lie(f, what, info, &hdr, &payload)) {
        return;
    }
    memset(room, 0x66, sizeof(room));
    *s = (struct wire_segment){
        .src = info->tuple.remote, .dst = info->tuple.local, .ttl = 64, .checksum_ok = true};
    hdr.header_len = (uint8_t)(TCP_HEADER_MIN + tcp_opts_build(s->bytes + TCP_HEADER_MIN, &o));
    tcp_hdr_build(s->bytes, &hdr);
    s->length = hdr.header_len + payload;
    host_input(h, s);
    f->forged[what]++;
}

void forger_step(struct forger *f, struct world *w, const struct users *u)
{
    if (f->ppm == 0 || rng_below(&f->rng, 1000000) >= f->ppm) {
        return;
    }
    const struct user *victim = &u->flow[rng_below(&f->rng, u->n)].user[rng_below(&f->rng, 2)];
    struct tcp_info info = host_info(victim->host, victim->id);
    if (victim->connected && !victim->released && info.state >= TCP_ESTABLISHED &&
        info.state < TCP_TIME_WAIT) {
        forge(f, victim->host, &info);
        world_settle(w);
    }
}

/* The ring of captured frames.
 *
 * A frame is copied once, up to the largest length that any capture wants, into a ring bounded in
 * frames and in bytes; readers hold positions in it, as in events.c. What the frame means
 * (connection, state, why it was sent or dropped) is known to the engine only, which tells it by a
 * SEGMENT event a moment later in the same cycle: the event finds its frame by direction and TCP
 * header, which are equal but for the checksum.
 *
 * A checksum that the device was to complete (or the kernel left partial) is completed in the copy,
 * so that a reader of the file sees what a wire would have carried: the field holds the folded
 * pseudo-header, and the sum over everything from csum_start includes it (RFC 1071). */
#include "observe/rings.h"

#include <stdlib.h>
#include <string.h>
#include "wire/checksum.h"

enum {
    ETHERNET = 14,
    IP_PROTO_ICMP = 1,
    IP_PROTO_TCP = 6,
    IP_PROTO_ICMPV6 = 58,
    ICMP_HEADER = 8,
    /* Kept of each frame whatever the captures want: all headers. */
    KEPT_MIN = 256,
    /* How far back an event looks for its frame: more than one cycle of the host. */
    MATCH_FRAMES = 512,
};

static struct observe_slot *slot_at(struct observe *o, uint64_t position)
{
    return &o->frames[position % o->config.frames];
}

static void drop_oldest(struct observe *o)
{
    struct observe_slot *slot = slot_at(o, o->frames_begin++);
    o->frames_bytes -= slot->size;
    free(slot->data);
    slot->data = NULL;
    slot->size = 0;
}

void observe_frames_free(struct observe *o)
{
    while (o->frames && o->frames_begin < o->frames_end) {
        drop_oldest(o);
    }
    free(o->frames);
    o->frames = NULL;
}

/* A new last slot with room for `size` bytes, or NULL. */
static struct observe_slot *new_slot(struct observe *o, size_t size)
{
    while (o->frames_begin < o->frames_end &&
           (o->frames_end - o->frames_begin >= o->config.frames ||
            o->frames_bytes + size > o->config.frame_bytes)) {
        drop_oldest(o);
    }
    uint8_t *data = malloc(size ? size : 1);
    struct observe_slot *slot = slot_at(o, o->frames_end++);
    *slot = (struct observe_slot){.data = data, .size = data ? size : 0};
    slot->record.data = data;
    o->frames_bytes += slot->size;
    return data ? slot : NULL;
}

static uint32_t gather(uint8_t *out, uint32_t max, const struct iovec *iov, unsigned n)
{
    uint32_t used = 0;
    for (unsigned i = 0; i < n && used < max; i++) {
        uint32_t take = iov[i].iov_len < max - used ? (uint32_t)iov[i].iov_len : max - used;
        memcpy(out + used, iov[i].iov_base, take);
        used += take;
    }
    return used;
}

/* The Internet checksum of everything from byte `start`, in pieces of any length. */
static uint16_t sum_from(const struct iovec *iov, unsigned n, uint32_t start)
{
    uint64_t sum = 0;
    uint32_t skip = start;
    bool odd = false;
    for (unsigned i = 0; i < n; i++) {
        const uint8_t *base = iov[i].iov_base;
        size_t length = iov[i].iov_len;
        if (skip >= length) {
            skip -= (uint32_t)length;
            continue;
        }
        uint16_t part = checksum_fold(checksum_add(0, base + skip, length - skip));
        sum += odd ? (uint16_t)(part << 8 | part >> 8) : part;
        odd ^= (length - skip) & 1;
        skip = 0;
    }
    return checksum_finish(sum);
}

static void complete_checksum(uint8_t *data, uint32_t kept, const struct iovec *iov, unsigned n,
                              const struct net_offload *offload)
{
    uint32_t field = (uint32_t)offload->csum_start + offload->csum_offset;
    if (field + 2 > kept) {
        return;
    }
    uint16_t sum = sum_from(iov, n, offload->csum_start);
    data[field] = (uint8_t)(sum >> 8);
    data[field + 1] = (uint8_t)sum;
}

/* Reads ports and data offset of the TCP header at `at`. */
static void parse_tcp(struct observe_record *r, uint32_t at, struct ip_addr src, struct ip_addr dst)
{
    const uint8_t *t = r->data + at;
    if (r->kept < at + TCP_HEADER_MIN) {
        return;
    }
    uint16_t sport = (uint16_t)(t[0] << 8 | t[1]), dport = (uint16_t)(t[2] << 8 | t[3]);
    uint32_t header = at + (uint32_t)(t[12] >> 4) * 4;
    bool in = r->direction == TCP_IN;
    r->tcp = true;
    r->header_bytes = header < r->length ? header : r->length;
    r->tuple = (struct tcp_tuple){.local = in ? dst : src,
                                  .remote = in ? src : dst,
                                  .local_port = in ? dport : sport,
                                  .remote_port = in ? sport : dport};
}

/* The headers of an ICMP message and of what it quotes, but no payload of either. */
static uint32_t icmp_bytes(const struct observe_record *r, uint32_t at, bool v6)
{
    if (r->kept <= at) {
        return r->kept;
    }
    uint8_t type = r->data[at];
    bool neighbour = v6 && type >= 133 && type <= 137; /* RFC 4861: all header */
    bool error = v6 ? type < 128 : type == 3 || type == 4 || type == 5 || type == 11 || type == 12;
    if (neighbour) {
        return r->length;
    }
    return at + ICMP_HEADER + (error ? (v6 ? 40u : 20u) + 8 : 0);
}

static void parse(struct observe_record *r)
{
    const uint8_t *d = r->data;
    r->header_bytes = ETHERNET;
    if (r->kept < ETHERNET) {
        r->header_bytes = r->kept;
        return;
    }
    unsigned type = (unsigned)d[12] << 8 | d[13];
    if (type == 0x0806) {
        r->header_bytes = r->length;
    } else if (type == 0x0800 && r->kept >= ETHERNET + 20) {
        uint32_t at = ETHERNET + (uint32_t)(d[14] & 15) * 4;
        bool first = ((d[20] & 0x1f) | d[21]) == 0; /* not a later fragment */
        r->header_bytes = at;
        if (d[23] == IP_PROTO_TCP && first) {
            parse_tcp(r, at, ip_addr_from_v4(d + 26), ip_addr_from_v4(d + 30));
        } else if (d[23] == IP_PROTO_ICMP && first) {
            r->header_bytes = icmp_bytes(r, at, false);
        }
    } else if (type == 0x86dd && r->kept >= ETHERNET + 40) {
        uint32_t at = ETHERNET + 40;
        r->header_bytes = at;
        if (d[20] == IP_PROTO_TCP) {
            parse_tcp(r, at, ip_addr_from_v6(d + 22), ip_addr_from_v6(d + 38));
        } else if (d[20] == IP_PROTO_ICMPV6) {
            r->header_bytes = icmp_bytes(r, at, true);
        }
    }
    if (r->header_bytes > r->length) {
        r->header_bytes = r->length;
    }
}

static void notify_captures(struct observe *o)
{
    list_for_each(l, &o->captures)
    {
        struct observe_capture *c = container_of(l, struct observe_capture, link);
        if (c->armed) {
            c->armed = false;
            c->notify(c->arg);
        }
    }
}

bool observe_wants_frames(const struct observe *o)
{
    return o->n_captures > 0;
}

void observe_frame(struct observe *o, enum tcp_direction direction, ackd_time now, int64_t wall_ns,
                   const struct iovec *iov, unsigned n, uint32_t length,
                   const struct net_offload *offload, uint64_t id)
{
    if (o->n_captures == 0) {
        return;
    }
    uint32_t want = o->snap > KEPT_MIN ? o->snap : KEPT_MIN;
    struct observe_slot *slot = new_slot(o, length < want ? length : want);
    if (slot) {
        struct observe_record *r = &slot->record;
        r->interface = OBSERVE_LINK;
        r->direction = direction;
        r->at = now;
        r->wall_ns = wall_ns;
        r->length = length;
        r->kept = gather(slot->data, (uint32_t)slot->size, iov, n);
        r->id = id;
        if (offload && offload->needs_checksum) {
            complete_checksum(slot->data, r->kept, iov, n, offload);
        }
        parse(r);
    }
    notify_captures(o);
}

/* Whether the frame carries the event's segment: everything of the TCP header but the checksum is
 * equal. */
static bool carries(const struct observe_record *r, const struct tcp_event *e)
{
    if (!r->tcp || r->known || r->interface != OBSERVE_LINK || r->direction != e->direction) {
        return false;
    }
    uint32_t at = r->header_bytes - e->header_len;
    return r->header_bytes >= e->header_len && e->header_len >= TCP_HEADER_MIN &&
           r->header_bytes <= r->kept && memcmp(r->data + at, e->header, 16) == 0 &&
           memcmp(r->data + at + 18, e->header + 18, e->header_len - 18u) == 0 &&
           memcmp(&r->tuple.local, &e->tuple.local, sizeof r->tuple.local) == 0 &&
           memcmp(&r->tuple.remote, &e->tuple.remote, sizeof r->tuple.remote) == 0;
}

static void lend(struct observe_record *r, const struct tcp_event *e)
{
    r->known = true;
    r->event = *e;
    r->id = e->id;
}

/* As on Linux's lo: no station sends to none. */
static void ethernet_header(uint8_t out[ETHERNET], bool v4)
{
    memset(out, 0, ETHERNET - 2);
    out[12] = v4 ? 0x08 : 0x86;
    out[13] = v4 ? 0x00 : 0xdd;
}

static size_t ip_header(uint8_t *out, const struct tcp_event *e, uint32_t segment)
{
    const struct ip_addr *src = &e->tuple.local, *dst = &e->tuple.remote;
    if (ip_addr_is_v4(src)) {
        uint32_t total = segment + 20;
        uint16_t length = total > 65535 ? 65535 : (uint16_t)total;
        memcpy(out,
               (const uint8_t[12]){0x45, 0, (uint8_t)(length >> 8), (uint8_t)length, 0, 0, 0x40, 0,
                                   64, IP_PROTO_TCP},
               12);
        memcpy(out + 12, src->b + 12, 4);
        memcpy(out + 16, dst->b + 12, 4);
        uint16_t sum = checksum_finish(checksum_add(0, out, 20));
        out[10] = (uint8_t)(sum >> 8);
        out[11] = (uint8_t)sum;
        return 20;
    }
    uint16_t length = segment > 65535 ? 65535 : (uint16_t)segment;
    memcpy(out,
           (const uint8_t[8]){0x60, 0, 0, 0, (uint8_t)(length >> 8), (uint8_t)length, IP_PROTO_TCP,
                              64},
           8);
    memcpy(out + 8, src->b, 16);
    memcpy(out + 24, dst->b, 16);
    return 40;
}

/* A packet to ourselves as the event tells it: no device ever saw it. */
static void put_loopback(struct observe *o, const struct tcp_event *e)
{
    uint32_t shown = e->payload_len < TCP_EVENT_PAYLOAD ? e->payload_len : TCP_EVENT_PAYLOAD;
    bool v4 = ip_addr_is_v4(&e->tuple.local);
    uint32_t tcp = ETHERNET + (v4 ? 20 : 40);
    struct observe_slot *slot = new_slot(o, tcp + e->header_len + shown);
    if (!slot) {
        return;
    }
    struct observe_record *r = &slot->record;
    ethernet_header(slot->data, v4);
    ip_header(slot->data + ETHERNET, e, e->header_len + e->payload_len);
    memcpy(slot->data + tcp, e->header, e->header_len);
    memcpy(slot->data + tcp + e->header_len, e->payload, shown);
    r->interface = OBSERVE_LOOPBACK;
    r->direction = TCP_OUT;
    r->at = e->at;
    r->length = tcp + e->header_len + e->payload_len;
    r->kept = tcp + e->header_len + shown;
    r->header_bytes = tcp + e->header_len;
    r->tcp = true;
    r->tuple = e->tuple;
    lend(r, e);
}

void observe_frame_event(struct observe *o, const struct tcp_event *e)
{
    uint64_t from = o->frames_end > MATCH_FRAMES ? o->frames_end - MATCH_FRAMES : 0;
    for (uint64_t p = from > o->frames_begin ? from : o->frames_begin; p < o->frames_end; p++) {
        struct observe_record *r = &slot_at(o, p)->record;
        if (r->data && carries(r, e)) {
            lend(r, e);
            return;
        }
    }
    if (e->direction == TCP_OUT && net_is_local(o->config.net, &e->tuple.remote)) {
        put_loopback(o, e);
        notify_captures(o);
    }
}

static void update_snap(struct observe *o)
{
    o->snap = 0;
    list_for_each(l, &o->captures)
    {
        const struct observe_capture *c = container_of(l, struct observe_capture, link);
        o->snap = c->snap > o->snap ? c->snap : o->snap;
    }
}

struct observe_capture *observe_capture_new(struct observe *o, uint32_t snap,
                                            void (*notify)(void *arg), void *arg)
{
    struct observe_capture *c = calloc(1, sizeof *c);
    if (!c) {
        return NULL;
    }
    if (!o->frames) {
        o->frames = calloc(o->config.frames, sizeof *o->frames);
        if (!o->frames) {
            free(c);
            return NULL;
        }
        o->frames_begin = o->frames_end;
    }
    c->observe = o;
    c->snap = snap;
    c->armed = true;
    c->position = o->frames_end;
    c->notify = notify;
    c->arg = arg;
    list_append(&o->captures, &c->link);
    o->n_captures++;
    update_snap(o);
    observe_update_trace(o);
    return c;
}

void observe_capture_free(struct observe_capture *c)
{
    if (!c) {
        return;
    }
    struct observe *o = c->observe;
    list_remove(&c->link);
    o->n_captures--;
    update_snap(o);
    if (o->n_captures == 0) {
        observe_frames_free(o);
    }
    observe_update_trace(o);
    free(c);
}

bool observe_capture_next(struct observe_capture *c, const struct observe_record **record,
                          uint64_t *lost)
{
    struct observe *o = c->observe;
    *lost = 0;
    if (c->position < o->frames_begin) {
        *lost = o->frames_begin - c->position;
        c->position = o->frames_begin;
    }
    while (c->position < o->frames_end) {
        struct observe_slot *slot = slot_at(o, c->position++);
        if (slot->data) {
            *record = &slot->record;
            return true;
        }
        (*lost)++; /* no memory for it */
    }
    c->armed = true;
    return false;
}

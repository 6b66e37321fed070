/* Packet buffers: one pool of reference-counted 64 KiB-and-a-bit buffers, and smaller classes for
 * payload that is copied compactly. The host reads a frame straight into a buffer; received data
 * then are (buffer, offset, length). */
#ifndef ACKD_BASE_PKT_H
#define ACKD_BASE_PKT_H

#include <stdint.h>
#include "base/arena.h"

/* Room for the largest frame: 64 KiB of IP packet, link header, VLAN tag, and 2 bytes so that the
 * IP header is aligned. */
#define PKT_FRAME_CAPACITY 65568u

struct pkt {
    struct pkt_pool *pool;
    uint32_t refs;
    uint32_t capacity; /* bytes in data[] */
    uint8_t data[];
};

/* `max_idle` frame buffers are kept for reuse, the rest goes back to the arena. */
struct pkt_pool *pkt_pool_new(struct arena *arena, uint32_t max_idle);
void pkt_pool_free(struct pkt_pool *pool);

/* A buffer of at least `capacity` bytes with one reference, NULL at the arena's limit. */
struct pkt *pkt_get(struct pkt_pool *pool, uint32_t capacity);
static inline struct pkt *pkt_ref(struct pkt *p)
{
    p->refs++;
    return p;
}
void pkt_unref(struct pkt *p);

/* Bytes of memory that the buffer pins, its header included. */
uint32_t pkt_footprint(const struct pkt *p);

#endif

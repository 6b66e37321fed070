/* What happened, kept for whoever asks: a bounded ring of events and a bounded ring of frames, each
 * read by any number of subscribers at their own pace. Nobody who reads can hold up who writes: a
 * ring overwrites its oldest record, and a subscriber that was not fast enough learns how many it
 * lost.
 *
 * No protobuf, no clock, no descriptor: the host feeds events and frames, rpc/ reads and renders.
 */
#ifndef ACKD_OBSERVE_OBSERVE_H
#define ACKD_OBSERVE_OBSERVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>
#include "net/net.h"
#include "tcp/tcp.h"

struct observe;

struct observe_config {
    struct tcp_engine *engine; /* for tcp_trace_segments() and observe_drain() */
    const struct net *net;     /* tells which addresses are ours */
    /* Sizes of the rings; 0 takes the default. */
    uint32_t states;    /* state changes; default 16384 */
    uint32_t segments;  /* segments; default 8192; memory only while somebody watches segments */
    uint32_t frames;    /* frames; default 4096; memory only while somebody captures */
    size_t frame_bytes; /* bytes of all frames kept; default 16 MiB */
};
/* NULL when out of memory. */
struct observe *observe_new(const struct observe_config *config);
/* Every subscription must be gone. */
void observe_free(struct observe *observe);

/* ---- events ---- */

/* Every event that tcp_event_next() yields goes here. An event's number is its global id. */
void observe_on_event(struct observe *observe, const struct tcp_event *event);
/* Takes all events that the engine holds: afterwards the rings are as new as tcp_status(). The
 * host's cycle may use this instead of a loop of its own. */
void observe_drain(struct observe *observe);
/* The number of the latest event, 0 before the first. */
uint64_t observe_last(const struct observe *observe);

struct observe_watch;
/* A subscription that begins behind the latest event. `notify` is called when something new is
 * there, once until the next observe_watch_next() that answers false; it must not call back into
 * observe/. While one with `segments` lives, the engine traces segments. NULL when out of memory.
 */
struct observe_watch *observe_watch_new(struct observe *observe, bool segments,
                                        void (*notify)(void *arg), void *arg);
void observe_watch_free(struct observe_watch *watch);
/* Goes back (or on) to just after event `number`; what the rings no longer hold counts as lost.
 * -ERANGE when that event has not happened yet. */
int observe_watch_after(struct observe_watch *watch, uint64_t number);
/* The next event, in order of numbers; false when there is none. *lost is how many events (of any
 * connection) are missing before it, or now; a loss is told once. */
bool observe_watch_next(struct observe_watch *watch, struct tcp_event *event, uint64_t *lost);
unsigned observe_watchers(const struct observe *observe);

/* ---- frames ---- */

/* Whether anybody captures: without it the host need not gather frames. */
bool observe_wants_frames(const struct observe *observe);
/* A frame that was read (TCP_IN) or written (TCP_OUT), Ethernet first. `wall_ns` since 1970.
 * `offload` completes a partial checksum in the copy; may be NULL. `id` is the connection when the
 * caller knows it. Call it before the events of the same cycle are fed: an event that tells of the
 * same segment lends the frame its state and reason. */
void observe_frame(struct observe *observe, enum tcp_direction direction, ackd_time now,
                   int64_t wall_ns, const struct iovec *iov, unsigned n, uint32_t length,
                   const struct net_offload *offload, uint64_t id);

enum observe_interface {
    OBSERVE_LINK,    /* Ethernet, as the device carries it */
    OBSERVE_LOOPBACK /* to our own addresses: they never reach the device; behind an Ethernet header
                        of zeros, and the payload is cut to what the event holds */
};

/* A kept frame. */
struct observe_record {
    enum observe_interface interface;
    enum tcp_direction direction;
    ackd_time at;
    int64_t wall_ns;       /* 0: only `at` is known */
    uint32_t length;       /* on the wire */
    uint32_t kept;         /* bytes in data */
    uint32_t header_bytes; /* up to the TCP payload; of a frame without TCP what shows no payload:
                              link, network and ICMP headers */
    const uint8_t *data;
    bool tcp;               /* `tuple` is set */
    struct tcp_tuple tuple; /* local and remote as seen from here */
    bool known;  /* `event` is set: id, listener, state, kind, drop, cwnd of the segment inside */
    uint64_t id; /* 0: about no connection, or unknown */
    struct tcp_event event;
};

struct observe_capture;
/* A capture that begins now; each frame is kept up to `snap` bytes. NULL when out of memory. */
struct observe_capture *observe_capture_new(struct observe *observe, uint32_t snap,
                                            void (*notify)(void *arg), void *arg);
void observe_capture_free(struct observe_capture *capture);
/* The next frame, valid until the next call that feeds a frame or an event; false when there is
 * none. *lost as in observe_watch_next(). */
bool observe_capture_next(struct observe_capture *capture, const struct observe_record **record,
                          uint64_t *lost);

/* ---- pcapng (draft-ietf-opsawg-pcapng) ---- */

/* Bytes of the section header and the two interface descriptions. */
#define PCAPNG_HEADER_MAX 512
/* What a packet block needs beyond its bytes. */
#define PCAPNG_PACKET_OVERHEAD 512

/* Writes the section header block and the interface descriptions, nanosecond resolution. Returns
 * the length. */
size_t pcapng_header(uint8_t out[PCAPNG_HEADER_MAX], const char *application, const char *link_name,
                     uint32_t snap);
/* Writes one enhanced packet block of at most `snap` bytes of the frame; `out` has room for snap +
 * PCAPNG_PACKET_OVERHEAD. `wall_ns` is the timestamp. The comment says "conn 7 ESTABLISHED,
 * RETRANSMIT_RTO, cwnd 14480 bytes …". Returns the length. */
size_t pcapng_packet(uint8_t *out, const struct observe_record *record, int64_t wall_ns,
                     uint32_t snap);

#endif

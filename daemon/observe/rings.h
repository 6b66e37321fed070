/* What the files of observe/ share: the rings and who reads them. A position counts records since
 * the start and never goes back; record p lies at p modulo the ring's size. */
#ifndef ACKD_OBSERVE_RINGS_H
#define ACKD_OBSERVE_RINGS_H

#include "base/list.h"
#include "observe/observe.h"

/* A state change without what only segments have, or a mark that `lost` events are missing here. */
struct observe_change {
    uint64_t number;
    uint64_t lost;
    ackd_time at;
    uint64_t id, listener;
    struct tcp_tuple tuple;
    enum tcp_state state, old_state;
    enum tcp_close_reason close_reason;
};

struct observe_slot {
    struct observe_record record;
    uint8_t *data;
    size_t size;
};

struct observe {
    struct observe_config config;
    uint64_t last; /* number of the latest event */

    struct observe_change *changes;
    uint64_t changes_end;     /* position of the next record */
    uint64_t changes_evicted; /* number of the latest record that was overwritten */

    struct tcp_event *segments; /* NULL while nobody watches segments */
    uint64_t segments_begin;    /* nothing before it is there */
    uint64_t segments_end;
    uint64_t segments_evicted;

    struct observe_slot *frames; /* NULL while nobody captures */
    uint64_t frames_begin, frames_end;
    size_t frames_bytes;
    uint32_t snap; /* the largest that a capture wants */

    struct list watches, captures;
    unsigned n_watches, n_segment_watches, n_captures;
};

struct observe_watch {
    struct list link;
    struct observe *observe;
    bool segments;
    bool armed;               /* notify at the next record */
    uint64_t change, segment; /* positions of the next records to read */
    uint64_t lost;            /* not told yet */
    void (*notify)(void *arg);
    void *arg;
};

struct observe_capture {
    struct list link;
    struct observe *observe;
    uint32_t snap;
    bool armed;
    uint64_t position;
    void (*notify)(void *arg);
    void *arg;
};

/* Switches the engine's segment events on while anybody wants them. */
void observe_update_trace(struct observe *observe);
/* Lends what the event tells to the frame that carried its segment, or makes a record of a segment
 * that looped back inside. */
void observe_frame_event(struct observe *observe, const struct tcp_event *event);
void observe_frames_free(struct observe *observe);

#endif

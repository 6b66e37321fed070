/* The history of events.
 *
 * State changes and segments lie in a ring each, because segments are many and would push the few
 * state changes out; a reader merges the two by number. A reader is a pair of positions. When the
 * writer has gone round, the positions that were overwritten are the reader's loss: counted by
 * subtraction, without touching the reader when records are written. */
#include "observe/rings.h"

#include <errno.h>
#include <stdlib.h>

struct observe *observe_new(const struct observe_config *config)
{
    struct observe *o = calloc(1, sizeof *o);
    if (!o) {
        return NULL;
    }
    o->config = *config;
    o->config.states = config->states ? config->states : 16384;
    o->config.segments = config->segments ? config->segments : 8192;
    o->config.frames = config->frames ? config->frames : 4096;
    o->config.frame_bytes = config->frame_bytes ? config->frame_bytes : (size_t)16 << 20;
    list_init(&o->watches);
    list_init(&o->captures);
    o->changes = calloc(o->config.states, sizeof *o->changes);
    if (!o->changes) {
        free(o);
        return NULL;
    }
    return o;
}

void observe_free(struct observe *o)
{
    if (!o) {
        return;
    }
    observe_frames_free(o);
    free(o->segments);
    free(o->changes);
    free(o);
}

void observe_update_trace(struct observe *o)
{
    tcp_trace_segments(o->config.engine, o->n_segment_watches > 0 || o->n_captures > 0);
}

static void put_change(struct observe *o, const struct observe_change *change)
{
    struct observe_change *slot = &o->changes[o->changes_end % o->config.states];
    if (o->changes_end >= o->config.states) {
        o->changes_evicted = slot->number;
    }
    *slot = *change;
    o->changes_end++;
}

static void put_segment(struct observe *o, const struct tcp_event *event)
{
    struct tcp_event *slot = &o->segments[o->segments_end % o->config.segments];
    if (o->segments_end - o->segments_begin >= o->config.segments) {
        o->segments_evicted = slot->number;
        o->segments_begin++;
    }
    *slot = *event;
    o->segments_end++;
}

static void notify_watches(struct observe *o, bool segment)
{
    list_for_each(l, &o->watches)
    {
        struct observe_watch *w = container_of(l, struct observe_watch, link);
        if (w->armed && (w->segments || !segment)) {
            w->armed = false;
            w->notify(w->arg);
        }
    }
}

void observe_on_event(struct observe *o, const struct tcp_event *e)
{
    if (e->number > o->last + 1) { /* the engine's own ring was full */
        put_change(
            o, &(struct observe_change){.number = e->number - 1, .lost = e->number - o->last - 1});
        notify_watches(o, false);
    }
    o->last = e->number;
    if (e->type == TCP_EVENT_STATE) {
        put_change(o, &(struct observe_change){.number = e->number,
                                               .at = e->at,
                                               .id = e->id,
                                               .listener = e->listener,
                                               .tuple = e->tuple,
                                               .state = e->state,
                                               .old_state = e->old_state,
                                               .close_reason = e->close_reason});
        notify_watches(o, false);
        return;
    }
    if (o->n_captures > 0) {
        observe_frame_event(o, e);
    }
    if (o->segments) {
        put_segment(o, e);
        notify_watches(o, true);
    }
}

void observe_drain(struct observe *o)
{
    struct tcp_event event;
    while (tcp_event_next(o->config.engine, &event)) {
        observe_on_event(o, &event);
    }
}

uint64_t observe_last(const struct observe *o)
{
    return o->last;
}

unsigned observe_watchers(const struct observe *o)
{
    return o->n_watches + o->n_captures;
}

struct observe_watch *observe_watch_new(struct observe *o, bool segments, void (*notify)(void *arg),
                                        void *arg)
{
    struct observe_watch *w = calloc(1, sizeof *w);
    if (!w) {
        return NULL;
    }
    if (segments && !o->segments) {
        o->segments = calloc(o->config.segments, sizeof *o->segments);
        if (!o->segments) {
            free(w);
            return NULL;
        }
        o->segments_begin = o->segments_end;
    }
    w->observe = o;
    w->segments = segments;
    w->armed = true;
    w->change = o->changes_end;
    w->segment = o->segments_end;
    w->notify = notify;
    w->arg = arg;
    list_append(&o->watches, &w->link);
    o->n_watches++;
    o->n_segment_watches += segments;
    observe_update_trace(o);
    return w;
}

void observe_watch_free(struct observe_watch *w)
{
    if (!w) {
        return;
    }
    struct observe *o = w->observe;
    list_remove(&w->link);
    o->n_watches--;
    o->n_segment_watches -= w->segments;
    if (o->n_segment_watches == 0 && o->segments) {
        if (o->segments_end != o->segments_begin) {
            o->segments_evicted = o->segments[(o->segments_end - 1) % o->config.segments].number;
        }
        free(o->segments);
        o->segments = NULL;
        o->segments_begin = o->segments_end;
    }
    observe_update_trace(o);
    free(w);
}

static uint64_t changes_begin(const struct observe *o)
{
    return o->changes_end > o->config.states ? o->changes_end - o->config.states : 0;
}

/* How many events after `number` were overwritten, at most: the ring knows how many records it
 * dropped and the number of the latest. */
static uint64_t dropped_after(uint64_t number, uint64_t evicted, uint64_t records)
{
    uint64_t by_number = evicted > number ? evicted - number : 0;
    return by_number < records ? by_number : records;
}

int observe_watch_after(struct observe_watch *w, uint64_t number)
{
    struct observe *o = w->observe;
    if (number > o->last) {
        return -ERANGE;
    }
    uint64_t low = changes_begin(o), high = o->changes_end;
    w->lost = dropped_after(number, o->changes_evicted, low);
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (o->changes[middle % o->config.states].number > number) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    w->change = low;
    if (!w->segments) {
        return 0;
    }
    low = o->segments_begin;
    high = o->segments_end;
    w->lost += dropped_after(number, o->segments_evicted, low);
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (o->segments[middle % o->config.segments].number > number) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    w->segment = low;
    return 0;
}

/* Steps over what was overwritten before it was read. */
static void count_overwritten(struct observe_watch *w)
{
    const struct observe *o = w->observe;
    uint64_t begin = changes_begin(o);
    if (w->change < begin) {
        w->lost += begin - w->change;
        w->change = begin;
    }
    if (w->segments && w->segment < o->segments_begin) {
        w->lost += o->segments_begin - w->segment;
        w->segment = o->segments_begin;
    }
}

static void take_change(struct observe_watch *w, const struct observe_change *c,
                        struct tcp_event *event)
{
    *event = (struct tcp_event){.number = c->number,
                                .at = c->at,
                                .type = TCP_EVENT_STATE,
                                .id = c->id,
                                .listener = c->listener,
                                .tuple = c->tuple,
                                .state = c->state,
                                .old_state = c->old_state,
                                .close_reason = c->close_reason};
    w->change++;
}

bool observe_watch_next(struct observe_watch *w, struct tcp_event *event, uint64_t *lost)
{
    const struct observe *o = w->observe;
    bool found = false;
    count_overwritten(w);
    for (;;) {
        const struct observe_change *c =
            w->change < o->changes_end ? &o->changes[w->change % o->config.states] : NULL;
        const struct tcp_event *s = w->segments && w->segment < o->segments_end
                                        ? &o->segments[w->segment % o->config.segments]
                                        : NULL;
        if (c && c->lost > 0 && (!s || c->number < s->number)) {
            w->lost += c->lost;
            w->change++;
            continue;
        }
        if (c && (!s || c->number < s->number)) {
            take_change(w, c, event);
            found = true;
        } else if (s) {
            *event = *s;
            w->segment++;
            found = true;
        }
        break;
    }
    *lost = w->lost;
    w->lost = 0;
    w->armed = !found;
    return found;
}

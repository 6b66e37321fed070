/* What a client may cost us with frames that carry nothing. HTTP/2 lets a peer ask for work without
 * end: PING and SETTINGS want an answer each (CVE-2019-9512, 9515), empty DATA wants handling
 * (9518), HEADERS followed by RST_STREAM make and end a call (CVE-2023-44487), CONTINUATION makes a
 * header block without end (CVE-2024-27316). Each is legal by itself, so the rate decides: a bucket
 * of tokens that time refills, and that frames with data refill too, because honest clients measure
 * their bandwidth with a PING for each batch of data and tell us of each they have read by
 * WINDOW_UPDATE. */
#include "rpc/transport/internal.h"

enum {
    IDLE_BURST = 4096,     /* frames */
    IDLE_RATE = 1024,      /* frames a second */
    RESET_BURST = 1024,    /* streams */
    RESET_RATE = 128,      /* streams a second */
    USEFUL_TOKENS = 4,     /* frames that come with one that carries data */
    CONTINUATIONS_MAX = 8, /* of a header block; ours fit into two frames */
};

void flood_init(struct flood *f, ackd_time now)
{
    *f = (struct flood){{IDLE_BURST, now}, {RESET_BURST, now}, 0};
}

static bool take(struct bucket *b, ackd_time now, uint32_t burst, uint32_t rate)
{
    if (b->tokens == 0) {
        int64_t passed = time_diff(now, b->refilled);
        int64_t come = passed > NS_PER_S ? rate : passed * rate / NS_PER_S;
        if (come == 0) {
            return false;
        }
        b->tokens = come > burst ? burst : (uint32_t)come;
        b->refilled = now;
    }
    b->tokens--;
    return true;
}

bool flood_frame(struct flood *f, ackd_time now, const nghttp2_frame_hd *hd)
{
    switch (hd->type) {
    case NGHTTP2_DATA:
        if (hd->length > 0) {
            flood_useful(f);
            return true;
        }
        return take(&f->idle, now, IDLE_BURST, IDLE_RATE);
    case NGHTTP2_HEADERS:
        f->continuations = 0;
        return true;
    case NGHTTP2_CONTINUATION:
        return ++f->continuations <= CONTINUATIONS_MAX;
    case NGHTTP2_RST_STREAM:
        return take(&f->resets, now, RESET_BURST, RESET_RATE);
    default:
        return take(&f->idle, now, IDLE_BURST, IDLE_RATE);
    }
}

void flood_useful(struct flood *f)
{
    f->idle.tokens =
        f->idle.tokens > IDLE_BURST - USEFUL_TOKENS ? IDLE_BURST : f->idle.tokens + USEFUL_TOKENS;
}

bool flood_refused(struct flood *f, ackd_time now)
{
    return take(&f->resets, now, RESET_BURST, RESET_RATE);
}

/* Offsets of the byte stream count from 0 in each direction (the first byte after the SYN) and do
 * not wrap. Upward the engine tells how many bytes it has accepted; downward which byte is the
 * oldest that it still holds. Everything else follows. */
#include "rpc/transfer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Before ESTABLISHED a call waits; there is nothing to answer yet. */
static bool handshaking(struct endpoint *e)
{
    struct tcp_info info;
    return tcp_status(e->rpc->config.engine, rpc_now(e->rpc), e->id, false, &info) == 0 &&
           (info.state == TCP_SYN_SENT || info.state == TCP_SYN_RECEIVED);
}

static int64_t not_now(struct endpoint *e, int64_t error)
{
    return error == -ENOTCONN && handshaking(e) ? -EAGAIN : error;
}

int64_t transfer_up(struct endpoint *e, uint64_t offset, const uint8_t *data, size_t length,
                    unsigned flags, size_t *budget)
{
    struct rpc *rpc = e->rpc;
    struct tcp_engine *engine = rpc->config.engine;
    int64_t accepted = tcp_send_offset(engine, e->id);
    if (accepted < 0) {
        return accepted;
    }
    if (offset > (uint64_t)accepted) {
        return -ERANGE;
    }
    uint64_t skip = (uint64_t)accepted - offset;
    /* Until the buffer takes no more: only a call that found no room is told of room later. */
    while (skip < length && *budget) {
        size_t left = length - skip, most = left < *budget ? left : *budget;
        /* PUSH is about the last byte. */
        unsigned with = most < left ? flags & ~(unsigned)TCP_SEND_PUSH : flags;
        int64_t n = tcp_send(engine, rpc_now(rpc), e->id, data + skip, most, with);
        if (n < 0) {
            return not_now(e, n);
        }
        rpc_kick(rpc);
        if (n == 0) {
            break;
        }
        skip += (uint64_t)n;
        *budget -= (size_t)n;
    }
    return (int64_t)(skip < length ? skip : length);
}

void *transfer_keep(struct grpc_call *call, const uint8_t **data, size_t length)
{
    void *memory = length ? grpc_call_take(call, *data) : NULL;
    if (memory) {
        return memory;
    }
    uint8_t *copy = malloc(length ? length : 1);
    if (copy && length) {
        memcpy(copy, *data, length);
    }
    *data = copy;
    return copy;
}

void transfer_fail_gap(struct grpc_call *call, struct endpoint *e, uint64_t offset)
{
    int64_t accepted = tcp_send_offset(e->rpc->config.engine, e->id);
    call_fail_about(
        call, ERANGE, "OFFSET_GAP", "field", "offset",
        "offset: %llu leaves a gap: the bytes before %lld are accepted, the next has to be "
        "that one",
        (unsigned long long)offset, (long long)accepted);
}

void transfer_progress(struct endpoint *e, uint64_t *accepted_until, uint64_t *acknowledged_until)
{
    struct tcp_engine *engine = e->rpc->config.engine;
    struct tcp_info info;
    int64_t accepted = tcp_send_offset(engine, e->id);
    *accepted_until = accepted > 0 ? (uint64_t)accepted : 0;
    *acknowledged_until = 0;
    if (tcp_status(engine, rpc_now(e->rpc), e->id, false, &info) == 0 &&
        info.send_q_bytes <= *accepted_until) {
        *acknowledged_until = *accepted_until - info.send_q_bytes;
    }
}

int transfer_look(struct endpoint *e, uint64_t from, size_t max, struct transfer_down *out)
{
    struct tcp_received r;
    int error = tcp_peek(e->rpc->config.engine, e->id, from, 0, &r);
    *out = (struct transfer_down){.offset = from};
    if (error == -EINVAL) {
        return -ERANGE;
    }
    if (error < 0) {
        return (int)not_now(e, error);
    }
    size_t there = r.available ? (size_t)(r.offset + r.available - from) : 0;
    out->length = there < max ? there : max;
    out->end_of_stream = r.end_of_stream && out->length == there;
    out->urgent = r.urgent;
    out->urgent_mark = r.urgent_mark;
    return 0;
}

/* View by view: one view of the receive queue shows a bounded number of ranges. */
void transfer_copy(struct endpoint *e, uint64_t from, size_t length, uint8_t *to)
{
    struct tcp_received r;
    size_t done = 0;
    while (done < length) {
        if (tcp_peek(e->rpc->config.engine, e->id, from + done, length - done, &r) < 0 ||
            r.n_ranges == 0) {
            memset(to + done, 0, length - done); /* cannot be: transfer_look() saw them */
            return;
        }
        for (unsigned i = 0; i < r.n_ranges; i++) {
            memcpy(to + done, r.range[i].data, r.range[i].length);
            done += r.range[i].length;
        }
    }
}

int transfer_release(struct endpoint *e, uint64_t upto)
{
    struct rpc *rpc = e->rpc;
    int error = tcp_consume(rpc->config.engine, rpc_now(rpc), e->id, upto);
    if (error == 0) {
        rpc_kick(rpc);
    }
    return error == -EINVAL ? -ERANGE : error;
}

void transfer_fail_range(struct grpc_call *call, struct endpoint *e, uint64_t from)
{
    struct tcp_info info;
    if (tcp_status(e->rpc->config.engine, rpc_now(e->rpc), e->id, true, &info) < 0) {
        call_fail_id(call, EBADF, "ENDPOINT_UNKNOWN", e->id, "there is no endpoint %llu",
                     (unsigned long long)e->id);
        return;
    }
    unsigned long long oldest = info.bytes_read, newest = info.bytes_received;
    if (from < oldest) {
        call_fail_about(call, ERANGE, "OFFSET_RELEASED", "field", "from_offset",
                        "offset %llu was released already: the oldest byte kept is %llu",
                        (unsigned long long)from, oldest);
    } else {
        call_fail_about(call, ERANGE, "OFFSET_GAP", "field", "from_offset",
                        "offset %llu is beyond what was received: %llu bytes",
                        (unsigned long long)from, newest);
    }
}

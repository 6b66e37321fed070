/* Bytes between messages and the engine, by stream offsets: what Send, Receive and Stream share. */
#ifndef ACKD_RPC_TRANSFER_H
#define ACKD_RPC_TRANSFER_H

#include "rpc/endpoint.h"

/* Bytes that one call copies into the send buffer within one callback: packets and the other calls
 * want their turn. */
enum { SLICE = 128 * 1024 };

/* Hands data that begin at stream offset `offset` to the send buffer, at most *budget bytes of
 * them, which is lessened. Returns how many bytes are accepted in all (those accepted earlier
 * included; less than `length`: with a budget of 0 go on in the next turn, else the buffer is full
 * and WRITE readiness follows), -ERANGE when `offset` is beyond what was accepted, -EAGAIN while
 * the endpoint is not connected yet, or the engine's error. */
int64_t transfer_up(struct endpoint *e, uint64_t offset, const uint8_t *data, size_t length,
                    unsigned flags, size_t *budget);
/* Within on_message(): has *data, of the message's field `in_place`, stay. Returns what is to be
 * freed then; NULL without memory. */
void *transfer_keep(struct grpc_call *call, const uint8_t **data, size_t length);
/* Fails the call after -ERANGE of transfer_up(). */
void transfer_fail_gap(struct grpc_call *call, struct endpoint *e, uint64_t offset);
void transfer_progress(struct endpoint *e, uint64_t *accepted_until, uint64_t *acknowledged_until);

/* What is there from stream offset `from`. */
struct transfer_down {
    uint64_t offset; /* of the first byte */
    size_t length;
    bool end_of_stream; /* the FIN follows the last of them */
    bool urgent;
    uint64_t urgent_mark;
};
/* At most `max` bytes. 0; -EAGAIN while the endpoint is not connected yet; -ERANGE when `from` was
 * released or is beyond what is there; or the error that ended the connection, when everything was
 * read. */
int transfer_look(struct endpoint *e, uint64_t from, size_t max, struct transfer_down *out);
/* Copies bytes that transfer_look() saw in this callback. */
void transfer_copy(struct endpoint *e, uint64_t from, size_t length, uint8_t *to);
/* Releases everything before `upto`: 0 or -ERANGE. */
int transfer_release(struct endpoint *e, uint64_t upto);
/* Fails the call after -ERANGE of the two above. */
void transfer_fail_range(struct grpc_call *call, struct endpoint *e, uint64_t from);

#endif

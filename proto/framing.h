/* gRPC over HTTP/2, the part that clients and servers share: the prefix before each message,
 * grpc-timeout, the percent-encoding of grpc-message and the base64 of headers whose names end in
 * "-bin". Source: gRPC's "PROTOCOL-HTTP2".
 *
 *     Length-Prefixed-Message  =  Compressed-Flag (1 byte, 0 or 1)  Message-Length (4 bytes,
 * big-endian)  Message
 *
 * Frames of HTTP/2 have no relation to messages: a message may lie in many DATA frames, and many in
 * one. Hence the decoder takes bytes as they come. It allocates only for what has arrived (a prefix
 * that promises 4 MiB costs nothing by itself), and nothing at all for a message that lies in one
 * piece, or in several that adjoin in the caller's memory. */
#ifndef ACKD_PROTO_FRAMING_H
#define ACKD_PROTO_FRAMING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { GRPC_PREFIX_LENGTH = 5 };

void grpc_prefix_write(uint8_t out[GRPC_PREFIX_LENGTH], uint32_t length);

enum grpc_deframed {
    GRPC_DEFRAMED_NOTHING,    /* all bytes are taken, no message is complete yet */
    GRPC_DEFRAMED_MESSAGE,    /* `message` and `length` hold one, until the next call */
    GRPC_DEFRAMED_COMPRESSED, /* the flag is not 0: we never agree to a compression */
    GRPC_DEFRAMED_TOO_LARGE,  /* `length` is above `max_message` */
    GRPC_DEFRAMED_NO_MEMORY,
};

struct grpc_deframer {
    size_t max_message; /* bytes of one message */
    const uint8_t
        *message; /* after GRPC_DEFRAMED_MESSAGE: its bytes, in `buffer` or in the caller's data */
    uint32_t length;      /* of the message, once the prefix is complete */
    unsigned prefix_have; /* bytes of `prefix` */
    uint8_t prefix[GRPC_PREFIX_LENGTH];
    uint8_t *buffer;     /* NULL until a message comes in pieces that do not adjoin */
    const uint8_t *view; /* the first of `filled` bytes in the caller's data; NULL: in `buffer` */
    size_t capacity, filled;
};

void grpc_deframer_init(struct grpc_deframer *d, size_t max_message);
/* Gives the buffer back; `d` may be used again. */
void grpc_deframer_free(struct grpc_deframer *d);
/* After GRPC_DEFRAMED_MESSAGE: the buffer with the message, to be freed by the caller; `message`
 * stays valid as long. NULL: the message lies in the caller's data. */
uint8_t *grpc_deframer_take(struct grpc_deframer *d);
/* Takes bytes from *data, at most to the end of one message, and moves *data and *length past them.
 * After anything but NOTHING and MESSAGE the stream is lost. Bytes of a message that is not
 * complete are only pointed at: grpc_deframer_settle() has to come before they vanish. */
enum grpc_deframed grpc_deframe(struct grpc_deframer *d, const uint8_t **data, size_t *length);
/* Copies what is pointed at; false without memory. */
bool grpc_deframer_settle(struct grpc_deframer *d);
/* Bytes taken of a message that is not complete, its prefix included; 0 between messages. */
size_t grpc_deframer_partial(const struct grpc_deframer *d);
/* Bytes that this message occupies with its prefix; 0 while the prefix is not known. */
size_t grpc_deframer_expects(const struct grpc_deframer *d);
/* Bytes that the message still lacks; 0 while the prefix is not known. */
size_t grpc_deframer_lacks(const struct grpc_deframer *d);

/* grpc-timeout: one to eight digits and a unit out of H M S m u n. Returns false for anything else.
 */
bool grpc_timeout_parse(const char *text, size_t length, int64_t *ns);
/* Writes the timeout (at least 0) in the finest unit that eight digits hold, rounded up, with a
 * final NUL; returns the length. */
enum { GRPC_TIMEOUT_SIZE = 10 };
size_t grpc_timeout_format(int64_t ns, char out[GRPC_TIMEOUT_SIZE]);

/* grpc-message: bytes outside of ' '..'~', and '%', become %XX. Writes at most `capacity` bytes,
 * whole characters only, without a NUL; returns the bytes that were written. Three times the length
 * always suffices. */
size_t grpc_percent_encode(const char *text, size_t length, char *out, size_t capacity);
/* What is no valid %XX stays as it is. `out` may be `text`; it needs `length` bytes. Returns the
 * bytes that were written. */
size_t grpc_percent_decode(const char *text, size_t length, char *out);

/* Standard base64 without padding, as gRPC sends it; grpc_base64_size() bytes without a NUL. */
#define GRPC_BASE64_SIZE(n) (((n)*4 + 2) / 3)
size_t grpc_base64_encode(const uint8_t *data, size_t length, char *out);
/* With or without padding. `out` needs length * 3 / 4 bytes. Returns the bytes that were written,
 * or -1 when it is no base64. */
ssize_t grpc_base64_decode(const char *text, size_t length, uint8_t *out);

#endif

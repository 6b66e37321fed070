/* The headers of a request, checked here and not by nghttp2: its checks want an :authority that is
 * a host, and gRPC clients on Unix sockets really send "localhost", a path, a percent-encoded path,
 * or none. So the rules that matter are ours: RFC 9113 section 8.2 (lower-case names, no bytes that
 * would split a header), 8.2.2 (no headers of a connection), 8.3 (pseudo-headers first, each once,
 * none unknown), 10.5.1 (a bound on the list), and what gRPC's PROTOCOL-HTTP2 says of a request.
 * What is malformed resets the stream; what is well-formed but no gRPC gets HTTP's answer (405,
 * 415); the rest gets a gRPC status. */
#include <string.h>
#include "rpc/transport/internal.h"

enum {
    SEEN_METHOD = 1,
    SEEN_SCHEME = 2,
    SEEN_AUTHORITY = 4,
    SEEN_PATH = 8,
    SEEN_TYPE = 16,
    SEEN_TIMEOUT = 32,
    SEEN_ENCODING = 64,
};

/* A piece of a header, not terminated. */
struct piece {
    const char *text;
    size_t length;
};

static bool is(struct piece p, const char *text)
{
    return p.length == strlen(text) && memcmp(p.text, text, p.length) == 0;
}

static bool starts(struct piece p, const char *text)
{
    size_t n = strlen(text);
    return p.length >= n && memcmp(p.text, text, n) == 0;
}

void request_init(struct request *r)
{
    *r = (struct request){.timeout_ns = -1};
}

static void malformed(struct request *r)
{
    r->fault = REQUEST_MALFORMED;
}

/* Notes a header that may come once. */
static void once(struct request *r, unsigned bit)
{
    if (r->seen & bit) {
        malformed(r);
    }
    r->seen |= bit;
}

static void set_path(struct request *r, struct piece value)
{
    r->path_length = value.length < PATH_MAX_LENGTH ? value.length : PATH_MAX_LENGTH;
    memcpy(r->path, value.text, r->path_length);
    r->path[r->path_length] = '\0';
    if (value.length == 0) {
        malformed(r);
    }
}

static void pseudo_header(struct request *r, struct piece name, struct piece value)
{
    if (r->regular) {
        malformed(r);
    } else if (is(name, ":method")) {
        once(r, SEEN_METHOD);
        r->bad_method = !is(value, "POST");
    } else if (is(name, ":scheme")) {
        once(r, SEEN_SCHEME);
        if (!is(value, "http") && !is(value, "https")) {
            malformed(r);
        }
    } else if (is(name, ":authority")) {
        once(r, SEEN_AUTHORITY);
    } else if (is(name, ":path")) {
        once(r, SEEN_PATH);
        set_path(r, value);
    } else {
        malformed(r);
    }
}

/* application/grpc, application/grpc+proto, both with parameters. */
static bool grpc_type(struct piece value)
{
    static const char type[] = "application/grpc", proto[] = "+proto";
    if (!starts(value, type)) {
        return false;
    }
    struct piece rest = {value.text + strlen(type), value.length - strlen(type)};
    if (starts(rest, proto)) {
        rest = (struct piece){rest.text + strlen(proto), rest.length - strlen(proto)};
    }
    return rest.length == 0 || rest.text[0] == ';' || rest.text[0] == ' ';
}

static void regular_header(struct request *r, struct piece name, struct piece value)
{
    static const char *const of_connection[] = {"connection", "proxy-connection", "keep-alive",
                                                "transfer-encoding", "upgrade"};
    r->regular = true;
    if (is(name, "content-type")) {
        once(r, SEEN_TYPE);
        r->bad_type = !grpc_type(value);
    } else if (is(name, "grpc-timeout")) {
        once(r, SEEN_TIMEOUT);
        r->bad_timeout = !grpc_timeout_parse(value.text, value.length, &r->timeout_ns);
    } else if (is(name, "grpc-encoding")) {
        once(r, SEEN_ENCODING);
        r->bad_encoding = !is(value, "identity");
    } else if (is(name, "te") && !is(value, "trailers")) {
        malformed(r);
    }
    for (size_t i = 0; i < sizeof(of_connection) / sizeof(of_connection[0]); i++) {
        if (is(name, of_connection[i])) {
            malformed(r);
        }
    }
}

void request_header(struct request *r, const uint8_t *name, size_t name_length,
                    const uint8_t *value, size_t value_length)
{
    /* RFC 9113 section 6.5.2: 32 bytes for the overhead of each. */
    r->list_size += name_length + value_length + 32;
    if (r->list_size > HEADER_LIST_MAX && r->fault == REQUEST_OK) {
        r->fault = REQUEST_TOO_LARGE;
    }
    if (r->fault != REQUEST_OK) {
        return;
    }
    struct piece n = {(const char *)name, name_length}, v = {(const char *)value, value_length};
    if (!nghttp2_check_header_name(name, name_length) ||
        !nghttp2_check_header_value(value, value_length)) {
        malformed(r);
    } else if (n.text[0] == ':') {
        pseudo_header(r, n, v);
    } else {
        regular_header(r, n, v);
    }
}

void request_end(struct request *r)
{
    unsigned must = SEEN_METHOD | SEEN_SCHEME | SEEN_PATH;
    if (r->fault == REQUEST_OK && (r->seen & must) != must) {
        malformed(r);
    }
    if (!(r->seen & SEEN_TYPE)) {
        r->bad_type = true;
    }
}

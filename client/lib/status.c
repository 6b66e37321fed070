/* How a call ended. gRPC puts the status into trailers: grpc-status (a number), grpc-message
 * (percent-encoded), and grpc-status-details-bin (base64 of a google.rpc.Status, in which a
 * google.rpc.ErrorInfo has the reason and the errno name). A call without grpc-status was ended by
 * HTTP: its :status or RST_STREAM's code stand for one, by gRPC's own tables. */
#include "client/lib/conn.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "google/rpc/status.pb-c.h"

#define DETAILS_MAX 8192

int error_set(struct ackd_error *err, int code, int errnum, const char *reason, const char *format,
              ...)
{
    if (!err)
        return -1;
    *err = (struct ackd_error){.grpc_code = code};
    const char *name = errnum ? strerrorname_np(errnum) : NULL;
    snprintf(err->errno_name, sizeof err->errno_name, "%s", name ? name : "");
    snprintf(err->reason, sizeof err->reason, "%s", reason ? reason : "");
    va_list args;
    va_start(args, format);
    vsnprintf(err->message, sizeof err->message, format, args);
    va_end(args);
    return -1;
}

int error_no_memory(struct ackd_error *err)
{
    return error_set(err, ACKD_RESOURCE_EXHAUSTED, ENOMEM, "NO_MEMORY", "out of memory");
}

int error_copy(struct ackd_error *to, const struct ackd_error *from)
{
    if (to)
        *to = *from;
    return -1;
}

const char *ackd_code_name(int grpc_code)
{
    static const char *const names[] = {"OK",
                                        "CANCELLED",
                                        "UNKNOWN",
                                        "INVALID_ARGUMENT",
                                        "DEADLINE_EXCEEDED",
                                        "NOT_FOUND",
                                        "ALREADY_EXISTS",
                                        "PERMISSION_DENIED",
                                        "RESOURCE_EXHAUSTED",
                                        "FAILED_PRECONDITION",
                                        "ABORTED",
                                        "OUT_OF_RANGE",
                                        "UNIMPLEMENTED",
                                        "INTERNAL",
                                        "UNAVAILABLE",
                                        "DATA_LOSS",
                                        "UNAUTHENTICATED"};
    bool known = grpc_code >= 0 && grpc_code < (int)(sizeof names / sizeof *names);
    return known ? names[grpc_code] : "UNKNOWN";
}

/* ---- headers ---- */

static void error_info(struct ackd_error *out, const Google__Protobuf__Any *any)
{
    const char *slash = strrchr(any->type_url, '/');
    if (strcmp(slash ? slash + 1 : any->type_url, "google.rpc.ErrorInfo") != 0)
        return;
    Google__Rpc__ErrorInfo *info =
        google__rpc__error_info__unpack(NULL, any->value.len, any->value.data);
    if (!info)
        return;
    snprintf(out->reason, sizeof out->reason, "%s", info->reason);
    for (size_t i = 0; i < info->n_metadata; i++) {
        const Google__Rpc__ErrorInfo__MetadataEntry *entry = info->metadata[i];
        if (strcmp(entry->key, "errno") == 0)
            snprintf(out->errno_name, sizeof out->errno_name, "%s", entry->value);
        else if (strcmp(entry->key, "field") == 0)
            snprintf(out->field, sizeof out->field, "%s", entry->value);
    }
    google__rpc__error_info__free_unpacked(info, NULL);
}

/* What cannot be read is left out: the status and its sentence have said the most. */
static void details(struct ackd_error *out, const uint8_t *value, size_t length)
{
    uint8_t bytes[DETAILS_MAX];
    if (length > DETAILS_MAX)
        return;
    ssize_t n = grpc_base64_decode((const char *)value, length, bytes);
    Google__Rpc__Status *status =
        n < 0 ? NULL : google__rpc__status__unpack(NULL, (size_t)n, bytes);
    if (!status)
        return;
    for (size_t i = 0; i < status->n_details; i++)
        error_info(out, status->details[i]);
    google__rpc__status__free_unpacked(status, NULL);
}

/* One to three digits; -1 otherwise. */
static int small_number(const uint8_t *text, size_t length)
{
    int n = 0;
    if (length < 1 || length > 3)
        return -1;
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9')
            return -1;
        n = n * 10 + (text[i] - '0');
    }
    return n;
}

void status_header(struct call *c, const char *name, const uint8_t *value, size_t length)
{
    if (strcmp(name, ":status") == 0) {
        c->http_status = small_number(value, length);
    } else if (strcmp(name, "grpc-status") == 0) {
        int n = small_number(value, length);
        c->grpc_status = n < 0 ? ACKD_UNKNOWN : n;
    } else if (strcmp(name, "grpc-message") == 0) {
        char text[3 * sizeof c->grpc_message];
        size_t n = grpc_percent_decode((const char *)value,
                                       length < sizeof text ? length : sizeof text, text);
        n = n < sizeof c->grpc_message - 1 ? n : sizeof c->grpc_message - 1;
        memcpy(c->grpc_message, text, n);
        c->grpc_message[n] = '\0';
    } else if (strcmp(name, "grpc-status-details-bin") == 0) {
        details(&c->details, value, length);
    }
}

/* ---- the end ---- */

static int code_of_http(int status)
{
    switch (status) {
    case 400:
        return ACKD_INTERNAL;
    case 401:
        return ACKD_UNAUTHENTICATED;
    case 403:
        return ACKD_PERMISSION_DENIED;
    case 404:
        return ACKD_UNIMPLEMENTED;
    case 429:
    case 502:
    case 503:
    case 504:
        return ACKD_UNAVAILABLE;
    default:
        return ACKD_UNKNOWN;
    }
}

static int code_of_reset(uint32_t h2_error)
{
    switch (h2_error) {
    case NGHTTP2_REFUSED_STREAM:
        return ACKD_UNAVAILABLE;
    case NGHTTP2_CANCEL:
        return ACKD_CANCELLED;
    case NGHTTP2_ENHANCE_YOUR_CALM:
        return ACKD_RESOURCE_EXHAUSTED;
    case NGHTTP2_INADEQUATE_SECURITY:
        return ACKD_PERMISSION_DENIED;
    default:
        return ACKD_INTERNAL;
    }
}

void status_final(struct call *c, uint32_t h2_error)
{
    struct ackd_error *e = &c->error;
    if (c->grpc_status < 0 && h2_error != NGHTTP2_NO_ERROR)
        error_set(e, code_of_reset(h2_error), 0, "STREAM_RESET", "the daemon ended the call: %s",
                  nghttp2_http2_strerror(h2_error));
    else if (c->grpc_status < 0 && c->http_status != 200)
        error_set(e, code_of_http(c->http_status), 0, "HTTP_STATUS",
                  "the other end answered HTTP status %d, not gRPC", c->http_status);
    else if (c->grpc_status < 0 ||
             (c->grpc_status == ACKD_OK && grpc_deframer_partial(&c->deframer)))
        error_set(e, ACKD_INTERNAL, EPROTO, "MALFORMED_ANSWER", "the daemon's answer ended %s",
                  c->grpc_status < 0 ? "without a status" : "in the middle of a message");
    else {
        *e = c->details;
        e->grpc_code = c->grpc_status;
        memcpy(e->message, c->grpc_message, sizeof e->message);
        if (e->grpc_code != ACKD_OK && !e->message[0])
            snprintf(e->message, sizeof e->message, "the daemon answered %s",
                     ackd_code_name(e->grpc_code));
    }
}

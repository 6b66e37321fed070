/* A call's end as headers. gRPC tells it three times: grpc-status, the code as a decimal number;
 * grpc-message, a sentence for people, percent-encoded; grpc-status-details-bin, base64 of
 * google.rpc.Status, for programs. Its one detail is a google.rpc.ErrorInfo {reason, domain,
 * metadata}, so that a client finds "ECONNREFUSED" without reading the sentence. */
#include <stdlib.h>
#include <string.h>
#include "google/protobuf/any.pb-c.h"
#include "google/rpc/status.pb-c.h"
#include "rpc/transport/internal.h"

/* Packs a message into memory from malloc, or NULL. */
static uint8_t *packed(const ProtobufCMessage *message, size_t *length)
{
    *length = protobuf_c_message_get_packed_size(message);
    uint8_t *bytes = malloc(*length + 1);
    if (bytes) {
        protobuf_c_message_pack(message, bytes);
    }
    return bytes;
}

/* google.rpc.ErrorInfo of the error, packed. */
static uint8_t *error_info(const struct grpc_error *error, size_t *length)
{
    static char domain[] = "ackd.v1", none[] = "";
    Google__Rpc__ErrorInfo info = GOOGLE__RPC__ERROR_INFO__INIT;
    Google__Rpc__ErrorInfo__MetadataEntry entry[2], *entries[2];
    info.reason = error->reason ? (char *)error->reason : none;
    info.domain = domain;
    const char *const pairs[2][2] = {{"errno", error->errno_name}, {error->key, error->value}};
    for (size_t i = 0; i < 2; i++) {
        if (pairs[i][0] && pairs[i][1]) {
            google__rpc__error_info__metadata_entry__init(&entry[info.n_metadata]);
            entry[info.n_metadata].key = (char *)pairs[i][0];
            entry[info.n_metadata].value = (char *)pairs[i][1];
            entries[info.n_metadata] = &entry[info.n_metadata];
            info.n_metadata++;
        }
    }
    info.metadata = entries;
    return packed(&info.base, length);
}

/* Fills status->details; without memory the call ends without them. */
static void set_details(struct status *status, const struct grpc_error *error, const char *sentence)
{
    static char type_url[] = "type.googleapis.com/google.rpc.ErrorInfo";
    size_t info_length, length;
    uint8_t *info = error_info(error, &info_length);
    if (!info) {
        return;
    }
    Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
    any.type_url = type_url;
    any.value = (ProtobufCBinaryData){.len = info_length, .data = info};
    Google__Protobuf__Any *details[] = {&any};
    Google__Rpc__Status message = GOOGLE__RPC__STATUS__INIT;
    message.code = (int32_t)error->code;
    message.message = (char *)sentence;
    message.n_details = 1;
    message.details = details;
    uint8_t *bytes = packed(&message.base, &length);
    char *text = bytes ? malloc(GRPC_BASE64_SIZE(length) + 1) : NULL;
    if (text) {
        status->details = text;
        status->details_length = grpc_base64_encode(bytes, length, text);
    }
    free(bytes);
    free(info);
}

void status_set(struct status *status, const struct grpc_error *error)
{
    status_free(status);
    status->code = error->code;
    if (error->code == GRPC_OK) {
        return;
    }
    /* Nothing that a sentence repeats from the client makes our headers grow beyond what clients
     * take. */
    char sentence[SENTENCE_MAX + 1];
    size_t length = error->sentence ? strnlen(error->sentence, SENTENCE_MAX) : 0;
    if (length > 0) {
        memcpy(sentence, error->sentence, length);
    }
    sentence[length] = '\0';
    status->message = malloc(length * 3 + 1);
    if (status->message) {
        status->message_length = grpc_percent_encode(sentence, length, status->message, length * 3);
    }
    if (error->reason || error->errno_name) {
        set_details(status, error, sentence);
    }
}

void status_free(struct status *status)
{
    free(status->message);
    free(status->details);
    *status = (struct status){0};
}

static nghttp2_nv header(const char *name, const char *value, size_t length)
{
    return (nghttp2_nv){.name = (uint8_t *)name,
                        .namelen = strlen(name),
                        .value = (uint8_t *)value,
                        .valuelen = length,
                        .flags = NGHTTP2_NV_FLAG_NONE};
}

size_t status_headers(const struct status *status, char number[3], nghttp2_nv *out)
{
    size_t digits = 0, n = 0;
    unsigned code = (unsigned)status->code;
    if (code >= 10) {
        number[digits++] = (char)('0' + code / 10);
    }
    number[digits++] = (char)('0' + code % 10);
    out[n++] = header("grpc-status", number, digits);
    if (status->message) {
        out[n] = header("grpc-message", status->message, status->message_length);
        out[n++].flags = NGHTTP2_NV_FLAG_NO_INDEX; /* would push everything else out of the table */
    }
    if (status->details) {
        out[n] = header("grpc-status-details-bin", status->details, status->details_length);
        out[n++].flags = NGHTTP2_NV_FLAG_NO_INDEX;
    }
    return n;
}

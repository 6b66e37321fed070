/* Enums and endpoints as text, and back. */
#include "client/lib/convert.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include "client/lib/docs.h"

/* In the order of enum ackd_enum. */
static const ProtobufCEnumDescriptor *const enums[] = {
    &ackd__v1__state__descriptor,
    &ackd__v1__drop_reason__descriptor,
    &ackd__v1__reset_sent_reason__descriptor,
    &ackd__v1__reset_received_reason__descriptor,
    &ackd__v1__close_reason__descriptor,
    &ackd__v1__limit_reason__descriptor,
    &ackd__v1__send_kind__descriptor,
    &ackd__v1__net_drop_reason__descriptor,
    &ackd__v1__direction__descriptor,
    &ackd__v1__icmp_policy__descriptor,
    &ackd__v1__urgent_mode__descriptor,
    &ackd__v1__syn_cookies__descriptor,
    &ackd__v1__loss_detection__descriptor,
    &ackd__v1__ecn_mode__descriptor,
    &ackd__v1__congestion__descriptor,
    &ackd__v1__pacing__descriptor,
    &ackd__v1__mtu_probing__descriptor,
    &ackd__v1__accecn_option__descriptor,
    &ackd__v1__key_algorithm__descriptor,
};

const char *ackd_proto_doc(const char *type, const char *member)
{
    for (size_t i = 0; i < proto_doc_count; i++)
        if (strcmp(proto_docs[i].type, type) == 0 && strcmp(proto_docs[i].member, member) == 0)
            return proto_docs[i].text;
    return NULL;
}

static const ProtobufCEnumDescriptor *descriptor(enum ackd_enum which)
{
    return (size_t)which < sizeof enums / sizeof *enums ? enums[which] : NULL;
}

const char *ackd_enum_name(enum ackd_enum which, int value)
{
    const ProtobufCEnumDescriptor *e = descriptor(which);
    const ProtobufCEnumValue *v = e ? protobuf_c_enum_descriptor_get_value(e, value) : NULL;
    return v ? v->name : NULL;
}

const char *ackd_enum_doc(enum ackd_enum which, int value)
{
    const char *name = ackd_enum_name(which, value);
    const char *doc = name ? ackd_proto_doc(enums[which]->name, name) : NULL;
    return name && !doc ? "" : doc;
}

/* Equal but for case, and '-' like '_'. */
static bool same(const char *a, const char *b)
{
    for (;; a++, b++) {
        int x = *a == '-' ? '_' : toupper((unsigned char)*a),
            y = *b == '-' ? '_' : toupper((unsigned char)*b);
        if (x != y)
            return false;
        if (!x)
            return true;
    }
}

int ackd_enum_value(enum ackd_enum which, const char *name)
{
    const ProtobufCEnumDescriptor *e = descriptor(which);
    if (!e || !name)
        return -1;
    /* "DROP_UNSPECIFIED": what comes before the last word is the prefix of all. */
    const char *zero = protobuf_c_enum_descriptor_get_value(e, 0)->name;
    size_t prefix = strlen(zero) - strlen("UNSPECIFIED");
    for (unsigned i = 0; i < e->n_value_names; i++) {
        const char *full = e->values_by_name[i].name;
        if (same(full, name) || same(full + prefix, name))
            return e->values[e->values_by_name[i].index].value;
    }
    return -1;
}

/* ---- states ---- */

const char *ackd_state_name(enum ackd_state state)
{
    static const char *const names[] = {"UNKNOWN",      "CLOSED",      "LISTEN",     "SYN-SENT",
                                        "SYN-RECEIVED", "ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2",
                                        "CLOSE-WAIT",   "CLOSING",     "LAST-ACK",   "TIME-WAIT"};
    bool known = state >= 0 && (size_t)state < sizeof names / sizeof *names;
    return names[known ? state : 0];
}

enum ackd_state ackd_state_parse(const char *text)
{
    /* Letters and digits only, without "STATE" or "TCP" in front. */
    static const struct {
        const char *name;
        enum ackd_state state;
    } names[] = {
        {"CLOSED", ACKD_STATE_CLOSED},           {"CLOSE", ACKD_STATE_CLOSED},
        {"LISTEN", ACKD_STATE_LISTEN},           {"LISTENING", ACKD_STATE_LISTEN},
        {"SYNSENT", ACKD_STATE_SYN_SENT},        {"SYNRECEIVED", ACKD_STATE_SYN_RECEIVED},
        {"SYNRECV", ACKD_STATE_SYN_RECEIVED},    {"SYNRCVD", ACKD_STATE_SYN_RECEIVED},
        {"ESTABLISHED", ACKD_STATE_ESTABLISHED}, {"ESTAB", ACKD_STATE_ESTABLISHED},
        {"FINWAIT1", ACKD_STATE_FIN_WAIT_1},     {"FINWAIT2", ACKD_STATE_FIN_WAIT_2},
        {"CLOSEWAIT", ACKD_STATE_CLOSE_WAIT},    {"CLOSING", ACKD_STATE_CLOSING},
        {"LASTACK", ACKD_STATE_LAST_ACK},        {"TIMEWAIT", ACKD_STATE_TIME_WAIT},
    };
    char plain[24];
    size_t n = 0;
    for (; *text && n < sizeof plain - 1; text++)
        if (isalnum((unsigned char)*text))
            plain[n++] = (char)toupper((unsigned char)*text);
        else if (*text != '-' && *text != '_')
            return ACKD_STATE_UNSPECIFIED;
    plain[n] = '\0';
    const char *p = plain + (strncmp(plain, "STATE", 5) == 0 ? 5
                             : strncmp(plain, "TCP", 3) == 0 ? 3
                                                             : 0);
    for (size_t i = 0; !*text && i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i].name, p) == 0)
            return names[i].state;
    return ACKD_STATE_UNSPECIFIED;
}

/* ---- endpoints ---- */

int ackd_endpoint_format(const struct ackd_endpoint *endpoint, char *buffer, size_t size)
{
    const char *address = endpoint->address[0] ? endpoint->address : "*";
    bool v6 = strchr(address, ':');
    if (endpoint->port == 0)
        return snprintf(buffer, size, "%s%s%s:*", v6 ? "[" : "", address, v6 ? "]" : "");
    return snprintf(buffer, size, "%s%s%s:%u", v6 ? "[" : "", address, v6 ? "]" : "",
                    endpoint->port);
}

static int parse_port(const char *text, uint16_t *out)
{
    char *end;
    if (strcmp(text, "*") == 0) {
        *out = 0;
        return 0;
    }
    unsigned long port = strtoul(text, &end, 10);
    if (!isdigit((unsigned char)*text) || *end || port > 65535)
        return -1;
    *out = (uint16_t)port;
    return 0;
}

int ackd_endpoint_parse(const char *text, struct ackd_endpoint *out)
{
    *out = (struct ackd_endpoint){0};
    const char *colon = strrchr(text, ':'), *address = text;
    size_t length = colon ? (size_t)(colon - text) : 0;
    if (!colon)
        return -1;
    if (length >= 2 && address[0] == '[' && address[length - 1] == ']') {
        address++;
        length -= 2;
    } else if (memchr(address, ':', length)) {
        return -1; /* IPv6 needs brackets */
    }
    if (length >= sizeof out->address)
        return -1;
    if (!(length == 1 && *address == '*'))
        memcpy(out->address, address, length);
    return parse_port(colon + 1, &out->port);
}

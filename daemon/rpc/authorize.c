/* Rights by SO_PEERCRED.
 *
 * The role of each RPC is an option of the method in the .proto, so that documentation and
 * enforcement cannot differ: it is read from the embedded descriptor set, where protobuf-c leaves
 * the extension as an unknown field (number 50001, a varint) of MethodOptions. A method of ours
 * without a role is an admin's; health and reflection, which belong to gRPC itself, are
 * everybody's. */
#include "rpc/authorize.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "google/protobuf/descriptor.pb-c.h"
#include "rpc/state.h"

enum { ROLE_EXTENSION = 50001 };

struct role_entry {
    char *path;
    enum rpc_role role;
};

struct role_table {
    size_t n, capacity;
    struct role_entry *entries;
};

static enum rpc_role role_of_options(const Google__Protobuf__MethodOptions *options)
{
    if (!options) {
        return RPC_ROLE_NONE;
    }
    for (unsigned i = 0; i < options->base.n_unknown_fields; i++) {
        const ProtobufCMessageUnknownField *f = &options->base.unknown_fields[i];
        if (f->tag == ROLE_EXTENSION && f->len == 1 && f->data[0] <= RPC_ROLE_ADMIN) {
            return (enum rpc_role)f->data[0];
        }
    }
    return RPC_ROLE_NONE;
}

static bool add(struct role_table *t, const char *package, const char *service, const char *method,
                enum rpc_role role)
{
    if (t->n == t->capacity) {
        size_t capacity = t->capacity ? t->capacity * 2 : 64;
        struct role_entry *entries = realloc(t->entries, capacity * sizeof *entries);
        if (!entries) {
            return false;
        }
        t->entries = entries;
        t->capacity = capacity;
    }
    size_t size = strlen(package) + strlen(service) + strlen(method) + 4;
    char *path = malloc(size);
    if (!path) {
        return false;
    }
    snprintf(path, size, "/%s.%s/%s", package, service, method);
    t->entries[t->n++] = (struct role_entry){path, role};
    return true;
}

static bool add_file(struct role_table *t, const Google__Protobuf__FileDescriptorProto *file)
{
    for (size_t s = 0; s < file->n_service; s++) {
        const Google__Protobuf__ServiceDescriptorProto *service = file->service[s];
        for (size_t m = 0; m < service->n_method; m++) {
            const Google__Protobuf__MethodDescriptorProto *method = service->method[m];
            if (!add(t, file->package, service->name, method->name,
                     role_of_options(method->options))) {
                return false;
            }
        }
    }
    return true;
}

struct role_table *role_table_new(const uint8_t *descriptor_set, size_t length)
{
    struct role_table *t = calloc(1, sizeof *t);
    Google__Protobuf__FileDescriptorSet *set =
        google__protobuf__file_descriptor_set__unpack(NULL, length, descriptor_set);
    bool ok = t && set;
    for (size_t f = 0; ok && f < set->n_file; f++) {
        ok = add_file(t, set->file[f]);
    }
    if (set) {
        google__protobuf__file_descriptor_set__free_unpacked(set, NULL);
    }
    if (!ok) {
        role_table_free(t);
        return NULL;
    }
    return t;
}

void role_table_free(struct role_table *t)
{
    if (!t) {
        return;
    }
    for (size_t i = 0; i < t->n; i++) {
        free(t->entries[i].path);
    }
    free(t->entries);
    free(t);
}

enum rpc_role role_table_find(const struct role_table *t, const char *path)
{
    for (size_t i = 0; i < t->n; i++) {
        if (strcmp(t->entries[i].path, path) == 0) {
            return t->entries[i].role;
        }
    }
    return RPC_ROLE_NONE;
}

static bool grant_applies(const struct rpc_grant *grant, const struct grpc_peer *peer)
{
    return grant->number == (grant->group ? (uint32_t)peer->gid : (uint32_t)peer->uid);
}

enum rpc_role peer_role(const struct rpc_policy *policy, const struct grpc_peer *peer)
{
    if (peer->read_only) {
        return RPC_ROLE_MONITOR;
    }
    if (peer->uid == 0 || peer->uid == policy->own_uid) {
        return RPC_ROLE_ADMIN;
    }
    enum rpc_role role = policy->default_role ? policy->default_role : RPC_ROLE_USER;
    for (unsigned i = 0; i < policy->n_grants; i++) {
        if (grant_applies(&policy->grants[i], peer) && policy->grants[i].role > role) {
            role = policy->grants[i].role;
        }
    }
    return role;
}

bool peer_may_use_port(const struct rpc_policy *policy, const struct grpc_peer *peer,
                       uint16_t local_port)
{
    if (local_port == 0 || local_port >= policy->privileged_below ||
        peer_role(policy, peer) == RPC_ROLE_ADMIN) {
        return true;
    }
    for (unsigned i = 0; i < policy->n_grants; i++) {
        if (grant_applies(&policy->grants[i], peer) && policy->grants[i].privileged_ports) {
            return true;
        }
    }
    return false;
}

bool peer_may_reach(const struct rpc_policy *policy, const struct grpc_peer *peer,
                    const struct ip_addr *destination)
{
    if (!policy->destinations || peer_role(policy, peer) == RPC_ROLE_ADMIN) {
        return true;
    }
    for (unsigned i = 0; i < policy->n_destinations; i++) {
        if (ip_prefix_contains(&policy->destinations[i], destination)) {
            return true;
        }
    }
    return false;
}

enum grpc_code rpc_authorize(void *arg, const struct grpc_peer *peer,
                             const struct grpc_method *method, const char **why)
{
    static const char *const sentence[] = {
        [RPC_ROLE_MONITOR] = "this peer may not call anything",
        [RPC_ROLE_USER] = "this needs the role user: the read-only socket serves monitoring only",
        [RPC_ROLE_LAB] = "this needs the role lab",
        [RPC_ROLE_ADMIN] = "this needs the role admin: root, or the daemon's own user, or a grant "
                           "in the configuration",
    };
    const struct rpc *rpc = arg;
    enum rpc_role needed = RPC_ROLE_MONITOR;
    if (strncmp(method->path, "/ackd.", 6) == 0) {
        needed = role_table_find(rpc->roles, method->path);
        needed = needed == RPC_ROLE_NONE ? RPC_ROLE_ADMIN : needed;
    }
    if (peer_role(&rpc->config.policy, peer) >= needed) {
        return GRPC_OK;
    }
    *why = sentence[needed];
    return GRPC_PERMISSION_DENIED;
}

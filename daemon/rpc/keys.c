/* ackd.v1.Daemon's keys that sign segments (RFC 2385, 5925). The octets of a key come in by one
 * call and go to the engine; they are in no answer, no event and no log line. Who changes keys is
 * written to the log. */
#include "tcp/keys.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rpc/rows.h"

enum { KEYS_MAX = 1024, PREFIX_TEXT = IP_ADDR_TEXT + 4 };

static void audit(const struct rpc *rpc, const struct grpc_call *call, const char *what,
                  uint64_t key)
{
    const struct grpc_peer *p = grpc_call_peer(call);
    log_notice(rpc->config.log, "key %llu: %s by uid %u (%s, pid %d)", (unsigned long long)key,
               what, (unsigned)p->uid, p->command, (int)p->pid);
}

/* ---- list ---- */

struct key_rows {
    struct rows rows;
    struct tcp_key from[KEYS_MAX];
    char remote[PREFIX_TEXT], local[IP_ADDR_TEXT];
    Ackd__V1__Key row;
};

static const ProtobufCMessage *show_key(struct rows *rows, unsigned i)
{
    struct key_rows *all = container_of(rows, struct key_rows, rows);
    const struct tcp_key *k = &all->from[i];
    Ackd__V1__Key *row = &all->row;
    char addr[IP_ADDR_TEXT];
    bool host = k->remote.length == (ip_addr_is_v4(&k->remote.addr) ? 32 : 128);
    ackd__v1__key__init(row);
    row->key_id = k->number;
    row->algorithm = (Ackd__V1__KeyAlgorithm)k->algorithm;
    ip_addr_format(&k->remote.addr, addr);
    if (host) {
        snprintf(all->remote, PREFIX_TEXT, "%s", addr);
    } else {
        snprintf(all->remote, PREFIX_TEXT, "%s/%u", addr, k->remote.length);
    }
    row->remote = all->remote;
    if (!ip_addr_is_none(&k->local)) {
        row->local = ip_addr_format(&k->local, all->local);
    }
    row->remote_port = k->remote_port;
    row->local_port = k->local_port;
    row->send_id = k->send_id;
    row->receive_id = k->receive_id;
    row->exclude_options = k->exclude_options;
    row->connections = k->connections;
    return &row->base;
}

static void on_list_keys(struct grpc_call *call, const ProtobufCMessage *message, size_t wire_bytes)
{
    const Ackd__V1__ListKeysRequest *m = (const Ackd__V1__ListKeysRequest *)message;
    const struct rpc *rpc = grpc_call_arg(call);
    (void)wire_bytes;
    struct key_rows *all = calloc(1, sizeof *all);
    if (!all) {
        call_fail_errno(call, ENOMEM, "keys");
        return;
    }
    all->rows.row = show_key;
    all->rows.output = &ackd__v1__list_keys_response__descriptor;
    rows_start(&all->rows, call,
               tcp_key_list(rpc->config.engine, m->after_id, all->from, KEYS_MAX));
}
ROWS_METHOD(list_keys, ListKeys);

/* ---- add ---- */

static bool read_numbers(struct grpc_call *call, const Ackd__V1__Key *m, struct tcp_key *k)
{
    const struct {
        const char *field;
        uint32_t value, most;
    } all[] = {{"key.remote_port", m->remote_port, UINT16_MAX},
               {"key.local_port", m->local_port, UINT16_MAX},
               {"key.send_id", m->send_id, UINT8_MAX},
               {"key.receive_id", m->receive_id, UINT8_MAX}};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (all[i].value > all[i].most) {
            call_fail_field(call, all[i].field, "%s: %u is more than %u", all[i].field,
                            all[i].value, all[i].most);
            return false;
        }
    }
    k->remote_port = (uint16_t)m->remote_port;
    k->local_port = (uint16_t)m->local_port;
    k->send_id = (uint8_t)m->send_id;
    k->receive_id = (uint8_t)m->receive_id;
    return true;
}

/* False: the call has failed. */
static bool read_key(struct grpc_call *call, const Ackd__V1__Key *m, struct tcp_key *k)
{
    *k = (struct tcp_key){0};
    if (!m || !ip_prefix_parse(m->remote, &k->remote)) {
        call_fail_field(call, "key.remote", "key.remote: \"%.64s\" is neither ADDR nor ADDR/LEN",
                        m ? m->remote : "");
        return false;
    }
    if (m->local[0] && !ip_addr_parse(m->local, &k->local)) {
        call_fail_field(call, "key.local", "key.local: \"%.64s\" is no address", m->local);
        return false;
    }
    k->algorithm = (enum tcp_key_algorithm)m->algorithm;
    k->exclude_options = m->exclude_options;
    return read_numbers(call, m, k);
}

static void add_failed(struct grpc_call *call, int error, const char *field)
{
    if (error == EEXIST) {
        call_fail_about(call, error, "KEY_OVERLAPS", "field", "key",
                        "key: another one of an overlapping peer has an id of it, or is for the "
                        "other kind of option (RFC 5925 section 3.1)");
    } else if (error == EINVAL && strcmp(field, "key") == 0) {
        call_fail_field(call, "secret", "secret: 1 to %u octets", TCP_KEY_OCTETS_MAX);
    } else if (error == EINVAL) {
        char path[32];
        snprintf(path, sizeof path, "key.%s", field);
        call_fail_field(call, path, "%s is not what this key can have", path);
    } else {
        call_fail_errno(call, error, "key");
    }
}

static void on_add_key(struct grpc_call *call, const ProtobufCMessage *message, size_t wire_bytes)
{
    const Ackd__V1__AddKeyRequest *m = (const Ackd__V1__AddKeyRequest *)message;
    const struct rpc *rpc = grpc_call_arg(call);
    struct tcp_key k;
    const char *field = "";
    (void)wire_bytes;
    Ackd__V1__AddKeyResponse r = ACKD__V1__ADD_KEY_RESPONSE__INIT;
    if (read_key(call, m->key, &k)) {
        int error =
            tcp_key_add(rpc->config.engine, &k, m->secret.data, m->secret.len, &r.key_id, &field);
        if (error) {
            add_failed(call, -error, field);
        } else {
            audit(rpc, call, "added", r.key_id);
            grpc_call_reply(call, &r.base);
        }
    }
    if (m->secret.len) {
        explicit_bzero(m->secret.data, m->secret.len);
    }
}
DAEMON_METHOD(add_key, AddKey);

/* ---- remove, use ---- */

static void on_remove_key(struct grpc_call *call, const ProtobufCMessage *message,
                          size_t wire_bytes)
{
    const Ackd__V1__RemoveKeyRequest *m = (const Ackd__V1__RemoveKeyRequest *)message;
    const struct rpc *rpc = grpc_call_arg(call);
    (void)wire_bytes;
    int error = tcp_key_remove(rpc->config.engine, rpc_now(rpc), m->key_id, m->force);
    if (error == -EBUSY) {
        call_fail_about(call, EBUSY, "KEY_IN_USE", "field", "key_id",
                        "connections use key %llu; with force they go over to another, or end",
                        (unsigned long long)m->key_id);
    } else if (error) {
        call_fail_about(call, -error, errno_reason(-error), "field", "key_id",
                        "there is no key %llu", (unsigned long long)m->key_id);
    } else {
        const Ackd__V1__RemoveKeyResponse r = ACKD__V1__REMOVE_KEY_RESPONSE__INIT;
        audit(rpc, call, m->force ? "removed by force" : "removed", m->key_id);
        rpc_kick(rpc);
        grpc_call_reply(call, &r.base);
    }
}
DAEMON_METHOD(remove_key, RemoveKey);

static void on_use_key(struct grpc_call *call, const ProtobufCMessage *message, size_t wire_bytes)
{
    const Ackd__V1__UseKeyRequest *m = (const Ackd__V1__UseKeyRequest *)message;
    const struct rpc *rpc = grpc_call_arg(call);
    (void)wire_bytes;
    int error =
        tcp_key_use(rpc->config.engine, rpc_now(rpc), m->id, m->current_key_id, m->next_key_id);
    if (error == -EBADF || error == -ENOTCONN) {
        call_fail_id(call, -error, errno_reason(-error), m->id,
                     error == -EBADF ? "there is no connection %llu"
                                     : "connection %llu does not use TCP-AO",
                     (unsigned long long)m->id);
    } else if (error) {
        call_fail_about(call, -error, errno_reason(-error), "field", "key_id",
                        error == -ENOENT ? "there is no such key"
                                         : "the key is not for this connection's peer and ports");
    } else {
        const Ackd__V1__UseKeyResponse r = ACKD__V1__USE_KEY_RESPONSE__INIT;
        audit(rpc, call, "made a connection's current key",
              m->current_key_id ? m->current_key_id : m->next_key_id);
        rpc_kick(rpc);
        grpc_call_reply(call, &r.base);
    }
}
DAEMON_METHOD(use_key, UseKey);

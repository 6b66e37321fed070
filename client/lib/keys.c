/* The keys that sign segments. */
#include "client/lib/convert.h"

#include <stdlib.h>

int ackd_keys(struct ackd *a, uint64_t after, const struct ackd_key **list, size_t *count,
              struct ackd_error *err)
{
    Ackd__V1__ListKeysRequest m = ACKD__V1__LIST_KEYS_REQUEST__INIT;
    const Ackd__V1__ListKeysResponse *r;
    m.after_id = after;
    if (CALL(a, Daemon, ListKeys, &m, list_keys, 0, &r, err) < 0)
        return -1;
    struct ackd_key *all = scratch(a, r->n_keys, sizeof *all);
    if (!all)
        return error_no_memory(err);
    for (size_t i = 0; i < r->n_keys; i++) {
        const Ackd__V1__Key *k = r->keys[i];
        all[i] = (struct ackd_key){
            .key_id = k->key_id,
            .algorithm = (enum ackd_key_algorithm)k->algorithm,
            .remote_port = (uint16_t)k->remote_port,
            .local_port = (uint16_t)k->local_port,
            .send_id = (uint8_t)k->send_id,
            .receive_id = (uint8_t)k->receive_id,
            .exclude_options = k->exclude_options,
            .connections = k->connections,
        };
        TEXT(all[i].remote, k->remote);
        TEXT(all[i].local, k->local);
    }
    *list = all;
    *count = r->n_keys;
    return 0;
}

int ackd_add_key(struct ackd *a, const struct ackd_key *key, const void *secret, size_t length,
                 uint64_t *key_id, struct ackd_error *err)
{
    Ackd__V1__Key k = ACKD__V1__KEY__INIT;
    Ackd__V1__AddKeyRequest m = ACKD__V1__ADD_KEY_REQUEST__INIT;
    const Ackd__V1__AddKeyResponse *r;
    k.algorithm = (Ackd__V1__KeyAlgorithm)key->algorithm;
    k.remote = STRING(key->remote);
    k.local = STRING(key->local);
    k.remote_port = key->remote_port;
    k.local_port = key->local_port;
    k.send_id = key->send_id;
    k.receive_id = key->receive_id;
    k.exclude_options = key->exclude_options;
    m.key = &k;
    m.secret.data = (uint8_t *)secret;
    m.secret.len = length;
    if (CALL(a, Daemon, AddKey, &m, add_key, 0, &r, err) < 0)
        return -1;
    if (key_id)
        *key_id = r->key_id;
    return 0;
}

int ackd_remove_key(struct ackd *a, uint64_t key_id, bool force, struct ackd_error *err)
{
    Ackd__V1__RemoveKeyRequest m = ACKD__V1__REMOVE_KEY_REQUEST__INIT;
    m.key_id = key_id;
    m.force = force;
    return CALL(a, Daemon, RemoveKey, &m, remove_key, 0, NULL, err);
}

int ackd_use_key(struct ackd *a, uint64_t id, uint64_t current, uint64_t next,
                 struct ackd_error *err)
{
    Ackd__V1__UseKeyRequest m = ACKD__V1__USE_KEY_REQUEST__INIT;
    m.id = id;
    m.current_key_id = current;
    m.next_key_id = next;
    return CALL(a, Daemon, UseKey, &m, use_key, 0, NULL, err);
}

/* The message Filter, read once and then asked often: by List, Watch, Kill and Capture. */
#ifndef ACKD_RPC_FILTER_H
#define ACKD_RPC_FILTER_H

#include "rpc/endpoint.h"

enum { FILTER_IDS_MAX = 4096, FILTER_PORTS_MAX = 64 };

struct filter_ports {
    uint16_t first, last;
};

struct filter {
    uint64_t *ids; /* ascending */
    unsigned n_ids;
    uint32_t states; /* bit 1 << enum tcp_state; 0: any */
    uint8_t family;  /* 4, 6, 0 both */
    bool has_local, has_remote, has_uid;
    struct ip_prefix local, remote;
    unsigned n_local_ports, n_remote_ports;
    struct filter_ports local_ports[FILTER_PORTS_MAX], remote_ports[FILTER_PORTS_MAX];
    char label[LABEL_MAX + 1];
    uid_t uid;
    uint64_t listener;
};

/* Reads the message (NULL: everything matches). 0; -ENOMEM; -EINVAL with the offending field's name
 * in *field. */
int filter_read(struct filter *f, const Ackd__V1__Filter *m, const char **field);
void filter_clear(struct filter *f);
/* Fails the call by what filter_read() answered. */
void filter_fail(struct grpc_call *call, int error, const char *field);

struct filter_subject {
    uint64_t id, listener;
    enum tcp_state state, old_state; /* one of them has to match; the same when there is one only */
    const struct tcp_tuple *tuple;
};
bool filter_match(const struct rpc *rpc, const struct filter *f,
                  const struct filter_subject *subject);

#endif

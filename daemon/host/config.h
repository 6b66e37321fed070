/* What the daemon is told at its start, by the command line and a file, from one table of options.
 */
#ifndef ACKD_HOST_CONFIG_H
#define ACKD_HOST_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include "base/log.h"
#include "wire/addr.h"

enum { CONFIG_LIST = 64, CONFIG_PATH = 108 };

enum config_link { CONFIG_LINK_UNSAID, CONFIG_LINK_NONE, CONFIG_LINK_TAP };

struct config_service {
    char name[8]; /* "echo", "discard", "chargen" */
    uint16_t port;
};

/* The roles of roles.proto. */
enum config_role { CONFIG_ROLE_MONITOR, CONFIG_ROLE_USER, CONFIG_ROLE_LAB, CONFIG_ROLE_ADMIN };

struct config_grant {
    bool group; /* `number` is a gid, else a uid */
    uint32_t number;
    enum config_role role;
    bool privileged_ports; /* may use local ports below 1024 */
};

struct config {
    enum config_link link;
    char tap[16]; /* the interface's name */
    struct ip_prefix address[CONFIG_LIST];
    unsigned n_addresses;
    struct ip_prefix host_address[CONFIG_LIST];
    unsigned n_host_addresses;
    struct ip_addr gateway[CONFIG_LIST];
    unsigned n_gateways;
    uint32_t mtu;                     /* bytes of IP packet, 1280..65535 */
    char socket[CONFIG_PATH];         /* "" = the default */
    char monitor_socket[CONFIG_PATH]; /* "" = none, "auto" = beside the control socket */
    char socket_group[64];            /* "" = leave it */
    struct config_service service[CONFIG_LIST];
    unsigned n_services;
    struct config_grant grant[CONFIG_LIST];
    unsigned n_grants;
    struct ip_prefix destination[CONFIG_LIST]; /* where users may open to; none = everywhere */
    unsigned n_destinations;
    bool seeded;
    uint64_t seed;
    size_t memory; /* bytes */
    enum log_level log_level;
    bool no_offload;
    uint32_t busy_poll_us; /* 0 = sleep at once */
    char file[4096];       /* "" = none */
    bool check_only, help, version;
};

/* Defaults, then the file of --config, then the command line (a list given there replaces the
 * file's). 0, or -EINVAL after every mistake was written to `errors` as "ackd: PLACE: WORD: what
 * would be right". Nothing but the file is touched. */
int config_parse(struct config *config, int argc, char *const *argv, FILE *errors);

void config_help(FILE *out);

/* The name of this daemon among others on the host: its TAP's, or "none". */
const char *config_instance(const struct config *config);
/* "tap:ackd0" or "none". */
const char *config_link_text(const struct config *config, char text[24]);
/* "error" .. "debug" */
const char *config_log_level_name(enum log_level level);

#endif

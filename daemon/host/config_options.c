/* Every option of the daemon, its syntax, and the rules between options. */
#include "host/config_options.h"

#include <ctype.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

static bool wrong(char *right, size_t room, const char *sentence)
{
    snprintf(right, room, "%s", sentence);
    return false;
}

/* A decimal number of low..high, nothing behind it. */
static bool number(const char *word, uint64_t low, uint64_t high, uint64_t *out)
{
    char *end;
    errno = 0;
    unsigned long long n = strtoull(word, &end, 10);
    if (!isdigit((unsigned char)word[0]) || *end != '\0' || errno != 0 || n < low || n > high) {
        return false;
    }
    *out = n;
    return true;
}

static bool text(char *to, size_t size, const char *word)
{
    if (word[0] == '\0' || strlen(word) >= size) {
        return false;
    }
    strcpy(to, word);
    return true;
}

/* ---- the link ---- */

static bool set_link(struct config *c, const char *word, char *right, size_t room)
{
    if (strcmp(word, "none") == 0) {
        c->link = CONFIG_LINK_NONE;
        return true;
    }
    const char *name = word + 4;
    if (strncmp(word, "tap:", 4) != 0) {
        return wrong(right, room, "tap:NAME or none");
    }
    if (name[0] == '\0' || strlen(name) >= sizeof c->tap || strpbrk(name, "/ \t:%") != NULL ||
        strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
        return wrong(right, room,
                     "an interface name has 1 to 15 characters and no slash, colon or space");
    }
    strcpy(c->tap, name);
    c->link = CONFIG_LINK_TAP;
    return true;
}

static bool prefix(const char *word, struct ip_prefix *list, unsigned *n, char *right, size_t room)
{
    struct ip_prefix p;
    if (strchr(word, '/') == NULL || !ip_prefix_parse(word, &p)) {
        return wrong(right, room, "ADDR/LEN, such as 10.9.0.2/24 or 2001:db8::2/64");
    }
    if (ip_addr_is_multicast(&p.addr) || ip_addr_is_unspecified(&p.addr) ||
        ip_addr_is_limited_broadcast(&p.addr)) {
        return wrong(right, room, "not an address that one host can have");
    }
    for (unsigned i = 0; i < *n; i++) {
        if (ip_addr_equal(&list[i].addr, &p.addr)) {
            return wrong(right, room, "given twice");
        }
    }
    if (*n == CONFIG_LIST) {
        return wrong(right, room, "too many: 64 at most");
    }
    list[(*n)++] = p;
    return true;
}

static bool set_address(struct config *c, const char *word, char *right, size_t room)
{
    return prefix(word, c->address, &c->n_addresses, right, room);
}

static bool set_host_address(struct config *c, const char *word, char *right, size_t room)
{
    return prefix(word, c->host_address, &c->n_host_addresses, right, room);
}

static bool set_gateway(struct config *c, const char *word, char *right, size_t room)
{
    struct ip_addr a;
    if (!ip_addr_parse(word, &a) || ip_addr_is_unspecified(&a) || ip_addr_is_multicast(&a)) {
        return wrong(right, room, "an address on the link, such as 10.9.0.1 or fe80::1");
    }
    if (c->n_gateways == CONFIG_LIST) {
        return wrong(right, room, "too many: 64 at most");
    }
    c->gateway[c->n_gateways++] = a;
    return true;
}

static bool set_mtu(struct config *c, const char *word, char *right, size_t room)
{
    uint64_t n;
    if (!number(word, 1280, 65535, &n)) {
        return wrong(right, room, "bytes of an IP packet, 1280 to 65535 (IPv6 needs 1280)");
    }
    c->mtu = (uint32_t)n;
    return true;
}

static bool set_no_offload(struct config *c, const char *word, char *right, size_t room)
{
    (void)word, (void)right, (void)room;
    c->no_offload = true;
    return true;
}

/* ---- the control socket ---- */

static bool set_socket(struct config *c, const char *word, char *right, size_t room)
{
    return text(c->socket, sizeof c->socket, word) ||
           wrong(right, room, "a path of 1 to 107 bytes");
}

static bool set_monitor_socket(struct config *c, const char *word, char *right, size_t room)
{
    return text(c->monitor_socket, sizeof c->monitor_socket, word) ||
           wrong(right, room, "auto, or a path of 1 to 107 bytes");
}

/* A user or group by name or number. */
static bool number_of(const char *name, bool group, uint32_t *out)
{
    uint64_t n;
    if (number(name, 0, UINT32_MAX - 1, &n)) {
        *out = (uint32_t)n;
        return true;
    }
    const struct passwd *p = group ? NULL : getpwnam(name);
    const struct group *g = group ? getgrnam(name) : NULL;
    *out = p != NULL ? p->pw_uid : g != NULL ? g->gr_gid : 0;
    return p != NULL || g != NULL;
}

static bool set_socket_group(struct config *c, const char *word, char *right, size_t room)
{
    uint32_t gid;
    if (!text(c->socket_group, sizeof c->socket_group, word)) {
        return wrong(right, room, "the name or number of a group");
    }
    return number_of(word, true, &gid) || wrong(right, room, "there is no such group");
}

/* ---- rights ---- */

/* "user:NAME=ROLE" or "group:NAME=ROLE", with "+ports" behind it. */
static bool set_grant(struct config *c, const char *word, char *right, size_t room)
{
    static const char *const roles[] = {"monitor", "user", "lab", "admin"};
    char who[64], name[64], role[16];
    int used = 0;
    if (sscanf(word, "%63[a-z]:%63[^=]=%15[a-z]%n", who, name, role, &used) != 3) {
        used = 0;
    }
    bool group = used != 0 && strcmp(who, "group") == 0;
    unsigned n = 0;
    while (n < 4 && (used == 0 || strcmp(role, roles[n]) != 0)) {
        n++;
    }
    bool ports = used != 0 && strcmp(word + used, "+ports") == 0;
    if (n == 4 || (!group && strcmp(who, "user") != 0) || (!ports && word[used] != '\0')) {
        return wrong(right, room,
                     "user:NAME=ROLE or group:NAME=ROLE, roles monitor, user, lab, "
                     "admin; +ports behind it for ports below 1024");
    }
    struct config_grant grant = {
        .group = group, .role = (enum config_role)n, .privileged_ports = ports};
    if (!number_of(name, group, &grant.number)) {
        return wrong(right, room, group ? "there is no such group" : "there is no such user");
    }
    if (c->n_grants == CONFIG_LIST) {
        return wrong(right, room, "too many: 64 at most");
    }
    c->grant[c->n_grants++] = grant;
    return true;
}

static bool set_destination(struct config *c, const char *word, char *right, size_t room)
{
    struct ip_prefix p;
    if (!ip_prefix_parse(word, &p)) {
        return wrong(right, room, "ADDR/LEN, such as 10.0.0.0/8; 0.0.0.0/0 for all of IPv4");
    }
    if (c->n_destinations == CONFIG_LIST) {
        return wrong(right, room, "too many: 64 at most");
    }
    c->destination[c->n_destinations++] = p;
    return true;
}

/* ---- services ---- */

static const struct config_service known_services[] = {
    {"echo", 7}, {"discard", 9}, {"chargen", 19}};

static bool set_service(struct config *c, const char *word, char *right, size_t room)
{
    size_t length = strcspn(word, "@");
    const struct config_service *known = NULL;
    for (unsigned i = 0; i < sizeof known_services / sizeof *known_services; i++) {
        const char *name = known_services[i].name;
        if (strlen(name) == length && memcmp(name, word, length) == 0) {
            known = &known_services[i];
        }
    }
    uint64_t port = known != NULL ? known->port : 0;
    if (known == NULL || (word[length] == '@' && !number(word + length + 1, 1, 65535, &port))) {
        return wrong(right, room,
                     "echo, discard or chargen, with @PORT (1 to 65535) for another port");
    }
    for (unsigned i = 0; i < c->n_services; i++) {
        if (c->service[i].port == port) {
            snprintf(right, room, "port %u is taken by %s already", (unsigned)port,
                     c->service[i].name);
            return false;
        }
    }
    if (c->n_services == CONFIG_LIST) {
        return wrong(right, room, "too many: 64 at most");
    }
    struct config_service *s = &c->service[c->n_services++];
    *s = *known;
    s->port = (uint16_t)port;
    return true;
}

/* ---- the process ---- */

static bool set_seed(struct config *c, const char *word, char *right, size_t room)
{
    if (!number(word, 0, UINT64_MAX, &c->seed)) {
        return wrong(right, room, "a number from 0 to 18446744073709551615");
    }
    c->seeded = true;
    return true;
}

static bool set_memory(struct config *c, const char *word, char *right, size_t room)
{
    char digits[24];
    size_t length = strlen(word);
    unsigned shift = 0;
    if (length > 0) {
        const char *unit = strchr("KMGT", word[length - 1]);
        shift = unit != NULL ? 10 * (unsigned)(unit - "KMGT" + 1) : 0;
    }
    length -= shift != 0;
    uint64_t n;
    snprintf(digits, sizeof digits, "%.*s", (int)length, word);
    if (length >= sizeof digits || !number(digits, 1, UINT64_MAX >> shift, &n) ||
        (n <<= shift) < (UINT64_C(32) << 20) || n > SIZE_MAX / 2) {
        return wrong(right, room, "bytes, 32M or more, with K, M, G or T behind the number");
    }
    c->memory = (size_t)n;
    return true;
}

static const char *const level_names[] = {
    [LOG_LEVEL_ERROR] = "error", [LOG_LEVEL_WARNING] = "warning", [LOG_LEVEL_NOTICE] = "notice",
    [LOG_LEVEL_INFO] = "info",   [LOG_LEVEL_DEBUG] = "debug",
};

const char *config_log_level_name(enum log_level level)
{
    return level_names[level];
}

static bool set_log_level(struct config *c, const char *word, char *right, size_t room)
{
    for (unsigned i = LOG_LEVEL_ERROR; i <= LOG_LEVEL_DEBUG; i++) {
        if (strcmp(word, level_names[i]) == 0) {
            c->log_level = (enum log_level)i;
            return true;
        }
    }
    return wrong(right, room, "error, warning, notice, info or debug");
}

static bool set_file(struct config *c, const char *word, char *right, size_t room)
{
    return text(c->file, sizeof c->file, word) || wrong(right, room, "the path of a file");
}

static bool set_check_only(struct config *c, const char *word, char *right, size_t room)
{
    (void)word, (void)right, (void)room;
    c->check_only = true;
    return true;
}

static bool set_help(struct config *c, const char *word, char *right, size_t room)
{
    (void)word, (void)right, (void)room;
    c->help = true;
    return true;
}

static bool set_version(struct config *c, const char *word, char *right, size_t room)
{
    (void)word, (void)right, (void)room;
    c->version = true;
    return true;
}

static bool set_busy_poll(struct config *c, const char *word, char *right, size_t room)
{
    uint64_t n;
    if (!number(word, 0, 1000000, &n)) {
        return wrong(right, room, "microseconds, 0 to 1000000");
    }
    c->busy_poll_us = (uint32_t)n;
    return true;
}

/* ---- the table ---- */

#define LIST(member) .is_list = true, .count = offsetof(struct config, member)

const struct config_option config_options[] = {
    {"link", "tap:NAME|none", "a TAP to create or take over, or only loopback inside", set_link,
     .is_list = false},
    {"address", "ADDR/LEN",
     "an address of ours (list); with --link none by default 10.0.0.1/24 and fd00::1/64",
     set_address, LIST(n_addresses)},
    {"host-address", "ADDR/LEN", "an address for the host's side of the TAP (list)",
     set_host_address, LIST(n_host_addresses)},
    {"gateway", "ADDR", "a default route, one for each family (list)", set_gateway,
     LIST(n_gateways)},
    {"mtu", "BYTES", "largest IP packet of the link; default 1500", set_mtu, .is_list = false},
    {"no-offload", NULL, "no checksum and segmentation offload on the link", set_no_offload,
     .is_list = false},
    {"busy-poll", "MICROSECONDS",
     "look for frames so long before going to sleep, at the cost of a processor; default 0",
     set_busy_poll, .is_list = false},
    {"service", "NAME[@PORT]", "echo, discard, chargen: built-in endpoints on 7, 9, 19 (list)",
     set_service, LIST(n_services)},
    {"socket", "PATH", "the control socket; default /run/ackd/NAME/control.sock", set_socket,
     .is_list = false},
    {"monitor-socket", "auto|PATH", "a second, read-only socket; auto: monitor.sock beside it",
     set_monitor_socket, .is_list = false},
    {"socket-group", "GROUP", "the group that may use the sockets (mode 0660)", set_socket_group,
     .is_list = false},
    {"grant", "user|group:NAME=ROLE[+ports]", "rights beyond a user's: monitor, lab, admin (list)",
     set_grant, LIST(n_grants)},
    {"destination", "ADDR/LEN", "where users may open to; default everywhere (list)",
     set_destination, LIST(n_destinations)},
    {"memory", "SIZE", "limit of the engine's memory; default 1G", set_memory, .is_list = false},
    {"seed", "N", "randomness from this number: for tests, never in the open", set_seed,
     .is_list = false},
    {"log-level", "LEVEL", "error, warning, notice, info (default), debug", set_log_level,
     .is_list = false},
    {"config", "FILE", "read options from an ini file first", set_file, .only_command_line = true},
    {"check-config", NULL, "check the options and the file, then exit", set_check_only,
     .only_command_line = true},
    {"help", NULL, "print this and exit (-h)", set_help, .only_command_line = true},
    {"version", NULL, "print the version and exit (-V)", set_version, .only_command_line = true},
    {NULL, NULL, NULL, NULL, .is_list = false},
};

/* ---- the whole ---- */

static bool refuse(FILE *errors, const char *option, const struct ip_addr *addr, const char *why)
{
    char t[IP_ADDR_TEXT] = "";
    fprintf(errors, "ackd: --%s%s%s: %s\n", option, addr != NULL ? " " : "",
            addr != NULL ? ip_addr_format(addr, t) : "", why);
    return false;
}

static bool on_link(const struct config *c, const struct ip_addr *gateway)
{
    for (unsigned i = 0; i < c->n_addresses; i++) {
        if (ip_prefix_contains(&c->address[i], gateway)) {
            return true;
        }
    }
    return ip_addr_is_link_local(gateway) && !ip_addr_is_v4(gateway);
}

static bool check_tap(const struct config *c, FILE *errors)
{
    bool good = true;
    for (unsigned i = 0; i < c->n_host_addresses; i++) {
        for (unsigned j = 0; j < c->n_addresses; j++) {
            if (ip_addr_equal(&c->host_address[i].addr, &c->address[j].addr)) {
                good = refuse(errors, "host-address", &c->host_address[i].addr,
                              "the host's side needs another address than ours");
            }
        }
    }
    for (unsigned i = 0; i < c->n_gateways; i++) {
        if (!on_link(c, &c->gateway[i])) {
            good = refuse(errors, "gateway", &c->gateway[i],
                          "not on the link of any --address of its family");
        }
    }
    return good;
}

/* Without a link there is nobody to agree with: addresses of the documentation's kind do. */
static void default_addresses(struct config *c)
{
    static const uint8_t v6[16] = {0xfd, [15] = 1};
    c->address[0] = (struct ip_prefix){ip_addr_v4(10, 0, 0, 1), 24};
    c->address[1] = (struct ip_prefix){ip_addr_from_v6(v6), 64};
    c->n_addresses = 2;
}

bool config_check(struct config *c, FILE *errors)
{
    if (c->link == CONFIG_LINK_UNSAID) {
        return refuse(errors, "link", NULL, "missing: --link tap:NAME, or --link none to try ackd");
    }
    if (c->link == CONFIG_LINK_TAP) {
        return check_tap(c, errors);
    }
    bool good = true;
    if (c->n_host_addresses != 0) {
        good = refuse(errors, "host-address", NULL, "--link none has no host's side");
    }
    if (c->n_gateways != 0) {
        good = refuse(errors, "gateway", NULL, "--link none leads nowhere");
    }
    if (c->n_addresses == 0) {
        default_addresses(c);
    }
    return good;
}

const char *config_instance(const struct config *c)
{
    return c->link == CONFIG_LINK_TAP ? c->tap : "none";
}

const char *config_link_text(const struct config *c, char out[24])
{
    snprintf(out, 24, "%s%s", c->link == CONFIG_LINK_TAP ? "tap:" : "none", c->tap);
    return out;
}

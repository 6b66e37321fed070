/* user SOCKET: the user calls of RFC 9293 section 3.9.1 on an ackd, a line each way, for run:
 *
 *   listen PORT             ID              open ADDRESS PORT LOCAL-PORT   ID
 *   accept ID               ID, or 0        send ID BYTES                  accepted so far
 *   receive ID BYTES        bytes taken     close ID, release ID, abort ID         0
 *   where PORT PEER-PORT    state and numbers of that connection, "CLOSED" when there is none
 *
 * or "-ERRNO-NAME" when the call failed. Nothing waits: what a peer must do first comes with a
 * later line. The bytes sent are zeros; those received are released at once. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/lib/ackd.h"

enum { LINE = 256, IDS = 65536, CHUNK = 65536 };

struct user {
    struct ackd *daemon;
    uint64_t sent[IDS], taken[IDS]; /* stream offsets, by id: those of one run are few */
    struct ackd_error error;
};

static int64_t failed(const struct user *u)
{
    printf("-%s %s\n", u->error.errno_name[0] ? u->error.errno_name : "EPROTO", u->error.message);
    return -1;
}

static int64_t do_listen(struct user *u, unsigned long port)
{
    const struct ackd_options options = {.has_nodelay = true, .nodelay = true};
    struct ackd_listen_request request = {
        .local = {.port = (uint16_t)port}, .backlog = 8, .options = &options};
    struct ackd_listen_result result;
    return ackd_listen(u->daemon, &request, &result, &u->error) < 0 ? failed(u)
                                                                    : (int64_t)result.id;
}

static int64_t do_open(struct user *u, const char *address, unsigned long port, unsigned long local)
{
    const struct ackd_options options = {.has_nodelay = true, .nodelay = true};
    struct ackd_open_request request = {.remote = {.port = (uint16_t)port},
                                        .local = {.port = (uint16_t)local},
                                        .options = &options};
    struct ackd_open_result result;
    snprintf(request.remote.address, sizeof request.remote.address, "%s", address);
    return ackd_open(u->daemon, &request, &result, &u->error) < 0 ? failed(u) : (int64_t)result.id;
}

static int64_t do_accept(struct user *u, uint64_t id)
{
    struct ackd_accept_request request = {.id = id};
    struct ackd_accept_result result;
    return ackd_accept(u->daemon, &request, &result, &u->error) < 0 ? failed(u)
                                                                    : (int64_t)result.id;
}

static int64_t do_send(struct user *u, uint64_t id, unsigned long bytes)
{
    static const uint8_t zeros[CHUNK];
    struct ackd_send_request request = {.id = id, .offset = u->sent[id % IDS], .data = zeros};
    struct ackd_send_result result;
    request.length = bytes < CHUNK ? bytes : CHUNK;
    if (ackd_send(u->daemon, &request, &result, &u->error) < 0) {
        return failed(u);
    }
    u->sent[id % IDS] = result.accepted_until;
    return (int64_t)result.accepted_until;
}

static int64_t do_receive(struct user *u, uint64_t id, unsigned long bytes)
{
    struct ackd_receive_request request = {
        .id = id, .from_offset = u->taken[id % IDS], .max_bytes = (uint32_t)bytes};
    struct ackd_receive_result result;
    if (ackd_receive(u->daemon, &request, &result, &u->error) < 0) {
        return failed(u);
    }
    int64_t got = (int64_t)result.length;
    u->taken[id % IDS] = request.from_offset = result.offset + result.length;
    request.max_bytes = 1; /* naming the later offset is what releases them */
    return ackd_receive(u->daemon, &request, &result, &u->error) < 0 ? failed(u) : got;
}

static int64_t do_end(struct user *u, char how, uint64_t id)
{
    int done;
    if (how == 'a') {
        done = ackd_abort(u->daemon, id, &u->error);
    } else {
        enum ackd_close_how close = how == 'c' ? ACKD_CLOSE_HOW_SEND : ACKD_CLOSE_HOW_RELEASE;
        done = ackd_close(u->daemon, id, close, 0, NULL, &u->error);
    }
    return done < 0 ? failed(u) : 0;
}

static int64_t do_where(struct user *u, uint16_t port, uint16_t peer_port)
{
    static const char *const shown[] = {"state",   "iss",     "irs",     "snd_una",
                                        "snd_nxt", "rcv_nxt", "rcv_wnd", "ts_recent"};
    const struct ackd_port_range here = {port, port}, there = {peer_port, peer_port};
    const struct ackd_filter filter = {.local_ports = &here,
                                       .local_port_count = 1,
                                       .remote_ports = &there,
                                       .remote_port_count = 1};
    const struct ackd_list_request request = {.filter = &filter, .view = ACKD_VIEW_FULL};
    struct ackd_list *list = ackd_list(u->daemon, &request, &u->error);
    struct ackd_connection c;
    char line[LINE] = "CLOSED";
    /* The last: what ended and is still held came before. */
    while (list && ackd_list_next(list, &c, 5000, &u->error) == ACKD_ITEM) {
        int n = 0;
        for (size_t i = 0; i < sizeof shown / sizeof shown[0]; i++) {
            char value[32] = "";
            ackd_field_value(c.message, ackd_field_find(shown[i]), value, sizeof value);
            n += snprintf(line + n, sizeof line - (size_t)n, "%s ", value[0] ? value : "0");
        }
    }
    printf("%s\n", line);
    ackd_list_free(list);
    return -1;
}

static int64_t obey(struct user *u, char *line)
{
    char *word[4] = {0};
    unsigned n = 0;
    for (char *w = strtok(line, " \n"); w && n < 4; w = strtok(NULL, " \n")) {
        word[n++] = w;
    }
    if (n < 2) {
        return 0;
    }
    uint64_t id = strtoull(word[1], NULL, 10);
    unsigned long last = n > 2 ? strtoul(word[n - 1], NULL, 10) : 0;
    switch (word[0][0]) {
    case 'l':
        return do_listen(u, (unsigned long)id);
    case 'o':
        return n == 4 ? do_open(u, word[1], strtoul(word[2], NULL, 10), last) : 0;
    case 's':
        return do_send(u, id, last);
    case 'a':
        return word[0][1] == 'c' ? do_accept(u, id) : do_end(u, 'a', id);
    case 'r':
        return word[0][2] == 'c' ? do_receive(u, id, last) : do_end(u, 'r', id);
    case 'w':
        return do_where(u, (uint16_t)id, (uint16_t)last);
    default:
        return do_end(u, word[0][0], id);
    }
}

int main(int argc, char **argv)
{
    static struct user u;
    char line[LINE];
    if (argc != 2 || !(u.daemon = ackd_connect(argv[1], &u.error))) {
        fprintf(stderr, "user: %s\n", argc == 2 ? u.error.message : "one argument: the socket");
        return 1;
    }
    while (fgets(line, sizeof line, stdin)) {
        int64_t result = obey(&u, line);
        if (result >= 0) {
            printf("%lld\n", (long long)result);
        }
        fflush(stdout);
    }
    ackd_disconnect(u.daemon);
    return 0;
}

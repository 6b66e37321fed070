/* load SOCKET OPENS SCHEDSTAT: the daemon with twice that many connections, looked at in every way
 * there is.
 *
 * The daemon runs without a link and its services answer, so that each open makes two connections.
 * First the largest messages go through one of them, both ways, and a listener with a long accept
 * queue is closed. Then they are opened, listed briefly and in full, watched from a snapshot on,
 * and killed, while the daemon's own histogram tells how long callbacks of its loop took. They are
 * held to 500 us of processor time; of wall time they cannot be on a machine where others run, too.
 *
 * A virtual machine's processor time has outliers as well (what the host takes away, and cold
 * caches after that), which come and go. Work that is not bounded is there every time. So a look is
 * repeated, and one without a slow callback is enough; of opening, killing and
 * closing, which cannot be repeated, a few thousandths may be slow. Where others keep the
 * processors busy all the while (by /proc/PID/schedstat), or the host took more of them than the
 * slow callbacks are too long (steal of /proc/stat), nothing is said of a step that was slow.
 *
 * Prints a line for each step, "ok", "not ok" or "SKIP", and what the histogram says; 1 when one
 * failed. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "client/lib/ackd.h"

enum {
    ADDRESSES = 4,                  /* to connect to, so that the ports suffice */
    ATTEMPTS = 9,                   /* more than the first */
    MESSAGE = 4 * 1024 * 1024 - 64, /* bytes of the largest Send */
    MESSAGES = 16,
    CHARGEN = 19,
    DISCARD = 9,
    QUEUE_PORT = 5000,
};
#define LIMIT_NS 500000
#define NS_PER_S UINT64_C(1000000000)

struct load {
    struct ackd *ackd;
    struct ackd_error error;
    struct ackd_daemon_status before;
    struct timespec began;
    const char *schedstat; /* of the daemon: /proc/PID/schedstat */
    uint64_t ran_ns, waited_ns, stolen_ns;
    int failed;
};

/* How long the daemon has had a processor so far, and has waited for one. */
static void scheduled(const struct load *l, uint64_t *ran_ns, uint64_t *waited_ns)
{
    FILE *f = fopen(l->schedstat, "r");
    if (f == NULL || fscanf(f, "%" SCNu64 " %" SCNu64, ran_ns, waited_ns) != 2) {
        fprintf(stderr, "load: %s cannot be read\n", l->schedstat);
        exit(1);
    }
    fclose(f);
}

/* How long the host had processors of this virtual machine that wanted to run, since it booted; a
 * guest's processor time includes it. */
static uint64_t stolen(void)
{
    uint64_t ticks = 0;
    FILE *f = fopen("/proc/stat", "r");
    if (f != NULL && fscanf(f, "cpu %*u %*u %*u %*u %*u %*u %*u %" SCNu64, &ticks) != 1) {
        ticks = 0;
    }
    if (f != NULL) {
        fclose(f);
    }
    return ticks * (NS_PER_S / (uint64_t)sysconf(_SC_CLK_TCK));
}

/* Whether others had the machine's processors since begin(): then caches are cold and memory is
 * slow, and what a callback uses says little about the daemon. */
static bool is_busy(const struct load *l)
{
    uint64_t ran, waited;
    scheduled(l, &ran, &waited);
    return (waited - l->waited_ns) * 10 > ran - l->ran_ns;
}

static void begin(struct load *l)
{
    if (ackd_daemon_status(l->ackd, &l->before, &l->error) < 0) {
        fprintf(stderr, "load: %s\n", l->error.message);
        exit(1);
    }
    scheduled(l, &l->ran_ns, &l->waited_ns);
    l->stolen_ns = stolen();
    clock_gettime(CLOCK_MONOTONIC, &l->began);
}

/* Callbacks since begin(): all, and those that took the limit and more by both clocks. */
struct callbacks {
    uint64_t all, wall, cpu;
};

static struct callbacks count(const struct load *l, const struct ackd_daemon_status *now)
{
    struct callbacks c = {0};
    int64_t at_least = 0;
    for (size_t i = 0; i < now->callback_count; i++) {
        const struct ackd_callback_bucket *a = &l->before.callbacks[i], *b = &now->callbacks[i];
        c.all += b->count - a->count;
        c.wall += at_least >= LIMIT_NS ? b->count - a->count : 0;
        c.cpu += at_least >= LIMIT_NS ? b->cpu_count - a->cpu_count : 0;
        at_least = b->below_ns;
    }
    return c;
}

static bool fail(struct load *l, const char *step, size_t did)
{
    printf("not ok rpc load %s: after %zu: %s\n", step, did, l->error.message);
    l->failed = 1;
    return true;
}

/* Ends a step: `good` says whether it did what it should, `did` how many things. False: too many
 * callbacks were slow, of a thousand more than `tolerated`, and there are attempts left. */
static bool end(struct load *l, const char *step, bool good, size_t did, unsigned tolerated,
                unsigned attempts)
{
    struct timespec now;
    struct ackd_daemon_status s;
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (!good || ackd_daemon_status(l->ackd, &s, &l->error) < 0) {
        return fail(l, step, did);
    }
    struct callbacks c = count(l, &s);
    bool held = c.cpu * 1000 <= c.all * tolerated;
    printf("# %s: %zu in %.2f s; %" PRIu64 " callbacks, %" PRIu64 " took %d us and more, %" PRIu64
           " used as much; the longest so far took %" PRId64 " us (%s), used %" PRId64 " us (%s)\n",
           step, did,
           (double)(now.tv_sec - l->began.tv_sec) + (double)(now.tv_nsec - l->began.tv_nsec) / 1e9,
           c.all, c.wall, LIMIT_NS / 1000, c.cpu, s.longest_callback_ns / 1000,
           s.longest_callback_name, s.longest_callback_cpu_ns / 1000, s.longest_callback_cpu_name);
    if (!held && attempts > 0) {
        return false;
    }
    uint64_t lost = stolen() - l->stolen_ns;
    if (!held && is_busy(l)) {
        printf("SKIP rpc load %s: other programs kept the processors busy\n", step);
    } else if (!held && lost >= c.cpu * LIMIT_NS) {
        printf("SKIP rpc load %s: the host took the processors away for %" PRIu64 " ms\n", step,
               lost / 1000000);
    } else {
        printf("%s rpc load %s\n", held ? "ok" : "not ok", step);
        l->failed |= !held;
    }
    fflush(stdout);
    return true;
}

static void open_all(struct load *l, unsigned count)
{
    char address[32];
    begin(l);
    for (unsigned i = 0; i < count; i++) {
        struct ackd_open_request request = {.remote = {.port = DISCARD},
                                            .ownership = {.kind = ACKD_OWN_DETACHED},
                                            .request_id = ""};
        struct ackd_open_result result;
        snprintf(address, sizeof address, "10.9.0.%u", 2 + i % ADDRESSES);
        snprintf(request.remote.address, sizeof request.remote.address, "%s", address);
        if (ackd_open(l->ackd, &request, &result, &l->error) < 0) {
            fail(l, "open", i);
            return;
        }
    }
    end(l, "open", true, count, 1, 0);
}

static bool list_all(struct load *l, const char *step, enum ackd_view view, size_t at_least,
                     unsigned attempts)
{
    struct ackd_connection *row = malloc(sizeof *row);
    size_t rows = 0;
    begin(l);
    struct ackd_list *list =
        row ? ackd_list(l->ackd, &(struct ackd_list_request){.view = view}, &l->error) : NULL;
    enum ackd_next next = ACKD_FAILED;
    while (list && (next = ackd_list_next(list, row, ACKD_FOREVER, &l->error)) == ACKD_ITEM) {
        rows++;
    }
    ackd_list_free(list);
    free(row);
    return end(l, step, next == ACKD_END && rows >= at_least, rows, 0, attempts);
}

static bool watch_all(struct load *l, size_t at_least, unsigned attempts)
{
    struct ackd_event *event = malloc(sizeof *event);
    size_t rows = 0;
    begin(l);
    struct ackd_watch *watch =
        event
            ? ackd_watch(l->ackd, &(struct ackd_watch_request){.initial_snapshot = true}, &l->error)
            : NULL;
    enum ackd_next next = ACKD_FAILED;
    while (watch && (next = ackd_watch_next(watch, event, ACKD_FOREVER, &l->error)) == ACKD_ITEM &&
           event->kind != ACKD_EVENT_SYNCED) {
        rows += event->kind == ACKD_EVENT_SNAPSHOT_ROW;
    }
    ackd_watch_free(watch);
    free(event);
    return end(l, "watch", next == ACKD_ITEM && rows >= at_least, rows, 0, attempts);
}

static void kill_all(struct load *l)
{
    struct ackd_killed killed = {0};
    enum ackd_state state = ACKD_STATE_ESTABLISHED;
    begin(l);
    int done = ackd_kill(l->ackd, &(struct ackd_filter){.states = &state, .state_count = 1},
                         &killed, &l->error);
    end(l, "kill", done == 0, killed.count, 5, 0);
}

/* A connection to a service of the daemon's own, with buffers that take the largest message. */
static uint64_t open_large(struct load *l, uint16_t port)
{
    struct ackd_options options = {.has_snd_buffer_bytes = true,
                                   .snd_buffer_bytes = 2 * MESSAGE,
                                   .has_rcv_buffer_bytes = true,
                                   .rcv_buffer_bytes = 2 * MESSAGE};
    struct ackd_open_request request = {.remote = {.address = "10.9.0.1", .port = port},
                                        .ownership = {.kind = ACKD_OWN_DETACHED},
                                        .options = &options,
                                        .wait_ms = 1000,
                                        .request_id = ""};
    struct ackd_open_result result = {0};
    return ackd_open(l->ackd, &request, &result, &l->error) < 0 ? 0 : result.id;
}

static bool send_large(struct load *l, unsigned attempts)
{
    uint64_t id = open_large(l, DISCARD);
    char *data = calloc(1, MESSAGE);
    struct ackd_send_result result = {0};
    bool good = id && data;
    begin(l);
    while (good && result.accepted_until < (uint64_t)MESSAGES * MESSAGE) {
        struct ackd_send_request request = {.id = id,
                                            .offset = result.accepted_until,
                                            .data = data,
                                            .length = MESSAGE,
                                            .wait_ms = 10000};
        good = ackd_send(l->ackd, &request, &result, &l->error) == 0;
    }
    free(data);
    bool over = end(l, "send", good, result.accepted_until, 0, attempts);
    ackd_abort(l->ackd, id, NULL);
    return over;
}

static bool receive_large(struct load *l, unsigned attempts)
{
    uint64_t id = open_large(l, CHARGEN);
    struct ackd_receive_result result = {0};
    bool good = id != 0;
    size_t calls = 0;
    begin(l);
    while (good && result.offset < (uint64_t)MESSAGES * MESSAGE) {
        struct ackd_receive_request request = {.id = id,
                                               .from_offset = result.offset + result.length,
                                               .max_bytes = MESSAGE,
                                               .min_bytes = MESSAGE,
                                               .wait_ms = 10000};
        good = ackd_receive(l->ackd, &request, &result, &l->error) == 0;
        calls++;
    }
    bool over = end(l, "receive", good, calls, 0, attempts);
    ackd_abort(l->ackd, id, NULL);
    return over;
}

/* Until nobody is ESTABLISHED: what is done in turns is over then. */
static bool wait_for_all(struct load *l)
{
    struct ackd_daemon_status s;
    uint64_t established;
    do {
        established = 0;
        if (ackd_daemon_status(l->ackd, &s, &l->error) < 0) {
            return false;
        }
        for (size_t i = 0; i < s.state_count; i++) {
            established += s.states[i].state == ACKD_STATE_ESTABLISHED ? s.states[i].count : 0;
        }
    } while (established > 0);
    return true;
}

/* A listener with a long accept queue. */
static void close_listener(struct load *l, unsigned count)
{
    struct ackd_listen_request listening = {.local = {.port = QUEUE_PORT},
                                            .backlog = 65535,
                                            .ownership = {.kind = ACKD_OWN_DETACHED},
                                            .request_id = ""};
    struct ackd_listen_result listener;
    bool good = ackd_listen(l->ackd, &listening, &listener, &l->error) == 0;
    for (unsigned i = 0; good && i < count; i++) {
        struct ackd_open_request request = {.remote = {.port = QUEUE_PORT},
                                            .ownership = {.kind = ACKD_OWN_DETACHED},
                                            .request_id = ""};
        struct ackd_open_result result;
        snprintf(request.remote.address, sizeof request.remote.address, "10.9.0.%u",
                 2 + i % ADDRESSES);
        good = ackd_open(l->ackd, &request, &result, &l->error) == 0;
    }
    begin(l);
    good = good &&
           ackd_close(l->ackd, listener.id, ACKD_CLOSE_HOW_RELEASE, 0, NULL, &l->error) == 0 &&
           wait_for_all(l);
    end(l, "close of a listener", good, count, 5, 0);
}

int main(int argc, char **argv)
{
    struct load l = {.schedstat = argc == 4 ? argv[3] : ""};
    unsigned opens = argc == 4 ? (unsigned)strtoul(argv[2], NULL, 10) : 0;
    if (opens == 0 || !(l.ackd = ackd_connect(argv[1], &l.error))) {
        fprintf(stderr, "usage: load SOCKET OPENS SCHEDSTAT (%s)\n", l.error.message);
        return 2;
    }
    ackd_set_timeout(l.ackd, 60000);
    for (unsigned i = ATTEMPTS; !send_large(&l, i); i--) {
    }
    for (unsigned i = ATTEMPTS; !receive_large(&l, i); i--) {
    }
    close_listener(&l, opens / 5);
    open_all(&l, opens);
    size_t rows = 2 * (size_t)opens;
    for (unsigned i = ATTEMPTS; !list_all(&l, "list", ACKD_VIEW_BASIC, rows, i); i--) {
    }
    for (unsigned i = ATTEMPTS; !list_all(&l, "list in full", ACKD_VIEW_FULL, rows, i); i--) {
    }
    for (unsigned i = ATTEMPTS; !watch_all(&l, rows, i); i--) {
    }
    kill_all(&l);
    ackd_disconnect(l.ackd);
    return l.failed;
}

/* path RECEIVER KERNEL ACKD: an emulated path between TAPs of these names, for ./dev bench path.
 *
 * Three TAPs without offload are the ports: behind RECEIVER a kernel that receives, behind KERNEL a
 * kernel that sends, behind ACKD a bridge to ackd's own TAP. Who sends into a TAP without offload
 * has its super-frames cut into segments by the host, so that a loss takes one MSS from either.
 *
 * Data, what the senders send, meet a bottleneck of a rate with a queue of so many bytes (what does
 * not fit is dropped: tail drop; above a threshold ECT becomes CE), then the propagation delay, and
 * at its end random loss, which takes only segments with payload: a lost SYN,ACK would measure
 * timers. What returns has only the delay. Each address of the receiver is a lane, a path of its
 * own: one for each sender, or one that both share. Which of a lane's data segments are lost
 * follows from the seed and from their number, so that both senders lose the same ones.
 *
 * Standard input takes lines:
 *     path RATE QUEUE DELAY LOSS MARK SHARED SEED LATE
 *         bits a second, bytes, nanoseconds each way, per million, bytes (0: never), 0 or 1,
 * number, nanoseconds after which a delivery counts as late; all counts begin anew report    a JSON
 * object: lanes that carried data, and how late the emulator itself was
 *
 * A frame's place is computed when it arrives, from the time until which the line is busy; a heap
 * holds deliveries by their time. */
#include "kernel_side.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

enum { RECEIVER, KERNEL, ACKD, PORTS };
enum { LANES = 256, FRAME = 1600, FRAMES_MAX = 1 << 17, READS = 16, PRIORITY = 20 };
enum { ETHERNET = 14, IP_PROTOCOL = 9, IP_SUM = 10, IP_SOURCE = 12, IP_DESTINATION = 16 };
enum { ETHERTYPE_IPV4 = 0x0800, CE = 3 };

struct frame {
    int64_t due;
    uint64_t order; /* of frames that are due at once */
    struct frame *next_free;
    uint16_t length;
    uint8_t to;
    uint8_t data[FRAME];
};

struct lane {
    int64_t busy_until;
    uint64_t data, lost, dropped, marked; /* segments with payload */
    uint64_t queued_max;                  /* bytes */
};

struct path {
    int fd[PORTS];
    int64_t rate, delay_ns, slack_ns, late_ns;
    uint64_t queue, mark, loss_ppm, seed;
    bool shared;
    struct lane lane[LANES][2];
    struct frame *heap[FRAMES_MAX], *free;
    size_t n, allocated;
    uint64_t order;
    /* How well it kept time. */
    uint64_t deliveries, late, overflow, refused;
    int64_t latest_ns;
};

/* ---- the heap of deliveries ---- */

static bool before(const struct frame *a, const struct frame *b)
{
    return a->due != b->due ? a->due < b->due : a->order < b->order;
}

static void push(struct path *p, struct frame *f)
{
    size_t i = p->n++;
    f->order = p->order++;
    for (; i > 0 && before(f, p->heap[(i - 1) / 2]); i = (i - 1) / 2) {
        p->heap[i] = p->heap[(i - 1) / 2];
    }
    p->heap[i] = f;
}

static struct frame *pop(struct path *p)
{
    struct frame *first = p->heap[0], *last = p->heap[--p->n];
    size_t i = 0;
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= p->n) {
            break;
        }
        child += child + 1 < p->n && before(p->heap[child + 1], p->heap[child]);
        if (!before(p->heap[child], last)) {
            break;
        }
        p->heap[i] = p->heap[child];
        i = child;
    }
    p->heap[i] = last;
    return first;
}

static struct frame *frame_new(struct path *p)
{
    struct frame *f = p->free;
    if (f != NULL) {
        p->free = f->next_free;
        return f;
    }
    if (p->allocated == FRAMES_MAX) {
        return NULL;
    }
    p->allocated++;
    return malloc(sizeof *f);
}

static void frame_free(struct path *p, struct frame *f)
{
    f->next_free = p->free;
    p->free = f;
}

/* ---- what a frame is ---- */

static unsigned be16(const uint8_t *at)
{
    return (unsigned)at[0] << 8 | at[1];
}

/* The IPv4 header of a frame that carries TCP, or NULL. */
static uint8_t *tcp_packet(struct frame *f)
{
    uint8_t *ip = f->data + ETHERNET;
    bool is = f->length >= ETHERNET + 40 && be16(f->data + 12) == ETHERTYPE_IPV4 &&
              ip[0] >> 4 == 4 && ip[IP_PROTOCOL] == IPPROTO_TCP;
    return is ? ip : NULL;
}

static unsigned payload(const uint8_t *ip)
{
    unsigned header = (ip[0] & 15u) * 4, total = be16(ip + 2);
    unsigned headers = header + (ip[header + 12] >> 4) * 4u;
    return total > headers ? total - headers : 0;
}

/* True: the packet says that it was marked. RFC 1624 for the sum. */
static bool mark(uint8_t *ip)
{
    unsigned ecn = ip[1] & 3u;
    if (ecn == 0 || ecn == CE) {
        return ecn == CE;
    }
    uint32_t sum = (~be16(ip + IP_SUM) & 0xffffu) + (~be16(ip) & 0xffffu);
    ip[1] |= CE;
    sum += be16(ip);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = ~(sum + (sum >> 16)) & 0xffffu;
    ip[IP_SUM] = (uint8_t)(sum >> 8);
    ip[IP_SUM + 1] = (uint8_t)sum;
    return true;
}

/* splitmix64's output function. */
static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

static bool is_lost(const struct path *p, unsigned address, uint64_t number)
{
    uint64_t x = mix(p->seed * UINT64_C(0x9e3779b97f4a7c15) + address);
    return mix(x + number * UINT64_C(0x9e3779b97f4a7c15)) % 1000000 < p->loss_ppm;
}

/* ---- the path ---- */

/* Data: through the bottleneck. False: dropped or lost. */
static bool send_data(struct path *p, struct frame *f, uint8_t *ip, unsigned from, int64_t now)
{
    unsigned address = ip[IP_DESTINATION + 3];
    struct lane *l = &p->lane[address][p->shared ? 0 : from - KERNEL];
    int64_t start = l->busy_until > now ? l->busy_until : now;
    uint64_t queued = (uint64_t)((start - now) * p->rate / 8000000000);
    bool is_data = payload(ip) > 0;
    uint64_t number = l->data;
    l->data += is_data;
    l->queued_max = queued > l->queued_max ? queued : l->queued_max;
    if (queued + f->length > p->queue) {
        l->dropped += is_data;
        return false;
    }
    if (p->mark > 0 && queued > p->mark) {
        l->marked += mark(ip);
    }
    l->busy_until = start + (int64_t)f->length * 8000000000 / p->rate;
    f->due = l->busy_until + p->delay_ns;
    if (is_data && is_lost(p, address, number)) {
        l->lost++;
        return false;
    }
    return true;
}

static void deliver(struct path *p, struct frame *f, unsigned to)
{
    if (write(p->fd[to], f->data, f->length) < 0 && p->rate > 0) {
        p->refused++; /* before the first path interfaces may be down */
    }
}

/* What is neither data nor its acknowledgment, as ARP, passes at once, from the receiver to both.
 */
static void forward(struct path *p, struct frame *f, unsigned from, int64_t now)
{
    uint8_t *ip = tcp_packet(f);
    bool goes = false;
    if (p->rate > 0 && ip != NULL && from == RECEIVER) {
        f->to = ip[IP_DESTINATION + 3] & 1 ? ACKD : KERNEL;
        f->due = now + p->delay_ns;
        goes = true;
    } else if (p->rate > 0 && ip != NULL) {
        f->to = RECEIVER;
        goes = send_data(p, f, ip, from, now);
    } else if (from == RECEIVER) {
        deliver(p, f, KERNEL);
        deliver(p, f, ACKD);
    } else {
        deliver(p, f, RECEIVER);
    }
    if (goes) {
        push(p, f);
    } else {
        frame_free(p, f);
    }
}

/* A few frames of one port. */
static void take(struct path *p, unsigned from)
{
    for (int i = 0; i < READS; i++) {
        struct frame *f = frame_new(p);
        if (f == NULL) {
            p->overflow++;
            return;
        }
        ssize_t n = read(p->fd[from], f->data, sizeof f->data);
        if (n < ETHERNET) {
            frame_free(p, f);
            return;
        }
        f->length = (uint16_t)n;
        forward(p, f, from, clock_now());
    }
}

/* A few frames that are due. */
static void deliver_due(struct path *p)
{
    for (int i = 0; i < READS && p->n > 0; i++) {
        int64_t by = clock_now() - p->heap[0]->due;
        if (by < 0) {
            return;
        }
        struct frame *f = pop(p);
        p->deliveries++;
        p->late += by > p->late_ns;
        p->latest_ns = by > p->latest_ns ? by : p->latest_ns;
        deliver(p, f, f->to);
        frame_free(p, f);
    }
}

/* ---- commands ---- */

static void set_path(struct path *p, const char *line)
{
    unsigned shared;
    if (sscanf(line,
               "path %" SCNd64 " %" SCNu64 " %" SCNd64 " %" SCNu64 " %" SCNu64 " %u %" SCNu64
               " %" SCNd64 " %" SCNd64,
               &p->rate, &p->queue, &p->delay_ns, &p->loss_ppm, &p->mark, &shared, &p->seed,
               &p->slack_ns, &p->late_ns) != 9) {
        errno = 0;
        fail("path: not understood: %s", line);
    }
    p->shared = shared != 0;
    memset(p->lane, 0, sizeof p->lane);
    p->deliveries = p->late = p->overflow = p->refused = 0;
    p->latest_ns = 0;
}

static void report(const struct path *p)
{
    const char *separator = "";
    printf("{\"lanes\":[");
    for (unsigned i = 0; i < LANES; i++) {
        for (unsigned side = 0; side < 2; side++) {
            const struct lane *l = &p->lane[i][side];
            if (l->data == 0) {
                continue;
            }
            printf("%s{\"lane\":%u,\"side\":%u,\"data\":%" PRIu64 ",\"lost\":%" PRIu64
                   ",\"dropped\":%" PRIu64 ",\"marked\":%" PRIu64 ",\"queued_max\":%" PRIu64 "}",
                   separator, i, side, l->data, l->lost, l->dropped, l->marked, l->queued_max);
            separator = ",";
        }
    }
    printf("],\"in_flight\":%zu,\"deliveries\":%" PRIu64 ",\"late\":%" PRIu64
           ",\"latest_ns\":%" PRId64 ",\"overflow\":%" PRIu64 ",\"refused\":%" PRIu64 "}\n",
           p->n, p->deliveries, p->late, p->latest_ns, p->overflow, p->refused);
    fflush(stdout);
}

/* One read is whole lines: the other end writes one and waits for what it does. */
static void command(struct path *p)
{
    char line[512];
    ssize_t n = read(STDIN_FILENO, line, sizeof line - 1);
    if (n <= 0) {
        exit(0);
    }
    line[n] = 0;
    if (strncmp(line, "path ", 5) == 0) {
        set_path(p, line);
    }
    report(p);
}

/* ---- the whole ---- */

static int open_tap(const char *name)
{
    struct ifreq ifr = {.ifr_flags = IFF_TAP | IFF_NO_PI};
    snprintf(ifr.ifr_name, sizeof ifr.ifr_name, "%s", name);
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 || ioctl(fd, TUNSETIFF, &ifr) < 0 || ioctl(fd, TUNSETOFFLOAD, 0) < 0) {
        fail("the TAP %s", name);
    }
    return fd;
}

static void wait_for_work(struct path *p)
{
    struct pollfd fds[PORTS + 1] = {{.fd = STDIN_FILENO, .events = POLLIN}};
    for (unsigned i = 0; i < PORTS; i++) {
        fds[1 + i] = (struct pollfd){.fd = p->fd[i], .events = POLLIN};
    }
    int64_t left = p->n > 0 ? p->heap[0]->due + p->slack_ns - clock_now() : 0;
    left = left > 0 ? left : 0;
    struct timespec t = {left / 1000000000, left % 1000000000};
    if (ppoll(fds, PORTS + 1, p->n > 0 ? &t : NULL, NULL) < 0 && errno != EINTR) {
        fail("ppoll");
    }
    for (unsigned i = 0; i < PORTS; i++) {
        if (fds[1 + i].revents != 0) {
            take(p, i);
        }
    }
    if (fds[0].revents != 0) {
        command(p);
    }
}

int main(int argc, char **argv)
{
    static struct path p;
    errno = 0;
    if (argc != 1 + PORTS) {
        fail("path RECEIVER KERNEL ACKD");
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_TIMERSLACK, 1UL);
    for (unsigned i = 0; i < PORTS; i++) {
        p.fd[i] = open_tap(argv[1 + i]);
    }
    /* A path is always there. Without the right to say so, the report tells how late it was. */
    struct sched_param priority = {.sched_priority = PRIORITY};
    sched_setscheduler(0, SCHED_FIFO, &priority);
    puts("ready");
    fflush(stdout);
    for (;;) {
        wait_for_work(&p);
        deliver_due(&p);
    }
}

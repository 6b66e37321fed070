/* path RECEIVER KERNEL ACKD: an emulated path between TAPs of these names, for ./dev bench path.
 *
 * Three TAPs without offload are the ports: behind RECEIVER a kernel that receives, behind KERNEL a
 * kernel that sends, behind ACKD a bridge to ackd's own TAP. Who sends into a TAP without offload
 * has its super-frames cut into segments by the host, so that a loss takes one MSS from either.
 *
 * Data, what the senders send, pass an access link of four times the bottleneck's rate, which lets
 * bursts of several senders mingle: a kernel answers an ACK within our write of it, a daemon as
 * soon as it runs, and without the link the kernel's answer would always be the first in the
 * queue. Then they meet a bottleneck of a rate with a queue of so many bytes (what does
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
 * A frame's place is computed from the time until which the line is busy. One heap holds what comes
 * to the bottleneck, one what is to be delivered, each by its time; the bottleneck lives in those
 * times, however late we run. */
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
enum { LANES = 256, FRAME = 1600, FRAMES_MAX = 1 << 17, READS = 16, PRIORITY = 20, ACCESS = 4 };
enum { ETHERNET = 14, IP_PROTOCOL = 9, IP_SUM = 10, IP_SOURCE = 12, IP_DESTINATION = 16 };
#define FULL_FRAME INT64_C(1514)

enum { ETHERTYPE_IPV4 = 0x0800, CE = 3 };

struct frame {
    int64_t due;
    uint64_t order; /* of frames that are due at once */
    struct frame *next_free;
    uint16_t length;
    uint8_t from, to;
    uint8_t data[FRAME];
};

struct heap {
    struct frame *at[FRAMES_MAX];
    size_t n;
};

struct lane {
    int64_t access_until;         /* of the sender's link */
    int64_t busy_until, returned; /* the latest delivery of what returns */
    uint64_t acks;
    uint64_t data, lost, dropped, marked; /* segments with payload */
    uint64_t queued_max;                  /* bytes */
};

struct path {
    int fd[PORTS];
    int64_t rate, delay_ns, slack_ns, late_ns;
    uint64_t queue, mark, loss_ppm, seed;
    bool shared;
    struct lane lane[LANES][2];
    struct heap coming, leaving;
    struct frame *free;
    size_t allocated;
    uint64_t order;
    /* How well it kept time. */
    uint64_t deliveries, late, overflow, refused;
    int64_t latest_ns;
};

/* ---- frames by their time ---- */

static bool before(const struct frame *a, const struct frame *b)
{
    return a->due != b->due ? a->due < b->due : a->order < b->order;
}

static void push(struct path *p, struct heap *h, struct frame *f)
{
    size_t i = h->n++;
    f->order = p->order++;
    for (; i > 0 && before(f, h->at[(i - 1) / 2]); i = (i - 1) / 2) {
        h->at[i] = h->at[(i - 1) / 2];
    }
    h->at[i] = f;
}

static struct frame *pop(struct heap *h)
{
    struct frame *first = h->at[0], *last = h->at[--h->n];
    size_t i = 0;
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= h->n) {
            break;
        }
        child += child + 1 < h->n && before(h->at[child + 1], h->at[child]);
        if (!before(h->at[child], last)) {
            break;
        }
        h->at[i] = h->at[child];
        i = child;
    }
    h->at[i] = last;
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

/* Of a lane, the same for both senders. */
static uint64_t chance(const struct path *p, unsigned address, uint64_t number)
{
    uint64_t x = mix(p->seed * UINT64_C(0x9e3779b97f4a7c15) + address);
    return mix(x + number * UINT64_C(0x9e3779b97f4a7c15));
}

/* ---- the path ---- */

static int64_t serialized(const struct path *p, const struct frame *f)
{
    return f->length * INT64_C(8000000000) / p->rate;
}

/* Data: to the bottleneck. */
static void send_data(struct path *p, struct frame *f, const uint8_t *ip, int64_t now)
{
    struct lane *l = &p->lane[ip[IP_DESTINATION + 3]][f->from - KERNEL];
    int64_t start = l->access_until > now ? l->access_until : now;
    f->due = l->access_until = start + serialized(p, f) / ACCESS;
    push(p, &p->coming, f);
}

/* At the bottleneck, at its time. False: dropped or lost. */
static bool pass(struct path *p, struct frame *f)
{
    uint8_t *ip = tcp_packet(f);
    unsigned address = ip[IP_DESTINATION + 3];
    struct lane *l = &p->lane[address][f->from - KERNEL];
    int64_t *busy_until = &p->lane[address][p->shared ? 0 : f->from - KERNEL].busy_until;
    int64_t start = *busy_until > f->due ? *busy_until : f->due;
    uint64_t queued = (uint64_t)((start - f->due) * p->rate / 8000000000);
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
    *busy_until = start + serialized(p, f);
    f->due = *busy_until + p->delay_ns;
    if (is_data && chance(p, address, number) % 1000000 < p->loss_ppm) {
        l->lost++;
        return false;
    }
    return true;
}

/* What has come to the bottleneck by now. */
static void pass_due(struct path *p, int64_t now)
{
    while (p->coming.n > 0 && p->coming.at[0]->due <= now) {
        struct frame *f = pop(&p->coming);
        if (pass(p, f)) {
            push(p, &p->leaving, f);
        } else {
            frame_free(p, f);
        }
    }
}

/* Acknowledgments stay in order. */
static void send_back(struct path *p, struct frame *f, const uint8_t *ip, int64_t now)
{
    unsigned address = ip[IP_SOURCE + 3];
    f->to = ip[IP_DESTINATION + 3] & 1 ? ACKD : KERNEL;
    struct lane *l = &p->lane[address][f->to - KERNEL];
    uint64_t service = (uint64_t)(FULL_FRAME * 8000000000 / p->rate);
    f->due = now + p->delay_ns + (int64_t)(chance(p, address, ~l->acks++) % service);
    f->due = f->due > l->returned ? f->due : l->returned;
    l->returned = f->due;
    push(p, &p->leaving, f);
}

static void deliver(struct path *p, struct frame *f, unsigned to)
{
    if (write(p->fd[to], f->data, f->length) < 0 && p->rate > 0) {
        p->refused++; /* before the first path interfaces may be down */
    }
}

/* What is neither data nor its acknowledgment, as ARP, passes at once, from the receiver to both.
 */
static void forward(struct path *p, struct frame *f, int64_t now)
{
    const uint8_t *ip = tcp_packet(f);
    if (p->rate > 0 && ip != NULL) {
        if (f->from == RECEIVER) {
            send_back(p, f, ip, now);
        } else {
            f->to = RECEIVER;
            send_data(p, f, ip, now);
        }
        return;
    }
    if (f->from == RECEIVER) {
        deliver(p, f, KERNEL);
        deliver(p, f, ACKD);
    } else {
        deliver(p, f, RECEIVER);
    }
    frame_free(p, f);
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
        f->from = (uint8_t)from;
        forward(p, f, clock_now());
    }
}

/* A few frames that are due. */
static void deliver_due(struct path *p)
{
    for (int i = 0; i < READS; i++) {
        int64_t now = clock_now();
        pass_due(p, now);
        if (p->leaving.n == 0 || p->leaving.at[0]->due > now) {
            return;
        }
        struct frame *f = pop(&p->leaving);
        int64_t by = now - f->due;
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
           p->coming.n + p->leaving.n, p->deliveries, p->late, p->latest_ns, p->overflow,
           p->refused);
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
    int64_t next = INT64_MAX; /* what comes to the bottleneck leaves no sooner than the delay */
    if (p->coming.n > 0) {
        next = p->coming.at[0]->due + p->delay_ns;
    }
    if (p->leaving.n > 0 && p->leaving.at[0]->due + p->slack_ns < next) {
        next = p->leaving.at[0]->due + p->slack_ns;
    }
    int64_t left = next == INT64_MAX ? 0 : next - clock_now();
    left = left > 0 ? left : 0;
    struct timespec t = {left / 1000000000, left % 1000000000};
    if (ppoll(fds, PORTS + 1, next == INT64_MAX ? NULL : &t, NULL) < 0 && errno != EINTR) {
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

/* The layer without packetdrill: the library as packetdrill would load it, and the peer's packets
 * written by hand. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include <cmocka.h>

#include "interface.h"
#include "linux_tcp.h"
#include "wire/checksum.h"
#include "wire/tcp.h"

#define PEER_PORT 4000
#define OUR_PORT 8080
#define PEER_ISS 1000u
enum { OPT_TCP_INFO = 11, STATE_ESTABLISHED = 1 };

struct fixture {
    struct packetdrill_interface i;
    int listener, fd;
    uint32_t iss; /* the engine's */
};

static const uint8_t us[4] = {192, 168, 0, 1}, peer[4] = {192, 0, 2, 1};
static void *library;

static long long clock_us(struct fixture *f)
{
    struct timeval tv;
    f->i.gettimeofday(f->i.userdata, &tv, NULL);
    return tv.tv_sec * 1000000LL + tv.tv_usec;
}

static void inject(struct fixture *f, uint16_t flags, uint32_t seq, uint32_t ack, uint32_t length)
{
    uint8_t p[2000] = {0x45, 0, 0, 0, 0, 0, 0, 0, 64, 6};
    uint32_t total = 40 + length;
    p[2] = (uint8_t)(total >> 8);
    p[3] = (uint8_t)total;
    memcpy(p + 12, peer, 4);
    memcpy(p + 16, us, 4);
    struct tcp_hdr h = {.sport = PEER_PORT,
                        .dport = OUR_PORT,
                        .seq = {PEER_ISS + seq},
                        .ack = {f->iss + ack},
                        .header_len = 20,
                        .flags = flags,
                        .window = 65535};
    tcp_hdr_build(p + 20, &h);
    memset(p + 40, 'x', length);
    uint16_t sum = checksum_finish(checksum_add(0, p, 20));
    p[10] = (uint8_t)(sum >> 8);
    p[11] = (uint8_t)sum;
    struct ip_addr src = ip_addr_from_v4(peer), dst = ip_addr_from_v4(us);
    uint64_t whole = tcp_pseudo_sum(&src, &dst, 20 + length);
    sum = checksum_finish(checksum_add(whole, p + 20, 20 + length));
    p[36] = (uint8_t)(sum >> 8);
    p[37] = (uint8_t)sum;
    assert_int_equal(f->i.netdev_send(f->i.userdata, p, total), 0);
}

/* The next packet out; its payload's length. */
static uint32_t expect(struct fixture *f, struct tcp_hdr *h)
{
    uint8_t p[65536];
    size_t n = sizeof p;
    long long at;
    assert_int_equal(f->i.netdev_receive(f->i.userdata, p, &n, &at), 0);
    assert_true(n >= 40);
    assert_true(tcp_hdr_parse(p + 20, n - 20, h));
    struct ip_addr src = ip_addr_from_v4(us), dst = ip_addr_from_v4(peer);
    uint64_t sum = tcp_pseudo_sum(&src, &dst, (uint32_t)(n - 20));
    assert_int_equal(checksum_fold(checksum_add(sum, p + 20, n - 20)), 0xffff);
    return (uint32_t)(n - 20 - h->header_len);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    void (*init)(const char *, struct packetdrill_interface *);
    *(void **)&init = dlsym(library, "packetdrill_interface_init");
    assert_non_null(init);
    init("local_ip=192.168.0.1", &f->i);
    void *u = f->i.userdata;
    f->fd = -1;
    f->listener = f->i.socket(u, AF_INET, SOCK_STREAM, IPPROTO_TCP);
    assert_true(f->listener >= 0);
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons(OUR_PORT)};
    memcpy(&addr.sin_addr, us, 4);
    const struct sockaddr *any = (const struct sockaddr *)(const void *)&addr;
    assert_int_equal(f->i.bind(u, f->listener, any, sizeof addr), 0);
    assert_int_equal(f->i.listen(u, f->listener, 5), 0);
    *state = f;
    return 0;
}

static void handshake(struct fixture *f)
{
    struct tcp_hdr h;
    inject(f, TCP_SYN, 0, 0, 0);
    assert_int_equal(expect(f, &h), 0);
    assert_int_equal(h.flags, TCP_SYN | TCP_ACK);
    f->iss = h.seq.v;
    inject(f, TCP_ACK, 1, 1, 0);
}

static void accepted(struct fixture *f)
{
    handshake(f);
    f->fd = f->i.accept(f->i.userdata, f->listener, NULL, NULL);
    assert_true(f->fd >= 0);
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    if (f->fd >= 0) {
        f->i.close(f->i.userdata, f->fd);
    }
    f->i.close(f->i.userdata, f->listener);
    f->i.free(f->i.userdata);
    free(f);
    return 0;
}

static void data_go_both_ways(void **state)
{
    struct fixture *f = *state;
    struct tcp_hdr h;
    char buf[200];
    int queued = -1;
    accepted(f);
    inject(f, TCP_ACK | TCP_PSH, 1, 1, 100);
    assert_int_equal(expect(f, &h), 0);
    assert_int_equal(h.ack.v, PEER_ISS + 101);
    assert_int_equal(f->i.ioctl(f->i.userdata, f->fd, SIOCINQ, &queued), 0);
    assert_int_equal(queued, 100);
    assert_int_equal(f->i.recv(f->i.userdata, f->fd, buf, 40, MSG_PEEK), 40);
    assert_int_equal(f->i.read(f->i.userdata, f->fd, buf, sizeof buf), 100);
    assert_int_equal(buf[0], 'x');
    assert_int_equal(f->i.write(f->i.userdata, f->fd, buf, 100), 100);
    assert_int_equal(expect(f, &h), 100);
    assert_int_equal(f->i.ioctl(f->i.userdata, f->fd, SIOCOUTQ, &queued), 0);
    assert_int_equal(queued, 100);
    uint8_t info[280];
    socklen_t length = sizeof info;
    int error = f->i.getsockopt(f->i.userdata, f->fd, IPPROTO_TCP, OPT_TCP_INFO, info, &length);
    assert_int_equal(error, 0);
    assert_int_equal(length, sizeof info);
    assert_int_equal(info[0], STATE_ESTABLISHED);
}

static void errors_are_errnos(void **state)
{
    struct fixture *f = *state;
    char byte;
    accepted(f);
    f->i.fcntl(f->i.userdata, f->fd, F_SETFL, (long)O_NONBLOCK);
    assert_int_equal(f->i.read(f->i.userdata, f->fd, &byte, 1), -1);
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(f->i.write(f->i.userdata, f->fd, (void *)8, 1), -1);
    assert_int_equal(errno, EFAULT);
    assert_int_equal(f->i.read(f->i.userdata, 9999, &byte, 1), -1);
    assert_int_equal(errno, EBADF);
    inject(f, TCP_RST, 1, 1, 0);
    assert_int_equal(f->i.read(f->i.userdata, f->fd, &byte, 1), -1);
    assert_int_equal(errno, ECONNRESET);
    assert_int_equal(f->i.read(f->i.userdata, f->fd, &byte, 1), 0); /* told once */
}

static void epoll_tells_edges(void **state)
{
    struct fixture *f = *state;
    struct epoll_event e = {.events = EPOLLIN | EPOLLET};
    accepted(f);
    int ep = f->i.epoll_create(f->i.userdata, 1);
    assert_int_equal(f->i.epoll_ctl(f->i.userdata, ep, EPOLL_CTL_ADD, f->fd, &e), 0);
    assert_int_equal(f->i.epoll_wait(f->i.userdata, ep, &e, 1, 0), 0);
    inject(f, TCP_ACK, 1, 1, 10);
    assert_int_equal(f->i.epoll_wait(f->i.userdata, ep, &e, 1, 0), 1);
    assert_int_equal(e.events, EPOLLIN);
    assert_int_equal(f->i.epoll_wait(f->i.userdata, ep, &e, 1, 0), 0);
    inject(f, TCP_ACK, 11, 1, 10);
    assert_int_equal(f->i.epoll_wait(f->i.userdata, ep, &e, 1, 0), 1);
    f->i.close(f->i.userdata, ep);
}

/* Time passes only here, and a poll() ends when it says. */
static void time_is_virtual(void **state)
{
    struct fixture *f = *state;
    accepted(f);
    struct pollfd p = {.fd = f->fd, .events = POLLIN};
    long long before = clock_us(f);
    assert_int_equal(f->i.poll(f->i.userdata, &p, 1, 60000), 0);
    long long waited = clock_us(f) - before;
    assert_true(waited >= 60000000 && waited < 60001000);
    before = clock_us(f);
    f->i.usleep(f->i.userdata, 5000000);
    waited = clock_us(f) - before;
    assert_true(waited >= 5000000 && waited < 5001000);
}

struct reader {
    struct fixture *f;
    long long done_at;
    ssize_t result;
};

static void *blocked_reader(void *arg)
{
    struct reader *r = arg;
    char buf[100];
    r->result = r->f->i.read(r->f->i.userdata, r->f->fd, buf, sizeof buf);
    r->done_at = clock_us(r->f);
    return NULL;
}

/* A call blocked in another thread ends at the instant of what it waited for. */
static void a_blocked_call_ends_when_it_may(void **state)
{
    struct fixture *f = *state;
    struct reader r = {.f = f};
    pthread_t thread;
    accepted(f);
    assert_int_equal(pthread_create(&thread, NULL, blocked_reader, &r), 0);
    usleep(20000); /* whether it sleeps already or comes later, it waits for the data */
    f->i.usleep(f->i.userdata, 1000000);
    long long at = clock_us(f);
    inject(f, TCP_ACK, 1, 1, 10);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(r.result, 10);
    assert_true(r.done_at - at < 1000);
}

static int option(struct fixture *f, int name, int set)
{
    int value = set;
    socklen_t len = sizeof value;
    void *u = f->i.userdata;
    if (f->i.setsockopt(u, f->listener, IPPROTO_TCP, name, &value, len) < 0) {
        return -errno;
    }
    assert_int_equal(f->i.getsockopt(u, f->listener, IPPROTO_TCP, name, &value, &len), 0);
    return value;
}

/* What is asked is not always what is told, nor taken. */
static void options_as_linux_tells_them(void **state)
{
    struct fixture *f = *state;
    void *u = f->i.userdata;
    assert_int_equal(option(f, TCP_DEFER_ACCEPT, 5), 7); /* 1 + 2 + 4 s */
    assert_int_equal(option(f, TCP_SYNCNT, 3), 3);
    assert_int_equal(option(f, TCP_SYNCNT, 0), -EINVAL);
    assert_int_equal(option(f, TCP_SYNCNT, 128), -EINVAL);
    assert_int_equal(option(f, TCP_QUICKACK, 5), 1);
    char name[16] = "";
    socklen_t len = sizeof name;
    const char *const names[] = {"reno", "cubic", "dctcp", "bbr"};
    for (unsigned i = 0; i < 4; i++) {
        socklen_t given = (socklen_t)strlen(names[i]);
        assert_int_equal(
            f->i.setsockopt(u, f->listener, IPPROTO_TCP, TCP_CONGESTION, names[i], given), 0);
        len = sizeof name;
        assert_int_equal(f->i.getsockopt(u, f->listener, IPPROTO_TCP, TCP_CONGESTION, name, &len),
                         0);
        assert_string_equal(name, names[i]);
    }
    assert_int_equal(f->i.setsockopt(u, f->listener, IPPROTO_TCP, TCP_CONGESTION, "vegas", 5), -1);
    assert_int_equal(errno, ENOENT);
    assert_int_equal(f->i.getsockopt(u, f->listener, IPPROTO_TCP, TCP_CONGESTION, name, &len), 0);
    assert_string_equal(name, "bbr");
}

static int told(struct fixture *f, int fd, int level, int name)
{
    int value = -1;
    socklen_t len = sizeof value;
    return f->i.getsockopt(f->i.userdata, fd, level, name, &value, &len) < 0 ? -errno : value;
}

static int ask(struct fixture *f, int fd, int level, int name, int value, socklen_t len)
{
    return f->i.setsockopt(f->i.userdata, fd, level, name, &value, len) < 0 ? -errno : 0;
}

/* What has no effect on the wire is told again as it was set. */
static void options_are_kept(void **state)
{
    struct fixture *f = *state;
    accepted(f);
    assert_int_equal(told(f, f->fd, SOL_SOCKET, SO_OOBINLINE), 0);
    assert_int_equal(ask(f, f->fd, SOL_SOCKET, SO_OOBINLINE, 1, sizeof(int)), 0);
    assert_int_equal(told(f, f->fd, SOL_SOCKET, SO_OOBINLINE), 1);
    assert_int_equal(told(f, f->fd, SOL_SOCKET, SO_RCVLOWAT), 1);
    assert_int_equal(told(f, f->fd, SOL_SOCKET, SO_MAX_PACING_RATE), -1);
    assert_int_equal(ask(f, f->fd, SOL_SOCKET, SO_MAX_PACING_RATE, 500000, sizeof(int)), 0);
    assert_int_equal(told(f, f->fd, SOL_SOCKET, SO_MAX_PACING_RATE), 500000);
    assert_int_equal(ask(f, f->fd, SOL_SOCKET, SO_TYPE, 1, sizeof(int)), -ENOPROTOOPT);
    assert_int_equal(ask(f, f->fd, SOL_SOCKET, SO_KEEPALIVE, 1, 2), -EINVAL);
    assert_int_equal(told(f, f->fd, IPPROTO_IP, IP_MTU), 1500);
    assert_int_equal(told(f, f->listener, IPPROTO_IP, IP_MTU), -ENOTCONN);
    assert_int_equal(told(f, f->fd, IPPROTO_IP, IP_MTU_DISCOVER), IP_PMTUDISC_WANT);
    assert_int_equal(ask(f, f->fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO, sizeof(int)), 0);
    assert_int_equal(told(f, f->fd, IPPROTO_IP, IP_MTU_DISCOVER), IP_PMTUDISC_DO);
    assert_int_equal(ask(f, f->fd, IPPROTO_TCP, TCP_WINDOW_CLAMP, 0, sizeof(int)), -EINVAL);
    assert_int_equal(told(f, f->fd, IPPROTO_TCP, 200), -ENOPROTOOPT);
}

/* TCP_WINDOW_CLAMP: no window, and no scale, beyond it. */
static void a_clamped_window(void **state)
{
    struct fixture *f = *state;
    struct tcp_hdr h;
    assert_int_equal(ask(f, f->listener, IPPROTO_TCP, TCP_WINDOW_CLAMP, 5000, sizeof(int)), 0);
    assert_int_equal(told(f, f->listener, IPPROTO_TCP, TCP_WINDOW_CLAMP), 5000);
    inject(f, TCP_SYN, 0, 0, 0);
    assert_int_equal(expect(f, &h), 0);
    assert_int_equal(h.window, 5000);
}

/* TCP_MD5SIG: with a key for the peer what it does not sign is dropped, without it is answered. */
static void keys_by_peer(void **state)
{
    struct fixture *f = *state;
    void *u = f->i.userdata;
    struct tcp_hdr h;
    struct {
        struct sockaddr_in peer;
        uint8_t rest[128 - sizeof(struct sockaddr_in)], flags, prefix;
        uint16_t length;
        int interface;
        uint8_t key[80];
    } sig = {.peer = {.sin_family = AF_INET}, .length = 3, .key = "key"};
    memcpy(&sig.peer.sin_addr, peer, 4);
    assert_int_equal(f->i.setsockopt(u, f->listener, IPPROTO_TCP, TCP_MD5SIG, &sig, sizeof sig), 0);
    inject(f, TCP_SYN, 0, 0, 0);
    sig.length = 0;
    assert_int_equal(f->i.setsockopt(u, f->listener, IPPROTO_TCP, TCP_MD5SIG, &sig, sizeof sig), 0);
    assert_int_equal(f->i.setsockopt(u, f->listener, IPPROTO_TCP, TCP_MD5SIG, &sig, sizeof sig),
                     -1);
    assert_int_equal(errno, ENOENT);
    inject(f, TCP_SYN, 1000, 0, 0);
    assert_int_equal(expect(f, &h), 0);
    assert_int_equal(h.ack.v, 2001); /* not of the first */
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(data_go_both_ways, set_up, tear_down),
        cmocka_unit_test_setup_teardown(errors_are_errnos, set_up, tear_down),
        cmocka_unit_test_setup_teardown(epoll_tells_edges, set_up, tear_down),
        cmocka_unit_test_setup_teardown(options_as_linux_tells_them, set_up, tear_down),
        cmocka_unit_test_setup_teardown(options_are_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_clamped_window, set_up, tear_down),
        cmocka_unit_test_setup_teardown(keys_by_peer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(time_is_virtual, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_blocked_call_ends_when_it_may, set_up, tear_down),
    };
    library = argc > 1 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;
    if (!library) {
        print_error("usage: test_layer LIBRARY (%s)\n", argc > 1 ? dlerror() : "none given");
        return 2;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The layer: the engine, net/ and a virtual clock behind a Linux socket API.
 *
 * It owns descriptors, their readiness and their error queues, and translates. It makes no protocol
 * decision: what is sent, when, and why is the engine's. One mutex guards everything; packetdrill
 * runs a blocking call in a second thread, of which there is at most one. */
#ifndef ACKD_PACKETDRILL_LAYER_H
#define ACKD_PACKETDRILL_LAYER_H

#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include "base/list.h"
#include "net/net.h"
#include "tcp/tcp.h"

/* ---- sysctl.c: the namespace's /proc/sys/net ---- */

struct layer;

struct sysctls {
    long rmem[3], wmem[3];
    long timestamps, sack, dsack, window_scaling, ecn, ecn_option, fastopen, syncookies;
    long syn_retries, synack_retries, syn_linear_timeouts, retries1, retries2;
    long fin_timeout, keepalive_time, keepalive_intvl, keepalive_probes;
    long reordering, recovery, early_retrans, frto, slow_start_after_idle;
    long tso_win_divisor, min_tso_segs, notsent_lowat, mtu_probing, base_mss, rfc1337, default_ttl,
        v6_hop_limit;
    long metrics_flushes; /* tests/packetdrill/bin/ip */
    long rto_min_us, rto_max_ms, min_snd_mss, max_syn_backlog, rmem_max, wmem_max,
        challenge_ack_limit;
    char fastopen_key[128], congestion_control[32];
};
/* What a file does not say keeps Linux's default. */
void sysctls_read(struct sysctls *s);

/* ---- profile.c: Linux's choices where the RFCs leave one ---- */

void profile_options(const struct layer *l, bool v4, struct tcp_options *o);
/* The window that a receive buffer of so many bytes is worth: half of it, in whole segments. */
uint32_t profile_window(const struct layer *l, bool v4, long rcvbuf);
/* The engine's module of Linux's name; ENOENT where it has none. */
int profile_congestion(const char *name, enum tcp_congestion *out);
/* How long a SYN with so many retransmissions is tried. */
int64_t profile_syn_timeout(const struct sysctls *s, long retries);
/* What only sysctls set, again. */
void profile_refresh(const struct sysctls *s, struct tcp_options *o);

/* ---- records ---- */

enum file_kind { FILE_SOCKET, FILE_EPOLL };

struct file {
    struct list link; /* on layer.files */
    int fd;           /* a real descriptor that stands for it */
    enum file_kind kind;
};

enum sock_state { SOCK_NEW, SOCK_LISTENING, SOCK_CONNECTING, SOCK_CONNECTED, SOCK_ENDED };

/* An entry of an error queue: a zerocopy completion, a timestamp, an ICMP error. */
struct notice {
    struct list link;
    uint32_t error, info, data;
    uint8_t origin, type, code;
    bool timed, offender_known;
    int64_t wall_ns;
    struct ip_addr offender;
    bool wakes; /* already told */
};

/* A send whose completion or timestamps somebody waits for. */
struct pending {
    struct list link;
    bool zerocopy;
    uint32_t id;         /* zerocopy: the counter; timestamps: the key */
    uint64_t first, end; /* stream offsets, end exclusive */
    unsigned wanted;     /* SOF_TIMESTAMPING_TX_* still to come */
};

enum { KEPT_OPTIONS = 16 };

struct sock {
    struct file file; /* must be first */
    int domain;
    bool nonblock, bound, v6_only;
    bool connect_untold; /* connect() has not yet told how it ended */
    enum sock_state state;
    uint64_t id; /* of the engine's endpoint, 0 none */
    struct tcp_tuple tuple;
    struct tcp_options options;
    bool buffers_locked[2]; /* SO_RCVBUF, SO_SNDBUF were set */
    int error;              /* pending, as SO_ERROR tells */
    bool read_shut, write_shut;
    uint64_t read; /* stream offset consumed */
    /* what the last look saw, to tell edges */
    uint64_t seen_received, seen_accepts;
    ackd_time received_at; /* when seen_received moved last, or the connection was made */
    bool seen_end, seen_urgent, write_blocked;
    uint32_t edges; /* EPOLL* since the last look of each epoll: see epoll.c */
    /* plain values of options that only the layer answers for */
    int linger_on, linger_s, priority, mark, rcvlowat, sndbuf, rcvbuf, keepalive, reuse, zerocopy,
        timestamping, inq, recverr, cork, defer_accept, quickack, thin, syncnt, linger2, save_syn;
    uint32_t notsent_lowat; /* 0: the sysctl's */
    int64_t rcvtimeo_ns, sndtimeo_ns;
    uint32_t user_mss;
    char congestion[16];
    struct kept_option {
        int level, name, value;
    } kept[KEPT_OPTIONS]; /* that nothing can be seen of but that they were set */
    unsigned n_kept;
    /* the send queue as Linux's packets: see stream.c */
    uint32_t tail;
    /* errqueue.c */
    struct list notices, pendings;
    uint32_t zerocopy_next, timestamp_base;
    int64_t buffer_limited_ns; /* a writer waited, and nothing was left to send */
    bool buffer_limits;
    ackd_time buffer_since;
    uint64_t syn_data, bytes_queued, pushed;
    int backlog;
    int fastopen_queue; /* TCP_FASTOPEN on a listener */
    uint8_t fastopen_keys[32];
    size_t fastopen_keys_length; /* 0: those of the sysctl */
    bool fastopen_connect, fastopen_no_cookie, deferred;
};

struct epoll_item {
    struct list link;
    struct sock *sock;
    struct epoll_event event;
    bool ready;
};

struct epoll_file {
    struct file file; /* must be first */
    struct list items;
};

struct captured {
    struct list link;
    ackd_time at;
    size_t length;
    uint8_t bytes[];
};

struct layer {
    pthread_mutex_t lock;
    pthread_t main; /* who moves time */
    pthread_cond_t wake, handed_back;
    ackd_time now;
    int64_t wall_base_ns; /* gettimeofday at time 0 */
    struct arena *arena;
    struct tcp_engine *engine;
    struct net *net;
    struct sysctls sysctls;
    char fastopen_key[128]; /* the sysctl's, as the engine has it */
    long metrics_flushes;   /* that were carried out */
    int snmp_fd, netstat_fd;
    struct list files;
    struct list captured;
    uint32_t mtu;
    struct ip_addr local_v4, local_v6;
    uint64_t changes; /* counts what may end a wait */
    struct {          /* the one blocked call */
        bool waiting, woken, running, ended;
        pthread_t thread;
        ackd_time deadline;
    } blocked;
};

/* ---- clock.c ---- */

/* Runs what is due at `now`: timers, output, readiness; then lets a blocked call look again. */
void layer_run(struct layer *l);
/* Moves the clock to `to`, stopping at every timer on the way. */
void layer_advance(struct layer *l, ackd_time to);
/* The next instant at which something happens by itself, or TIME_NEVER. */
ackd_time layer_next(struct layer *l);
/* Blocks the calling thread until something changed (true) or virtual time reached the deadline.
 * The lock is given up meanwhile. The thread that moves time moves it instead, and gives up, too,
 * when nothing will ever happen. */
bool layer_wait(struct layer *l, ackd_time deadline);
int layer_usleep(void *u, useconds_t us);
int layer_gettimeofday(void *u, struct timeval *tv, struct timezone *tz);
int64_t layer_wall_ns(const struct layer *l);

/* ---- link.c ---- */

bool link_open(struct layer *l, const char *flags);
void link_close(struct layer *l);
/* Super-frames as tcp_min_tso_segs asks. */
void link_set_frames(struct layer *l);
/* Takes every packet that net/ has and keeps those that a TUN device would show. */
void link_capture(struct layer *l);
int link_send(void *u, const void *packet, size_t length);
int link_receive(void *u, void *packet, size_t *count, long long *time_us);
/* The address is ours from now on. */
void link_add_local(struct layer *l, const struct ip_addr *a);
/* A host that can be reached. */
void link_add_remote(struct layer *l, const struct ip_addr *a);

/* ---- files.c ---- */

/* Gives the record a descriptor of its own; -1 with errno. */
int file_open(struct layer *l, struct file *f, enum file_kind kind);
struct file *file_find(struct layer *l, int fd);
/* NULL with EBADF or ENOTSOCK in errno. */
struct sock *sock_find(struct layer *l, int fd);
int fail(int error); /* sets errno, returns -1 */
/* Copies between the script's memory and ours; false (EFAULT) where it has none. */
bool user_read(void *to, const void *from, size_t length);
bool user_write(void *to, const void *from, size_t length);
int layer_close(void *u, int fd);
int layer_fcntl(void *u, int fd, int cmd, ...);
int layer_ioctl(void *u, int fd, unsigned long request, ...);

/* ---- sockets.c ---- */

int layer_socket(void *u, int domain, int type, int protocol);
int layer_bind(void *u, int fd, const struct sockaddr *addr, socklen_t len);
int layer_listen(void *u, int fd, int backlog);
int layer_accept(void *u, int fd, struct sockaddr *addr, socklen_t *len);
int layer_connect(void *u, int fd, const struct sockaddr *addr, socklen_t len);
int layer_shutdown(void *u, int fd, int how);
/* Listeners follow the sysctls: a SYN is about to arrive. */
void layer_read_sysctls(struct layer *l);
void sockets_refresh_sysctls(struct layer *l);
void sock_close(struct layer *l, struct sock *s);
/* connect() with the lock held. `data` may ride on the SYN (MSG_FASTOPEN); *taken says how much. */
/* How a connection is opened, and what came of its first data. */
struct sock_opening {
    bool fast_open;
    const void *data;
    size_t length, taken, on_syn;
    bool more; /* take as much as the buffer does, not only what the SYN carries */
};
int sock_open(struct layer *l, struct sock *s, const struct sockaddr *addr, socklen_t len,
              struct sock_opening *how);
/* The same where connect() has left the address. */
int sock_open_deferred(struct layer *l, struct sock *s, struct sock_opening *how);
/* Waits for the end of the handshake, unless `nonblock`; how it ended, or EINPROGRESS. */
int sock_connect_wait(struct layer *l, struct sock *s, bool nonblock);
int sock_connect(struct layer *l, struct sock *s, const struct sockaddr *addr, socklen_t len,
                 bool nonblock);
/* Looks at the endpoint: its end, and what is new since the last look (edges). */
void sock_refresh(struct layer *l, struct sock *s);
/* The pending error is told once. */
int sock_take_error(struct sock *s);
bool sock_status(struct layer *l, const struct sock *s, struct tcp_info *info);
void sock_apply_options(struct layer *l, struct sock *s);
void sock_put_address(const struct sock *s, const struct ip_addr *a, uint16_t port,
                      struct sockaddr *to, socklen_t *len);

/* ---- fastopen.c ---- */

bool fastopen_client_enabled(const struct layer *l);
/* Options of the engine that follow the sysctl and the socket's own. */
void fastopen_options(const struct layer *l, struct sock *s);
void fastopen_sysctl_keys(struct layer *l);
int fastopen_set_keys(struct layer *l, struct sock *s, const uint8_t *value, size_t length);
/* The socket listens now: keys of its own are its listener's. */
void fastopen_listener_keys(struct layer *l, const struct sock *s);
int fastopen_send(struct layer *l, struct sock *s, const struct sockaddr *addr, socklen_t len,
                  const void *data, size_t length, bool nonblock, size_t *taken);

/* ---- stream.c ---- */

ssize_t layer_read(void *u, int fd, void *buf, size_t count);
ssize_t layer_readv(void *u, int fd, const struct iovec *iov, int n);
ssize_t layer_recv(void *u, int fd, void *buf, size_t len, int flags);
ssize_t layer_recvfrom(void *u, int fd, void *buf, size_t len, int flags, struct sockaddr *addr,
                       socklen_t *addr_len);
ssize_t layer_recvmsg(void *u, int fd, struct msghdr *msg, int flags);
ssize_t layer_write(void *u, int fd, const void *buf, size_t count);
ssize_t layer_writev(void *u, int fd, const struct iovec *iov, int n);
ssize_t layer_send(void *u, int fd, const void *buf, size_t len, int flags);
ssize_t layer_sendto(void *u, int fd, const void *buf, size_t len, int flags,
                     const struct sockaddr *addr, socklen_t addr_len);
ssize_t layer_sendmsg(void *u, int fd, const struct msghdr *msg, int flags);
/* May the user write: half as much room as is queued, and less unsent than TCP_NOTSENT_LOWAT. */
bool stream_writable(const struct layer *l, const struct sock *s, const struct tcp_info *info);
uint32_t stream_unsent(const struct tcp_info *info);
/* Memory that the send queue is charged with. */
uint32_t stream_charge(const struct tcp_info *info);
uint32_t stream_tail_goal(const struct tcp_info *info);

/* ---- sockopt.c, tcp_info.c ---- */

int layer_getsockopt(void *u, int fd, int level, int name, void *value, socklen_t *len);
int layer_setsockopt(void *u, int fd, int level, int name, const void *value, socklen_t len);
/* Fills Linux's struct tcp_info; returns its length. */
size_t tcp_info_fill(struct layer *l, const struct sock *s, void *to, size_t room);
size_t meminfo_fill(struct layer *l, const struct sock *s, void *to, size_t room);

/* ---- poll.c, epoll.c ---- */

uint32_t sock_poll(struct layer *l, struct sock *s);
int layer_poll(void *u, struct pollfd *fds, nfds_t n, int timeout);
int layer_epoll_create(void *u, int size);
int layer_epoll_ctl(void *u, int epfd, int op, int fd, struct epoll_event *event);
int layer_epoll_wait(void *u, int epfd, struct epoll_event *events, int max, int timeout);
void epoll_free(struct layer *l, struct epoll_file *ep);
/* Something happened to the socket: `what` are EPOLL* bits, 0 for a change of state. */
void epoll_notify(struct layer *l, struct sock *s, uint32_t what);
void epoll_forget(struct layer *l, const struct sock *s);

/* ---- errqueue.c ---- */

void errqueue_init(struct sock *s);
void errqueue_free(struct sock *s);
/* A send of [first, end) was taken; zerocopy and timestamps are promised as flags and options say.
 */
void errqueue_sent(struct layer *l, struct sock *s, uint64_t first, uint64_t end, int flags);
/* Completions that what is sent and acknowledged now allows. */
void errqueue_progress(struct layer *l, struct sock *s, const struct tcp_info *info, bool ended);
ssize_t errqueue_recv(struct layer *l, struct sock *s, struct msghdr *msg);

/* ---- counters.c ---- */

void counters_open(struct layer *l);
void counters_close(struct layer *l);
/* As they are now. */
void counters_write(struct layer *l);

/* ---- pipe.c ---- */

int layer_pipe(void *u, int fds[2]);
int layer_splice(void *u, int fd_in, loff_t *off_in, int fd_out, loff_t *off_out, size_t length,
                 unsigned flags);
ssize_t layer_sendfile(struct layer *l, int out, int in, off_t *offset, size_t count);

static inline void layer_lock(struct layer *l)
{
    pthread_mutex_lock(&l->lock);
}
static inline void layer_unlock(struct layer *l)
{
    pthread_mutex_unlock(&l->lock);
}

#endif

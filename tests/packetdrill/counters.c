/* What nstat and the like read: counters in the form of /proc/net/snmp and /proc/net/netstat, with
 * Linux's names for what the engine counts. They are two files in memory that the environment
 * names, as nstat lets it; so a script's commands see the stack under test and not the kernel's. A
 * history of its own keeps scripts apart that run at the same time. */
#include "layer.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define TABLE_MAX 4096
#define FD_FIRST 200 /* out of the way of the script's */

struct row {
    const char *name;
    uint64_t value;
};

/* "Tcp: A B\nTcp: 1 2\n" */
static size_t put_table(char *text, size_t room, const char *title, const struct row *rows,
                        unsigned n)
{
    size_t at = 0;
    for (unsigned line = 0; line < 2; line++) {
        at += (size_t)snprintf(text + at, room - at, "%s:", title);
        for (unsigned i = 0; i < n; i++) {
            at += line ? (size_t)snprintf(text + at, room - at, " %llu",
                                          (unsigned long long)rows[i].value)
                       : (size_t)snprintf(text + at, room - at, " %s", rows[i].name);
        }
        at += (size_t)snprintf(text + at, room - at, "\n");
    }
    return at;
}

static void rewrite(int fd, const char *text, size_t length)
{
    if (fd >= 0 &&
        (pwrite(fd, text, length, 0) != (ssize_t)length || ftruncate(fd, (off_t)length))) {
        perror("libackd-packetdrill: counters");
    }
}

void counters_write(struct layer *l)
{
    const struct tcp_counters *c = tcp_counters(l->engine);
    const struct row snmp[] = {
        {"ActiveOpens", c->active_opens},
        {"PassiveOpens", c->passive_opens},
        {"AttemptFails", c->attempt_fails},
        {"EstabResets", c->estab_resets},
        {"CurrEstab", c->states[TCP_ESTABLISHED] + c->states[TCP_CLOSE_WAIT]},
        {"InSegs", c->in_segs},
        {"OutSegs", c->out_segs},
        {"RetransSegs", c->retrans_segs},
        {"InErrs", c->in_errs},
        {"OutRsts", c->out_rsts},
        {"InCsumErrors", c->drops[TCP_DROP_BAD_CHECKSUM]},
    };
    const struct row netstat[] = {
        {"SyncookiesSent", c->syn_cookies_sent},
        {"SyncookiesRecv", c->syn_cookies_received},
        {"SyncookiesFailed", c->drops[TCP_DROP_SYN_COOKIE_INVALID]},
        {"OutOfWindowIcmps", c->drops[TCP_DROP_ICMP_BAD_SEQUENCE]},
        {"PAWSEstab", c->drops[TCP_DROP_PAWS]},
        {"DelayedACKs", c->delayed_acks},
        {"ListenOverflows", c->drops[TCP_DROP_ACCEPT_QUEUE_FULL]},
        {"ListenDrops", c->drops[TCP_DROP_ACCEPT_QUEUE_FULL] + c->drops[TCP_DROP_SYN_QUEUE_FULL]},
        {"TCPTimeouts", c->rto_timeouts},
        {"TCPLossProbes", c->loss_probes},
        {"TCPLossProbeRecovery", c->loss_probe_recoveries},
        {"TCPSackRecovery", c->fast_recoveries},
        {"TCPSACKReneging", c->sack_reneges},
        {"TCPFastRetrans", c->fast_retransmits},
        {"TCPLostRetransmit", c->lost_retransmissions},
        {"TCPSpuriousRTOs", c->undos_frto},
        {"TCPTSReorder", c->undos_eifel},
        {"TCPDSACKUndo", c->undos_dsack},
        {"TCPDSACKRecv", c->dsack_received},
        {"TCPDSACKOldSent", c->dsack_sent},
        {"TCPSACKDiscard", c->sack_rejected},
        {"TCPOFOQueue", c->ooo_segments},
        {"TCPChallengeACK", c->challenge_acks},
        {"TCPACKSkippedChallenge", c->challenge_acks_limited},
        {"TCPSYNChallenge", c->drops[TCP_DROP_SYN_CHALLENGED]},
        {"BeyondWindow", c->drops[TCP_DROP_OUT_OF_WINDOW]},
        {"TCPRcvQDrop", c->drops[TCP_DROP_NO_MEMORY]},
        {"TCPZeroWindowDrop", c->drops[TCP_DROP_RECEIVE_BUFFER_FULL]},
        {"TCPToZeroWindowAdv", c->zero_windows_sent},
        {"TCPKeepAlive", c->keepalive_probes},
        {"TCPWinProbe", c->zero_window_probes},
        {"TCPMTUPFail", c->mtu_probes_lost},
        {"TCPMTUPSuccess", c->mtu_probes_acked},
        {"TCPFastOpenActive", c->fast_open_active},
        {"TCPFastOpenActiveFail", c->fast_open_refused},
        {"TCPFastOpenPassive", c->fast_open_passive},
        {"TCPFastOpenPassiveFail", c->fast_open_bad_cookies},
        {"TCPFastOpenListenOverflow", c->fast_open_queue_full},
        {"TCPFastOpenCookieReqd", c->fast_open_cookies_granted},
        {"TCPFastOpenBlackhole", c->fast_open_black_holes},
    };
    char text[TABLE_MAX];
    rewrite(l->snmp_fd, text,
            put_table(text, sizeof text, "Tcp", snmp, sizeof snmp / sizeof snmp[0]));
    rewrite(l->netstat_fd, text,
            put_table(text, sizeof text, "TcpExt", netstat, sizeof netstat / sizeof netstat[0]));
}

/* A file without a name, which children find by our process. */
static int open_table(const char *variable)
{
    char path[64];
    int made = memfd_create(variable, MFD_CLOEXEC);
    int fd = made < 0 ? -1 : fcntl(made, F_DUPFD_CLOEXEC, FD_FIRST);
    if (made >= 0) {
        close(made);
    }
    if (fd >= 0) {
        snprintf(path, sizeof path, "/proc/%ld/fd/%d", (long)getpid(), fd);
        setenv(variable, path, 1);
    }
    return fd;
}

static void history_name(char *path, size_t room)
{
    snprintf(path, room, "/tmp/.ackd-nstat.%ld", (long)getpid());
}

void counters_open(struct layer *l)
{
    char history[64];
    history_name(history, sizeof history);
    setenv("NSTAT_HISTORY", history, 1);
    l->snmp_fd = open_table("PROC_NET_SNMP");
    l->netstat_fd = open_table("PROC_NET_NETSTAT");
    counters_write(l);
}

void counters_close(struct layer *l)
{
    char history[64];
    history_name(history, sizeof history);
    unlink(history);
    close(l->snmp_fd);
    close(l->netstat_fd);
}

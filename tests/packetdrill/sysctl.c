/* The stack is configured as Linux's is: by the files of /proc/sys/net of the namespace that the
 * script's own commands write. They are read again whenever a socket is made, listens or connects.
 */
#include "layer.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool read_file(const char *name, char *text, size_t room)
{
    char path[128];
    snprintf(path, sizeof path, "/proc/sys/net/%s", name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    ssize_t n = read(fd, text, room - 1);
    close(fd);
    if (n <= 0) {
        return false;
    }
    text[n] = 0;
    text[strcspn(text, "\n")] = 0;
    return true;
}

static void read_numbers(const char *name, long *out, unsigned n)
{
    char text[128], *at = text;
    if (!read_file(name, text, sizeof text)) {
        return;
    }
    for (unsigned i = 0; i < n && *at; i++) {
        char *end;
        long v = strtol(at, &end, 0);
        if (end == at) {
            return;
        }
        out[i] = v;
        at = end;
    }
}

static void defaults(struct sysctls *s)
{
    *s = (struct sysctls){
        .rmem = {4096, 131072, 6291456},
        .wmem = {4096, 16384, 4194304},
        .timestamps = 1,
        .sack = 1,
        .dsack = 1,
        .window_scaling = 1,
        .ecn = 2,
        .ecn_option = 2,
        .fastopen = 1,
        .syncookies = 1,
        .syn_retries = 6,
        .synack_retries = 5,
        .syn_linear_timeouts = 4,
        .retries1 = 3,
        .retries2 = 15,
        .fin_timeout = 60,
        .keepalive_time = 7200,
        .keepalive_intvl = 75,
        .keepalive_probes = 9,
        .reordering = 3,
        .recovery = 1,
        .early_retrans = 3,
        .frto = 2,
        .slow_start_after_idle = 1,
        .min_tso_segs = 2,
        .tso_win_divisor = 3,
        .notsent_lowat = 4294967295,
        .base_mss = 1024,
        .default_ttl = 64,
        .v6_hop_limit = 64,
        .rto_min_us = 200000,
        .rto_max_ms = 120000,
        .min_snd_mss = 48,
        .max_syn_backlog = 512,
        .rmem_max = 212992,
        .wmem_max = 212992,
        .congestion_control = "cubic",
    };
}

/* What the module was before any command of the script ran: an administrator's choice for the
 * machine, which scripts do not count on. Linux's default stands in for it. */
static char first_congestion_control[32];

__attribute__((constructor)) static void note_congestion_control(void)
{
    read_file("ipv4/tcp_congestion_control", first_congestion_control,
              sizeof first_congestion_control);
}

void sysctls_read(struct sysctls *s)
{
    defaults(s);
    const struct {
        const char *name;
        long *to;
        unsigned n;
    } table[] = {
        {"ipv4/tcp_rmem", s->rmem, 3},
        {"ipv4/tcp_wmem", s->wmem, 3},
        {"ipv4/tcp_timestamps", &s->timestamps, 1},
        {"ipv4/tcp_sack", &s->sack, 1},
        {"ipv4/tcp_dsack", &s->dsack, 1},
        {"ipv4/tcp_window_scaling", &s->window_scaling, 1},
        {"ipv4/tcp_ecn", &s->ecn, 1},
        {"ipv4/tcp_ecn_option", &s->ecn_option, 1},
        {"ipv4/tcp_fastopen", &s->fastopen, 1},
        {"ipv4/tcp_syncookies", &s->syncookies, 1},
        {"ipv4/tcp_syn_retries", &s->syn_retries, 1},
        {"ipv4/tcp_synack_retries", &s->synack_retries, 1},
        {"ipv4/tcp_syn_linear_timeouts", &s->syn_linear_timeouts, 1},
        {"ipv4/tcp_retries1", &s->retries1, 1},
        {"ipv4/tcp_retries2", &s->retries2, 1},
        {"ipv4/tcp_fin_timeout", &s->fin_timeout, 1},
        {"ipv4/tcp_keepalive_time", &s->keepalive_time, 1},
        {"ipv4/tcp_keepalive_intvl", &s->keepalive_intvl, 1},
        {"ipv4/tcp_keepalive_probes", &s->keepalive_probes, 1},
        {"ipv4/tcp_reordering", &s->reordering, 1},
        {"ipv4/tcp_recovery", &s->recovery, 1},
        {"ipv4/tcp_early_retrans", &s->early_retrans, 1},
        {"ipv4/tcp_frto", &s->frto, 1},
        {"ipv4/tcp_slow_start_after_idle", &s->slow_start_after_idle, 1},
        {"ipv4/tcp_tso_win_divisor", &s->tso_win_divisor, 1},
        {"ipv4/tcp_min_tso_segs", &s->min_tso_segs, 1},
        {"ipv4/tcp_notsent_lowat", &s->notsent_lowat, 1},
        {"ipv4/tcp_mtu_probing", &s->mtu_probing, 1},
        {"ipv4/tcp_base_mss", &s->base_mss, 1},
        {"ipv4/tcp_rfc1337", &s->rfc1337, 1},
        {"ipv4/ip_default_ttl", &s->default_ttl, 1},
        {"ipv6/conf/all/hop_limit", &s->v6_hop_limit, 1},
        {"ipv4/tcp_rto_min_us", &s->rto_min_us, 1},
        {"ipv4/tcp_rto_max_ms", &s->rto_max_ms, 1},
        {"ipv4/ackd_metrics_flushes", &s->metrics_flushes, 1},
        {"ipv4/tcp_min_snd_mss", &s->min_snd_mss, 1},
        {"ipv4/tcp_max_syn_backlog", &s->max_syn_backlog, 1},
        {"ipv4/tcp_challenge_ack_limit", &s->challenge_ack_limit, 1},
        {"core/rmem_max", &s->rmem_max, 1},
        {"core/wmem_max", &s->wmem_max, 1},
    };
    for (unsigned i = 0; i < sizeof table / sizeof table[0]; i++) {
        read_numbers(table[i].name, table[i].to, table[i].n);
    }
    char text[32];
    if (read_file("ipv4/tcp_congestion_control", text, sizeof text) &&
        strcmp(text, first_congestion_control) != 0) {
        memcpy(s->congestion_control, text, sizeof text);
    }
    if (!read_file("ipv4/tcp_fastopen_key", s->fastopen_key, sizeof s->fastopen_key)) {
        s->fastopen_key[0] = 0;
    }
}

/* Tables of how it performs, kept as text that is reviewed when it changes:
 *
 *     golden throughput|fairness|latency|recovery [--check FILE | --update FILE]
 *
 * Bulk flows from one host to the other through a bottleneck of 10 Mbit/s, in virtual time, so that
 * the same code gives the same digits everywhere. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "world.h"

#define PORT 2000
#define FLOWS_MAX 8
#define RATE_BPS 10000000u
#define SAMPLE_NS (50 * NS_PER_MS)

struct flow {
    uint64_t id, sink, received; /* at host 0, at host 1; octets since the warm-up */
    enum tcp_congestion congestion;
};

struct run {
    struct world w;
    struct flow flow[FLOWS_MAX];
    unsigned n;
    uint64_t listener;
    unsigned lose; /* segments with data that are still to get lost, every other one */
    unsigned passed;
    bool no_sack;
    int64_t srtt_ns; /* the mean of the first flow's since the warm-up */
};

struct setting {
    unsigned rtt_ms, loss_ppm, queue_percent; /* of the bandwidth-delay product */
    unsigned seconds, warm_up;
};

static void ready(struct world *w, struct host *h, const struct tcp_ready *event)
{
    struct run *r = w->users;
    uint64_t id;
    while (h == &w->host[1] && event->what & TCP_READY_ACCEPT &&
           tcp_accept(h->engine, r->listener, 1, 0, &id) == 0) {
        struct tcp_info theirs = host_info(h, id);
        for (unsigned i = 0; i < r->n; i++) {
            struct tcp_info ours = host_info(&w->host[0], r->flow[i].id);
            if (ours.tuple.local_port == theirs.tuple.remote_port) {
                r->flow[i].sink = id;
            }
        }
    }
}

static bool act(struct world *w)
{
    static const uint8_t octets[65536];
    struct run *r = w->users;
    bool did = false;
    for (unsigned i = 0; i < r->n; i++) {
        struct flow *f = &r->flow[i];
        struct tcp_received got;
        while (tcp_send_room(w->host[0].engine, f->id) >= (int64_t)sizeof(octets) &&
               tcp_send(w->host[0].engine, w->now, f->id, octets, sizeof(octets), 0) > 0) {
            did = true;
        }
        struct tcp_info info = host_info(&w->host[1], f->sink);
        if (f->sink != 0 && info.recv_q_bytes > 0 &&
            tcp_peek(w->host[1].engine, f->sink, info.bytes_read, SIZE_MAX, &got) == 0) {
            tcp_consume(w->host[1].engine, w->now, f->sink, got.offset + got.available);
            f->received += got.available;
            did = true;
        }
    }
    return did;
}

static void begin(struct run *r, const struct setting *s)
{
    struct world_config config;
    uint32_t bdp = RATE_BPS / 8 / 1000 * s->rtt_ms;
    world_config_default(&config, 11);
    for (unsigned i = 0; i < 2; i++) {
        config.profile[i].delay_ns = s->rtt_ms * NS_PER_MS / 2;
        config.engine[i].defaults.share_metrics = false;
    }
    config.profile[0].keeps_order = true;
    config.profile[0].rate_bps = RATE_BPS;
    config.profile[0].queue_bytes = bdp * s->queue_percent / 100 + 3000;
    config.profile[0].loss_ppm = s->loss_ppm;
    world_init(&r->w, &config);
    r->w.check_every = 1000;
    r->w.users = r;
    r->w.ready = ready;
    r->w.act = act;
    struct tcp_listen_args listen = {
        .tuple = {.local = r->w.host[1].addr, .local_port = PORT}, .backlog = 64, .owner = 1};
    tcp_listen(r->w.host[1].engine, r->w.now, &listen, &r->listener);
    for (unsigned i = 0; i < r->n; i++) {
        struct tcp_options options = config.engine[0].defaults;
        options.congestion = r->flow[i].congestion;
        options.sack = !r->no_sack;
        struct tcp_open_args open = {
            .tuple = {.local = r->w.host[0].addr, .remote = r->w.host[1].addr, .remote_port = PORT},
            .mtu = 1500,
            .options = &options,
            .owner = 1};
        if (tcp_open(r->w.host[0].engine, r->w.now, &open, &r->flow[i].id) != 0) {
            abort();
        }
        world_pass(&r->w, 100 * NS_PER_MS);
    }
}

/* Goodput of flow i afterwards: goodput(). */
static void run(struct run *r, const struct setting *s)
{
    begin(r, s);
    world_pass(&r->w, s->warm_up * NS_PER_S);
    for (unsigned i = 0; i < r->n; i++) {
        r->flow[i].received = 0;
    }
    int64_t samples = s->seconds * NS_PER_S / SAMPLE_NS;
    for (int64_t i = 0; i < samples; i++) {
        world_pass(&r->w, SAMPLE_NS);
        r->srtt_ns += host_info(&r->w.host[0], r->flow[0].id).srtt_ns / samples;
    }
    if (r->w.failure[0] != 0) {
        fprintf(stderr, "%s\n", r->w.failure);
        exit(1);
    }
    world_free(&r->w);
}

/* Percent of the rate. */
static unsigned goodput(const struct run *r, unsigned i, const struct setting *s)
{
    return (unsigned)(r->flow[i].received * 8 * 100 / s->seconds / RATE_BPS);
}

static struct run *run_new(unsigned n)
{
    struct run *r = calloc(1, sizeof(*r));
    if (r == NULL) {
        abort();
    }
    r->n = n;
    return r;
}

static void modules_header(FILE *out, const char *title)
{
    fputs(title, out);
    for (unsigned m = 0; m < TCP_CONGESTIONS; m++) {
        fprintf(out, " %8s", tcp_congestion_name((enum tcp_congestion)m));
    }
    fputc('\n', out);
}

static void throughput(FILE *out)
{
    static const unsigned rtts[] = {10, 100}, losses[] = {0, 1000, 10000}, queues[] = {25, 100};
    fputs("Goodput of one flow in percent of 10 Mbit/s, seconds 2 to 12\n\n", out);
    modules_header(out, "RTT ms  loss %  queue % of BDP");
    for (unsigned i = 0; i < 2 * 3 * 2; i++) {
        struct setting s = {rtts[i / 6], losses[i / 2 % 3], queues[i % 2], 10, 2};
        fprintf(out, "%6u  %4u.%u  %14u", s.rtt_ms, s.loss_ppm / 10000, s.loss_ppm / 1000 % 10,
                s.queue_percent);
        for (unsigned m = 0; m < TCP_CONGESTIONS; m++) {
            struct run *r = run_new(1);
            r->flow[0].congestion = (enum tcp_congestion)m;
            run(r, &s);
            fprintf(out, " %8u", goodput(r, 0, &s));
            free(r);
        }
        fputc('\n', out);
    }
}

static void fairness(FILE *out)
{
    const struct setting s = {40, 0, 100, 20, 10};
    fputs("Two flows of the module on the left beside two of the one above: percent of the rate\n"
          "that the two on the left got, RTT 40 ms, queue of one BDP, seconds 10 to 30\n\n",
          out);
    modules_header(out, "        ");
    for (unsigned a = 0; a < TCP_CONGESTIONS; a++) {
        fprintf(out, "%-8s", tcp_congestion_name((enum tcp_congestion)a));
        for (unsigned b = 0; b < TCP_CONGESTIONS; b++) {
            struct run *r = run_new(4);
            for (unsigned i = 0; i < 4; i++) {
                r->flow[i].congestion = (enum tcp_congestion)(i % 2 == 0 ? a : b);
            }
            run(r, &s);
            fprintf(out, " %8u", goodput(r, 0, &s) + goodput(r, 2, &s));
            free(r);
        }
        fputc('\n', out);
    }
}

static void latency(FILE *out)
{
    static const unsigned queues[] = {50, 100, 400};
    fputs(
        "Mean smoothed round-trip time under load in ms, one flow, RTT 40 ms, seconds 2 to 12\n\n",
        out);
    modules_header(out, "queue % of BDP");
    for (unsigned i = 0; i < 3; i++) {
        const struct setting s = {40, 0, queues[i], 10, 2};
        fprintf(out, "%14u", queues[i]);
        for (unsigned m = 0; m < TCP_CONGESTIONS; m++) {
            struct run *r = run_new(1);
            r->flow[0].congestion = (enum tcp_congestion)m;
            run(r, &s);
            fprintf(out, " %8u", (unsigned)(r->srtt_ns / NS_PER_MS));
            free(r);
        }
        fputc('\n', out);
    }
}

static bool lose_every_other(void *ctx, const struct link *link, ackd_time now,
                             const struct wire_segment *s)
{
    struct run *r = ((struct world *)ctx)->users;
    (void)link;
    (void)now;
    if (s->length < 1000 || r->lose == 0 || ++r->passed % 2 == 0) {
        return true;
    }
    r->lose--;
    return false;
}

/* From the first loss until all that was sent by the last of them is acknowledged, in ms. */
static unsigned recovery_ms(enum tcp_congestion congestion, bool sack, unsigned losses)
{
    const struct setting s = {40, 0, 100, 0, 3};
    struct run *r = run_new(1);
    r->flow[0].congestion = congestion;
    r->no_sack = !sack;
    begin(r, &s);
    world_pass(&r->w, s.warm_up * NS_PER_S);
    r->lose = losses;
    r->w.link[0].filter = lose_every_other;
    ackd_time since = r->w.now;
    while (r->lose > 0) {
        world_pass(&r->w, NS_PER_MS);
    }
    uint32_t end = host_info(&r->w.host[0], r->flow[0].id).snd_nxt;
    while ((int32_t)(host_info(&r->w.host[0], r->flow[0].id).snd_una - end) < 0) {
        world_pass(&r->w, NS_PER_MS);
    }
    unsigned ms = (unsigned)(time_diff(r->w.now, since) / NS_PER_MS);
    world_free(&r->w);
    free(r);
    return ms;
}

static void recovery(FILE *out)
{
    static const unsigned losses[] = {1, 2, 4, 8, 16};
    fputs("Time in ms from the first of k losses, every other segment, until all of it is\n"
          "acknowledged; one flow, RTT 40 ms, queue of one BDP\n\n",
          out);
    modules_header(out, "SACK   k");
    for (unsigned i = 0; i < 10; i++) {
        fprintf(out, "%4s %3u", i < 5 ? "yes" : "no", losses[i % 5]);
        for (unsigned m = 0; m < TCP_CONGESTIONS; m++) {
            fprintf(out, " %8u", recovery_ms((enum tcp_congestion)m, i < 5, losses[i % 5]));
        }
        fputc('\n', out);
    }
}

static const struct {
    const char *name;
    void (*print)(FILE *out);
} tables[] = {{"throughput", throughput},
              {"fairness", fairness},
              {"latency", latency},
              {"recovery", recovery}};

static int check(const char *path, const char *text)
{
    static char want[65536];
    FILE *f = fopen(path, "r");
    size_t n = f != NULL ? fread(want, 1, sizeof(want) - 1, f) : 0;
    want[n] = 0;
    if (f != NULL) {
        fclose(f);
    }
    if (strcmp(want, text) != 0) {
        printf("%s differs; now it is\n\n%s\nif that is right: --update\n", path, text);
        return 1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    static char text[65536];
    for (unsigned i = 0; argc >= 2 && i < sizeof(tables) / sizeof(tables[0]); i++) {
        if (strcmp(argv[1], tables[i].name) != 0) {
            continue;
        }
        FILE *out = fmemopen(text, sizeof(text), "w");
        if (out == NULL) {
            return 1;
        }
        tables[i].print(out);
        fclose(out);
        if (argc == 4 && strcmp(argv[2], "--check") == 0) {
            return check(argv[3], text);
        }
        FILE *to = argc == 4 && strcmp(argv[2], "--update") == 0 ? fopen(argv[3], "w") : stdout;
        return to == NULL || fputs(text, to) < 0 || fclose(to) != 0;
    }
    fputs("usage: golden throughput|fairness|latency|recovery [--check FILE | --update FILE]\n",
          stderr);
    return 2;
}

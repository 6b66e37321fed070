/* Runs scripts of segments and calls from text files: the engine in virtual time, the script is the
 * peer, the user and the clock. README.md has the notation. Each script, which begins with
 * "== NAME", is a test of that name; the arguments are files, and with ACKD_TEST=NAME in the
 * environment only that one runs. The last test counts the cells of RFC 9293 section 3.10: every
 * event in every state has a script whose name begins with "event-state". */
#include "../unit/tcp/cmocka_all.h"
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include "../unit/tcp/script.h"

#define SCRIPTS_MAX 1024
#define WORDS_MAX 8
#define TIMER_LATE_MS 2 /* the wheel's tick: a step of time that ends on a timer finds it fired */

struct text_script {
    char *name, *body;
    const char *file;
    int line; /* of the body's first */
};

static struct text_script scripts[SCRIPTS_MAX];
static unsigned n_scripts;

/* A script while it runs. */
struct run {
    struct script s;
    struct tcp_config config;
    const char *file;
    int line;
    bool begun;
};

#define FAIL(r, ...)                                                                               \
    do {                                                                                           \
        print_error("%s:%d: ", (r)->file, (r)->line);                                              \
        fail_msg(__VA_ARGS__);                                                                     \
    } while (0)

/* ---- words ---- */

static const struct {
    const char *name;
    int value;
} errnos[] = {
#define E(name)                                                                                    \
    {                                                                                              \
#name, name                                                                                \
    }
    E(EPIPE),        E(EBADF),      E(EAGAIN),       E(EINVAL),
    E(ENOBUFS),      E(EADDRINUSE), E(ENOTCONN),     E(EADDRNOTAVAIL),
    E(ECONNREFUSED), E(ECONNRESET), E(ECONNABORTED), E(ETIMEDOUT),
    E(EHOSTUNREACH), E(ENETDOWN),   E(EISCONN),      E(ENETUNREACH),
#undef E
};

static int64_t number(const struct run *r, const char *word)
{
    char *end;
    int64_t value = strtoll(word, &end, 0);
    for (size_t i = 0; i < sizeof errnos / sizeof errnos[0]; i++) {
        if (strcmp(word, errnos[i].name) == 0) {
            return -errnos[i].value;
        }
    }
    if (end == word || *end) {
        FAIL(r, "'%s' is no number", word);
    }
    return value;
}

/* "200ms", "3s", "5min", "2h". */
static int64_t duration_ms(const struct run *r, const char *word)
{
    static const struct {
        const char *unit;
        int64_t ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"min", 60000}, {"h", 3600000}};
    char *end;
    int64_t value = strtoll(word, &end, 10);
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (end != word && strcmp(end, units[i].unit) == 0) {
            return value * units[i].ms;
        }
    }
    FAIL(r, "'%s' is no duration", word);
    return 0;
}

static unsigned split(char *line, char **word)
{
    unsigned n = 0;
    for (char *w = strtok(line, " "); w && n < WORDS_MAX; w = strtok(NULL, " ")) {
        word[n++] = w;
    }
    return n;
}

static unsigned reason(const struct run *r, const struct tcp_reason_text *text, unsigned count,
                       const char *name)
{
    for (unsigned i = 0; i < count; i++) {
        if (strcmp(text[i].name, name) == 0) {
            return i;
        }
    }
    FAIL(r, "no reason %s", name);
    return 0;
}

static unsigned state_of(const struct run *r, const char *name)
{
    for (unsigned i = 0; i < TCP_STATES; i++) {
        if (strcmp(tcp_state_name((enum tcp_state)i), name) == 0) {
            return i;
        }
    }
    FAIL(r, "no state %s", name);
    return 0;
}

static struct ip_addr address(const struct run *r, const char *word)
{
    struct ip_addr a;
    if (!ip_addr_parse(word, &a)) {
        FAIL(r, "'%s' is no address", word);
    }
    return a;
}

/* ---- options ---- */

static bool option_set(const struct run *r, struct tcp_options *o, const char *name,
                       const char *value)
{
#define PLAIN(field)                                                                               \
    if (strcmp(name, #field) == 0) {                                                               \
        o->field = (__typeof__(o->field))number(r, value);                                         \
        return true;                                                                               \
    }
#define TIME(field)                                                                                \
    if (strcmp(name, #field) == 0) {                                                               \
        o->field##_ns = duration_ms(r, value) * NS_PER_MS;                                         \
        return true;                                                                               \
    }
    PLAIN(rcv_buffer)
    PLAIN(snd_buffer)
    PLAIN(rcv_buffer_max)
    PLAIN(snd_buffer_max)
    PLAIN(mss_clamp)
    PLAIN(nodelay)
    PLAIN(sack)
    PLAIN(timestamps)
    PLAIN(window_scaling)
    PLAIN(keepalive)
    TIME(keepalive_idle)
    TIME(keepalive_interval)
    PLAIN(keepalive_count)
    TIME(user_timeout)
    TIME(rto_initial)
    TIME(rto_min)
    TIME(rto_max)
    TIME(delayed_ack)
    TIME(msl)
    TIME(fin_wait_2)
    TIME(syn_timeout)
    PLAIN(r1_timeouts)
    TIME(orphan_timeout)
    PLAIN(rfc1337)
    PLAIN(ttl)
    PLAIN(dscp)
    PLAIN(icmp_policy)
    PLAIN(urgent_mode)
    PLAIN(ecn)
#undef PLAIN
#undef TIME
    return false;
}

static void do_option(struct run *r, char **word, unsigned n)
{
    struct tcp_options o = r->config.defaults;
    if (r->begun && r->s.id) {
        assert_int_equal(tcp_get_options(r->s.engine, r->s.id, &o), 0);
    }
    if (n != 3 || !option_set(r, &o, word[1], word[2])) {
        FAIL(r, "option NAME VALUE");
    }
    if (!r->begun) {
        r->config.defaults = o;
    } else {
        assert_int_equal(tcp_set_options(r->s.engine, r->s.now, r->s.id, &o), 0);
    }
}

/* ---- into a state ---- */

static const struct tcp_config *wanted; /* by adjust(), which script_begin() calls back */

static void adjust(struct tcp_config *c)
{
    c->defaults = wanted->defaults;
    c->max_time_wait = wanted->max_time_wait;
}

static void begin(struct run *r)
{
    if (!r->begun) {
        uint32_t mtu = r->s.mtu;
        wanted = &r->config;
        script_begin(&r->s, adjust);
        r->s.mtu = mtu ? mtu : r->s.mtu;
        r->begun = true;
    }
}

static void half_open(struct run *r, const char *options, bool active)
{
    struct script *s = &r->s;
    char syn[200];
    s->timestamps = strstr(options, "TS ") != NULL;
    snprintf(syn, sizeof syn, "S 0:0(0) win 65535 <%s>", options);
    if (active) {
        script_open(s);
        script_expect(s, "S 0:0(0)");
    } else {
        script_listen(s, 16);
    }
    script_inject(s, syn);
    script_expect(s, "S. 0:0(0) ack 1");
}

/* From ESTABLISHED on. */
static void close_to(struct run *r, enum tcp_state state)
{
    struct script *s = &r->s;
    if (state == TCP_CLOSE_WAIT || state == TCP_LAST_ACK) {
        script_inject(s, "F. 1:1(0) ack 1");
        script_expect(s, ". 1:1(0) ack 2");
        if (state == TCP_LAST_ACK) {
            assert_int_equal(tcp_close(s->engine, s->now, s->id), 0);
            script_expect(s, "F. 1:1(0) ack 2");
        }
        return;
    }
    assert_int_equal(tcp_close(s->engine, s->now, s->id), 0);
    script_expect(s, "F. 1:1(0) ack 1");
    if (state == TCP_FIN_WAIT_2) {
        script_inject(s, ". 1:1(0) ack 2");
    } else if (state == TCP_CLOSING) {
        script_inject(s, "F. 1:1(0) ack 1");
        script_expect(s, ". 2:2(0) ack 2");
    } else if (state == TCP_TIME_WAIT) {
        script_inject(s, "F. 1:1(0) ack 2");
        script_expect(s, ". 2:2(0) ack 2");
    }
}

/* in STATE [active] [released] [<options of the peer's SYN>] */
static void do_in(struct run *r, char *line)
{
    char options[100] = "mss 1000,sackOK", *at = strchr(line, '<'), *word[WORDS_MAX];
    if (at) {
        snprintf(options, sizeof options, "%.*s", (int)strcspn(at + 1, ">"), at + 1);
        *at = 0;
    }
    unsigned n = split(line, word);
    bool active = false, released = false;
    for (unsigned i = 2; i < n; i++) {
        active = active || strcmp(word[i], "active") == 0;
        released = released || strcmp(word[i], "released") == 0;
    }
    enum tcp_state state = (enum tcp_state)state_of(r, n > 1 ? word[1] : "");
    struct script *s = &r->s;
    begin(r);
    switch (state) {
    case TCP_CLOSED:
        return;
    case TCP_LISTEN:
        script_listen(s, 16);
        s->id = s->listener;
        return;
    case TCP_SYN_SENT:
        script_open(s);
        script_expect(s, "S 0:0(0)");
        break;
    case TCP_SYN_RECEIVED:
        half_open(r, options, active);
        break;
    default:
        (active ? script_active : script_passive)(s, options);
        if (state != TCP_ESTABLISHED) {
            close_to(r, state);
        }
    }
    if (released) {
        assert_int_equal(tcp_release(s->engine, s->now, s->id), 0);
        script_quiet(s);
    }
    if (script_state(s) != state) {
        FAIL(r, "%s instead of %s", tcp_state_name(script_state(s)), tcp_state_name(state));
    }
    script_ready(s);
}

/* ---- the user ---- */

static int64_t do_open(struct script *s, char **word, unsigned n)
{
    struct tcp_open_args a = {.tuple = s->tuple, .mtu = s->mtu, .owner = 2, .cookie = 8};
    uint64_t id = 0;
    bool same = n > 1 && strcmp(word[1], "here") == 0; /* the very tuple of the script */
    if (!same) {
        a.tuple.local_port = 4000;
        a.tuple.remote_port = 80;
    }
    int64_t result = tcp_open(s->engine, s->now, &a, &id);
    if (!result) {
        s->id = id;
        s->tuple = a.tuple;
    }
    return result;
}

static int64_t do_listen(const struct run *r, struct script *s, char **word, unsigned n)
{
    struct tcp_listen_args a = {
        .backlog = 16, .tuple.local_port = s->tuple.local_port, .owner = 1, .cookie = 7};
    uint64_t id = 0;
    for (unsigned i = 1; i + 1 < n; i += 2) {
        if (strcmp(word[i], "on") == 0) {
            a.tuple.local = address(r, word[i + 1]);
        } else if (strcmp(word[i], "from") == 0) {
            a.tuple.remote = address(r, word[i + 1]);
        } else if (strcmp(word[i], "from-port") == 0) {
            a.tuple.remote_port = (uint16_t)number(r, word[i + 1]);
        } else if (strcmp(word[i], "backlog") == 0) {
            a.backlog = (uint32_t)number(r, word[i + 1]);
        }
    }
    int64_t result = tcp_listen(s->engine, s->now, &a, &id);
    if (!result) {
        s->listener = id;
    }
    return result;
}

static int64_t do_send(const struct run *r, struct script *s, char **word, unsigned n)
{
    static uint8_t data[1 << 20];
    unsigned flags = 0;
    for (unsigned i = 2; i < n; i++) {
        flags |= strcmp(word[i], "push") == 0 ? TCP_SEND_PUSH : 0;
        flags |= strcmp(word[i], "urgent") == 0 ? TCP_SEND_URGENT : 0;
    }
    size_t length = n > 1 ? (size_t)number(r, word[1]) : 0;
    assert_true(length <= sizeof data);
    return tcp_send(s->engine, s->now, s->id, data, length, flags);
}

/* RECEIVE of everything: how much it was; "eof" when that is all there will ever be. */
static int64_t do_read(struct script *s, bool *eof)
{
    struct tcp_received in;
    struct tcp_info i = script_info(s);
    int64_t result = tcp_peek(s->engine, s->id, i.bytes_read, SIZE_MAX, &in);
    *eof = !result && in.end_of_stream && !in.available;
    return result || !in.n_ranges ? result : script_read(s);
}

static int64_t do_accept(struct script *s)
{
    uint64_t id = 0;
    int64_t result = tcp_accept(s->engine, s->listener, 2, 8, &id);
    s->id = result ? s->id : id;
    return result;
}

/* A call and, behind '=', what it returns: by default success, and for send all of it. */
static bool do_call(struct run *r, char **word, unsigned n)
{
    struct script *s = &r->s;
    const char *verb = word[0], *want = NULL;
    if (n > 2 && strcmp(word[n - 2], "=") == 0) {
        want = word[n - 1];
        n -= 2;
    }
    int64_t result, good = 0;
    bool eof = false;
    begin(r);
    if (strcmp(verb, "open") == 0) {
        result = do_open(s, word, n);
    } else if (strcmp(verb, "listen") == 0) {
        result = do_listen(r, s, word, n);
    } else if (strcmp(verb, "accept") == 0) {
        result = do_accept(s);
    } else if (strcmp(verb, "send") == 0) {
        result = do_send(r, s, word, n);
        good = n > 1 ? number(r, word[1]) : 0;
    } else if (strcmp(verb, "read") == 0) {
        result = do_read(s, &eof);
        good = result < 0 ? 0 : result;
    } else if (strcmp(verb, "close") == 0) {
        result = tcp_close(s->engine, s->now, s->id);
    } else if (strcmp(verb, "abort") == 0) {
        result = tcp_abort(s->engine, s->now, s->id, TCP_CLOSE_ABORTED);
    } else if (strcmp(verb, "release") == 0) {
        result = tcp_release(s->engine, s->now, s->id);
    } else if (strcmp(verb, "flush") == 0) {
        result = tcp_flush_send(s->engine, s->now, s->id);
        good = result < 0 ? 0 : result;
    } else if (strcmp(verb, "consume") == 0) {
        uint64_t at = script_info(s).bytes_read;
        result = tcp_consume(s->engine, s->now, s->id, at + (uint64_t)number(r, word[1]));
    } else if (strcmp(verb, "status") == 0) {
        struct tcp_info info;
        result = tcp_status(s->engine, s->now, s->id, true, &info);
    } else {
        return false;
    }
    if (want && strcmp(want, "eof") == 0) {
        if (!eof) {
            FAIL(r, "no end of the stream (%lld)", (long long)result);
        }
        return true;
    }
    good = want ? number(r, want) : good;
    if (result != good) {
        FAIL(r, "%s returned %lld, not %lld", verb, (long long)result, (long long)good);
    }
    return true;
}

/* ---- what can be asked ---- */

static int64_t info_field(const struct run *r, const struct tcp_info *info, const char *name)
{
#define X(type, field, unit, doc)                                                                  \
    if (strcmp(name, #field) == 0) {                                                               \
        return (int64_t)info->field;                                                               \
    }
    TCP_INFO_FIELDS(X)
#undef X
    FAIL(r, "no field %s", name);
    return 0;
}

static uint64_t counter(const struct run *r, const struct tcp_counters *c, const char *name)
{
#define X(field, unit, doc)                                                                        \
    if (strcmp(name, #field) == 0) {                                                               \
        return c->field;                                                                           \
    }
    TCP_COUNTERS(X)
#undef X
    FAIL(r, "no counter %s", name);
    return 0;
}

/* NAME VALUE, NAME < VALUE or NAME > VALUE. */
static void compare(const struct run *r, int64_t got, char **word, unsigned n)
{
    bool related = n == 4;
    int64_t want = number(r, word[related ? 3 : 2]);
    char relation = related ? word[2][0] : '=';
    if (!(relation == '<' ? got < want : relation == '>' ? got > want : got == want)) {
        FAIL(r, "%s is %lld", word[1], (long long)got);
    }
}

static unsigned ready_bits(const struct run *r, const char *name)
{
    static const char *const names[] = {"CONNECTED", "READ",   "WRITE",  "ACCEPT",
                                        "ACKED",     "CLOSED", "URGENT", "SOFT_ERROR"};
    for (unsigned i = 0; i < 8; i++) {
        if (strcmp(names[i], name) == 0) {
            return 1u << i;
        }
    }
    FAIL(r, "nothing is ready for %s", name);
    return 0;
}

static bool do_question(struct run *r, char **word, unsigned n)
{
    struct script *s = &r->s;
    const struct tcp_counters *c = script_counters(s);
    const char *verb = word[0];
    if (strcmp(verb, "state") == 0 && n == 2) {
        enum tcp_state now = script_state(s);
        if (now != (enum tcp_state)state_of(r, word[1])) {
            FAIL(r, "the state is %s", tcp_state_name(now));
        }
    } else if (strcmp(verb, "closed") == 0 && n == 2) {
        if (!c->closes[reason(r, tcp_close_text, TCP_CLOSES, word[1])]) {
            FAIL(r, "nothing closed for that; the connection: %s",
                 tcp_close_text[script_info(s).close_reason].name);
        }
    } else if (strcmp(verb, "drop") == 0 && n == 2) {
        if (!c->drops[reason(r, tcp_drop_text, TCP_DROPS, word[1])]) {
            FAIL(r, "nothing was dropped for that");
        }
    } else if (strcmp(verb, "limit") == 0 && n == 2) {
        if (script_info(s).limit !=
            (enum tcp_limit)reason(r, tcp_limit_text, TCP_LIMITS, word[1])) {
            FAIL(r, "the limit is %s", tcp_limit_text[script_info(s).limit].name);
        }
    } else if (strcmp(verb, "error") == 0 && n == 2) {
        if (script_info(s).error != -number(r, word[1])) {
            FAIL(r, "the error is %d", script_info(s).error);
        }
    } else if (strcmp(verb, "ready") == 0 && n == 2) {
        if (!(script_ready(s) & ready_bits(r, word[1]))) {
            FAIL(r, "the user was not told");
        }
    } else if (strcmp(verb, "unready") == 0 && n == 2) {
        if (script_ready(s) & ready_bits(r, word[1])) {
            FAIL(r, "the user was told");
        }
    } else if (strcmp(verb, "info") == 0 && n >= 3) {
        struct tcp_info info = script_info(s);
        compare(r, info_field(r, &info, word[1]), word, n);
    } else if (strcmp(verb, "count") == 0 && n >= 3) {
        compare(r, (int64_t)counter(r, c, word[1]), word, n);
    } else if (strcmp(verb, "sent-tos") == 0 && n == 2) {
        assert_int_equal(s->sent.tos, number(r, word[1]));
    } else if (strcmp(verb, "sent-ttl") == 0 && n == 2) {
        assert_int_equal(s->sent.ttl, number(r, word[1]));
    } else if (strcmp(verb, "doubtful") == 0 && n == 2) {
        assert_int_equal(s->sent.doubtful, number(r, word[1]));
    } else if (strcmp(verb, "urgent-mark") == 0 && n == 2) {
        struct tcp_received in;
        assert_int_equal(tcp_peek(s->engine, s->id, script_info(s).bytes_read, 0, &in), 0);
        assert_int_equal(in.urgent_mark, number(r, word[1]));
    } else if (strcmp(verb, "endpoints") == 0 && n == 2) {
        if (tcp_endpoints(s->engine) != (uint32_t)number(r, word[1])) {
            FAIL(r, "%u endpoints", tcp_endpoints(s->engine));
        }
    } else {
        return false;
    }
    return true;
}

/* ---- the world ---- */

static void do_icmp(const struct run *r, struct script *s, char **word, unsigned n)
{
    struct tcp_icmp icmp = {.src = s->tuple.local,
                            .dst = s->tuple.remote,
                            .sport = s->tuple.local_port,
                            .dport = s->tuple.remote_port,
                            .seq = seq_of(s->local_iss + (uint32_t)number(r, word[2])),
                            .error = EHOSTUNREACH,
                            .mtu = n > 3 ? (uint32_t)number(r, word[3]) : 0};
    icmp.kind = strcmp(word[1], "soft") == 0   ? TCP_ICMP_SOFT
                : strcmp(word[1], "hard") == 0 ? TCP_ICMP_HARD
                                               : TCP_ICMP_TOO_BIG;
    tcp_icmp(s->engine, s->now, &icmp);
    script_info(s);
}

/* Time passes, timer by timer; what is sent meanwhile is thrown away, what the last timer sends
 * not. */
static void do_pass(struct script *s, int64_t ms)
{
    ackd_time until = time_add(s->now, ms * NS_PER_MS), next;
    while (script_discard(s), next = tcp_next_deadline(s->engine), time_reached(next, until)) {
        s->now = time_max(s->now, next);
        tcp_timeout(s->engine, s->now);
        if (script_state(s) == TCP_CLOSED) {
            break;
        }
    }
    s->now = time_max(s->now, until);
    tcp_timeout(s->engine, s->now);
}

static bool do_world(struct run *r, char **word, unsigned n)
{
    struct script *s = &r->s;
    const char *verb = word[0];
    if (strcmp(verb, "mtu") == 0 && n == 2) {
        s->mtu = (uint32_t)number(r, word[1]);
        return true;
    }
    begin(r);
    if (verb[0] == '+') {
        script_advance_ms(s, duration_ms(r, verb[1] ? verb + 1 : word[1]) + TIMER_LATE_MS);
    } else if (strcmp(verb, "pass") == 0 && n == 2) {
        do_pass(s, duration_ms(r, word[1]) + TIMER_LATE_MS);
    } else if (strcmp(verb, "quiet") == 0) {
        script_quiet_(s, r->file, r->line);
    } else if (strcmp(verb, "discard") == 0) {
        script_discard(s);
    } else if (strcmp(verb, "icmp") == 0 && n >= 3) {
        do_icmp(r, s, word, n);
    } else if (strcmp(verb, "peer-port") == 0 && n == 2) {
        s->tuple.remote_port = (uint16_t)number(r, word[1]);
        s->id = 0;
    } else if (strcmp(verb, "next") ==
               0) { /* the connection that comes next is the one of the script */
        s->id = 0;
    } else if (strcmp(verb, "unlisten") == 0) {
        tcp_close(s->engine, s->now, s->listener);
    } else if (strcmp(verb, "peer") == 0 && n == 2) {
        s->tuple.remote = address(r, word[1]);
    } else if (strcmp(verb, "local") == 0 && n == 2) {
        s->tuple.local = address(r, word[1]);
    } else if (strcmp(verb, "remove-address") == 0) {
        tcp_address_removed(s->engine, s->now, &s->tuple.local);
    } else if (strcmp(verb, "tos") == 0 && n == 2) {
        s->tos = (uint8_t)number(r, word[1]);
    } else {
        return false;
    }
    return true;
}

static void step(struct run *r, char *line)
{
    char *word[WORDS_MAX] = {0}, copy[400];
    snprintf(copy, sizeof copy, "%s", line);
    if (line[0] == '<' || line[0] == '>') {
        begin(r);
        if (line[0] == '<') {
            const char *merged = strstr(line, " gso ");
            r->s.gso_size = merged ? (uint16_t)strtoul(merged + 5, NULL, 10) : 0;
            script_inject(&r->s, line + 2);
        } else {
            script_expect_(&r->s, line + 2, r->file, r->line);
        }
        return;
    }
    if (strncmp(line, "in ", 3) == 0) {
        do_in(r, copy);
        return;
    }
    unsigned n = split(copy, word);
    if (strcmp(word[0], "option") == 0) {
        do_option(r, word, n);
    } else if (!do_call(r, word, n) && !do_question(r, word, n) && !do_world(r, word, n)) {
        FAIL(r, "what is '%s'?", line);
    }
}

static void run_script(void **state)
{
    const struct text_script *t = *state;
    static struct run r;
    memset(&r, 0, sizeof r);
    r.file = t->file;
    r.line = t->line;
    tcp_config_default(&r.config);
    r.config.defaults.delayed_ack_ns = 0; /* ACKs are immediate unless a script says otherwise */
    char *body = strdup(t->body), *next;
    for (char *line = body; line; line = next, r.line++) {
        next = strchr(line, '\n');
        if (next) {
            *next++ = 0;
        }
        line += strspn(line, " ");
        char *comment = strchr(line, '#');
        if (comment) {
            *comment = 0;
        }
        for (size_t n = strlen(line); n && line[n - 1] == ' '; n--) {
            line[n - 1] = 0;
        }
        if (*line) {
            step(&r, line);
        }
    }
    begin(&r);
    script_quiet_(&r.s, r.file, r.line); /* what is sent and not expected fails */
    script_end(&r.s);
    free(body);
}

/* ---- the files ---- */

static char *whole_file(const char *path)
{
    FILE *f = fopen(path, "r");
    if (!f) {
        perror(path);
        exit(2);
    }
    size_t size = 0, room = 1 << 20;
    char *text = malloc(room);
    size = fread(text, 1, room - 1, f);
    text[size] = 0;
    fclose(f);
    return text;
}

static void scripts_of(const char *path)
{
    const char *name = strrchr(path, '/');
    char *text = whole_file(path);
    int line = 1;
    struct text_script *last = NULL;
    for (char *at = text; at && *at; line++) {
        char *end = strchr(at, '\n');
        if (strncmp(at, "== ", 3) == 0 && n_scripts < SCRIPTS_MAX) {
            if (at > text) {
                at[-1] = 0; /* ends the one before */
            }
            last = &scripts[n_scripts++];
            last->name = at + 3;
            last->file = name ? name + 1 : path;
            last->body = end ? end + 1 : at + strlen(at);
            last->line = line + 1;
            if (end) {
                *end = 0;
            }
        }
        at = end ? end + 1 : NULL;
    }
    /* The text stays: names and bodies point into it. */
}

/* ---- the cells of section 3.10 ---- */

static const char *const cell_events[] = {
    "open_active",
    "open_passive",
    "send",
    "receive",
    "close",
    "abort",
    "status",
    "segment_seq",
    "segment_rst",
    "segment_security",
    "segment_syn",
    "segment_ack",
    "segment_urg",
    "segment_text",
    "segment_fin",
    "user_timeout",
    "retransmission_timeout",
    "time_wait_timeout",
};

static void every_cell_has_a_script(void **state)
{
    (void)state;
    unsigned missing = 0, cells = 0;
    for (size_t e = 0; e < sizeof cell_events / sizeof cell_events[0]; e++) {
        for (unsigned st = 0; st < TCP_STATES; st++) {
            char cell[80];
            size_t n = (size_t)snprintf(cell, sizeof cell, "%s-", cell_events[e]);
            for (const char *c = tcp_state_name((enum tcp_state)st); *c; c++) {
                cell[n++] = *c == '-' ? '_' : (char)tolower((unsigned char)*c);
            }
            cell[n] = 0;
            bool found = false;
            for (unsigned i = 0; i < n_scripts && !found; i++) {
                found = strncmp(scripts[i].name, cell, n) == 0 &&
                        (scripts[i].name[n] == '-' || !scripts[i].name[n]);
            }
            cells += found;
            missing += !found;
            if (!found) {
                print_error("no script for %s\n", cell);
            }
        }
    }
    print_message("%u cells, %u missing\n", cells + missing, missing);
    assert_int_equal(missing, 0);
}

static void names_are_distinct(void **state)
{
    (void)state;
    for (unsigned i = 0; i < n_scripts; i++) {
        for (unsigned j = 0; j < i; j++) {
            assert_string_not_equal(scripts[i].name, scripts[j].name);
        }
    }
}

int main(int argc, char **argv)
{
    static struct CMUnitTest tests[SCRIPTS_MAX + 2];
    for (int i = 1; i < argc; i++) {
        scripts_of(argv[i]);
    }
    for (unsigned i = 0; i < n_scripts; i++) {
        tests[i] = (struct CMUnitTest){
            .name = scripts[i].name, .test_func = run_script, .initial_state = &scripts[i]};
    }
    unsigned n = n_scripts;
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(every_cell_has_a_script);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(names_are_distinct);
    cmocka_set_test_filter(getenv("ACKD_TEST"));
    return _cmocka_run_group_tests("scripts", tests, n, NULL, NULL);
}

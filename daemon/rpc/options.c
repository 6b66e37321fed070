/* One table: the message's oneof, its field, and the engine's field, by kind of value. */
#include "rpc/options.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define OPTION_FIELDS(NUMBER, FLAG, MS)                                                            \
    NUMBER(rcv_buffer_known, rcv_buffer_bytes, rcv_buffer, UINT32_MAX)                             \
    NUMBER(snd_buffer_known, snd_buffer_bytes, snd_buffer, UINT32_MAX)                             \
    NUMBER(rcv_buffer_max_known, rcv_buffer_max_bytes, rcv_buffer_max, UINT32_MAX)                 \
    NUMBER(snd_buffer_max_known, snd_buffer_max_bytes, snd_buffer_max, UINT32_MAX)                 \
    NUMBER(mss_clamp_known, mss_clamp_bytes, mss_clamp, UINT32_MAX)                                \
    FLAG(nodelay_known, nodelay, nodelay)                                                          \
    FLAG(sack_known, sack, sack)                                                                   \
    FLAG(timestamps_known, timestamps, timestamps)                                                 \
    FLAG(window_scaling_known, window_scaling, window_scaling)                                     \
    FLAG(keepalive_known, keepalive, keepalive)                                                    \
    MS(keepalive_idle_known, keepalive_idle_ms, keepalive_idle_ns)                                 \
    MS(keepalive_interval_known, keepalive_interval_ms, keepalive_interval_ns)                     \
    NUMBER(keepalive_count_known, keepalive_count, keepalive_count, UINT32_MAX)                    \
    MS(user_timeout_known, user_timeout_ms, user_timeout_ns)                                       \
    MS(rto_initial_known, rto_initial_ms, rto_initial_ns)                                          \
    MS(rto_min_known, rto_min_ms, rto_min_ns)                                                      \
    MS(rto_max_known, rto_max_ms, rto_max_ns)                                                      \
    MS(delayed_ack_known, delayed_ack_ms, delayed_ack_ns)                                          \
    MS(msl_known, msl_ms, msl_ns)                                                                  \
    MS(fin_wait_2_known, fin_wait_2_ms, fin_wait_2_ns)                                             \
    MS(orphan_timeout_known, orphan_timeout_ms, orphan_timeout_ns)                                 \
    MS(syn_timeout_known, syn_timeout_ms, syn_timeout_ns)                                          \
    NUMBER(r1_timeouts_known, r1_timeouts, r1_timeouts, UINT32_MAX)                                \
    FLAG(rfc1337_known, rfc1337, rfc1337)                                                          \
    NUMBER(ttl_known, ttl, ttl, UINT8_MAX)                                                         \
    FLAG(share_metrics_known, share_metrics, share_metrics)                                        \
    FLAG(share_ssthresh_known, share_ssthresh, share_ssthresh)                                     \
    NUMBER(fast_open_queue_known, fast_open_queue, fast_open_queue, UINT32_MAX)                    \
    FLAG(fast_open_no_cookie_known, fast_open_no_cookie, fast_open_no_cookie)                      \
    FLAG(fast_open_experimental_known, fast_open_experimental, fast_open_experimental)             \
    FLAG(user_timeout_option_known, user_timeout_option, uto)                                      \
    MS(user_timeout_advertise_known, user_timeout_advertise_ms, uto_advertise_ns)                  \
    MS(user_timeout_min_known, user_timeout_min_ms, uto_min_ns)                                    \
    MS(user_timeout_max_known, user_timeout_max_ms, uto_max_ns)                                    \
    NUMBER(dscp_known, dscp, dscp, 63)                                                             \
    NUMBER(max_pacing_rate_known, max_pacing_rate_bytes_per_s, max_pacing_rate, UINT64_MAX)        \
    FLAG(hystart_known, hystart, hystart)                                                          \
    NUMBER(abc_limit_known, abc_limit, abc_limit, UINT32_MAX)                                      \
    FLAG(idle_restart_known, idle_restart, idle_restart)                                           \
    FLAG(cubic_alpha_one_known, cubic_alpha_one, cubic_alpha_one)                                  \
    FLAG(require_auth_known, require_auth, require_auth)

/* Enums, of which 0 leaves the default and the others are one above the engine's. */
#define OPTION_ENUMS(X)                                                                            \
    X(icmp_policy, icmp_policy)                                                                    \
    X(urgent_mode, urgent_mode)                                                                    \
    X(syn_cookies, syn_cookies)                                                                    \
    X(loss_detection, loss_detection)                                                              \
    X(congestion, congestion)                                                                      \
    X(pacing, pacing)                                                                              \
    X(mtu_probing, mtu_probing)                                                                    \
    X(accecn_option, accecn_option)                                                                \
    X(ecn, ecn_mode)

/* The engine's name of a field to the message's. */
static const char *message_name(const char *engine_name)
{
#define NAME(known, field, engine, ...) {#engine, #field},
#define NAME_PLAIN(known, field, engine) {#engine, #field},
    static const struct {
        const char *engine, *message;
    } names[] = {OPTION_FIELDS(NAME, NAME_PLAIN, NAME_PLAIN)};
#undef NAME
#undef NAME_PLAIN
    for (size_t i = 0; engine_name && i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(names[i].engine, engine_name) == 0) {
            return names[i].message;
        }
    }
    return engine_name ? engine_name : "options";
}

/* Values that do not fit the engine's types; the engine checks their sense. */
static const char *misfit(const Ackd__V1__Options *m)
{
#define NUMBER(known, field, engine, max)                                                          \
    if (m->known##_case && m->field > (max)) {                                                     \
        return #field;                                                                             \
    }
#define FLAG(known, field, engine)
#define MS(known, field, engine)                                                                   \
    if (m->known##_case && (m->field < 0 || m->field > INT64_MAX / NS_PER_MS)) {                   \
        return #field;                                                                             \
    }
    OPTION_FIELDS(NUMBER, FLAG, MS)
#undef NUMBER
#undef FLAG
#undef MS
#define X(name, type)                                                                              \
    if ((unsigned)m->name >= ackd__v1__##type##__descriptor.n_values) {                            \
        return #name;                                                                              \
    }
    OPTION_ENUMS(X)
#undef X
    return NULL;
}

int options_apply(const Ackd__V1__Options *m, struct tcp_options *o, const char **field)
{
    if (!m) {
        return 0;
    }
    *field = misfit(m);
    if (*field) {
        return -EINVAL;
    }
    struct tcp_options changed = *o;
#define NUMBER(known, name, engine, max)                                                           \
    if (m->known##_case) {                                                                         \
        changed.engine = (__typeof__(changed.engine))m->name;                                      \
    }
#define FLAG(known, name, engine)                                                                  \
    if (m->known##_case) {                                                                         \
        changed.engine = m->name;                                                                  \
    }
#define MS(known, name, engine)                                                                    \
    if (m->known##_case) {                                                                         \
        changed.engine = m->name * NS_PER_MS;                                                      \
    }
    OPTION_FIELDS(NUMBER, FLAG, MS)
#undef NUMBER
#undef FLAG
#undef MS
    /* A size alone is meant as it stands: no tuning. */
    if (m->rcv_buffer_known_case && !m->rcv_buffer_max_known_case) {
        changed.rcv_buffer_max = 0;
    }
    if (m->snd_buffer_known_case && !m->snd_buffer_max_known_case) {
        changed.snd_buffer_max = 0;
    }
#define X(name, type)                                                                              \
    if (m->name) {                                                                                 \
        changed.name = (__typeof__(changed.name))(m->name - 1);                                    \
    }
    OPTION_ENUMS(X)
#undef X
    const char *engine_field = NULL;
    if (tcp_options_check(&changed, &engine_field) < 0) {
        *field = message_name(engine_field);
        return -EINVAL;
    }
    *o = changed;
    return 0;
}

const char *option_name(const char *field, char out[OPTION_NAME_MAX])
{
    snprintf(out, OPTION_NAME_MAX, "options.%s", field);
    return out;
}

const char *options_fixed(const struct tcp_options *now, const struct tcp_options *wanted)
{
#define FIXED(field, member)                                                                       \
    if (now->member != wanted->member) {                                                           \
        return #field;                                                                             \
    }
    FIXED(sack, sack)
    FIXED(timestamps, timestamps)
    FIXED(window_scaling, window_scaling)
    FIXED(mss_clamp_bytes, mss_clamp)
    FIXED(rto_initial_ms, rto_initial_ns)
#undef FIXED
    return NULL;
}

void options_show(const struct tcp_options *o, Ackd__V1__Options *m)
{
    /* A oneof of one field: its case is the field's number, which is not its position here. */
#define SET(known, name, value)                                                                    \
    m->known##_case =                                                                              \
        (__typeof__(m->known##_case))protobuf_c_message_descriptor_get_field_by_name(              \
            &ackd__v1__options__descriptor, #name)                                                 \
            ->id;                                                                                  \
    m->name = value;
#define NUMBER(known, name, engine, max) SET(known, name, o->engine)
#define FLAG(known, name, engine) SET(known, name, o->engine)
#define MS(known, name, engine) SET(known, name, o->engine / NS_PER_MS)
    OPTION_FIELDS(NUMBER, FLAG, MS)
#undef NUMBER
#undef FLAG
#undef MS
#undef SET
#define X(name, type) m->name = (__typeof__(m->name))(o->name + 1);
    OPTION_ENUMS(X)
#undef X
}

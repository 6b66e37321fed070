/* Copies of the fields between protobuf's structs and the plain ones: see convert.h. */
#include "client/lib/convert.h"

#include <stdlib.h>
#include <string.h>

/* Every option: its oneof, the constant of its case, its field. */
#define OPTIONS(X)                                                                                 \
    X(rcv_buffer_known, RCV_BUFFER_KNOWN, RCV_BUFFER_BYTES, rcv_buffer_bytes)                      \
    X(snd_buffer_known, SND_BUFFER_KNOWN, SND_BUFFER_BYTES, snd_buffer_bytes)                      \
    X(rcv_buffer_max_known, RCV_BUFFER_MAX_KNOWN, RCV_BUFFER_MAX_BYTES, rcv_buffer_max_bytes)      \
    X(snd_buffer_max_known, SND_BUFFER_MAX_KNOWN, SND_BUFFER_MAX_BYTES, snd_buffer_max_bytes)      \
    X(mss_clamp_known, MSS_CLAMP_KNOWN, MSS_CLAMP_BYTES, mss_clamp_bytes)                          \
    X(nodelay_known, NODELAY_KNOWN, NODELAY, nodelay)                                              \
    X(sack_known, SACK_KNOWN, SACK, sack)                                                          \
    X(timestamps_known, TIMESTAMPS_KNOWN, TIMESTAMPS, timestamps)                                  \
    X(window_scaling_known, WINDOW_SCALING_KNOWN, WINDOW_SCALING, window_scaling)                  \
    X(keepalive_known, KEEPALIVE_KNOWN, KEEPALIVE, keepalive)                                      \
    X(keepalive_idle_known, KEEPALIVE_IDLE_KNOWN, KEEPALIVE_IDLE_MS, keepalive_idle_ms)            \
    X(keepalive_interval_known, KEEPALIVE_INTERVAL_KNOWN, KEEPALIVE_INTERVAL_MS,                   \
      keepalive_interval_ms)                                                                       \
    X(keepalive_count_known, KEEPALIVE_COUNT_KNOWN, KEEPALIVE_COUNT, keepalive_count)              \
    X(user_timeout_known, USER_TIMEOUT_KNOWN, USER_TIMEOUT_MS, user_timeout_ms)                    \
    X(rto_initial_known, RTO_INITIAL_KNOWN, RTO_INITIAL_MS, rto_initial_ms)                        \
    X(rto_min_known, RTO_MIN_KNOWN, RTO_MIN_MS, rto_min_ms)                                        \
    X(rto_max_known, RTO_MAX_KNOWN, RTO_MAX_MS, rto_max_ms)                                        \
    X(delayed_ack_known, DELAYED_ACK_KNOWN, DELAYED_ACK_MS, delayed_ack_ms)                        \
    X(msl_known, MSL_KNOWN, MSL_MS, msl_ms)                                                        \
    X(fin_wait_2_known, FIN_WAIT_2_KNOWN, FIN_WAIT_2_MS, fin_wait_2_ms)                            \
    X(orphan_timeout_known, ORPHAN_TIMEOUT_KNOWN, ORPHAN_TIMEOUT_MS, orphan_timeout_ms)            \
    X(syn_timeout_known, SYN_TIMEOUT_KNOWN, SYN_TIMEOUT_MS, syn_timeout_ms)                        \
    X(r1_timeouts_known, R1_TIMEOUTS_KNOWN, R1_TIMEOUTS, r1_timeouts)                              \
    X(rfc1337_known, RFC1337_KNOWN, RFC1337, rfc1337)                                              \
    X(ttl_known, TTL_KNOWN, TTL, ttl)                                                              \
    X(share_metrics_known, SHARE_METRICS_KNOWN, SHARE_METRICS, share_metrics)                      \
    X(share_ssthresh_known, SHARE_SSTHRESH_KNOWN, SHARE_SSTHRESH, share_ssthresh)                  \
    X(fast_open_queue_known, FAST_OPEN_QUEUE_KNOWN, FAST_OPEN_QUEUE, fast_open_queue)              \
    X(fast_open_no_cookie_known, FAST_OPEN_NO_COOKIE_KNOWN, FAST_OPEN_NO_COOKIE,                   \
      fast_open_no_cookie)                                                                         \
    X(fast_open_experimental_known, FAST_OPEN_EXPERIMENTAL_KNOWN, FAST_OPEN_EXPERIMENTAL,          \
      fast_open_experimental)                                                                      \
    X(user_timeout_option_known, USER_TIMEOUT_OPTION_KNOWN, USER_TIMEOUT_OPTION,                   \
      user_timeout_option)                                                                         \
    X(user_timeout_advertise_known, USER_TIMEOUT_ADVERTISE_KNOWN, USER_TIMEOUT_ADVERTISE_MS,       \
      user_timeout_advertise_ms)                                                                   \
    X(user_timeout_min_known, USER_TIMEOUT_MIN_KNOWN, USER_TIMEOUT_MIN_MS, user_timeout_min_ms)    \
    X(user_timeout_max_known, USER_TIMEOUT_MAX_KNOWN, USER_TIMEOUT_MAX_MS, user_timeout_max_ms)    \
    X(dscp_known, DSCP_KNOWN, DSCP, dscp)                                                          \
    X(max_pacing_rate_known, MAX_PACING_RATE_KNOWN, MAX_PACING_RATE_BYTES_PER_S,                   \
      max_pacing_rate_bytes_per_s)                                                                 \
    X(hystart_known, HYSTART_KNOWN, HYSTART, hystart)                                              \
    X(abc_limit_known, ABC_LIMIT_KNOWN, ABC_LIMIT, abc_limit)                                      \
    X(idle_restart_known, IDLE_RESTART_KNOWN, IDLE_RESTART, idle_restart)                          \
    X(cubic_alpha_one_known, CUBIC_ALPHA_ONE_KNOWN, CUBIC_ALPHA_ONE, cubic_alpha_one)              \
    X(require_auth_known, REQUIRE_AUTH_KNOWN, REQUIRE_AUTH, require_auth)

void endpoint_to(Ackd__V1__Endpoint *out, const struct ackd_endpoint *in)
{
    ackd__v1__endpoint__init(out);
    out->address = STRING(in->address);
    out->port = in->port;
}

void options_to(Ackd__V1__Options *out, const struct ackd_options *in)
{
    ackd__v1__options__init(out);
#define X(known, KNOWN, FIELD, field)                                                              \
    if (in->has_##field) {                                                                         \
        out->known##_case = ACKD__V1__OPTIONS__##KNOWN##_##FIELD;                                  \
        out->field = in->field;                                                                    \
    }
    OPTIONS(X)
#undef X
    out->icmp_policy = (Ackd__V1__IcmpPolicy)in->icmp_policy;
    out->urgent_mode = (Ackd__V1__UrgentMode)in->urgent_mode;
    out->syn_cookies = (Ackd__V1__SynCookies)in->syn_cookies;
    out->loss_detection = (Ackd__V1__LossDetection)in->loss_detection;
    out->ecn = (Ackd__V1__EcnMode)in->ecn;
    out->congestion = (Ackd__V1__Congestion)in->congestion;
    out->pacing = (Ackd__V1__Pacing)in->pacing;
    out->mtu_probing = (Ackd__V1__MtuProbing)in->mtu_probing;
    out->accecn_option = (Ackd__V1__AccecnOption)in->accecn_option;
}

/* ---- filters ---- */

static bool ranges_to(Ackd__V1__PortRange ***out, size_t *out_count,
                      const struct ackd_port_range *in, size_t count)
{
    *out = calloc(count + 1, sizeof **out);
    if (!*out)
        return false;
    for (size_t i = 0; i < count; i++) {
        Ackd__V1__PortRange *range = malloc(sizeof *range);
        if (!range)
            return false;
        ackd__v1__port_range__init(range);
        range->first = in[i].first;
        range->last = in[i].last;
        (*out)[(*out_count)++] = range;
    }
    return true;
}

static void ranges_free(Ackd__V1__PortRange **ranges, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(ranges[i]);
    free(ranges);
}

void filter_to_free(Ackd__V1__Filter *f)
{
    if (!f)
        return;
    free(f->ids);
    free(f->states);
    ranges_free(f->local_ports, f->n_local_ports);
    ranges_free(f->remote_ports, f->n_remote_ports);
    free(f);
}

static bool filter_lists(Ackd__V1__Filter *f, const struct ackd_filter *in)
{
    f->ids = calloc(in->id_count + 1, sizeof *f->ids);
    f->states = calloc(in->state_count + 1, sizeof *f->states);
    if (!f->ids || !f->states)
        return false;
    f->n_ids = in->id_count;
    for (size_t i = 0; i < in->id_count; i++)
        f->ids[i] = in->ids[i];
    f->n_states = in->state_count;
    for (size_t i = 0; i < in->state_count; i++)
        f->states[i] = (Ackd__V1__State)in->states[i];
    return ranges_to(&f->local_ports, &f->n_local_ports, in->local_ports, in->local_port_count) &&
           ranges_to(&f->remote_ports, &f->n_remote_ports, in->remote_ports, in->remote_port_count);
}

Ackd__V1__Filter *filter_to(const struct ackd_filter *in)
{
    static const struct ackd_filter all;
    in = in ? in : &all;
    Ackd__V1__Filter *f = malloc(sizeof *f);
    if (!f)
        return NULL;
    ackd__v1__filter__init(f);
    f->family = in->family;
    f->local_prefix = STRING(in->local_prefix);
    f->remote_prefix = STRING(in->remote_prefix);
    f->label = STRING(in->label);
    f->listener_id = in->listener_id;
    if (in->has_uid) {
        f->uid_known_case = ACKD__V1__FILTER__UID_KNOWN_UID;
        f->uid = in->uid;
    }
    if (!filter_lists(f, in)) {
        filter_to_free(f);
        return NULL;
    }
    return f;
}

/* ---- answers ---- */

void text_copy(char *to, size_t size, const char *text)
{
    size_t length = strnlen(text, size - 1);
    memcpy(to, text, length);
    to[length] = 0;
}

void endpoint_from(struct ackd_endpoint *out, const Ackd__V1__Endpoint *in)
{
    *out = (struct ackd_endpoint){0};
    if (!in)
        return;
    TEXT(out->address, in->address);
    out->port = (uint16_t)in->port;
}

void options_from(struct ackd_options *out, const Ackd__V1__Options *in)
{
    *out = (struct ackd_options){0};
    if (!in)
        return;
#define X(known, KNOWN, FIELD, field)                                                              \
    if (in->known##_case == ACKD__V1__OPTIONS__##KNOWN##_##FIELD) {                                \
        out->has_##field = true;                                                                   \
        out->field = in->field;                                                                    \
    }
    OPTIONS(X)
#undef X
    out->icmp_policy = (enum ackd_icmp_policy)in->icmp_policy;
    out->urgent_mode = (enum ackd_urgent_mode)in->urgent_mode;
    out->syn_cookies = (enum ackd_syn_cookies)in->syn_cookies;
    out->loss_detection = (enum ackd_loss_detection)in->loss_detection;
    out->ecn = (enum ackd_ecn_mode)in->ecn;
    out->congestion = (enum ackd_congestion)in->congestion;
    out->pacing = (enum ackd_pacing)in->pacing;
    out->mtu_probing = (enum ackd_mtu_probing)in->mtu_probing;
    out->accecn_option = (enum ackd_accecn_option)in->accecn_option;
}

void header_from(struct ackd_header *out, const Ackd__V1__Header *in)
{
    *out = (struct ackd_header){0};
    if (!in)
        return;
    *out = (struct ackd_header){
        .source_port = (uint16_t)in->source_port,
        .destination_port = (uint16_t)in->destination_port,
        .sequence_number = in->sequence_number,
        .acknowledgment_number = in->acknowledgment_number,
        .data_offset_words = (uint8_t)in->data_offset_words,
        .reserved_bits = (uint8_t)in->reserved_bits,
        .ae = in->ae,
        .cwr = in->cwr,
        .ece = in->ece,
        .urg = in->urg,
        .ack = in->ack,
        .psh = in->psh,
        .rst = in->rst,
        .syn = in->syn,
        .fin = in->fin,
        .flags_bits = (uint16_t)in->flags_bits,
        .window = (uint16_t)in->window,
        .checksum = (uint16_t)in->checksum,
        .checksum_partial = in->checksum_partial,
        .urgent_pointer = (uint16_t)in->urgent_pointer,
    };
    size_t n = in->options.len < sizeof out->options ? in->options.len : sizeof out->options;
    if (n)
        memcpy(out->options, in->options.data, n);
    out->options_length = (uint8_t)n;
}

size_t limited_from(struct ackd_limited_time out[ACKD_LIMITED_MAX],
                    Ackd__V1__LimitedTime *const *in, size_t count)
{
    size_t n = count < ACKD_LIMITED_MAX ? count : ACKD_LIMITED_MAX;
    for (size_t i = 0; i < n; i++)
        out[i] =
            (struct ackd_limited_time){(enum ackd_limit_reason)in[i]->reason, in[i]->duration_ns};
    return n;
}

static size_t congestion_from(struct ackd_congestion_field out[ACKD_CONGESTION_FIELDS_MAX],
                              Ackd__V1__CongestionField *const *in, size_t count)
{
    size_t n = count < ACKD_CONGESTION_FIELDS_MAX ? count : ACKD_CONGESTION_FIELDS_MAX;
    for (size_t i = 0; i < n; i++) {
        TEXT(out[i].name, in[i]->name);
        TEXT(out[i].unit, in[i]->unit);
        TEXT(out[i].word, in[i]->word);
        out[i].value = in[i]->value;
    }
    return n;
}

/* Fields that are numbers on both sides, and those of them that may be unknown. */
#define NUMBERS(X)                                                                                 \
    X(id)                                                                                          \
    X(listener_id)                                                                                 \
    X(session_id)                                                                                  \
    X(detached)                                                                                    \
    X(recv_q_bytes)                                                                                \
    X(send_q_bytes)                                                                                \
    X(iss)                                                                                         \
    X(irs)                                                                                         \
    X(snd_una)                                                                                     \
    X(snd_nxt)                                                                                     \
    X(snd_wnd)                                                                                     \
    X(snd_max_wnd)                                                                                 \
    X(snd_wl1)                                                                                     \
    X(snd_wl2)                                                                                     \
    X(snd_up)                                                                                      \
    X(rcv_nxt)                                                                                     \
    X(rcv_wnd)                                                                                     \
    X(rcv_up)                                                                                      \
    X(rcv_space_bytes)                                                                             \
    X(rcv_buffer_bytes)                                                                            \
    X(snd_buffer_bytes)                                                                            \
    X(ooo_bytes)                                                                                   \
    X(snd_wscale)                                                                                  \
    X(rcv_wscale)                                                                                  \
    X(snd_mss_bytes)                                                                               \
    X(peer_mss_bytes)                                                                              \
    X(adv_mss_bytes)                                                                               \
    X(path_mtu_bytes)                                                                              \
    X(cwnd_bytes)                                                                                  \
    X(ssthresh_bytes)                                                                              \
    X(bytes_in_flight)                                                                             \
    X(sacked_bytes)                                                                                \
    X(lost_bytes)                                                                                  \
    X(rtx_runs)                                                                                    \
    X(dup_acks)                                                                                    \
    X(rto_ns)                                                                                      \
    X(backoff)                                                                                     \
    X(ts_recent)                                                                                   \
    X(keepalive_probes)                                                                            \
    X(soft_error)                                                                                  \
    X(bytes_sent)                                                                                  \
    X(bytes_acked)                                                                                 \
    X(bytes_received)                                                                              \
    X(bytes_read)                                                                                  \
    X(bytes_retransmitted)                                                                         \
    X(segs_out)                                                                                    \
    X(segs_in)                                                                                     \
    X(retransmits)                                                                                 \
    X(retransmitting_bytes)                                                                        \
    X(reo_wnd_ns)                                                                                  \
    X(loss_probes)                                                                                 \
    X(dsacks)                                                                                      \
    X(undos)                                                                                       \
    X(reordering_seen)                                                                             \
    X(reorderings)                                                                                 \
    X(reordering_segments)                                                                         \
    X(in_cwr)                                                                                      \
    X(created_ns)                                                                                  \
    X(sack_ok)                                                                                     \
    X(timestamps_ok)                                                                               \
    X(ecn_ok)                                                                                      \
    X(accecn_ok)                                                                                   \
    X(accecn_withheld)                                                                             \
    X(ect_stopped)                                                                                 \
    X(ecn_mangled)                                                                                 \
    X(ce_packets)                                                                                  \
    X(received_ect0_bytes)                                                                         \
    X(received_ect1_bytes)                                                                         \
    X(received_ce_bytes)                                                                           \
    X(echoed_ect0_bytes)                                                                           \
    X(echoed_ect1_bytes)                                                                           \
    X(echoed_ce_bytes)                                                                             \
    X(echoed_ce_packets)                                                                           \
    X(received_dscp)                                                                               \
    X(wscale_ok)                                                                                   \
    X(in_recovery)                                                                                 \
    X(passive)                                                                                     \
    X(released)                                                                                    \
    X(fin_sent)                                                                                    \
    X(fin_received)                                                                                \
    X(urgent_pending)                                                                              \
    X(syn_data_taken)                                                                              \
    X(user_timeout_ns)                                                                             \
    X(delivered_bytes)                                                                             \
    X(delivery_rate_bytes_per_s)                                                                   \
    X(delivery_app_limited)                                                                        \
    X(pacing_rate_bytes_per_s)                                                                     \
    X(auth_key)                                                                                    \
    X(auth_next_key)                                                                               \
    X(auth_send_id)                                                                                \
    X(auth_next_id)                                                                                \
    X(snd_sne)                                                                                     \
    X(rcv_sne)                                                                                     \
    X(auth_failures)                                                                               \
    X(auth_key_changes)
#define KNOWN(X)                                                                                   \
    X(closed_ns)                                                                                   \
    X(srtt_ns)                                                                                     \
    X(rttvar_ns)                                                                                   \
    X(min_rtt_ns)                                                                                  \
    X(rcv_rtt_ns)                                                                                  \
    X(remote_user_timeout_ns)                                                                      \
    X(rack_rtt_ns)                                                                                 \
    X(loss_timer_deadline_ns)                                                                      \
    X(established_ns)                                                                              \
    X(last_received_ns)                                                                            \
    X(last_sent_ns)                                                                                \
    X(rto_deadline_ns)                                                                             \
    X(persist_deadline_ns)                                                                         \
    X(delack_deadline_ns)                                                                          \
    X(keepalive_deadline_ns) X(user_timeout_deadline_ns) X(time_wait_deadline_ns)

void connection_from(struct ackd_connection *out, const Ackd__V1__Connection *in)
{
    *out = (struct ackd_connection){0};
    if (!in)
        return;
    out->message = (const struct ackd_message *)in;
    out->state = (enum ackd_state)in->state;
    out->last_state = (enum ackd_state)in->last_state;
    out->close_reason = (enum ackd_close_reason)in->close_reason;
    out->limit_reason = (enum ackd_limit_reason)in->limit_reason;
    endpoint_from(&out->local, in->local);
    endpoint_from(&out->remote, in->remote);
    TEXT(out->label, in->label);
    TEXT(out->error, in->error);
    TEXT(out->service, in->service);
    if (in->owner) {
        out->owner.uid = in->owner->uid;
        out->owner.pid = in->owner->pid;
        TEXT(out->owner.command, in->owner->command);
    }
    out->limited_count = limited_from(out->limited, in->limited, in->n_limited);
    out->congestion = (enum ackd_congestion)in->congestion;
    out->auth_algorithm = (enum ackd_key_algorithm)in->auth_algorithm;
    out->congestion_state_count =
        congestion_from(out->congestion_state, in->congestion_state, in->n_congestion_state);
    out->has_last_received = in->last_received;
    header_from(&out->last_received, in->last_received);
    out->has_last_sent = in->last_sent;
    header_from(&out->last_sent, in->last_sent);
    out->has_options = in->options;
    options_from(&out->options, in->options);
#define X(field) out->field = in->field;
    NUMBERS(X)
#undef X
#define X(field)                                                                                   \
    out->has_##field = in->field##_known_case != 0;                                                \
    out->field = out->has_##field ? in->field : 0;
    KNOWN(X)
#undef X
}

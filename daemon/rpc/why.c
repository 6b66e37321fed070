/* Inspect.Why: the reason is the engine's (the predicate that decides what to send is the one that
 * names it); here it gets its numbers: how much waits, what the window is, when a timer will change
 * it. */
#include "rpc/why.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "rpc/view.h"

/* Appends to a sentence; what does not fit is cut. */
static void say(char out[WHY_MAX], const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(char out[WHY_MAX], const char *format, ...)
{
    size_t used = strlen(out);
    va_list args;
    va_start(args, format);
    vsnprintf(out + used, WHY_MAX - used, format, args);
    va_end(args);
}

/* "1.6 s", "40 ms", "120 us" */
static void say_duration(char out[WHY_MAX], int64_t ns)
{
    if (ns < 0) {
        ns = 0;
    }
    if (ns >= NS_PER_S) {
        say(out, "%.1f s", (double)ns / (double)NS_PER_S);
    } else if (ns >= NS_PER_MS) {
        say(out, "%lld ms", (long long)(ns / NS_PER_MS));
    } else {
        say(out, "%lld us", (long long)(ns / NS_PER_US));
    }
}

static void say_in(char out[WHY_MAX], const char *what, int64_t deadline_ns, ackd_time now)
{
    if (deadline_ns != INT64_MAX) {
        say(out, ", %s in ", what);
        say_duration(out, deadline_ns - now.ns);
    }
}

static void say_since(char out[WHY_MAX], const char *what, int64_t since_ns, ackd_time now)
{
    if (since_ns != INT64_MAX) {
        say(out, ", %s ", what);
        say_duration(out, now.ns - since_ns);
        say(out, " ago");
    }
}

static void waiting_for_ack(const struct tcp_info *i, ackd_time now, char out[WHY_MAX])
{
    say(out, "everything is sent: %u bytes wait for their ACK", i->bytes_in_flight);
    say_since(out, "the last segment left", i->last_sent_ns, now);
    if (i->srtt_ns >= 0) {
        say(out, ", the round trip takes ");
        say_duration(out, i->srtt_ns);
    }
    say_in(out, "a retransmission is due", i->rto_deadline_ns, now);
}

static void handshake(const struct tcp_info *i, ackd_time now, char out[WHY_MAX])
{
    if (i->state == TCP_SYN_SENT) {
        say(out, "our SYN has no answer");
    } else if (i->state == TCP_SYN_RECEIVED) {
        say(out, "the last ACK of the handshake has not come");
    } else {
        say(out, "the handshake is not complete (%s)", tcp_state_name(i->state));
    }
    say(out, ", sent again %u times", i->backoff);
    say_in(out, "again", i->rto_deadline_ns, now);
    say_in(out, "given up", i->user_timeout_deadline_ns, now);
}

void why_sending(const struct tcp_info *i, ackd_time now, char out[WHY_MAX])
{
    out[0] = '\0';
    uint32_t unsent =
        i->send_q_bytes > i->bytes_in_flight ? i->send_q_bytes - i->bytes_in_flight : 0;
    if (i->state == TCP_CLOSED) {
        struct tcp_reason_text words = close_words(i->close_reason);
        say(out, "the connection is over: %s",
            words.sentence[0] ? words.sentence : "both sides closed");
        return;
    }
    if (i->state == TCP_LISTEN) {
        say(out, "a listener sends nothing: %u connections wait to be accepted, the backlog is %u",
            i->recv_q_bytes, i->send_q_bytes);
        return;
    }
    switch (i->limit) {
    case TCP_LIMIT_NONE:
        say(out, "nothing holds it back: %u bytes wait to be sent now", unsent);
        break;
    case TCP_LIMIT_APPLICATION_IDLE:
        if (i->bytes_acked == 0) {
            say(out, "there is nothing to send: the application has written nothing yet");
            break;
        }
        say(out,
            "there is nothing to send: all %llu bytes that the application has written are "
            "acknowledged",
            (unsigned long long)i->bytes_acked);
        say_since(out, "the last segment left", i->last_sent_ns, now);
        break;
    case TCP_LIMIT_HANDSHAKE:
        handshake(i, now, out);
        break;
    case TCP_LIMIT_RECEIVE_WINDOW:
        say(out,
            "the peer's receive window is full: %u bytes in flight of a window of %u, %u bytes "
            "wait",
            i->bytes_in_flight, i->snd_wnd, unsent);
        break;
    case TCP_LIMIT_ZERO_WINDOW:
        say(out, "the peer's receive window is zero: it does not read, %u bytes wait",
            i->send_q_bytes);
        say_since(out, "heard from it", i->last_received_ns, now);
        say_in(out, "next probe", i->persist_deadline_ns, now);
        break;
    case TCP_LIMIT_CONGESTION_WINDOW:
        say(out,
            "the congestion window is full: %u bytes in flight of cwnd %u (ssthresh %u), %u bytes "
            "wait",
            i->bytes_in_flight, i->cwnd_bytes, i->ssthresh_bytes, unsent);
        break;
    case TCP_LIMIT_RECOVERY:
        say(out,
            "loss recovery meters what may be sent: %u bytes deemed lost, %u SACKed, %u in flight, "
            "cwnd %u",
            i->lost_bytes, i->sacked_bytes, i->bytes_in_flight, i->cwnd_bytes);
        break;
    case TCP_LIMIT_SPURIOUS_TIMEOUT_TEST:
        say(out,
            "a retransmission timed out; new data were sent, and their ACK tells whether the "
            "timeout was spurious (F-RTO): %u bytes are deemed lost",
            i->lost_bytes);
        say_in(out, "the next timeout", i->rto_deadline_ns, now);
        break;
    case TCP_LIMIT_RTO_BACKOFF:
        say(out, "%u retransmissions in a row went unanswered", i->backoff);
        say_in(out, "the next", i->rto_deadline_ns, now);
        say_in(out, "given up", i->user_timeout_deadline_ns, now);
        break;
    case TCP_LIMIT_NAGLE:
        say(out,
            "%u bytes are less than a full segment (%u) and wait for the ACK of %u bytes in flight "
            "(Nagle; option nodelay sends at once)",
            unsent, i->snd_mss_bytes, i->bytes_in_flight);
        break;
    case TCP_LIMIT_MORE_TO_COME:
        say(out, "%u bytes are less than a full segment (%u) and wait for the rest", unsent,
            i->snd_mss_bytes);
        break;
    case TCP_LIMIT_SILLY_WINDOW:
        say(out, "the usable window (%u of %u) is too small to be worth a segment: %u bytes wait",
            i->snd_wnd > i->bytes_in_flight ? i->snd_wnd - i->bytes_in_flight : 0, i->snd_wnd,
            unsent);
        break;
    case TCP_LIMIT_WAITING_FOR_ACK:
        waiting_for_ack(i, now, out);
        break;
    case TCP_LIMIT_PACING:
        say(out, "the next departure is not due yet: paced at %llu bytes a second, %u bytes wait",
            (unsigned long long)i->pacing_rate_bytes_per_s, unsent);
        break;
    case TCP_LIMIT_CLOSED:
        say(out, "our side is closed and acknowledged (%s)", tcp_state_name(i->state));
        say_in(out, "the record goes", i->time_wait_deadline_ns, now);
        break;
    case TCP_LIMIT_NEIGHBOUR_PENDING:
    case TCP_LIMIT_LOCAL_DROP:
    case TCP_LIMIT_LARGER_FRAME:
    case TCP_LIMITS:
        say(out, "%s: %u bytes wait",
            i->limit < TCP_LIMITS ? tcp_limit_text[i->limit].sentence : "", i->send_q_bytes);
        say_in(out, "again", i->rto_deadline_ns, now);
        break;
    }
}

void why_receiving(const struct tcp_info *i, ackd_time now, char out[WHY_MAX])
{
    out[0] = '\0';
    if (i->state == TCP_LISTEN || i->state == TCP_CLOSED || i->state == TCP_SYN_SENT) {
        say(out, "in %s nothing is received", tcp_state_name(i->state));
        return;
    }
    if (i->recv_q_bytes > 0) {
        say(out, "%u bytes wait for the application to read, the window is %u of a buffer of %u",
            i->recv_q_bytes, i->rcv_wnd, i->rcv_buffer_bytes);
        if (i->rcv_wnd == 0) {
            say(out, ": it is closed until they are read");
        }
    } else if (i->fin_received) {
        say(out, "the peer closed its side and all %llu bytes were read",
            (unsigned long long)i->bytes_read);
    } else {
        say(out, "everything received was read; the peer may send %u bytes", i->rcv_wnd);
        say_since(out, "the last segment came", i->last_received_ns, now);
    }
    if (i->ooo_bytes > 0) {
        say(out, "; %u bytes lie beyond a hole at %u", i->ooo_bytes, i->rcv_nxt);
    }
}

static ackd_time deadline(int64_t ns)
{
    return ns == INT64_MAX ? TIME_NEVER : time_from_ns(ns);
}

ackd_time why_next_change(const struct tcp_info *i)
{
    switch (i->limit) {
    case TCP_LIMIT_ZERO_WINDOW:
    case TCP_LIMIT_SILLY_WINDOW:
    case TCP_LIMIT_MORE_TO_COME:
        return deadline(i->persist_deadline_ns);
    case TCP_LIMIT_CLOSED:
        return deadline(i->time_wait_deadline_ns);
    case TCP_LIMIT_APPLICATION_IDLE:
        return deadline(i->keepalive_deadline_ns);
    default:
        return deadline(i->rto_deadline_ns);
    }
}

static void on_message(struct grpc_call *call, const ProtobufCMessage *message, size_t wire_bytes)
{
    const Ackd__V1__WhyRequest *m = (const Ackd__V1__WhyRequest *)message;
    struct rpc *rpc = grpc_call_arg(call);
    ackd_time now = rpc_now(rpc);
    char sending[WHY_MAX], receiving[WHY_MAX];
    struct tcp_info info;
    struct tcp_closed closed;
    (void)wire_bytes;
    Ackd__V1__WhyResponse r = ACKD__V1__WHY_RESPONSE__INIT;
    r.id = m->id;
    if (tcp_status(rpc->config.engine, now, m->id, true, &info) == 0) {
        r.connection = view_connection(rpc, &rpc->rows[0], &info, true);
    } else if (closed_find(rpc, m->id, &closed)) {
        memset(&info, 0, sizeof info);
        info.state = TCP_CLOSED;
        info.close_reason = closed.reason;
        info.rto_deadline_ns = INT64_MAX;
        r.connection = view_closed(rpc, &rpc->rows[0], &closed);
    } else {
        call_fail_id(call, EBADF, "ENDPOINT_UNKNOWN", m->id,
                     "there is no endpoint %llu, nor is it among the recently closed",
                     (unsigned long long)m->id);
        return;
    }
    why_sending(&info, now, sending);
    why_receiving(&info, now, receiving);
    r.state = view_state(info.state);
    r.limit_reason = (Ackd__V1__LimitReason)info.limit;
    r.sentence = sending;
    r.receive_sentence = receiving;
    r.n_limited = r.connection->n_limited;
    r.limited = r.connection->limited;
    ackd_time change = why_next_change(&info);
    if (!time_is_never(change)) {
        r.next_change_known_case = ACKD__V1__WHY_RESPONSE__NEXT_CHANGE_KNOWN_NEXT_CHANGE_IN_NS;
        r.next_change_in_ns = time_reached(change, now) ? 0 : time_diff(change, now);
    }
    grpc_call_reply(call, &r.base);
}

const struct grpc_method why_method = {
    .path = "/ackd.v1.Inspect/Why",
    .input = &ackd__v1__why_request__descriptor,
    .output = &ackd__v1__why_response__descriptor,
    .on_message = on_message,
};

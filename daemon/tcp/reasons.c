/* The texts of every reason, from the tables of reasons.h: one line there is the enum, the counter,
 * the name and the sentence, so none can be forgotten. */
#include "tcp/tcp.h"

#include <errno.h>

#define X(name, text) {#name, text},
const struct tcp_reason_text tcp_drop_text[TCP_DROPS] = {{"NONE", ""}, TCP_DROP_REASONS(X)};
const struct tcp_reason_text tcp_rst_sent_text[TCP_RST_SENTS] = {{"NONE", ""},
                                                                 TCP_RST_SENT_REASONS(X)};
const struct tcp_reason_text tcp_rst_received_text[TCP_RST_RECEIVEDS] = {
    {"NONE", ""}, TCP_RST_RECEIVED_REASONS(X)};
const struct tcp_reason_text tcp_limit_text[TCP_LIMITS] = {{"NONE", ""}, TCP_LIMIT_REASONS(X)};
const struct tcp_reason_text tcp_kind_text[TCP_KINDS] = {{"NONE", ""}, TCP_SEND_KINDS(X)};
#undef X

#define X(name, error, text) {#name, text},
const struct tcp_reason_text tcp_close_text[TCP_CLOSES] = {{"NONE", ""}, TCP_CLOSE_REASONS(X)};
#undef X

int tcp_close_errno(enum tcp_close_reason reason)
{
#define X(name, error, text) error,
    static const int errors[TCP_CLOSES] = {0, TCP_CLOSE_REASONS(X)};
#undef X
    return (unsigned)reason < TCP_CLOSES ? errors[reason] : 0;
}

const char *tcp_state_name(enum tcp_state state)
{
    static const char *const names[TCP_STATES] = {
        [TCP_CLOSED] = "CLOSED",           [TCP_LISTEN] = "LISTEN",
        [TCP_SYN_SENT] = "SYN-SENT",       [TCP_SYN_RECEIVED] = "SYN-RECEIVED",
        [TCP_ESTABLISHED] = "ESTABLISHED", [TCP_FIN_WAIT_1] = "FIN-WAIT-1",
        [TCP_FIN_WAIT_2] = "FIN-WAIT-2",   [TCP_CLOSE_WAIT] = "CLOSE-WAIT",
        [TCP_CLOSING] = "CLOSING",         [TCP_LAST_ACK] = "LAST-ACK",
        [TCP_TIME_WAIT] = "TIME-WAIT",
    };
    return (unsigned)state < TCP_STATES ? names[state] : "UNKNOWN";
}

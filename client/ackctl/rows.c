/* A row is what ss prints of a socket; the extra information has ss's names where ss has the thing.
 */
#include "rows.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <strings.h>
#include "hostport.h"
#include "units.h"

const char rows_default[] = "id,state,recv-q,send-q,local,peer,label,owner";
const char rows_closed[] = "id,last-state,local,peer,reason,error,label,owner";

/* Columns that are not simply a field. */
enum {
    COL_ID = -100,
    COL_STATE,
    COL_LAST_STATE,
    COL_RECV_Q,
    COL_SEND_Q,
    COL_LOCAL,
    COL_PEER,
    COL_LABEL,
    COL_OWNER,
    COL_REASON,
    COL_ERROR
};

static const struct {
    const char *name;
    int column;
    bool right, give;
} own[] = {
    {"id", COL_ID, true, false},
    {"state", COL_STATE, false, false},
    {"last-state", COL_LAST_STATE, false, false},
    {"recv-q", COL_RECV_Q, true, false},
    {"send-q", COL_SEND_Q, true, false},
    {"local", COL_LOCAL, false, false},
    {"peer", COL_PEER, false, false},
    {"remote", COL_PEER, false, false},
    {"label", COL_LABEL, false, true},
    {"owner", COL_OWNER, false, true},
    {"reason", COL_REASON, false, true},
    {"error", COL_ERROR, false, false},
};

static bool add_column(struct columns *c, const char *name)
{
    size_t n = c->count;
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
        if (strcasecmp(name, own[i].name) == 0) {
            c->field[n] = own[i].column;
            c->column[n] = (struct column){.right = own[i].right, .give = own[i].give};
            return true;
        }
    }
    int field = ackd_field_find(name);
    if (field < 0) {
        return false;
    }
    const struct ackd_field *f = ackd_field_at((size_t)field);
    c->field[n] = field;
    c->column[n] = (struct column){.right = f && strchr("ui", f->type[0]) != NULL};
    c->full = true;
    return true;
}

bool columns_parse(const char *list, struct columns *c, char wrong[40])
{
    memset(c, 0, sizeof *c);
    while (*list) {
        char name[32];
        size_t length = strcspn(list, ",");
        snprintf(wrong, 40, "%.*s", (int)(length < 39 ? length : 39), list);
        if (length == 0 || length >= sizeof name || c->count == TABLE_COLUMNS_MAX) {
            return false;
        }
        memcpy(name, list, length);
        name[length] = 0;
        if (!add_column(c, name)) {
            return false;
        }
        for (size_t i = 0; i <= length; i++) {
            c->titles[c->count][i] =
                (char)(name[i] >= 'a' && name[i] <= 'z' ? name[i] - 32 : name[i]);
        }
        c->column[c->count].title = c->titles[c->count];
        c->count++;
        list += length + (list[length] == ',');
    }
    return c->count > 0;
}

char *owner_format(const struct ackd_connection *row, char text[96])
{
    if (*row->service) {
        snprintf(text, 96, "%s", row->service);
    } else if (row->owner.pid || *row->owner.command) {
        snprintf(text, 96, "%s[%" PRIu32 "]", row->owner.command, row->owner.pid);
    } else {
        snprintf(text, 96, "-");
    }
    return text;
}

/* "REFUSED", without the prefix that the schema needs. */
static const char *close_reason_name(enum ackd_close_reason reason)
{
    const char *name = reason ? ackd_enum_name(ACKD_ENUM_CLOSE_REASON, reason) : "";
    return !name ? "UNKNOWN" : strncmp(name, "CLOSE_", 6) == 0 ? name + 6 : name;
}

/* Cells are copied, not formatted: a listing has millions of them, and printf takes longer than all
 * else together. */
enum { CELL = 128 };

static void say_at(char text[CELL], size_t at, const char *what)
{
    size_t length = strnlen(what, CELL - 1 - at);
    memcpy(text + at, what, length);
    text[at + length] = 0;
}

static void say(char text[CELL], const char *what)
{
    say_at(text, 0, what);
}

static void say_label(char text[CELL], const char *label)
{
    text[0] = '@';
    say_at(text, *label != 0, label);
}

static void say_number(char text[CELL], uint64_t n)
{
    char digits[24], *at = digits + sizeof digits - 1;
    *at = 0;
    do {
        *--at = (char)('0' + n % 10);
        n /= 10;
    } while (n);
    say(text, at);
}

static void cell(const struct ackd_connection *row, int column, char text[CELL])
{
    char endpoint[HOSTPORT_TEXT], owner[96];
    switch (column) {
    case COL_ID:
        say_number(text, row->id);
        break;
    case COL_STATE:
        say(text, ackd_state_name(row->state));
        break;
    case COL_LAST_STATE:
        say(text, ackd_state_name(row->last_state));
        break;
    case COL_RECV_Q:
        say_number(text, row->recv_q_bytes);
        break;
    case COL_SEND_Q:
        say_number(text, row->send_q_bytes);
        break;
    case COL_LOCAL:
        say(text, hostport_format(row->local.address, row->local.port, endpoint));
        break;
    case COL_PEER:
        say(text, hostport_format(row->remote.address, row->remote.port, endpoint));
        break;
    case COL_LABEL:
        say_label(text, row->label);
        break;
    case COL_OWNER:
        say(text, *row->service ? row->service : owner_format(row, owner));
        break;
    case COL_REASON:
        say(text, close_reason_name(row->close_reason));
        break;
    case COL_ERROR:
        say(text, row->error);
        break;
    default:
        if (ackd_field_value(row->message, column, text, CELL) < 0) {
            say(text, "-");
        }
    }
}

struct remark {
    char text[1024];
    size_t used;
};

__attribute__((format(printf, 2, 3))) static void put(struct remark *r, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    int n = vsnprintf(r->text + r->used, sizeof r->text - r->used, format, list);
    va_end(list);
    r->used += n < 0                                  ? 0
               : (size_t)n < sizeof r->text - r->used ? (size_t)n
                                                      : sizeof r->text - r->used - 1;
}

static void put_timer(struct remark *r, const char *name, bool has, int64_t deadline_ns,
                      int64_t now_ns, uint32_t count)
{
    char text[UNITS_TEXT];
    if (has) {
        put(r, " timer:(%s,%s,%" PRIu32 ")", name, timer_format(deadline_ns - now_ns, text), count);
    }
}

/* ss shows the one timer of a kernel socket; here several can run, each is shown. */
static void put_timers(struct remark *r, const struct ackd_connection *c, int64_t now_ns)
{
    put_timer(r, "on", c->has_rto_deadline_ns, c->rto_deadline_ns, now_ns, c->backoff);
    put_timer(r, "persist", c->has_persist_deadline_ns, c->persist_deadline_ns, now_ns, c->backoff);
    put_timer(r, "delack", c->has_delack_deadline_ns, c->delack_deadline_ns, now_ns, 0);
    put_timer(r, "keepalive", c->has_keepalive_deadline_ns, c->keepalive_deadline_ns, now_ns,
              c->keepalive_probes);
    put_timer(r, "usertimeout", c->has_user_timeout_deadline_ns, c->user_timeout_deadline_ns,
              now_ns, 0);
    put_timer(r, c->state == ACKD_STATE_FIN_WAIT_2 ? "finwait2" : "timewait",
              c->has_time_wait_deadline_ns, c->time_wait_deadline_ns, now_ns, 0);
}

static void put_extended(struct remark *r, const struct ackd_connection *c)
{
    put(r, " uid:%" PRIu32, c->owner.uid);
    if (c->session_id) {
        put(r, " session:%" PRIu64, c->session_id);
    }
    if (c->detached) {
        put(r, " detached");
    }
    if (c->listener_id) {
        put(r, " listener:%" PRIu64, c->listener_id);
    }
}

static void put_rtt(struct remark *r, const struct ackd_connection *c)
{
    if (c->has_srtt_ns) {
        put(r, " rtt:%.3g", (double)c->srtt_ns / 1e6);
        if (c->has_rttvar_ns) {
            put(r, "/%.3g", (double)c->rttvar_ns / 1e6);
        }
    }
    if (c->has_min_rtt_ns) {
        put(r, " minrtt:%.3g", (double)c->min_rtt_ns / 1e6);
    }
}

/* rto, rtt and minrtt in ms, as ss has them. */
static void put_internal(struct remark *r, const struct ackd_connection *c)
{
    put(r, "%s%s%s", c->timestamps_ok ? " ts" : "", c->sack_ok ? " sack" : "",
        c->accecn_ok ? " accecn"
        : c->ecn_ok  ? " ecn"
                     : "");
    put(r, "%s", c->ecn_mangled ? " ecn_mangled" : c->ect_stopped ? " ect_stopped" : "");
    if (c->wscale_ok) {
        put(r, " wscale:%" PRIu32 ",%" PRIu32, c->snd_wscale, c->rcv_wscale);
    }
    put(r, " rto:%.4g", (double)c->rto_ns / 1e6);
    if (c->backoff) {
        put(r, " backoff:%" PRIu32, c->backoff);
    }
    put_rtt(r, c);
    put(r,
        " mss:%" PRIu32 " pmtu:%" PRIu32 " rcvmss:%" PRIu32 " advmss:%" PRIu32
        " cwnd_bytes:%" PRIu32,
        c->snd_mss_bytes, c->path_mtu_bytes, c->peer_mss_bytes, c->adv_mss_bytes, c->cwnd_bytes);
    if (c->ssthresh_bytes != UINT32_MAX) {
        put(r, " ssthresh_bytes:%" PRIu32, c->ssthresh_bytes);
    }
    put(r,
        " bytes_sent:%" PRIu64 " bytes_retrans:%" PRIu64 " bytes_acked:%" PRIu64
        " bytes_received:%" PRIu64,
        c->bytes_sent, c->bytes_retransmitted, c->bytes_acked, c->bytes_received);
    put(r, " segs_out:%" PRIu64 " segs_in:%" PRIu64 " retrans:%" PRIu64, c->segs_out, c->segs_in,
        c->retransmits);
    if (c->bytes_in_flight) {
        put(r, " in_flight:%" PRIu32, c->bytes_in_flight);
    }
    if (c->sacked_bytes || c->lost_bytes) {
        put(r, " sacked:%" PRIu32 " lost:%" PRIu32, c->sacked_bytes, c->lost_bytes);
    }
    if (c->ooo_bytes) {
        put(r, " rcv_ooo:%" PRIu32, c->ooo_bytes);
    }
    put(r, " rcv_space:%" PRIu32 " snd_wnd:%" PRIu32 " rcv_wnd:%" PRIu32, c->rcv_space_bytes,
        c->snd_wnd, c->rcv_wnd);
    const char *limit =
        c->limit_reason ? ackd_enum_name(ACKD_ENUM_LIMIT_REASON, c->limit_reason) : NULL;
    if (limit) {
        put(r, " limited:%s", strncmp(limit, "LIMIT_", 6) == 0 ? limit + 6 : limit);
    }
}

static void put_extras(struct remark *r, const struct ackd_connection *c, const struct extras *e)
{
    if (e->processes && c->owner.pid) {
        put(r, " users:((\"%s\",pid=%" PRIu32 "))", c->owner.command, c->owner.pid);
    }
    if (e->timers) {
        put_timers(r, c, e->now_ns);
    }
    if (e->extended) {
        put_extended(r, c);
    }
    bool listens = c->state == ACKD_STATE_LISTEN; /* its queues count connections, not bytes */
    if (e->memory || (e->internal && !listens)) {
        put(r, "%s", e->one_line ? "" : "\n\t");
    }
    if (e->memory) {
        put(r, " skmem:(r%" PRIu32 ",rb%" PRIu32 ",t%" PRIu32 ",tb%" PRIu32 ",o%" PRIu32 ")",
            listens ? 0 : c->recv_q_bytes, c->rcv_buffer_bytes, listens ? 0 : c->send_q_bytes,
            c->snd_buffer_bytes, c->ooo_bytes);
    }
    if (e->internal && !listens) {
        put_internal(r, c);
    }
}

void rows_add(struct table *table, const struct columns *columns, const struct ackd_connection *row,
              const struct extras *extras)
{
    char text[TABLE_COLUMNS_MAX][CELL];
    const char *cells[TABLE_COLUMNS_MAX];
    struct remark remark;
    remark.text[0] = 0;
    remark.used = 0;
    for (size_t i = 0; i < columns->count; i++) {
        cell(row, columns->field[i], text[i]);
        cells[i] = text[i];
    }
    if (extras) {
        put_extras(&remark, row, extras);
    }
    table_row(table, cells, remark.text[0] == ' ' ? remark.text + 1 : remark.text);
}

static const struct column candidate_columns[] = {{"ID", true, false},     {"STATE", false, false},
                                                  {"LOCAL", false, false}, {"PEER", false, false},
                                                  {"LABEL", false, false}, {"OWNER", false, false}};
static const int candidate_cells[] = {COL_ID, COL_STATE, COL_LOCAL, COL_PEER, COL_LABEL, COL_OWNER};

void rows_begin_candidates(struct table *table)
{
    table_discard(table);
    table_init(table, candidate_columns, 6);
}

void rows_add_candidate(struct table *table, const struct ackd_connection *row)
{
    char text[6][CELL];
    const char *cells[6];
    for (size_t i = 0; i < 6; i++) {
        cell(row, candidate_cells[i], text[i]);
        cells[i] = text[i];
    }
    table_row(table, cells, NULL);
}

/* ss's filters (the grammar is in filter.h; `and` binds tighter than `or`, and may be left out). A
 * recursive-descent parser makes nodes in one array; nothing recurses deeper than DEPTH_MAX,
 * whatever the user nests. */
#include "filter.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "states.h"
#include "units.h"

#define NODES_MAX 256
#define TOKEN_MAX 80
#define DEPTH_MAX 64

enum op { OP_EQ, OP_NE, OP_LT, OP_GT, OP_LE, OP_GE };

enum kind {
    NODE_ALL, /* everything matches */
    NODE_AND,
    NODE_OR,
    NODE_NOT,
    NODE_STATES,
    NODE_PORT,
    NODE_HOST,
    NODE_NUMBER,
    NODE_TEXT,
};

struct node {
    enum kind kind;
    enum op op;
    bool remote; /* PORT and HOST: which side */
    uint16_t left, right;
    uint32_t states;
    int64_t value;
    struct net_addr addr;
    unsigned bits;
    char name[40], text[TOKEN_MAX];
};

struct filter {
    const struct filter_fields *fields;
    uint16_t root, count;
    struct node nodes[NODES_MAX];
};

struct parser {
    struct filter *filter;
    const char *at;
    char token[TOKEN_MAX]; /* empty: the end */
    bool failed;
    int depth;
    char *error;
    size_t error_size;
};

__attribute__((format(printf, 2, 3))) static uint16_t fail(struct parser *p, const char *format,
                                                           ...)
{
    if (!p->failed) {
        va_list list;
        va_start(list, format);
        vsnprintf(p->error, p->error_size, format, list);
        va_end(list);
    }
    p->failed = true;
    p->token[0] = 0;
    return 0;
}

/* One token: a parenthesis, an operator of one or two signs, or a word. */
static void advance(struct parser *p)
{
    static const char signs[] = "=!<>&|";
    size_t n = 0;
    p->at += strspn(p->at, " \t\n");
    if (*p->at == '(' || *p->at == ')') {
        n = 1;
    } else if (*p->at && strchr(signs, *p->at)) {
        n = p->at[1] && strchr("=&|", p->at[1]) && (p->at[1] == '=' || p->at[1] == p->at[0]) ? 2
                                                                                             : 1;
    } else {
        n = strcspn(p->at, " \t\n()=!<>&|");
    }
    if (n >= TOKEN_MAX) {
        fail(p, "a word of the filter is too long: %.40s...", p->at);
        return;
    }
    memcpy(p->token, p->at, n);
    p->token[n] = 0;
    p->at += n;
}

static bool is_one_of(const char *word, const char *const *words)
{
    for (; *words; words++) {
        if (strcmp(word, *words) == 0) {
            return true;
        }
    }
    return false;
}

/* Takes the token when it is one of these words. */
static bool take(struct parser *p, const char *const *words)
{
    if (!p->token[0] || !is_one_of(p->token, words)) {
        return false;
    }
    advance(p);
    return true;
}

static const char *const word_or[] = {"or", "|", "||", NULL};
static const char *const word_and[] = {"and", "&", "&&", NULL};
static const char *const word_not[] = {"not", "!", NULL};

static bool take_op(struct parser *p, enum op *op)
{
    static const struct {
        const char *word;
        enum op op;
    } ops[] = {{"=", OP_EQ},   {"==", OP_EQ}, {"eq", OP_EQ}, {"!=", OP_NE}, {"ne", OP_NE},
               {"neq", OP_NE}, {"<", OP_LT},  {"lt", OP_LT}, {">", OP_GT},  {"gt", OP_GT},
               {"<=", OP_LE},  {"le", OP_LE}, {">=", OP_GE}, {"ge", OP_GE}};
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        if (strcmp(p->token, ops[i].word) == 0) {
            *op = ops[i].op;
            advance(p);
            return true;
        }
    }
    return false;
}

static uint16_t new_node(struct parser *p, enum kind kind)
{
    struct filter *f = p->filter;
    if (f->count >= NODES_MAX) {
        return fail(p, "the filter has more than %d parts", NODES_MAX);
    }
    memset(&f->nodes[f->count], 0, sizeof f->nodes[0]);
    f->nodes[f->count].kind = kind;
    return f->count++;
}

static uint16_t join(struct parser *p, enum kind kind, uint16_t left, uint16_t right)
{
    uint16_t n = new_node(p, kind);
    p->filter->nodes[n].left = left;
    p->filter->nodes[n].right = right;
    return n;
}

static uint16_t parse_states(struct parser *p)
{
    static const char *const word_state[] = {"state", NULL}, *const word_exclude[] = {"exclude",
                                                                                      NULL};
    uint32_t states = strcmp(p->token, "exclude") == 0 ? STATES_ALL : 0;
    for (;;) {
        bool add = take(p, word_state);
        if (!add && !take(p, word_exclude)) {
            break;
        }
        uint32_t named = states_parse(p->token);
        if (!named) {
            return fail(p, "no state or group of states is called '%s'", p->token);
        }
        states = add ? states | named : states & ~named;
        advance(p);
    }
    uint16_t n = new_node(p, NODE_STATES);
    p->filter->nodes[n].states = states;
    return n;
}

static uint16_t port_node(struct parser *p, bool remote, enum op op, const char *text)
{
    uint16_t port;
    if (!port_parse(text, &port)) {
        return fail(p, "'%s' is no port", text);
    }
    uint16_t n = new_node(p, NODE_PORT);
    p->filter->nodes[n].remote = remote;
    p->filter->nodes[n].op = op;
    p->filter->nodes[n].value = port;
    return n;
}

static uint16_t parse_port(struct parser *p, bool remote)
{
    enum op op = OP_EQ;
    advance(p);
    take_op(p, &op);
    const char *text = p->token[0] == ':' ? p->token + 1 : p->token;
    uint16_t n = port_node(p, remote, op, text);
    advance(p);
    return n;
}

static uint16_t host_node(struct parser *p, bool remote, const char *host)
{
    char bare[TOKEN_MAX];
    snprintf(bare, sizeof bare, "%s", host);
    char *slash = strchr(bare, '/');
    uint64_t bits;
    struct net_addr addr;
    if (slash) {
        *slash = 0;
    }
    if (!net_addr_parse(bare, &addr)) {
        return fail(p, "'%s' is no address", bare);
    }
    unsigned most = addr.family == 4 ? 32 : addr.family == 6 ? 128 : 0;
    bits = most;
    if (slash && !number_parse(slash + 1, most, &bits)) {
        return fail(p, "'/%s' is no prefix length (0..%u)", slash + 1, most);
    }
    uint16_t n = new_node(p, NODE_HOST);
    p->filter->nodes[n].remote = remote;
    p->filter->nodes[n].addr = addr;
    p->filter->nodes[n].bits = (unsigned)bits;
    return n;
}

/* ADDR, ADDR/LEN, ADDR:PORT, ADDR/LEN:PORT, [V6]/LEN:PORT, :PORT on one side. */
static uint16_t endpoint_node(struct parser *p, bool remote, const char *text)
{
    char host[TOKEN_MAX];
    const char *port;
    const char *bracket = strchr(text, ']');
    if (bracket && bracket[1] == '/') { /* the length belongs to the address inside the brackets */
        size_t length = strcspn(bracket + 1, ":");
        snprintf(host, sizeof host, "%.*s%.*s", (int)(bracket - text - 1), text + 1, (int)length,
                 bracket + 1);
        port = bracket[1 + length] ? bracket + 2 + length : "";
    } else if (!hostport_split(text, host, sizeof host, &port)) {
        return fail(p, "'%s' is no address", text);
    }
    bool any_host = !*host || strcmp(host, "*") == 0, any_port = !*port || strcmp(port, "*") == 0;
    if (any_port) {
        return host_node(p, remote, host);
    }
    uint16_t n = port_node(p, remote, OP_EQ, port);
    return any_host ? n : join(p, NODE_AND, host_node(p, remote, host), n);
}

static uint16_t parse_host(struct parser *p, bool remote)
{
    enum op op = OP_EQ;
    advance(p);
    if (take_op(p, &op) && op != OP_EQ && op != OP_NE) {
        return fail(p, "addresses are equal or not: use = or !=");
    }
    if (!p->token[0]) {
        return fail(p, "an address is missing at the end of the filter");
    }
    uint16_t n = endpoint_node(p, remote, p->token);
    advance(p);
    return op == OP_NE ? join(p, NODE_NOT, n, 0) : n;
}

static const char *const text_names[] = {"label", "command", "owner", "service", NULL};
static const char *const number_names[] = {"id", "uid", "listener", "listener_id", NULL};

/* "srtt_ns > 5ms", but a bare number counts in the field's unit. */
static bool parse_value(const char *text, bool timed, int64_t *value)
{
    uint64_t number;
    if (size_parse(text, &number)) {
        *value = number > INT64_MAX ? INT64_MAX : (int64_t)number;
        return true;
    }
    return timed && duration_parse(text, value);
}

static uint16_t parse_field(struct parser *p)
{
    char name[40];
    enum op op;
    snprintf(name, sizeof name, "%.39s", p->token);
    bool is_text = is_one_of(name, text_names);
    advance(p);
    if (!take_op(p, &op)) {
        return fail(p, "'%s' needs a comparison and a value, such as %s = 1", name, name);
    }
    uint16_t n = new_node(p, is_text ? NODE_TEXT : NODE_NUMBER);
    struct node *node = &p->filter->nodes[n];
    bool timed = strlen(name) > 3 && strcmp(name + strlen(name) - 3, "_ns") == 0;
    node->op = op;
    snprintf(node->name, sizeof node->name, "%s",
             strcmp(name, "listener") == 0 ? "listener_id" : name);
    snprintf(node->text, sizeof node->text, "%s", p->token);
    if (is_text && op != OP_EQ && op != OP_NE) {
        return fail(p, "text is equal or not: use = or !=");
    }
    if (!is_text && !parse_value(p->token, timed, &node->value)) {
        return fail(p, "'%s' is no number", p->token);
    }
    advance(p);
    return n;
}

/* ID, @LABEL, :PORT, LOCAL>PEER. */
static uint16_t parse_selector(struct parser *p)
{
    char first[TOKEN_MAX];
    uint64_t id;
    snprintf(first, sizeof first, "%s", p->token);
    advance(p);
    if (strcmp(p->token, ">") == 0) {
        advance(p);
        uint16_t local = endpoint_node(p, false, first), remote = endpoint_node(p, true, p->token);
        advance(p);
        return join(p, NODE_AND, local, remote);
    }
    if (first[0] == '@') {
        uint16_t n = new_node(p, NODE_TEXT);
        memcpy(p->filter->nodes[n].name, "label", 6);
        snprintf(p->filter->nodes[n].text, TOKEN_MAX, "%s", first + 1);
        return n;
    }
    if (number_parse(first, INT64_MAX, &id)) {
        uint16_t n = new_node(p, NODE_NUMBER);
        memcpy(p->filter->nodes[n].name, "id", 3);
        p->filter->nodes[n].value = (int64_t)id;
        return n;
    }
    if (strchr(first, ':') || strchr(first, '.')) {
        return join(p, NODE_OR, endpoint_node(p, false, first), endpoint_node(p, true, first));
    }
    return fail(p, "'%s' means nothing in a filter", first);
}

static uint16_t parse_or(struct parser *p);

static uint16_t parse_test(struct parser *p)
{
    static const char *const open[] = {"(", NULL}, *const close[] = {")", NULL};
    if (take(p, open)) {
        uint16_t n = parse_or(p);
        return take(p, close) ? n : fail(p, "a ) is missing");
    }
    if (!p->token[0]) {
        return fail(p, "the filter ends where a test should be");
    }
    if (strcmp(p->token, "all") == 0) {
        advance(p);
        return new_node(p, NODE_ALL);
    }
    if (strcmp(p->token, "state") == 0 || strcmp(p->token, "exclude") == 0) {
        return parse_states(p);
    }
    if (strcmp(p->token, "sport") == 0 || strcmp(p->token, "dport") == 0) {
        return parse_port(p, p->token[0] == 'd');
    }
    if (strcmp(p->token, "src") == 0 || strcmp(p->token, "dst") == 0) {
        return parse_host(p, p->token[0] == 'd');
    }
    if (is_one_of(p->token, text_names) || is_one_of(p->token, number_names) ||
        p->filter->fields->known(p->token)) {
        return parse_field(p);
    }
    return parse_selector(p);
}

static uint16_t parse_not(struct parser *p)
{
    bool negate = false;
    while (take(p, word_not)) {
        negate = !negate;
    }
    if (++p->depth > DEPTH_MAX) {
        return fail(p, "the filter nests deeper than %d", DEPTH_MAX);
    }
    uint16_t n = parse_test(p);
    p->depth--;
    return negate ? join(p, NODE_NOT, n, 0) : n;
}

static uint16_t parse_and(struct parser *p)
{
    uint16_t n = parse_not(p);
    while (!p->failed && p->token[0] && strcmp(p->token, ")") != 0 &&
           !is_one_of(p->token, word_or)) {
        take(p, word_and);
        n = join(p, NODE_AND, n, parse_not(p));
    }
    return n;
}

static uint16_t parse_or(struct parser *p)
{
    uint16_t n = parse_and(p);
    while (!p->failed && take(p, word_or)) {
        n = join(p, NODE_OR, n, parse_and(p));
    }
    return n;
}

static char *join_words(const char *const *words, size_t count)
{
    size_t length = 1;
    for (size_t i = 0; i < count; i++) {
        length += strlen(words[i]) + 1;
    }
    char *text = malloc(length), *end = text;
    for (size_t i = 0; text && i < count; i++) {
        end = stpcpy(end, words[i]);
        *end++ = ' ';
    }
    if (text) {
        *end = 0;
    }
    return text;
}

struct filter *filter_parse(const char *const *words, size_t count,
                            const struct filter_fields *fields, char *error, size_t error_size)
{
    struct filter *filter = calloc(1, sizeof *filter);
    char *text = join_words(words, count);
    if (!filter || !text) {
        snprintf(error, error_size, "out of memory");
        free(filter);
        free(text);
        return NULL;
    }
    struct parser p = {.filter = filter, .at = text, .error = error, .error_size = error_size};
    filter->fields = fields;
    advance(&p);
    if (p.token[0]) {
        filter->root = parse_or(&p);
        if (!p.failed && p.token[0]) {
            fail(&p, "'%s' is one too many", p.token);
        }
    } else if (!p.failed) {
        filter->root = new_node(&p, NODE_ALL);
    }
    free(text);
    if (p.failed) {
        free(filter);
        return NULL;
    }
    return filter;
}

void filter_free(struct filter *filter)
{
    free(filter);
}

static bool compare(int64_t a, enum op op, int64_t b)
{
    switch (op) {
    case OP_EQ:
        return a == b;
    case OP_NE:
        return a != b;
    case OP_LT:
        return a < b;
    case OP_GT:
        return a > b;
    case OP_LE:
        return a <= b;
    case OP_GE:
        return a >= b;
    }
    return false;
}

/* What a test may come to. With a partial row some tests cannot be decided, and then `not` cannot
 * decide either. */
enum truth { NO, MAYBE, YES };

static enum truth truth(bool value)
{
    return value ? YES : NO;
}

static enum truth match_number(const struct filter *f, const struct node *n,
                               const struct filter_row *row)
{
    int64_t value;
    if (strcmp(n->name, "id") == 0) {
        value = (int64_t)row->id;
    } else if (row->partial) {
        return MAYBE;
    } else if (strcmp(n->name, "listener_id") == 0) {
        value = (int64_t)row->listener_id;
    } else if (strcmp(n->name, "uid") == 0) {
        if (!row->uid_known) {
            return NO;
        }
        value = row->uid;
    } else if (!f->fields->value(row->fields, n->name, &value)) {
        return NO;
    }
    return truth(compare(value, n->op, n->value));
}

static enum truth match_text(const struct node *n, const struct filter_row *row)
{
    if (row->partial) {
        return MAYBE;
    }
    const char *text = n->name[0] == 'l'   ? row->label
                       : n->name[0] == 's' ? row->service
                                           : row->command;
    return truth((strcmp(text, n->text) == 0) == (n->op == OP_EQ));
}

static enum truth match_node(const struct filter *f, uint16_t index, const struct filter_row *row)
{
    const struct node *n = &f->nodes[index];
    enum truth left, right;
    switch (n->kind) {
    case NODE_ALL:
        return YES;
    case NODE_AND:
        left = match_node(f, n->left, row);
        right = left == NO ? NO : match_node(f, n->right, row);
        return left < right ? left : right;
    case NODE_OR:
        left = match_node(f, n->left, row);
        right = left == YES ? YES : match_node(f, n->right, row);
        return left > right ? left : right;
    case NODE_NOT:
        return (enum truth)(YES - match_node(f, n->left, row));
    case NODE_STATES:
        return truth(row->state > 0 && row->state < 32 && (n->states & STATE_BIT(row->state)));
    case NODE_PORT:
        return truth(compare(n->remote ? row->remote_port : row->local_port, n->op, n->value));
    case NODE_HOST:
        return truth(net_addr_within(n->remote ? &row->remote : &row->local, &n->addr, n->bits));
    case NODE_NUMBER:
        return match_number(f, n, row);
    case NODE_TEXT:
        return match_text(n, row);
    }
    return NO;
}

bool filter_match(const struct filter *filter, const struct filter_row *row)
{
    return match_node(filter, filter->root, row) != NO;
}

bool filter_needs_fields(const struct filter *filter)
{
    for (uint16_t i = 0; i < filter->count; i++) {
        if (filter->nodes[i].kind == NODE_NUMBER &&
            !is_one_of(filter->nodes[i].name, number_names)) {
            return true;
        }
    }
    return false;
}

bool filter_needs_addresses(const struct filter *filter)
{
    for (uint16_t i = 0; i < filter->count; i++) {
        if (filter->nodes[i].kind == NODE_HOST) {
            return true;
        }
    }
    return false;
}

static void push_port(const struct node *n, struct filter_hint *hint)
{
    uint16_t *first = n->remote ? &hint->remote_first : &hint->local_first;
    uint16_t *last = n->remote ? &hint->remote_last : &hint->local_last;
    int64_t low = n->op == OP_EQ || n->op == OP_GE ? n->value : n->op == OP_GT ? n->value + 1 : 0;
    int64_t high = n->op == OP_EQ || n->op == OP_LE ? n->value
                   : n->op == OP_LT                 ? n->value - 1
                                                    : 65535;
    if (low > *first) {
        *first = (uint16_t)(low > 65535 ? 65535 : low);
    }
    if (high < *last) {
        *last = (uint16_t)(high < 0 ? 0 : high);
    }
    hint->impossible |= low > 65535 || high < 0 || *first > *last;
}

static void push_number(const struct node *n, struct filter_hint *hint)
{
    if (n->op != OP_EQ) {
        return;
    }
    if (strcmp(n->name, "id") == 0) {
        hint->id = (uint64_t)n->value;
    } else if (strcmp(n->name, "listener_id") == 0) {
        hint->listener_id = (uint64_t)n->value;
    } else if (strcmp(n->name, "uid") == 0 && n->value <= UINT32_MAX) {
        hint->uid_known = true;
        hint->uid = (uint32_t)n->value;
    }
}

/* Only what stands on a path of `and`s from the root holds of every match. */
static void push_node(const struct filter *f, uint16_t index, struct filter_hint *hint)
{
    const struct node *n = &f->nodes[index];
    switch (n->kind) {
    case NODE_AND:
        push_node(f, n->left, hint);
        push_node(f, n->right, hint);
        break;
    case NODE_STATES:
        hint->states &= n->states;
        hint->impossible |= !hint->states;
        break;
    case NODE_PORT:
        push_port(n, hint);
        break;
    case NODE_HOST:
        if (n->remote) {
            hint->remote = n->addr;
            hint->remote_bits = n->bits;
        } else {
            hint->local = n->addr;
            hint->local_bits = n->bits;
        }
        break;
    case NODE_NUMBER:
        push_number(n, hint);
        break;
    case NODE_TEXT:
        if (n->op == OP_EQ && strcmp(n->name, "label") == 0) {
            snprintf(hint->label, sizeof hint->label, "%.63s", n->text);
        }
        break;
    case NODE_ALL:
    case NODE_OR:
    case NODE_NOT:
        break;
    }
}

void filter_push_down(const struct filter *filter, struct filter_hint *hint)
{
    memset(hint, 0, sizeof *hint);
    hint->states = STATES_ALL;
    hint->local_last = hint->remote_last = 65535;
    push_node(filter, filter->root, hint);
}

static bool is_pushed(const struct filter *f, uint16_t index)
{
    const struct node *n = &f->nodes[index];
    switch (n->kind) {
    case NODE_AND:
        return is_pushed(f, n->left) && is_pushed(f, n->right);
    case NODE_ALL:
    case NODE_STATES:
    case NODE_HOST:
        return true;
    case NODE_PORT:
        return n->op != OP_NE;
    case NODE_NUMBER:
        return n->op == OP_EQ && is_one_of(n->name, number_names);
    case NODE_TEXT:
        return n->op == OP_EQ && strcmp(n->name, "label") == 0;
    case NODE_OR:
    case NODE_NOT:
        return false;
    }
    return false;
}

bool filter_is_pushed_whole(const struct filter *filter)
{
    return is_pushed(filter, filter->root);
}

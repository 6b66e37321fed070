/* What a row of a listing costs in instructions: `cost-rows TRACE`, as cost.c, for Inspect.List
 * with view BASIC and FULL. The handlers run on the real engine between the doubles of their unit
 * tests; what counts is a page from the request to its packed message. */
#include "harness.h"

#include <stdio.h>
#include <valgrind/callgrind.h>

enum { CONNECTIONS = 64, ROUNDS = 1, PORT = 80 };

/* A page is what one turn of the loop packs, so that all of it lies within one call. */
static const struct trace {
    const char *name;
    Ackd__V1__View view;
    unsigned rows;
} traces[] = {
    {"rows-brief", ACKD__V1__VIEW__VIEW_BASIC, ROWS_BASIC},
    {"rows-full", ACKD__V1__VIEW__VIEW_FULL, ROWS_FULL},
};

/* The next page behind `after`; returns its last id and adds its rows. */
static uint64_t page(const struct trace *t, uint64_t after, unsigned *rows)
{
    Ackd__V1__ListRequest m = ACKD__V1__LIST_REQUEST__INIT;
    struct grpc_call *call = call_begin("/ackd.v1.Inspect/List");
    m.view = t->view;
    m.limit = t->rows;
    m.page_after_id = after;
    CALLGRIND_TOGGLE_COLLECT;
    call->method->on_message(call, &m.base, 0);
    CALLGRIND_TOGGLE_COLLECT;
    assert_true(call->over && call->code == GRPC_OK);
    Ackd__V1__ListResponse *r = call_reply(call);
    uint64_t last = r->n_connections ? r->connections[r->n_connections - 1]->id : 0;
    *rows += (unsigned)r->n_connections;
    reply_free(r);
    call_free(call);
    return last;
}

/* Pages that are not full are left out: what a call costs beside its rows weighs more there. */
static unsigned list(const struct trace *t, unsigned rounds)
{
    unsigned rows = 0;
    for (unsigned i = 0; i < rounds; i++) {
        uint64_t after = 0;
        for (unsigned got = 0; got + t->rows <= 2 * CONNECTIONS; got += t->rows) {
            after = page(t, after, &rows);
        }
    }
    return rows;
}

static void run_trace(const struct trace *t)
{
    world_setup(NULL);
    uint64_t listener = make_listener(PORT, CONNECTIONS), accepted;
    for (unsigned i = 0; i < CONNECTIONS; i++) {
        uint64_t id = make_connection(PORT, listener, &accepted);
        send_text(id, 0, "what a row costs");
    }
    list(t, 1);
    CALLGRIND_START_INSTRUMENTATION;
    printf("%u\n", list(t, ROUNDS));
    fflush(stdout);
    exit(0); /* the connections are still there */
}

int main(int argc, char **argv)
{
    for (size_t i = 0; i < sizeof traces / sizeof traces[0]; i++) {
        if (argc == 2 && strcmp(argv[1], "--list") == 0) {
            printf("%s row\n", traces[i].name);
        } else if (argc == 2 && strcmp(argv[1], traces[i].name) == 0) {
            run_trace(&traces[i]);
        }
    }
    return 0;
}

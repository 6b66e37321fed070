/* Errors as programs see them: errno name, reason and metadata. That every error of every test has
 * a well-formed reason is the harness's own check (check_error). */
#include "harness.h"

#include "rpc/errors.h"

/* Every errno that a system call or the engine may answer has a name, a reason and a code that no
 * client retries. */
static void every_errno(void **state)
{
    (void)state;
    for (int error = 1; error < 134; error++) {
        const char *reason = errno_reason(error);
        enum grpc_code code = errno_code(error);
        assert_true(strlen(reason) >= 3);
        assert_int_equal(strspn(reason, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_"), strlen(reason));
        assert_true(code != GRPC_OK && code != GRPC_UNAVAILABLE && code != GRPC_DEADLINE_EXCEEDED);
        assert_int_equal(code == GRPC_INTERNAL, strcmp(reason, "INTERNAL") == 0);
    }
    assert_string_equal(errno_reason(ECONNREFUSED), "CONNECTION_REFUSED");
}

static Ackd__V1__Ownership own;
static Ackd__V1__Endpoint remote, local;

static void invalid(const char *path, const void *request, const char *field)
{
    expect_reason(ask_error(path, request, GRPC_INVALID_ARGUMENT, "EINVAL"), "INVALID_FIELD",
                  "field", field);
}

static void fields_of_open_and_listen(void **state)
{
    (void)state;
    static const char open_path[] = "/ackd.v1.Tcp/Open", listen_path[] = "/ackd.v1.Tcp/Listen";
    static char long_text[65];
    memset(long_text, 'x', sizeof long_text - 1);
    Ackd__V1__OpenRequest o = ACKD__V1__OPEN_REQUEST__INIT;
    Ackd__V1__ListenRequest l = ACKD__V1__LISTEN_REQUEST__INIT;
    Ackd__V1__Options options = ACKD__V1__OPTIONS__INIT;
    ackd__v1__endpoint__init(&remote);
    ackd__v1__endpoint__init(&local);
    ackd__v1__ownership__init(&own);
    invalid(open_path, &o, "remote");
    o.remote = &remote;
    remote.address = "nowhere";
    invalid(open_path, &o, "remote.address");
    remote.address = LOCAL4;
    remote.port = 65536;
    invalid(open_path, &o, "remote.port");
    remote.port = 80;
    invalid(open_path, &o, "ownership");
    o.ownership = &own;
    own.kind_case = ACKD__V1__OWNERSHIP__KIND_DETACHED_IDLE_TIMEOUT_MS;
    own.detached_idle_timeout_ms = UINT64_MAX;
    invalid(open_path, &o, "ownership.detached_idle_timeout_ms");
    own.detached_idle_timeout_ms = 0;
    own.label = long_text;
    invalid(open_path, &o, "ownership.label");
    own.label = "";
    o.request_id = long_text;
    invalid(open_path, &o, "request_id");
    o.request_id = "";
    o.options = &options;
    options.dscp_known_case = ACKD__V1__OPTIONS__DSCP_KNOWN_DSCP;
    options.dscp = 64;
    invalid(open_path, &o, "options.dscp");
    l.ownership = &own;
    l.local = &local;
    l.backlog = 65536;
    invalid(listen_path, &l, "backlog");
    l.backlog = 0;
    local.address = "192.0.2.99";
    expect_reason(ask_error(listen_path, &l, GRPC_FAILED_PRECONDITION, "EADDRNOTAVAIL"),
                  "ADDRESS_NOT_OURS", "field", "local");
    local.address = "";
    own.kind_case = ACKD__V1__OWNERSHIP__KIND_SESSION_ID;
    own.session_id = 12345;
    expect_reason(ask_error(listen_path, &l, GRPC_NOT_FOUND, "ENOENT"), "SESSION_UNKNOWN", "field",
                  "session_id");
}

/* The id that means nothing is in the metadata of every user call. */
static void unknown_ids(void **state)
{
    (void)state;
#define ASK(service, Name, NAME)                                                                   \
    {                                                                                              \
        Ackd__V1__##Name##Request m = ACKD__V1__##NAME##_REQUEST__INIT;                            \
        m.id = 4711;                                                                               \
        expect_reason(ask_error("/ackd.v1." service "/" #Name, &m, GRPC_NOT_FOUND, "EBADF"),       \
                      "ENDPOINT_UNKNOWN", "id", "4711");                                           \
    }
    ASK("Tcp", Accept, ACCEPT)
    ASK("Tcp", Send, SEND)
    ASK("Tcp", Receive, RECEIVE)
    ASK("Tcp", Stream, STREAM)
    ASK("Tcp", Close, CLOSE)
    ASK("Tcp", Abort, ABORT)
    ASK("Tcp", SetOptions, SET_OPTIONS)
    ASK("Tcp", Status, STATUS)
    ASK("Inspect", Get, GET)
    ASK("Inspect", Why, WHY)
#undef ASK
    uint64_t listener = make_listener(80, 1);
    Ackd__V1__AbortRequest m = ACKD__V1__ABORT_REQUEST__INIT;
    m.id = listener;
    reply_free(ask("/ackd.v1.Tcp/Abort", &m));
    expect_reason(ask_error("/ackd.v1.Tcp/Abort", &m, GRPC_NOT_FOUND, "EBADF"), "ENDPOINT_RELEASED",
                  "id", NULL);
}

static void outcomes(void **state)
{
    (void)state;
    uint64_t listener = make_listener(80, 8), accepted;
    uint64_t id = make_connection(80, listener, &accepted);
    Ackd__V1__AcceptRequest a = ACKD__V1__ACCEPT_REQUEST__INIT;
    a.id = id;
    expect_reason(ask_error("/ackd.v1.Tcp/Accept", &a, GRPC_INVALID_ARGUMENT, "EINVAL"),
                  "NOT_A_LISTENER", "field", "id");
    Ackd__V1__CloseRequest c = ACKD__V1__CLOSE_REQUEST__INIT;
    c.id = id;
    c.how = ACKD__V1__CLOSE_REQUEST__HOW__HOW_SEND;
    reply_free(ask("/ackd.v1.Tcp/Close", &c));
    Ackd__V1__SendRequest s = ACKD__V1__SEND_REQUEST__INIT;
    s.id = id;
    s.data.data = (uint8_t *)"x";
    s.data.len = 1;
    expect_reason(ask_error("/ackd.v1.Tcp/Send", &s, GRPC_FAILED_PRECONDITION, "EPIPE"),
                  "SEND_CLOSED", "id", NULL);
    s.id = accepted;
    s.offset = 7;
    expect_reason(ask_error("/ackd.v1.Tcp/Send", &s, GRPC_OUT_OF_RANGE, "ERANGE"), "OFFSET_GAP",
                  "field", "offset");
    world.peer.uid = 1000;
    expect_reason(ask_error("/ackd.v1.Tcp/Send", &s, GRPC_PERMISSION_DENIED, "EPERM"), "NOT_OWNER",
                  "id", NULL);
    world.peer.uid = 0;
    Ackd__V1__HoldRequest hold = ACKD__V1__HOLD_REQUEST__INIT;
    struct grpc_call *lab = ask_error("/ackd.v1.Lab/Hold", &hold, GRPC_UNIMPLEMENTED, "ENOSYS");
    expect_reason(lab, "LAB", NULL, NULL);
}

static void of_the_daemon(void **state)
{
    (void)state;
    Ackd__V1__SetLogLevelRequest level = ACKD__V1__SET_LOG_LEVEL_REQUEST__INIT;
    level.level = "loud";
    invalid("/ackd.v1.Daemon/SetLogLevel", &level, "level");
    Ackd__V1__RemoveAddressRequest address = ACKD__V1__REMOVE_ADDRESS_REQUEST__INIT;
    address.address = "192.0.2.99";
    struct grpc_call *call = call_begin("/ackd.v1.Daemon/RemoveAddress");
    call_send(call, &address);
    assert_true(call->over && call->code != GRPC_OK);
    assert_string_equal(call->key, "field");
    assert_string_equal(call->value, "address");
    call_free(call);
    Ackd__V1__CaptureRequest capture = ACKD__V1__CAPTURE_REQUEST__INIT;
    capture.snap_length_bytes = 1;
    invalid("/ackd.v1.Inspect/Capture", &capture, "snap_length_bytes");
    Ackd__V1__WatchRequest watch = ACKD__V1__WATCH_REQUEST__INIT;
    watch.payload_bytes = 65;
    invalid("/ackd.v1.Inspect/Watch", &watch, "payload_bytes");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_errno),
        TEST(fields_of_open_and_listen),
        TEST(unknown_ids),
        TEST(outcomes),
        TEST(of_the_daemon),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

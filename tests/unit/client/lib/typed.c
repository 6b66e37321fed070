/* See typed.h. */
#include "typed.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "ackd/v1/tcp.pb-c.h"

static void note(struct typed *t, const uint8_t *data, size_t length)
{
    ProtobufCMessage *m = protobuf_c_message_unpack(t->input, NULL, length, data);
    assert(m);
    char *json = ackd_json((const struct ackd_message *)m, ACKD_JSON_SHORT);
    snprintf(t->request, sizeof t->request, "%s", json);
    free(json);
    protobuf_c_message_free_unpacked(m, NULL);
}

static void begin_session(struct double_stream *s)
{
    Ackd__V1__SessionEvent e = ACKD__V1__SESSION_EVENT__INIT;
    e.session_id = 41;
    e.token = "secret";
    double_send(s, &e.base);
}

static void on_message(struct double_stream *s, const uint8_t *data, size_t length)
{
    struct typed *t = double_arg(s->server);
    if (strcmp(s->path, t->path) == 0)
        note(t, data, length);
    else if (strcmp(s->path, "/ackd.v1.Tcp/Session") == 0 && ++t->sessions)
        begin_session(s);
    else
        t->wrong++;
}

static void on_half_close(struct double_stream *s)
{
    struct typed *t = double_arg(s->server);
    if (t->reply)
        double_reply(s, t->reply);
    else
        double_finish(s, 5, "no such id", NULL);
}

void typed_start(struct typed *t)
{
    const struct double_script script = {
        .on_message = on_message, .on_half_close = on_half_close, .arg = t};
    int fd;
    *t = (struct typed){.path = ""};
    t->d = double_start(&script, &fd);
    t->a = ackd_connect_fd(fd, NULL);
    assert(t->a);
}

void typed_stop(struct typed *t)
{
    ackd_disconnect(t->a);
    double_stop(t->d);
    assert(t->wrong == 0);
}

void typed_expect(struct typed *t, const char *path, const ProtobufCMessageDescriptor *input,
                  const ProtobufCMessage *reply)
{
    t->path = path;
    t->input = input;
    t->reply = reply;
    t->request[0] = '\0';
}

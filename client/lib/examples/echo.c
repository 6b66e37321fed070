/* An echo server for one connection: listen, accept, send back what comes until the peer closes.
 *
 *     cc echo.c $(pkg-config --cflags --libs libackd) && ./a.out 7777 */
#include <ackd.h>
#include <err.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    struct ackd_error e;
    struct ackd_listen_request where = {.local.port = (uint16_t)atoi(argc > 1 ? argv[1] : "7777")};
    struct ackd_listen_result listener;
    struct ackd_accept_result c = {0};
    struct ackd *a = ackd_connect(NULL, &e);
    if (!a || ackd_listen(a, &where, &listener, &e) < 0)
        errx(1, "%s: %s", e.errno_name, e.message);
    while (c.id == 0)
        if (ackd_accept(a, &(struct ackd_accept_request){.id = listener.id, .wait_ms = 60000}, &c,
                        &e) < 0)
            errx(1, "%s: %s", e.errno_name, e.message);

    struct ackd_stream *s = ackd_stream_open(a, &(struct ackd_stream_request){.id = c.id}, &e);
    char buffer[65536];
    ssize_t n = s ? 0 : -1;
    while (s && (n = ackd_stream_read(s, buffer, sizeof buffer, ACKD_FOREVER, &e)) > 0)
        if (ackd_stream_write(s, buffer, (size_t)n, ACKD_PUSH, ACKD_FOREVER, &e) < 0)
            break;
    if (n != 0 || ackd_stream_shutdown(s, &e) < 0 || ackd_stream_flush(s, ACKD_FOREVER, &e) < 0)
        errx(1, "%s: %s", e.errno_name, e.message);
    ackd_stream_close(s);
    ackd_disconnect(a);
}

/* Where the daemon's control socket is (CONVENTIONS, "Sockets"), and the way to it. */
#include "client/lib/conn.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define PATH_SIZE sizeof(((struct sockaddr_un *)0)->sun_path)
#define CONNECT_SECONDS 10

static bool good_name(const char *name)
{
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");
    return n > 0 && n < 64 && name[n] == '\0' && name[0] != '.';
}

/* An instance's socket, "" for the default instance: the user's own first, unless root. Answers the
 * length like snprintf(). */
static int instance_path(const char *name, char *path, size_t size)
{
    const char *slash = *name ? "/" : "", *runtime = getenv("XDG_RUNTIME_DIR");
    if (runtime && *runtime == '/' && geteuid() != 0) {
        int n = snprintf(path, size, "%s/ackd/%s%scontrol.sock", runtime, name, slash);
        if (n < 0 || (size_t)n >= size || access(path, F_OK) == 0)
            return n;
    }
    return snprintf(path, size, "/run/ackd/%s%scontrol.sock", name, slash);
}

int ackd_socket_path(const char *address, char *path, size_t size, struct ackd_error *err)
{
    if (!address)
        address = getenv("ACKD_SOCKET");
    if (!address)
        address = "";
    int n;
    if (!strncmp(address, "unix://", 7))
        n = snprintf(path, size, "%s", address + 7);
    else if (!strncmp(address, "unix:", 5))
        n = snprintf(path, size, "%s", address + 5);
    else if (strchr(address, '/'))
        n = snprintf(path, size, "%s", address);
    else if (*address && !good_name(address))
        return error_set(err, ACKD_INVALID_ARGUMENT, EINVAL, "SOCKET_ADDRESS",
                         "\"%s\" is neither a path nor unix:///PATH nor the name of an instance",
                         address);
    else
        n = instance_path(address, path, size);
    if (n <= 0 || (size_t)n >= size || (size_t)n >= PATH_SIZE)
        return error_set(err, ACKD_INVALID_ARGUMENT, ENAMETOOLONG, "SOCKET_ADDRESS",
                         "the socket's path must have 1 to %zu bytes", PATH_SIZE - 1);
    return 0;
}

static int connect_failed(const char *path, int errnum, struct ackd_error *err)
{
    const char *hint = errnum == ENOENT         ? ": is ackd running?"
                       : errnum == ECONNREFUSED ? ": ackd is not running"
                       : errnum == EACCES       ? ": ask for membership in the socket's group"
                       : errnum == EAGAIN       ? ": the daemon does not accept connections"
                                                : "";
    return error_set(err, ACKD_UNAVAILABLE, errnum, "CONNECT_FAILED", "%s: %s%s", path,
                     strerror(errnum), hint);
}

struct ackd *ackd_connect(const char *address, struct ackd_error *err)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    if (ackd_socket_path(address, to.sun_path, sizeof to.sun_path, err) < 0)
        return NULL;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        connect_failed(to.sun_path, errno, err);
        return NULL;
    }
    /* A full backlog makes connect() wait, but not for ever. */
    struct timeval patience = {.tv_sec = CONNECT_SECONDS};
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    int r;
    do
        r = connect(fd, (struct sockaddr *)&to, sizeof to);
    while (r < 0 && errno == EINTR);
    if (r < 0) {
        connect_failed(to.sun_path, errno, err);
        close(fd);
        return NULL;
    }
    return ackd_connect_fd(fd, err);
}

/* Where the daemon's control socket is (CONVENTIONS, "Sockets"), and the way to it. */
#include "client/lib/conn.h"

#include <dirent.h>
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

/* Where instances live: the user's own directory first, unless root, then the system's. */
struct bases {
    char at[2][PATH_SIZE];
    int count;
};

static void find_bases(struct bases *b)
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    int n = 0;
    b->count = 0;
    if (runtime && *runtime == '/' && geteuid() != 0)
        n = snprintf(b->at[b->count], PATH_SIZE, "%s/ackd", runtime);
    if (n > 0 && (size_t)n < PATH_SIZE)
        b->count++;
    snprintf(b->at[b->count++], PATH_SIZE, "/run/ackd");
}

/* The socket of a named instance; where none exists, the place where root's would be. */
static int named_path(const char *name, char *path, size_t size)
{
    struct bases b;
    int n = 0;
    find_bases(&b);
    for (int i = 0; i < b.count; i++) {
        n = snprintf(path, size, "%s/%s/control.sock", b.at[i], name);
        if (n >= 0 && (size_t)n < size && access(path, F_OK) == 0)
            break;
    }
    return n;
}

/* A socket file outlives a daemon that was killed. */
static bool refuses(const char *path)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    memcpy(to.sun_path, path, strlen(path) + 1);
    bool refused =
        fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) < 0 && errno == ECONNREFUSED;
    if (fd >= 0)
        close(fd);
    return refused;
}

/* Looks through one base. How many instances are alive; the first is put into `path`, all names
 * into `names`. */
static unsigned scan(const char *base, char *path, size_t size, char *names, size_t names_size)
{
    DIR *dir = opendir(base);
    unsigned count = 0;
    size_t used = 0;
    /* cppcheck-suppress readdirCalled ; nobody else has this DIR, and readdir_r() is deprecated */
    for (struct dirent *e; dir && (e = readdir(dir));) {
        char candidate[PATH_SIZE + 32];
        int n = snprintf(candidate, sizeof candidate, "%s/%.60s/control.sock", base, e->d_name);
        if (!good_name(e->d_name) || n < 0 || (size_t)n >= PATH_SIZE ||
            access(candidate, F_OK) < 0 || refuses(candidate))
            continue;
        if (count++ == 0)
            snprintf(path, size, "%s", candidate);
        n = snprintf(names + used, names_size - used, " %s", e->d_name);
        used = n > 0 && used + (size_t)n < names_size ? used + (size_t)n : used;
    }
    if (dir)
        closedir(dir);
    return count;
}

/* The one instance that is there, when nobody named one. */
static int only_path(char *path, size_t size, struct ackd_error *err)
{
    struct bases b;
    char names[128] = "";
    find_bases(&b);
    for (int i = 0; i < b.count; i++) {
        unsigned count = scan(b.at[i], path, size, names, sizeof names);
        if (count == 1)
            return 0;
        if (count > 1)
            return error_set(err, ACKD_INVALID_ARGUMENT, EINVAL, "SOCKET_ADDRESS",
                             "several instances of ackd run, name one of them:%s", names);
    }
    return error_set(err, ACKD_UNAVAILABLE, ENOENT, "CONNECT_FAILED",
                     "no ackd has its control socket in %s%s%s: is it running?", b.at[0],
                     b.count > 1 ? " or " : "", b.count > 1 ? b.at[1] : "");
}

int ackd_socket_path(const char *address, char *path, size_t size, struct ackd_error *err)
{
    if (!address)
        address = getenv("ACKD_SOCKET");
    if (!address || !*address)
        return only_path(path, size, err);
    int n;
    if (strncmp(address, "unix://", 7) == 0)
        n = snprintf(path, size, "%s", address + 7);
    else if (strncmp(address, "unix:", 5) == 0)
        n = snprintf(path, size, "%s", address + 5);
    else if (strstr(address, "://"))
        return error_set(err, ACKD_INVALID_ARGUMENT, EINVAL, "SOCKET_ADDRESS",
                         "\"%s\": the control socket is never on a network, only unix:///PATH",
                         address);
    else if (strchr(address, '/'))
        n = snprintf(path, size, "%s", address);
    else if (!good_name(address))
        return error_set(err, ACKD_INVALID_ARGUMENT, EINVAL, "SOCKET_ADDRESS",
                         "\"%s\" is neither a path nor unix:///PATH nor the name of an instance",
                         address);
    else
        n = named_path(address, path, size);
    if (n <= 0 || (size_t)n >= size || (size_t)n >= PATH_SIZE)
        return error_set(err, ACKD_INVALID_ARGUMENT, ENAMETOOLONG, "SOCKET_ADDRESS",
                         "the socket's path must have 1 to %zu bytes", PATH_SIZE - 1);
    return 0;
}

static int connect_failed(const char *path, int errnum, struct ackd_error *err)
{
    const char *hint = errnum == ENOENT         ? ": is ackd running?"
                       : errnum == ECONNREFUSED ? ": ackd is not running"
                       : errnum == EACCES       ? ": only root and the socket's group may use it"
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

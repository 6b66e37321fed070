/* A socket file outlives its daemon. So before we bind we ask who is there: a connection that is
 * refused means a dead one, which is replaced; one that succeeds means a living daemon, which is
 * left alone and named by its pid (SO_PEERCRED, unix(7)). */
#include "host/control_socket.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static int fits(int length)
{
    return length < 0 || (size_t)length >= CONTROL_SOCKET_PATH ? -ENAMETOOLONG : 0;
}

int control_socket_default(const char *name, char path[CONTROL_SOCKET_PATH])
{
    const char *base = geteuid() == 0 ? "/run" : getenv("XDG_RUNTIME_DIR");
    if (base == NULL || base[0] != '/') {
        return -ENOENT;
    }
    return fits(snprintf(path, CONTROL_SOCKET_PATH, "%s/ackd/%s/control.sock", base, name));
}

int control_socket_beside(const char *control, char path[CONTROL_SOCKET_PATH])
{
    const char *slash = strrchr(control, '/');
    int directory = slash == NULL ? 0 : (int)(slash + 1 - control);
    return fits(snprintf(path, CONTROL_SOCKET_PATH, "%.*smonitor.sock", directory, control));
}

static int address_of(const char *path, struct sockaddr_un *address)
{
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    return fits(snprintf(address->sun_path, sizeof address->sun_path, "%s", path));
}

int control_socket_probe(const char *path, pid_t *pid)
{
    struct sockaddr_un address;
    struct stat st;
    *pid = 0;
    int r = address_of(path, &address);
    if (r < 0) {
        return r;
    }
    if (lstat(path, &st) < 0) {
        return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
    }
    if (!S_ISSOCK(st.st_mode)) {
        return -EEXIST;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return -errno;
    }
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0) {
        struct ucred peer;
        socklen_t length = sizeof peer;
        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0) {
            *pid = peer.pid;
        }
        r = -EADDRINUSE;
    } else if (errno == EAGAIN) {
        r = -EADDRINUSE; /* its backlog is full: alive */
    } else {
        r = errno == ECONNREFUSED ? 0 : -errno;
    }
    close(fd);
    return r;
}

/* Every directory above the file, as `mkdir -p` does. */
static int make_directories(const char *path)
{
    char part[CONTROL_SOCKET_PATH];
    for (const char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        snprintf(part, sizeof part, "%.*s", (int)(slash - path), path);
        if (mkdir(part, 0755) < 0 && errno != EEXIST) {
            return -errno;
        }
    }
    return 0;
}

static int group_of(const char *name, gid_t *gid)
{
    char *end;
    unsigned long n = strtoul(name, &end, 10);
    if (*end == '\0') {
        *gid = (gid_t)n;
        return 0;
    }
    struct group *g = getgrnam(name);
    if (g == NULL) {
        return -ENOENT;
    }
    *gid = g->gr_gid;
    return 0;
}

static int set_rights(const char *path, const char *group, const char **what)
{
    gid_t gid;
    if (group[0] != '\0') {
        *what = "find the group";
        int r = group_of(group, &gid);
        if (r < 0) {
            return r;
        }
        *what = "give it to the group";
        if (chown(path, (uid_t)-1, gid) < 0) {
            return -errno;
        }
    }
    *what = "set its mode";
    return chmod(path, 0660) < 0 ? -errno : 0;
}

int control_socket_listen(const char *path, const char *group, const char **what)
{
    struct sockaddr_un address;
    *what = "name it";
    int r = address_of(path, &address);
    if (r == 0) {
        *what = "make its directory";
        r = make_directories(path);
    }
    if (r < 0) {
        return r;
    }
    *what = "bind it";
    unlink(path); /* control_socket_probe() found it dead or missing */
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return -errno;
    }
    mode_t mask = umask(0177); /* nobody else gets in between bind and chmod */
    r = bind(fd, (struct sockaddr *)&address, sizeof address) < 0 ? -errno : 0;
    umask(mask);
    if (r == 0) {
        r = set_rights(path, group, what);
    }
    if (r == 0 && listen(fd, 1024) < 0) {
        *what = "listen on it";
        r = -errno;
    }
    if (r < 0) {
        unlink(path);
        close(fd);
        return r;
    }
    return fd;
}

void control_socket_remove(const char *path, const char *name)
{
    char own[CONTROL_SOCKET_PATH];
    const char *slash = strrchr(path, '/');
    unlink(path);
    if (slash == NULL || control_socket_default(name, own) < 0) {
        return;
    }
    size_t length = (size_t)(slash - path);
    if (strncmp(own, path, length) == 0 && strcmp(own + length, "/control.sock") == 0) {
        own[length] = '\0';
        rmdir(own); /* fails while the other socket, or anything else, is in it */
    }
}

/* The Unix sockets of the daemon: where they are, who owns them, and whether somebody serves them
 * already. */
#ifndef ACKD_HOST_CONTROL_SOCKET_H
#define ACKD_HOST_CONTROL_SOCKET_H

#include <stddef.h>
#include <sys/types.h>
#include <sys/un.h>

/* A path that fits a Unix address, its NUL included. */
#define CONTROL_SOCKET_PATH sizeof(((struct sockaddr_un *)0)->sun_path)

/* The default path for an interface name ("none" without one): /run/ackd/NAME/control.sock for
 * root, $XDG_RUNTIME_DIR/ackd/NAME/control.sock otherwise. -ENOENT when there is no such variable,
 * -ENAMETOOLONG. */
int control_socket_default(const char *name, char path[CONTROL_SOCKET_PATH]);

/* monitor.sock beside the control socket. -ENAMETOOLONG. */
int control_socket_beside(const char *control, char path[CONTROL_SOCKET_PATH]);

/* Is a daemon behind this path? 0: no (nothing there, or a dead socket). -EADDRINUSE: yes, *pid
 * says who (0 unknown). -EEXIST: something that is no socket. -errno: it cannot be told. */
int control_socket_probe(const char *path, pid_t *pid);

/* Makes missing directories, replaces a dead socket, listens with mode 0660 and, when `group` is
 * not empty, that group (name or number). The descriptor (non-blocking), or -errno with the failed
 * step in *what. */
int control_socket_listen(const char *path, const char *group, const char **what);

/* Takes the socket's file away; and its directory, when that is the default one of the instance
 * `name` and nothing else is left in it. */
void control_socket_remove(const char *path, const char *name);

#endif

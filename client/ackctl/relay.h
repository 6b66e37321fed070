/* Bytes both ways between a socket and two descriptors. */
#ifndef ACKCTL_RELAY_H
#define ACKCTL_RELAY_H

/* Copies `in` to `fd` and `fd` to `out` until `fd` ends; the end of `in` half-closes `fd`. 0, or -1
 * with errno. */
int relay(int fd, int in, int out);

/* Writes everything. 0, or -1 with errno. */
int write_all(int fd, const void *data, unsigned long length);

#endif

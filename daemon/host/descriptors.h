/* What the system lets this process have. */
#ifndef ACKD_HOST_DESCRIPTORS_H
#define ACKD_HOST_DESCRIPTORS_H

/* Raises the number of descriptors to the most that is allowed without privilege. Returns that
 * number, at most INT_MAX, or -errno. */
int descriptors_raise(void);

#endif

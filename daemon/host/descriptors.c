/* Each client is a descriptor. The soft limit of 1024 that processes start with is there for those
 * that use select(); we do not, so all that the hard limit allows is ours to use. How many clients
 * there may be is decided by our own limits (rpc/transport), which answer instead of failing. */
#include "host/descriptors.h"

#include <errno.h>
#include <limits.h>
#include <sys/resource.h>

int descriptors_raise(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0) {
        return -errno;
    }
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0) {
        return -errno;
    }
    return limit.rlim_cur > INT_MAX ? INT_MAX : (int)limit.rlim_cur;
}

/* Linux's numbers of the TCP level's socket options. The system's headers cannot be used beside the
 * engine's: they, too, have a struct tcp_info and names of states. */
#ifndef ACKD_PACKETDRILL_LINUX_TCP_H
#define ACKD_PACKETDRILL_LINUX_TCP_H

enum {
    TCP_NODELAY = 1,
    TCP_MAXSEG = 2,
    TCP_CORK = 3,
    TCP_KEEPIDLE = 4,
    TCP_KEEPINTVL = 5,
    TCP_KEEPCNT = 6,
    TCP_SYNCNT = 7,
    TCP_LINGER2 = 8,
    TCP_DEFER_ACCEPT = 9,
    TCP_WINDOW_CLAMP = 10,
    TCP_INFO = 11,
    TCP_QUICKACK = 12,
    TCP_CONGESTION = 13,
    TCP_MD5SIG = 14,
    TCP_THIN_LINEAR_TIMEOUTS = 16,
    TCP_USER_TIMEOUT = 18,
    TCP_FASTOPEN = 23,
    TCP_TIMESTAMP = 24,
    TCP_NOTSENT_LOWAT = 25,
    TCP_CC_INFO = 26,
    TCP_SAVE_SYN = 27,
    TCP_FASTOPEN_CONNECT = 30,
    TCP_FASTOPEN_KEY = 33,
    TCP_FASTOPEN_NO_COOKIE = 34,
    TCP_INQ = 36,
    TCP_CM_INQ = TCP_INQ,
};

#endif

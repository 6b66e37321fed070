/* What a host has promised on the wire, and been promised, by connection: it is held to it, by what
 * its segments say and not by what its engine believes. */
#ifndef SIM_MONITOR_H
#define SIM_MONITOR_H

#include "link.h"

#define MONITORED 64u

struct monitored {
    struct ip_addr peer;
    uint16_t port, peer_port;
    bool syn_sent, passive, begun, acked, granted, fin_sent;
    bool scales, peer_scales; /* the SYN of each had the option */
    bool next_peer_scales;    /* by a SYN that is not answered yet */
    uint8_t shift, peer_shift, next_peer_shift;
    uint16_t next_peer_window; /* of that SYN */
    tcp_seq iss;
    tcp_seq nxt;     /* behind the highest octet that was sent */
    tcp_seq fin_end; /* behind the FIN */
    tcp_seq ack;     /* the highest that was acknowledged */
    tcp_seq edge;    /* the right edge of the window that was offered */
    tcp_seq limit;   /* the rightmost edge that the peer ever offered */
};

struct monitor {
    struct monitored of[MONITORED]; /* the latest used first */
    unsigned n;
};

/* A host sends a frame; NULL, or the rule that it breaks. */
const char *monitor_sent(struct monitor *m, const struct tcp_tx *tx);
/* A frame comes to it that is not damaged. */
void monitor_received(struct monitor *m, const struct wire_segment *s);

#endif

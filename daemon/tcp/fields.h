/* What can be seen of a connection from the inside: one table from which struct tcp_info, the RPC's
 * Connection message (same names, checked by a test) and `ackctl show` are made. X(C type, name,
 * "unit", "meaning"). A time is nanoseconds of the engine's clock, TIME_NEVER unknown. */
#ifndef ACKD_TCP_FIELDS_H
#define ACKD_TCP_FIELDS_H

#define TCP_INFO_FIELDS(X)                                                                         \
    X(uint32_t, recv_q_bytes, "bytes",                                                             \
      "in order, not yet taken by the user; for LISTEN: connections waiting in the accept queue")  \
    X(uint32_t, send_q_bytes, "bytes",                                                             \
      "accepted from the user, not yet acknowledged; for LISTEN: the backlog")                     \
    X(uint32_t, iss, "seq", "initial send sequence number")                                        \
    X(uint32_t, irs, "seq", "initial receive sequence number")                                     \
    X(uint32_t, snd_una, "seq", "oldest unacknowledged sequence number")                           \
    X(uint32_t, snd_nxt, "seq", "next sequence number to send")                                    \
    X(uint32_t, snd_wnd, "bytes", "send window, scaled")                                           \
    X(uint32_t, snd_max_wnd, "bytes", "largest send window seen")                                  \
    X(uint32_t, snd_wl1, "seq", "segment sequence number of the last window update")               \
    X(uint32_t, snd_wl2, "seq", "segment acknowledgment number of the last window update")         \
    X(uint32_t, snd_up, "seq", "send urgent pointer (the octet after the urgent data)")            \
    X(uint32_t, rcv_nxt, "seq", "next sequence number expected")                                   \
    X(uint32_t, rcv_wnd, "bytes", "receive window as last advertised, scaled")                     \
    X(uint32_t, rcv_up, "seq", "receive urgent pointer (the octet after the urgent data)")         \
    X(uint32_t, rcv_space_bytes, "bytes", "free space of the receive buffer now")                  \
    X(uint32_t, rcv_buffer_bytes, "bytes", "size of the receive buffer")                           \
    X(uint32_t, snd_buffer_bytes, "bytes", "size of the send buffer")                              \
    X(uint32_t, ooo_bytes, "bytes", "received beyond a hole")                                      \
    X(uint32_t, snd_wscale, "shift", "the peer's window scale")                                    \
    X(uint32_t, rcv_wscale, "shift", "our window scale")                                           \
    X(uint32_t, snd_mss_bytes, "bytes",                                                            \
      "payload of a full segment that we send, options subtracted")                                \
    X(uint32_t, peer_mss_bytes, "bytes",                                                           \
      "MSS option received; 536 or 1220 without (RFC 9293 MUST-15)")                               \
    X(uint32_t, adv_mss_bytes, "bytes", "MSS option sent")                                         \
    X(uint32_t, path_mtu_bytes, "bytes", "path MTU")                                               \
    X(uint32_t, cwnd_bytes, "bytes", "congestion window")                                          \
    X(uint32_t, ssthresh_bytes, "bytes", "slow start threshold; 4294967295 while unlimited")       \
    X(uint32_t, bytes_in_flight, "bytes", "sent, not acknowledged, not SACKed, not deemed lost")   \
    X(uint32_t, sacked_bytes, "bytes", "SACKed above snd_una")                                     \
    X(uint32_t, lost_bytes, "bytes", "deemed lost and not yet retransmitted")                      \
    X(uint32_t, rtx_runs, "runs", "runs in the retransmission queue")                              \
    X(uint32_t, retransmitting_bytes, "bytes", "retransmitted, and that not yet acknowledged")     \
    X(uint32_t, dup_acks, "segments", "duplicate ACKs in a row")                                   \
    X(int64_t, srtt_ns, "ns", "smoothed round-trip time (RFC 6298); -1 before the first sample")   \
    X(int64_t, rttvar_ns, "ns", "round-trip time variation; -1 before the first sample")           \
    X(int64_t, min_rtt_ns, "ns", "smallest round-trip time seen; -1 before the first sample")      \
    X(int64_t, rcv_rtt_ns, "ns",                                                                   \
      "round-trip time as the receiver's buffer is tuned by; -1 before it is")                     \
    X(int64_t, rto_ns, "ns", "retransmission timeout, backoff included")                           \
    X(uint32_t, backoff, "count", "timeouts in a row")                                             \
    X(int64_t, rack_rtt_ns, "ns",                                                                  \
      "round-trip time of the latest delivery (RFC 8985 RACK.rtt); -1 before the first")           \
    X(int64_t, reo_wnd_ns, "ns", "RACK's reordering window now")                                   \
    X(int64_t, loss_timer_deadline_ns, "ns",                                                       \
      "when the reordering timer or the tail loss probe is due")                                   \
    X(uint32_t, loss_probes, "segments", "tail loss probes sent")                                  \
    X(uint32_t, dsacks, "blocks", "duplicate SACK blocks received")                                \
    X(uint32_t, undos, "episodes", "reductions of the window that proved spurious")                \
    X(bool, reordering_seen, "bool", "the network was seen to reorder")                            \
    X(uint32_t, reorderings, "ACKs", "that told of originals behind what was sent later")          \
    X(uint32_t, reordering_segments, "segments", "the most that an original was behind")           \
    X(bool, in_cwr, "bool", "the window shrinks because ECN told of congestion")                   \
    X(uint32_t, ts_recent, "ticks", "TS.Recent (RFC 7323)")                                        \
    X(uint32_t, keepalive_probes, "segments", "keepalive probes unanswered")                       \
    X(uint32_t, soft_error, "errno", "last soft ICMP error (RFC 9293 SHLD-25), 0 none")            \
    X(uint64_t, bytes_sent, "bytes", "payload sent, without retransmissions")                      \
    X(uint64_t, bytes_acked, "bytes", "payload acknowledged by the peer")                          \
    X(uint64_t, bytes_received, "bytes", "payload received in order")                              \
    X(uint64_t, bytes_read, "bytes", "payload taken by the user")                                  \
    X(uint64_t, bytes_retransmitted, "bytes", "payload retransmitted")                             \
    X(uint64_t, segs_out, "segments", "segments sent")                                             \
    X(uint64_t, segs_in, "segments", "segments received")                                          \
    X(uint64_t, retransmits, "segments", "segments retransmitted")                                 \
    X(int64_t, created_ns, "ns", "when the connection was made")                                   \
    X(int64_t, established_ns, "ns", "when it became ESTABLISHED; TIME_NEVER if not yet")          \
    X(int64_t, last_received_ns, "ns", "when the last segment arrived; TIME_NEVER if none")        \
    X(int64_t, last_sent_ns, "ns", "when the last segment was sent; TIME_NEVER if none")           \
    X(int64_t, rto_deadline_ns, "ns", "when the retransmission timer fires")                       \
    X(int64_t, persist_deadline_ns, "ns", "when the next zero-window probe is due")                \
    X(int64_t, delack_deadline_ns, "ns", "when the delayed ACK is due")                            \
    X(int64_t, keepalive_deadline_ns, "ns", "when the next keepalive probe is due")                \
    X(int64_t, user_timeout_deadline_ns, "ns",                                                     \
      "when the user timeout or R2 gives the connection up")                                       \
    X(int64_t, time_wait_deadline_ns, "ns",                                                        \
      "when TIME-WAIT or FIN-WAIT-2 ends, or what a closed window holds up and nobody holds")      \
    X(bool, sack_ok, "bool", "SACK was negotiated")                                                \
    X(bool, timestamps_ok, "bool", "timestamps were negotiated")                                   \
    X(bool, wscale_ok, "bool", "window scaling was negotiated")                                    \
    X(bool, ecn_ok, "bool", "classic ECN was negotiated (RFC 3168)")                               \
    X(bool, accecn_ok, "bool", "AccECN was negotiated (RFC 9768)")                                 \
    X(bool, accecn_withheld, "bool",                                                               \
      "AccECN was not offered, for it did not get through to this peer before")                    \
    X(bool, ect_stopped, "bool",                                                                   \
      "ECN was agreed on, and nothing ECN-capable is sent: ecn_mangled, or no SYN got through")    \
    X(bool, ecn_mangled, "bool", "the path changes ECN's bits, as AccECN shows")                   \
    X(uint32_t, ce_packets, "segments", "received with the mark CE, by AccECN's count")            \
    X(uint32_t, echoed_ce_packets, "segments", "sent and marked CE, by the peer's count")          \
    X(uint32_t, received_ect0_bytes, "bytes", "received with the mark ECT(0), by AccECN's count")  \
    X(uint32_t, received_ect1_bytes, "bytes", "received with the mark ECT(1), by AccECN's count")  \
    X(uint32_t, received_ce_bytes, "bytes", "received with the mark CE, by AccECN's count")        \
    X(uint32_t, echoed_ect0_bytes, "bytes", "sent and arrived as ECT(0), by the peer's count")     \
    X(uint32_t, echoed_ect1_bytes, "bytes", "sent and arrived as ECT(1), by the peer's count")     \
    X(uint32_t, echoed_ce_bytes, "bytes", "sent and marked CE, by the peer's count")               \
    X(uint32_t, received_dscp, "codepoint", "DSCP of the last segment received (RFC 9293 MAY-9)")  \
    X(bool, in_recovery, "bool", "loss recovery is under way")                                     \
    X(bool, passive, "bool", "opened by the peer")                                                 \
    X(bool, released, "bool", "nobody here holds it any more")                                     \
    X(bool, fin_sent, "bool", "our FIN was sent")                                                  \
    X(bool, fin_received, "bool", "the peer's FIN was received in order")                          \
    X(bool, urgent_pending, "bool", "urgent data not yet read")                                    \
    X(int64_t, user_timeout_ns, "ns",                                                              \
      "how long data may stay unacknowledged (RFC 9293 R2, RFC 5482)")                             \
    X(int64_t, remote_user_timeout_ns, "ns",                                                       \
      "the user timeout that the peer told (RFC 5482); -1 none")                                   \
    X(bool, syn_data_taken, "bool", "data in the SYN were taken by its receiver (RFC 7413)")       \
    X(uint64_t, delivered_bytes, "bytes",                                                          \
      "sent data known to have arrived, SYN and FIN counted as one")                               \
    X(uint64_t, delivery_rate_bytes_per_s, "bytes/s",                                              \
      "the last delivery rate sample; 0 before the first")                                         \
    X(bool, delivery_app_limited, "bool", "that sample was limited by the application")            \
    X(uint64_t, pacing_rate_bytes_per_s, "bytes/s", "how fast data are let go; 0 not paced")       \
    X(uint64_t, auth_key, "key", "number of the key that signs what we send; 0 none")              \
    X(uint64_t, auth_next_key, "key", "number of the key that we ask the peer to sign with")       \
    X(uint32_t, auth_send_id, "id", "TCP-AO KeyID of what we send (RFC 5925 current_key)")         \
    X(uint32_t, auth_next_id, "id", "TCP-AO RNextKeyID of what we send (RFC 5925 rnext_key)")      \
    X(uint32_t, snd_sne, "sne", "extension of snd_nxt (RFC 5925 section 6.2)")                     \
    X(uint32_t, rcv_sne, "sne", "extension of rcv_nxt (RFC 5925 section 6.2)")                     \
    X(uint64_t, auth_failures, "segments", "discarded because their signature was not right")      \
    X(uint64_t, auth_key_changes, "events", "changes of auth_key on the peer's wish")

#endif

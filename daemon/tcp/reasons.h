/* Every reason there is, in one table each: why a segment was dropped, why a reset was sent or
 * received, why a connection closed, why nothing is being sent right now. Enum, counter, name,
 * sentence and (by a test) the .proto's enum come from here.
 *
 * X(NAME, "sentence"). NAME is what the API prints; the sentence completes "ackd ... because". */
#ifndef ACKD_TCP_REASONS_H
#define ACKD_TCP_REASONS_H

/* Why a segment, or its text, was discarded. */
#define TCP_DROP_REASONS(X)                                                                        \
    X(HEADER_TRUNCATED, "the segment ends before its TCP header does")                             \
    X(BAD_DATA_OFFSET, "the data offset is under 5 words or past the end of the segment")          \
    X(BAD_CHECKSUM, "the checksum does not match (RFC 9293 MUST-3)")                               \
    X(INVALID_SOURCE, "the source address cannot be a peer's (RFC 9293 MUST-63)")                  \
    X(BROADCAST_OR_MULTICAST,                                                                      \
      "it was sent to a broadcast or multicast address (RFC 9293 MUST-57)")                        \
    X(NO_CONNECTION, "no connection and no listener matches (CLOSED state)")                       \
    X(LISTEN_RST, "a reset to a listener means nothing")                                           \
    X(LISTEN_ACK, "an acknowledgment to a listener acknowledges nothing that was sent")            \
    X(LISTEN_NO_SYN, "a listener takes only SYN")                                                  \
    X(SYN_QUEUE_FULL, "the listener's queue of half-open connections is full")                     \
    X(ACCEPT_QUEUE_FULL, "the listener's accept queue is full")                                    \
    X(NO_MEMORY, "the engine's memory limit is reached")                                           \
    X(SYN_SENT_BAD_ACK, "the acknowledgment does not cover our SYN")                               \
    X(SYN_SENT_RST_WITHOUT_ACK, "a reset in SYN-SENT must acknowledge our SYN")                    \
    X(SYN_SENT_NO_SYN, "SYN-SENT waits for SYN or RST")                                            \
    X(OUT_OF_WINDOW, "no part of it lies in the receive window")                                   \
    X(OLD_DUPLICATE, "everything in it was received before")                                       \
    X(PAWS, "its timestamp is older than the last one (RFC 7323 section 5)")                       \
    X(TIMESTAMP_MISSING, "timestamps were negotiated and it has none (RFC 7323 section 3.2)")      \
    X(RST_OUT_OF_WINDOW, "a reset outside the receive window (RFC 5961 section 3)")                \
    X(RST_CHALLENGED,                                                                              \
      "a reset inside the window, not at RCV.NXT: challenged (RFC 5961 section 3)")                \
    X(SYN_CHALLENGED, "a SYN on a synchronized connection: challenged (RFC 5961 section 4)")       \
    X(ACK_MISSING, "a segment without ACK on a synchronized connection")                           \
    X(ACK_TOO_OLD, "it acknowledges further back than any window we saw (RFC 5961 section 5)")     \
    X(ACK_UNSENT, "it acknowledges what was never sent")                                           \
    X(DATA_AFTER_CLOSE, "data arrived after the user gave the connection up (RFC 9293 SHLD-3)")    \
    X(DATA_AFTER_FIN, "data beyond the peer's own FIN")                                            \
    X(RECEIVE_BUFFER_FULL, "the receive buffer has no room for it")                                \
    X(REASSEMBLY_LIMIT, "too many holes in the receive queue")                                     \
    X(SYN_RECEIVED_BAD_ACK, "the acknowledgment does not cover our SYN,ACK")                       \
    X(TIME_WAIT_RST, "resets are ignored in TIME-WAIT (RFC 1337)")                                 \
    X(TIME_WAIT_OLD_SYN,                                                                           \
      "a SYN that is not newer than the connection in TIME-WAIT (RFC 9293 MAY-2, RFC 6191)")       \
    X(TIME_WAIT_SEGMENT, "TIME-WAIT takes no data")                                                \
    X(ICMP_NO_CONNECTION, "an ICMP error about a connection that does not exist")                  \
    X(ICMP_BAD_SEQUENCE,                                                                           \
      "an ICMP error that quotes a sequence number not in flight (RFC 5927 section 4)")            \
    X(SYN_COOKIE_INVALID,                                                                          \
      "an acknowledgment to a listener that lately sent SYN cookies returns none of them")         \
    X(AUTH_MISSING,                                                                                \
      "a key is set for its peer and it is not signed that way (RFC 5925, RFC 2385)")              \
    X(AUTH_KEY_UNKNOWN, "it names a key that is not set for its peer (RFC 5925 KeyID)")            \
    X(AUTH_BAD_MAC, "its MAC does not match: another key, or altered on the way")                  \
    X(AUTH_MERGED, "it is a merged frame, of whose segments the MACs are lost")                    \
    X(AUTH_NO_STATE,                                                                               \
      "no connection knows the numbers that its MAC hangs on (RFC 5925 section 7.7)")              \
    X(AUTH_REQUIRED, "the listener takes only signed connections, and no key is set for the peer")

/* Why a reset was sent. */
#define TCP_RST_SENT_REASONS(X)                                                                    \
    X(NO_CONNECTION, "a segment arrived for which no connection exists")                           \
    X(ACK_IN_LISTEN, "an acknowledgment arrived at a listener")                                    \
    X(BAD_ACK_IN_SYN_SENT, "the answer to our SYN acknowledged something else")                    \
    X(BAD_ACK_IN_SYN_RECEIVED, "the handshake's last ACK acknowledged something else")             \
    X(DATA_AFTER_CLOSE, "data arrived that nobody will read")                                      \
    X(CLOSED_WITH_UNREAD_DATA, "the user closed before reading all data")                          \
    X(ABORTED, "the user aborted the connection")                                                  \
    X(KILLED, "an administrator killed the connection")                                            \
    X(SESSION_ENDED, "the session that owned the connection ended")                                \
    X(LISTENER_CLOSED, "the listener closed before the connection was accepted")                   \
    X(TIMED_OUT, "the connection was given up after a timeout")                                    \
    X(KEY_REMOVED, "the key that signed the connection was removed")                               \
    X(ECN_FORMS_MIXED, "the SYN came again and offered another form of ECN (RFC 9768)")

/* In which state a reset was received and obeyed. */
#define TCP_RST_RECEIVED_REASONS(X)                                                                \
    X(RST_IN_SYN_SENT, "the peer answered our SYN with RST")                                       \
    X(RST_IN_SYN_RECEIVED, "the peer reset the handshake")                                         \
    X(RST_IN_ESTABLISHED, "the peer reset the connection")                                         \
    X(RST_WHILE_CLOSING, "the peer reset the connection after a close")                            \
    X(RST_IN_TIME_WAIT, "the peer reset a connection in TIME-WAIT")

/* Why a connection ended. X(NAME, errno that its user gets or 0, "sentence"). */
#define TCP_CLOSE_REASONS(X)                                                                       \
    X(NORMAL, 0, "both sides closed and all data were acknowledged")                               \
    X(REFUSED, ECONNREFUSED, "the peer answered our SYN with RST")                                 \
    X(RESET_BY_PEER, ECONNRESET, "the peer reset the connection")                                  \
    X(ABORTED, ECONNABORTED, "the user aborted the connection")                                    \
    X(KILLED, ECONNABORTED, "an administrator killed the connection")                              \
    X(SESSION_ENDED, ECONNABORTED, "the session that owned the connection ended")                  \
    X(CLOSED_WITH_UNREAD_DATA, ECONNABORTED, "the user closed before reading all data")            \
    X(DATA_AFTER_CLOSE, ECONNABORTED, "data arrived after the user gave the connection up")        \
    X(SYN_TIMEOUT, ETIMEDOUT, "no answer to our SYN before R2 (RFC 9293 MUST-23)")                 \
    X(SYN_RECEIVED_TIMEOUT, ETIMEDOUT, "the handshake's last ACK never came")                      \
    X(RETRANSMISSION_TIMEOUT, ETIMEDOUT,                                                           \
      "retransmissions went unanswered past R2 (RFC 9293 MUST-20)")                                \
    X(USER_TIMEOUT, ETIMEDOUT, "data stayed unacknowledged longer than the user timeout")          \
    X(KEEPALIVE_TIMEOUT, ETIMEDOUT, "keepalive probes went unanswered")                            \
    X(FIN_WAIT_2_TIMEOUT, 0,                                                                       \
      "the peer never closed its side and nobody here holds the connection")                       \
    X(TIME_WAIT_EXPIRED, 0, "2 MSL passed after a close by both sides")                            \
    X(TIME_WAIT_EVICTED, 0, "the limit of connections in TIME-WAIT was reached")                   \
    X(TIME_WAIT_REUSED, 0, "a new SYN of the same peer took the place of TIME-WAIT (RFC 6191)")    \
    X(ICMP_HARD_ERROR, EHOSTUNREACH, "ICMP said that the peer cannot be reached")                  \
    X(NEIGHBOUR_UNREACHABLE, EHOSTUNREACH, "the next hop did not tell its link address")           \
    X(ADDRESS_REMOVED, ENETDOWN, "the local address was removed")                                  \
    X(LISTENER_CLOSED, ECONNABORTED, "the listener was closed")                                    \
    X(ORPHAN_TIMEOUT, ETIMEDOUT,                                                                   \
      "the peer kept its window closed and nobody here holds the connection (RFC 6429)")           \
    X(KEY_REMOVED, ECONNABORTED, "the key that signed the connection was removed")                 \
    X(ECN_FORMS_MIXED, ECONNABORTED,                                                               \
      "the peer's SYN came again and offered another form of ECN (RFC 9768)")

/* Why nothing (more) is being sent right now. The limited-by clocks add up time by these. */
#define TCP_LIMIT_REASONS(X)                                                                       \
    X(APPLICATION_IDLE, "there is nothing to send: the application has not written")               \
    X(HANDSHAKE, "the handshake is not complete")                                                  \
    X(RECEIVE_WINDOW, "the peer's receive window is full")                                         \
    X(ZERO_WINDOW, "the peer's receive window is zero")                                            \
    X(CONGESTION_WINDOW, "the congestion window is full")                                          \
    X(RECOVERY, "loss recovery meters what may be sent")                                           \
    X(RTO_BACKOFF, "a retransmission timed out; waiting for the next")                             \
    X(NAGLE, "a small segment waits for the ACK of the last one (RFC 9293 SHLD-7)")                \
    X(SILLY_WINDOW, "the usable window is too small to be worth a segment (RFC 9293 MUST-38)")     \
    X(NEIGHBOUR_PENDING, "the next hop's link address is not known yet")                           \
    X(LOCAL_DROP, "the device refused the last frame")                                             \
    X(WAITING_FOR_ACK, "everything is sent, its ACK is awaited")                                   \
    X(CLOSED, "our side is closed and acknowledged")                                               \
    X(MORE_TO_COME, "a small segment waits for more that the user announced")                      \
    X(SPURIOUS_TIMEOUT_TEST, "the next ACK tells whether the timeout was spurious (RFC 5682)")     \
    X(LARGER_FRAME, "an ACK that is due soon will allow a larger frame")                           \
    X(PACING, "the next departure is not due yet")

/* Why a segment was sent: shown on SEGMENT events and in captures. */
#define TCP_SEND_KINDS(X)                                                                          \
    X(HANDSHAKE, "SYN or SYN,ACK")                                                                 \
    X(DATA, "new data")                                                                            \
    X(ACK, "acknowledgment")                                                                       \
    X(DELAYED_ACK, "acknowledgment after the delay")                                               \
    X(DUPLICATE_ACK, "immediate acknowledgment of a segment out of order")                         \
    X(WINDOW_UPDATE, "the receive window opened")                                                  \
    X(CHALLENGE_ACK, "challenge (RFC 5961)")                                                       \
    X(FIN, "close")                                                                                \
    X(RETRANSMIT_RTO, "retransmission after a timeout")                                            \
    X(RETRANSMIT_FAST, "fast retransmission")                                                      \
    X(LIMITED_TRANSMIT, "new data on the first duplicate ACKs (RFC 3042)")                         \
    X(WINDOW_PROBE, "zero-window probe")                                                           \
    X(KEEPALIVE, "keepalive probe")                                                                \
    X(RESET, "reset")                                                                              \
    X(LOSS_PROBE, "tail loss probe (RFC 8985)")                                                    \
    X(MTU_PROBE, "new data in a larger segment, to see whether the path carries it (RFC 4821)")

/* Counters of the engine that are not a reason. X(name, "unit", "what it counts"). */
#define TCP_COUNTERS(X)                                                                            \
    X(active_opens, "connections", "SYN-SENT entered from CLOSED (RFC 4022 tcpActiveOpens)")       \
    X(passive_opens, "connections", "SYN-RECEIVED entered from LISTEN (RFC 4022 tcpPassiveOpens)") \
    X(attempt_fails, "connections",                                                                \
      "handshakes that ended in CLOSED or LISTEN (RFC 4022 tcpAttemptFails)")                      \
    X(estab_resets, "connections",                                                                 \
      "ESTABLISHED or CLOSE-WAIT to CLOSED (RFC 4022 tcpEstabResets)")                             \
    X(in_segs, "segments",                                                                         \
      "segments received, each of a merged frame counted (RFC 4022 tcpInSegs)")                    \
    X(out_segs, "segments", "segments sent, without retransmissions (RFC 4022 tcpOutSegs)")        \
    X(retrans_segs, "segments", "segments retransmitted (RFC 4022 tcpRetransSegs)")                \
    X(in_frames, "frames", "TCP packets handed up, merged frames counted once")                    \
    X(out_frames, "frames", "TCP packets handed down, super-frames counted once")                  \
    X(in_bytes, "bytes", "payload received in order and new")                                      \
    X(out_bytes, "bytes", "payload sent, without retransmissions")                                 \
    X(retrans_bytes, "bytes", "payload retransmitted")                                             \
    X(in_errs, "segments", "segments with a bad header or checksum (RFC 4022 tcpInErrs)")          \
    X(out_rsts, "segments", "resets sent (RFC 4022 tcpOutRsts)")                                   \
    X(in_rsts, "segments", "resets received and obeyed")                                           \
    X(malformed_options, "segments",                                                               \
      "segments with an option of illegal length (RFC 9293 MUST-7)")                               \
    X(rto_timeouts, "timeouts", "retransmission timeouts")                                         \
    X(loss_probes, "segments", "tail loss probes sent (RFC 8985)")                                 \
    X(loss_probe_recoveries, "episodes",                                                           \
      "losses repaired by the probe itself, for which the window was reduced")                     \
    X(reordering_timeouts, "timeouts", "times RACK's reordering window ended by its timer")        \
    X(lost_retransmissions, "events",                                                              \
      "times a lost retransmission reduced the window once more (RFC 5681)")                       \
    X(cwr_entries, "episodes", "times ECN reduced the window (RFC 3168)")                          \
    X(undos_eifel, "episodes", "reductions undone because a timestamp told of the original")       \
    X(undos_dsack, "episodes", "reductions undone because every retransmission was a duplicate")   \
    X(undos_frto, "episodes", "timeouts undone by F-RTO (RFC 5682)")                               \
    X(undos_timeout, "episodes", "undone reductions that were those of a timeout")                 \
    X(fast_recoveries, "episodes", "times loss recovery was entered without a timeout")            \
    X(fast_retransmits, "segments", "segments retransmitted in recovery")                          \
    X(limited_transmits, "segments", "segments sent by limited transmit (RFC 3042)")               \
    X(sack_splits, "splits", "runs of the retransmission queue split by SACK or loss")             \
    X(sack_reneges, "events", "the peer dropped data that it had SACKed")                          \
    X(dsack_received, "blocks", "duplicate SACK blocks received (RFC 2883)")                       \
    X(dsack_sent, "blocks", "duplicate SACK blocks sent (RFC 2883)")                               \
    X(sack_rejected, "blocks", "SACK blocks outside what is in flight, ignored")                   \
    X(rcv_buffer_grown, "events", "receive buffers that tuning enlarged")                          \
    X(ecn_ce_received, "segments", "segments received with the mark CE (RFC 3168)")                \
    X(ecn_ece_received, "segments", "echoes of marks received: ECE, or packets by AccECN")         \
    X(ecn_cwr_sent, "segments", "segments sent with CWR")                                          \
    X(ecn_fallbacks, "connections", "handshakes whose SYN or SYN,ACK went again without ECN")      \
    X(ecn_mangled, "connections", "connections on whose path ECN's bits are changed")              \
    X(accecn_path_failures, "connections",                                                         \
      "handshakes of ours that only a SYN without AccECN got through (RFC 9768 3.1.4.1)")          \
    X(accecn_withheld, "connections",                                                              \
      "opened without AccECN, for it did not get through to the peer before")                      \
    X(mtu_probes, "segments", "segments sent larger than the path MTU, to probe it (RFC 4821)")    \
    X(mtu_probes_acked, "segments", "of these, acknowledged: the path MTU was raised")             \
    X(mtu_probes_lost, "segments", "of these, lost: too large")                                    \
    X(mtu_black_holes, "events", "black holes: large segments vanished without an error")          \
    X(rtx_run_limit, "events",                                                                     \
      "the bound on runs of one connection's retransmission queue held (CVE-2019-11477)")          \
    X(ooo_segments, "segments", "segments received out of order and kept")                         \
    X(duplicate_segments, "segments", "segments received whose payload was all old")               \
    X(receive_copied_bytes, "bytes", "payload copied into compact buffers")                        \
    X(acks_sent, "segments", "pure ACKs sent")                                                     \
    X(delayed_acks, "segments", "ACKs sent by the delay timer")                                    \
    X(challenge_acks, "segments", "challenge ACKs sent (RFC 5961)")                                \
    X(challenge_acks_limited, "segments", "challenge ACKs withheld by the limit per connection")   \
    X(zero_window_probes, "segments", "zero-window probes sent")                                   \
    X(window_overrides, "timeouts",                                                                \
      "times the override timer let a small segment go (RFC 9293 MUST-38)")                        \
    X(zero_windows_sent, "segments", "windows of zero advertised")                                 \
    X(keepalive_probes, "segments", "keepalive probes sent")                                       \
    X(window_shrunk, "events", "the peer took back window that it had offered (RFC 9293 MUST-34)") \
    X(paws_old_timestamp, "events",                                                                \
      "TS.Recent invalidated after 24 days of idleness (RFC 7323 5.5)")                            \
    X(urgent_received, "events", "urgent pointers that announced new urgent data")                 \
    X(pmtu_reductions, "events", "path MTU lowered by ICMP")                                       \
    X(local_drops, "frames", "frames that the device refused")                                     \
    X(syn_cookies_sent, "segments", "SYN,ACKs sent without remembering the SYN (RFC 4987)")        \
    X(syn_cookies_received, "connections", "connections made from a SYN cookie that came back")    \
    X(metrics_evicted, "entries", "pairs of hosts forgotten at the limit of the cache (RFC 9040)") \
    X(fast_open_syn_data, "segments", "SYNs sent with data (RFC 7413)")                            \
    X(fast_open_active, "connections", "the peer took all data of our SYN")                        \
    X(fast_open_refused, "connections", "the peer did not take all data of our SYN")               \
    X(fast_open_black_holes, "connections", "SYNs with data lost where a plain one got through")   \
    X(fast_open_passive, "connections",                                                            \
      "connections made by a SYN with a valid cookie, or without one where that is allowed")       \
    X(fast_open_cookies_granted, "segments", "requests for a Fast Open cookie answered")           \
    X(fast_open_bad_cookies, "segments",                                                           \
      "SYNs with a Fast Open cookie that is not ours, or too old")                                 \
    X(fast_open_queue_full, "segments",                                                            \
      "Fast Open refused at a listener\'s limit of pending ones")                                  \
    X(user_timeouts_received, "segments", "user timeouts that peers told (RFC 5482)")              \
    X(time_wait_reuses, "connections", "TIME-WAIT left for a new SYN")                             \
    X(auth_unmatched, "segments",                                                                  \
      "signed segments of connections that use no key, taken all the same (RFC 5925 7.3)")         \
    X(auth_key_changes, "events",                                                                  \
      "changes of the key that we sign with, on the peer's wish (RFC 5925 RNextKeyID)")            \
    X(events_lost, "events", "events that found the engine's ring full")

#endif

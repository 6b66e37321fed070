/* What is shown of headers whose checksum the device completes: the event has the sum that a wire
 * would have carried, in both directions; of the last header, whose payload is gone, it is either
 * complete or marked. */
#include <string.h>
#include "cmocka_all.h"
#include "script.h"
#include "wire/checksum.h"
#include "wire/tcp.h"

static void offload(struct script *s)
{
    const struct tcp_link link = {.checksum_offload = true, .tso = true, .max_frame = 65535};
    tcp_set_link(s->engine, &link);
    tcp_trace_segments(s->engine, true);
}

/* The checksum of a segment in which that field counts as zero. */
static uint16_t right_sum(const struct ip_addr *src, const struct ip_addr *dst, uint8_t *bytes,
                          uint32_t length)
{
    bytes[16] = bytes[17] = 0;
    return checksum_finish(checksum_add(tcp_pseudo_sum(src, dst, length), bytes, length));
}

static uint16_t sum_of(const uint8_t *header)
{
    return (uint16_t)(header[16] << 8 | header[17]);
}

/* The peer's segment as a TAP with offload hands it up; returns its right sum. */
static uint16_t receive_partial(struct script *s, uint32_t seq, uint32_t ack, const char *text)
{
    struct pkt *pkt = pkt_get(tcp_pool(s->engine), PKT_FRAME_CAPACITY);
    const struct tcp_tuple *t = &s->tuple;
    struct tcp_hdr h = {.sport = t->remote_port,
                        .dport = t->local_port,
                        .seq = seq_of(s->peer_iss + seq),
                        .ack = seq_of(s->local_iss + ack),
                        .header_len = TCP_HEADER_MIN,
                        .flags = TCP_ACK,
                        .window = 65535};
    uint32_t length = TCP_HEADER_MIN + (uint32_t)strlen(text);
    tcp_hdr_build(pkt->data, &h);
    memcpy(pkt->data + TCP_HEADER_MIN, text, strlen(text));
    uint16_t right = right_sum(&t->remote, &t->local, pkt->data, length);
    uint16_t partial = checksum_fold(tcp_pseudo_sum(&t->remote, &t->local, length));
    pkt->data[16] = (uint8_t)(partial >> 8);
    pkt->data[17] = (uint8_t)partial;
    struct tcp_rx rx = {.src = t->remote,
                        .dst = t->local,
                        .pkt = pkt,
                        .length = length,
                        .checksum_ok = true,
                        .checksum_partial = true,
                        .mtu = s->mtu};
    tcp_input(s->engine, s->now, &rx);
    pkt_unref(pkt);
    return right;
}

/* script.c would ask for complete sums. */
static void flush(struct script *s)
{
    struct tcp_tx tx;
    while (tcp_flush(s->engine, s->now, &tx)) {
    }
}

static struct tcp_event next_segment_event(struct script *s)
{
    struct tcp_event e;
    do {
        assert_true(tcp_event_next(s->engine, &e));
    } while (e.type != TCP_EVENT_SEGMENT);
    return e;
}

static void received(void **state)
{
    (void)state;
    struct script s;
    struct tcp_last_header in, out;
    script_begin(&s, NULL);
    script_passive(&s, "mss 1000");
    offload(&s);
    uint16_t right = receive_partial(&s, 1, 1, "hello");
    assert_int_equal(sum_of(next_segment_event(&s).header), right);
    tcp_last_headers(s.engine, s.id, &in, &out);
    assert_true(in.checksum_partial);
    assert_int_equal(in.payload_len, 5);
    flush(&s);
    right = receive_partial(&s, 6, 1, "");
    tcp_last_headers(s.engine, s.id, &in, &out);
    assert_false(in.checksum_partial);
    assert_int_equal(sum_of(in.header), right);
    script_end(&s);
}

static void sent(void **state)
{
    (void)state;
    struct script s;
    struct tcp_last_header in, out;
    struct tcp_tx tx;
    uint8_t bytes[TCP_HEADER_MAX + 5];
    script_begin(&s, NULL);
    script_passive(&s, "mss 1000");
    offload(&s);
    assert_int_equal(tcp_send(s.engine, s.now, s.id, "hello", 5, TCP_SEND_PUSH), 5);
    assert_true(tcp_flush(s.engine, s.now, &tx));
    assert_true(tx.checksum_partial);
    memcpy(bytes, tx.header, tx.header_len);
    memcpy(bytes + tx.header_len, "hello", 5);
    uint16_t right = right_sum(&s.tuple.local, &s.tuple.remote, bytes, tx.header_len + 5u);
    assert_int_equal(sum_of(next_segment_event(&s).header), right);
    tcp_last_headers(s.engine, s.id, &in, &out);
    assert_true(out.checksum_partial);
    receive_partial(&s, 1, 6, "x"); /* an ACK without data goes out */
    assert_true(tcp_flush(s.engine, s.now, &tx));
    assert_int_equal(tx.payload_len, 0);
    memcpy(bytes, tx.header, tx.header_len);
    right = right_sum(&s.tuple.local, &s.tuple.remote, bytes, tx.header_len);
    tcp_last_headers(s.engine, s.id, &in, &out);
    assert_false(out.checksum_partial);
    assert_int_equal(sum_of(out.header), right);
    flush(&s);
    script_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(received),
        cmocka_unit_test(sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

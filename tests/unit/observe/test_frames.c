/* The ring of frames: what a frame is, which event is about it, what is lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "fake_engine.h"
#include "wire/checksum.h"

static struct observe *o;
static struct observe_capture *c;

static void notify(void *arg)
{
    (void)arg;
}

static int setup(void **state)
{
    (void)state;
    memset(&fake, 0, sizeof fake);
    fake.local = ip_addr_v4(192, 0, 2, 1);
    const struct observe_config config = {.frames = 8, .frame_bytes = 8192};
    o = observe_new(&config);
    c = observe_capture_new(o, 4096, notify, NULL);
    return 0;
}
static int teardown(void **state)
{
    (void)state;
    observe_capture_free(c);
    assert_false(fake.tracing);
    assert_false(observe_wants_frames(o));
    observe_free(o);
    return 0;
}

/* Ethernet, IPv4, TCP: 192.0.2.1:1000 to 192.0.2.2:80 with `payload` bytes of 'x'. */
static uint32_t tcp_frame(uint8_t f[2048], uint32_t payload)
{
    memset(f, 0, 54);
    memset(f + 54, 'x', payload);
    f[12] = 8;
    f[14] = 0x45;
    f[16] = (uint8_t)((40 + payload) >> 8);
    f[17] = (uint8_t)(40 + payload);
    f[23] = 6;
    memcpy(f + 26, (const uint8_t[]){192, 0, 2, 1, 192, 0, 2, 2}, 8);
    f[34] = 1000 >> 8;
    f[35] = 1000 & 255;
    f[37] = 80;
    f[41] = 7; /* sequence number */
    f[46] = 0x50;
    f[47] = 0x18;
    return 54 + payload;
}

static void put(enum tcp_direction direction, const uint8_t *f, uint32_t length,
                const struct net_offload *offload)
{
    /* in odd pieces, as header and ranges are */
    const struct iovec iov[] = {{(void *)f, 14},
                                {(void *)(f + 14), length > 55 ? 41 : length - 14},
                                {(void *)(f + 55), length > 55 ? length - 55 : 0}};
    observe_frame(o, direction, time_from_ns(5), 1000, iov, 3, length, offload, 0);
}

static struct tcp_event event_of(const uint8_t *f, enum tcp_direction direction)
{
    struct tcp_event e = {.number = observe_last(o) + 1,
                          .type = TCP_EVENT_SEGMENT,
                          .id = 7,
                          .direction = direction,
                          .state = TCP_ESTABLISHED,
                          .header_len = 20,
                          .send_kind =
                              direction == TCP_OUT ? TCP_KIND_RETRANSMIT_RTO : TCP_KIND_NONE,
                          .cwnd = 14480};
    struct ip_addr first = ip_addr_from_v4(f + 26), second = ip_addr_from_v4(f + 30);
    memcpy(e.header, f + 34, 20);
    e.header[16] = 0xaa; /* the event's checksum may differ */
    e.tuple.local = direction == TCP_OUT ? first : second;
    e.tuple.remote = direction == TCP_OUT ? second : first;
    return e;
}

static const struct observe_record *next(uint64_t *lost)
{
    const struct observe_record *r;
    return observe_capture_next(c, &r, lost) ? r : NULL;
}

static void tcp_is_recognised(void **state)
{
    (void)state;
    uint8_t f[2048];
    uint64_t lost;
    uint32_t length = tcp_frame(f, 100);
    put(TCP_OUT, f, length, NULL);
    put(TCP_IN, f, length, NULL);
    const struct observe_record *r = next(&lost);
    assert_true(r->tcp && r->header_bytes == 54 && r->length == 154 && r->kept == 154);
    assert_memory_equal(r->data, f, 154);
    assert_int_equal(r->tuple.local_port, 1000);
    assert_int_equal(r->tuple.remote_port, 80);
    r = next(&lost);
    assert_int_equal(r->tuple.local_port, 80);
    assert_null(next(&lost));
    assert_int_equal(lost, 0);
}

static void event_finds_its_frame(void **state)
{
    (void)state;
    uint8_t f[2048], g[2048];
    uint64_t lost;
    uint32_t length = tcp_frame(f, 10);
    tcp_frame(g, 10);
    g[41] = 8; /* another sequence number */
    put(TCP_OUT, f, length, NULL);
    put(TCP_OUT, g, length, NULL);
    put(TCP_OUT, f, length, NULL); /* the same segment again */
    struct tcp_event e = event_of(g, TCP_OUT);
    observe_on_event(o, &e);
    e = event_of(f, TCP_OUT);
    e.cwnd = 1;
    observe_on_event(o, &e);
    e.number++;
    e.cwnd = 2;
    observe_on_event(o, &e);
    const struct observe_record *r = next(&lost);
    assert_true(r->known && r->id == 7 && r->event.cwnd == 1);
    r = next(&lost);
    assert_true(r->known && r->event.cwnd == 14480);
    r = next(&lost);
    assert_true(r->known && r->event.cwnd == 2); /* each frame has one event */
    e = event_of(f, TCP_IN);                     /* not what came in */
    observe_on_event(o, &e);
    assert_null(next(&lost));
}

static void partial_checksum_is_completed(void **state)
{
    (void)state;
    uint8_t f[2048];
    uint64_t lost;
    uint32_t length = tcp_frame(f, 101);
    uint64_t pseudo = checksum_add(0, f + 26, 8) + 6 + 121;
    uint16_t partial = checksum_fold(pseudo);
    f[50] = (uint8_t)(partial >> 8);
    f[51] = (uint8_t)partial;
    const struct net_offload offload = {
        .needs_checksum = true, .csum_start = 34, .csum_offset = 16};
    put(TCP_OUT, f, length, &offload);
    const struct observe_record *r = next(&lost);
    /* the sum over pseudo-header and segment, the field included, is all ones */
    assert_int_equal(
        checksum_fold(checksum_add(checksum_add(0, r->data + 26, 8) + 6 + 121, r->data + 34, 121)),
        0xffff);
}

static void other_protocols_show_no_payload(void **state)
{
    (void)state;
    uint8_t f[2048] = {0};
    uint64_t lost;
    f[12] = 8;
    f[13] = 6;
    put(TCP_IN, f, 42, NULL); /* ARP is all header */
    assert_int_equal(next(&lost)->header_bytes, 42);
    f[13] = 0;
    f[14] = 0x45;
    f[23] = 1;
    f[34] = 8;
    put(TCP_IN, f, 98, NULL); /* echo */
    const struct observe_record *r = next(&lost);
    assert_false(r->tcp);
    assert_int_equal(r->header_bytes, 42);
    f[34] = 3;
    put(TCP_IN, f, 98, NULL); /* an error and what it quotes */
    assert_int_equal(next(&lost)->header_bytes, 34 + 8 + 28);
    f[23] = 17;
    put(TCP_IN, f, 98, NULL);
    assert_int_equal(next(&lost)->header_bytes, 34);
    f[12] = 0x86;
    f[13] = 0xdd;
    f[20] = 58;
    f[54] = 135;
    put(TCP_IN, f, 86, NULL); /* neighbour solicitation */
    assert_int_equal(next(&lost)->header_bytes, 86);
    f[20] = 6;
    f[66] = 0x50;
    put(TCP_IN, f, 90, NULL);
    r = next(&lost);
    assert_true(r->tcp);
    assert_int_equal(r->header_bytes, 74);
    put(TCP_IN, f, 15, NULL); /* shorter than its header says */
    assert_int_equal(next(&lost)->header_bytes, 14);
}

static void loopback_is_made_from_events(void **state)
{
    (void)state;
    uint8_t f[2048];
    uint64_t lost;
    tcp_frame(f, 0);
    f[33] = 1; /* to ourselves */
    struct tcp_event e = event_of(f, TCP_OUT);
    e.payload_len = 1000;
    memset(e.payload, 'p', sizeof e.payload);
    observe_on_event(o, &e);
    e.number++;
    e.direction = TCP_IN; /* the same packet's arrival is not another packet */
    observe_on_event(o, &e);
    const struct observe_record *r = next(&lost);
    assert_int_equal(r->interface, OBSERVE_LOOPBACK);
    assert_int_equal(r->length, 14 + 1040);
    assert_int_equal(r->kept, 14 + 104);
    assert_int_equal(r->header_bytes, 14 + 40);
    assert_memory_equal(r->data, ((const uint8_t[]){0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0}), 14);
    assert_int_equal(checksum_fold(checksum_add(0, r->data + 14, 20)), 0xffff);
    assert_int_equal(r->data[14 + 103], 'p');
    assert_null(next(&lost));
}

static void bounded_in_frames_and_bytes(void **state)
{
    (void)state;
    uint8_t f[2048];
    uint64_t lost;
    for (unsigned i = 0; i < 11; i++) {
        put(TCP_OUT, f, tcp_frame(f, 10), NULL);
    }
    assert_non_null(next(&lost));
    assert_int_equal(lost, 3);
    for (unsigned i = 0; i < 7; i++) {
        assert_non_null(next(&lost));
        assert_int_equal(lost, 0);
    }
    for (unsigned i = 0; i < 6; i++) { /* 6 of 1954 bytes: 4 fit into 8192 */
        put(TCP_OUT, f, tcp_frame(f, 1900), NULL);
    }
    assert_non_null(next(&lost));
    assert_int_equal(lost, 2);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(tcp_is_recognised),
        TEST(event_finds_its_frame),
        TEST(partial_checksum_is_completed),
        TEST(other_protocols_show_no_payload),
        TEST(loopback_is_made_from_events),
        TEST(bounded_in_frames_and_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The virtio header in both directions, and our link address. The TAP itself is tests/interop's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include "host/tap.h"

static void a_plain_frame_asks_for_nothing(void **state)
{
    (void)state;
    struct net_offload o;
    struct virtio_net_hdr h = {0};
    tap_offload_from_virtio(&h, &o);
    assert_false(o.needs_checksum);
    assert_false(o.data_valid);
    assert_int_equal(o.gso_size, 0);
    memset(&h, 0xff, sizeof h);
    tap_offload_to_virtio(&o, 54, &h);
    assert_int_equal(h.flags, 0);
    assert_int_equal(h.gso_type, VIRTIO_NET_HDR_GSO_NONE);
    assert_int_equal(h.gso_size, 0);
    assert_int_equal(h.csum_start, 0);
}

static void a_super_frame_survives_both_ways(void **state)
{
    (void)state;
    for (unsigned v6 = 0; v6 < 2; v6++) {
        for (unsigned ecn = 0; ecn < 2; ecn++) {
            const struct net_offload in = {.needs_checksum = true,
                                           .csum_start = 34,
                                           .csum_offset = 16,
                                           .gso_size = 1448,
                                           .gso_ecn = ecn,
                                           .gso_v6 = v6};
            struct net_offload out;
            struct virtio_net_hdr h;
            tap_offload_to_virtio(&in, 66, &h);
            assert_int_equal(h.gso_type & ~VIRTIO_NET_HDR_GSO_ECN,
                             v6 ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4);
            assert_int_equal((h.gso_type & VIRTIO_NET_HDR_GSO_ECN) != 0, ecn);
            assert_int_equal(h.hdr_len, 66);
            tap_offload_from_virtio(&h, &out);
            assert_memory_equal(&in, &out, sizeof in);
        }
    }
}

static void the_device_vouches(void **state)
{
    (void)state;
    struct net_offload o;
    struct virtio_net_hdr h = {.flags = VIRTIO_NET_HDR_F_DATA_VALID};
    tap_offload_from_virtio(&h, &o);
    assert_true(o.data_valid);
    assert_false(o.needs_checksum);
}

static void the_link_address_is_stable_and_local(void **state)
{
    (void)state;
    uint8_t a[6], b[6];
    tap_mac(7, "ackd0", a);
    tap_mac(7, "ackd0", b);
    assert_memory_equal(a, b, 6);
    tap_mac(8, "ackd0", b);
    assert_memory_not_equal(a, b, 6);
    tap_mac(7, "ackd1", b);
    assert_memory_not_equal(a, b, 6);
    for (uint64_t seed = 0; seed < 64; seed++) {
        tap_mac(seed, "ackd0", a);
        assert_int_equal(a[0] & 3, 2); /* locally administered, individual */
    }
}

static void a_closed_tap_is_closed_once(void **state)
{
    (void)state;
    struct tap tap = {.fd = -1};
    tap_close(&tap);
    assert_int_equal(tap.fd, -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plain_frame_asks_for_nothing),
        cmocka_unit_test(a_super_frame_survives_both_ways),
        cmocka_unit_test(the_device_vouches),
        cmocka_unit_test(the_link_address_is_stable_and_local),
        cmocka_unit_test(a_closed_tap_is_closed_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

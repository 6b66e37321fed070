/* ARP: one packet bit by bit, every short length, and each of the fields that must be Ethernet's
 * and IPv4's. */
#include "hex.h"
#include "wire/arp.h"

#define PACKET "0001 0800 06 04 0001 020000000001 c0000201 020000000002 c0000202"

static void fields(void **state)
{
    (void)state;
    struct bytes b = hex(PACKET);
    struct arp_msg m;
    struct ip_addr sender = ip_addr_v4(192, 0, 2, 1), target = ip_addr_v4(192, 0, 2, 2);
    uint8_t built[ARP_LENGTH];
    assert_true(arp_parse(b.at, b.n, &m));
    assert_true(m.op == ARP_REQUEST && m.sender_mac[5] == 1 && m.target_mac[5] == 2);
    assert_true(ip_addr_equal(&m.sender_ip, &sender) && ip_addr_equal(&m.target_ip, &target));
    arp_build(built, &m);
    assert_memory_equal(built, b.at, ARP_LENGTH);
    free_bytes(b);
}

static void padding_is_ignored_and_short_is_refused(void **state)
{
    (void)state;
    struct bytes whole = hex(PACKET "000000000000000000000000000000000000");
    struct arp_msg m;
    for (size_t n = 0; n <= whole.n; n++) {
        struct bytes b = copy_of(whole.at, n);
        assert_int_equal(arp_parse(b.at, b.n, &m), n >= ARP_LENGTH);
        free_bytes(b);
    }
    free_bytes(whole);
}

static void other_kinds_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < 6; i++) {
        struct bytes b = hex(PACKET);
        struct arp_msg m;
        b.at[i] ^= 4;
        assert_false(arp_parse(b.at, b.n, &m));
        free_bytes(b);
    }
    struct bytes b = hex(PACKET);
    struct arp_msg m;
    b.at[7] = 9;
    assert_true(arp_parse(b.at, b.n, &m) && m.op == 9);
    free_bytes(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields),
        cmocka_unit_test(padding_is_ignored_and_short_is_refused),
        cmocka_unit_test(other_kinds_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

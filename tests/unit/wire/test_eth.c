/* Ethernet: header with and without a tag, every short length, group addresses, text. */
#include "hex.h"
#include "wire/eth.h"

static void plain_and_tagged(void **state)
{
    (void)state;
    struct bytes b = hex("020000000002 020000000001 86dd 60");
    struct eth_hdr h;
    uint8_t built[ETH_HEADER_VLAN];
    assert_true(eth_hdr_parse(b.at, b.n, &h));
    assert_true(h.type == ETH_TYPE_IPV6 && !h.has_vlan && h.header_len == 14);
    assert_true(h.dst[5] == 2 && h.src[5] == 1);
    assert_int_equal(eth_hdr_build(built, &h), 14);
    assert_memory_equal(built, b.at, 14);
    free_bytes(b);
    b = hex("ffffffffffff 020000000001 8100 a064 0806");
    assert_true(eth_hdr_parse(b.at, b.n, &h));
    assert_true(h.type == ETH_TYPE_ARP && h.has_vlan && h.vlan_tci == 0xa064 && h.header_len == 18);
    assert_int_equal(eth_hdr_build(built, &h), 18);
    assert_memory_equal(built, b.at, 18);
    free_bytes(b);
}

static void short_frames(void **state)
{
    (void)state;
    static const uint8_t tagged[18] = {[12] = 0x81, [13] = 0x00, [16] = 0x08};
    struct eth_hdr h;
    for (size_t n = 0; n <= 18; n++) {
        struct bytes b = copy_of(tagged, n);
        assert_int_equal(eth_hdr_parse(b.at, b.n, &h), n == 18);
        if (n > 12) {
            b.at[12] = 0x08;
            assert_int_equal(eth_hdr_parse(b.at, b.n, &h), n >= 14);
        }
        free_bytes(b);
    }
}

static void group_addresses(void **state)
{
    (void)state;
    static const struct {
        const char *ip, *mac;
    } table[] = {
        {"224.0.0.1", "01:00:5e:00:00:01"},
        {"239.129.2.3", "01:00:5e:01:02:03"},
        {"224.255.255.255", "01:00:5e:7f:ff:ff"},
        {"255.255.255.255", "ff:ff:ff:ff:ff:ff"},
        {"ff02::1:ff0e:8c6c", "33:33:ff:0e:8c:6c"},
        {"ff02::1", "33:33:00:00:00:01"},
        {"192.0.2.1", NULL},
        {"2001:db8::1", NULL},
        {"192.0.2.255", NULL},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct ip_addr ip;
        uint8_t mac[ETH_ADDR];
        char text[ETH_ADDR_TEXT];
        assert_true(ip_addr_parse(table[i].ip, &ip));
        assert_int_equal(eth_addr_for_group(&ip, mac), table[i].mac != NULL);
        if (table[i].mac != NULL) {
            assert_string_equal(eth_addr_format(mac, text), table[i].mac);
            assert_true(eth_addr_is_group(mac));
        }
    }
}

static void kinds(void **state)
{
    (void)state;
    static const uint8_t zero[6] = {0}, all[6] = {255, 255, 255, 255, 255, 255},
                         one[6] = {2, 0, 0, 0, 0, 1};
    assert_true(eth_addr_is_zero(zero) && !eth_addr_is_zero(one) && !eth_addr_is_group(one));
    assert_true(eth_addr_is_broadcast(all) && eth_addr_is_group(all) &&
                !eth_addr_is_broadcast(one));
}

static void text(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "02:00:00:00:00",
                                      "02:00:00:00:00:0",
                                      "02:00:00:00:00:001",
                                      "02:00:00:00:00:01:",
                                      "02:00:00:00:00:0g",
                                      "02:00:00:00:00-01",
                                      "020000000001:::::",
                                      "2:0:0:0:0:1",
                                      "02.00.00.00.00.01"};
    uint8_t mac[6];
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(eth_addr_parse(bad[i], mac));
    }
    assert_true(eth_addr_parse("0a:1B:fF:00:9c:01", mac));
    assert_memory_equal(mac, "\x0a\x1b\xff\x00\x9c\x01", 6);
    assert_true(eth_addr_parse("0a-1b-ff-00-9c-01", mac));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_and_tagged),
        cmocka_unit_test(short_frames),
        cmocka_unit_test(group_addresses),
        cmocka_unit_test(kinds),
        cmocka_unit_test(text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Control bits as text: all 512 values in columns, and the usual spellings. */
#include "hex.h"
#include "wire/tcp.h"

static void columns_of_every_value(void **state)
{
    (void)state;
    for (uint16_t flags = 0; flags < 512; flags++) {
        char text[10];
        uint16_t again = 0xffff;
        tcp_flags_format(flags, text);
        assert_int_equal(strlen(text), flags & TCP_AE ? 9 : 8);
        assert_true(tcp_flags_parse(text, &again));
        assert_int_equal(again, flags);
    }
    char text[10];
    assert_string_equal(tcp_flags_format(TCP_SYN | TCP_ACK, text), "...A..S.");
    assert_string_equal(tcp_flags_format(0x1ff, text), "eCEUAPRSF");
}

static void usual_spellings(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint16_t flags;
    } table[] = {
        {"SA", TCP_SYN | TCP_ACK},
        {"S.", TCP_SYN | TCP_ACK},
        {"S", TCP_SYN},
        {".", TCP_ACK},
        {"FP.", TCP_FIN | TCP_PSH | TCP_ACK},
        {"PA", TCP_PSH | TCP_ACK},
        {"SEW", TCP_SYN | TCP_ECE | TCP_CWR},
        {"SEC", TCP_SYN | TCP_ECE | TCP_CWR},
        {"SEWe", TCP_SYN | TCP_ECE | TCP_CWR | TCP_AE},
        {"SYN,ACK", TCP_SYN | TCP_ACK},
        {"SYN|ACK", TCP_SYN | TCP_ACK},
        {"SYN+ACK", TCP_SYN | TCP_ACK},
        {"syn ack", TCP_SYN | TCP_ACK},
        {"Fin", TCP_FIN},
        {"RST", TCP_RST},
        {"URG,PSH,ECE,CWR", TCP_URG | TCP_PSH | TCP_ECE | TCP_CWR},
        {"AE", TCP_AE},
        {"EA", TCP_ECE | TCP_ACK},
        {"AE,ACK", TCP_AE | TCP_ACK},
        {"CEUAPRSF", 0xff},
        {"........", 0},
        {".........", 0},
        {"e........", TCP_AE},
        {"....A...", 0xffff}, /* A in R's column */
        {"-", 0},
        {"none", 0},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        uint16_t flags = 0xffff;
        if (tcp_flags_parse(table[i].text, &flags) != (table[i].flags != 0xffff) ||
            flags != table[i].flags) {
            fail_msg("%s is %x", table[i].text, flags);
        }
    }
}

static void no_spelling(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",     " ",  "X",      "SS", "S..",     "SYN,SYN",    "SYN,",      ",SYN",      "SYN,,ACK",
        "SYNX", "SY", "SYNACK", "sa", ".......", "..........", "C.......F", "x........", "SYN,S"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint16_t flags = 0x123;
        if (tcp_flags_parse(bad[i], &flags)) {
            fail_msg("\"%s\" parses as %x", bad[i], flags);
        }
        assert_int_equal(flags, 0x123);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_of_every_value),
        cmocka_unit_test(usual_spellings),
        cmocka_unit_test(no_spelling),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

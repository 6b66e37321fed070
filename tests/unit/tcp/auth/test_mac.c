/* The MACs and traffic keys of TCP-AO by the vectors of RFC 9235, whole packets of both families,
 * both algorithms, with and without the other options; and the MD5 signature by its definition. */
#include "../../wire/hex.h"
#include "tcp/auth/auth.h"
#include "wire/bytes.h"

static const struct vector {
    const char *section;
    enum tcp_key_algorithm algorithm;
    bool exclude_options;
    uint32_t client_isn, server_isn;
    const char *key, *packet, *mac;
} vectors[] = {
    {"4.1.1", TCP_KEY_HMAC_SHA1_96, false, 0xfbfbab5a, 0x11c14261,
     "6d63ef1b02fe1509d4b1402707fd7b0416abb74f",
     "45e0004cdd0f4000ff06bf6b0a0b0c0dac1b1c1de9d700b3fbfbab5a00000000"
     "e002ffffcac40000020405b4010303080402080a00155ab7000000001d103d54"
     "2ee437c6f8ede6d7c4d602e7",
     "2ee437c6f8ede6d7c4d602e7"},
    {"4.1.2", TCP_KEY_HMAC_SHA1_96, false, 0xfbfbab5a, 0x11c14261,
     "d9e217e4834a80ca2f3fd8de2e41b8e6797fea96",
     "45e0004c65064000ff063775ac1b1c1d0a0b0c0d00b3e9d711c14261fbfbab5b"
     "e012ffff37760000020405b4010303080402080a84a50beb00155ab71d10543d"
     "eeab0fe24c3010815116b3be",
     "eeab0fe24c3010815116b3be"},
    {"4.1.3", TCP_KEY_HMAC_SHA1_96, false, 0xfbfbab5a, 0x11c14261,
     "d2e59c65ffc7b1a39347656463b70edc24a13d71",
     "45e0008736a14000ff06659f0a0b0c0dac1b1c1de9d700b3fbfbab5b11c14262"
     "c0180104a16200000101080a00155ac184a50beb1d103d547064cf998cc6c315"
     "c2c2e2bfffffffffffffffffffffffffffffffff00430104dabf00b40a0b0c0d"
     "260206010400010001020280000202020002024200020641040000dabf020840"
     "06006400010100",
     "7064cf998cc6c315c2c2e2bf"},
    {"4.1.4", TCP_KEY_HMAC_SHA1_96, false, 0xfbfbab5a, 0x11c14261,
     "d9e217e4834a80ca2f3fd8de2e41b8e6797fea96",
     "45e000871fa94000ff067c97ac1b1c1d0a0b0c0d00b3e9d711c14262fbfbab9e"
     "c0180100400c00000101080a84a50bf500155ac11d10543da63f0ecbbb2e635c"
     "954deac7ffffffffffffffffffffffffffffffff00430104dac000b4ac1b1c1d"
     "260206010400010001020280000202020002024200020641040000dac0020840"
     "06006400010100",
     "a63f0ecbbb2e635c954deac7"},
    {"4.2.1", TCP_KEY_HMAC_SHA1_96, true, 0xcb0efbee, 0xacd5b5e1,
     "30eaa1560cf0be57dab5c045229fb10a423cd7ea",
     "45e0004c53994000ff0648e20a0b0c0dac1b1c1dff1200b3cb0efbee00000000"
     "e002ffff541f0000020405b4010303080402080a00024cce000000001d103d54"
     "80af3cfeb85368937b8f9ec2",
     "80af3cfeb85368937b8f9ec2"},
    {"4.2.2", TCP_KEY_HMAC_SHA1_96, true, 0xcb0efbee, 0xacd5b5e1,
     "b5b2896bb3664e8176b0edc6e799524101a8307f",
     "45e0004c32844000ff0669f7ac1b1c1d0a0b0c0d00b3ff12acd5b5e1cb0efbef"
     "e012ffff388e0000020405b4010303080402080a576772f300024cce1d10543d"
     "09306f9acea63a8c68cb9a70",
     "09306f9acea63a8c68cb9a70"},
    {"4.2.3", TCP_KEY_HMAC_SHA1_96, true, 0xcb0efbee, 0xacd5b5e1,
     "f3db1793d7910ecd806c34f155ea1f00345953e3",
     "45e00087a8f54000ff06f34a0a0b0c0dac1b1c1dff1200b3cb0efbefacd5b5e2"
     "c01801046c4500000101080a00024cce576772f31d103d54710608cc696c03a2"
     "71c93aa5ffffffffffffffffffffffffffffffff00430104dabf00b40a0b0c0d"
     "260206010400010001020280000202020002024200020641040000dabf020840"
     "06006400010100",
     "710608cc696c03a271c93aa5"},
    {"4.2.4", TCP_KEY_HMAC_SHA1_96, true, 0xcb0efbee, 0xacd5b5e1,
     "b5b2896bb3664e8176b0edc6e799524101a8307f",
     "45e0008754374000ff064809ac1b1c1d0a0b0c0d00b3ff12acd5b5e2cb0efc32"
     "c018010046b600000101080a576772f300024cce1d10543d97766e48ac262de9"
     "ae61b4f9ffffffffffffffffffffffffffffffff00430104dac000b4ac1b1c1d"
     "260206010400010001020280000202020002024200020641040000dac0020840"
     "06006400010100",
     "97766e48ac262de9ae61b4f9"},
    {"5.1.1", TCP_KEY_AES_128_CMAC_96, false, 0x787a1ddf, 0xfadd6de9,
     "f5b8b3d5f34fdbb6eb8d4ab9660e60e3",
     "45e0004c7b9f4000ff0620dc0a0b0c0dac1b1c1dc4fa00b3787a1ddf00000000"
     "e002ffff5a0f0000020405b4010303080402080a00017ed0000000001d103d54"
     "e477e99c8040765498e55091",
     "e477e99c8040765498e55091"},
    {"5.1.2", TCP_KEY_AES_128_CMAC_96, false, 0x787a1ddf, 0xfadd6de9,
     "4bc7571a486f3264bbd888474066b4b1",
     "45e0004c4bad4000ff0650ceac1b1c1d0a0b0c0d00b3c4fafadd6de9787a1de0"
     "e012fffff3f20000020405b4010303080402080a93f4e9e800017ed01d10543d"
     "d6ada7bc4cdd536d1769db5f",
     "d6ada7bc4cdd536d1769db5f"},
    {"5.1.3", TCP_KEY_AES_128_CMAC_96, false, 0x787a1ddf, 0xfadd6de9,
     "8c8ae0e8371ec5cbb97ea79d90418391",
     "45e00087fb4f4000ff06a0f00a0b0c0dac1b1c1dc4fa00b3787a1de0fadd6dea"
     "c0180104950500000101080a00017ed093f4e9e81d103d5477412742fa4dc433"
     "eff0973effffffffffffffffffffffffffffffff00430104dabf00b40a0b0c0d"
     "260206010400010001020280000202020002024200020641040000dabf020840"
     "06006400010100",
     "77412742fa4dc433eff0973e"},
    {"5.1.4", TCP_KEY_AES_128_CMAC_96, false, 0x787a1ddf, 0xfadd6de9,
     "4bc7571a486f3264bbd888474066b4b1",
     "45e00087b9144000ff06e32bac1b1c1d0a0b0c0d00b3c4fafadd6dea787a1e23"
     "c0180100e7db00000101080a93f4e9e800017ed01d10543df6d965a78382a748"
     "45f72dacffffffffffffffffffffffffffffffff00430104dac000b4ac1b1c1d"
     "260206010400010001020280000202020002024200020641040000dac0020840"
     "06006400010100",
     "f6d965a78382a74845f72dac"},
    {"5.2.1", TCP_KEY_AES_128_CMAC_96, true, 0x389bed71, 0xd3844a6f,
     "2cdbae1392c49449fa92c4509735d50e",
     "45e0004cf22e4000ff06aa4c0a0b0c0dac1b1c1dda1c00b3389bed7100000000"
     "e002ffff70bf0000020405b4010303080402080a000185e1000000001d103d54"
     "c44e60cb31f7c0b1de3d2749",
     "c44e60cb31f7c0b1de3d2749"},
    {"5.2.2", TCP_KEY_AES_128_CMAC_96, true, 0x389bed71, 0xd3844a6f,
     "3ce67a551869506b6347b633c50a624a",
     "45e0004c6cc04000ff062fbbac1b1c1d0a0b0c0d00b3da1cd3844a6f389bed72"
     "e012ffffe4450000020405b4010303080402080ace459838000185e11d10543d"
     "3a6abb207e49b1be7136db90",
     "3a6abb207e49b1be7136db90"},
    {"5.2.3", TCP_KEY_AES_128_CMAC_96, true, 0x389bed71, 0xd3844a6f,
     "035bc400a341ffe595f59f58005006ca",
     "45e00087ee914000ff06adae0a0b0c0dac1b1c1dda1c00b3389bed72d3844a70"
     "c0180104885100000101080a000185e1ce4598381d103d547585e9e9d5c3ec85"
     "7b96f837ffffffffffffffffffffffffffffffff00430104dabf00b40a0b0c0d"
     "260206010400010001020280000202020002024200020641040000dabf020840"
     "06006400010100",
     "7585e9e9d5c3ec857b96f837"},
    {"5.2.4", TCP_KEY_AES_128_CMAC_96, true, 0x389bed71, 0xd3844a6f,
     "3ce67a551869506b6347b633c50a624a",
     "45e000876a214000ff06321fac1b1c1d0a0b0c0d00b3da1cd3844a70389bed72"
     "c0180100044900000101080ace459838000185e11d10543d5c040fd923330476"
     "5c0982f4ffffffffffffffffffffffffffffffff00430104dac000b4ac1b1c1d"
     "260206010400010001020280000202020002024200020641040000dac0020840"
     "06006400010100",
     "5c040fd9233304765c0982f4"},
    {"6.1.1", TCP_KEY_HMAC_SHA1_96, false, 0x176a833f, 0x3f51994b,
     "625ec09d575836edc9b6428418bbf06989a361bb",
     "6e0891dc00380640fd000000000000000000000000000001fd00000000000000"
     "0000000000000002f7e400b3176a833f00000000e002ffff47210000020405a0"
     "010303080402080a0041d087000000001d103d549033ec3d7334b64c5edd039f",
     "9033ec3d7334b64c5edd039f"},
    {"6.1.2", TCP_KEY_HMAC_SHA1_96, false, 0x176a833f, 0x3f51994b,
     "e4a37ada2a0afca8711434913fe138c771ebcb4a",
     "6e01009e00380640fd000000000000000000000000000002fd00000000000000"
     "000000000000000100b3f7e43f51994b176a8340e012ffffbfec0000020405a0"
     "010303080402080abd33129b0041d0871d10543df1cba346c3526163f71f1f55",
     "f1cba346c3526163f71f1f55"},
    {"6.1.3", TCP_KEY_HMAC_SHA1_96, false, 0x176a833f, 0x3f51994b,
     "1ed82975f4ea444c61580c5bd90dbd61bbc91b7e",
     "6e0891dc00730640fd000000000000000000000000000001fd00000000000000"
     "0000000000000002f7e400b3176a83403f51994cc0180100329c00000101080a"
     "0041d091bd33129b1d103d54bf0805feb4ac7b163d6fcdf2ffffffffffffffff"
     "ffffffffffffffff00430104fde800b401010179260206010400010001020280"
     "000202020002024200020641040000fde802084006006400010100",
     "bf0805feb4ac7b163d6fcdf2"},
    {"6.1.4", TCP_KEY_HMAC_SHA1_96, false, 0x176a833f, 0x3f51994b,
     "e4a37ada2a0afca8711434913fe138c771ebcb4a",
     "6e01009e00730640fd000000000000000000000000000002fd00000000000000"
     "000000000000000100b3f7e43f51994c176a8383c0180100ee6e00000101080a"
     "bd3312a50041d0911d10543d6c48125c11335bab9a07a797ffffffffffffffff"
     "ffffffffffffffff00430104fde800b40101017a260206010400010001020280"
     "000202020002024200020641040000fde802084006006400010100",
     "6c48125c11335bab9a07a797"},
    {"6.2.1", TCP_KEY_HMAC_SHA1_96, true, 0x020c1e69, 0xeba3734d,
     "31a3faf69effae52931b7f845467315c270a4edc",
     "6e078fcd00380640fd000000000000000000000000000001fd00000000000000"
     "0000000000000002c6cd00b3020c1e6900000000e002ffffa41a0000020405a0"
     "010303080402080a009db95b000000001d103d54885698b0530ed4d5a15f8346",
     "885698b0530ed4d5a15f8346"},
    {"6.2.2", TCP_KEY_HMAC_SHA1_96, true, 0x020c1e69, 0xeba3734d,
     "405108947f996575e7bdbc26d40216a2c7fa91bd",
     "6e0a7e1f00380640fd000000000000000000000000000002fd00000000000000"
     "000000000000000100b3c6cdeba3734d020c1e6ae012ffff774d0000020405a0"
     "010303080402080a5ec99b70009db95b1d10543d3c546bad9743f12df8b8010d",
     "3c546bad9743f12df8b8010d"},
    {"6.2.3", TCP_KEY_HMAC_SHA1_96, true, 0x020c1e69, 0xeba3734d,
     "b34eed6a9396a669f1c4f4f57618f3656f52c7ab",
     "6e078fcd00730640fd000000000000000000000000000001fd00000000000000"
     "0000000000000002c6cd00b3020c1e6aeba3734ec018010083e600000101080a"
     "009db9655ec99b701d103d5448bd093b1924e001192f5bf0ffffffffffffffff"
     "ffffffffffffffff00430104fde800b401010179260206010400010001020280"
     "000202020002024200020641040000fde802084006006400010100",
     "48bd093b1924e001192f5bf0"},
    {"6.2.4", TCP_KEY_HMAC_SHA1_96, true, 0x020c1e69, 0xeba3734d,
     "405108947f996575e7bdbc26d40216a2c7fa91bd",
     "6e0a7e1f00730640fd000000000000000000000000000002fd00000000000000"
     "000000000000000100b3c6cdeba3734e020c1eadc0180100716a00000101080a"
     "5ec99b7a009db9651d10543d559a819445b4fde98d9e1317ffffffffffffffff"
     "ffffffffffffffff00430104fde800b40101017a260206010400010001020280"
     "000202020002024200020641040000fde802084006006400010100",
     "559a819445b4fde98d9e1317"},
    {"7.1.1", TCP_KEY_AES_128_CMAC_96, false, 0x193cccec, 0xa6744ecb,
     "fa5a2108882d39d0c71929175ab1b7b8",
     "6e04a70600380640fd000000000000000000000000000001fd00000000000000"
     "0000000000000002f85a00b3193cccec00000000e002ffffde5d0000020405a0"
     "010303080402080a13e4ab99000000001d103d5459b588107481ac6dc3927040",
     "59b588107481ac6dc3927040"},
    {"7.1.2", TCP_KEY_AES_128_CMAC_96, false, 0x193cccec, 0xa6744ecb,
     "cf1b1e225e06a63616764a067b46f4b1",
     "6e06152000380640fd000000000000000000000000000002fd00000000000000"
     "000000000000000100b3f85aa6744ecb193cccede012ffffeabb0000020405a0"
     "010303080402080a71daabc813e4ab991d10543ddc2843a84e78a6bcfdc5ed80",
     "dc2843a84e78a6bcfdc5ed80"},
    {"7.1.3", TCP_KEY_AES_128_CMAC_96, false, 0x193cccec, 0xa6744ecb,
     "6174c3557abed27574dba37185f00300",
     "6e04a70600730640fd000000000000000000000000000001fd00000000000000"
     "0000000000000002f85a00b3193ccceda6744eccc0180100328000000101080a"
     "13e4aba371daabc81d103d547b6a455c0d4f5f01835baab3ffffffffffffffff"
     "ffffffffffffffff00430104fde800b401010179260206010400010001020280"
     "000202020002024200020641040000fde802084006006400010100",
     "7b6a455c0d4f5f01835baab3"},
    {"7.1.4", TCP_KEY_AES_128_CMAC_96, false, 0x193cccec, 0xa6744ecb,
     "cf1b1e225e06a63616764a067b46f4b1",
     "6e06152000730640fd000000000000000000000000000002fd00000000000000"
     "000000000000000100b3f85aa6744ecc193ccd30c018010052f400000101080a"
     "71daabd313e4aba31d10543dc1069b7dfd3d693a6df3f289ffffffffffffffff"
     "ffffffffffffffff00430104fde800b40101017a260206010400010001020280"
     "000202020002024200020641040000fde802084006006400010100",
     "c1069b7dfd3d693a6df3f289"},
    {"7.2.1", TCP_KEY_AES_128_CMAC_96, true, 0xb01da74a, 0xa6246145,
     "a94f511263e4093d35dd818c13bbbf53",
     "6e093d7600380640fd000000000000000000000000000001fd00000000000000"
     "0000000000000002f28800b3b01da74a00000000e002ffff75ff0000020405a0"
     "010303080402080a14275b3b000000001d103d543d45b4342de8bb1530847898",
     "3d45b4342de8bb1530847898"},
    {"7.2.2", TCP_KEY_AES_128_CMAC_96, true, 0xb01da74a, 0xa6246145,
     "92dea5bbc78b1d9f5b2952e9cd30642a",
     "6e0c600a00380640fd000000000000000000000000000002fd00000000000000"
     "000000000000000100b3f288a6246145b01da74be012ffffa70c0000020405a0"
     "010303080402080a1782245b14275b3b1d10543d1d01f6c87c6f93acffa9d4b5",
     "1d01f6c87c6f93acffa9d4b5"},
    {"7.2.3", TCP_KEY_AES_128_CMAC_96, true, 0xb01da74a, 0xa6246145,
     "4fb2086e402c679079ed65d4bf97693d",
     "6e093d7600730640fd000000000000000000000000000001fd00000000000000"
     "0000000000000002f28800b3b01da74ba6246146c0180100c36d00000101080a"
     "14275b4f1782245b1d103d54290cf414ccb47a333276e7f8ffffffffffffffff"
     "ffffffffffffffff00430104fde800b401010179260206010400010001020280"
     "000202020002024200020641040000fde802084006006400010100",
     "290cf414ccb47a333276e7f8"},
    {"7.2.4", TCP_KEY_AES_128_CMAC_96, true, 0xb01da74a, 0xa6246145,
     "92dea5bbc78b1d9f5b2952e9cd30642a",
     "6e0c600a00730640fd000000000000000000000000000002fd00000000000000"
     "000000000000000100b3f288a6246146b01da78ec0180100345100000101080a"
     "1782246514275b4f1d10543d99515ffcd5403499f619fd1bffffffffffffffff"
     "ffffffffffffffff00430104fde800b40101017a260206010400010001020280"
     "000202020002024200020641040000fde802084006006400010100",
     "99515ffcd5403499f619fd1b"},
};

#define MASTER_KEY "testvector" /* section 3.1.1 */
#define SERVER_PORT 179

/* A packet of either family as a MAC sees it; *range is its text. */
static void read_packet(const struct bytes *p, struct mac_segment *s, struct tcp_hdr *h,
                        struct tcp_opts *o, struct tcp_range *range)
{
    bool v4 = p->at[0] >> 4 == 4;
    uint32_t at = v4 ? 20 : 40;
    *s = (struct mac_segment){.src = v4 ? ip_addr_from_v4(p->at + 12) : ip_addr_from_v6(p->at + 8),
                              .dst = v4 ? ip_addr_from_v4(p->at + 16) : ip_addr_from_v6(p->at + 24),
                              .header = p->at + at};
    assert_true(tcp_hdr_parse(p->at + at, p->n - at, h));
    tcp_opts_parse(p->at + at, h, o);
    assert_true(o->has_ao && !o->malformed);
    assert_int_equal(o->mac_len, AO_MAC);
    s->header_len = h->header_len;
    s->mac_at = (uint32_t)(o->mac - s->header);
    s->payload_len = (uint32_t)p->n - at - h->header_len;
    *range = (struct tcp_range){s->header + h->header_len, s->payload_len};
    s->range = range;
    s->n_ranges = s->payload_len != 0;
}

static void check_vector(const struct vector *v)
{
    struct bytes packet = hex(v->packet), key = hex(v->key), mac = hex(v->mac);
    struct mac_segment s;
    struct tcp_hdr h;
    struct tcp_opts o;
    struct tcp_range range;
    uint8_t traffic[AO_TRAFFIC_KEY_MAX], got[AO_MAC];
    read_packet(&packet, &s, &h, &o, &range);
    bool by_server = h.sport == SERVER_PORT, syn = (h.flags & (TCP_SYN | TCP_ACK)) == TCP_SYN;
    assert_int_equal(o.ao_key_id, by_server ? 84 : 61);
    assert_int_equal(o.ao_next_id, by_server ? 61 : 84);
    struct ao_context c = {.src = s.src,
                           .dst = s.dst,
                           .sport = h.sport,
                           .dport = h.dport,
                           .src_isn = seq_of(by_server ? v->server_isn : v->client_isn),
                           .dst_isn = seq_of(syn         ? 0
                                             : by_server ? v->client_isn
                                                         : v->server_isn)};
    ao_traffic_key(v->algorithm, (const uint8_t *)MASTER_KEY, strlen(MASTER_KEY), &c, traffic);
    assert_int_equal(ao_traffic_key_length(v->algorithm), key.n);
    assert_memory_equal(traffic, key.at, key.n);
    ao_mac(v->algorithm, traffic, v->exclude_options, 0, &s, got);
    assert_memory_equal(got, mac.at, AO_MAC);
    assert_memory_equal(o.mac, mac.at, AO_MAC);
    ao_mac(v->algorithm, traffic, v->exclude_options, 1, &s, got); /* the extension counts */
    assert_memory_not_equal(got, mac.at, AO_MAC);
    free_bytes(packet);
    free_bytes(key);
    free_bytes(mac);
}

static void vectors_of_rfc_9235(void **state)
{
    (void)state;
    assert_int_equal(sizeof vectors / sizeof vectors[0], 32);
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        print_message("RFC 9235 section %s\n", vectors[i].section);
        check_vector(&vectors[i]);
    }
}

/* A master key of 16 octets is the AES key itself (RFC 5926 section 3.1.1.2): the CMAC of RFC 4493
 * shows it, the key derivation from 16 octets must differ from that of their digest. */
static void aes_master_keys(void **state)
{
    (void)state;
    struct ao_context c = {.src = ip_addr_v4(10, 0, 0, 1), .dst = ip_addr_v4(10, 0, 0, 2)};
    uint8_t sixteen[AO_TRAFFIC_KEY_MAX], seventeen[AO_TRAFFIC_KEY_MAX];
    const uint8_t master[17] = "0123456789abcdef";
    ao_traffic_key(TCP_KEY_AES_128_CMAC_96, master, 16, &c, sixteen);
    ao_traffic_key(TCP_KEY_AES_128_CMAC_96, master, 17, &c, seventeen);
    assert_memory_not_equal(sixteen, seventeen, 16);
}

/* RFC 2385 section 2.0, item by item; the digests were made with md5sum. */
static void md5_signature(void **state)
{
    (void)state;
    /* SYN of 10.0.0.1:179 to 10.0.0.2:1025, sequence number 1, window 100, option MSS 1460 and
     * MD5: the pseudo-header says 44 octets, data offset 11, no option is covered */
    struct bytes header = hex("00b3 0401 00000001 00000000 b002 0064 beef 0000"
                              "020405b4 0101 1312 00000000000000000000000000000000");
    struct tcp_range text[2] = {{(const uint8_t *)"ab", 2}, {(const uint8_t *)"c", 1}};
    struct mac_segment s = {.src = ip_addr_v4(10, 0, 0, 1),
                            .dst = ip_addr_v4(10, 0, 0, 2),
                            .header = header.at,
                            .header_len = (uint32_t)header.n};
    uint8_t got[MD5_MAC];
    struct bytes want = hex("f228e3f522a8693b4041e8b08569f2cf");
    md5_mac((const uint8_t *)"secret", 6, &s, got);
    assert_memory_equal(got, want.at, MD5_MAC);
    free_bytes(want);
    s.range = text;
    s.n_ranges = 2;
    s.payload_len = 3;
    want = hex("9e2478a50a3df2442d921cfb3a39be7b");
    md5_mac((const uint8_t *)"secret", 6, &s, got);
    assert_memory_equal(got, want.at, MD5_MAC);
    free_bytes(want);
    s.src = ip_addr_from_v6((const uint8_t *)"\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1");
    s.dst = ip_addr_from_v6((const uint8_t *)"\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\2");
    want = hex("0346d89f0423c72ecb17ada5a9d391e3");
    md5_mac((const uint8_t *)"secret", 6, &s, got);
    assert_memory_equal(got, want.at, MD5_MAC);
    free_bytes(want);
    free_bytes(header);
}

/* RFC 5925 section 6.2: the upper half of a number that wraps, of both sides of the wrap at once.
 */
static void sequence_number_extension(void **state)
{
    (void)state;
    struct sne s = {.at = seq_of(0xfffffff0)};
    assert_int_equal(sne_of(&s, seq_of(0xfffffff0)), 0);
    assert_int_equal(sne_of(&s, seq_of(5)), 1); /* beyond the wrap, seen before what is in front */
    sne_advance(&s, seq_of(5));
    assert_int_equal(s.upper, 1);
    assert_int_equal(sne_of(&s, seq_of(0xfffffff8)), 0); /* a retransmission from before it */
    assert_int_equal(sne_of(&s, seq_of(6)), 1);
    sne_advance(&s, seq_of(0xfffffff8)); /* never back */
    assert_int_equal(s.at.v, 5);
    for (uint32_t turn = 0; turn < 3; turn++) {
        sne_advance(&s, seq_of(0x70000000));
        sne_advance(&s, seq_of(0xe0000000));
        assert_int_equal(s.upper, 1 + turn);
        sne_advance(&s, seq_of(0));
        assert_int_equal(s.upper, 2 + turn);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_of_rfc_9235),
        cmocka_unit_test(aes_master_keys),
        cmocka_unit_test(md5_signature),
        cmocka_unit_test(sequence_number_extension),
    };
    return cmocka_run_group_tests_name("tcp auth mac", tests, NULL, NULL);
}

/* The receive queue: the oracle of the fuzz target on random inputs, and what a peer can make it
 * cost. */
#include "cmocka_all.h"
#include "memory.h"
#include "random_inputs.h"
#include "tcp/rcvq.h"

#define FRAME_FOOTPRINT 69632u
#define RECORD ((uint32_t)sizeof(struct rcv_piece))

struct fixture {
    struct memory memory;
    struct slab pieces;
    struct pkt_pool *pool;
    struct rcvq q;
    struct rcvq_result result;
};

static void start(struct fixture *f)
{
    memory_init(&f->memory, 64 << 20);
    slab_init(&f->pieces, f->memory.arena, sizeof(struct rcv_piece));
    f->pool = pkt_pool_new(f->memory.arena, 0);
    rcvq_init(&f->q, seq_of(0));
}

static void end(struct fixture *f)
{
    rcvq_clear(&f->q, &f->pieces);
    assert_int_equal(f->q.charge, 0);
    assert_int_equal(f->pieces.in_use, 0);
    pkt_pool_free(f->pool);
    arena_free(f->memory.arena);
}

/* A segment in a frame of its own, let go of afterwards as the host does. */
static void segment(struct fixture *f, uint32_t seq, uint32_t length)
{
    struct pkt *pkt = pkt_get(f->pool, PKT_FRAME_CAPACITY);
    assert_non_null(pkt);
    for (uint32_t i = 0; i < length; i++) {
        pkt->data[66 + i] = (uint8_t)((seq + i) * 7);
    }
    rcvq_insert(&f->q, &f->pieces, f->pool, seq_of(seq), pkt, 66, length, &f->result);
    pkt_unref(pkt);
    assert_true(rcvq_valid(&f->q));
}

static void against_an_array(void **state)
{
    (void)state;
    run_random_inputs(60, 300);
}

static void tiny_segments_cost_their_bytes(void **state)
{
    (void)state;
    struct fixture f;
    start(&f);
    for (uint32_t s = 0; s < 50000; s++) {
        segment(&f, s, 1);
    }
    assert_int_equal(f.q.ready, 50000);
    assert_in_range(f.q.charge, 50000, 50000 + 2 * 16384 + 10 * RECORD);
    end(&f);
}

static void full_segments_fill_their_buffers(void **state)
{
    (void)state;
    struct fixture f;
    start(&f);
    for (uint32_t s = 0; s < 1448 * 200; s += 1448) {
        segment(&f, s, 1448);
    }
    assert_in_range(f.q.charge, f.q.ready, f.q.ready + 16384 + 30 * (RECORD + sizeof(struct pkt)));
    end(&f);
}

static void holes_cost_one_buffer_each(void **state)
{
    (void)state;
    struct fixture f;
    start(&f);
    for (uint32_t i = 0; i < RCVQ_MAX_RANGES; i++) {
        segment(&f, 1 + 2 * i, 1);
        assert_int_equal(f.result.drop, TCP_DROP_NONE);
    }
    assert_int_equal(f.q.charge, RCVQ_MAX_RANGES * (2048 + RECORD));
    segment(&f, 2 * RCVQ_MAX_RANGES + 1, 1);
    assert_int_equal(f.result.drop, TCP_DROP_REASSEMBLY_LIMIT);
    assert_int_equal(f.result.kept, 0);
    /* What makes no new hole is still taken, and one retransmission fills them all. */
    segment(&f, 2, 1);
    assert_int_equal(f.q.ooo_ranges, RCVQ_MAX_RANGES - 1);
    segment(&f, 0, 2 * RCVQ_MAX_RANGES);
    assert_true(f.result.filled_hole);
    assert_int_equal(f.q.ready, 2 * RCVQ_MAX_RANGES);
    assert_int_equal(f.q.ooo_pieces, 0);
    assert_in_range(f.q.charge, 0, 4096 + 4 * RECORD); /* and the buffers are few again */
    end(&f);
}

static void backwards_streams_join(void **state)
{
    (void)state;
    struct fixture f;
    start(&f);
    for (uint32_t s = 30000; s > 0; s--) {
        segment(&f, s, 1);
    }
    assert_int_equal(f.q.ooo_ranges, 1);
    assert_in_range(f.q.charge, 30000, 4 * 30000 + 8192);
    end(&f);
}

static void super_frames_stay_in_place(void **state)
{
    (void)state;
    struct fixture f;
    start(&f);
    segment(&f, 0, 40000);
    assert_int_equal(f.result.copied, 0);
    assert_int_equal(f.q.charge, FRAME_FOOTPRINT + RECORD);
    segment(&f, 40000, 1448);
    assert_int_equal(f.result.copied, 1448); /* behind it, in the same buffer */
    assert_int_equal(f.q.charge, FRAME_FOOTPRINT + RECORD);
    rcvq_consume(&f.q, &f.pieces, 41448);
    assert_int_equal(f.q.charge, 0);
    end(&f);
}

static void a_buffer_shared_by_pieces_is_charged_once(void **state)
{
    (void)state;
    struct fixture f;
    start(&f);
    segment(&f, 20000, 10);
    segment(
        &f, 0,
        60000); /* both parts fill a quarter: one buffer, two pieces, a foreign one between them */
    assert_int_equal(f.result.copied, 0);
    assert_int_equal(f.result.duplicate.start.v, 20000);
    assert_int_equal(f.result.duplicate.end.v, 20010);
    assert_int_equal(f.q.charge, FRAME_FOOTPRINT + 2048 + 3 * RECORD);
    rcvq_consume(&f.q, &f.pieces, 20000);
    assert_int_equal(f.q.charge,
                     FRAME_FOOTPRINT + 2048 + 2 * RECORD); /* the second piece pins it still */
    rcvq_consume(&f.q, &f.pieces, 10);
    assert_int_equal(f.q.charge, FRAME_FOOTPRINT + RECORD);
    rcvq_consume(&f.q, &f.pieces, 39990);
    assert_int_equal(f.q.charge, 0);
    end(&f);
}

static void sack_blocks_come_most_recent_first(void **state)
{
    (void)state;
    struct fixture f;
    start(&f);
    for (uint32_t i = 1; i <= 6; i++) {
        segment(&f, i * 1000, 100);
    }
    segment(&f, 2100, 50);
    struct tcp_sack_block b[8];
    assert_int_equal(rcvq_sack_blocks(&f.q, b, 8), 6);
    static const uint32_t want[] = {2000, 6000, 5000, 1000, 3000, 4000};
    for (unsigned i = 0; i < 6; i++) {
        assert_int_equal(b[i].start.v, want[i]);
    }
    assert_int_equal(b[0].end.v, 2150);
    assert_int_equal(rcvq_sack_blocks(&f.q, b, 3), 3);
    segment(&f, 5000, 100); /* a duplicate beyond a hole is reported first, too */
    assert_int_equal(f.result.drop, TCP_DROP_OLD_DUPLICATE);
    assert_int_equal(rcvq_sack_blocks(&f.q, b, 1), 1);
    assert_int_equal(b[0].start.v, 5000);
    segment(&f, 0, 5500);
    assert_int_equal(rcvq_sack_blocks(&f.q, b, 8), 1);
    assert_int_equal(b[0].start.v, 6000);
    end(&f);
}

static void memory_that_ends_keeps_nothing(void **state)
{
    (void)state;
    struct fixture f;
    start(&f);
    segment(&f, 1000, 100);
    struct pkt *pkt = pkt_get(f.pool, PKT_FRAME_CAPACITY);
    f.memory.refuse = true;
    while (arena_alloc(f.memory.arena, 64) != NULL) {
    }
    uint32_t charge = f.q.charge;
    rcvq_insert(&f.q, &f.pieces, f.pool, seq_of(500), pkt, 66, 1000, &f.result);
    assert_int_equal(f.result.drop, TCP_DROP_NO_MEMORY);
    assert_int_equal(f.result.kept, 0);
    assert_int_equal(f.q.charge, charge);
    assert_int_equal(f.q.ooo_bytes, 100);
    assert_true(rcvq_valid(&f.q));
    pkt_unref(pkt);
    arena_free(f.memory.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(against_an_array),
        cmocka_unit_test(tiny_segments_cost_their_bytes),
        cmocka_unit_test(full_segments_fill_their_buffers),
        cmocka_unit_test(holes_cost_one_buffer_each),
        cmocka_unit_test(backwards_streams_join),
        cmocka_unit_test(super_frames_stay_in_place),
        cmocka_unit_test(a_buffer_shared_by_pieces_is_charged_once),
        cmocka_unit_test(sack_blocks_come_most_recent_first),
        cmocka_unit_test(memory_that_ends_keeps_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

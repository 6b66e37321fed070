/* The retransmission queue: the oracle of the fuzz target on random inputs, the merging of equal
 * history, the bound of runs. */
#include "cmocka_all.h"
#include "memory.h"
#include "random_inputs.h"
#include "tcp/rtxq.h"

struct fixture {
    struct memory memory;
    struct slab runs;
    struct rtxq q;
};

static const struct rtx_snapshot none;
static const ackd_time t0 = {1000000}, t1 = {2000000}, t2 = {3000000};

static void start(struct fixture *f)
{
    memory_init(&f->memory, 8 << 20);
    slab_init(&f->runs, f->memory.arena, sizeof(struct rtx_run));
    rtxq_init(&f->q);
}

static void end(struct fixture *f)
{
    rtxq_clear(&f->q, &f->runs);
    assert_int_equal(f->runs.in_use, 0);
    arena_free(f->memory.arena);
}

static void send(struct fixture *f, uint32_t from, uint32_t to, ackd_time when)
{
    assert_true(rtxq_sent(&f->q, &f->runs, seq_of(from), seq_of(to), 1000, 0, when, &none));
}

static bool sack(struct fixture *f, uint32_t from, uint32_t to)
{
    struct rtxq_delta d = {0};
    uint32_t splits = 0;
    return rtxq_sack(&f->q, &f->runs, seq_of(from), seq_of(to), &d, &splits);
}

static void against_a_naive_scoreboard(void **state)
{
    (void)state;
    run_random_inputs(400, 800);
}

static void a_window_of_equal_history_is_one_run(void **state)
{
    (void)state;
    struct fixture f;
    start(&f);
    for (uint32_t s = 0; s < 100000; s += 1000) {
        send(&f, s, s + 1000, t0);
    }
    assert_int_equal(f.q.runs, 1);
    send(&f, 100000, 101000, t1);
    assert_int_equal(f.q.runs, 2);
    end(&f);
}

static void sacks_that_grow_stay_few_runs(void **state)
{
    (void)state;
    struct fixture f;
    start(&f);
    send(&f, 0, 100000, t0);
    for (uint32_t s = 2000; s <= 100000; s += 1000) {
        assert_true(sack(&f, 1000, s));
        assert_in_range(f.q.runs, 2, 3);
    }
    assert_true(sack(&f, 0, 1000));
    assert_int_equal(f.q.runs, 1);
    assert_int_equal(f.q.sacked, 100000);
    rtxq_forget_sacks(&f.q);
    assert_int_equal(f.q.sacked, 0);
    end(&f);
}

static void a_burst_of_retransmissions_folds_up(void **state)
{
    (void)state;
    struct fixture f;
    start(&f);
    send(&f, 0, 64000, t0);
    rtxq_mark_all_lost(&f.q);
    assert_int_equal(rtxq_pipe(&f.q), 0);
    for (uint32_t s = 0; s < 64000; s += 1000) {
        struct rtx_run *r = rtxq_first_lost(&f.q);
        assert_int_equal(r->start.v, s);
        r = rtxq_retransmitted(&f.q, &f.runs, r, seq_of(s), seq_of(s + 1000), 1000, t1, &none);
        assert_int_equal(r->start.v, s);
        assert_int_equal(r->end.v, s + 1000);
        assert_in_range(f.q.runs, 1, 3);
        assert_int_equal(rtxq_pipe(&f.q), s + 1000); /* each counts once */
    }
    assert_null(rtxq_first_lost(&f.q));
    assert_true(rtxq_valid(&f.q));
    struct rtxq_delta d = {0};
    rtxq_ack(&f.q, &f.runs, seq_of(500), &d);
    assert_true(d.retrans_acked && !d.never_retrans_acked && !d.has_rtt);
    assert_int_equal(d.newest_transmissions, 2);
    end(&f);
}

static void time_order_follows_retransmissions(void **state)
{
    (void)state;
    struct fixture f;
    start(&f);
    send(&f, 0, 1000, t0);
    send(&f, 1000, 2000, t1);
    struct rtx_run *r = rtxq_first(&f.q);
    rtxq_mark_lost(&f.q, r);
    rtxq_retransmitted(&f.q, &f.runs, r, seq_of(0), seq_of(500), 1000, t2, &none);
    uint32_t order[3], n = 0;
    list_for_each(link, &f.q.by_time)
    {
        assert_true(n < 3);
        order[n++] = container_of(link, struct rtx_run, by_time)->start.v;
    }
    assert_int_equal(n, 2); /* what is LOST is not in the network */
    assert_true(order[0] == 1000 && order[1] == 0);
    assert_int_equal(rtxq_first_lost(&f.q)->start.v, 500);
    rtxq_unmark_lost(&f.q); /* and now it is again, where it was */
    assert_null(rtxq_first_lost(&f.q));
    assert_int_equal(rtxq_oldest(&f.q)->start.v, 500);
    assert_int_equal(rtxq_sent_after(&f.q, rtxq_oldest(&f.q))->start.v, 1000);
    assert_true(rtxq_valid(&f.q));
    end(&f);
}

static void syn_and_fin_stay_at_the_ends(void **state)
{
    (void)state;
    struct fixture f;
    start(&f);
    assert_true(rtxq_sent(&f.q, &f.runs, seq_of(99), seq_of(200), 1000, RTX_SYN, t0, &none));
    assert_true(rtxq_sent(&f.q, &f.runs, seq_of(200), seq_of(301), 1000, RTX_FIN, t0, &none));
    assert_true(sack(&f, 150, 250));
    assert_int_equal(f.q.runs, 3);
    assert_true((rtxq_first(&f.q)->flags & (RTX_SYN | RTX_FIN)) == RTX_SYN);
    assert_true((rtxq_last(&f.q)->flags & (RTX_SYN | RTX_FIN)) == RTX_FIN);
    assert_int_equal(rtxq_at(&f.q, seq_of(150))->flags, RTX_SACKED);
    struct rtxq_delta d = {0};
    rtxq_ack(&f.q, &f.runs, seq_of(100), &d);
    assert_int_equal(d.acked, 1);
    assert_int_equal(rtxq_first(&f.q)->flags & RTX_SYN, 0);
    end(&f);
}

static void the_bound_of_runs_is_safe(void **state)
{
    (void)state;
    struct fixture f;
    start(&f);
    assert_true(rtxq_sent(&f.q, &f.runs, seq_of(0), seq_of(20000), 1, 0, t0, &none));
    /* A peer that SACKs every other byte (CVE-2019-11477). */
    uint32_t s = 1;
    while (sack(&f, s, s + 1)) {
        s += 2;
        assert_true(s < 20000);
    }
    assert_in_range(f.q.runs, RTXQ_SHARED_RUNS - 1, RTXQ_SHARED_RUNS);
    assert_true(rtxq_valid(&f.q));
    assert_false(rtxq_sent(&f.q, &f.runs, seq_of(20000), seq_of(20001), 1000, RTX_FIN, t1, &none) &&
                 f.q.runs > RTXQ_SHARED_RUNS);
    uint32_t end_seq = rtxq_last(&f.q)->end.v;
    assert_true(sack(&f, 0, end_seq)); /* needs no split */
    assert_int_equal(f.q.sacked, end_seq);
    rtxq_forget_sacks(&f.q);
    rtxq_mark_all_lost(&f.q);
    /* Retransmission goes on, into the reserve and at its end. */
    unsigned n = 0;
    struct rtx_run *r;
    while ((r = rtxq_first_lost(&f.q)) != NULL) {
        tcp_seq part = seq_min(r->end, seq_add(r->start, 3));
        assert_non_null(
            rtxq_retransmitted(&f.q, &f.runs, r, r->start, part, 3, time_add(t1, n), &none));
        assert_in_range(f.q.runs, 1, RTXQ_MAX_RUNS);
        assert_true(++n < 30000);
    }
    assert_true(rtxq_valid(&f.q));
    assert_int_equal(f.q.retrans, f.q.bytes);
    struct rtxq_delta d = {0};
    rtxq_ack(&f.q, &f.runs, seq_of(end_seq), &d);
    assert_int_equal(d.acked, end_seq);
    assert_int_equal(f.q.runs, 0);
    end(&f);
}

/* What an honest peer can report of a small flight is few ranges, whatever its bytes
 * (CVE-2019-11478, 11479). */
static void a_small_flight_stays_few_runs(void **state)
{
    (void)state;
    struct fixture f;
    start(&f);
    send(&f, 0, 20000, t0);
    uint32_t s = 1;
    while (sack(&f, s, s + 1)) {
        s += 2;
        assert_true(s < 20000);
    }
    assert_in_range(f.q.runs, 2 * 20, 2 * 20 + RTXQ_SPARE_RUNS);
    assert_true(sack(&f, 0, 20000)); /* whole runs need no split */
    assert_int_equal(f.q.sacked, 20000);
    end(&f);
}

/* Losses found in any order wait in order of sequence. */
static void losses_wait_in_order_of_sequence(void **state)
{
    (void)state;
    struct fixture f;
    start(&f);
    for (uint32_t s = 0; s < 20000; s += 1000) {
        send(&f, s, s + 1000, time_add(t0, s));
    }
    for (uint32_t k = 0; k < 20; k++) {
        rtxq_mark_lost(&f.q, rtxq_at(&f.q, seq_of(k * 7 % 20 * 1000)));
        assert_true(rtxq_valid(&f.q));
    }
    assert_int_equal(f.q.lost, 20000);
    assert_int_equal(f.q.lost_ever, 20000);
    assert_null(rtxq_oldest(&f.q));
    for (uint32_t s = 0; s < 20000; s += 1000) {
        struct rtx_run *r = rtxq_first_lost(&f.q);
        assert_int_equal(r->start.v, s);
        assert_non_null(
            rtxq_retransmitted(&f.q, &f.runs, r, r->start, r->end, 1000, time_add(t1, s), &none));
    }
    assert_true(rtxq_valid(&f.q));
    end(&f);
}

/* Memory for the first of two splits only: the first is taken back, and the FIN is where it was. */
static void memory_that_ends_between_two_splits(void **state)
{
    (void)state;
    struct fixture f;
    start(&f);
    assert_true(rtxq_sent(&f.q, &f.runs, seq_of(0), seq_of(1001), 1000, RTX_FIN, t0, &none));
    while (f.runs.free != NULL) {
        assert_non_null(slab_alloc(&f.runs));
    }
    void *one = slab_alloc(&f.runs);
    while (f.runs.free != NULL) {
        assert_non_null(slab_alloc(&f.runs));
    }
    f.memory.refuse = true;
    while (arena_alloc(f.memory.arena, 4096) != NULL || arena_alloc(f.memory.arena, 64) != NULL) {
    }
    slab_free(&f.runs, one);
    assert_null(rtxq_retransmitted(&f.q, &f.runs, rtxq_first(&f.q), seq_of(10), seq_of(20), 1000,
                                   t1, &none));
    assert_int_equal(f.q.runs, 1);
    assert_int_equal(rtxq_first(&f.q)->flags, RTX_FIN);
    assert_int_equal(f.q.bytes, 1001);
    assert_true(rtxq_valid(&f.q));
    assert_false(sack(&f, 10, 20));
    assert_int_equal(f.q.sacked, 0);
    assert_true(rtxq_valid(&f.q));
    arena_free(f.memory.arena);
}

static void memory_that_ends_changes_nothing(void **state)
{
    (void)state;
    struct fixture f;
    start(&f);
    send(&f, 0, 1000, t0);
    while (f.runs.free != NULL) { /* use up what the slab holds */
        assert_non_null(slab_alloc(&f.runs));
    }
    f.memory.refuse = true;
    while (arena_alloc(f.memory.arena, 4096) != NULL || arena_alloc(f.memory.arena, 64) != NULL) {
    }
    assert_null(rtxq_retransmitted(&f.q, &f.runs, rtxq_first(&f.q), seq_of(10), seq_of(20), 1000,
                                   t1, &none));
    assert_int_equal(f.q.runs, 1);
    assert_int_equal(f.q.retrans, 0);
    assert_false(sack(&f, 10, 20));
    assert_false(rtxq_sent(&f.q, &f.runs, seq_of(1000), seq_of(1001), 1000, 0, t1, &none));
    assert_true(rtxq_valid(&f.q));
    arena_free(f.memory.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(against_a_naive_scoreboard),
        cmocka_unit_test(a_window_of_equal_history_is_one_run),
        cmocka_unit_test(sacks_that_grow_stay_few_runs),
        cmocka_unit_test(a_burst_of_retransmissions_folds_up),
        cmocka_unit_test(time_order_follows_retransmissions),
        cmocka_unit_test(syn_and_fin_stay_at_the_ends),
        cmocka_unit_test(the_bound_of_runs_is_safe),
        cmocka_unit_test(a_small_flight_stays_few_runs),
        cmocka_unit_test(losses_wait_in_order_of_sequence),
        cmocka_unit_test(memory_that_ends_between_two_splits),
        cmocka_unit_test(memory_that_ends_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

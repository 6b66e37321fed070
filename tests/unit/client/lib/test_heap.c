/* Pieces of a heap do not overlap, are aligned, and stay what they are until it is reset. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdalign.h>
#include <stdint.h>
#include <string.h>
#include "client/lib/heap.h"

enum { PIECES = 3000 };

static size_t size_of(unsigned i)
{
    return i % 100 == 99 ? 9000 : i % 37;
}

static void test_pieces_keep_their_bytes(void **state)
{
    (void)state;
    static unsigned char *piece[PIECES];
    struct heap heap = {0};
    for (int round = 0; round < 3; round++) {
        for (unsigned i = 0; i < PIECES; i++) {
            piece[i] = heap_take(&heap, size_of(i));
            assert_non_null(piece[i]);
            assert_int_equal((uintptr_t)piece[i] % alignof(max_align_t), 0);
            memset(piece[i], (int)(i & 0xff), size_of(i));
        }
        for (unsigned i = 0; i < PIECES; i++) {
            for (size_t k = 0; k < size_of(i); k++) {
                assert_int_equal(piece[i][k], i & 0xff);
            }
        }
        heap_reset(&heap);
    }
    heap_free(&heap);
}

static void test_largest_block_stays(void **state)
{
    (void)state;
    struct heap heap = {0};
    (void)heap_take(&heap, 100);
    const void *large = heap_take(&heap, 1 << 20);
    heap_reset(&heap);
    assert_ptr_equal(heap_take(&heap, 1 << 20), large);
    heap_free(&heap);
}

static void test_what_cannot_be_had(void **state)
{
    (void)state;
    struct heap heap = {0};
    assert_null(heap_take(&heap, SIZE_MAX));
    assert_null(heap_take(&heap, SIZE_MAX / 4));
    assert_non_null(heap_take(&heap, 1));
    heap_free(&heap);
    heap_free(&heap);
    heap_reset(&heap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces_keep_their_bytes),
        cmocka_unit_test(test_largest_block_stays),
        cmocka_unit_test(test_what_cannot_be_had),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Chunks are there, zeroed, and gone when they are given back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "host/mem.h"

static void gives_zeroed_memory(void **state)
{
    (void)state;
    size_t bytes = (size_t)1 << 20;
    uint8_t *chunk = mem_mmap.get(mem_mmap.ctx, bytes);
    assert_non_null(chunk);
    assert_int_equal((uintptr_t)chunk % 4096, 0);
    assert_int_equal(chunk[0], 0);
    assert_int_equal(chunk[bytes - 1], 0);
    chunk[bytes - 1] = 1;
    mem_mmap.put(mem_mmap.ctx, chunk, bytes);
}

static void answers_null_when_there_is_none(void **state)
{
    (void)state;
    assert_null(mem_mmap.get(mem_mmap.ctx, SIZE_MAX / 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_zeroed_memory),
        cmocka_unit_test(answers_null_when_there_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

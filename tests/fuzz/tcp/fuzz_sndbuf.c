/* The send buffer against an array: appends, acknowledgments, truncations and ranges in any order,
 * memory that ends. */
#include <string.h>
#include "../fuzz.h"
#include "../../unit/tcp/memory.h"
#include "bytes.h"
#include "tcp/sndbuf.h"

#define SPACE (1u << 18)
#define RANGES 5

struct model {
    struct sndbuf buffer;
    struct memory memory;
    uint8_t *held; /* what the buffer should hold */
    uint32_t length;
    uint32_t written; /* bytes ever appended: what comes next depends on it */
};

static void append(struct model *m, uint32_t length)
{
    static uint8_t data[SPACE];
    length = length < SPACE - m->length ? length : SPACE - m->length;
    for (uint32_t i = 0; i < length; i++) {
        data[i] = (uint8_t)((m->written + i) * 2654435761u >> 24);
    }
    uint32_t taken = sndbuf_append(&m->buffer, m->memory.arena, data, length);
    FUZZ_CHECK(taken <= length && (taken == length || m->memory.refuse));
    memcpy(m->held + m->length, data, taken);
    m->length += taken;
    m->written += taken;
}

static void look(struct model *m, uint32_t offset, uint32_t length)
{
    struct tcp_range ranges[RANGES];
    unsigned n = 99;
    uint32_t total = sndbuf_ranges(&m->buffer, offset, length, ranges, RANGES, &n);
    uint32_t there = offset >= m->length ? 0 : m->length - offset;
    FUZZ_CHECK(n <= RANGES && total <= length && total <= there);
    FUZZ_CHECK(n == RANGES || total == (length < there ? length : there));
    uint32_t sum = 0;
    for (unsigned i = 0; i < n; i++) {
        FUZZ_CHECK(ranges[i].length > 0);
        FUZZ_CHECK(memcmp(ranges[i].data, m->held + offset + sum, ranges[i].length) == 0);
        sum += ranges[i].length;
    }
    FUZZ_CHECK(sum == total);
}

static void step(struct model *m, struct bytes *in)
{
    uint8_t op = take_u8(in);
    uint32_t a = take_u16(in);
    switch (op % 8) {
    case 0:
        append(m, a);
        break;
    case 1:
    case 2:
        append(m, a % 300);
        break;
    case 3: {
        uint32_t n = m->length == 0 ? 0 : a * 4 % (m->length + 1);
        sndbuf_trim(&m->buffer, m->memory.arena, n);
        memmove(m->held, m->held + n, m->length - n);
        m->length -= n;
        break;
    }
    case 4: {
        uint32_t n = a * 4 % (m->length + 10);
        sndbuf_truncate(&m->buffer, m->memory.arena, n);
        m->length = n < m->length ? n : m->length;
        break;
    }
    case 5:
        look(m, a * 4 % (m->length + 10), take_u16(in));
        break;
    case 6: /* as a sender does: one segment after the other */
        for (uint32_t at = a % (m->length + 1); at < m->length; at += 1460) {
            look(m, at, 1460);
        }
        break;
    default:
        m->memory.refuse = a % 4 == 0;
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = {data, size};
    struct model m = {.held = malloc(SPACE)};
    memory_init(&m.memory, 8u << 20);
    size_t before = memory_used(&m.memory);
    sndbuf_init(&m.buffer);
    while (bytes_more(&in)) {
        step(&m, &in);
        FUZZ_CHECK(m.buffer.length == m.length);
        FUZZ_CHECK(memory_used(&m.memory) - before == m.buffer.footprint);
        FUZZ_CHECK(m.length > 0 || m.buffer.footprint == 0);
        if (in.left % 3 == 0) { /* not always: it would hide what a step leaves behind */
            look(&m, 0, m.length);
        }
    }
    sndbuf_clear(&m.buffer, m.memory.arena);
    FUZZ_CHECK(memory_used(&m.memory) == before);
    arena_free(m.memory.arena);
    free(m.held);
    return 0;
}

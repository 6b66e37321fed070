/* A hierarchical timing wheel (Varghese and Lauck, "Hashed and Hierarchical Timing Wheels", scheme
 * 7).
 *
 * Time is cut into ticks, and a tick's number into digits of 6 bits. An entry lies at the level of
 * the highest digit in which its tick differs from the wheel's, in the slot which that digit names:
 * level 0 holds the ticks of the present group of 64, level 1 the next groups, and so on. From this
 * follow
 *   - every entry of a level lies later than all entries of the levels below it, so the lowest
 * occupied level has the next;
 *   - the place of an entry is a function of its deadline and the wheel's tick, and need not be
 * stored;
 *   - a slot has to be cascaded (its entries put into lower levels) at the moment the wheel's tick
 * enters it, not before. A bitmap of occupied slots for each level makes the step to the next event
 * O(levels), however far away it is.
 *
 * A slot of a high level may hold all connections there are (keepalive, two hours from now), so a
 * cascade is done in pieces: the slot's entries wait on a list, and nothing later is looked at
 * before that list is empty. */
#include "tcp/wheel.h"

#define DIGIT_BITS 6
#define DIGIT_MASK 63u

/* A wheel names 2^48 ticks; a time has at most 2^47. */
static uint64_t tick_at_or_after(ackd_time t)
{
    if (t.ns <= 0) {
        return 0;
    }
    uint64_t ns = (uint64_t)t.ns;
    return (ns >> WHEEL_TICK_SHIFT) + ((ns & ((UINT64_C(1) << WHEEL_TICK_SHIFT) - 1)) != 0);
}

static uint64_t tick_of(ackd_time t)
{
    return t.ns <= 0 ? 0 : (uint64_t)t.ns >> WHEEL_TICK_SHIFT;
}

/* The level at which `tick` lies as seen from `from`: that of the highest digit in which they
 * differ. */
static unsigned level_of(uint64_t tick, uint64_t from)
{
    uint64_t differ = tick ^ from;
    return differ == 0 ? 0 : (63u - (unsigned)__builtin_clzll(differ)) / DIGIT_BITS;
}

static unsigned digit(uint64_t tick, unsigned level)
{
    return (unsigned)(tick >> (level * DIGIT_BITS)) & DIGIT_MASK;
}

static void put(struct wheel *wheel, struct wheel_entry *entry)
{
    uint64_t tick = tick_at_or_after(entry->deadline);
    if (tick < wheel->tick) {
        list_append(&wheel->expired, &entry->link);
        return;
    }
    unsigned level = level_of(tick, wheel->tick), index = digit(tick, level);
    list_append(&wheel->slot[level][index], &entry->link);
    wheel->occupied[level] |= UINT64_C(1) << index;
}

static void take(struct wheel *wheel, struct wheel_entry *entry)
{
    list_remove(&entry->link);
    uint64_t tick = tick_at_or_after(entry->deadline);
    if (tick < wheel->tick) {
        return;
    }
    /* An expired entry whose tick is the wheel's names a slot where it no longer lies; looking at
     * it does no harm. */
    unsigned level = level_of(tick, wheel->tick), index = digit(tick, level);
    if (list_empty(&wheel->slot[level][index])) {
        wheel->occupied[level] &= ~(UINT64_C(1) << index);
    }
}

void wheel_init(struct wheel *wheel, ackd_time now)
{
    wheel->tick = tick_of(now);
    list_init(&wheel->expired);
    list_init(&wheel->cascading);
    for (unsigned level = 0; level < WHEEL_LEVELS; level++) {
        wheel->occupied[level] = 0;
        for (unsigned i = 0; i <= DIGIT_MASK; i++) {
            list_init(&wheel->slot[level][i]);
        }
    }
}

void wheel_entry_init(struct wheel_entry *entry)
{
    list_init(&entry->link);
    entry->deadline = TIME_NEVER;
}

void wheel_set(struct wheel *wheel, struct wheel_entry *entry, ackd_time deadline)
{
    if (!time_is_never(entry->deadline)) {
        take(wheel, entry);
    }
    entry->deadline = deadline;
    if (!time_is_never(deadline)) {
        put(wheel, entry);
    }
}

/* The first occupied slot, as its level and the first tick that belongs to it; false when all are
 * empty. */
static bool next_slot(const struct wheel *wheel, unsigned *level, uint64_t *tick)
{
    for (unsigned l = 0; l < WHEEL_LEVELS; l++) {
        if (wheel->occupied[l] != 0) {
            unsigned index = (unsigned)__builtin_ctzll(wheel->occupied[l]);
            unsigned shift = l * DIGIT_BITS;
            uint64_t group = wheel->tick >> (shift + DIGIT_BITS) << (shift + DIGIT_BITS);
            *level = l;
            *tick = group | (uint64_t)index << shift;
            return true;
        }
    }
    return false;
}

/* The wheel's tick enters a slot. */
static void enter(struct wheel *wheel, unsigned level, uint64_t tick)
{
    unsigned index = digit(tick, level);
    wheel->tick = tick;
    wheel->occupied[level] &= ~(UINT64_C(1) << index);
    list_append_all(level > 0 ? &wheel->cascading : &wheel->expired, &wheel->slot[level][index]);
}

/* The entries of a slot that was entered find their places below. */
static void cascade(struct wheel *wheel, unsigned *budget)
{
    for (; *budget > 0 && !list_empty(&wheel->cascading); --*budget) {
        struct wheel_entry *entry = container_of(wheel->cascading.next, struct wheel_entry, link);
        list_remove(&entry->link);
        put(wheel, entry);
    }
}

static struct wheel_entry *pop_expired(struct wheel *wheel)
{
    struct wheel_entry *entry = container_of(wheel->expired.next, struct wheel_entry, link);
    list_remove(&entry->link);
    entry->deadline = TIME_NEVER;
    return entry;
}

struct wheel_entry *wheel_pop(struct wheel *wheel, ackd_time now, unsigned *budget)
{
    uint64_t end = tick_of(now) + 1; /* the first tick that is not yet due */
    unsigned level;
    uint64_t tick;
    for (;;) {
        cascade(wheel, budget);
        if (*budget == 0) {
            return NULL;
        }
        if (!list_empty(&wheel->expired)) {
            --*budget;
            return pop_expired(wheel);
        }
        if (!next_slot(wheel, &level, &tick) || (level > 0 ? tick > end : tick >= end)) {
            break;
        }
        enter(wheel, level, tick);
    }
    if (wheel->tick < end) {
        wheel->tick = end;
    }
    return NULL;
}

struct wheel_entry *wheel_soonest(const struct wheel *wheel)
{
    const struct list *from = !list_empty(&wheel->expired)     ? &wheel->expired
                              : !list_empty(&wheel->cascading) ? &wheel->cascading
                                                               : NULL;
    unsigned level;
    uint64_t tick;
    if (!from && next_slot(wheel, &level, &tick)) {
        from = &wheel->slot[level][digit(tick, level)];
    }
    return from ? container_of(from->next, struct wheel_entry, link) : NULL;
}

ackd_time wheel_next(const struct wheel *wheel)
{
    if (!list_empty(&wheel->expired)) {
        return container_of(wheel->expired.next, struct wheel_entry, link)->deadline;
    }
    if (!list_empty(&wheel->cascading)) {
        return time_from_ns((int64_t)(wheel->tick << WHEEL_TICK_SHIFT));
    }
    unsigned level;
    uint64_t tick;
    if (!next_slot(wheel, &level, &tick)) {
        return TIME_NEVER;
    }
    if (tick > (uint64_t)INT64_MAX >> WHEEL_TICK_SHIFT) {
        return time_from_ns(INT64_MAX -
                            1); /* the last instant there is: it rounds up past the end of time */
    }
    return time_from_ns((int64_t)(tick << WHEEL_TICK_SHIFT));
}

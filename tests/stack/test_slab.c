/*
 * Slabs: geometry, claims, and that a drop empties the slots asked for and no other.
 */
#include "stack/slab.h"

#include "base/alloc.h"

#include <criterion/criterion.h>

#include <unistd.h>

#define KIB ((size_t)1024)

static size_t page;

static void know_page(void)
{
    page = (size_t)sysconf(_SC_PAGESIZE);
}

TestSuite(slab, .init = know_page);

Test(slab, holds_as_many_as_fit)
{
    static const struct {
        size_t size, most;
        unsigned count;
    } table[] = {
        {64 * KIB, 64, 64},  {64 * KIB, 100, 64},     {64 * KIB, 1, 1},
        {8192 * KIB, 64, 7}, {64 * 1024 * KIB, 1, 1}, {100 * 1024 * KIB, 64, 1},
    };
    for (size_t i = 0; i < BGI_ARRAY_LEN(table); i++) {
        struct bgi_slab *slab = bgi_slab_create(3, table[i].size, page, table[i].most);
        cr_assert_not_null(slab);
        cr_assert_eq(slab->count, table[i].count);
        cr_assert_eq(slab->cold, bgi_slab_mask(slab->count));
        cr_assert_eq(slab->class, 3);
        cr_assert_eq(bgi_slab_stride(slab), table[i].size + page);
        cr_assert_eq(bgi_slab_slot(slab, slab->count - 1),
                     slab->base + (slab->count - 1) * (table[i].size + page));
        bgi_slab_slot(slab, slab->count - 1)[table[i].size + page - 1] = 1; /* the last byte */
        bgi_slab_destroy(slab);
    }
    cr_assert_null(bgi_slab_create(0, (size_t)1 << 56, page, 1));
}

Test(slab, each_slot_is_claimed_once)
{
    struct bgi_slab *slab = bgi_slab_create(0, 64 * KIB, page, 64);
    cr_assert_not_null(slab);
    slab->marked = 1u << 3;
    slab->protected = 1u << 5;
    uint64_t seen = 0;
    for (int i = 0; i < 64; i++) {
        struct bgi_slot slot = bgi_slab_claim(slab);
        cr_assert_eq(slot.slab, slab);
        cr_assert_eq(seen >> slot.index & 1, 0);
        cr_assert_eq(slot.guard, slot.index == 3   ? BGI_GUARD_MARKER
                                 : slot.index == 5 ? BGI_GUARD_PROTECT
                                                   : BGI_GUARD_NONE);
        seen |= UINT64_C(1) << slot.index;
        cr_assert_eq(slab->cold, ~seen);
    }
    slab->protected = 0;
    bgi_slab_destroy(slab);
}

static void drop_and_look(struct bgi_slab *slab, uint64_t drop)
{
    size_t last = bgi_slab_stride(slab) - 1;
    for (unsigned i = 0; i < slab->count; i++) {
        char *slot = bgi_slab_slot(slab, i);
        slot[page] = 1;
        slot[last] = 1;
    }
    slab->drop = drop & bgi_slab_mask(slab->count);
    bgi_slab_drop(slab);
    for (unsigned i = 0; i < slab->count; i++) {
        char *slot = bgi_slab_slot(slab, i);
        int kept = (int)(~drop >> i & 1);
        cr_assert_eq(slot[page], kept, "slot %u of %llx", i, (unsigned long long)drop);
        cr_assert_eq(slot[last], kept, "slot %u of %llx", i, (unsigned long long)drop);
    }
}

Test(slab, drops_just_what_is_asked)
{
    static const uint64_t drops[] = {
        0,
        1,
        UINT64_C(1) << 63,
        ~UINT64_C(0),
        UINT64_C(0x5555555555555555),
        UINT64_C(0xaaaaaaaaaaaaaaaa),
        UINT64_C(0xf00000000000000f),
        UINT64_C(0x7ffffffffffffffe),
        UINT64_C(0x0123456789abcdef),
    };
    struct bgi_slab *slab = bgi_slab_create(0, 16 * page, page, 64);
    struct bgi_slab *small = bgi_slab_create(0, 8192 * KIB, page, 64);
    cr_assert(slab && small);
    for (size_t i = 0; i < BGI_ARRAY_LEN(drops); i++) {
        drop_and_look(slab, drops[i]);
        drop_and_look(small, drops[i]);
    }
    bgi_slab_destroy(slab);
    bgi_slab_destroy(small);
}

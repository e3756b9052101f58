/*
 * Guards: each kind closes its page, or finds out; each failure is left to the next kind.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif

#include "stack/guard.h"

#include "base/alloc.h"

#include <criterion/criterion.h>

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "../support/faults.h"

enum { PAGES = 64 };

static size_t page;
static char *area;

static void map_area(void)
{
    page = (size_t)sysconf(_SC_PAGESIZE);
    area = bgi_mmap(PAGES * page, PROT_READ | PROT_WRITE, MAP_NORESERVE);
    cr_assert_not_null(area);
}

static void unmap_area(void)
{
    (void)bgi_munmap(area, PAGES * page);
    bgi_guard_force(BGI_GUARD_NONE);
    bgi_guard_set_protect_limit(0);
}

TestSuite(guard, .init = map_area, .fini = unmap_area);

/* Whether the kernel can read the page for us: no signal needed to see that it is closed. */
static int closed(const char *p)
{
    static int fd[2] = {-1, -1};
    if (fd[0] < 0) {
        cr_assert_eq(pipe2(fd, O_NONBLOCK | O_CLOEXEC), 0);
    }
    return write(fd[1], p, 1) < 0 && errno == EFAULT;
}

Test(guard, closes_the_page_and_no_other)
{
    memset(area, 0, 3 * page);
    cr_assert(!closed(area + page));
    enum bgi_guard g = bgi_guard_install(area + page, page);
    cr_assert_neq(g, BGI_GUARD_NONE);
    cr_log_info("this system's guards are of the kind '%s'", bgi_guard_name(g));
    cr_assert_eq(closed(area + page), g != BGI_GUARD_CANARY);
    cr_assert(!closed(area));
    cr_assert(!closed(area + 2 * page));
    area[page - 1] = 1;
    area[2 * page] = 1;
    cr_assert_eq(bgi_guard_install(area + 3 * page, page), g);
}

Test(guard, outlives_the_return_of_memory)
{
    enum bgi_guard g = bgi_guard_install(area + page, page);
    cr_assert_eq(bgi_madvise(area, 3 * page, MADV_DONTNEED), 0);
    cr_assert_eq(closed(area + page), g != BGI_GUARD_CANARY);
}

Test(guard, kinds_can_be_forced)
{
    bgi_guard_force(BGI_GUARD_PROTECT);
    cr_assert_eq(bgi_guard_install(area, page), BGI_GUARD_PROTECT);
    cr_assert(closed(area));
    bgi_guard_force(BGI_GUARD_CANARY);
    cr_assert_eq(bgi_guard_install(area + page, page), BGI_GUARD_CANARY);
    cr_assert(!closed(area + page));
}

Test(guard, a_canary_sees_every_byte_near_the_edge)
{
    bgi_guard_force(BGI_GUARD_CANARY);
    cr_assert_eq(bgi_guard_install(area, page), BGI_GUARD_CANARY);
    cr_assert_eq(bgi_guard_intact(area, page), 1);
    for (size_t i = 1; i <= 128; i++) {
        char *p = area + page - i;
        *p = (char)(*p ^ 0x10);
        cr_assert_eq(bgi_guard_intact(area, page), 0, "%zu", i);
        *p = (char)(*p ^ 0x10);
        cr_assert_eq(bgi_guard_intact(area, page), 1);
    }
    memset(area, 0, page);
    cr_assert_eq(bgi_guard_intact(area, page), 0);
}

Test(guard, mappings_are_limited)
{
    bgi_guard_force(BGI_GUARD_PROTECT);
    bgi_guard_set_protect_limit(3);
    for (size_t i = 0; i < 3; i++) {
        cr_assert_eq(bgi_guard_install(area + 2 * i * page, page), BGI_GUARD_PROTECT);
    }
    cr_assert_eq(bgi_guard_install(area + 6 * page, page), BGI_GUARD_CANARY);
    bgi_guard_unmapped(2);
    cr_assert_eq(bgi_guard_install(area + 8 * page, page), BGI_GUARD_PROTECT);
    cr_assert_eq(bgi_guard_install(area + 10 * page, page), BGI_GUARD_PROTECT);
    cr_assert_eq(bgi_guard_install(area + 12 * page, page), BGI_GUARD_CANARY);
}

Test(guard, a_failure_is_left_to_the_next_kind)
{
    enum bgi_guard best = bgi_guard_install(area, page);

    bgi_fault_arm(BGI_FAULT_MADVISE, 1);
    cr_assert_eq(bgi_guard_install(area + 2 * page, page), BGI_GUARD_PROTECT);
    cr_assert(closed(area + 2 * page));
    bgi_fault_disarm();
    cr_assert_eq(bgi_guard_install(area + 4 * page, page), best); /* once was an accident */

    bgi_fault_arm(BGI_FAULT_MADVISE | BGI_FAULT_MPROTECT | BGI_FAULT_FOREVER, 1);
    cr_assert_eq(bgi_guard_install(area + 6 * page, page), BGI_GUARD_CANARY);
    cr_assert_eq(bgi_guard_intact(area + 6 * page, page), 1);
    bgi_fault_disarm();

    bgi_guard_force(BGI_GUARD_PROTECT);
    bgi_guard_unmapped(best == BGI_GUARD_PROTECT ? 3 : 1); /* as if those above were gone */
    bgi_guard_set_protect_limit(1);
    bgi_fault_arm(BGI_FAULT_MPROTECT, 1);
    cr_assert_eq(bgi_guard_install(area + 8 * page, page), BGI_GUARD_CANARY);
    bgi_fault_disarm();
    /* One that failed is not counted: there is room for one still. */
    cr_assert_eq(bgi_guard_install(area + 10 * page, page), BGI_GUARD_PROTECT);
    cr_assert_eq(bgi_guard_install(area + 12 * page, page), BGI_GUARD_CANARY);
}

Test(guard, kinds_have_names)
{
    cr_assert_str_eq(bgi_guard_name(BGI_GUARD_NONE), "none");
    cr_assert_str_eq(bgi_guard_name(BGI_GUARD_MARKER), "marker");
    cr_assert_str_eq(bgi_guard_name(BGI_GUARD_PROTECT), "protect");
    cr_assert_str_eq(bgi_guard_name(BGI_GUARD_CANARY), "canary");
}

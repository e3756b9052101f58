/*
 * Choosing and installing guards.
 *
 * The words here are hints and a count; each is relaxed, since none publishes data:
 *   first     the method to begin with; NONE until the kernel has been tried out. Written by
 *             bgi_guard_force, and by the first installs, which all come to the same result
 *   protects  PROTECT guards that exist. It is raised before the call and lowered when the call
 *             fails or the page goes away, so it may be too high for a moment, never too low.
 *   limit     how many may exist; 0 until it is read
 */
#include "stack/guard.h"

#include "base/alloc.h"
#include "base/atomic.h"

#include "arch/sanitizer.h"

#include <fcntl.h>
#include <stdint.h>
#include <unistd.h>

/* From the kernel's asm-generic/mman-common.h; older C libraries do not have it. */
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif

enum { CANARY_WORDS = 16, DEFAULT_MAP_COUNT = 65530 };

static const uint64_t canary_seed = 0x6b1d5c0ff3e2a497u;

static bgi_atomic first;
static bgi_atomic protects;
static bgi_atomic limit;

/*
 * Each guard of this kind makes two mappings, its own and the stack's, so a quarter of what the
 * kernel allows as guards is half of it as mappings.
 */
static size_t read_limit(void)
{
    size_t count = 0;
    int fd = open("/proc/sys/vm/max_map_count", O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        char text[24];
        ssize_t n = read(fd, text, sizeof text);
        (void)close(fd);
        for (ssize_t i = 0; i < n && text[i] >= '0' && text[i] <= '9' && count < SIZE_MAX / 16;
             i++) {
            count = count * 10 + (size_t)(text[i] - '0');
        }
    }
    return (count == 0 ? DEFAULT_MAP_COUNT : count) / 4 + 1;
}

static size_t protect_limit(void)
{
    bgi_word n = bgi_load(&limit);
    if (n == 0) {
        n = read_limit();
        bgi_store(&limit, n);
    }
    return n;
}

void bgi_guard_set_protect_limit(size_t n)
{
    bgi_store(&limit, n);
}

/* The pattern lies at the page's upper end, where an overflow arrives first. */
static uint64_t *pattern_of(const char *page, size_t page_size)
{
    return (uint64_t *)(uintptr_t)(page + page_size) - CANARY_WORDS;
}

static uint64_t pattern_word(const uint64_t *at)
{
    return canary_seed ^ (uint64_t)(uintptr_t)at;
}

/* Not instrumented: an overflowing frame may have left red zones on the page. */
BGI_NO_SANITIZE static void write_pattern(char *page, size_t page_size)
{
    uint64_t *w = pattern_of(page, page_size);
    for (int i = 0; i < CANARY_WORDS; i++) {
        w[i] = pattern_word(&w[i]);
    }
}

BGI_NO_SANITIZE int bgi_guard_intact(const char *page, size_t page_size)
{
    const uint64_t *w = pattern_of(page, page_size);
    uint64_t wrong = 0;
    for (int i = 0; i < CANARY_WORDS; i++) {
        wrong |= w[i] ^ pattern_word(&w[i]);
    }
    return wrong == 0;
}

static int try_protect(char *page, size_t page_size)
{
    if (bgi_fetch_add_relaxed(&protects, 1) >= protect_limit() ||
        bgi_mprotect(page, page_size, PROT_NONE) != 0) {
        bgi_guard_unmapped(1);
        return 0;
    }
    return 1;
}

/* What to begin with where it has not been tried: valgrind knows of mprotect only. */
static bgi_word unknown_kernel(void)
{
#if BGI_VALGRIND
    if (RUNNING_ON_VALGRIND) {
        return BGI_GUARD_PROTECT;
    }
#endif
    return BGI_GUARD_NONE;
}

/*
 * Marks a page. While nothing is known, also asks the kernel to fault it in, which a closed page
 * answers with EFAULT: emulators and sandboxes take madvise for a hint, and report success for
 * what they have never heard of.
 */
static int try_mark(char *page, size_t page_size, int known)
{
    int rc = bgi_madvise(page, page_size, MADV_GUARD_INSTALL);
    if (rc == 0 && known) {
        return 1;
    }
    if (rc == 0) {
        rc = bgi_madvise(page, page_size, MADV_POPULATE_READ);
        if (rc == -EFAULT) {
            bgi_store(&first, BGI_GUARD_MARKER);
            return 1;
        }
    }
    if (!known && (rc == 0 || rc == -EINVAL)) {
        bgi_store(&first, BGI_GUARD_PROTECT);
    }
    return 0; /* for want of memory, say: the next page may have more luck */
}

enum bgi_guard bgi_guard_install(char *page, size_t page_size)
{
    bgi_word begin = bgi_load(&first);
    if (begin == BGI_GUARD_NONE) {
        begin = unknown_kernel();
    }
    if (begin <= BGI_GUARD_MARKER && try_mark(page, page_size, begin == BGI_GUARD_MARKER)) {
        return BGI_GUARD_MARKER;
    }
    if (begin <= BGI_GUARD_PROTECT && try_protect(page, page_size)) {
        return BGI_GUARD_PROTECT;
    }
    write_pattern(page, page_size);
    return BGI_GUARD_CANARY;
}

void bgi_guard_unmapped(size_t n)
{
    (void)bgi_fetch_add_relaxed(&protects, (bgi_word)0 - n);
}

void bgi_guard_force(enum bgi_guard method)
{
    bgi_store(&first, (bgi_word)method);
}

const char *bgi_guard_name(enum bgi_guard g)
{
    static const char *const names[] = {"none", "marker", "protect", "canary"};
    return names[g];
}

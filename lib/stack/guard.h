/*
 * What stops a stack from growing into its neighbour: one page below it, made untouchable by the
 * best means there is.
 *
 *   MARKER   MADV_GUARD_INSTALL (Linux 6.13): a mark in the page table; the mapping stays whole, so
 *            a million guards are no problem, and giving memory back leaves the marks in place.
 *   PROTECT  mprotect(PROT_NONE): cuts the mapping in two, and the kernel allows a process only so
 *            many (vm.max_map_count). Used until about half of them are ours.
 *   CANARY   a pattern in the page, checked when the stack comes back: an overflow is found, but
 *            late, and one that jumps over the pattern is not.
 *
 * What the kernel can do is found out at the first install. A method that fails once for a page
 * (memory is short, mappings are used up) leaves that page to the next one; installing a guard
 * itself never fails.
 */
#ifndef BGI_GUARD_H
#define BGI_GUARD_H

#include <stddef.h>

enum bgi_guard {
    BGI_GUARD_NONE = 0,
    BGI_GUARD_MARKER = 1,
    BGI_GUARD_PROTECT = 2,
    BGI_GUARD_CANARY = 3,
};

/* Guards the page and tells how. Any thread; the page is the caller's alone. */
enum bgi_guard bgi_guard_install(char *page, size_t page_size);

/* Whether the pattern of a CANARY page is untouched. */
int bgi_guard_intact(const char *page, size_t page_size);

/* n pages guarded by PROTECT have been unmapped. */
void bgi_guard_unmapped(size_t n);

/* For tests: begin with this method, not with MARKER; NONE is automatic again. */
void bgi_guard_force(enum bgi_guard first);

/* For tests: allow n PROTECT guards; 0 is what the system's setting suggests again. */
void bgi_guard_set_protect_limit(size_t n);

const char *bgi_guard_name(enum bgi_guard g);

#endif

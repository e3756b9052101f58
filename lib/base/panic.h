/*
 * The end of a program that cannot go on: one line on stderr, then abort().
 *
 * The line is written by a single write(2), so that lines of several threads do not mix, and
 * without stdio, whose locks the dying thread may hold. Nothing here allocates.
 */
#ifndef BGI_PANIC_H
#define BGI_PANIC_H

#include "base/compiler.h"

/* "brigade: <message>", then abort(). */
BGI_NORETURN BGI_COLD BGI_PRINTF(1, 2) void bgi_panic(const char *fmt, ...);

/*
 * A caller broke the rules of a public function:
 * "brigade: misuse: <function> in task '<task>': <message>", then abort(). task may be NULL, when
 * the caller is not a task or has no name; the words about it are then left out.
 */
BGI_NORETURN BGI_COLD BGI_PRINTF(3, 4) void bgi_misuse(const char *function, const char *task,
                                                       const char *fmt, ...);

/* Checked in debug builds; elsewhere compiled, but never evaluated. */
#if BGI_DEBUG
#define bgi_assert(cond)                                                                           \
    (bgi_likely(cond)                                                                              \
         ? (void)0                                                                                 \
         : bgi_panic("%s:%d: %s: '%s' does not hold", __FILE__, __LINE__, __func__, #cond))
#else
#define bgi_assert(cond) ((void)sizeof((cond) ? 1 : 0))
#endif

#endif

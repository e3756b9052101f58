/*
 * Reporting of stack overflows.
 *
 * A task that runs into its guard page gets SIGSEGV (SIGBUS on some systems), on a stack that has
 * no room for a handler. So every worker thread has an alternate signal stack, and the process one
 * handler, which asks whether the address lies in the guard of the stack that the thread runs on,
 * prints whose it is, and aborts. Any other fault goes where it would have gone without us.
 *
 * The question is answered by a function of the layer above, which knows what runs on the thread;
 * so a switch has nothing to keep up to date for this.
 */
#ifndef BGI_OVERFLOW_H
#define BGI_OVERFLOW_H

#include "base/compiler.h"

#include <stddef.h>

struct bgi_stack;

struct bgi_overflow_info {
    const char *task; /* NULL: it has no name */
    const void *low;  /* lowest usable byte of the stack */
    size_t size;      /* its size as asked for */
};

/*
 * Whether the fault at addr, in the calling thread, is an overflow of the stack the thread runs on;
 * if so, 1 and *out. Called in the signal handler: may take no lock and allocate nothing.
 */
typedef int (*bgi_overflow_lookup)(const void *addr, struct bgi_overflow_info *out);

/* For the whole process. NULL: the default, which knows what bgi_overflow_set_current was told. */
void bgi_overflow_set_lookup(bgi_overflow_lookup lookup);

/* Tells the default lookup what runs on the calling thread; stack NULL: nothing of ours. */
void bgi_overflow_set_current(const struct bgi_stack *stack, const char *task);

/*
 * Installs the handler, or counts one more user of it; 0 or the negative errno of sigaction. Each
 * success is paid back by one bgi_overflow_uninstall, of which the last restores the handlers
 * found, unless somebody has replaced ours meanwhile (who may call it still: it then only passes
 * on).
 */
int bgi_overflow_install(void);
void bgi_overflow_uninstall(void);

/*
 * Gives the calling thread an alternate signal stack unless it has one; 0, or -ENOMEM, and then an
 * overflow there kills the process without a word. Calls nest: each is paid back by one
 * bgi_overflow_thread_fini, also after -ENOMEM, and the last takes away what the first gave.
 */
int bgi_overflow_thread_init(void);
void bgi_overflow_thread_fini(void);

/*
 * Prints the report about the stack [low, low + size) and aborts. The task's name is looked up by
 * addr. Async-signal-safe.
 */
BGI_NORETURN BGI_COLD void bgi_overflow_report(const void *addr, const void *low, size_t size);

#endif

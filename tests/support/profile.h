/*
 * In builds that count coverage: what a process has counted is written also when it ends by abort()
 * or by _exit(), as tests of misuse do. Elsewhere the function is not there, and nothing happens.
 */
#ifndef BGT_PROFILE_H
#define BGT_PROFILE_H

#include <signal.h>
#include <stddef.h>

/* Clang's profile runtime; NULL where it is not linked. */
extern int __llvm_profile_write_file(void) __attribute__((weak));

static inline void bgt_keep_profile(void)
{
    if (__llvm_profile_write_file != NULL) {
        (void)__llvm_profile_write_file();
    }
}

/* abort() goes on after a handler that returns. */
static inline void bgt_keep_profile_on_abort(int signal_number)
{
    (void)signal_number;
    bgt_keep_profile();
}

static inline void bgt_keep_profile_at_abort(void)
{
    if (__llvm_profile_write_file != NULL) {
        (void)signal(SIGABRT, bgt_keep_profile_on_abort);
    }
}

#endif

/*
 * Whether a function panics, and with which words: it runs in a child, since it does not return.
 */
#ifndef TESTS_SUPPORT_DIES_H
#define TESTS_SUPPORT_DIES_H

#include "profile.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* 1 when die(arg) aborts; text is what it wrote to stderr. */
static inline int dies(void (*die)(void *arg), void *arg, char *text, size_t size)
{
    int fds[2];
    if (pipe(fds) != 0) {
        return 0;
    }
    pid_t child = fork();
    if (child == 0) {
        struct rlimit no_core = {0};
        (void)setrlimit(RLIMIT_CORE, &no_core);
        (void)signal(SIGABRT, SIG_DFL);
        bgt_keep_profile_at_abort();
        (void)dup2(fds[1], STDERR_FILENO);
        (void)close(fds[0]);
        (void)close(fds[1]);
        die(arg);
        _exit(0);
    }
    (void)close(fds[1]);
    size_t used = 0;
    ssize_t n;
    while (used < size - 1 && (n = read(fds[0], text + used, size - 1 - used)) > 0) {
        used += (size_t)n;
    }
    text[used] = '\0';
    (void)close(fds[0]);
    int status = 0;
    (void)waitpid(child, &status, 0);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

/* die(arg) has to panic, with these words. */
#define DIES(die, arg, words)                                                                      \
    do {                                                                                           \
        char dies_text[2048];                                                                      \
        int dies_aborted = dies(die, arg, dies_text, sizeof dies_text);                            \
        cr_assert(dies_aborted, "no panic, expected '%s'; said: %s", words, dies_text);            \
        cr_assert_not_null(strstr(dies_text, words), "expected '%s', it said: %s", words,          \
                           dies_text);                                                             \
    } while (0)

#endif

/*
 * A case that ends its process, or writes to stderr: run in a child, of which the test reads the
 * words and the end.
 */
#ifndef TESTS_TASK_CHILD_H
#define TESTS_TASK_CHILD_H

#include "check.h"
#include "profile.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#if BGI_VALGRIND
#include <valgrind/valgrind.h>
#endif

struct child_end {
    int signal; /* 0: it exited */
    int status;
    char words[8192]; /* what it wrote to stderr */
};

static inline struct child_end child_run(void (*fn)(void *arg), void *arg)
{
    struct child_end end = {0, 0, ""};
    int fd[2];
    cr_assert_eq(pipe(fd), 0);
    pid_t pid = fork();
    cr_assert_geq(pid, 0);
    if (pid == 0) {
        static const struct rlimit none;
#if BGI_VALGRIND
        VALGRIND_DISABLE_ERROR_REPORTING; /* the faults are meant */
#endif
        (void)setrlimit(RLIMIT_CORE, &none);
        (void)dup2(fd[1], STDERR_FILENO);
        (void)close(fd[0]);
        (void)close(fd[1]);
        (void)signal(SIGSEGV, SIG_DFL); /* whatever the test's frame set up */
        (void)signal(SIGBUS, SIG_DFL);
        (void)signal(SIGABRT, SIG_DFL);
        bgt_keep_profile_at_abort();
        fn(arg);
        bgt_keep_profile();
        _exit(bgi_load(&check_failures) == 0 ? 0 : 100);
    }
    (void)close(fd[1]);
    size_t used = 0;
    ssize_t n;
    while ((n = read(fd[0], end.words + used, sizeof end.words - 1 - used)) > 0) {
        used += (size_t)n;
    }
    (void)close(fd[0]);
    int status = 0;
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    end.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    end.status = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
    return end;
}

#endif

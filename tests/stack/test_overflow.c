/*
 * Overflow reports: each case in a child process, of which the test reads the last words and the
 * end.
 */
#include "stack/overflow.h"

#include "base/alloc.h"

#include "stack/stack.h"

#include <criterion/criterion.h>

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../support/faults.h"

#define KIB ((size_t)1024)

struct end {
    int signal, status;
    char words[4096];
};

/* Runs fn in a child and collects what it says on stderr. */
static struct end end_of(void (*fn)(void))
{
    struct end end = {0, 0, ""};
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
        fn();
        _exit(0);
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

/* ---- in the child ---- */

static struct {
    bgi_stack_pool *pool;
    bgi_stack *stack;
    bgi_context home;
    void (*body)(void);
} child;

static volatile long sink;

BGI_NOINLINE static long fall(long depth)
{
    volatile char frame[300];
    frame[0] = (char)depth;
    sink += frame[0];
    long below = depth > 0 ? fall(depth - 1) : 0; /* the depth is far beyond any stack here */
    return below + frame[0] + sink;
}

static void fall_far(void)
{
    sink += fall(1 << 20);
}

static void touch_nothing(void)
{
    volatile char *nowhere = (volatile char *)(uintptr_t)16;
    __asm__ __volatile__("" : "+r"(nowhere));
    *nowhere = 1;
}

static void send_segv(void)
{
    (void)raise(SIGSEGV);
}

BGI_NOINLINE static void run_body(void)
{
    child.body();
}

BGI_CONTEXT_ENTRY static void entry(void *arg)
{
    (void)arg;
    run_body();
    bgi_context_switch_final(&child.stack->context, &child.home);
}

static void on_task(size_t size, const char *name, void (*body)(void))
{
    if (bgi_overflow_install() != 0 || bgi_overflow_thread_init() != 0) {
        _exit(101);
    }
    child.pool = bgi_stack_pool_create(256 * KIB, 1);
    child.stack = child.pool ? bgi_stack_get(child.pool, 0, size) : NULL;
    if (!child.stack) {
        _exit(102);
    }
    child.body = body;
    bgi_context_adopt(&child.home);
    bgi_context_init(&child.stack->context, child.stack->low, child.stack->size, entry, NULL);
    bgi_overflow_set_current(child.stack, name);
    bgi_context_switch(&child.home, &child.stack->context);
    bgi_overflow_set_current(NULL, NULL);
}

static void overflow_named(void)
{
    on_task(0, "soup", fall_far);
}

static void overflow_sized(void)
{
    on_task(64 * KIB, NULL, fall_far);
}

static void overflow_protected(void)
{
    bgi_guard_force(BGI_GUARD_PROTECT);
    on_task(0, "protected", fall_far);
}

static void leave_canary(void)
{
    child.stack->low[-8] = 1; /* as an overflow that came back would have */
}

static void overflow_canary(void)
{
    bgi_guard_force(BGI_GUARD_CANARY);
    on_task(0, "bird", leave_canary);
    bgi_overflow_set_current(child.stack, "bird");
    bgi_stack_check(child.stack);
}

static void null_on_task(void)
{
    on_task(0, "soup", touch_nothing);
}

static void null_on_thread(void)
{
    on_task(0, "soup", send_segv);
}

static void previous_handler(int sig, siginfo_t *si, void *uc)
{
    (void)uc;
    static const char says[] = "the previous handler\n";
    (void)!write(STDERR_FILENO, says, sizeof says - 1);
    _exit(sig == SIGSEGV && si->si_addr == (void *)16 ? 42 : 43);
}

static void plain_previous_handler(int sig)
{
    _exit(sig == SIGSEGV ? 44 : 45);
}

static void chained(void)
{
    struct sigaction sa = {.sa_flags = SA_SIGINFO};
    sa.sa_sigaction = previous_handler;
    (void)sigaction(SIGSEGV, &sa, NULL);
    on_task(0, "soup", touch_nothing);
}

static void chained_plain(void)
{
    (void)signal(SIGSEGV, plain_previous_handler);
    on_task(0, "soup", touch_nothing);
}

static void chained_overflow(void)
{
    struct sigaction sa = {.sa_flags = SA_SIGINFO};
    sa.sa_sigaction = previous_handler;
    (void)sigaction(SIGSEGV, &sa, NULL);
    on_task(0, "soup", fall_far);
}

static void ignored_signal(void)
{
    (void)signal(SIGSEGV, SIG_IGN);
    on_task(0, "soup", send_segv);
    _exit(7);
}

static int my_lookup(const void *addr, struct bgi_overflow_info *out)
{
    if (!bgi_stack_guard_hit(child.stack, addr)) {
        return 0;
    }
    out->task = "found";
    out->low = child.stack->low;
    out->size = 12345 * KIB;
    return 1;
}

static void by_lookup(void)
{
    bgi_overflow_set_lookup(my_lookup);
    on_task(0, "not this", fall_far);
}

static void uninstalled(void)
{
    (void)bgi_overflow_install();
    (void)bgi_overflow_install();
    bgi_overflow_uninstall();
    struct sigaction now;
    (void)sigaction(SIGSEGV, NULL, &now);
    int still = now.sa_handler != SIG_DFL;
    bgi_overflow_uninstall();
    (void)sigaction(SIGSEGV, NULL, &now);
    _exit(still && now.sa_handler == SIG_DFL ? 9 : 10);
}

/* ---- the cases ---- */

Test(overflow, is_reported_with_name_and_size)
{
    struct end end = end_of(overflow_named);
    cr_assert_eq(end.signal, SIGABRT, "%d %d %s", end.signal, end.status, end.words);
    cr_assert_not_null(strstr(end.words, "brigade: stack overflow in task 'soup' "
                                         "(stack of 256 KiB at 0x"),
                       "%s", end.words);
    cr_assert_not_null(strstr(end.words, "raise .stack_size, or move large arrays to the heap\n"));
}

Test(overflow, is_reported_without_a_name)
{
    struct end end = end_of(overflow_sized);
    cr_assert_eq(end.signal, SIGABRT, "%s", end.words);
    cr_assert_not_null(strstr(end.words, "task 'unnamed' (stack of 64 KiB at 0x"), "%s", end.words);
}

Test(overflow, is_seen_by_mprotect)
{
    struct end end = end_of(overflow_protected);
    cr_assert_eq(end.signal, SIGABRT, "%s", end.words);
    cr_assert_not_null(strstr(end.words, "overflow in task 'protected'"), "%s", end.words);
}

Test(overflow, is_seen_by_canary)
{
    struct end end = end_of(overflow_canary);
    cr_assert_eq(end.signal, SIGABRT, "%s", end.words);
    cr_assert_not_null(strstr(end.words, "overflow in task 'bird' (stack of 256 KiB"), "%s",
                       end.words);
}

Test(overflow, is_looked_up_above)
{
    struct end end = end_of(by_lookup);
    cr_assert_eq(end.signal, SIGABRT, "%s", end.words);
    cr_assert_not_null(strstr(end.words, "task 'found' (stack of 12345 KiB"), "%s", end.words);
}

Test(overflow, other_faults_end_as_ever)
{
    struct end end = end_of(null_on_task);
    cr_assert_eq(end.signal, SIGSEGV, "%d %d %s", end.signal, end.status, end.words);
    cr_assert_null(strstr(end.words, "stack overflow"), "%s", end.words);
    end = end_of(null_on_thread);
    cr_assert_eq(end.signal, SIGSEGV, "%d %d %s", end.signal, end.status, end.words);
    cr_assert_null(strstr(end.words, "stack overflow"), "%s", end.words);
}

Test(overflow, earlier_handlers_are_called)
{
    struct end end = end_of(chained);
    cr_assert_eq(end.status, 42, "%d %d %s", end.signal, end.status, end.words);
    cr_assert_not_null(strstr(end.words, "the previous handler"));
    end = end_of(chained_plain);
    cr_assert_eq(end.status, 44, "%d %d %s", end.signal, end.status, end.words);
    end = end_of(chained_overflow);
    cr_assert_eq(end.signal, SIGABRT, "%d %d %s", end.signal, end.status, end.words);
    cr_assert_not_null(strstr(end.words, "overflow in task 'soup'"), "%s", end.words);
    end = end_of(ignored_signal);
    cr_assert_eq(end.status, 7, "%d %d %s", end.signal, end.status, end.words);
}

Test(overflow, installs_are_counted)
{
    struct end end = end_of(uninstalled);
    cr_assert_eq(end.status, 9, "%d %d %s", end.signal, end.status, end.words);
}

Test(overflow, threads_have_a_signal_stack)
{
    stack_t before;
    stack_t now;
    stack_t after;
    cr_assert_eq(sigaltstack(NULL, &before), 0);
    cr_assert_eq(bgi_overflow_thread_init(), 0);
    cr_assert_eq(bgi_overflow_thread_init(), 0);
    cr_assert_eq(sigaltstack(NULL, &now), 0);
    cr_assert(!(now.ss_flags & SS_DISABLE));
    if (!(before.ss_flags & SS_DISABLE)) {
        cr_assert_eq(now.ss_sp, before.ss_sp); /* the thread's own is kept */
    }
    bgi_overflow_thread_fini();
    cr_assert_eq(sigaltstack(NULL, &after), 0);
    cr_assert_eq(after.ss_sp, now.ss_sp);
    bgi_overflow_thread_fini();
    cr_assert_eq(sigaltstack(NULL, &after), 0);
    cr_assert_eq(after.ss_flags & SS_DISABLE, before.ss_flags & SS_DISABLE);
}

Test(overflow, a_refused_signal_stack_is_told)
{
    stack_t off = {.ss_sp = NULL, .ss_size = 0, .ss_flags = SS_DISABLE};
    stack_t before;
    cr_assert_eq(sigaltstack(&off, &before), 0);
    bgi_fault_arm(BGI_FAULT_MMAP, 1);
    int rc = bgi_overflow_thread_init();
    bgi_fault_disarm();
    cr_assert_eq(rc, -ENOMEM);
    bgi_overflow_thread_fini(); /* as callers do who went on without */
    cr_assert_eq(bgi_overflow_thread_init(), 0);
    bgi_overflow_thread_fini();
    if (!(before.ss_flags & SS_DISABLE)) {
        cr_assert_eq(sigaltstack(&before, NULL), 0);
    }
}

/*
 * A test runner behind the header next to this file: one forked process a test, one after another.
 *
 * The verdict travels through a page shared by both processes, so that a test may exit with any
 * status: the child counts failures there (atomically, from any of its threads) and notes at its
 * end that it got there. The parent waits for the child with a deadline and compares how it ended
 * with what the test's options expect. A child is killed with its whole process group on timeout,
 * and dies with its parent.
 *
 * The closing line is Criterion's, and so is what it counts: skipped and disabled tests are not
 * tested, and those that crash or time out fail too.
 */
#include <criterion/criterion.h>

#include "../profile.h"
#include "base/atomic.h"

#include <errno.h>
#include <fnmatch.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct verdict {
    bgi_atomic failures;
    bgi_atomic skipped;
    bgi_atomic finished;
};

enum outcome { PASSED, FAILED, CRASHED, SKIPPED };

enum { FATAL_STATUS = 101, SHOWN_FAILURES = 20 };

static struct bgt_test *tests, **tests_end = &tests;
static struct verdict *verdict;
static const char *filter;
static double time_limit; /* the command line's, for tests that have none of their own */
static double time_scale = 1.0;

void bgt_register(struct bgt_test *test)
{
    *tests_end = test;
    tests_end = &test->next;
}

/* One write a line or group of lines, so that those of several threads do not mix. */
static void say(const char *prefix, const char *fmt, va_list args)
{
    char text[2048];
    size_t room = sizeof text - 1;
    size_t used = (size_t)snprintf(text, room, "%s", prefix);
    if (used < room) {
        int n = vsnprintf(text + used, room - used, fmt, args);
        used += n > 0 ? (size_t)n : 0;
    }
    if (used >= room) {
        used = room - 1;
    }
    text[used++] = '\n';
    if (write(STDERR_FILENO, text, used) < 0) {
        _exit(FATAL_STATUS);
    }
}

void bgt_log(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    say("[----]", fmt, args);
    va_end(args);
}

void bgt_fail(int fatal, const char *file, int line, const char *what, const char *fmt, ...)
{
    if (bgi_fetch_add_relaxed(&verdict->failures, 1) < SHOWN_FAILURES || fatal) {
        char prefix[1024];
        (void)snprintf(prefix, sizeof prefix, "[----] %s:%d: Assertion Failed: %s\n[----]  ", file,
                       line, what);
        va_list args;
        va_start(args, fmt);
        say(prefix, fmt, args);
        va_end(args);
    }
    if (fatal) {
        (void)fflush(NULL);
        _exit(FATAL_STATUS);
    }
}

void bgt_skip(const char *fmt, ...)
{
    bgi_store(&verdict->skipped, 1);
    va_list args;
    va_start(args, fmt);
    say("[SKIP]", fmt, args);
    va_end(args);
    (void)fflush(NULL);
    _exit(0);
}

static const struct bgt_options *suite_options(const struct bgt_test *test)
{
    static const struct bgt_options none;
    for (const struct bgt_test *t = tests; t != NULL; t = t->next) {
        if (t->name == NULL && strcmp(t->suite, test->suite) == 0) {
            return &t->options;
        }
    }
    return &none;
}

/* What the suite sets holds where the test itself sets nothing. */
static struct bgt_options options_of(const struct bgt_test *test)
{
    struct bgt_options o = test->options;
    const struct bgt_options *suite = suite_options(test);
    o.init = o.init != NULL ? o.init : suite->init;
    o.fini = o.fini != NULL ? o.fini : suite->fini;
    o.signal = o.signal != 0 ? o.signal : suite->signal;
    o.exit_code = o.exit_code != 0 ? o.exit_code : suite->exit_code;
    o.disabled = o.disabled || suite->disabled;
    o.timeout = o.timeout > 0 ? o.timeout : suite->timeout > 0 ? suite->timeout : time_limit;
    return o;
}

static void run_in_child(const struct bgt_test *test, const struct bgt_options *o)
{
    static const struct rlimit no_core;
    (void)setpgid(0, 0);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)setrlimit(RLIMIT_CORE, &no_core);
    sigset_t child_signal;
    (void)sigemptyset(&child_signal);
    (void)sigaddset(&child_signal, SIGCHLD);
    (void)sigprocmask(SIG_UNBLOCK, &child_signal, NULL);
    bgt_keep_profile_at_abort();
    if (o->init != NULL) {
        o->init();
    }
    test->body();
    if (o->fini != NULL) {
        o->fini();
    }
    bgi_store(&verdict->finished, 1);
    exit(0); /* by the handlers: leak checkers report there, and change the status */
}

static double seconds_now(void)
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* Waits for the child, at most until the deadline (0: for ever); whether it ended by itself. */
static int wait_for(pid_t child, double deadline, int *status)
{
    sigset_t child_signal;
    (void)sigemptyset(&child_signal);
    (void)sigaddset(&child_signal, SIGCHLD);
    for (;;) {
        pid_t got = waitpid(child, status, WNOHANG);
        if (got == child || (got < 0 && errno != EINTR)) {
            return 1;
        }
        double left = deadline > 0 ? deadline - seconds_now() : 3600.0;
        if (left <= 0) {
            (void)kill(-child, SIGKILL);
            (void)kill(child, SIGKILL);
            while (waitpid(child, status, 0) < 0 && errno == EINTR) {
            }
            return 0;
        }
        struct timespec ts = {.tv_sec = (time_t)left};
        ts.tv_nsec = (long)((left - (double)ts.tv_sec) * 1e9);
        (void)sigtimedwait(&child_signal, NULL, &ts);
    }
}

static enum outcome judge(const struct bgt_test *test, const struct bgt_options *o, int status)
{
    bgi_word failures = bgi_load(&verdict->failures);
    if (failures != 0) {
        (void)fprintf(stderr, "[FAIL] %s::%s: %zu checks failed\n", test->suite, test->name,
                      (size_t)failures);
        return FAILED;
    }
    if (bgi_load(&verdict->skipped) != 0) {
        return SKIPPED;
    }
    if (WIFSIGNALED(status)) {
        if (WTERMSIG(status) == o->signal) {
            return PASSED;
        }
        (void)fprintf(stderr, "[FAIL] %s::%s: CRASH! (signal %d)\n", test->suite, test->name,
                      WTERMSIG(status));
        return o->signal != 0 ? FAILED : CRASHED;
    }
    int exited = WEXITSTATUS(status);
    if (o->signal != 0) {
        (void)fprintf(stderr, "[FAIL] %s::%s: expected signal %d, exited with %d\n", test->suite,
                      test->name, o->signal, exited);
        return FAILED;
    }
    if (exited != o->exit_code || (o->exit_code == 0 && bgi_load(&verdict->finished) == 0)) {
        (void)fprintf(stderr, "[FAIL] %s::%s: exited with %d\n", test->suite, test->name, exited);
        return FAILED;
    }
    return PASSED;
}

static enum outcome run(const struct bgt_test *test)
{
    struct bgt_options o = options_of(test);
    if (o.disabled) {
        return SKIPPED;
    }
    memset(verdict, 0, sizeof *verdict);
    (void)fflush(NULL);
    double deadline = o.timeout > 0 ? seconds_now() + o.timeout * time_scale : 0;
    pid_t child = fork();
    if (child < 0) {
        perror("fork");
        return FAILED;
    }
    if (child == 0) {
        run_in_child(test, &o);
    }
    int status = 0;
    if (!wait_for(child, deadline, &status)) {
        (void)fprintf(stderr, "[FAIL] %s::%s: Timed out. (%.2fs)\n", test->suite, test->name,
                      o.timeout * time_scale);
        return FAILED;
    }
    return judge(test, &o, status);
}

static int chosen(const struct bgt_test *test)
{
    if (test->name == NULL) {
        return 0;
    }
    char full[512];
    (void)snprintf(full, sizeof full, "%s/%s", test->suite, test->name);
    return filter == NULL || fnmatch(filter, full, 0) == 0;
}

static void usage(const char *program)
{
    (void)printf("usage: %s [--filter SUITE/NAME] [--timeout SECONDS] [--list]\n"
                 "SUITE/NAME may hold * and ?. -jN is accepted and ignored.\n",
                 program);
}

/* Whether to go on; else *status is what to exit with. */
static int parse(int argc, char **argv, int *list, int *status)
{
    *status = 0;
    for (int i = 1; i < argc; i++) {
        const char *arg = argv[i];
        if (strcmp(arg, "--filter") == 0 && i + 1 < argc) {
            filter = argv[++i];
        } else if (strncmp(arg, "--filter=", 9) == 0) {
            filter = arg + 9;
        } else if (strcmp(arg, "--timeout") == 0 && i + 1 < argc) {
            time_limit = strtod(argv[++i], NULL);
        } else if (strcmp(arg, "--list") == 0 || strcmp(arg, "-l") == 0) {
            *list = 1;
        } else if (strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0) {
            usage(argv[0]);
            return 0;
        } else if (strncmp(arg, "-j", 2) != 0) {
            usage(argv[0]);
            *status = 2;
            return 0;
        }
    }
    return 1;
}

int main(int argc, char **argv)
{
    int list = 0;
    int status;
    if (!parse(argc, argv, &list, &status)) {
        return status;
    }
    const char *scale = getenv("BRIGADE_TEST_TIME_SCALE");
    if (scale != NULL && strtod(scale, NULL) > 0) {
        time_scale = strtod(scale, NULL);
    }
    verdict =
        mmap(NULL, sizeof *verdict, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (verdict == MAP_FAILED) {
        perror("mmap");
        return 2;
    }
    sigset_t child_signal;
    (void)sigemptyset(&child_signal);
    (void)sigaddset(&child_signal, SIGCHLD);
    (void)sigprocmask(SIG_BLOCK, &child_signal, NULL);

    unsigned count[SKIPPED + 1] = {0};
    for (const struct bgt_test *t = tests; t != NULL; t = t->next) {
        if (!chosen(t)) {
            continue;
        }
        if (list) {
            (void)printf("%s/%s\n", t->suite, t->name);
            continue;
        }
        count[run(t)]++;
    }
    if (list) {
        return 0;
    }
    unsigned failing = count[FAILED] + count[CRASHED];
    unsigned tested = count[PASSED] + failing;
    (void)fprintf(stderr,
                  "[====] Synthesis: Tested: %u | Passing: %u | Failing: %u | Crashing: %u\n",
                  tested, count[PASSED], failing, count[CRASHED]);
    return failing == 0 && tested > 0 ? 0 : 1;
}

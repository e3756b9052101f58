/*
 * A child tells by its report, which lies in shared memory, how far it came: which seed and
 * schedule it ran and what did not hold. If it ends otherwise than it should, how it ended is added
 * to that. A hang is the end by one of two timers: of real time, for runs on threads, which may
 * wait for ever; of its own CPU time, for the deterministic mode, which never waits and is not to
 * count as hung because the machine is busy.
 */
#include "trial.h"

#include "../profile.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <errno.h>
#include <fcntl.h>

enum { DONE = 0, FAILED = 77 };

double bgp_seconds(void)
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

double bgp_time_scale(void)
{
    const char *text = getenv("BRIGADE_TEST_TIME_SCALE");
    double scale = text == NULL ? 1 : strtod(text, NULL);
    return scale > 0 ? scale : 1;
}

static struct itimerval timer_of(double seconds)
{
    struct itimerval timer = {.it_value.tv_sec = (time_t)seconds};
    timer.it_value.tv_usec = (suseconds_t)((seconds - (double)(time_t)seconds) * 1e6);
    return timer;
}

void bgp_start_watch(const struct bgp_patience *patience)
{
    struct itimerval wall = timer_of(patience->wall * bgp_time_scale());
    struct itimerval cpu = timer_of(patience->cpu);
    (void)setitimer(ITIMER_REAL, &wall, NULL);
    (void)setitimer(ITIMER_PROF, &cpu, NULL);
}

static void become_child(int quiet)
{
    static const int usual[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGALRM, SIGPROF};
    static const struct rlimit no_core;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)setrlimit(RLIMIT_CORE, &no_core);
    for (size_t i = 0; i < sizeof usual / sizeof usual[0]; i++) {
        if (i > 4) { /* a sanitizer's own are to stay */
            (void)signal(usual[i], SIG_DFL);
        }
    }
    if (quiet) {
        int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
        (void)dup2(fd, STDOUT_FILENO);
        (void)dup2(fd, STDERR_FILENO);
        (void)close(fd);
    }
}

static void judge(struct bgp_report *report, int status)
{
    if (WIFEXITED(status) && (WEXITSTATUS(status) == DONE || WEXITSTATUS(status) == FAILED)) {
        return;
    }
    if (WIFSIGNALED(status)) {
        int number = WTERMSIG(status);
        report->failure = number == SIGALRM || number == SIGPROF ? BGP_HUNG : BGP_DIED;
        report->signal = number;
    } else {
        report->failure = BGP_DIED; /* a sanitizer's exit */
        report->signal = 0;
    }
}

int bgp_in_child(void (*fn)(void *arg), void *arg, int quiet, struct bgp_report *out)
{
    struct bgp_report *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) {
        abort();
    }
    (void)fflush(NULL);
    pid_t child = fork();
    if (child < 0) {
        abort();
    }
    if (child == 0) {
        become_child(quiet);
        bgp_report = shared;
        fn(arg);
        bgt_keep_profile();
        _exit(shared->failure == BGP_PASSED ? DONE : FAILED);
    }
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    judge(shared, status);
    *out = *shared;
    (void)munmap(shared, sizeof *shared);
    return out->failure == BGP_PASSED;
}

struct trial {
    const struct bgp_program *p;
    unsigned times;
};

static void run_trial(void *arg)
{
    const struct trial *trial = arg;
    struct bgp_program p = *trial->p;
    static const struct bgp_patience seeded = {20, 0.3}, threads = {5, 0};
    for (unsigned i = 0; i < trial->times; i++) {
        bgp_start_watch(p.mode == BGP_SEEDED ? &seeded : &threads);
        if (!bgp_run(&p)) {
            return;
        }
        p.schedule += p.schedule + 1 != 0 ? 1 : 2; /* 0 would be none */
    }
}

int bgp_try(const struct bgp_program *p, unsigned times, int quiet, struct bgp_report *out)
{
    struct trial trial = {p, times};
    return bgp_in_child(run_trial, &trial, quiet, out);
}

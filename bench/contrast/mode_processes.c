/*
 * Processes. For cpu: a pool of one a CPU, each taking the next file from a counter in shared
 * memory. Where tasks wait: one process a task, until the system gives no more.
 *
 * Memory: a forked process shares nearly all its pages with its parent, so that the sum of
 * everybody's resident pages would count the same page thousands of times. What is reported is
 * the high-water mark of the parent, plus the private pages of its processes: of every one for a
 * pool; of every 32nd one for waiters (reading the figure takes longer than the fork), as their
 * average times the most processes that lived at one moment.
 *
 * Processes that have ended are reaped on the way, so that they give their numbers back.
 */
#include "limits.h"
#include "meter.h"
#include "modes.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define SAMPLE_EVERY 32
#define REAP_EVERY 64

static void add_private_memory(const struct run *run)
{
    uint64_t bytes = meter_private_memory();
    if (bytes > 0) {
        (void)bgi_fetch_add(&run->shared->private_bytes.value, (bgi_word)bytes);
        (void)bgi_fetch_add(&run->shared->private_samples.value, 1);
    }
}

static void pool_process(const struct run *run)
{
    for (;;) {
        size_t i = bgi_fetch_add(&run->shared->next.value, 1);
        if (i >= run->tasks)
            break;
        (void)work_task(run, i, wait_thread);
    }
    add_private_memory(run);
}

static void waiter_process(const struct run *run, size_t i)
{
    (void)work_task(run, i, wait_thread);
    if (i % SAMPLE_EVERY == 0)
        add_private_memory(run);
}

/* Number i; the pid, or a negative errno. The child dies with its parent, whatever ends that. */
static int start(const struct run *run, size_t i, pid_t parent)
{
    pid_t pid = fork();
    if (pid < 0)
        return -errno;
    if (pid > 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    highwater_enter(&run->shared->living);
    if (job_waits(run->kind))
        waiter_process(run, i);
    else
        pool_process(run);
    highwater_leave(&run->shared->living);
    _exit(0);
}

/* Counts those that did not end as they should. */
static size_t reap(size_t *alive, int options)
{
    size_t bad = 0;
    int status;
    while (*alive > 0) {
        pid_t pid = waitpid(-1, &status, options);
        if (pid < 0 && errno == EINTR)
            continue;
        if (pid <= 0)
            break;
        (*alive)--;
        bad += !WIFEXITED(status) || WEXITSTATUS(status) != 0;
    }
    return bad;
}

void mode_processes(const struct run *run, struct outcome *out)
{
    struct shared *s = run->shared;
    size_t want = job_waits(run->kind) ? run->tasks : run->workers;
    size_t started = 0, alive = 0, bad = 0;
    const char *why = NULL;
    struct limits limits;
    struct meter m;
    pid_t self = getpid();

    limits_read(&limits);
    meter_start(&m);
    while (started < want && limits_allow(&limits, alive, &why)) {
        int rc = start(run, started, self);
        if (rc < 0) {
            why = strerror(-rc);
            break;
        }
        alive++;
        if (++started % REAP_EVERY == 0)
            bad += reap(&alive, WNOHANG);
    }
    bad += reap(&alive, 0);
    out->tasks_done = bgi_load(&s->done.value);
    meter_stop(&m, run, out);

    bgi_word living = bgi_load(&s->living.peak);
    bgi_word samples = bgi_load(&s->private_samples.value);
    out->threads = living + 1;
    if (samples > 0)
        out->memory += (uint64_t)(bgi_load(&s->private_bytes.value) / samples) * living;

    if (started == 0)
        out->error = -EAGAIN;
    else if (bad > 0)
        out->error = -ECHILD;
    if (bad > 0)
        outcome_note(out, "%zu of %zu processes ended badly", bad, started);
    else if (started < want)
        outcome_note(out, "got as far as %zu of %zu processes: %s", started, want, why);
    else if (samples == 0)
        outcome_note(out, "memory is the parent's alone: the others' cannot be read here");
    else if (samples < started)
        outcome_note(out,
                     "memory is the parent's and %zu KiB for each process alive at once, the "
                     "average of %zu that were measured",
                     (size_t)(bgi_load(&s->private_bytes.value) / samples / 1024), (size_t)samples);
}

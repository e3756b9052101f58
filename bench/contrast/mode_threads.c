/*
 * Threads. For cpu: one a CPU, each taking the next file from a shared counter. Where tasks wait:
 * one thread a task with a small stack, until the system gives no more; the outcome then says how
 * far it got.
 */
#include "limits.h"
#include "meter.h"
#include "modes.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define STACK_SIZE ((size_t)64 * 1024)
#define LOOK_EVERY 64

struct unit {
    const struct run *run;
    size_t index;
};

static void *pool_thread(void *arg)
{
    const struct run *run = arg;
    for (;;) {
        size_t i = bgi_fetch_add(&run->shared->next.value, 1);
        if (i >= run->tasks)
            return NULL;
        (void)work_task(run, i, wait_thread);
    }
}

static void run_pool(const struct run *run, struct outcome *out)
{
    pthread_t *threads = calloc(run->workers, sizeof *threads);
    unsigned started = 0;
    if (threads == NULL) {
        out->error = -ENOMEM;
        return;
    }
    while (started < run->workers && out->error == 0) {
        out->error = -pthread_create(&threads[started], NULL, pool_thread, (void *)run);
        started += out->error == 0;
    }
    meter_see_threads(run);
    if (out->error < 0 && started > 0) {
        outcome_note(out, "only %u of %u threads could be started: %s", started, run->workers,
                     strerror(-out->error));
        out->error = 0;
    }
    for (unsigned i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    free(threads);
}

static void *waiter_thread(void *arg)
{
    const struct unit *u = arg;
    highwater_enter(&u->run->shared->living);
    (void)work_task(u->run, u->index, wait_thread);
    highwater_leave(&u->run->shared->living);
    return NULL;
}

static void run_waiters(const struct run *run, struct outcome *out)
{
    struct limits limits;
    pthread_attr_t attr;
    pthread_t *threads = calloc(run->tasks, sizeof *threads);
    struct unit *units = calloc(run->tasks, sizeof *units);
    size_t started = 0;
    const char *why = NULL;

    if (threads == NULL || units == NULL) {
        out->error = -ENOMEM;
    } else {
        limits_read(&limits);
        pthread_attr_init(&attr);
        size_t least = (size_t)PTHREAD_STACK_MIN;
        pthread_attr_setstacksize(&attr, least > STACK_SIZE ? least : STACK_SIZE);
        while (started < run->tasks && limits_allow(&limits, started, &why)) {
            units[started] = (struct unit){run, started};
            int rc = pthread_create(&threads[started], &attr, waiter_thread, &units[started]);
            if (rc != 0) {
                why = strerror(rc);
                break;
            }
            if (started++ % LOOK_EVERY == 0)
                meter_see_threads(run);
        }
        meter_see_threads(run);
        pthread_attr_destroy(&attr);
        for (size_t i = 0; i < started; i++)
            pthread_join(threads[i], NULL);
        if (started < run->tasks)
            outcome_note(out, "got as far as %zu of %zu threads: %s", started, run->tasks, why);
        /* The threads that were alive at one moment, and the one that made them. */
        counter_raise(&run->shared->threads, bgi_load(&run->shared->living.peak) + 1);
    }
    free(threads);
    free(units);
}

void mode_threads(const struct run *run, struct outcome *out)
{
    struct meter m;
    meter_start(&m);
    if (job_waits(run->kind))
        run_waiters(run, out);
    else
        run_pool(run, out);
    out->tasks_done = bgi_load(&run->shared->done.value);
    meter_stop(&m, run, out);
}

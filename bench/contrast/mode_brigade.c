/*
 * brigade: one task each, spawned in order and gathered. With one worker it is asyncio's model;
 * with .workers = 0 it is what the library is for. The wall time holds the start and the end of
 * the runtime.
 */
#include "fetch.h"
#include "meter.h"
#include "modes.h"

#include <brigade.h>
#include <errno.h>
#include <stdlib.h>

#define LOOK_EVERY 1024

struct unit {
    const struct run *run;
    size_t index;
};

struct batch {
    const struct run *run;
    struct outcome *out;
    struct unit *units;
    bg_task **tasks;
    int *results;
    uint64_t spares;
};

static const struct calls task_calls = {bg_connect, bg_fd_send, bg_fd_recv, bg_fd_close};

static int wait_task(const struct run *run)
{
    return run->port ? fetch(run->port, &task_calls) : bg_sleep(run->wait_ns);
}

static int one_task(void *arg)
{
    const struct unit *u = arg;
    if (u->index % LOOK_EVERY == LOOK_EVERY - 1)
        meter_see_threads(u->run);
    return work_task(u->run, u->index, wait_task);
}

static int all_tasks(void *arg)
{
    struct batch *b = arg;
    size_t n = b->run->tasks, spawned = 0;
    bg_stats stats = {.size = sizeof stats};

    while (spawned < n) {
        b->units[spawned] = (struct unit){b->run, spawned};
        b->tasks[spawned] = bg_spawn(one_task, &b->units[spawned]);
        if (b->tasks[spawned] == NULL)
            break;
        spawned++;
    }
    meter_see_threads(b->run);
    int rc = bg_gather_all(b->tasks, spawned, b->results);
    meter_see_threads(b->run);
    if (bg_runtime_stats(NULL, &stats) == 0) {
        b->spares = stats.spares_peak;
        counter_raise(&b->run->shared->threads, (bgi_word)(stats.workers + stats.spares_peak));
    }
    if (spawned < n)
        outcome_note(b->out, "got as far as %zu of %zu tasks: %s", spawned, n,
                     bg_strerror(-ENOMEM));
    else if (rc < 0)
        outcome_note(b->out, "a task failed: %s", bg_strerror(rc));
    return rc;
}

static void run_brigade(const struct run *run, struct outcome *out, unsigned workers)
{
    struct batch b = {.run = run, .out = out};
    struct meter m;

    meter_start(&m);
    b.units = calloc(run->tasks, sizeof *b.units);
    b.tasks = calloc(run->tasks, sizeof *b.tasks);
    b.results = calloc(run->tasks, sizeof *b.results);
    if (b.units == NULL || b.tasks == NULL || b.results == NULL)
        out->error = -ENOMEM;
    else
        /* asyncio's model has one thread, whatever a task does */
        out->error = bg_run(all_tasks, &b, .workers = workers, .name = "contrast",
                            .spares = workers == 1 ? BG_NO_SPARES : 0);
    out->tasks_done = bgi_load(&run->shared->done.value);
    meter_stop(&m, run, out);
    if (b.spares > 0 && out->note[0] == '\0')
        outcome_note(out, "%llu spare worker%s stepped in for tasks that computed for long",
                     (unsigned long long)b.spares, b.spares == 1 ? "" : "s");
    free(b.units);
    free(b.tasks);
    free(b.results);
}

void mode_one_worker(const struct run *run, struct outcome *out)
{
    run_brigade(run, out, 1);
}

void mode_stealing(const struct run *run, struct outcome *out)
{
    run_brigade(run, out, run->workers_asked);
}

static int count_workers(void *arg)
{
    bg_stats stats = {.size = sizeof stats};
    int rc = bg_runtime_stats(NULL, &stats);
    if (rc == 0)
        *(uint64_t *)arg = stats.workers;
    return rc;
}

void mode_probe(const struct run *run, struct outcome *out)
{
    (void)run;
    out->memory = meter_peak_memory();
    out->error = bg_run(count_workers, &out->threads, .workers = 0);
}

#include "observe/deadlock.h"

#include "base/symbol.h"
#include "sync/chan.h"
#include "wait/queue.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { FRAMES = 32, LINE = 512 };

/* Every wait there is; the layers above bring theirs. */
static const bgi_wait_kind *const kinds[] = {
    &bgi_wait_await, &bgi_wait_any,          &bgi_wait_signal, &bgi_wait_sleep,
    &bgi_wait_queue, &bgi_wait_queue_hidden, &bgi_wait_chan,   &bgi_wait_select};

static void put(const char *line)
{
    size_t n = strlen(line);
    while (n > 0) {
        ssize_t done = write(STDERR_FILENO, line, n);
        if (done <= 0) {
            return; /* no stderr: there is nobody to tell */
        }
        line += done;
        n -= (size_t)done;
    }
}

static void put_frame(int number, void *address)
{
    char line[LINE], where[LINE - 32];
    /* The call, not what follows it, which may be another function. */
    bgi_symbol_describe((uintptr_t)address - 1, where, sizeof where);
    (void)snprintf(line, sizeof line, "    #%d %s\n", number, where);
    put(line);
}

static void put_wait(const struct bgi_sim_wait *wait)
{
    char line[2 * LINE], what[LINE] = "something";
    const char *call = "a wait";
    for (size_t i = 0; i < BGI_ARRAY_LEN(kinds); i++) {
        if (kinds[i]->commit == wait->commit) {
            call = kinds[i]->call != NULL ? kinds[i]->call : kinds[i]->call_of(wait->arg);
            kinds[i]->describe(wait->arg, what, sizeof what);
        }
    }
    (void)snprintf(line, sizeof line, "waits in %s for %s since %" PRId64 ".%09" PRId64 " s\n",
                   call, what, wait->since / BG_S, wait->since % BG_S);
    put(line);
}

static void put_task(bg_task *t, void *arg)
{
    char line[LINE];
    void *frames[FRAMES];
    bgi_word done = bgi_load(&t->done);
    struct bgi_sim_wait wait = bgi_sim_waits(&t->fiber);

    (void)arg;
    if (done == BGI_TASK_DONE || done == BGI_TASK_FREE) {
        return;
    }
    (void)snprintf(line, sizeof line, "  task '%.100s'%s%s ", bg_task_name(t),
                   done == BGI_TASK_DETACHED ? ", detached," : "",
                   bgi_waiter_cancelled(&t->waiter) ? ", cancelled," : "");
    put(line);
    if (wait.commit == NULL) {
        put("has not run\n");
        return;
    }
    put_wait(&wait);
    int n = bgi_fiber_backtrace(bgi_worker_self(), &t->fiber, frames, FRAMES);
    for (int i = 0; i < n; i++) {
        put_frame(i, frames[i]);
    }
}

void bgi_report_deadlock(bg_runtime *rt)
{
    char line[LINE];
    bg_time now = bgi_sim_now(rt->sched);
    (void)snprintf(line, sizeof line,
                   "brigade: deadlock%s: %zu tasks live, none can run and no timer is set "
                   "(seed %" PRIu64 ", %" PRId64 ".%09" PRId64 " s)\n",
                   rt->deadlocks > 1 ? " though all are cancelled" : "", bgi_tasks_live(rt),
                   bgi_sim_seed(rt->sched), now / BG_S, now % BG_S);
    put(line);
    bgi_task_each(rt, put_task, NULL);
}

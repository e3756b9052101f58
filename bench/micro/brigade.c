/*
 * brigade's side of the micro benchmarks, through the public API only; lib/base/atomic.h serves for
 * the few words this program shares between its own tasks.
 *
 * Everything is measured inside the main task, so that starting and ending the runtime is not part
 * of it. Arrays that belong to the measuring (handles, results, lateness) are touched before the
 * baseline. Nothing is warmed up before memory is measured; spawn_gather reports its first round
 * and, as again, a second one on memory the process already has.
 */
#include "workloads.h"

#include "base/atomic.h"

/* ---- yield: two tasks that alternate ------------------------------------------------------- */

static int bm_yield_up(void *arg)
{
    const int64_t n = *(const int64_t *)arg;
    for (int64_t i = 0; i < n; i++)
        bg_yield();
    return 0;
}

/* Another function with call sites of its own: returns mispredict here if the switch returns. */
static int bm_yield_down(void *arg)
{
    int64_t n = *(const int64_t *)arg;
    for (; n >= 2; n -= 2) {
        bg_yield();
        bg_yield();
    }
    if (n)
        bg_yield();
    return 0;
}

static int bm_yield(bm_job *job, bg_fn second)
{
    int64_t n = bm_opt(job, "count", 5000000);
    int64_t start = bm_now();
    bg_task *a = bg_spawn(bm_yield_up, &n);
    bg_task *b = bg_spawn(second, &n);
    int rc = bg_gather(a, b);
    double ns = (double)(bm_now() - start);
    if (rc < 0)
        return bm_fail(bg_strerror(rc));
    bm_metric("switch_ns", ns / (2 * (double)n), "ns");
    return BM_OK;
}

/* ---- spawn --------------------------------------------------------------------------------- */

static size_t bm_ran; /* written by the tasks of a runtime with one worker */

static int bm_empty(void *arg)
{
    (void)arg;
    bm_ran++;
    return 0;
}

static int bm_spawn_await(bm_job *job)
{
    size_t n = bm_size(job, "count", 5000000);
    int64_t start = bm_now();
    for (size_t i = 0; i < n; i++) {
        bg_task *t = bg_spawn(bm_empty, NULL);
        int rc = t ? bg_await(t) : -1;
        if (rc < 0)
            return bm_fail("a spawn or an await failed");
    }
    double ns = (double)(bm_now() - start);
    if (bm_ran != n)
        return bm_fail("not every task ran");
    bm_metric("each_ns", ns / (double)n, "ns");
    return BM_OK;
}

static int bm_spawn_gather(bm_job *job)
{
    size_t n = bm_size(job, "count", 1000000);
    bg_task **tasks = (bg_task **)bm_touched(n, sizeof *tasks);
    int *results = (int *)bm_touched(n, sizeof *results);
    double took[2], bytes = 0;
    for (int round = 0; round < 2; round++) {
        double base = bm_rss();
        bm_ran = 0;
        int64_t start = bm_now();
        for (size_t i = 0; i < n; i++)
            tasks[i] = bg_spawn(bm_empty, NULL);
        int64_t spawned = bm_now();
        if (bm_ran)
            return bm_fail("a task ran before all were spawned");
        if (round == 0)
            bytes = bm_rss() - base;
        int64_t go_on = bm_now();
        int rc = bg_gather_all(tasks, n, results);
        took[round] = (double)(bm_now() - go_on + spawned - start);
        if (rc < 0)
            return bm_fail(bg_strerror(rc));
        if (bm_ran != n)
            return bm_fail("not every task ran");
    }
    bm_metric("each_ns", took[0] / (double)n, "ns");
    bm_metric("again_ns", took[1] / (double)n, "ns");
    bm_metric("bytes_each", bytes / (double)n, "B");
    bm_metric("count", (double)n, "tasks");
    free(results);
    free(tasks);
    return BM_OK;
}

/* ---- a million waits ----------------------------------------------------------------------- */

static int64_t bm_instant;
static bgi_atomic bm_counted; /* fetch_add by tasks and callbacks; load_acquire by the main task */

static int bm_sleeper(void *arg)
{
    bgi_fetch_add_relaxed(&bm_counted, 1);
    int rc = bg_sleep_until(bm_instant);
    *(int64_t *)arg = bg_now() - bm_instant;
    return rc;
}

static int bm_sleepers(bm_job *job)
{
    size_t n = bm_size(job, "count", 1000000);
    int64_t margin = bm_opt(job, "margin_ms", 4000) * BM_MS;
    bg_task **tasks = (bg_task **)bm_touched(n, sizeof *tasks);
    int *results = (int *)bm_touched(n, sizeof *results);
    int64_t *late = (int64_t *)bm_touched(n, sizeof *late);
    double base = bm_rss();
    int64_t start = bg_now();
    bm_instant = start + margin;
    for (size_t i = 0; i < n; i++) {
        tasks[i] = bg_spawn(bm_sleeper, &late[i]);
        if (!tasks[i])
            return bm_fail("a spawn failed");
    }
    while (bgi_load_acquire(&bm_counted) < n && bg_now() < bm_instant - 100 * BM_MS)
        bg_sleep(2 * BM_MS);
    int64_t asleep = bg_now();
    int all = bgi_load_acquire(&bm_counted) == n && asleep < bm_instant - 50 * BM_MS;
    bg_sleep(20 * BM_MS);
    double bytes = bm_rss() - base;
    int rc = bg_gather_all(tasks, n, results);
    if (rc < 0)
        return bm_fail(bg_strerror(rc));
    if (!all)
        return BM_MARGIN;
    for (size_t i = 0; i < n; i++)
        if (late[i] < 0)
            return bm_fail("a task woke before its time");
    bm_metric("bytes_each", bytes / (double)n, "B");
    bm_percentiles("late_", late, n);
    bm_metric("asleep_ms", (double)(asleep - start) / 1e6, "ms");
    bm_metric("count", (double)n, "tasks");
    return BM_OK;
}

static int bm_called(void *arg)
{
    (void)arg;
    bgi_fetch_add(&bm_counted, 1);
    return 0;
}

static int bm_after(bm_job *job)
{
    size_t n = bm_size(job, "count", 1000000);
    int64_t margin = bm_opt(job, "margin_ms", 1500) * BM_MS;
    double base = bm_rss();
    int64_t start = bg_now();
    for (size_t i = 0; i < n; i++) {
        int rc = bg_after(margin, bm_called, NULL);
        if (rc < 0)
            return bm_fail(bg_strerror(rc));
    }
    int64_t added = bg_now();
    double bytes = bm_rss() - base;
    if (bgi_load_acquire(&bm_counted) != 0)
        return BM_MARGIN;
    for (int64_t end = added + margin + 60 * BM_S; bgi_load_acquire(&bm_counted) < n;) {
        if (bg_now() > end)
            return bm_fail("not every callback was called");
        bg_sleep(5 * BM_MS);
    }
    bm_metric("bytes_each", bytes / (double)n, "B");
    bm_metric("add_ns", (double)(added - start) / (double)n, "ns");
    bm_metric("count", (double)n, "callbacks");
    return BM_OK;
}

/* ---- timeouts that never fire -------------------------------------------------------------- */

static size_t bm_pairs, bm_pairers;
static bgi_atomic bm_arrived; /* fetch_add by each pairer, load_acquire by the others */

static int bm_never(void *arg)
{
    (void)arg;
    abort();
}

/* With two at once, each waits for the other without yielding: they are on two workers then. */
static int bm_pairer(void *arg)
{
    bg_timer timer;
    bg_timer_init(&timer);
    bgi_fetch_add(&bm_arrived, 1);
    while (bgi_load_acquire(&bm_arrived) < bm_pairers)
        bgi_pause();
    int64_t start = bm_now();
    for (size_t i = 0; i < bm_pairs; i++) {
        int rc = bg_timer_start(&timer, bm_pair_delay(i), bm_never, NULL);
        if (rc < 0)
            return rc;
        if (bg_timer_cancel(&timer) != 1)
            return -1;
    }
    *(double *)arg = (double)(bm_now() - start);
    return 0;
}

static int bm_timeout(bm_job *job)
{
    size_t live = (size_t)bm_opt(job, "live", 0);
    size_t workers = bm_size(job, "workers", 1);
    bm_pairs = bm_size(job, "count", 5000000);
    bm_pairers = workers;
    bg_timer *timers = (bg_timer *)bm_touched(live + 1, sizeof *timers);
    for (size_t i = 0; i < live; i++) {
        bg_timer_init(&timers[i]);
        int rc = bg_timer_start(&timers[i], bm_live_delay(i, live), bm_never, NULL);
        if (rc < 0)
            return bm_fail(bg_strerror(rc));
    }
    double took[64] = {0}, worst = 0;
    bg_task *tasks[64];
    int results[64] = {0};
    if (workers > 64)
        return bm_fail("too many workers");
    for (size_t i = 0; i < workers; i++)
        tasks[i] = bg_spawn(bm_pairer, &took[i]);
    int rc = bg_gather_all(tasks, workers, results);
    if (rc < 0)
        return bm_fail("a timer could not be started, or fired though it was stopped");
    for (size_t i = 0; i < workers; i++)
        worst = took[i] > worst ? took[i] : worst;
    for (size_t i = 0; i < live; i++)
        if (bg_timer_cancel(&timers[i]) != 1)
            return bm_fail("a live timer was lost");
    bm_metric("pair_ns", worst / (double)bm_pairs, "ns");
    free(timers);
    return BM_OK;
}

/* ---- hogs ---------------------------------------------------------------------------------- */

static int64_t bm_hog_ns;

static int bm_hog(void *arg)
{
    *(uint64_t *)arg = bm_burn(bm_hog_ns);
    bgi_fetch_add(&bm_counted, 1);
    return 0;
}

typedef struct {
    int64_t *late;
    size_t n, cap, hogs;
} bm_lateness;

static int bm_napper(void *arg)
{
    bm_lateness *l = arg;
    while (bgi_load_acquire(&bm_counted) < l->hogs && l->n < l->cap) {
        int64_t before = bg_now();
        int rc = bg_sleep(BG_MS);
        if (rc < 0)
            return rc;
        l->late[l->n++] = bg_now() - before - BG_MS;
    }
    return 0;
}

static int bm_hogs(bm_job *job)
{
    size_t hogs = bm_size(job, "hogs", 4);
    if (hogs > 64)
        return bm_fail("too many hogs");
    bm_hog_ns = bm_opt(job, "hog_ms", 1000) * BM_MS;
    bm_lateness l = {.cap = 1000000, .hogs = hogs};
    l.late = (int64_t *)bm_touched(l.cap, sizeof *l.late);
    bg_task *tasks[65];
    int results[65] = {0};
    uint64_t sink[64];
    int64_t start = bm_now();
    tasks[0] = bg_spawn(bm_napper, &l, .name = "napper");
    for (size_t i = 0; i < hogs; i++)
        tasks[i + 1] = bg_spawn(bm_hog, &sink[i], .name = "hog");
    int rc = bg_gather_all(tasks, hogs + 1, results);
    if (rc < 0)
        return bm_fail(bg_strerror(rc));
    bm_metric("wall_ms", (double)(bm_now() - start) / 1e6, "ms");
    bm_metric("samples", (double)l.n, "sleeps");
    bm_percentiles("", l.late, l.n);
    free(l.late);
    return BM_OK;
}

/* ---- the table ----------------------------------------------------------------------------- */

static int bm_yield_same(bm_job *job)
{
    return bm_yield(job, bm_yield_up);
}
static int bm_yield_diff(bm_job *job)
{
    return bm_yield(job, bm_yield_down);
}

static const bm_workload bm_table[] = {
    {"yield_same", bm_yield_same, 1},
    {"yield_diff", bm_yield_diff, 1},
    {"spawn_await", bm_spawn_await, 1},
    {"spawn_gather", bm_spawn_gather, 1},
    {"sleepers", bm_sleepers, 2},
    {"after", bm_after, 1},
    {"timeout", bm_timeout, 1},
    {"hog", bm_hogs, 2},
    {NULL, NULL, 0},
};

static int (*bm_chosen)(bm_job *);

/* What a workload printed before it failed does not count: the runner reads only a status of 0. */
static int bm_main(void *arg)
{
    bm_job *job = arg;
    job->status = bm_chosen(job);
    if (job->status != BM_OK) {
        fflush(stdout);
        _exit(job->status); /* tasks and timers may be left over; their arguments end with us */
    }
    return 0;
}

static const bm_workload *bm_find(const bm_workload *table, const char *name)
{
    for (; table->name; table++)
        if (!strcmp(table->name, name))
            return table;
    return NULL;
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "version")) {
        printf("brigade " BM_VERSION ", " BM_COMPILER "\n");
        return 0;
    }
    const bm_workload *w = argc > 1 ? bm_find(bm_table, argv[1]) : NULL;
    if (!w && argc > 1)
        w = bm_find(bm_sync_workloads, argv[1]);
    if (!w)
        return bm_cannot("no such workload");
    bm_job job = {argc, argv, BM_FAILED};
    bm_chosen = w->run;
    unsigned workers = (unsigned)bm_arg(argc, argv, "workers", w->workers);
    /* spawn_gather keeps its tasks waiting while it spawns, which takes longer than the runtime
     * puts up with: a spare worker would run them meanwhile. */
    int spares = bm_chosen == bm_spawn_gather ? BG_NO_SPARES : 0;
    int rc = bg_run(bm_main, &job, .workers = workers, .spares = spares);
    return rc < 0 ? bm_fail(bg_strerror(rc)) : job.status;
}

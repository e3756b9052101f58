/*
 * brigade's side of what tasks do together: locks, groups, and the pool for blocking calls. Public
 * API only.
 */
#include "workloads.h"

/* ---- mutex --------------------------------------------------------------------------------- */

static bg_mutex bm_lock = BG_MUTEX_INIT;
static bm_guarded bm_under_lock = BM_GUARDED;
static int64_t bm_turns;

static int bm_mutex(bm_job *job)
{
    size_t n = bm_size(job, "count", 5000000);
    int failed = 0;
    int64_t start = bm_now();
    for (size_t i = 0; i < n; i++) {
        failed |= bg_mutex_lock(&bm_lock);
        failed |= bg_mutex_unlock(&bm_lock);
    }
    double ns = (double)(bm_now() - start);
    if (failed)
        return bm_fail("a lock or an unlock failed");
    bm_metric("pair_ns", ns / (double)n, "ns");
    return BM_OK;
}

static int bm_contender(void *arg)
{
    size_t me = (size_t)(uintptr_t)arg;
    for (int64_t i = 0; i < bm_turns; i++) {
        int rc = bg_mutex_lock(&bm_lock);
        if (rc < 0)
            return rc;
        bm_guarded_step(&bm_under_lock, me);
        bg_mutex_unlock(&bm_lock);
    }
    int rc = bg_mutex_lock(&bm_lock);
    if (rc < 0)
        return rc;
    bm_guarded_end(&bm_under_lock);
    return bg_mutex_unlock(&bm_lock);
}

static int bm_mutex_contended(bm_job *job)
{
    bg_task *tasks[BM_TASKS];
    int results[BM_TASKS];
    bm_turns = (int64_t)bm_size(job, "count", 1000000) / BM_TASKS;
    int64_t start = bm_now();
    for (size_t i = 0; i < BM_TASKS; i++)
        tasks[i] = bg_spawn(bm_contender, (void *)(uintptr_t)i);
    int rc = bg_gather_all(tasks, BM_TASKS, results);
    int64_t took = bm_now() - start;
    if (rc < 0)
        return bm_fail(bg_strerror(rc));
    return bm_guarded_report(&bm_under_lock, bm_turns, took);
}

/* ---- groups -------------------------------------------------------------------------------- */

static size_t bm_born; /* counted by the children of a runtime with one worker */

static int bm_child(void *arg)
{
    (void)arg;
    bm_born++;
    return 0;
}

static int bm_group(bm_job *job)
{
    enum { CHILDREN = 100 };
    size_t n = bm_size(job, "count", 500000) / CHILDREN;
    int failed = 0;
    int64_t start = bm_now();
    for (size_t i = 0; i < n; i++) {
        int rc = 0;
        bg_group (g, .result = &rc) {
            for (int c = 0; c < CHILDREN; c++)
                failed |= bg_group_spawn(&g, bm_child, NULL) < 0;
        }
        failed |= rc < 0;
    }
    double ns = (double)(bm_now() - start);
    if (failed || bm_born != n * CHILDREN)
        return bm_fail("not every child ran");
    bm_metric("each_ns", ns / (double)(n * CHILDREN), "ns");
    return BM_OK;
}

/* ---- the pool for blocking calls ----------------------------------------------------------- */

static int bm_call(void *arg)
{
    ++*(size_t *)arg;
    return 1;
}

static int bm_blocking(bm_job *job)
{
    size_t n = bm_size(job, "count", 20000), ran = 0;
    int64_t start = bm_now();
    for (size_t i = 0; i < n; i++)
        if (bg_blocking(bm_call, &ran) != 1)
            return bm_fail("a call failed");
    double ns = (double)(bm_now() - start);
    if (ran != n)
        return bm_fail("a call was lost");
    bm_metric("trip_ns", ns / (double)n, "ns");
    return BM_OK;
}

const bm_workload bm_sync_workloads[] = {
    {"mutex", bm_mutex, 1}, {"mutex_8", bm_mutex_contended, 2},
    {"group", bm_group, 1}, {"blocking", bm_blocking, 1},
    {NULL, NULL, 0},
};

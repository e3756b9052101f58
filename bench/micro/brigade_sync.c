/*
 * brigade's side of what tasks do together: groups, and the pool for blocking calls. Public API
 * only.
 */
#include "workloads.h"

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
    {"group", bm_group, 1},
    {"blocking", bm_blocking, 1},
    {NULL, NULL, 0},
};

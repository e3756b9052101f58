/*
 * libuv: callbacks on one loop, no coroutines. So it takes part where a callback is the whole of
 * the task: a sleeper and a later call are both a uv_timer_t in an array, and the array is part of
 * what is measured, since every user pays for it. Two workers are two loops in two threads.
 */
#include "../../micro/measure.h"

#include <pthread.h>
#include <uv.h>

static int64_t instant, *woke;
static size_t fired;

static void on_due(uv_timer_t *t)
{
    woke[(size_t)(uintptr_t)t->data] = bm_now() - instant;
    fired++;
}

static void on_never(uv_timer_t *t)
{
    (void)t;
    abort();
}

typedef struct {
    double base;
    size_t n;
    double bytes;
} sampling;

/* Runs once the loop has gone round with all timers in it. */
static void on_sample(uv_timer_t *t)
{
    sampling *s = t->data;
    s->bytes = bm_rss() - s->base;
}

static int waits(int argc, char **argv, int with_lateness)
{
    size_t n = (size_t)bm_arg(argc, argv, "count", 1000000);
    int64_t margin = bm_arg(argc, argv, "margin_ms", 1500);
    uv_loop_t loop;
    uv_timer_t sampler;
    uv_loop_init(&loop);
    woke = (int64_t *)bm_touched(n, sizeof *woke);
    sampling s = {bm_rss(), n, 0};
    int64_t start = bm_now();
    instant = start + margin * BM_MS;
    uv_timer_t *timers = malloc(n * sizeof *timers);
    if (!timers)
        return bm_fail("out of memory");
    for (size_t i = 0; i < n; i++) {
        if (i % 1024 == 0)
            uv_update_time(&loop);
        uv_timer_init(&loop, &timers[i]);
        timers[i].data = (void *)(uintptr_t)i;
        int64_t rest = (instant - bm_now() + BM_MS - 1) / BM_MS;
        if (rest < 60 || uv_timer_start(&timers[i], on_due, (uint64_t)rest, 0))
            return BM_MARGIN;
    }
    int64_t added = bm_now();
    uv_update_time(&loop);
    uv_timer_init(&loop, &sampler);
    sampler.data = &s;
    uv_timer_start(&sampler, on_sample, 5, 0);
    uv_run(&loop, UV_RUN_DEFAULT);
    if (fired != n)
        return bm_fail("a timer was lost");
    bm_metric("bytes_each", s.bytes / (double)n, "B");
    if (with_lateness) {
        bm_percentiles("late_", woke, n);
        bm_metric("asleep_ms", (double)(added - start) / 1e6, "ms");
    } else {
        bm_metric("add_ns", (double)(added - start) / (double)n, "ns");
    }
    bm_metric("count", (double)n, "timers");
    printf("note timers with callbacks on one loop, no tasks; the loop's clock counts whole ms\n");
    return BM_OK;
}

static size_t pairs, live;
static pthread_barrier_t gate;

static void *pairing(void *arg)
{
    uv_loop_t loop;
    uv_timer_t timer, *others = calloc(live + 1, sizeof *others);
    uv_loop_init(&loop);
    if (!others)
        abort();
    for (size_t i = 0; i < live; i++) {
        uv_timer_init(&loop, &others[i]);
        uv_timer_start(&others[i], on_never, (uint64_t)(bm_live_delay(i, live) / BM_MS), 0);
    }
    uv_timer_init(&loop, &timer);
    pthread_barrier_wait(&gate);
    int64_t start = bm_now();
    for (size_t i = 0; i < pairs; i++) {
        uv_timer_start(&timer, on_never, (uint64_t)(bm_pair_delay(i) / BM_MS), 0);
        uv_timer_stop(&timer);
    }
    *(double *)arg = (double)(bm_now() - start);
    return NULL;
}

static int timeout(int argc, char **argv)
{
    size_t workers = (size_t)bm_arg(argc, argv, "workers", 1);
    double took[64] = {0}, worst = 0;
    pthread_t threads[64];
    pairs = (size_t)bm_arg(argc, argv, "count", 2000000);
    live = (size_t)bm_arg(argc, argv, "live", 0);
    if (workers < 1 || workers > 64)
        return bm_fail("1 to 64 workers");
    pthread_barrier_init(&gate, NULL, (unsigned)workers);
    for (size_t i = 0; i < workers; i++)
        if (pthread_create(&threads[i], NULL, pairing, &took[i]))
            return bm_fail("a thread could not be made");
    for (size_t i = 0; i < workers; i++) {
        pthread_join(threads[i], NULL);
        worst = took[i] > worst ? took[i] : worst;
    }
    bm_metric("pair_ns", worst / (double)pairs, "ns");
    if (workers > 1)
        printf("note a loop and a heap of its own for each thread\n");
    return BM_OK;
}

/* ---- the pool ------------------------------------------------------------------------------ */

static size_t trips, trips_left;

static void in_pool(uv_work_t *w)
{
    *(size_t *)w->data += 1;
}

static void after_pool(uv_work_t *w, int status)
{
    if (status || (--trips_left && uv_queue_work(w->loop, w, in_pool, after_pool)))
        abort();
}

static int blocking(int argc, char **argv)
{
    uv_loop_t loop;
    uv_work_t work;
    size_t ran = 0;
    trips = trips_left = (size_t)bm_arg(argc, argv, "count", 20000);
    uv_loop_init(&loop);
    work.data = &ran;
    int64_t start = bm_now();
    if (uv_queue_work(&loop, &work, in_pool, after_pool))
        return bm_fail("the pool cannot be had");
    uv_run(&loop, UV_RUN_DEFAULT);
    if (ran != trips)
        return bm_fail("a call was lost");
    bm_metric("trip_ns", (double)(bm_now() - start) / (double)trips, "ns");
    return BM_OK;
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    if (!strcmp(what, "version")) {
        printf("libuv %s\n", uv_version_string());
        return BM_OK;
    }
    if (!strcmp(what, "sleepers"))
        return waits(argc, argv, 1);
    if (!strcmp(what, "after"))
        return waits(argc, argv, 0);
    if (!strcmp(what, "timeout"))
        return timeout(argc, argv);
    if (!strcmp(what, "blocking"))
        return blocking(argc, argv);
    return bm_cannot("libuv has callbacks, no tasks");
}

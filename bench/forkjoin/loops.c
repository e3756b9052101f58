/*
 * The driver's loops: reduce, loops of 1,000 items, grain1, uneven, scan. Arrays are touched before
 * what is timed, and all results are computed again afterwards, one item after another.
 */
#include "driver.h"

enum { FJ_LOOP = 1000 };

static int fj_wrong_item(size_t i, double got, double want)
{
    char text[128];
    snprintf(text, sizeof text, "item %zu is %.15g instead of %.15g", i, got, want);
    return bm_fail(text);
}

int fj_run_reduce(fj_job *job)
{
    size_t n = fj_items(job, 100000000, FJ_MOST_ITEMS);
    uint64_t want = 0;
    if (!n)
        return BM_FAILED;
    job->program->reduce(n / 16 + 1);
    fj_start(job);
    uint64_t got = job->program->reduce(n);
    fj_stop(job);
    for (size_t i = 0; i < n; i++)
        want += fj_item(i);
    return got == want ? fj_all_ms(job) : fj_wrong((double)got, (double)want);
}

/* Runs the loop so many times, and checks the bytes that it left. */
static int fj_loops(fj_job *job, void (*loop)(unsigned char *, size_t, long), size_t n, long times)
{
    unsigned char *out = bm_touched(n, 1);
    int status = BM_OK;
    loop(out, n, times / 16 + 1);
    memset(out, 0, n);
    fj_start(job);
    loop(out, n, times);
    fj_stop(job);
    for (size_t i = 0; i < n && status == BM_OK; i++)
        if (out[i] != fj_byte(i))
            status = fj_wrong_item(i, out[i], fj_byte(i));
    free(out);
    return status;
}

static int fj_small_loops(fj_job *job, void (*loop)(unsigned char *, size_t, long))
{
    long times = (long)fj_items(job, 100000, FJ_MOST_ITEMS);
    int status = times ? fj_loops(job, loop, FJ_LOOP, times) : BM_FAILED;
    if (status == BM_OK)
        bm_metric("loop_us", (double)job->took / (double)times / 1e3, "us");
    return status;
}

int fj_run_loop_task(fj_job *job)
{
    return fj_small_loops(job, job->program->loop);
}

int fj_run_loop_thread(fj_job *job)
{
    return fj_small_loops(job, job->program->loop_outside);
}

int fj_run_grain1(fj_job *job)
{
    size_t n = fj_items(job, 10000000, FJ_MOST_ITEMS);
    int status = n ? fj_loops(job, job->program->loop, n, 1) : BM_FAILED;
    return status == BM_OK ? fj_all_ms(job) : status;
}

int fj_run_uneven(fj_job *job)
{
    size_t n = fj_items(job, 20000, 1000000);
    if (!n)
        return BM_FAILED;
    unsigned char *out = bm_touched(n, 1);
    int status = BM_OK;
    job->program->uneven(out, n / 8 + 1);
    memset(out, 0, n);
    fj_start(job);
    job->program->uneven(out, n);
    fj_stop(job);
    for (size_t i = 0; i < n && status == BM_OK; i++)
        if (out[i] != fj_uneven_byte(i, n))
            status = fj_wrong_item(i, out[i], fj_uneven_byte(i, n));
    free(out);
    return status == BM_OK ? fj_all_ms(job) : status;
}

int fj_run_scan(fj_job *job)
{
    size_t n = fj_items(job, 10000000, FJ_MOST_ITEMS);
    if (!n)
        return BM_FAILED;
    int64_t *in = bm_touched(n, sizeof *in), *out = bm_touched(n, sizeof *out), want = 0;
    int status = BM_OK;
    for (size_t i = 0; i < n; i++)
        in[i] = (int64_t)fj_item(i) - (1 << 23);
    job->program->scan(in, out, n / 16 + 1);
    memset(out, 0, (n / 16 + 1) * sizeof *out);
    fj_start(job);
    job->program->scan(in, out, n);
    fj_stop(job);
    for (size_t i = 0; i < n && status == BM_OK; i++) {
        want += in[i];
        if (out[i] != want)
            status = fj_wrong_item(i, (double)out[i], (double)want);
    }
    free(in);
    free(out);
    return status == BM_OK ? fj_all_ms(job) : status;
}

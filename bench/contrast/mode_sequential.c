/*
 * One task after another. Where tasks wait, all of them would take N x W (10,000 waits of 100 ms:
 * 17 minutes), so as many are run as fit the budget and the outcome says that it is a sample. The
 * sample is spread evenly over the tasks, which are ordered by size, so that its files are neither
 * the large nor the small ones.
 */
#include "meter.h"
#include "modes.h"

static size_t sample_size(const struct run *run)
{
    if (!job_waits(run->kind) || run->wait_ns <= 0)
        return run->tasks;
    size_t fit = (size_t)(run->sequential_budget / run->wait_ns);
    if (fit < 2)
        fit = 2;
    return fit < run->tasks ? fit : run->tasks;
}

void mode_sequential(const struct run *run, struct outcome *out)
{
    size_t n = sample_size(run);
    struct meter m;
    meter_start(&m);
    for (size_t i = 0; i < n && out->error == 0; i++) {
        size_t spread = n == run->tasks ? i : (2 * i + 1) * run->tasks / (2 * n);
        out->error = work_task(run, spread, wait_thread);
    }
    out->tasks_done = bgi_load(&run->shared->done.value);
    meter_stop(&m, run, out);
    out->sample = n < run->tasks;
}

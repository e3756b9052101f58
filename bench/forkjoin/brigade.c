/*
 * brigade's side of the fork/join benchmarks: the typed forks of BG_TASK, through the public API.
 *
 * Forks are joined newest first. A function's forks are an array in its frame, so the stack holds
 * some 100 bytes for each: 8 of them a level in T3, which is 1,572 deep, and 2,000 at its root.
 * The tasks get 16 MiB of address space for that.
 */
#include "forkjoin.h"

#include <brigade.h>

static BG_TASK(long, fj_fib, (int, n))
{
    if (n < 2)
        return n;
    fj_fib_frame other;
    fj_fib_fork(&other, n - 1);
    long one = fj_fib(n - 2);
    return one + fj_fib_join(&other);
}

static BG_TASK(long, fj_queens, (int, n), (const fj_board *, board), (int, rows))
{
    if (rows == n)
        return 1;
    fj_board next[FJ_MOST_QUEENS];
    fj_queens_frame forks[FJ_MOST_QUEENS];
    long found = 0;
    int placed = 0;
    for (int column = 0; column < n; column++)
        if (fj_place(board, rows, column, &next[placed])) {
            fj_queens_fork(&forks[placed], n, &next[placed], rows + 1);
            placed++;
        }
    while (placed > 0)
        found += fj_queens_join(&forks[--placed]);
    return found;
}

static long fj_queens_of(int n)
{
    fj_board empty = {{0}};
    return fj_queens(n, &empty, 0);
}

static BG_TASK(long, fj_uts, (const fj_node *, node))
{
    long nodes = 1;
    int children = fj_children(node);
    if (children == 0)
        return nodes;
    fj_node child[children];
    fj_uts_frame forks[children];
    for (int i = 0; i < children; i++) {
        fj_child(node, i, &child[i]);
        fj_uts_fork(&forks[i], &child[i]);
    }
    for (int i = children; i-- > 0;)
        nodes += fj_uts_join(&forks[i]);
    return nodes;
}

static BG_TASK(double, fj_integrate, (double, a), (double, b), (double, at_a), (double, at_b),
               (double, area))
{
    fj_halves h = fj_halve(a, b, at_a, at_b, area);
    if (h.is_fine)
        return h.left + h.right;
    fj_integrate_frame left;
    fj_integrate_fork(&left, a, h.middle, at_a, h.value, h.left);
    double right = fj_integrate(h.middle, b, h.value, at_b, h.right);
    return fj_integrate_join(&left) + right;
}

static double fj_integral(double n)
{
    return fj_integrate(0, n, fj_value(0), fj_value(n), 0);
}

static int fj_empty(void *ran)
{
    ++*(long *)ran;
    return 0;
}

/* Not a fork: a task with a stack of its own, whether somebody else is idle or not. */
static long fj_spawn(long n)
{
    long ran = 0; /* by one task at a time: each is awaited */
    for (long i = 0; i < n; i++) {
        bg_task *task = bg_spawn(fj_empty, &ran);
        if (!task || bg_await(task) < 0)
            break;
    }
    return ran;
}

/* ---- loops and sorts: a failure shows in the result, which is checked ----------------------- */

static void fj_sum(size_t begin, size_t end, void *acc, void *ctx)
{
    uint64_t sum = 0;
    (void)ctx;
    for (size_t i = begin; i < end; i++)
        sum += fj_item(i);
    *(uint64_t *)acc += sum;
}

static void fj_add(void *into, const void *from, void *ctx)
{
    (void)ctx;
    *(uint64_t *)into += *(const uint64_t *)from;
}

static uint64_t fj_reduce(size_t n)
{
    uint64_t sum = 0;
    bg_parallel_reduce(0, n, &sum, sizeof sum, fj_sum, fj_add, NULL);
    return sum;
}

static void fj_bytes(size_t begin, size_t end, void *ctx)
{
    unsigned char *out = ctx;
    for (size_t i = begin; i < end; i++)
        out[i] = fj_byte(i);
}

static void fj_loop(unsigned char *out, size_t n, long times)
{
    for (; times > 0; times--)
        bg_parallel_for(0, n, fj_bytes, out);
}

static bg_runtime *fj_runtime; /* from outside: that which runs */

typedef struct {
    unsigned char *out;
    size_t n;
} fj_array;

static int fj_loop_once(void *arg)
{
    const fj_array *a = arg;
    return bg_parallel_for(0, a->n, fj_bytes, a->out);
}

static void fj_loop_outside(unsigned char *out, size_t n, long times)
{
    fj_array a = {out, n};
    for (; times > 0; times--)
        bg_runtime_wait(fj_runtime, bg_runtime_spawn(fj_runtime, fj_loop_once, &a));
}

static void fj_uneven_bytes(size_t begin, size_t end, void *ctx)
{
    const fj_array *a = ctx;
    for (size_t i = begin; i < end; i++)
        a->out[i] = fj_uneven_byte(i, a->n);
}

static void fj_uneven(unsigned char *out, size_t n)
{
    fj_array a = {out, n};
    bg_parallel_for(0, n, fj_uneven_bytes, &a);
}

typedef struct {
    const int64_t *in;
    int64_t *out;
} fj_prefixes;

static void fj_prefix(size_t begin, size_t end, void *acc, int final, void *ctx)
{
    const fj_prefixes *p = ctx;
    const int64_t *in = p->in;
    int64_t sum = *(int64_t *)acc, *out = p->out;
    if (final)
        for (size_t i = begin; i < end; i++)
            out[i] = sum += in[i];
    else
        for (size_t i = begin; i < end; i++)
            sum += in[i];
    *(int64_t *)acc = sum;
}

static void fj_scan(const int64_t *in, int64_t *out, size_t n)
{
    fj_prefixes p = {in, out};
    int64_t sum = 0;
    bg_parallel_scan(0, n, &sum, sizeof sum, fj_prefix, fj_add, &p);
}

static void fj_sort(uint64_t *v, size_t n)
{
    bg_parallel_sort(v, n, sizeof *v, fj_by_number_with, NULL);
}

static void fj_sort_strings(char **v, size_t n)
{
    bg_parallel_sort(v, n, sizeof *v, fj_by_text_with, NULL);
}

/* ---- main ---------------------------------------------------------------------------------- */

static const fj_program fj_brigade = {
    .fib = fj_fib,
    .queens = fj_queens_of,
    .uts = fj_uts,
    .integrate = fj_integral,
    .spawn = fj_spawn,
    .reduce = fj_reduce,
    .loop = fj_loop,
    .loop_outside = fj_loop_outside,
    .uneven = fj_uneven,
    .scan = fj_scan,
    .sort = fj_sort,
    .sort_strings = fj_sort_strings,
};

typedef struct {
    int argc;
    char **argv;
    int status;
} fj_main_job;

/* For bench/forkjoin/scaling: what the runtime has done since its start, once it is done. */
static void fj_counts(void)
{
    bg_stats s = {.size = sizeof s};
    if (bg_runtime_stats(NULL, &s) < 0)
        return;
    bm_metric("tasks", (double)s.tasks_spawned, "");
    bm_metric("steals", (double)s.steals, "");
    bm_metric("failed", (double)s.searches_failed, "");
    bm_metric("parks", (double)s.parks, "");
    bm_metric("spares", (double)s.spares_peak, "");
}

static int fj_main(void *arg)
{
    fj_main_job *job = arg;
    job->status = fj_run(job->argc, job->argv, &fj_brigade);
    if (job->status == BM_OK && bm_arg(job->argc, job->argv, "counts", 0))
        fj_counts();
    return 0;
}

static int fj_outside(int argc, char **argv)
{
    int rc = bg_runtime_create(&fj_runtime, .workers = (unsigned)fj_workers(argc, argv));
    if (rc < 0)
        return bm_fail(bg_strerror(rc));
    int status = fj_run(argc, argv, &fj_brigade);
    bg_runtime_shutdown(fj_runtime);
    return status;
}

int main(int argc, char **argv)
{
    fj_main_job job = {argc, argv, BM_FAILED};
    if (argc > 1 && !strcmp(argv[1], "version")) {
        printf("brigade " FJ_VERSION ", " FJ_COMPILER "\n");
        return 0;
    }
    if (fj_from_outside(argc, argv))
        return fj_outside(argc, argv);
    int rc = bg_run(fj_main, &job, .workers = (unsigned)fj_workers(argc, argv),
                    .stack_size = (size_t)16 << 20);
    return rc < 0 ? bm_fail(bg_strerror(rc)) : job.status;
}

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

typedef struct {
    int argc;
    char **argv;
    int status;
} fj_main_job;

static int fj_main(void *arg)
{
    static const fj_program program = {fj_fib, fj_queens_of, fj_uts, fj_integral, fj_spawn, 0};
    fj_main_job *job = arg;
    job->status = fj_run(job->argc, job->argv, &program);
    return 0;
}

int main(int argc, char **argv)
{
    fj_main_job job = {argc, argv, BM_FAILED};
    if (argc > 1 && !strcmp(argv[1], "version")) {
        printf("brigade " FJ_VERSION ", " FJ_COMPILER "\n");
        return 0;
    }
    int rc = bg_run(fj_main, &job, .workers = (unsigned)fj_workers(argc, argv),
                    .stack_size = (size_t)16 << 20);
    return rc < 0 ? bm_fail(bg_strerror(rc)) : job.status;
}

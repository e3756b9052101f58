/*
 * Taskflow (4.0 or newer): a TaskGroup for each function that forks, as in its documentation.
 * UTS T3 overflows the 8 MiB that a worker's stack has: a worker that waits begins other tasks.
 */
#include "../../forkjoin/forkjoin.h"

#include <alloca.h>
#include <taskflow/taskflow.hpp>

static tf::Executor *executor;

static long fib(int n)
{
    if (n < 2)
        return n;
    long other;
    tf::TaskGroup group = executor->task_group();
    group.silent_async([&other, n] { other = fib(n - 1); });
    long one = fib(n - 2);
    group.corun();
    return one + other;
}

static long queens(int n, const fj_board *board, int rows)
{
    if (rows == n)
        return 1;
    fj_board next[FJ_MOST_QUEENS];
    long found[FJ_MOST_QUEENS], sum = 0;
    int placed = 0;
    tf::TaskGroup group = executor->task_group();
    for (int column = 0; column < n; column++)
        if (fj_place(board, rows, column, &next[placed])) {
            group.silent_async(
                [n, rows, b = &next[placed], f = &found[placed]] { *f = queens(n, b, rows + 1); });
            placed++;
        }
    group.corun();
    for (int i = 0; i < placed; i++)
        sum += found[i];
    return sum;
}

static long uts(const fj_node *node)
{
    int children = fj_children(node);
    if (children == 0)
        return 1;
    auto *child = static_cast<fj_node *>(alloca(size_t(children) * sizeof(fj_node)));
    auto *nodes = static_cast<long *>(alloca(size_t(children) * sizeof(long)));
    long sum = 1;
    tf::TaskGroup group = executor->task_group();
    for (int i = 0; i < children; i++) {
        fj_child(node, i, &child[i]);
        group.silent_async([c = &child[i], n = &nodes[i]] { *n = uts(c); });
    }
    group.corun();
    for (int i = 0; i < children; i++)
        sum += nodes[i];
    return sum;
}

static double integrate(double a, double b, double at_a, double at_b, double area)
{
    fj_halves h = fj_halve(a, b, at_a, at_b, area);
    if (h.is_fine)
        return h.left + h.right;
    double left;
    tf::TaskGroup group = executor->task_group();
    group.silent_async(
        [&left, a, at_a, h] { left = integrate(a, h.middle, at_a, h.value, h.left); });
    double right = integrate(h.middle, b, h.value, at_b, h.right);
    group.corun();
    return left + right;
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "version")) {
        printf("Taskflow %s\n", tf::version());
        return 0;
    }
    tf::Executor own(size_t(fj_workers(argc, argv)));
    executor = &own;
    fj_program program = {};
    program.fib = fib;
    program.queens = [](int n) {
        fj_board empty = {};
        return queens(n, &empty, 0);
    };
    program.uts = uts;
    program.integrate = [](double n) { return integrate(0, n, fj_value(0), fj_value(n), 0); };
    /* The whole measurement is in a worker: only there may groups be made. */
    return own.async([&] { return fj_run(argc, argv, &program); }).get();
}

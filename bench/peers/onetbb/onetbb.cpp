/*
 * oneTBB: a task_group for each function that forks, and an arena of as many workers as asked for.
 */
#include "../../forkjoin/forkjoin.h"

#include <alloca.h>
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_group.h>
#include <oneapi/tbb/version.h>

static long fib(int n)
{
    if (n < 2)
        return n;
    long other;
    tbb::task_group group;
    group.run([&other, n] { other = fib(n - 1); });
    long one = fib(n - 2);
    group.wait();
    return one + other;
}

static long queens(int n, const fj_board *board, int rows)
{
    if (rows == n)
        return 1;
    fj_board next[FJ_MOST_QUEENS];
    long found[FJ_MOST_QUEENS], sum = 0;
    int placed = 0;
    tbb::task_group group;
    for (int column = 0; column < n; column++)
        if (fj_place(board, rows, column, &next[placed])) {
            group.run(
                [n, rows, b = &next[placed], f = &found[placed]] { *f = queens(n, b, rows + 1); });
            placed++;
        }
    group.wait();
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
    tbb::task_group group;
    for (int i = 0; i < children; i++) {
        fj_child(node, i, &child[i]);
        group.run([c = &child[i], n = &nodes[i]] { *n = uts(c); });
    }
    group.wait();
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
    tbb::task_group group;
    group.run([&left, a, at_a, h] { left = integrate(a, h.middle, at_a, h.value, h.left); });
    double right = integrate(h.middle, b, h.value, at_b, h.right);
    group.wait();
    return left + right;
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "version")) {
        printf("oneTBB %s\n", TBB_runtime_version());
        return 0;
    }
    int workers = fj_workers(argc, argv);
    tbb::global_control control(tbb::global_control::max_allowed_parallelism, size_t(workers));
    tbb::task_arena arena(workers);
    fj_program program = {};
    program.fib = fib;
    program.queens = [](int n) {
        fj_board empty = {};
        return queens(n, &empty, 0);
    };
    program.uts = uts;
    program.integrate = [](double n) { return integrate(0, n, fj_value(0), fj_value(n), 0); };
    return arena.execute([&] { return fj_run(argc, argv, &program); });
}

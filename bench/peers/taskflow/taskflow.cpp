/*
 * Taskflow (4.0 or newer): a TaskGroup for each function that forks, as in its documentation.
 * UTS T3 overflows the 8 MiB that a worker's stack has: a worker that waits begins other tasks.
 *
 * Loops are a graph of one algorithm, with the partitioner that is the default. A graph is made for
 * each call of ours; that of the small loops is run again and again. loop_thread is
 * Executor::run, from the main thread, and a wait for that; loop_task is Executor::corun, in a
 * worker. Sorts compare by an inlined function.
 */
#include "../../forkjoin/forkjoin.h"

#include <alloca.h>
#include <taskflow/algorithm/for_each.hpp>
#include <taskflow/algorithm/reduce.hpp>
#include <taskflow/algorithm/scan.hpp>
#include <taskflow/algorithm/sort.hpp>
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

using range = tf::IndexRange<size_t>;

static uint64_t reduce(size_t n)
{
    tf::Taskflow graph;
    uint64_t result = 0;
    graph.reduce_by_index(
        range(0, n, 1), result,
        [](const range &r, std::optional<uint64_t> before) {
            uint64_t sum = before.value_or(0);
            for (size_t i = r.begin(); i < r.end(); i += r.step_size())
                sum += fj_item(i);
            return sum;
        },
        [](uint64_t a, uint64_t b) { return a + b; });
    executor->corun(graph);
    return result;
}

static void make_loop(tf::Taskflow *graph, unsigned char *out, size_t n)
{
    graph->for_each_by_index(range(0, n, 1), [out](const range &r) {
        for (size_t i = r.begin(); i < r.end(); i += r.step_size())
            out[i] = fj_byte(i);
    });
}

static void loop(unsigned char *out, size_t n, long times)
{
    tf::Taskflow graph;
    make_loop(&graph, out, n);
    for (; times > 0; times--)
        executor->corun(graph);
}

static void loop_outside(unsigned char *out, size_t n, long times)
{
    tf::Taskflow graph;
    make_loop(&graph, out, n);
    for (; times > 0; times--)
        executor->run(graph).wait();
}

static void uneven(unsigned char *out, size_t n)
{
    tf::Taskflow graph;
    graph.for_each_by_index(range(0, n, 1), [out, n](const range &r) {
        for (size_t i = r.begin(); i < r.end(); i += r.step_size())
            out[i] = fj_uneven_byte(i, n);
    });
    executor->corun(graph);
}

static void scan(const int64_t *in, int64_t *out, size_t n)
{
    tf::Taskflow graph;
    graph.inclusive_scan(in, in + n, out, [](int64_t a, int64_t b) { return a + b; });
    executor->corun(graph);
}

static void sort(uint64_t *v, size_t n)
{
    tf::Taskflow graph;
    graph.sort(v, v + n);
    executor->corun(graph);
}

static void sort_strings(char **v, size_t n)
{
    tf::Taskflow graph;
    graph.sort(v, v + n, [](const char *a, const char *b) { return strcmp(a, b) < 0; });
    executor->corun(graph);
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
    program.reduce = reduce;
    program.loop = loop;
    program.loop_outside = loop_outside;
    program.uneven = uneven;
    program.scan = scan;
    program.sort = sort;
    program.sort_strings = sort_strings;
    if (fj_from_outside(argc, argv))
        return fj_run(argc, argv, &program);
    /* The whole measurement is in a worker: only there may groups be made. */
    return own.async([&] { return fj_run(argc, argv, &program); }).get();
}

/*
 * oneTBB: a task_group for each function that forks, and an arena of as many workers as asked for.
 * Loops have what it does by default, an auto_partitioner. loop_thread is a parallel_for of the
 * main thread, which takes part in it; loop_task the same inside the arena.
 *
 * Sorts by an inlined comparison; with compare=function by the function that brigade and qsort
 * call, through a pointer; with compare=std it is std::sort, inlined, that sorts.
 */
#include "../../forkjoin/forkjoin.h"

#include <algorithm>
#include <alloca.h>
#include <oneapi/tbb/blocked_range.h>
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/parallel_reduce.h>
#include <oneapi/tbb/parallel_scan.h>
#include <oneapi/tbb/parallel_sort.h>
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

using range = tbb::blocked_range<size_t>;

static uint64_t reduce(size_t n)
{
    return tbb::parallel_reduce(
        range(0, n), uint64_t(0),
        [](const range &r, uint64_t sum) {
            for (size_t i = r.begin(); i < r.end(); i++)
                sum += fj_item(i);
            return sum;
        },
        [](uint64_t a, uint64_t b) { return a + b; });
}

static void loop(unsigned char *out, size_t n, long times)
{
    for (; times > 0; times--)
        tbb::parallel_for(range(0, n), [out](const range &r) {
            for (size_t i = r.begin(); i < r.end(); i++)
                out[i] = fj_byte(i);
        });
}

static void uneven(unsigned char *out, size_t n)
{
    tbb::parallel_for(range(0, n), [out, n](const range &r) {
        for (size_t i = r.begin(); i < r.end(); i++)
            out[i] = fj_uneven_byte(i, n);
    });
}

static void scan(const int64_t *in, int64_t *out, size_t n)
{
    tbb::parallel_scan(
        range(0, n), int64_t(0),
        [in, out](const range &r, int64_t sum, bool is_final) {
            for (size_t i = r.begin(); i < r.end(); i++) {
                sum += in[i];
                if (is_final)
                    out[i] = sum;
            }
            return sum;
        },
        [](int64_t a, int64_t b) { return a + b; });
}

static bool text_before(const char *a, const char *b)
{
    return strcmp(a, b) < 0;
}

using comparison = int (*)(const void *, const void *);

/* Read at run time, so that no compiler knows which function is called. */
static comparison volatile by_number = fj_by_number, by_text = fj_by_text;

template <class T> static void sort_by(comparison compare, T *v, size_t n)
{
    tbb::parallel_sort(v, v + n, [compare](const T &a, const T &b) { return compare(&a, &b) < 0; });
}

static void choose_sorts(fj_program *program, int argc, char **argv)
{
    const char *how = "";
    for (int i = 2; i < argc; i++)
        if (!strncmp(argv[i], "compare=", 8))
            how = argv[i] + 8;
    if (!strcmp(how, "function")) {
        program->sort = [](uint64_t *v, size_t n) { sort_by(by_number, v, n); };
        program->sort_strings = [](char **v, size_t n) { sort_by(by_text, v, n); };
    } else if (!strcmp(how, "std")) {
        program->sort = [](uint64_t *v, size_t n) { std::sort(v, v + n); };
        program->sort_strings = [](char **v, size_t n) {
            std::sort(v, v + n, [](const char *a, const char *b) { return text_before(a, b); });
        };
    } else {
        program->sort = [](uint64_t *v, size_t n) { tbb::parallel_sort(v, v + n); };
        program->sort_strings = [](char **v, size_t n) {
            tbb::parallel_sort(v, v + n,
                               [](const char *a, const char *b) { return text_before(a, b); });
        };
    }
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
    program.reduce = reduce;
    program.loop = program.loop_outside = loop;
    program.uneven = uneven;
    program.scan = scan;
    choose_sorts(&program, argc, argv);
    if (fj_from_outside(argc, argv))
        return fj_run(argc, argv, &program);
    return arena.execute([&] { return fj_run(argc, argv, &program); });
}

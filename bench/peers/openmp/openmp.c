/*
 * OpenMP tasks, by gcc and its libgomp or by clang and its libomp. Each algorithm is one parallel
 * region, in which one thread begins and the others take tasks. Every fork is a task: no cutoff, no
 * `if` clause.
 *
 * Loops are a parallel for with the schedule that is the default, static; loop_task alone is a
 * taskloop, of tasks inside one region. There is no sort.
 */
#include "../../forkjoin/forkjoin.h"

#include <omp.h>

/* Runs the statement in one task of a parallel region. */
#define IN_PARALLEL(statement)                                                                     \
    do {                                                                                           \
        _Pragma("omp parallel") _Pragma("omp single")                                              \
        {                                                                                          \
            statement;                                                                             \
        }                                                                                          \
    } while (0)

static long fib(int n)
{
    if (n < 2)
        return n;
    long other;
#pragma omp task shared(other) firstprivate(n)
    other = fib(n - 1);
    long one = fib(n - 2);
#pragma omp taskwait
    return one + other;
}

static long fib_of(int n)
{
    long result = 0;
    IN_PARALLEL(result = fib(n));
    return result;
}

static long queens(int n, const fj_board *board, int rows)
{
    if (rows == n)
        return 1;
    fj_board next[FJ_MOST_QUEENS];
    long found[FJ_MOST_QUEENS], sum = 0;
    int placed = 0;
    for (int column = 0; column < n; column++)
        if (fj_place(board, rows, column, &next[placed])) {
            const fj_board *b = &next[placed];
            long *f = &found[placed++];
#pragma omp task firstprivate(n, b, f, rows)
            *f = queens(n, b, rows + 1);
        }
#pragma omp taskwait
    for (int i = 0; i < placed; i++)
        sum += found[i];
    return sum;
}

static long queens_of(int n)
{
    fj_board empty = {{0}};
    long result = 0;
    IN_PARALLEL(result = queens(n, &empty, 0));
    return result;
}

static long uts(const fj_node *node)
{
    int children = fj_children(node);
    if (children == 0)
        return 1;
    fj_node child[children];
    long nodes[children], sum = 1;
    for (int i = 0; i < children; i++) {
        fj_child(node, i, &child[i]);
        const fj_node *c = &child[i];
        long *n = &nodes[i];
#pragma omp task firstprivate(c, n)
        *n = uts(c);
    }
#pragma omp taskwait
    for (int i = 0; i < children; i++)
        sum += nodes[i];
    return sum;
}

static long uts_of(const fj_node *root)
{
    long result = 0;
    IN_PARALLEL(result = uts(root));
    return result;
}

static double integrate(double a, double b, double at_a, double at_b, double area)
{
    fj_halves h = fj_halve(a, b, at_a, at_b, area);
    if (h.is_fine)
        return h.left + h.right;
    double left;
#pragma omp task shared(left) firstprivate(a, at_a, h)
    left = integrate(a, h.middle, at_a, h.value, h.left);
    double right = integrate(h.middle, b, h.value, at_b, h.right);
#pragma omp taskwait
    return left + right;
}

static double integral(double n)
{
    double result = 0;
    IN_PARALLEL(result = integrate(0, n, fj_value(0), fj_value(n), 0));
    return result;
}

static uint64_t reduce(size_t n)
{
    uint64_t sum = 0;
#pragma omp parallel for reduction(+ : sum)
    for (size_t i = 0; i < n; i++)
        sum += fj_item(i);
    return sum;
}

static void taskloops(unsigned char *out, size_t n, long times)
{
    for (; times > 0; times--) {
#pragma omp taskloop
        for (size_t i = 0; i < n; i++)
            out[i] = fj_byte(i);
    }
}

static void loop_in_task(unsigned char *out, size_t n, long times)
{
    IN_PARALLEL(taskloops(out, n, times));
}

static void loop(unsigned char *out, size_t n, long times)
{
    for (; times > 0; times--) {
#pragma omp parallel for
        for (size_t i = 0; i < n; i++)
            out[i] = fj_byte(i);
    }
}

static void uneven(unsigned char *out, size_t n)
{
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < n; i++)
        out[i] = fj_uneven_byte(i, n);
}

static void scan(const int64_t *in, int64_t *out, size_t n)
{
    int64_t sum = 0;
#pragma omp parallel for reduction(inscan, + : sum)
    for (size_t i = 0; i < n; i++) {
        sum += in[i];
#pragma omp scan inclusive(sum)
        out[i] = sum;
    }
}

int main(int argc, char **argv)
{
    fj_program program = {
        .fib = fib_of,
        .queens = queens_of,
        .uts = uts_of,
        .integrate = integral,
        .reduce = reduce,
        .loop = loop, /* grain1 */
        .loop_outside = loop,
        .uneven = uneven,
        .scan = scan,
    };
    if (argc > 1 && !strcmp(argv[1], "loop_task"))
        program.loop = loop_in_task;
    if (argc > 1 && !strcmp(argv[1], "version")) {
#ifdef __clang__
        printf("OpenMP of clang " __clang_version__ "\n");
#else
        printf("OpenMP of gcc " __VERSION__ "\n");
#endif
        return 0;
    }
    omp_set_dynamic(0);
    omp_set_num_threads(fj_workers(argc, argv));
    return fj_run(argc, argv, &program);
}

/*
 * OpenMP tasks, by gcc and its libgomp or by clang and its libomp. Each algorithm is one parallel
 * region, in which one thread begins and the others take tasks. Every fork is a task: no cutoff, no
 * `if` clause.
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

int main(int argc, char **argv)
{
    static const fj_program program = {fib_of, queens_of, uts_of, integral, NULL, 0};
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

/* The same algorithms in plain C, without any runtime: what the others' figures are ratios of. */
#include "forkjoin.h"

static long fj_fib(int n)
{
    return n < 2 ? n : fj_fib(n - 1) + fj_fib(n - 2);
}

static long fj_queens(int n, const fj_board *board, int rows)
{
    long found = 0;
    if (rows == n)
        return 1;
    for (int column = 0; column < n; column++) {
        fj_board next;
        if (fj_place(board, rows, column, &next))
            found += fj_queens(n, &next, rows + 1);
    }
    return found;
}

static long fj_queens_of(int n)
{
    return fj_queens(n, &(fj_board){{0}}, 0);
}

static long fj_uts(const fj_node *node)
{
    long nodes = 1;
    int children = fj_children(node);
    for (int i = 0; i < children; i++) {
        fj_node child;
        fj_child(node, i, &child);
        nodes += fj_uts(&child);
    }
    return nodes;
}

static double fj_integrate(double a, double b, double at_a, double at_b, double area)
{
    fj_halves h = fj_halve(a, b, at_a, at_b, area);
    if (h.is_fine)
        return h.left + h.right;
    return fj_integrate(a, h.middle, at_a, h.value, h.left) +
           fj_integrate(h.middle, b, h.value, at_b, h.right);
}

static double fj_integral(double n)
{
    return fj_integrate(0, n, fj_value(0), fj_value(n), 0);
}

int main(int argc, char **argv)
{
    static const fj_program program = {fj_fib,      fj_queens_of, fj_uts,
                                       fj_integral, NULL,         .is_serial = 1};
    if (argc > 1 && !strcmp(argv[1], "version")) {
        printf("no runtime, " FJ_COMPILER "\n");
        return 0;
    }
    return fj_run(argc, argv, &program);
}

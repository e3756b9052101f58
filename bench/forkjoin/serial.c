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

static uint64_t fj_reduce(size_t n)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += fj_item(i);
    return sum;
}

static void fj_loop(unsigned char *out, size_t n, long times)
{
    for (; times > 0; times--) {
        for (size_t i = 0; i < n; i++)
            out[i] = fj_byte(i);
        __asm__ volatile("" : : "r"(out) : "memory");
    }
}

static void fj_uneven(unsigned char *out, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = fj_uneven_byte(i, n);
}

static void fj_scan(const int64_t *in, int64_t *out, size_t n)
{
    int64_t sum = 0;
    for (size_t i = 0; i < n; i++)
        out[i] = sum += in[i];
}

static void fj_sort(uint64_t *v, size_t n)
{
    qsort(v, n, sizeof *v, fj_by_number);
}

static void fj_sort_strings(char **v, size_t n)
{
    qsort(v, n, sizeof *v, fj_by_text);
}

int main(int argc, char **argv)
{
    static const fj_program program = {
        .fib = fj_fib,
        .queens = fj_queens_of,
        .uts = fj_uts,
        .integrate = fj_integral,
        .is_serial = 1,
        .reduce = fj_reduce,
        .loop = fj_loop,
        .loop_outside = fj_loop,
        .uneven = fj_uneven,
        .scan = fj_scan,
        .sort = fj_sort,
        .sort_strings = fj_sort_strings,
    };
    if (argc > 1 && !strcmp(argv[1], "version")) {
        printf("no runtime, " FJ_COMPILER "\n");
        return 0;
    }
    return fj_run(argc, argv, &program);
}

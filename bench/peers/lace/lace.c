/*
 * Lace 1.4 or newer, with its own typed tasks: all are spawned, the newest is synced first. Its
 * workers never sleep: they spin while there is nothing to do.
 */
#include "../../forkjoin/forkjoin.h"

#include "lace.h"

TASK_1(long, fib, int, n)
{
    if (n < 2)
        return n;
    SPAWN(fib, n - 1);
    long one = CALL(fib, n - 2);
    return one + SYNC(fib);
}

TASK_3(long, queens, int, n, const fj_board *, board, int, rows)
{
    if (rows == n)
        return 1;
    fj_board next[FJ_MOST_QUEENS];
    long found = 0;
    int placed = 0;
    for (int column = 0; column < n; column++)
        if (fj_place(board, rows, column, &next[placed])) {
            SPAWN(queens, n, &next[placed], rows + 1);
            placed++;
        }
    while (placed-- > 0)
        found += SYNC(queens);
    return found;
}

TASK_1(long, uts, const fj_node *, node)
{
    int children = fj_children(node);
    if (children == 0)
        return 1;
    fj_node child[children];
    long nodes = 1;
    for (int i = 0; i < children; i++) {
        fj_child(node, i, &child[i]);
        SPAWN(uts, &child[i]);
    }
    for (int i = 0; i < children; i++)
        nodes += SYNC(uts);
    return nodes;
}

TASK_5(double, integrate, double, a, double, b, double, at_a, double, at_b, double, area)
{
    fj_halves h = fj_halve(a, b, at_a, at_b, area);
    if (h.is_fine)
        return h.left + h.right;
    SPAWN(integrate, a, h.middle, at_a, h.value, h.left);
    double right = CALL(integrate, h.middle, b, h.value, at_b, h.right);
    return SYNC(integrate) + right;
}

/* In a worker, RUN is a call: the whole measurement is one task. */
static long fib_of(int n)
{
    return RUN(fib, n);
}

static long queens_of(int n)
{
    fj_board empty = {{0}};
    return RUN(queens, n, &empty, 0);
}

static long uts_of(const fj_node *root)
{
    return RUN(uts, root);
}

static double integral(double n)
{
    return RUN(integrate, 0, n, fj_value(0), fj_value(n), 0);
}

TASK_2(int, measure, int, argc, char **, argv)
{
    static const fj_program program = {
        .fib = fib_of, .queens = queens_of, .uts = uts_of, .integrate = integral};
    return fj_run(argc, argv, &program);
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "version")) {
        printf("Lace " LACE_VERSION ", gcc " __VERSION__ "\n");
        return 0;
    }
    lace_start((unsigned)fj_workers(argc, argv), 100000);
    int status = RUN(measure, argc, argv);
    lace_stop();
    return status;
}

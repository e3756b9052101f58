/*
 * What the programs of the fork/join benchmarks share, in C, C++ and, by their C interface, others.
 *
 * Each program writes the same four algorithms as one does in its runtime, and gives them to
 * fj_run, which warms up, times, checks the result against the published number, and prints what
 * the runner reads (the protocol is that of ../micro/measure.h). All that is not fork and join is
 * here or in work.c, the same machine code for all but what gets inlined.
 *
 *   fib        fib(n - 1) forked, fib(n - 2) called, both added up; no cutoff
 *   queens     a fork for each square of the next row that no queen so far attacks
 *   uts        a fork for each child; the tree is made as one goes: a node's state is the SHA-1 of
 *              its parent's and its own number, and says how many children it has (Olivier et al.,
 *              "UTS: an unbalanced tree search benchmark", 2006; the trees T1 and T3)
 *   integrate  x^3 + x from 0 to n by trapezoids: the left half forked, the right half called,
 * until halving changes the area by less than FJ_EPSILON
 */
#ifndef FJ_FORKJOIN_H
#define FJ_FORKJOIN_H

#include "../micro/measure.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { FJ_MOST_QUEENS = 16 };

#define FJ_EPSILON 1e-9

typedef struct {
    unsigned char state[20];
    int height;
} fj_node;

/* Queens of the first rows: their columns. */
typedef struct {
    signed char column[FJ_MOST_QUEENS];
} fj_board;

/* An algorithm that is NULL is none of this program's. The functions may assume that they are
 * called one after another, with workers= as said. */
typedef struct {
    long (*fib)(int n);
    long (*queens)(int n);
    long (*uts)(const fj_node *root); /* how many nodes */
    double (*integrate)(double n);
    long (*spawn)(long n); /* n empty tasks, each with a stack, one after another; how many ran */
    int is_serial;         /* its memory is not worth a line */
} fj_program;

/* What argv asks for; the exit status. */
int fj_run(int argc, char **argv, const fj_program *program);

static inline int fj_workers(int argc, char **argv)
{
    int64_t n = bm_arg(argc, argv, "workers", 1);
    return n < 1 ? 1 : n > 64 ? 64 : (int)n;
}

/* The tree that fj_run has chosen. The root of T3 has 2,000 children, all others 100 at most. */
int fj_children(const fj_node *node);
void fj_child(const fj_node *parent, int number, fj_node *child);

/* Puts a queen into the row after `rows` others, unless one of them attacks it. */
static inline int fj_place(const fj_board *board, int rows, int column, fj_board *next)
{
    for (int row = 0; row < rows; row++) {
        int away = board->column[row] - column;
        if (away == 0 || away == rows - row || away == row - rows)
            return 0;
    }
    *next = *board;
    next->column[rows] = (signed char)column;
    return 1;
}

/* The function that is integrated, and one step: an interval, its ends' values and its area. */
static inline double fj_value(double x)
{
    return (x * x + 1) * x;
}

typedef struct {
    double middle, value; /* where it is halved, and the function there */
    double left, right;   /* areas of the halves */
    int is_fine;
} fj_halves;

static inline fj_halves fj_halve(double a, double b, double at_a, double at_b, double area)
{
    fj_halves h;
    double half = (b - a) / 2;
    h.middle = a + half;
    h.value = fj_value(h.middle);
    h.left = (at_a + h.value) * half / 2;
    h.right = (h.value + at_b) * half / 2;
    double change = h.left + h.right - area;
    h.is_fine = change < FJ_EPSILON && change > -FJ_EPSILON;
    return h;
}

#ifdef __cplusplus
}
#endif

#endif

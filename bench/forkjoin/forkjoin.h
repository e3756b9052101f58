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
 *              until halving changes the area by less than FJ_EPSILON
 *   reduce     the sum of n computed items: a multiplication, a shift and an exclusive or each.
 *              Nothing is read, so memory does not limit it; an empty asm statement keeps every
 *              compiler from doing several at a time
 *   loop_task, loop_thread
 *              many loops one after another, of 1,000 such items, each stored as a byte; begun in
 *              a task, or by a thread that is none of the runtime's
 *   grain1     one such loop of n items, with whatever a runtime does by itself about its parts
 *   uneven     a loop whose first half is cheap; in the second half, cost grows from 1 to n / 2
 *   scan       out[i] = in[0] + ... + in[i]
 *   sort, sort_strings
 *              random 64-bit numbers; strings of 4 to 35 letters, by strcmp. brigade, qsort and
 *              onetbb_function call the same function through a pointer for each comparison; for
 *              the others the comparison is inlined, as one writes it there
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
    uint64_t (*reduce)(size_t n);
    void (*loop)(unsigned char *out, size_t n, long times);         /* from a task */
    void (*loop_outside)(unsigned char *out, size_t n, long times); /* from a plain thread */
    void (*uneven)(unsigned char *out, size_t n);
    void (*scan)(const int64_t *in, int64_t *out, size_t n);
    void (*sort)(uint64_t *v, size_t n);
    void (*sort_strings)(char **v, size_t n);
} fj_program;

/* What argv asks for; the exit status. */
int fj_run(int argc, char **argv, const fj_program *program);

/* Is fj_run to be called by a plain thread, not in a task? */
int fj_from_outside(int argc, char **argv);

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

/* ---- loops and sorts ----------------------------------------------------------------------- */

/* Item i of the loops, below 2^24. */
static inline uint64_t fj_item(size_t i)
{
    uint64_t x = (uint64_t)i * UINT64_C(0x9e3779b97f4a7c15);
    x ^= x >> 32;
    __asm__("" : "+r"(x));
    return x >> 40;
}

static inline unsigned char fj_byte(size_t i)
{
    return (unsigned char)fj_item(i);
}

static inline unsigned char fj_uneven_byte(size_t i, size_t n)
{
    return (unsigned char)(bm_steps(i + 1, i < n / 2 ? 1 : (int64_t)(i - n / 2) + 1) >> 56);
}

/* As qsort wants it, and with a context; never inlined. */
int fj_by_number(const void *a, const void *b);
int fj_by_number_with(const void *a, const void *b, void *ctx);
int fj_by_text(const void *a, const void *b);
int fj_by_text_with(const void *a, const void *b, void *ctx);

#ifdef __cplusplus
}
#endif

#endif

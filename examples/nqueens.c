/*
 * In how many ways n queens fit on a board of n by n, none attacking another.
 *
 *     nqueens [N]
 *
 * A queen goes into each row in turn, and each square that is safe is a fork: another core may look
 * at what follows from it. There is no cutoff below which the program stops forking. A fork that no
 * idle core asks for costs little more than a call, and is run as one when it is joined.
 */
#include <brigade.h>
#include <stdio.h>
#include <stdlib.h>

enum { USUAL = 10, MOST = 16 };

static unsigned board; /* a bit for each column */

/* The bits are columns of the next row: taken by a queen above, or by one along a diagonal. */
static BG_TASK(long, place, (unsigned, taken), (unsigned, left), (unsigned, right))
{
    place_frame forks[MOST];
    int n = 0;
    long ways = 0;

    if (taken == board) {
        return 1;
    }
    unsigned safe = board & ~(taken | left | right);
    while (safe != 0) {
        unsigned square = safe & (0U - safe); /* the lowest bit */
        safe ^= square;
        place_fork(&forks[n++], taken | square, (left | square) << 1, (right | square) >> 1);
    }
    while (n > 0) { /* the newest first */
        ways += place_join(&forks[--n]);
    }
    return ways;
}

static int queens(void *ways)
{
    *(long *)ways = place(0, 0, 0);
    return 0;
}

int main(int argc, char *argv[])
{
    long n = USUAL, ways = 0;
    char *end = "";

    if (argc > 1) {
        n = strtol(argv[1], &end, 10);
    }
    if (argc > 2 || *end != '\0' || n < 1 || n > MOST) {
        (void)fprintf(stderr, "usage: nqueens [N, 1 to %d]\n", MOST);
        return 2;
    }
    board = (1U << n) - 1;
    int rc = bg_run(queens, &ways);
    if (rc < 0) {
        (void)fprintf(stderr, "nqueens: %s\n", bg_strerror(rc));
        return 1;
    }
    printf("%ld queens: %ld ways\n", n, ways);
    return 0;
}

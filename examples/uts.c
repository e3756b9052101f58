/*
 * Searches a tree that nobody knows before it is searched, and whose branches are of very different
 * size: what work stealing is for.
 *
 *     uts [DEPTH [SEED]]
 *
 * A node is a number; its children are numbers made from it. How many there are is in the number
 * too: two on average, often none, sometimes eight; none below the depth. So halving the children
 * would not halve the work. Each child is a fork instead, and an idle core gets the oldest fork
 * there is, which is as a rule the largest branch.
 *
 * (UTS, Unbalanced Tree Search, is a benchmark by Olivier and others, 2006, with such trees.)
 */
#include <brigade.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { USUAL = 18, DEEPEST = 30, CHILDREN = 8 };

typedef struct {
    long nodes, leaves;
    int depth;
} found;

static int deepest = USUAL;

/* The generator splitmix64: neighbours give numbers that have nothing in common. */
static uint64_t mix(uint64_t x)
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

/* Its bits are tosses of a coin: two children for each head before the first tail, eight at most.
 */
static int children_of(uint64_t node, int depth)
{
    int heads = 0;
    if (depth == deepest) {
        return 0;
    }
    if (depth == 0) {
        return CHILDREN;
    }
    while (heads < CHILDREN / 2 && (node >> heads & 1) != 0) {
        heads++;
    }
    return heads * 2;
}

static BG_TASK(found, search, (uint64_t, node), (int, depth))
{
    search_frame forks[CHILDREN];
    int n = children_of(node, depth);
    found all = {1, n == 0, depth};

    for (int i = 0; i < n; i++) {
        search_fork(&forks[i], mix(node + (uint64_t)i), depth + 1);
    }
    for (int i = n; i-- > 0;) { /* the newest first */
        found below = search_join(&forks[i]);
        all.nodes += below.nodes;
        all.leaves += below.leaves;
        all.depth = below.depth > all.depth ? below.depth : all.depth;
    }
    return all;
}

static uint64_t seed = 1;

static int start(void *result)
{
    *(found *)result = search(mix(seed), 0);
    return 0;
}

/* A whole number in decimal, from 0 to most; -1 for anything else. */
static long number(const char *text, long most)
{
    char *end;
    long n = strtol(text, &end, 10);
    return end != text && *end == '\0' && n >= 0 && n <= most ? n : -1;
}

int main(int argc, char *argv[])
{
    found all = {0, 0, 0};
    long depth = argc > 1 ? number(argv[1], DEEPEST) : USUAL;
    long from = argc > 2 ? number(argv[2], 1000000) : 1;

    if (argc > 3 || depth < 0 || from < 0) {
        (void)fprintf(stderr, "usage: uts [DEPTH, 0 to %d [SEED, 0 to 1000000]]\n", DEEPEST);
        return 2;
    }
    deepest = (int)depth;
    seed = (uint64_t)from;
    int rc = bg_run(start, &all);
    if (rc < 0) {
        (void)fprintf(stderr, "uts: %s\n", bg_strerror(rc));
        return 1;
    }
    printf("%ld nodes, %ld leaves, %d deep\n", all.nodes, all.leaves, all.depth);
    return 0;
}

/*
 * The held ranks of each thread, in the order they were taken. With try_lock in the game the top
 * of the stack need not be the highest, so a new rank is compared with all of them; there are
 * never more than a handful.
 */
#include "base/rank.h"

#if BGI_DEBUG

#include "base/panic.h"

enum { HELD_MAX = 16 };

static _Thread_local struct {
    unsigned count;
    struct {
        unsigned rank;
        const char *name;
        size_t times; /* how many of this rank, one after another */
    } held[HELD_MAX];
} ranks;

static void push(unsigned rank, const char *name)
{
    if (ranks.count != 0 && ranks.held[ranks.count - 1].rank == rank) {
        ranks.held[ranks.count - 1].times++; /* by try: any number of one rank */
        return;
    }
    if (ranks.count == HELD_MAX) {
        bgi_panic("lock '%s' (rank %u): %d locks are held already", name, rank, HELD_MAX);
    }
    ranks.held[ranks.count].rank = rank;
    ranks.held[ranks.count].name = name;
    ranks.held[ranks.count].times = 1;
    ranks.count++;
}

BGI_NOINLINE void bgi_rank_acquire(unsigned rank, const char *name)
{
    for (unsigned i = 0; i < ranks.count; i++) {
        if (rank <= ranks.held[i].rank) {
            bgi_panic("lock '%s' (rank %u) taken while '%s' (rank %u) is held", name, rank,
                      ranks.held[i].name, ranks.held[i].rank);
        }
    }
    push(rank, name);
}

BGI_NOINLINE void bgi_rank_acquired_by_try(unsigned rank, const char *name)
{
    push(rank, name);
}

BGI_NOINLINE void bgi_rank_release(unsigned rank, const char *name)
{
    for (unsigned i = ranks.count; i-- > 0;) {
        if (ranks.held[i].rank == rank) {
            if (--ranks.held[i].times == 0) {
                for (ranks.count--; i < ranks.count; i++) {
                    ranks.held[i] = ranks.held[i + 1];
                }
            }
            return;
        }
    }
    bgi_panic("lock '%s' (rank %u) released but not held", name, rank);
}

BGI_NOINLINE unsigned bgi_rank_held(void)
{
    return ranks.count;
}

BGI_NOINLINE const char *bgi_rank_top(void)
{
    return ranks.count == 0 ? "" : ranks.held[ranks.count - 1].name;
}

#else

/* A translation unit has to declare something. */
typedef int bgi_rank_compiled_away;

#endif

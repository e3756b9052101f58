/*
 * Helpers (helpers_types.h): loops and forks.
 *
 * Whatever ends a loop early, no item is done twice; and when it has not been ended, each is done.
 * A fork is run once, and joined, even in a task that is to end.
 */
#ifndef BGP_HELPERS_PARALLEL_H
#define BGP_HELPERS_PARALLEL_H

#include "helpers_scope.h"

/*@ dawdle: */
/* What a part, or a fork, does: nothing, or something in which others come in. */
static inline void dawdle(int way, bg_duration d)
{
    if (way % 3 == 1) {
        bg_yield();
    } else if (way % 3 == 2) {
        (void)bg_sleep(d);
    }
}

/*@ loop: waited, dawdle */
enum { LOOP_ITEMS = 12 };

struct loop {
    int t, way;
    word done[LOOP_ITEMS];
};

static inline void loop_part(size_t from, size_t to, void *arg)
{
    struct loop *l = arg;
    CHECK(l->t, from < to && to <= LOOP_ITEMS);
    for (size_t i = from; i < to; i++) {
        CHECK(l->t, add_full(&l->done[i], 1) == 0);
        dawdle(l->way + (int)i, (bg_duration)i * BG_US);
    }
}

/* When the runtime ends, parts that others have taken are told so, though a shield is around it. */
static inline int end_is_seen(int t)
{
    int shielded = 0;
    for (int i = 0; i < tasks[t].depth; i++) {
        shielded |= tasks[t].scope[i].shield;
    }
    return LEAVES && shielded;
}

static inline int loop(int t, int n, int way)
{
    struct loop l;
    size_t done = 0;
    memset(&l, 0, sizeof l);
    l.t = t;
    l.way = way;
    (void)add(&forks_made, (word_value)n);
    int sure = before_wait(t);
    int r = bg_parallel_for(0, (size_t)n, loop_part, &l, .grain = (size_t)(way / 3 % 4));
    for (int i = 0; i < LOOP_ITEMS; i++) {
        done += load_acquire(&l.done[i]);
    }
    CHECK(t, r == 0 ? done == (size_t)n : done <= (size_t)n);
    return r == -ECANCELED && end_is_seen(t) ? 0 : after_wait(t, sure, r);
}

/*@ forks: types, dawdle */
struct forks {
    int t, depth, way;
};

/* How many leaves there are. */
static inline int forked(void *arg)
{
    const struct forks *f = arg;
    bg_fork_frame frame[2];
    struct forks below[2] = {{f->t, f->depth - 1, f->way + 1}, {f->t, f->depth - 1, f->way + 2}};
    if (f->depth == 0) {
        dawdle(f->way, f->way * BG_US);
        return 1;
    }
    bg_fork(&frame[0], forked, &below[0]);
    bg_fork(&frame[1], forked, &below[1]);
    dawdle(f->way, 0);
    int second = bg_join(&frame[1]);
    return second + bg_join(&frame[0]);
}

static inline void forks(int t, int depth, int way)
{
    struct forks f = {t, depth, way};
    (void)add(&forks_made, (word_value)2 << depth);
    CHECK(t, forked(&f) == 1 << depth);
}

#endif

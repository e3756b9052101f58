/*
 * The list of forks whose way back is found when somebody wants the oldest (parallel/fork.c, F7):
 * random forks, joins, looks, takings and shares, and the list is compared with one that is kept
 * beside it after each of them.
 *
 * Labels: valgrind aarch64
 */
#include "parallel/fork.h"

#include "../task/check.h"

#include "base/random.h"

enum { MOST = 300, STEPS = 20000 };

static bg_fork_frame frames[MOST];
static size_t first, n; /* in the list: frames[first] to frames[n - 1]; older ones have tasks */
static size_t marks, far_marks; /* seen, and those with others above them */
static bgi_atomic ran;

static int runs(void *arg)
{
    add_one(&ran);
    return (int)(intptr_t)arg;
}

static const bg_detail_fork *unmarked(const bg_detail_fork *link)
{
    return (const bg_detail_fork *)((uintptr_t)link & ~(uintptr_t)1);
}

/* From the one to which a marked link leads down to the end, each leads back to the one above. */
static void check_thread(const bgi_worker *w, const bg_detail_fork *f)
{
    for (const bg_detail_fork *older; f != &w->own.oldest; f = older) {
        older = unmarked(f->prev);
        CHECK(older->next == f);
    }
}

static void check_list(const bgi_worker *w)
{
    const bg_detail_fork *link = w->own.newest;
    for (size_t i = n;; i--) {
        const bg_detail_fork *f = i == first ? &w->own.oldest : &frames[i - 1].detail;
        CHECK(unmarked(link) == f);
        if (link != f) {
            CHECK(f != &w->own.oldest);
            marks++;
            far_marks += i != n;
            check_thread(w, f);
        }
        if (i == first) {
            return;
        }
        link = f->prev;
    }
}

static void fork_one(bgi_worker *w, int look)
{
    bgi_atomic *attention = (bgi_atomic *)&w->own.attention;
    if (look && bgi_load(attention) == 0) { /* nobody is idle: but the way back is known then */
        bgi_store(attention, BGI_FORKS_WANTED);
    }
    int taken = w->taken != NULL;
    bg_fork(&frames[n], runs, INT_ARG((int)n));
    if (taken && w->taken == NULL) {
        first++; /* it has found that the oldest was taken */
    }
    n++;
}

static void join_one(bgi_worker *w)
{
    int taken = w->taken != NULL;
    int own = n > first;
    int r = bg_join(&frames[n - 1]);
    n--;
    CHECK(r == (int)n);
    if (taken && w->taken == NULL && n > first) {
        first++;
    }
    if (!own || first > n) {
        first = n;
    }
}

static int at_random(void *seed)
{
    struct bgi_random r;
    bgi_worker *w = bgi_worker_self();
    bgi_random_seed(&r, (uint64_t)(uintptr_t)seed);
    first = n = 0;
    unsigned up = 50;
    for (int i = 0; i < MANY(STEPS) && bgi_load(&check_failures) == 0; i++) {
        unsigned what = bgi_random_below(&r, 1000);
        if (i % 500 == 0) {
            up = bgi_random_below(&r, 100); /* now it grows, now it shrinks */
        }
        if (what < 2) {
            bgi_forks_share(w);
            first = n;
        } else if (what < 20) {
            bgi_forks_take(w);
        } else if (n == 0 || (n < MOST && bgi_random_below(&r, 100) < up)) {
            fork_one(w, what < 120);
        } else {
            join_one(w);
        }
        check_list(w);
    }
    while (n > 0) {
        join_one(w);
        check_list(w);
    }
    CHECK(!bgi_has_own_forks(w));
    return 0;
}

Test(fork_list, it_is_what_was_forked_and_not_joined)
{
    for (uintptr_t seed = 1; seed <= 10; seed++) {
        RUN(at_random, (void *)seed, .workers = 1, .spares = BG_NO_SPARES);
    }
    cr_assert_gt(marks, 100);
    cr_assert_gt(far_marks, 100);
}

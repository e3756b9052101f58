/*
 * Helpers (helpers_types.h): futures.
 *
 * One of those who set it has success, and all who wait for it get what that one has set.
 */
#ifndef BGP_HELPERS_FUTURE_H
#define BGP_HELPERS_FUTURE_H

#include "helpers_task.h"

/*@ begin_futures: future_types */
static inline void begin_futures(void)
{
    for (int i = 0; i < FUTURES; i++) {
        futures[i].future = bg_future_create(sizeof(int));
        CHECK(-1, futures[i].future != NULL);
    }
}

/*@ finish_futures: future_types */
/* When all have ended. */
static inline void finish_futures(void)
{
    for (int i = 0; i < FUTURES; i++) {
        struct future *f = &futures[i];
        word_value settled = load(&f->settled), seen = load(&f->seen);
        CHECK(-1, settled == (load(&f->settling) > 0));
        CHECK(-1, seen == 0 || seen == load(&f->value));
        CHECK(-1, bg_future_done(f->future) == (int)settled);
        bg_future_destroy(f->future);
    }
}

/*@ settle: future_types */
/* Sets it to t's number, or lets it fail with one that is made of that. */
static inline void settle(int t, int i, int fails)
{
    struct future *f = &futures[i];
    word_value others = add_full(&f->settling, 1);
    int r = fails ? bg_future_fail(f->future, -1000 - t) : bg_future_set(f->future, &t);
    CHECK(t, r == 0 || r == -EALREADY);
    CHECK(t, bg_future_done(f->future) == 1);
    if (r == 0) {
        CHECK(t, add(&f->settled, 1) == 0);
        store(&f->value, 2 * (word_value)t + (word_value)fails + 1);
    } else {
        CHECK(t, others > 0 || load(&f->settling) > 1);
    }
}

/*@ expect: future_types, waited */
/* Waits for it, or only looks. */
static inline int expect(int t, int i, int only_try)
{
    struct future *f = &futures[i];
    int value = -1;
    int sure = only_try ? 0 : before_wait(t);
    int r = only_try ? bg_future_try(f->future, &value) : bg_future_wait(f->future, &value);
    if (r != 0 && r > -1000) {
        CHECK(t, value == -1 && (!only_try || r == -EAGAIN));
        return only_try ? 0 : after_wait(t, sure, r);
    }
    CHECK(t, sure == 0 && load(&f->settling) > 0);
    CHECK(t, r == 0 ? value >= 0 : value == -1);
    word_value now = 1 + (r == 0 ? 2 * (word_value)value : 2 * (word_value)(-1000 - r) + 1);
    word_value seen = load(&f->seen);
    CHECK(t, seen == 0 || seen == now); /* all see the same */
    store(&f->seen, now);
    return 0;
}

#endif

/*
 * Helpers (helpers_types.h): blocking calls.
 *
 * Each is made once, or not at all when it was cut short; and when the runtime has ended, all that
 * have begun have ended.
 */
#ifndef BGP_HELPERS_BLOCK_H
#define BGP_HELPERS_BLOCK_H

#include "helpers_scope.h"

#include "helpers_time.h"

/*@ finish_blocked: blocked_types */
static inline void finish_blocked(void)
{
    word_value asked = load(&blocked.asked), begun = load(&blocked.begun);
    word_value returned = load(&blocked.returned);
    CHECK(-1, begun == load(&blocked.ended) && returned <= begun && begun <= asked);
    CHECK(-1, returned + load(&blocked.cut_short) == asked);
}

/*@ blocking: blocked_types, thread_pause */
struct blocking {
    int t, result, check;
    bg_duration d;
    int done;
};

static inline int block_thread(void *arg)
{
    struct blocking *b = arg;
    (void)add(&blocked.begun, 1);
    CHECK(b->t, b->check == b->t * 3 + b->result && b->done == 0);
    if (bg_seed() == 0) {
        thread_pause(b->d);
    }
    CHECK(b->t, b->check == b->t * 3 + b->result && b->done == 0);
    b->done = 1;
    (void)add_full(&blocked.ended, 1);
    return b->result;
}

/* The call has returned what its function has. */
static inline void count_blocking(int t)
{
    word_value returned = add_full(&blocked.returned, 1);
    CHECK(t, returned < load(&blocked.ended));
}

/*@ block: blocking, waited */
/* With a copy: the function may go on when t does not wait for it any more. */
static inline int block(int t, int result, bg_duration d)
{
    int sure = before_wait(t);
    (void)add(&blocked.asked, 1);
    int r = bg_blocking_with(block_thread, struct blocking, .t = t, .result = result,
                             .check = t * 3 + result, .d = d);
    if (r == result) {
        count_blocking(t);
        return after_wait(t, sure, 0);
    }
    (void)add(&blocked.cut_short, 1);
    CHECK(t, r < 0);
    return after_wait(t, sure, r);
}

/*@ block_here: blocking */
/* Without a copy: it is waited for whatever comes. */
static inline void block_here(int t, int result, bg_duration d)
{
    struct blocking b = {.t = t, .result = result, .check = t * 3 + result, .d = d};
    int r = 0;
    (void)add(&blocked.asked, 1);
    bg_shield
    {
        r = bg_blocking(block_thread, &b);
    }
    CHECK(t, r == result && b.done == 1);
    count_blocking(t);
}

#endif

/*
 * Models of futures and broadcasts (sync/future.c, sync/broadcast.c): who waits and who comes late
 * sees the value and what was written before; a set against a cancel; the end of a future; items
 * beside those who come and go.
 */
#include "waiting.h"

#include "base/alloc.h"

#include <brigade/broadcast.h>
#include <brigade/future.h>
#include <errno.h>

static bg_future *f;
static bg_broadcast *b;
static bg_subscriber subscriber[2];
static int beside, set_by;
static size_t value[3];
static int result[3];
static size_t missed[3];

static void begin(void)
{
    wt_setup(3);
    bgi_fence_setup();
    bgi_store(&bgi_fence_asymmetric, 0);
    for (size_t i = 0; i < BGI_WAITQ_COUNTS; i++) {
        bgi_store(&bgi_waitq_asleep[i], 0);
    }
    beside = set_by = 0;
    for (int i = 0; i < 3; i++) {
        value[i] = 0;
        missed[i] = 0;
        result[i] = 1;
    }
}

static void setup(void)
{
    begin();
    f = bg_future_create(sizeof(size_t));
}

static void waits_for_it(int i)
{
    result[i] = bg_future_wait(f, &value[i]);
    if (result[i] == 0) {
        mc_assert(value[i] == 7 && beside == 1);
    }
}

static void task_waits(void)
{
    (void)wt_begin();
    waits_for_it(mc_self());
}

static void thread_waits(void)
{
    wt_begin_thread();
    waits_for_it(mc_self());
}

static void looks(void)
{
    (void)wt_begin();
    result[1] = bg_future_try(f, &value[1]);
    mc_assert(result[1] == 0 ? value[1] == 7 && beside == 1 : result[1] == -EAGAIN);
}

static void sets(void)
{
    size_t v = 7;
    wt_begin_thread();
    beside = 1;
    mc_assert(bg_future_set(f, &v) == 0);
    v = 0; /* it was copied */
}

static void cancels_0(void)
{
    wt_begin_thread();
    bgi_task_cancel(rt_task(0));
}

static void nobody_waits(void)
{
    const bgi_waitq *q = (const bgi_waitq *)(const void *)f;
    mc_assert(q->first == NULL && bgi_load(&q->word) == BGI_WAITQ_VALUE);
    for (unsigned i = 0; i < 3; i++) {
        mc_assert(bgi_load(&rt_task(i)->waiter.state) < BGI_WAITER_SIGNAL);
    }
}

static void both_have_it(void)
{
    nobody_waits();
    mc_assert(result[0] == 0 && result[1] == 0);
}

MC_MODEL(two_wait, .name = "future/two_wait", .says = "a task and a plain thread see the value",
         .bound = 2, .setup = setup, .thread = {task_waits, thread_waits, sets},
         .check = both_have_it);

static void one_has_it(void)
{
    nobody_waits();
    mc_assert(result[0] == 0);
}

MC_MODEL(late, .name = "future/a_look", .says = "who finds it set sees what was done before",
         .bound = 2, .setup = setup, .thread = {task_waits, looks, sets}, .check = one_has_it);

static void set_or_cancelled(void)
{
    nobody_waits();
    mc_assert(result[0] == 0 || (result[0] == -ECANCELED && value[0] == 0));
}

MC_MODEL(cancelled, .name = "future/set_against_cancel",
         .says = "who is cancelled as it is set has the value, or nothing", .setup = setup,
         .thread = {task_waits, sets, cancels_0}, .check = set_or_cancelled);

static void sets_first(int i)
{
    size_t v = 7;
    if (bg_future_set(f, &v) == 0) {
        set_by += i;
    }
}

static void sets_too(void)
{
    (void)wt_begin();
    sets_first(1);
}

static void fails_it(void)
{
    wt_begin_thread();
    if (bg_future_fail(f, -EIO) == 0) {
        set_by = 2;
    }
}

static void task_waits_for_either(void)
{
    (void)wt_begin();
    result[0] = bg_future_wait(f, &value[0]);
}

static void one_has_set_it(void)
{
    nobody_waits();
    mc_assert(set_by == 1 ? result[0] == 0 && value[0] == 7
                          : set_by == 2 && result[0] == -EIO && value[0] == 0);
}

MC_MODEL(twice, .name = "future/set_against_fail",
         .says = "of a set and a failure one counts, for all", .bound = 2, .setup = setup,
         .thread = {task_waits_for_either, sets_too, fails_it}, .check = one_has_set_it);

/* ---- gone when it has been seen ---- */

static void waits_and_destroys(void)
{
    (void)wt_begin();
    waits_for_it(mc_self());
    mc_assert(result[mc_self()] == 0);
    bg_future_destroy(f);
}

static void waits_or_is_cancelled(void)
{
    (void)wt_begin();
    result[0] = bg_future_wait(f, &value[0]);
    mc_assert(result[0] == 0 || result[0] == -ECANCELED);
}

static void sets_if_both_wait(void)
{
    bgi_waitq *q = (bgi_waitq *)(void *)f;
    wt_begin_thread();
    bgi_word s = bgi_waitq_enter(q);
    int both = q->first != NULL && q->first->next != q->first;
    bgi_waitq_leave(q, s);
    if (!both) {
        mc_ignore();
    }
    sets();
}

MC_MODEL(destroyed, .name = "future/destroyed_by_who_waited",
         .says = "who has waited destroys it, while it is being set still", .setup = setup,
         .thread = {waits_and_destroys, sets});

MC_MODEL(destroyed_cancel, .name = "future/destroyed_as_another_is_cancelled",
         .says = "also as another that waited is cancelled", .bound = 3, .quick = 2, .setup = setup,
         .thread = {waits_or_is_cancelled, waits_and_destroys, sets_if_both_wait, cancels_0});

/* ---- broadcasts ---- */

static void setup_news(void)
{
    begin();
    b = bg_broadcast_create(sizeof(size_t), 1);
    for (int i = 0; i < 2; i++) {
        (void)bg_broadcast_subscribe(b, &subscriber[i]);
    }
}

static void listens(int i)
{
    result[i] = bg_broadcast_recv(&subscriber[i], &value[i], &missed[i]);
    if (result[i] == 0) {
        mc_assert(beside >= 1 && value[i] == 7 + missed[i]);
    }
}

static void task_listens(void)
{
    (void)wt_begin();
    listens(mc_self());
}

static void thread_listens(void)
{
    wt_begin_thread();
    listens(mc_self());
}

static void tells(void)
{
    size_t v = 7;
    wt_begin_thread();
    beside = 1;
    mc_assert(bg_broadcast_send(b, &v) == 0);
    v = 8;
    mc_assert(bg_broadcast_send(b, &v) == 0);
}

static void tells_once(void)
{
    size_t v = 7;
    wt_begin_thread();
    beside = 1;
    mc_assert(bg_broadcast_send(b, &v) == 0);
}

/* Each can still have the rest. */
static void all_told(int items)
{
    const bgi_waitq *q = (const bgi_waitq *)(const void *)b;
    mc_assert(q->first == NULL && bgi_load(&q->word) == 0);
    for (int i = 0; i < 2; i++) {
        size_t v = 0, lost = 0, seen = result[i] == 0 ? 1 + missed[i] : 0;
        while (bg_broadcast_try_recv(&subscriber[i], &v, &lost) == 0) {
            seen += 1 + lost;
        }
        mc_assert(seen == (size_t)items);
    }
}

static void told_two(void)
{
    mc_assert(result[0] == 0 && result[1] == 0);
    all_told(2);
}

MC_MODEL(news, .name = "broadcast/two_listen",
         .says = "each sees all, or is told how many it has missed", .bound = 2, .quick = 1,
         .setup = setup_news, .thread = {task_listens, thread_listens, tells}, .check = told_two);

static void told_or_cancelled(void)
{
    mc_assert(result[0] == 0 || (result[0] == -ECANCELED && value[0] == 0));
    all_told(1);
}

MC_MODEL(news_cancel, .name = "broadcast/send_against_cancel",
         .says = "who is cancelled as it is told has the item, or can have it later",
         .setup = setup_news, .thread = {task_listens, tells_once, cancels_0},
         .check = told_or_cancelled);

static void closes(void)
{
    (void)wt_begin();
    mc_assert(bg_broadcast_close(b) == 0);
}

static void tells_before_or_after(void)
{
    size_t v = 7;
    wt_begin_thread();
    beside = 1;
    result[2] = bg_broadcast_send(b, &v);
}

static void told_or_closed(void)
{
    mc_assert(result[2] == 0 ? result[0] == 0 : result[2] == -EPIPE && result[0] == -EPIPE);
    all_told(result[2] == 0);
}

MC_MODEL(news_close, .name = "broadcast/send_against_close",
         .says = "an item that was sent before the close is seen, by all", .bound = 2,
         .setup = setup_news, .thread = {task_listens, closes, tells_before_or_after},
         .check = told_or_closed);

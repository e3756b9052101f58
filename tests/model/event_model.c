/*
 * sync/event.c and sync/latch.c: what was done before is seen after; clear, look, wait misses
 * nothing; cancels; the end of the object.
 */
#include "waiting.h"

#include "base/alloc.h"

#include <brigade/sync.h>
#include <errno.h>

static bg_event E;
static bg_event *event;
static bg_latch *latch;
static int wrote[2], result;
static bgi_atomic added[2]; /* relaxed: ordered by the event alone */

static void setup(void)
{
    wt_setup(3);
    bg_event_init(&E);
    event = bgi_malloc(sizeof *event);
    bg_event_init(event);
    latch = bgi_malloc(sizeof *latch);
    mc_assert(bg_latch_init(latch, 2) == 0);
    wrote[0] = wrote[1] = 0;
    bgi_store(&added[0], 0);
    bgi_store(&added[1], 0);
    result = 1;
}

static void event_rests(const bg_event *e, bgi_word value)
{
    const bgi_waitq *q = (const bgi_waitq *)(const void *)e;
    mc_assert(bgi_load(&q->word) == value * BGI_WAITQ_VALUE && q->first == NULL);
    mc_assert(bgi_load(&rt_task(0)->waiter.state) < BGI_WAITER_SIGNAL);
}

/* ---- set ---- */

static void sets(void)
{
    wt_begin_thread();
    wrote[0] = 1;
    mc_assert(bg_event_set(&E) == 0);
}

static void sets_and_clears(void)
{
    sets();
    mc_assert(bg_event_clear(&E) == 0);
}

static void waits(void)
{
    (void)wt_begin();
    mc_assert(bg_event_wait(&E) == 0);
    mc_assert(wrote[0] == 1);
}

static void thread_waits(void)
{
    wt_begin_thread();
    mc_assert(bg_event_wait(&E) == 0);
    mc_assert(wrote[0] == 1);
}

static void looks(void)
{
    wt_begin_thread();
    if (bg_event_is_set(&E)) {
        mc_assert(wrote[0] == 1);
    }
}

static void is_set(void)
{
    event_rests(&E, 1);
}

MC_MODEL(set, .name = "event/set", .says = "a task and a thread that wait see what was done before",
         .bound = 2, .setup = setup, .thread = {waits, thread_waits, sets, looks}, .check = is_set);

static void waits_or_comes_too_late(void)
{
    (void)wt_begin();
    result = bg_event_wait(&E);
    mc_assert(result == 0 || result == -ECANCELED);
}

static void cancels(void)
{
    wt_begin_thread();
    bgi_task_cancel(rt_task(0));
}

static void is_clear(void)
{
    event_rests(&E, 0);
}

MC_MODEL(pulse, .name = "event/set_and_cleared",
         .says = "clearing it at once takes nothing from who waits, and nobody is left in it",
         .setup = setup, .thread = {waits_or_comes_too_late, sets_and_clears, cancels},
         .check = is_clear);

/* ---- clear, look, wait ---- */

static void adds(int n)
{
    wt_begin_thread();
    bgi_store(&added[n], 1);
    mc_assert(bg_event_set(&E) == 0);
}

static void adds_0(void)
{
    adds(0);
}

static void adds_1(void)
{
    adds(1);
}

static void consumes(void)
{
    (void)wt_begin();
    for (;;) {
        mc_assert(bg_event_clear(&E) == 0);
        if (bgi_load(&added[0]) + bgi_load(&added[1]) == 2) {
            return;
        }
        mc_assert(bg_event_wait(&E) == 0);
    }
}

MC_MODEL(consume, .name = "event/clear_look_wait",
         .says = "who clears, looks and waits misses nothing, though the event was set already",
         .bound = 2, .setup = setup, .thread = {consumes, adds_0, adds_1});

/* ---- gone ---- */

static void waits_shared(void)
{
    (void)wt_begin();
    result = bg_event_wait(event);
    mc_assert(result == 0 || result == -ECANCELED);
}

/* The one who waits is there already, as who sets it knows; it may be cancelled from then on. */
static bgi_atomic there;

static void sets_and_frees(void)
{
    const bgi_waitq *q = (const bgi_waitq *)(void *)event;
    wt_begin_thread();
    mc_await_equal(&q->word, BGI_WAITQ_QUEUED);
    bgi_store(&there, 1);
    mc_assert(bg_event_set(event) == 0);
    bgi_free(event);
}

static void cancels_who_is_there(void)
{
    mc_await_equal(&there, 1);
    cancels();
}

static void setup_freed(void)
{
    setup();
    bgi_store(&there, 0);
}

MC_MODEL(freed, .name = "event/freed_by_who_sets_it",
         .says = "who has set it may free it, though one that waits is cancelled just then",
         .setup = setup_freed, .thread = {waits_shared, sets_and_frees, cancels_who_is_there});

static void sets_shared(void)
{
    wt_begin_thread();
    mc_assert(bg_event_set(event) == 0);
}

static void waits_and_frees(void)
{
    (void)wt_begin();
    mc_assert(bg_event_wait(event) == 0);
    bgi_free(event);
}

MC_MODEL(freed_by_waiter, .name = "event/freed_by_who_waits",
         .says = "who has waited may free it, though set has not returned", .setup = setup,
         .thread = {waits_and_frees, sets_shared});

/* ---- the latch ---- */

static void counts(int n)
{
    wt_begin_thread();
    wrote[n] = 1;
    mc_assert(bg_latch_count_down(latch, 1) == 0);
}

static void counts_0(void)
{
    counts(0);
}

static void counts_1(void)
{
    counts(1);
}

static void waits_for_both(void)
{
    (void)wt_begin();
    mc_assert(bg_latch_wait(latch) == 0);
    mc_assert(wrote[0] == 1 && wrote[1] == 1);
    bgi_free(latch);
}

static void looks_at_latch(void)
{
    wt_begin_thread();
    if (bg_latch_try_wait(latch) == 0) {
        mc_assert(wrote[0] == 1 && wrote[1] == 1);
        bgi_free(latch);
    }
}

MC_MODEL(opens, .name = "latch/opens",
         .says = "who waits sees what all did before they counted, and frees the latch",
         .setup = setup, .thread = {waits_for_both, counts_0, counts_1});

MC_MODEL(opens_polled, .name = "latch/opens_to_who_looks", .says = "likewise who looks at it",
         .setup = setup, .thread = {looks_at_latch, counts_0, counts_1});

static void waits_for_latch(void)
{
    (void)wt_begin();
    result = bg_latch_wait(latch);
    mc_assert(result == 0 || result == -ECANCELED);
    if (result == 0) {
        mc_assert(wrote[0] == 1 && wrote[1] == 1);
    }
}

static void counts_both(void)
{
    counts_0();
    counts_1();
}

static void is_open(void)
{
    const bgi_waitq *q = (const bgi_waitq *)(void *)latch;
    mc_assert(bgi_load(&q->word) == 0 && q->first == NULL);
    mc_assert(bgi_load(&rt_task(0)->waiter.state) < BGI_WAITER_SIGNAL);
}

static void thread_waits_for_latch(void)
{
    wt_begin_thread();
    mc_assert(bg_latch_wait(latch) == 0);
    mc_assert(wrote[0] == 1 && wrote[1] == 1);
}

MC_MODEL(latch_cancel, .name = "latch/count_against_cancel",
         .says = "the last count wakes all, but who was cancelled before", .bound = 2,
         .setup = setup, .thread = {waits_for_latch, thread_waits_for_latch, counts_both, cancels},
         .check = is_open);

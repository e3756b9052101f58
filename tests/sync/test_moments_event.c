/*
 * The event, the latch, the barrier and once where two meet: see moments.h.
 *
 * Labels: valgrind aarch64
 */
#include "moments.h"

#include "sync/event.c"

#define queue_of latch_queue_of
#define wait_slow latch_wait_slow
#include "sync/latch.c"
#undef queue_of
#undef wait_slow

#include "sync/barrier.c"
#include "sync/once.c"

static int not_given(void)
{
    return scene.gifts == 0;
}

static void more_once(void)
{
    if (scene.gifts == 0) {
        make_gift();
    }
}

static void no_setup(int waiters)
{
    (void)waiters;
}

/* ---- the event ---- */

static bg_event *event(void)
{
    return (bg_event *)(void *)object;
}

static int wait_event(int i)
{
    (void)i;
    return bg_event_wait(event());
}

static void give_set(void)
{
    CHECK(bg_event_set(event()) == 0);
}

static void rest_set(int served)
{
    (void)served;
    more_once();
    CHECK(object[0] == SET && object[1] == 0);
}

Test(moments, of_the_event)
{
    static const struct moments_subject s = {
        .name = "event",
        .setup = no_setup,
        .wait = wait_event,
        .give = give_set,
        .more = make_gift,
        .rest = rest_set,
        .unordered = 1,
        .gone = MOMENTS_WORDS,
    };
    run_moments(&s, 500);
}

/* Cleared at once: only those are served who were there. */
static void give_pulse(void)
{
    CHECK(bg_event_set(event()) == 0);
    CHECK(bg_event_clear(event()) == 0);
}

static void rest_clear(int served)
{
    (void)served;
    CHECK(object[0] == 0 && object[1] == 0);
}

Test(moments, of_the_event_that_is_cleared_at_once)
{
    static const struct moments_subject s = {
        .name = "event, cleared at once",
        .setup = no_setup,
        .wait = wait_event,
        .give = give_pulse,
        .more = make_gift,
        .rest = rest_clear,
        .unordered = 1,
        .gone = MOMENTS_WORDS,
    };
    run_moments(&s, 500);
}

/* ---- the latch ---- */

static bg_latch *latch(void)
{
    return (bg_latch *)(void *)object;
}

static void setup_latch(int waiters)
{
    (void)waiters;
    CHECK(bg_latch_init(latch(), 2) == 0);
}

static int wait_latch(int i)
{
    (void)i;
    return bg_latch_wait(latch());
}

static void give_counts(void)
{
    CHECK(bg_latch_count_down(latch(), 1) == 0);
    CHECK(bg_latch_count_down(latch(), 1) == 0);
}

static void rest_zero(int served)
{
    (void)served;
    more_once();
    CHECK(object[0] == 0 && object[1] == 0);
}

Test(moments, of_the_latch)
{
    static const struct moments_subject s = {
        .name = "latch",
        .setup = setup_latch,
        .wait = wait_latch,
        .give = give_counts,
        .may_give = not_given,
        .more = more_once,
        .rest = rest_zero,
        .unordered = 1,
        .gone = MOMENTS_WORDS,
    };
    run_moments(&s, 500);
}

/* ---- the barrier ---- */

static bg_barrier *barrier(void)
{
    return (bg_barrier *)(void *)object;
}

static void setup_barrier(int waiters)
{
    CHECK(bg_barrier_init(barrier(), waiters + 1) == 0);
}

static int wait_barrier(int i)
{
    (void)i;
    return bg_barrier_wait(barrier());
}

static int all_are_there(void)
{
    return (int)(object[0] >> BGI_WAITQ_VALUE_SHIFT) == scene.waiters;
}

/* The last party comes, whoever runs here: bg_barrier_wait without the caller's scopes. */
static void give_last(void)
{
    struct barrier *b = barrier_of(barrier());
    bgi_word s = bgi_waitq_enter(&b->q);
    CHECK((int)(s >> BGI_WAITQ_VALUE_SHIFT) + 1 == (int)b->parties);
    CHECK(pass(b) == 1);
}

/* Those who have left are missing. */
static void more_parties(void)
{
    struct barrier *b = barrier_of(barrier());
    int n = waiting_on(b);
    CHECK((int)(object[0] >> BGI_WAITQ_VALUE_SHIFT) == n);
    CHECK(n == scene.waiters - scene.done);
    b->parties = (uintptr_t)n + 1;
    make_gift();
}

static void rest_barrier(int served)
{
    (void)served;
    CHECK(object[0] == 0 && object[1] == 0);
}

Test(moments, of_the_barrier)
{
    static const struct moments_subject s = {
        .name = "barrier",
        .setup = setup_barrier,
        .wait = wait_barrier,
        .give = give_last,
        .may_give = all_are_there,
        .more = more_parties,
        .rest = rest_barrier,
        .unordered = 1,
        .gone = MOMENTS_WORDS,
    };
    run_moments(&s, 300);
}

/* ---- once ---- */

static int runs;

static bg_once *once(void)
{
    return (bg_once *)(void *)object;
}

/* Somebody runs it, of whom nobody knows. */
static void setup_once(int waiters)
{
    (void)waiters;
    runs = 0;
    CHECK(bgi_cas_acquire(&once_of(once())->q.word, NEW, RUNNING));
}

static int run_it(void *arg)
{
    (void)arg;
    runs++;
    return 1;
}

static int wait_once(int i)
{
    (void)i;
    return bg_once_run(once(), run_it, NULL);
}

static void end_run(bgi_word value)
{
    struct once *o = once_of(once());
    if (!bgi_cas_release(&o->q.word, RUNNING, value)) {
        end_slow(&o->q, value);
    }
}

static void give_success(void)
{
    end_run(DONE);
}

static void give_failure(void)
{
    end_run(NEW);
}

static void rest_done(int served)
{
    (void)served;
    more_once();
    CHECK(object[0] == DONE && object[1] == 0 && runs == 0);
}

static void rest_after_failure(int served)
{
    more_once();
    CHECK(object[0] == (served > 0 ? DONE : NEW) && object[1] == 0);
    CHECK(runs == (served > 0));
}

Test(moments, of_once)
{
    static const struct moments_subject s = {
        .name = "once",
        .setup = setup_once,
        .wait = wait_once,
        .give = give_success,
        .may_give = not_given,
        .more = more_once,
        .rest = rest_done,
        .unordered = 1,
        .gone = MOMENTS_WORDS,
    };
    run_moments(&s, 500);
}

Test(moments, of_once_that_has_failed)
{
    static const struct moments_subject s = {
        .name = "once, failed",
        .setup = setup_once,
        .wait = wait_once,
        .give = give_failure,
        .may_give = not_given,
        .more = more_once,
        .rest = rest_after_failure,
        .unordered = 1,
    };
    run_moments(&s, 500);
}

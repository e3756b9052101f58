/*
 * Spare workers: whatever waits behind a worker that is stuck gets run; they are counted, capped
 * and called up again, and retire when nobody is stuck any more. A worker is stuck here when its
 * item waits for a semaphore that the test, or the item queued behind it, posts: order, not time.
 */
#include "core/sched.h"

#include "rig.h"

#include "../support/faults.h"

static sem_t gate;
static bgi_atomic blocked, unblocked, ran, ran_on_spare;

/* Something that is to be run although its worker is stuck. */
static void run_rescued(bgi_worker *w, bgi_item *self)
{
    (void)self;
    (void)bgi_fetch_add(&ran_on_spare, (bgi_word)w->is_spare);
    (void)bgi_fetch_add(&ran, 1);
    (void)sem_post(&gate);
}

static bgi_item rescued = {.run = run_rescued};

struct blocker {
    bgi_item item;
    void (*leave_behind)(bgi_worker *w); /* puts something behind itself */
};

static void run_blocker(bgi_worker *w, bgi_item *self)
{
    struct blocker *b = BGI_CONTAINER_OF(self, struct blocker, item);
    if (b->leave_behind != NULL) {
        b->leave_behind(w);
    }
    (void)bgi_fetch_add(&blocked, 1);
    rig_wait(&gate);
    (void)bgi_fetch_add(&unblocked, 1);
}

static struct blocker blocker = {.item = {.run = run_blocker}};

/* Waits until no spare works any more, and checks that those there were have retired. */
static void all_retired(bgi_sched *s)
{
    RIG_UNTIL(bgi_load_acquire(&s->spares_active) == 0);
    RIG_UNTIL(rig_in_state(s, BGI_RETIRED) == bgi_load(&s->used) - s->workers);
}

static bgi_sched *begin(unsigned workers, unsigned spares)
{
    cr_assert_eq(sem_init(&gate, 0, 0), 0);
    return rig_start(workers, spares);
}

static void in_queue(bgi_worker *w)
{
    bgi_push_quiet(w, &rescued);
}

static void in_next_slot(bgi_worker *w)
{
    (void)bgi_runq_put_next(&w->queue, &rescued.link);
}

static void as_fork(bgi_worker *w)
{
    bgi_forks_note(w);
    (void)bgi_deque_push(&w->forks, &rescued);
}

static void injected(bgi_worker *w)
{
    rig_inject(w->sched, &rescued);
}

static bgi_timer timer;

static void expire(bgi_timer *t, bgi_expiry *out)
{
    (void)t;
    out->item = &rescued;
}

static void as_timer(bgi_worker *w)
{
    bgi_timer_init(&timer, expire);
    (void)bgi_timers_start_at(&w->timers, &timer, bgi_clock_now() + BG_MS, NULL, NULL);
}

static void as_fresh_timer(bgi_worker *w)
{
    bgi_timer_init(&timer, expire);
    int how = bgi_bias_enter(&w->timers.lock);
    bgi_timers_add_fresh(&w->timers, &timer, BG_MS);
    bgi_bias_leave(&w->timers.lock, how);
}

/* What the stuck one waits for is behind it: without help it would wait for ever. One of the two is
 * run by a spare, mostly the one behind. */
static void is_rescued(void (*leave_behind)(bgi_worker *w))
{
    bgi_sched *s = begin(1, 2);
    blocker.leave_behind = leave_behind;
    for (bgi_word round = 1; round <= 10; round++) {
        bgi_submit(s, &blocker.item);
        RIG_UNTIL(bgi_load_acquire(&unblocked) == round);
        cr_assert_eq(bgi_load(&ran), round);
        if (round % 2) {
            all_retired(s);
        }
    }
    RIG_UNTIL(bgi_load(&s->spares_peak) >= 1);
    all_retired(s);
    rig_end(s);
}

Test(monitor, what_is_queued_behind_a_stuck_worker_runs)
{
    is_rescued(in_queue);
}

Test(monitor, what_is_next_on_a_stuck_worker_runs)
{
    is_rescued(in_next_slot);
}

Test(monitor, forks_of_a_stuck_worker_run)
{
    is_rescued(as_fork);
}

Test(monitor, what_is_injected_while_all_are_stuck_runs)
{
    is_rescued(injected);
}

Test(monitor, timers_of_a_stuck_worker_fire)
{
    is_rescued(as_timer);
}

Test(monitor, fresh_timers_of_a_stuck_worker_are_settled_and_fire)
{
    is_rescued(as_fresh_timer);
}

/* With an idle worker there is no need for a spare one. */
Test(monitor, an_idle_worker_helps_a_stuck_one)
{
    bgi_sched *s = begin(2, 0);
    blocker.leave_behind = in_next_slot;
    for (bgi_word round = 1; round <= 10; round++) {
        bgi_submit(s, &blocker.item);
        RIG_UNTIL(bgi_load_acquire(&unblocked) == round);
    }
    cr_assert_eq(bgi_load(&ran), 10);
    cr_assert_eq(bgi_load(&s->spares_peak), 0);
    rig_end(s);
}

static bgi_atomic ran_while_blocked;

static void run_after(bgi_worker *w, bgi_item *self)
{
    (void)w;
    (void)self;
    (void)bgi_fetch_add(&ran_while_blocked, bgi_load(&unblocked) == 0);
    (void)bgi_fetch_add(&ran, 1);
}

static bgi_item after = {.run = run_after};

static void after_in_queue(bgi_worker *w)
{
    bgi_push_quiet(w, &after);
}

/* At least so many looks of the monitor go by. */
static void let_it_look(unsigned times)
{
    struct timespec ts = {.tv_nsec = (long)times * BGI_MONITOR_PERIOD};
    (void)nanosleep(&ts, NULL);
}

Test(monitor, without_spares_it_waits_for_the_stuck_one)
{
    bgi_sched *s = begin(1, 0);
    blocker.leave_behind = after_in_queue;
    bgi_submit(s, &blocker.item);
    rig_reach(&blocked, 1);
    let_it_look(20);
    cr_assert_eq(bgi_load(&ran), 0);
    (void)sem_post(&gate);
    rig_reach(&ran, 1);
    cr_assert_eq(bgi_load(&ran_while_blocked), 0);
    cr_assert_eq(bgi_load(&s->spares_peak), 0);
    cr_assert_eq(bgi_load(&s->used), 1);
    rig_end(s);
}

/* ---- the cap ---- */

enum { SPARES = 3, CHAIN = 6 };

static struct blocker chain[CHAIN];
static bgi_atomic most_blocked;

/* Each blocks its worker, with the next one behind it: each spare is stuck in turn. */
static void run_link(bgi_worker *w, bgi_item *self)
{
    size_t i = (size_t)(BGI_CONTAINER_OF(self, struct blocker, item) - chain);
    if (i + 1 < CHAIN) {
        bgi_push_quiet(w, &chain[i + 1].item);
    }
    bgi_word now = bgi_fetch_add(&blocked, 1) + 1;
    for (bgi_word most = bgi_load(&most_blocked); now > most && !bgi_cas(&most_blocked, most, now);
         most = bgi_load(&most_blocked)) {
    }
    rig_wait(&gate);
    (void)bgi_fetch_sub(&blocked, 1);
    (void)bgi_fetch_add(&unblocked, 1);
}

Test(monitor, spares_are_counted_and_capped)
{
    bgi_sched *s = begin(1, SPARES);
    for (bgi_word round = 1; round <= 3; round++) {
        for (size_t i = 0; i < CHAIN; i++) {
            chain[i].item.run = run_link;
        }
        bgi_submit(s, &chain[0].item);
        RIG_UNTIL(bgi_load_acquire(&blocked) == 1 + SPARES);
        cr_assert_eq(bgi_load(&s->spares_active), SPARES);
        RIG_UNTIL(bgi_load(&s->spares_peak) == SPARES); /* noted when the thread runs already */
        cr_assert_eq(bgi_load(&s->used), 1 + SPARES);
        let_it_look(20); /* it would have lent more, had it any */
        cr_assert_eq(bgi_load(&blocked), 1 + SPARES);
        for (size_t i = 0; i < CHAIN; i++) {
            (void)sem_post(&gate);
        }
        RIG_UNTIL(bgi_load_acquire(&unblocked) == round * CHAIN);
        all_retired(s);
    }
    cr_assert_eq(bgi_load(&most_blocked), 1 + SPARES);
    rig_end(s);
}

Test(monitor, a_stop_ends_spares_idle_retired_and_working)
{
    for (int round = 0; round < 5; round++) {
        bgi_sched *s = begin(1, SPARES);
        bgi_store(&blocked, 0);
        for (size_t i = 0; i < CHAIN; i++) {
            chain[i].item.run = run_link;
        }
        bgi_submit(s, &chain[0].item);
        RIG_UNTIL(bgi_load_acquire(&blocked) == 1 + SPARES);
        bgi_word posts = (bgi_word)round;
        for (bgi_word i = 0; i < posts; i++) {
            (void)sem_post(&gate);
        }
        bgi_sched_stop(s);
        for (size_t i = 0; i < CHAIN; i++) {
            (void)sem_post(&gate); /* whoever is still in there */
        }
        bgi_sched_join(s);
        bgi_sched_destroy(s);
    }
}

/* ---- what a spare leaves behind ---- */

static bg_time spare_deadline;
static bgi_atomic spare_timer_fired, spare_timer_early;
static bgi_timer spare_timer;
static bgi_item spare_due;

static void run_spare_due(bgi_worker *w, bgi_item *self)
{
    (void)w;
    (void)self;
    bgi_store(&spare_timer_early, bgi_clock_now() < spare_deadline);
    bgi_store_release(&spare_timer_fired, 1);
}

static void expire_spare(bgi_timer *t, bgi_expiry *out)
{
    (void)t;
    out->item = &spare_due;
}

/* Sets a timer on the spare's own wheel, which is retired when it is due. */
static void run_on_spare(bgi_worker *w, bgi_item *self)
{
    (void)self;
    bgi_timer_init(&spare_timer, expire_spare);
    spare_deadline = bgi_clock_now() + 30 * BG_MS;
    (void)bgi_timers_start_at(&w->timers, &spare_timer, spare_deadline, NULL, NULL);
    (void)bgi_fetch_add(&ran_on_spare, (bgi_word)w->is_spare);
    (void)sem_post(&gate);
}

Test(monitor, a_retired_spare_still_serves_its_timers)
{
    bgi_sched *s = begin(1, 1);
    blocker.leave_behind = in_queue;
    rescued.run = run_on_spare;
    spare_due.run = run_spare_due;
    for (bgi_word round = 1; bgi_load(&ran_on_spare) == 0; round++) {
        bgi_store(&spare_timer_fired, 0);
        bgi_submit(s, &blocker.item);
        rig_reach(&unblocked, round);
        rig_reach(&spare_timer_fired, 1);
        cr_assert_eq(bgi_load(&spare_timer_early), 0);
        all_retired(s);
    }
    rig_end(s);
}

/* A worker that comes back is not hindered by the spare that helps it. */
Test(monitor, many_stuck_workers_and_many_items_behind_them)
{
    enum { WORKERS = 4, BEHIND = 200, ROUNDS = 20 };
    static bgi_item behind[WORKERS][BEHIND];
    static struct blocker stuck[WORKERS];
    bgi_sched *s = begin(WORKERS, 2);
    for (bgi_word round = 1; round <= ROUNDS; round++) {
        for (size_t i = 0; i < WORKERS; i++) {
            stuck[i].item.run = run_blocker;
            bgi_submit(s, &stuck[i].item);
        }
        RIG_UNTIL(bgi_load_acquire(&blocked) == round * WORKERS);
        for (size_t i = 0; i < WORKERS; i++) {
            for (size_t k = 0; k < BEHIND; k++) {
                behind[i][k].run = run_after;
                bgi_submit(s, &behind[i][k]);
            }
        }
        RIG_UNTIL(bgi_load_acquire(&ran) == round * WORKERS * BEHIND);
        cr_assert_eq(bgi_load(&unblocked), (round - 1) * WORKERS);
        for (size_t i = 0; i < WORKERS; i++) {
            (void)sem_post(&gate);
        }
        RIG_UNTIL(bgi_load_acquire(&unblocked) == round * WORKERS);
    }
    cr_assert_leq(bgi_load(&s->spares_peak), 2);
    all_retired(s);
    rig_end(s);
}

/* No thread, or no memory for a place: it is tried again at the next look. */
Test(monitor, a_spare_that_cannot_be_had_is_tried_for_again)
{
    static const unsigned kinds[] = {BGI_FAULT_THREAD, BGI_FAULT_MALLOC};
    for (size_t i = 0; i < BGI_ARRAY_LEN(kinds); i++) {
        bgi_sched *s = begin(1, 1);
        bgi_word before = bgi_load(&unblocked);
        blocker.leave_behind = in_queue;
        bgi_fault_arm(kinds[i] | BGI_FAULT_FOREVER, 1);
        bgi_submit(s, &blocker.item);
        RIG_UNTIL(bgi_fault_count() >= 3);
        cr_assert_eq(bgi_load(&s->spares_active), 0);
        cr_assert_eq(bgi_load(&unblocked), before);
        bgi_fault_disarm();
        rig_reach(&unblocked, before + 1);
        all_retired(s);
        rig_end(s);
    }
}

/*
 * Where fibers that were woken go on: together and in order, and, in stress builds, on another
 * worker than before.
 *
 * Labels: valgrind aarch64
 */
#include "core/fiber.h"

#include "base/stress.h"
#include "rig.h"

enum { WAITING = 5 };

static bgi_atomic done;
static struct rig_fiber waiting[WAITING];
static int order[WAITING + 1];
static size_t order_n;

/* ---- those that were woken together ---- */

static int commit_wait(bgi_worker *w, bgi_fiber *self, void *arg)
{
    (void)w;
    (void)self;
    (void)arg;
    (void)bgi_fetch_add(&done, 1);
    return 0;
}

static void wait_and_note(struct rig_fiber *self)
{
    bgi_suspend(commit_wait, NULL);
    order[order_n++] = (int)(self - waiting);
    (void)bgi_fetch_add(&done, 1);
}

static void run_and_note(bgi_worker *w, bgi_item *self)
{
    (void)w;
    (void)self;
    order[order_n++] = WAITING;
    (void)bgi_fetch_add(&done, 1);
}

static bgi_item plain_between = {.run = run_and_note};
static size_t pushed;

/* A plain item after the second of them. */
static void run_wake_together(bgi_worker *w, bgi_item *self)
{
    (void)self;
    struct bgi_fifo woken;
    bgi_fifo_init(&woken);
    for (int i = 0; i < WAITING; i++) {
        bgi_item_prefetch_context(&waiting[i].fiber.item);
        bgi_fifo_push(&woken, &waiting[i].fiber.item.link);
        if (i == 1) {
            bgi_item_prefetch_context(&plain_between);
            bgi_fifo_push(&woken, &plain_between.link);
        }
    }
    pushed = bgi_push_woken(w, &woken);
    pushed += bgi_push_woken(w, &woken); /* of which nothing is left */
}

Test(woken, those_that_are_woken_together_go_on_in_order)
{
    static const int expected[] = {0, 1, WAITING, 2, 3, 4};
    bgi_sched *s = rig_start(1, 0);
    bgi_item waker = {.run = run_wake_together};
    for (int i = 0; i < WAITING; i++) {
        rig_fiber_init(&waiting[i], wait_and_note, NULL);
        bgi_submit(s, &waiting[i].fiber.item);
    }
    rig_reach(&done, WAITING);
    bgi_submit(s, &waker);
    rig_reach(&done, 2 * WAITING + 1);
    rig_end(s);
    cr_assert_eq(pushed, WAITING + 1);
    cr_assert_eq(order_n, WAITING + 1);
    cr_assert_arr_eq(order, expected, sizeof expected);
}

/* ---- forced migration ---- */

#ifdef BGI_STRESS_YIELD

static void wait_twice(struct rig_fiber *self)
{
    (void)self;
    bgi_suspend(commit_wait, NULL);
    bgi_suspend(commit_wait, NULL);
    (void)bgi_fetch_add(&done, 1);
}

/* This thread is the worker. Whether the fiber has been sent to the injector, from which it is
 * taken; else it has run. */
static int was_sent_away(bgi_worker *w, bgi_item *item)
{
    struct bgi_fifo chain;
    bgi_word before = bgi_load(&done);
    bgi_worker_is(w);
    bgi_context_adopt(&w->loop);
    bgi_fiber_run(w, item);
    bgi_context_fini(&w->loop);
    bgi_worker_is(NULL);
    int sent = bgi_injector_pop(&w->sched->injector, &chain, 2) == 1;
    cr_assert_eq(bgi_load(&done) - before, !sent);
    return sent;
}

Test(woken, in_stress_builds_who_goes_on_does_so_elsewhere)
{
    struct rig_fiber f;
    bgi_item *item = &f.fiber.item;
    bgi_sched *s = rig_create(2, 0);
    bgi_stress_set_migration(1);
    rig_fiber_init(&f, wait_twice, NULL);
    cr_assert_not(was_sent_away(&s->worker[0], item), "it has not been anywhere");
    cr_assert(was_sent_away(&s->worker[0], item));
    cr_assert(was_sent_away(&s->worker[0], item), "again");
    cr_assert_not(was_sent_away(&s->worker[1], item));
    cr_assert(was_sent_away(&s->worker[1], item));
    bgi_stress_set_migration(0);
    cr_assert_not(was_sent_away(&s->worker[1], item));
    cr_assert_eq(bgi_load(&done), 3);
    bgi_sched_destroy(s);
}

Test(woken, in_stress_builds_nobody_is_sent_away_for_ever)
{
    struct rig_fiber f;
    bgi_item *item = &f.fiber.item;
    bgi_sched *s = rig_create(2, 0);
    bgi_stress_set_migration(1);
    rig_fiber_init(&f, wait_twice, NULL);
    cr_assert_not(was_sent_away(&s->worker[0], item));
    unsigned sent = 0;
    for (; was_sent_away(&s->worker[0], item); sent++) {
    }
    cr_assert_eq(sent, 1000);
    cr_assert(was_sent_away(&s->worker[0], item), "it begins anew");
    cr_assert_not(was_sent_away(&s->worker[1], item));
    bgi_sched_destroy(s);
}

#endif

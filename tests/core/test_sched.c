/*
 * The life of a scheduler: what create refuses, every allocation and thread that cannot be had, and
 * that each item submitted, from wherever, runs once, with fewer and more workers than cores.
 */
#include "core/sched.h"

#include "rig.h"

#include <errno.h>
#include <signal.h>

#include "../support/faults.h"

/* ---- create, start, stop ---- */

Test(sched, what_cannot_be_is_refused)
{
    bgi_sched *s = NULL;
    struct bgi_sched_config config = rig_config(0, 0);
    cr_assert_eq(bgi_sched_create(&s, &config), -EINVAL);
    config = rig_config(BGI_WORKERS_MAX + 1, 0);
    cr_assert_eq(bgi_sched_create(&s, &config), -EINVAL);
    config = rig_config(1, BGI_SPARES_MAX + 1);
    cr_assert_eq(bgi_sched_create(&s, &config), -EINVAL);
    cr_assert_null(s);
}

Test(sched, each_allocation_of_create_may_fail)
{
    struct bgi_sched_config config = rig_config(3, 2);
    bgi_sched *s = NULL;
    size_t before = bgi_alloc_live();
    bgi_fault_arm(BGI_FAULT_MALLOC | BGI_FAULT_MMAP, 0);
    cr_assert_eq(bgi_sched_create(&s, &config), 0);
    size_t calls = bgi_fault_count();
    bgi_sched_destroy(s);
    bgi_fault_disarm();
    cr_assert_geq(calls, 5);
    for (size_t i = 1; i <= calls; i++) {
        s = NULL;
        bgi_fault_arm(BGI_FAULT_MALLOC | BGI_FAULT_MMAP, i);
        cr_assert_eq(bgi_sched_create(&s, &config), -ENOMEM, "call %zu", i);
        bgi_fault_disarm();
        cr_assert_null(s);
        cr_assert_eq(bgi_alloc_live(), before, "call %zu", i);
    }
}

Test(sched, each_thread_of_start_may_be_refused)
{
    for (int caller_is_first = 0; caller_is_first <= 1; caller_is_first++) {
        for (size_t i = 1; i <= 5 - (size_t)caller_is_first; i++) { /* four workers, a monitor */
            bgi_sched *s = rig_create(4, 2);
            bgi_fault_arm(BGI_FAULT_THREAD, i);
            cr_assert_eq(bgi_sched_start(s, caller_is_first), -EAGAIN);
            bgi_fault_disarm();
            cr_assert_not(s->has_monitor);
            for (unsigned w = 0; w < s->places; w++) {
                cr_assert_not(s->worker[w].has_thread);
            }
            bgi_sched_destroy(s);
        }
    }
}

Test(sched, stops_at_any_time)
{
    static const unsigned workers[] = {1, 2, 3, 8, 32};
    for (size_t i = 0; i < BGI_ARRAY_LEN(workers); i++) {
        for (int round = 0; round < 10; round++) {
            bgi_sched *s = rig_start(workers[i], 2);
            if (round % 3 == 1) {
                rig_idle(s);
            } else if (round % 3 == 2) {
                sched_yield();
            }
            bgi_sched_stop(s);
            if (round % 2) {
                bgi_sched_stop(s); /* twice is once */
            }
            bgi_sched_join(s);
            cr_assert_eq(bgi_load(&s->searching), 0);
            cr_assert_eq(bgi_ec_waiting(&s->idle), 0);
            cr_assert_eq(bgi_load(&s->leader), 0);
            bgi_sched_destroy(s);
        }
    }
}

/* ---- items ---- */

struct counted {
    bgi_item item;
    bgi_atomic runs;
    bgi_sched *home;
    bgi_atomic *total;
    struct counted *child; /* to be submitted when it runs */
    unsigned children;
    int way;
};

static bgi_atomic strange; /* ran on no worker, or on another scheduler's */

static void run_counted(bgi_worker *w, bgi_item *item)
{
    struct counted *c = BGI_CONTAINER_OF(item, struct counted, item);
    if (bgi_worker_self() != w || w->sched != c->home) {
        (void)bgi_fetch_add(&strange, 1);
    }
    for (unsigned i = 0; i < c->children; i++) {
        bgi_item *child = &c->child[i].item;
        switch ((c->way + (int)i) % 5) {
        case 0:
            bgi_push(w, child);
            break;
        case 1:
            bgi_ready(w->sched, child);
            break;
        case 2:
            rig_inject(w->sched, child);
            break;
        case 3:
            if (bgi_deque_push(&w->forks, child) != 0) {
                (void)bgi_fetch_add(&strange, 1);
            }
            bgi_notify(w->sched);
            break;
        default:
            bgi_submit(w->sched, child);
        }
    }
    (void)bgi_fetch_add(&c->runs, 1);
    (void)bgi_fetch_add(c->total, 1); /* the last thing done to it */
}

static void count_in(struct counted *c, bgi_sched *home, bgi_atomic *total)
{
    memset((void *)c, 0, sizeof *c);
    c->item.run = run_counted;
    c->home = home;
    c->total = total;
}

enum { SUBMITTERS = 4, EACH = 500, CHILDREN = 5, FAMILY = 1 + CHILDREN + CHILDREN * CHILDREN };

static struct counted item[SUBMITTERS][EACH * FAMILY];

/* Each of a submitter's items has children, who have children. */
static void make_families(bgi_sched *s, bgi_atomic *total)
{
    for (size_t k = 0; k < SUBMITTERS; k++) {
        for (size_t i = 0; i < EACH * FAMILY; i++) {
            count_in(&item[k][i], s, total);
            item[k][i].way = (int)(i % 5);
        }
        for (size_t i = 0; i < EACH; i++) {
            struct counted *first = &item[k][i * FAMILY];
            first->child = first + 1;
            first->children = CHILDREN;
            for (size_t c = 0; c < CHILDREN; c++) {
                first[1 + c].child = &first[1 + CHILDREN + c * CHILDREN];
                first[1 + c].children = CHILDREN;
            }
        }
    }
}

struct submitter {
    pthread_t id;
    bgi_sched *s;
    struct counted *items;
};

static void *submit_families(void *arg)
{
    struct submitter *me = arg;
    for (size_t i = 0; i < EACH; i++) {
        if (i % 2) {
            bgi_submit(me->s, &me->items[i * FAMILY].item);
        } else {
            bgi_ready(me->s, &me->items[i * FAMILY].item);
        }
        if (i % 16 == 0) {
            sched_yield();
        }
    }
    return NULL;
}

static void run_families(unsigned workers)
{
    static bgi_atomic total;
    struct submitter submitter[SUBMITTERS];
    bgi_sched *s = rig_start(workers, 1);
    bgi_store(&total, 0);
    make_families(s, &total);
    for (size_t k = 0; k < SUBMITTERS; k++) {
        submitter[k].s = s;
        submitter[k].items = item[k];
        cr_assert_eq(pthread_create(&submitter[k].id, NULL, submit_families, &submitter[k]), 0);
    }
    for (size_t k = 0; k < SUBMITTERS; k++) {
        cr_assert_eq(pthread_join(submitter[k].id, NULL), 0);
    }
    rig_reach(&total, SUBMITTERS * EACH * FAMILY);
    rig_end(s);
    cr_assert_eq(bgi_load(&total), SUBMITTERS * EACH * FAMILY);
    cr_assert_eq(bgi_load(&strange), 0);
    cr_assert_eq(bgi_load(&rig_dropped_items), 0);
    for (size_t k = 0; k < SUBMITTERS; k++) {
        for (size_t i = 0; i < EACH * FAMILY; i++) {
            cr_assert_eq(bgi_load(&item[k][i].runs), 1);
        }
    }
}

Test(sched, each_item_runs_once_on_one_worker)
{
    run_families(1);
}

Test(sched, each_item_runs_once_on_two_workers)
{
    run_families(2);
}

Test(sched, each_item_runs_once_on_eight_workers)
{
    run_families(8);
}

Test(sched, each_item_runs_once_on_thirty_two_workers)
{
    run_families(32);
}

/* ---- the caller as worker 0 ---- */

static void run_stop(bgi_worker *w, bgi_item *self)
{
    (void)self;
    bgi_sched_stop(w->sched);
}

Test(sched, the_caller_can_be_the_first_worker)
{
    static const unsigned workers[] = {1, 2, 4};
    for (size_t i = 0; i < BGI_ARRAY_LEN(workers); i++) {
        bgi_atomic total = 0;
        bgi_sched *s = rig_create(workers[i], 1);
        make_families(s, &total);
        bgi_item last = {.run = run_stop};
        cr_assert_eq(bgi_sched_start(s, 1), 0);
        cr_assert_not(s->worker[0].has_thread);
        for (size_t k = 0; k < EACH; k++) {
            bgi_submit(s, &item[0][k * FAMILY].item);
        }
        bgi_submit(s, &last);
        bgi_worker_run(&s->worker[0]);
        cr_assert_null(bgi_worker_self());
        bgi_sched_join(s);
        bgi_sched_destroy(s);
        /* Those that were not run when it stopped are dropped; none is forgotten. What an item
         * would have submitted had it run was never there. */
        bgi_word run = 0, there = EACH;
        for (size_t k = 0; k < EACH * FAMILY; k++) {
            const struct counted *c = &item[0][k];
            cr_assert_leq(bgi_load(&c->runs), 1);
            run += bgi_load(&c->runs);
            there += bgi_load(&c->runs) * c->children;
        }
        cr_assert_eq(run, bgi_load(&total));
        cr_assert_eq(run + bgi_load(&rig_dropped_items), there);
        bgi_store(&rig_dropped_items, 0);
    }
}

/* ---- what is left ---- */

static void never(bgi_timer *t, bgi_expiry *out)
{
    (void)t;
    (void)out;
}

Test(sched, what_nobody_ran_is_dropped_once)
{
    enum { N = 1000 };
    static struct counted left[N];
    bgi_timer timer[2];
    bgi_atomic total = 0;
    bgi_sched *s = rig_create(2, 1);
    for (size_t i = 0; i < N; i++) {
        count_in(&left[i], s, &total);
    }
    for (size_t i = 0; i < 200; i++) {
        bgi_submit(s, &left[i].item);
    }
    for (size_t i = 200; i < 900; i++) { /* overflows */
        bgi_push_quiet(&s->worker[i % 2], &left[i].item);
    }
    bgi_store_ptr(&s->worker[0].offered, &left[900].item);
    for (size_t i = 901; i < N - 1; i++) {
        cr_assert_eq(bgi_deque_push(&s->worker[i % 2].forks, &left[i].item), 0);
    }
    cr_assert_null(bgi_runq_put_next(&s->worker[1].queue, &left[N - 1].item.link));
    bgi_timer_init(&timer[0], never);
    bgi_timer_init(&timer[1], never);
    bgi_timers_add_fresh(&s->worker[0].timers, &timer[0], BG_S);
    cr_assert_eq(bgi_timers_start_at(&s->worker[1].timers, &timer[1], BG_TIME_MAX, NULL, NULL), 1);
    bgi_sched_destroy(s);
    cr_assert_eq(bgi_load(&rig_dropped_items), N);
    cr_assert_eq(bgi_load(&rig_dropped_timers), 2);
    cr_assert_eq(bgi_load(&total), 0);
}

/* ---- two of them ---- */

static bgi_sched *pair[2];
static bgi_atomic hops;

static void run_hop(bgi_worker *w, bgi_item *self)
{
    if (bgi_load(&hops) % 2 != (w->sched == pair[1])) {
        (void)bgi_fetch_add(&strange, 1);
    }
    if (bgi_fetch_add(&hops, 1) + 1 < 2000) {
        bgi_sched *to = w->sched == pair[0] ? pair[1] : pair[0];
        bgi_ready(to, self);
    }
}

Test(sched, an_item_goes_to_and_fro_between_two_schedulers)
{
    pair[0] = rig_start(1, 0);
    pair[1] = rig_start(2, 0);
    bgi_item hop = {.run = run_hop};
    bgi_submit(pair[0], &hop);
    rig_reach(&hops, 2000);
    rig_end(pair[1]);
    rig_end(pair[0]);
    cr_assert_eq(bgi_load(&hops), 2000);
    cr_assert_eq(bgi_load(&strange), 0);
}

/* ---- signals ---- */

static bgi_atomic blocked_usr1, blocked_segv;

static void run_look_at_mask(bgi_worker *w, bgi_item *self)
{
    sigset_t mask;
    (void)w;
    (void)self;
    (void)pthread_sigmask(SIG_SETMASK, NULL, &mask);
    bgi_store(&blocked_segv, (bgi_word)sigismember(&mask, SIGSEGV));
    bgi_store_release(&blocked_usr1, 1 + (bgi_word)sigismember(&mask, SIGUSR1));
}

Test(sched, the_programs_signals_are_left_to_the_programs_threads)
{
    sigset_t before, after;
    (void)pthread_sigmask(SIG_SETMASK, NULL, &before);
    bgi_sched *s = rig_start(1, 0);
    (void)pthread_sigmask(SIG_SETMASK, NULL, &after);
    cr_assert_eq(sigismember(&after, SIGUSR1), sigismember(&before, SIGUSR1));
    bgi_item look = {.run = run_look_at_mask};
    bgi_submit(s, &look);
    rig_reach(&blocked_usr1, 1);
    cr_assert_eq(bgi_load(&blocked_usr1), 2);
    cr_assert_eq(bgi_load(&blocked_segv), 0);
    rig_end(s);
}

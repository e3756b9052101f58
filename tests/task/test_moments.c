/*
 * Two at the same task at the same moment: its end against await, detach, wait_any and a thread's
 * wait; two spawners at the last place; a timer that fires as it is started again. The files of the
 * layer are compiled here once more, in place of the library's, with a neighbour who comes just
 * before a compare-and-swap. One worker and no spares: nobody else is there.
 */
#include "check.h"

#include "arch/futex.h"
#include "dies.h"
#include "task/task.h"
#include "wait/queue.h"

#include <brigade/timer.h>

static void (*neighbour)(void);
static unsigned passes; /* compare-and-swaps before the one at which he comes */

static void meet(void)
{
    void (*comes)(void) = neighbour;
    if (comes != NULL && passes-- == 0) {
        neighbour = NULL;
        comes();
    }
}

static int met_cas(bgi_atomic *p, bgi_word old, bgi_word want)
{
    meet();
    return bgi_cas(p, old, want);
}

static bgi_word met_cas_fetch(bgi_atomic *p, bgi_word old, bgi_word want)
{
    meet();
    return bgi_cas_fetch(p, old, want);
}

static void (*timer_neighbour)(void);

static int met_pending_stranger(bgi_timers *home, bgi_timer *t)
{
    if (timer_neighbour != NULL) {
        timer_neighbour();
    }
    return bgi_timers_pending_stranger(home, t);
}

static void (*wait_neighbour)(void);

/* He comes when a wait has failed, before its owner does anything about that. */
static int met_waitq_wait(bgi_waitq *q, bgi_word value, bgi_wait_node *node,
                          const bgi_wait_site *site)
{
    int r = bgi_waitq_wait(q, value, node, site);
    void (*comes)(void) = wait_neighbour;
    if (r != 0 && comes != NULL) {
        wait_neighbour = NULL;
        comes();
    }
    return r;
}

static int no_record, no_memory;

static bg_task *met_alloc(bg_runtime *rt, bgi_worker *w)
{
    return no_record ? NULL : bgi_task_alloc(rt, w);
}

static void *met_malloc(size_t size)
{
    return no_memory ? NULL : bgi_malloc(size);
}

#define bgi_cas met_cas
#define bgi_cas_fetch met_cas_fetch
#define bgi_timers_pending_stranger met_pending_stranger
#define bgi_task_alloc met_alloc
#define bgi_malloc met_malloc
#define bgi_waitq_wait met_waitq_wait
#include "task/after.c"
#include "task/await.c"
#include "task/completed.c"
#include "task/end.c"
#include "task/gather.c"
#include "task/group.c"
#include "task/spawn.c"
#undef bgi_waitq_wait
#undef bgi_cas
#undef bgi_cas_fetch
#undef bgi_timers_pending_stranger
#undef bgi_task_alloc
#undef bgi_malloc

static bg_task *child, *second;
static int reports, reported;

static void count_report(const char *name, int result, void *arg)
{
    (void)name;
    (void)arg;
    reports++;
    reported = result;
}

static bg_runtime *own(void)
{
    return bgi_worker_self()->sched->config.owner;
}

/* A task in no queue: it ends when the test says so. */
static bg_task *make(void)
{
    bg_task *t = bgi_task_make(own(), bgi_worker_self(), return_arg, NULL, NULL, 0, NULL);
    CHECK(t != NULL);
    return t;
}

static void end_with(bg_task *t, int result)
{
    t->fiber.result = result;
    bgi_item *next = bgi_task_end(bgi_worker_self(), t);
    if (next != NULL) {
        bgi_push(bgi_worker_self(), next);
    }
}

static void the_child_ends(void)
{
    end_with(child, -EIO);
}

static void comes_after(unsigned n, void (*who)(void))
{
    passes = n;
    neighbour = who;
}

#define RUN_ALONE(fn)                                                                              \
    do {                                                                                           \
        bg_set_failure_hook(count_report, NULL);                                                   \
        RUN(fn, NULL, .workers = 1, .spares = BG_NO_SPARES);                                       \
        cr_assert_null(neighbour, "he has come");                                                  \
    } while (0)

/* ---- the end against ... ---- */

static int await_meets_the_end(void *arg)
{
    (void)arg;
    child = make();
    comes_after(0, the_child_ends);
    CHECK(bg_await(child) == -EIO);
    CHECK(bgi_load(&bg_self()->waiter.state) / BGI_WAITER_SIGNAL == 0);
    return bg_sleep(1);
}

Test(moments, it_ends_as_it_is_awaited)
{
    RUN_ALONE(await_meets_the_end);
    cr_assert_eq(reports, 0);
}

static int detach_meets_the_end(void *arg)
{
    (void)arg;
    child = make();
    comes_after(0, the_child_ends);
    bg_detach(child);
    CHECK(bgi_load(&child->done) == BGI_TASK_FREE);
    return 0;
}

Test(moments, it_ends_as_it_is_detached)
{
    RUN_ALONE(detach_meets_the_end);
    cr_assert_eq(reports, 1);
    cr_assert_eq(reported, -EIO);
}

static void the_child_is_detached(void)
{
    bg_detach(child);
}

static int end_meets_detach(void *arg)
{
    (void)arg;
    child = make();
    comes_after(0, the_child_is_detached);
    end_with(child, -EIO);
    CHECK(bgi_load(&child->done) == BGI_TASK_FREE);
    return 0;
}

Test(moments, it_is_detached_as_it_ends)
{
    RUN_ALONE(end_meets_detach);
    cr_assert_eq(reports, 1);
    cr_assert_eq(reported, -EIO);
}

static bgi_thread_waiter waiter;

static void a_waiter_registers(void)
{
    bgi_thread_waiter_init(&waiter);
    CHECK(bgi_cas(&child->done, BGI_TASK_LIVE, (bgi_word)&waiter.waiter));
}

static int end_meets_a_waiter(void *arg)
{
    (void)arg;
    child = make();
    comes_after(0, a_waiter_registers);
    end_with(child, 5);
    CHECK(bgi_load(&child->done) == BGI_TASK_DONE);
    CHECK(bgi_load(&waiter.waiter.state) == BGI_WAITER_SIGNAL);
    bgi_store(&waiter.waiter.state, 0);
    CHECK(bg_await(child) == 5);
    return 0;
}

Test(moments, a_waiter_comes_as_it_ends)
{
    RUN_ALONE(end_meets_a_waiter);
}

static int wait_any_meets_an_end(void *arg)
{
    (void)arg;
    size_t index = 9;
    bg_task *tasks[3] = {second = make(), child = make(), make()};
    comes_after(1, the_child_ends); /* the first is registered with by then */
    CHECK(bg_wait_any(tasks, 3, &index) == 0);
    CHECK(index == 1);
    CHECK(bgi_load(&second->done) == BGI_TASK_LIVE);
    end_with(second, 2);
    end_with(tasks[2], 3);
    CHECK(bg_await(second) == 2 && bg_await(child) == -EIO && bg_await(tasks[2]) == 3);
    return 0;
}

Test(moments, one_of_several_ends_as_they_are_waited_for)
{
    RUN_ALONE(wait_any_meets_an_end);
}

/* Runs in between; main is registered with both and waits. */
static int end_the_second(void *arg)
{
    (void)arg;
    comes_after(1, the_child_ends); /* after the cas of this end, at taking the first back */
    end_with(second, 2);
    return 0;
}

static int wait_any_is_owed_a_signal(void *arg)
{
    (void)arg;
    size_t index = 9;
    bg_task *tasks[2] = {child = make(), second = make()};
    bg_task *ender = bg_spawn(end_the_second, NULL);
    CHECK(bg_wait_any(tasks, 2, &index) == 0);
    CHECK(index == 0);
    CHECK(bgi_load(&bg_self()->waiter.state) / BGI_WAITER_SIGNAL == 0);
    CHECK(bg_await(ender) == 0);
    CHECK(bg_await(child) == -EIO && bg_await(second) == 2);
    return bg_sleep(1);
}

Test(moments, another_ends_as_its_registration_is_taken_back)
{
    RUN_ALONE(wait_any_is_owed_a_signal);
}

static int describe_waits(void *arg)
{
    char text[64], small[24];
    (void)arg;
    bg_task *tasks[2] = {bg_spawn(return_arg, NULL, .name = "soup"),
                         bg_spawn(return_arg, NULL, .name = "stew")};
    struct any any = {tasks, 1, 0};
    bgi_wait_any.describe(&any, text, sizeof text);
    CHECK(strcmp(text, "task 'soup'") == 0);
    any.n = 2;
    bgi_wait_any.describe(&any, text, sizeof text);
    CHECK(strcmp(text, "the first of tasks 'soup', 'stew'") == 0);
    bgi_wait_any.describe(&any, small, sizeof small);
    CHECK(strcmp(small, "the first of tasks 'sou") == 0);
    return bg_gather_all(tasks, 2, NULL);
}

Test(moments, a_wait_for_several_is_described)
{
    RUN_ALONE(describe_waits);
}

#if BGI_DEBUG

static int detach_self(void *arg)
{
    (void)arg;
    bg_detach(bg_self());
    return 0;
}

static int run_detach_self(void *arg)
{
    return bg_await(bg_spawn(detach_self, arg));
}

static int run_detach_fresh(void *arg)
{
    (void)arg;
    (void)bg_spawn(detach_self, NULL, .name = "soup");
    bg_yield();
    return 0;
}

static void run_it(void *fn)
{
    (void)bg_run(*(bg_fn *)fn, NULL, .workers = 1, .spares = BG_NO_SPARES);
}

Test(moments, its_own_handle_is_not_a_tasks_to_give_back)
{
    bg_fn awaited = run_detach_self, fresh = run_detach_fresh;
    DIES(run_it, &awaited, "bg_detach");
    DIES(run_it, &fresh, "a task's own handle is not its to give back");
}

#endif

/* ---- the end of all ---- */

Test(moments, a_runtime_is_told_twice_to_stop)
{
    bg_runtime *rt = NULL;
    cr_assert_eq(bg_runtime_create(&rt, .workers = 1, .spares = BG_NO_SPARES), 0);
    bg_task *t = bg_runtime_spawn(rt, sleep_forever, NULL);
    bgi_runtime_begin_stop(rt);
    bgi_runtime_begin_stop(rt);
    cr_assert_eq(bg_runtime_wait(rt, t), -ECANCELED);
    cr_assert_eq(bg_runtime_shutdown(rt), 0);
}

/* ---- so many at most ---- */

static void another_spawns(void)
{
    second = bg_spawn(return_arg, INT_ARG(2));
}

static int two_spawn(void *arg)
{
    (void)arg;
    comes_after(0, another_spawns);
    child = bg_spawn(return_arg, INT_ARG(1));
    CHECK(second != NULL && child != NULL);
    bg_task *third = bg_spawn(return_arg, INT_ARG(3));
    CHECK(third == NULL);
    CHECK(bg_await(child) == 1 && bg_await(second) == 2);
    return 0;
}

Test(moments, two_spawn_at_once)
{
    RUN(two_spawn, NULL, .workers = 1, .spares = BG_NO_SPARES, .max_tasks = 3);
}

static int two_spawn_the_last(void *arg)
{
    (void)arg;
    comes_after(0, another_spawns);
    child = bg_spawn(return_arg, INT_ARG(1));
    CHECK(second != NULL);
    CHECK(child == NULL);
    CHECK(bg_await(second) == 2);
    return 0;
}

Test(moments, two_spawn_at_once_and_there_is_one_place)
{
    RUN(two_spawn_the_last, NULL, .workers = 1, .spares = BG_NO_SPARES, .max_tasks = 2);
}

static int spawn_without_memory(void *arg)
{
    (void)arg;
    for (int i = 0; i < 5; i++) {
        no_record = 1;
        CHECK(bg_spawn(return_arg, NULL) == NULL);
        no_record = 0;
        no_memory = 1;
        CHECK(bg_spawn(return_arg, NULL, .name = "soup") == NULL);
        no_memory = 0;
        CHECK(bgi_load(&own()->alive) == 1);
        CHECK(bg_await(bg_spawn(return_arg, INT_ARG(i), .name = "soup")) == i);
    }
    return 0;
}

Test(moments, what_could_not_be_spawned_takes_no_place)
{
    RUN(spawn_without_memory, NULL, .workers = 1, .spares = BG_NO_SPARES, .max_tasks = 2);
    RUN(spawn_without_memory, NULL, .workers = 1, .spares = BG_NO_SPARES, .max_tasks = 3);
}

/* ---- timers ---- */

static bgi_timers elsewhere;
static bg_timer timer;
static bgi_atomic calls;

static int count_call(void *arg)
{
    (void)arg;
    add_one(&calls);
    return 0;
}

static bgi_timer *inner(void)
{
    struct callback *c = (void *)&timer;
    return &c->timer;
}

static void it_fires_elsewhere(void)
{
    bgi_expiry out = {NULL, NULL, NULL, NULL};
    CHECK(bgi_timers_stop_stranger(&elsewhere, inner()) == 1);
    inner()->expire(inner(), &out);
    CHECK(out.act != NULL);
}

static int start_what_fires(void *arg)
{
    (void)arg;
    bgi_timers_init(&elsewhere, 0);
    bg_timer_init(&timer);
    CHECK(bgi_timers_start_at(&elsewhere, inner(), BG_S, NULL, NULL) == 1);
    CHECK(bg_timer_start(&timer, 0, count_call, NULL) == -EBUSY);
    timer_neighbour = it_fires_elsewhere;
    CHECK(bg_timer_start(&timer, 0, count_call, NULL) == 0);
    timer_neighbour = NULL;
    yield_until(&calls, 1);
    CHECK(bg_timer_cancel(&timer) == 0);
    return 0;
}

Test(moments, a_timer_fires_elsewhere_as_it_is_started)
{
    RUN(start_what_fires, NULL, .workers = 1, .spares = BG_NO_SPARES);
    cr_assert_eq(bgi_load(&calls), 1);
}

static void expire_other(bgi_timer *t, bgi_expiry *out)
{
    (void)t;
    (void)out;
}

static void run_other(bgi_worker *w, bgi_item *item)
{
    (void)w;
    (void)item;
}

Test(moments, what_is_left_of_another_layer_is_left_alone)
{
    bgi_timer t;
    bgi_item item = {.run = run_other};
    bgi_timer_init(&t, expire_other);
    bgi_store_ptr(&t.home, &elsewhere);
    bgi_timer *volatile left = &t; /* the compiler has seen what would be freed */
    bgi_after_drop_timer(left);
    cr_assert_eq(bgi_timer_home(&t), &elsewhere);
    bgi_item *volatile queued = &item;
    bgi_after_drop_item(queued);
    cr_assert(item.run == run_other);
}

/* Whose memory was not freed would show under the address sanitizer. */
Test(moments, what_is_left_of_this_layer_is_freed)
{
    for (int queued = 0; queued < 2; queued++) {
        struct after *a = bgi_malloc(sizeof *a);
        cr_assert_not_null(a);
        bgi_timer_init(&a->timer, expire_after);
        a->item.run = run_after;
        if (queued) {
            bgi_after_drop_item(&a->item);
        } else {
            bgi_after_drop_timer(&a->timer);
        }
    }
    bg_timer_init(&timer);
    bgi_store_ptr(&inner()->home, &elsewhere);
    bgi_timer *volatile callers = inner();
    bgi_after_drop_timer(callers);
    cr_assert_null(bgi_timer_home(inner()), "it is the caller's");
}

#if !BGI_DEBUG
Test(moments, a_plain_thread_awaits_nothing)
{
    bg_runtime *rt = NULL;
    cr_assert_eq(bg_runtime_create(&rt, .workers = 1), 0);
    bg_task *t = bg_runtime_spawn(rt, return_arg, INT_ARG(3));
    cr_assert_eq(bg_await(t), -EPERM);
    cr_assert_eq(bg_await(NULL), -ENOMEM);
    cr_assert_eq(bg_runtime_wait(rt, t), 3);
    cr_assert_eq(bg_runtime_shutdown(rt), 0);
}
#endif

/* ---- the last member's end, when the join has just failed ---- */

static bgi_atomic go_on, member_done;

static int ends_when_told(void *arg)
{
    (void)arg;
    bg_shield
    {
        yield_until(&go_on, 1);
    }
    bgi_store(&member_done, 1);
    return 0;
}

static void the_member_ends(void)
{
    bgi_store(&go_on, 1);
    yield_until(&member_done, 1);
    bg_yield(); /* its end follows */
}

static int join_meets_the_last_end(void *arg)
{
    (void)arg;
    int rc = 1;
    wait_neighbour = the_member_ends;
    bg_timeout (BG_MS) {
        bg_group (g, .result = &rc) {
            CHECK(bg_group_spawn(&g, ends_when_told, NULL) == 0);
        }
    }
    CHECK(rc == -ETIMEDOUT && wait_neighbour == NULL);
    return 0;
}

Test(moments, a_join_that_fails_meets_the_last_end)
{
    RUN_ALONE(join_meets_the_last_end);
}

/* ---- a record that comes in when its loop is being left ---- */

static bg_task *comes_late;
static struct completion *left;

/* As the end of a task does in two steps; this is the first. */
static void the_first_half_of_its_end(void)
{
    bgi_store_release(&comes_late->done, BGI_TASK_DONE);
}

static int the_second_half(void *arg)
{
    (void)arg;
    bgi_item *next = left->sink.ended(&left->sink, comes_late, bgi_worker_self());
    if (next != NULL) {
        bgi_push(bgi_worker_self(), next);
    }
    return 0;
}

static int leaving_meets_an_end(void *arg)
{
    (void)arg;
    bg_completion it;
    bg_task *all[1];
    comes_late = all[0] = make();
    left = (struct completion *)(void *)&it;
    (void)bg_as_completed_open(&it, all, 1);
    bg_task *other = bg_spawn(the_second_half, NULL);
    comes_after(0, the_first_half_of_its_end);
    bg_as_completed_close(&it);
    CHECK(left->coming == 0);
    CHECK(bg_await(other) == 0);
    comes_late->fiber.result = 0;
    bgi_count_owned(&own()->cache[bgi_worker_self()->index].ended, 1);
    CHECK(bg_await(all[0]) == 0);
    return 0;
}

Test(moments, a_loop_that_is_left_meets_an_end)
{
    RUN_ALONE(leaving_meets_an_end);
}

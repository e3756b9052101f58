/*
 * Misuse of synchronisation, in builds that catch it: one line on stderr that says what, and who,
 * then abort(). And what is no misuse, though it looks like it.
 */
#include "../task/child.h"
#include "sync.h"

#if BGI_DEBUG

struct misuse {
    bg_fn fn;
    int thread; /* called by a plain thread, not in a task */
};

static void commit_misuse(void *arg)
{
    const struct misuse *m = arg;
    if (m->thread) {
        (void)m->fn(NULL);
    } else {
        (void)bg_run(m->fn, NULL, .workers = 1, .name = "chef");
    }
}

static struct child_end run_misuse(bg_fn fn, int thread)
{
    struct misuse m = {fn, thread};
    return child_run(commit_misuse, &m);
}

static void caught(bg_fn fn, int thread, const char *function, const char *task, const char *what)
{
    char begin[128];
    struct child_end end = run_misuse(fn, thread);
    (void)snprintf(begin, sizeof begin, "brigade: misuse: %s%s%s%s: ", function,
                   task != NULL ? " in task '" : "", task != NULL ? task : "",
                   task != NULL ? "'" : "");
    cr_assert_eq(end.signal, SIGABRT, "%s: signal %d, status %d: %s", function, end.signal,
                 end.status, end.words);
    cr_assert_not_null(strstr(end.words, begin), "%s: %s", function, end.words);
    cr_assert_not_null(strstr(end.words, what), "%s: %s", function, end.words);
}

/* By a task and by a thread. */
static void caught_both(bg_fn fn, const char *function, const char *what)
{
    caught(fn, 0, function, "chef", what);
    caught(fn, 1, function, NULL, what);
}

static void allowed(bg_fn fn)
{
    for (int thread = 0; thread < 2; thread++) {
        struct child_end end = run_misuse(fn, thread);
        cr_assert(end.signal == 0 && end.status == 0, "signal %d, status %d: %s", end.signal,
                  end.status, end.words);
    }
}

static bg_mutex a = BG_MUTEX_INIT, b = BG_MUTEX_INIT, c = BG_MUTEX_INIT;
static bg_rwlock rw = BG_RWLOCK_INIT;
static bg_cond cond = BG_COND_INIT;

/* ---- who holds it ---- */

static int lock_twice(void *arg)
{
    (void)arg;
    (void)bg_mutex_lock(&a);
    return bg_mutex_lock(&a);
}

static int unlock_free(void *arg)
{
    (void)arg;
    return bg_mutex_unlock(&a);
}

static int unlock_twice(void *arg)
{
    (void)arg;
    (void)bg_mutex_lock(&a);
    (void)bg_mutex_unlock(&a);
    return bg_mutex_unlock(&a);
}

static int unlock_a(void *arg)
{
    (void)arg;
    return bg_mutex_unlock(&a);
}

static int unlock_anothers(void *arg)
{
    (void)arg;
    (void)bg_mutex_lock(&a);
    return bg_await(bg_spawn(unlock_a, NULL, .name = "waiter"));
}

static int thread_unlocks_a_tasks(void *arg)
{
    struct helper h;
    (void)arg;
    (void)bg_mutex_lock(&a);
    helper_start(&h, unlock_a, NULL);
    return helper_end(&h);
}

static int end_with_it(void *arg)
{
    (void)arg;
    return bg_mutex_lock(&a);
}

static int end_with_one_of_two(void *arg)
{
    (void)arg;
    (void)bg_mutex_lock(&a);
    (void)bg_mutex_lock(&b);
    return bg_mutex_unlock(&b);
}

static int end_with_a_write_lock(void *arg)
{
    (void)arg;
    return bg_rwlock_write_lock(&rw);
}

static int wait_without(void *arg)
{
    (void)arg;
    return bg_cond_wait(&cond, &a);
}

Test(misuse, of_a_mutex)
{
    caught_both(lock_twice, "bg_mutex_lock", "holds it already");
    caught_both(unlock_free, "bg_mutex_unlock", "held by nobody");
    caught_both(unlock_twice, "bg_mutex_unlock", "held by nobody");
    caught(unlock_anothers, 0, "bg_mutex_unlock", "waiter", "held by somebody else");
    caught(thread_unlocks_a_tasks, 0, "bg_mutex_unlock", NULL, "held by somebody else");
    caught(end_with_it, 0, "bg_mutex_unlock", "chef", "has ended with a lock held");
    caught(end_with_one_of_two, 0, "bg_mutex_unlock", "chef", "has ended with a lock held");
    caught(end_with_a_write_lock, 0, "bg_mutex_unlock", "chef", "has ended with a lock held");
    caught_both(wait_without, "bg_cond_wait", "held by nobody");
}

static int write_twice(void *arg)
{
    (void)arg;
    (void)bg_rwlock_write_lock(&rw);
    return bg_rwlock_write_lock(&rw);
}

static int read_ones_own(void *arg)
{
    (void)arg;
    (void)bg_rwlock_write_lock(&rw);
    return bg_rwlock_read_lock(&rw);
}

static int unlock_free_rw(void *arg)
{
    (void)arg;
    return bg_rwlock_unlock(&rw);
}

static int unlock_anothers_rw(void *arg)
{
    (void)arg;
    (void)bg_rwlock_write_lock(&rw);
    return bg_await(bg_spawn(unlock_free_rw, NULL, .name = "waiter"));
}

Test(misuse, of_a_rwlock)
{
    caught_both(write_twice, "bg_rwlock_write_lock", "holds it already");
    caught_both(read_ones_own, "bg_rwlock_read_lock", "holds it already");
    caught_both(unlock_free_rw, "bg_rwlock_unlock", "held by nobody");
    caught(unlock_anothers_rw, 0, "bg_rwlock_unlock", "waiter", "held by somebody else");
}

/* ---- destroyed too early ---- */

static bg_sem sem = BG_SEM_INIT(0);
static bg_event event = BG_EVENT_INIT;
static bg_barrier barrier = BG_BARRIER_INIT(2);
static bg_latch latch = BG_LATCH_INIT(1);
static bg_once once = BG_ONCE_INIT;

static int wait_on(void *arg)
{
    if (arg == &a) {
        return bg_mutex_lock(&a);
    }
    if (arg == &rw) {
        return bg_rwlock_read_lock(&rw);
    }
    if (arg == &cond) {
        (void)bg_mutex_lock(&b);
        return bg_cond_wait(&cond, &b);
    }
    return arg == &sem       ? bg_sem_acquire(&sem)
           : arg == &event   ? bg_event_wait(&event)
           : arg == &barrier ? bg_barrier_wait(&barrier)
                             : bg_latch_wait(&latch);
}

static void with_a_waiter(void *object)
{
    (void)bg_spawn(wait_on, object);
    until_waiting(object, 1);
}

static int destroy_held(void *arg)
{
    (void)arg;
    (void)bg_mutex_lock(&a);
    bg_mutex_destroy(&a);
    return 0;
}

static int destroy_waited(void *arg)
{
    (void)arg;
    (void)bg_mutex_lock(&a);
    with_a_waiter(&a);
    bg_mutex_destroy(&a);
    return 0;
}

static int destroy_held_rw(void *arg)
{
    (void)arg;
    (void)bg_rwlock_read_lock(&rw);
    bg_rwlock_destroy(&rw);
    return 0;
}

static int destroy_waited_rw(void *arg)
{
    (void)arg;
    (void)bg_rwlock_write_lock(&rw);
    with_a_waiter(&rw);
    bg_rwlock_destroy(&rw);
    return 0;
}

static int destroy_cond(void *arg)
{
    (void)arg;
    with_a_waiter(&cond);
    bg_cond_destroy(&cond);
    return 0;
}

static int destroy_sem(void *arg)
{
    (void)arg;
    with_a_waiter(&sem);
    bg_sem_destroy(&sem);
    return 0;
}

static int destroy_event(void *arg)
{
    (void)arg;
    with_a_waiter(&event);
    bg_event_destroy(&event);
    return 0;
}

static int destroy_barrier(void *arg)
{
    (void)arg;
    with_a_waiter(&barrier);
    bg_barrier_destroy(&barrier);
    return 0;
}

static int destroy_latch(void *arg)
{
    (void)arg;
    with_a_waiter(&latch);
    bg_latch_destroy(&latch);
    return 0;
}

static int destroy_itself(void *arg)
{
    bg_once_destroy(arg);
    return 0;
}

static int destroy_once(void *arg)
{
    (void)arg;
    return bg_once_run(&once, destroy_itself, &once);
}

Test(misuse, destroyed_while_it_is_used)
{
    caught_both(destroy_held, "bg_mutex_destroy", "it is held");
    caught(destroy_waited, 0, "bg_mutex_destroy", "chef", "it is held, and waited for");
    caught_both(destroy_held_rw, "bg_rwlock_destroy", "it is held");
    caught(destroy_waited_rw, 0, "bg_rwlock_destroy", "chef", "it is held, and waited for");
    caught(destroy_cond, 0, "bg_cond_destroy", "chef", "somebody waits for it");
    caught(destroy_sem, 0, "bg_sem_destroy", "chef", "somebody waits for it");
    caught(destroy_event, 0, "bg_event_destroy", "chef", "somebody waits for it");
    caught(destroy_barrier, 0, "bg_barrier_destroy", "chef", "somebody waits in it");
    caught(destroy_latch, 0, "bg_latch_destroy", "chef", "somebody waits for it");
    caught_both(destroy_once, "bg_once_destroy", "somebody runs it");
}

/* ---- once, and two mutexes for one condition ---- */

static int run_itself(void *arg)
{
    return bg_once_run(arg, run_itself, arg);
}

static int once_in_itself(void *arg)
{
    (void)arg;
    return bg_once_run(&once, run_itself, &once);
}

static int two_mutexes(void *arg)
{
    (void)arg;
    with_a_waiter(&cond); /* with b */
    (void)bg_mutex_lock(&a);
    return bg_cond_wait(&cond, &a);
}

Test(misuse, once_within_itself)
{
    caught_both(once_in_itself, "bg_once_run", "running it already");
}

Test(misuse, a_condition_with_two_mutexes)
{
    caught(two_mutexes, 0, "bg_cond_wait", "chef", "with another mutex");
}

/* ---- waiting in a callback ---- */

static bg_fn called_back;

static int call_back(void *arg)
{
    (void)arg;
    (void)bg_after(0, called_back, NULL);
    return bg_sleep(BG_FOREVER);
}

static int cb_mutex(void *arg)
{
    (void)arg;
    return bg_mutex_lock(&a);
}

static int cb_sem(void *arg)
{
    (void)arg;
    return bg_sem_acquire(&sem);
}

static int cb_event(void *arg)
{
    (void)arg;
    return bg_event_wait(&event);
}

static int cb_cond(void *arg)
{
    (void)arg;
    (void)bg_mutex_try_lock(&a);
    return bg_cond_wait(&cond, &a);
}

static int cb_barrier(void *arg)
{
    (void)arg;
    return bg_barrier_wait(&barrier);
}

static int cb_latch(void *arg)
{
    (void)arg;
    return bg_latch_wait(&latch);
}

static int cb_once(void *arg)
{
    (void)arg;
    return bg_once_run(&once, return_arg, NULL);
}

static int cb_read(void *arg)
{
    (void)arg;
    return bg_rwlock_read_lock(&rw);
}

static int cb_write(void *arg)
{
    (void)arg;
    return bg_rwlock_write_lock(&rw);
}

static int cb_tick(void *arg)
{
    bg_ticker k;
    (void)arg;
    (void)bg_ticker_init(&k, BG_MS);
    return bg_tick(&k);
}

static void caught_in_callback(bg_fn fn, const char *function)
{
    called_back = fn;
    caught(call_back, 0, function, NULL, "called outside of a task");
}

Test(misuse, in_a_callback)
{
    caught_in_callback(cb_mutex, "bg_mutex_lock");
    caught_in_callback(cb_sem, "bg_sem_acquire");
    caught_in_callback(cb_event, "bg_event_wait");
    caught_in_callback(cb_cond, "bg_cond_wait");
    caught_in_callback(cb_barrier, "bg_barrier_wait");
    caught_in_callback(cb_latch, "bg_latch_wait");
    caught_in_callback(cb_once, "bg_once_run");
    caught_in_callback(cb_read, "bg_rwlock_read_lock");
    caught_in_callback(cb_write, "bg_rwlock_write_lock");
    caught_in_callback(cb_tick, "bg_tick");
}

/* ---- the order of mutexes ---- */

static void in_order(bg_mutex *first, bg_mutex *second)
{
    CHECK(bg_mutex_lock(first) == 0);
    CHECK(bg_mutex_lock(second) == 0);
    CHECK(bg_mutex_unlock(second) == 0);
    CHECK(bg_mutex_unlock(first) == 0);
}

static int a_then_b(void *arg)
{
    (void)arg;
    in_order(&a, &b);
    return 0;
}

static int b_then_c(void *arg)
{
    (void)arg;
    in_order(&b, &c);
    return 0;
}

static int in_task(bg_fn fn, const char *name)
{
    return bg_self() == NULL ? fn(NULL) : bg_await(bg_spawn(fn, NULL, .name = name));
}

/* Long after the other has ended. */
static int two_orders(void *arg)
{
    (void)arg;
    CHECK(in_task(a_then_b, "soup") == 0);
    in_order(&b, &a);
    return 0;
}

static int round_of_three(void *arg)
{
    (void)arg;
    CHECK(in_task(a_then_b, "soup") == 0);
    CHECK(in_task(b_then_c, "stew") == 0);
    in_order(&c, &a);
    return 0;
}

/* What was tried is held as well as what was waited for. */
static int tried_first(void *arg)
{
    (void)arg;
    CHECK(in_task(a_then_b, "soup") == 0);
    CHECK(bg_mutex_try_lock(&b) == 0);
    return bg_mutex_lock(&a);
}

/* Waiting for a condition takes its mutex again, with the other still held. */
static int with_condition(void *arg)
{
    (void)arg;
    CHECK(bg_mutex_lock(&a) == 0);
    CHECK(bg_mutex_lock(&b) == 0);
    return bg_cond_wait(&cond, &a);
}

static int with_write_lock(void *arg)
{
    (void)arg;
    CHECK(bg_rwlock_write_lock(&rw) == 0);
    CHECK(bg_mutex_lock(&a) == 0);
    CHECK(bg_mutex_unlock(&a) == 0);
    CHECK(bg_rwlock_unlock(&rw) == 0);
    CHECK(bg_mutex_lock(&a) == 0);
    return bg_rwlock_write_lock(&rw);
}

static void expect_words(bg_fn fn, const char *format, const void *p1, const void *p2,
                         const void *p3, const void *p4)
{
    char words[512];
    struct child_end end = run_misuse(fn, 0);
    (void)snprintf(words, sizeof words, format, p1, p2, p3, p4);
    cr_assert_eq(end.signal, SIGABRT);
    cr_assert_not_null(strstr(end.words, words), "%s: %s", words, end.words);
}

Test(misuse, mutexes_in_two_orders)
{
    caught_both(two_orders, "bg_mutex_lock", "this order of locks can deadlock");
    caught_both(round_of_three, "bg_mutex_lock", "this order of locks can deadlock");
    caught_both(tried_first, "bg_mutex_lock", "this order of locks can deadlock");
    caught_both(with_condition, "bg_cond_wait", "this order of locks can deadlock");
    caught_both(with_write_lock, "bg_rwlock_write_lock", "this order of locks can deadlock");
    expect_words(two_orders,
                 "it takes %p while it holds %p, but before, task 'soup' took %p while it held %p",
                 &a, &b, &b, &a);
    expect_words(
        round_of_three,
        "before, task 'soup' took %p while it held %p, task 'stew' took %p while it held %p", &b,
        &a, &c, &b);
    struct child_end end = run_misuse(two_orders, 1);
    cr_assert_not_null(strstr(end.words, "before, a plain thread took"), "%s", end.words);
}

/* ---- no misuse ---- */

static int tried_second(void *arg)
{
    (void)arg;
    in_order(&a, &b);
    CHECK(bg_mutex_lock(&b) == 0);
    CHECK(bg_mutex_try_lock(&a) == 0); /* never waits */
    CHECK(bg_mutex_unlock(&b) == 0);
    CHECK(bg_mutex_unlock(&a) == 0);
    return 0;
}

static int no_circle(void *arg)
{
    (void)arg;
    in_order(&a, &b);
    in_order(&b, &c);
    in_order(&a, &c);
    in_order(&a, &b);
    return 0;
}

/* Unlocked in whatever order. */
static int crossed(void *arg)
{
    (void)arg;
    for (int i = 0; i < 3; i++) {
        CHECK(bg_mutex_lock(&a) == 0);
        CHECK(bg_mutex_lock(&b) == 0);
        CHECK(bg_mutex_lock(&c) == 0);
        CHECK(bg_mutex_unlock(i == 0 ? &a : i == 1 ? &b : &c) == 0);
        CHECK(bg_mutex_unlock(i == 0 ? &c : &a) == 0);
        CHECK(bg_mutex_unlock(i == 1 ? &c : &b) == 0);
    }
    return 0;
}

/* One that is destroyed, or begins anew, is another. */
static int begun_anew(void *arg)
{
    (void)arg;
    in_order(&a, &b);
    bg_mutex_destroy(&a);
    in_order(&b, &a);
    bg_mutex_init(&b);
    in_order(&a, &b);
    return 0;
}

/* The way from one to the other led through one that is gone. */
static int through_the_dead(void *arg)
{
    (void)arg;
    in_order(&a, &b);
    in_order(&b, &c);
    bg_mutex_destroy(&b);
    in_order(&c, &a);
    return 0;
}

static int turned_off(void *arg)
{
    (void)arg;
    (void)setenv("BRIGADE_LOCK_ORDER", "0", 1);
    in_order(&a, &b);
    in_order(&b, &a);
    return 0;
}

Test(misuse, is_not_everything)
{
    allowed(tried_second);
    allowed(no_circle);
    allowed(crossed);
    allowed(begun_anew);
    allowed(through_the_dead);
    allowed(turned_off);
}

/* More mutexes, and more pairs of them, than the tables hold: all is forgotten and learned again.
 */
static int many_mutexes(void *arg)
{
    enum { N = 3000 };
    static bg_mutex many[N];
    (void)arg;
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < N; i++) {
            in_order(&a, &many[i]);
        }
        in_order(&a, &b);
    }
    return 0;
}

static int many_pairs(void *arg)
{
    enum { N = 120 };
    static bg_mutex many[N];
    (void)arg;
    for (int i = 0; i < N; i++) {
        for (int k = i + 1; k < N; k++) {
            in_order(&many[i], &many[k]);
        }
    }
    return 0;
}

static int two_orders_after_many(void *arg)
{
    CHECK(many_mutexes(arg) == 0);
    CHECK(many_pairs(arg) == 0);
    return two_orders(arg);
}

Test(misuse, is_found_after_any_number_of_mutexes)
{
    allowed(many_mutexes);
    allowed(many_pairs);
    caught_both(two_orders_after_many, "bg_mutex_lock", "this order of locks can deadlock");
}

#else

Test(misuse, is_an_error_code_in_release_builds)
{
    static bg_mutex a = BG_MUTEX_INIT;
    static bg_rwlock rw = BG_RWLOCK_INIT;
    static bg_cond cond = BG_COND_INIT;
    cr_assert_eq(bg_mutex_unlock(&a), -EPERM);
    cr_assert_eq(bg_rwlock_unlock(&rw), -EPERM);
    cr_assert_eq(bg_cond_wait(&cond, &a), -EPERM);
    cr_assert_eq(bg_mutex_lock(&a), 0);
    cr_assert_eq(bg_mutex_unlock(&a), 0);
}

static int codes[12];

static int waits_in_a_callback(void *done)
{
    static bg_mutex a = BG_MUTEX_INIT;
    static bg_rwlock rw = BG_RWLOCK_INIT;
    static bg_cond cond = BG_COND_INIT;
    static bg_sem sem = BG_SEM_INIT(1);
    static bg_event event = BG_EVENT_INIT;
    static bg_barrier barrier = BG_BARRIER_INIT(1);
    static bg_latch latch = BG_LATCH_INIT(0);
    static bg_once once = BG_ONCE_INIT;
    bg_ticker k;
    int n = 0;
    codes[n++] = bg_mutex_lock(&a);
    codes[n++] = bg_rwlock_read_lock(&rw);
    codes[n++] = bg_rwlock_write_lock(&rw);
    codes[n++] = bg_mutex_try_lock(&a) == 0 ? bg_cond_wait(&cond, &a) : 0;
    codes[n++] = bg_sem_acquire(&sem);
    codes[n++] = bg_event_wait(&event);
    codes[n++] = bg_barrier_wait(&barrier);
    codes[n++] = bg_latch_wait(&latch);
    codes[n++] = bg_once_run(&once, return_arg, NULL);
    codes[n++] = bg_ticker_init(&k, BG_MS) == 0 ? bg_tick(&k) : 0;
    codes[n++] = bg_mutex_unlock(&a);
    return bg_event_set(done);
}

static int waits_for_a_callback(void *arg)
{
    bg_event done = BG_EVENT_INIT;
    (void)arg;
    CHECK(bg_after(0, waits_in_a_callback, &done) == 0);
    return bg_event_wait(&done);
}

Test(misuse, a_callback_does_not_wait)
{
    RUN(waits_for_a_callback, NULL, .workers = 1);
    for (int i = 0; i < 10; i++) {
        cr_assert_eq(codes[i], -EPERM, "call %d: %d", i, codes[i]);
    }
    cr_assert_eq(codes[10], 0);
}

#endif

/* ---- what a callback may do ---- */

static bg_mutex cm = BG_MUTEX_INIT;
static bg_cond cc = BG_COND_INIT;
static bg_sem cs = BG_SEM_INIT(0);
static bg_rwlock cr = BG_RWLOCK_INIT;
static bg_latch cl = BG_LATCH_INIT(1);
static bg_event ce = BG_EVENT_INIT;
static int told;

static int calls(void *arg)
{
    (void)arg;
    CHECK(bg_mutex_try_lock(&cm) == 0);
    told = 1;
    CHECK(bg_cond_signal(&cc) == 0);
    CHECK(bg_cond_broadcast(&cc) == 0);
    CHECK(bg_mutex_unlock(&cm) == 0);
    CHECK(bg_sem_release(&cs) == 0);
    CHECK(bg_sem_try_acquire(&cs) == -EAGAIN || bg_sem_release(&cs) == 0);
    CHECK(bg_rwlock_try_read_lock(&cr) == 0);
    CHECK(bg_rwlock_unlock(&cr) == 0);
    CHECK(bg_rwlock_try_write_lock(&cr) == 0);
    CHECK(bg_rwlock_unlock(&cr) == 0);
    CHECK(bg_latch_count_down(&cl, 1) == 0);
    CHECK(bg_latch_try_wait(&cl) == 0);
    CHECK(bg_event_clear(&ce) == 0);
    CHECK(bg_event_set(&ce) == 0);
    CHECK(bg_event_is_set(&ce) == 1);
    return 0;
}

static int served_by_a_callback(void *arg)
{
    (void)arg;
    told = 0;
    bg_event_init(&ce);
    CHECK(bg_latch_init(&cl, 1) == 0);
    CHECK(bg_sem_init(&cs, 0) == 0);
    CHECK(bg_after(BG_US, calls, NULL) == 0);
    CHECK(bg_mutex_lock(&cm) == 0);
    while (!told) {
        CHECK(bg_cond_wait(&cc, &cm) == 0);
    }
    CHECK(bg_mutex_unlock(&cm) == 0);
    CHECK(bg_sem_acquire(&cs) == 0);
    CHECK(bg_latch_wait(&cl) == 0);
    CHECK(bg_event_wait(&ce) == 0);
    return 0;
}

Test(misuse, is_not_what_a_callback_does_without_waiting)
{
    cr_assert_eq(bg_explore(served_by_a_callback, NULL, .seeds = MANY(300)), 0);
    NO_CHECK_FAILED();
    RUN(served_by_a_callback, NULL, .workers = 1);
}

/*
 * bg_blocking: results, what is called where, cancellation at every point of a call's life, the end
 * of a runtime, refusals, several runtimes, the deterministic mode.
 *
 * Labels: valgrind aarch64 long
 */
#include "../task/child.h"
#include "latch.h"

#include <fcntl.h>

/* ---- calls ---- */

static int main_results(void *arg)
{
    (void)arg;
    CHECK(bg_blocking(return_arg, INT_ARG(0)) == 0);
    CHECK(bg_blocking(return_arg, INT_ARG(7)) == 7);
    CHECK(bg_blocking(return_arg, INT_ARG(-EIO)) == -EIO);
    CHECK(bg_blocking(return_arg, INT_ARG(INT32_MIN)) == INT32_MIN);
    CHECK(bg_blocking(NULL, NULL) == -EINVAL);
    return 0;
}

Test(blocking, the_result_is_what_the_function_returned)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(main_results, NULL, .workers = w);
    }
    RUN(main_results, NULL, .seed = 3);
}

struct order {
    int table;
    const char *dish;
};

static int cook(void *arg)
{
    struct order *o = arg;
    int r = strcmp(o->dish, "soup") == 0 ? o->table : -EINVAL;
    o->table = 99; /* it is a copy of its own */
    return r;
}

static int first_byte(void *arg)
{
    return *(const char *)arg;
}

static int main_with(void *arg)
{
    (void)arg;
    struct order o = {4, "soup"};
    CHECK(bg_blocking_with(cook, struct order, .table = 3, .dish = "soup") == 3);
    CHECK(bg_blocking_copy(cook, &o, sizeof o) == 4);
    CHECK(o.table == 4);
    CHECK(bg_blocking_with(first_byte, char, 'x') == 'x');
    CHECK(bg_blocking_with(NULL, char, 'x') == -EINVAL);
    return 0;
}

Test(blocking, a_copied_argument)
{
    RUN(main_with, NULL, .workers = 2);
    RUN(main_with, NULL, .seed = 3);
}

static int look_around(void *arg)
{
    sigset_t mask;
    CHECK(!pthread_equal(pthread_self(), *(pthread_t *)arg));
    CHECK(bg_self() == NULL);
    CHECK(pthread_sigmask(SIG_SETMASK, NULL, &mask) == 0);
    CHECK(sigismember(&mask, SIGUSR1) == 1 && sigismember(&mask, SIGINT) == 1);
    CHECK(sigismember(&mask, SIGSEGV) == 0);
    return 0;
}

static int main_where(void *arg)
{
    (void)arg;
    pthread_t worker = pthread_self();
    sigset_t before, after;
    CHECK(pthread_sigmask(SIG_SETMASK, NULL, &before) == 0);
    CHECK(bg_blocking(look_around, &worker) == 0);
    CHECK(pthread_sigmask(SIG_SETMASK, NULL, &after) == 0);
    CHECK(sigismember(&before, SIGUSR1) == sigismember(&after, SIGUSR1));
    return 0;
}

Test(blocking, it_runs_on_a_thread_of_its_own)
{
    RUN(main_where, NULL, .workers = 1, .spares = BG_NO_SPARES);
}

/* One worker: were it the one that is blocked, nobody would open the latch. */
static int wait_for_latch(void *arg)
{
    latch_wait(arg);
    return 1;
}

static int open_the_latch(void *arg)
{
    latch_open(arg);
    return 0;
}

static int main_parks(void *arg)
{
    latch l = {0};
    (void)arg;
    bg_task *t = bg_spawn(open_the_latch, &l);
    CHECK(bg_blocking(wait_for_latch, &l) == 1);
    return bg_await(t);
}

Test(blocking, the_task_waits_and_not_its_worker)
{
    RUN(main_parks, NULL, .workers = 1, .spares = BG_NO_SPARES);
}

/* ---- many, and the limit ---- */

enum { CALLS = 400 };

static gauge in_calls;
static bgi_atomic calls_ran;

static int call_in_gauge(void *arg)
{
    gauge_enter(&in_calls);
    sched_yield();
    add_one(&calls_ran);
    gauge_leave(&in_calls);
    return (int)(intptr_t)arg;
}

static int caller(void *arg)
{
    for (int i = 0; i < 5; i++) {
        CHECK(bg_blocking(call_in_gauge, arg) == (int)(intptr_t)arg);
    }
    return 0;
}

static int main_many(void *arg)
{
    static bg_task *t[CALLS];
    (void)arg;
    for (int i = 0; i < MANY(CALLS); i++) {
        t[i] = bg_spawn(caller, INT_ARG(i));
    }
    return bg_gather_all(t, MANY(CALLS), NULL);
}

Test(blocking, many_at_once_within_the_limit)
{
    static const unsigned limits[] = {1, 3, 50};
    EACH_WORKER_COUNT(w)
    {
        for (size_t i = 0; i < BGI_ARRAY_LEN(limits); i++) {
            size_t threads = usual_threads();
            bgi_store(&calls_ran, 0);
            bgi_store(&in_calls.most, 0);
            RUN(main_many, NULL, .workers = w, .blocking_threads = limits[i]);
            cr_assert_eq(bgi_load(&calls_ran), 5 * MANY(CALLS));
            cr_assert_leq(bgi_load(&in_calls.most), limits[i]);
            cr_assert(threads_settle(threads));
        }
    }
}

Test(blocking, a_limit_that_cannot_be)
{
    cr_assert_eq(bg_run(return_arg, NULL, .blocking_threads = 65537), -EINVAL);
    RUN(return_arg, NULL, .blocking_threads = 65536);
}

static int main_stats(void *arg)
{
    (void)arg;
    bg_stats s = {.size = sizeof s};
    CHECK(bg_runtime_stats(NULL, &s) == 0);
    CHECK(s.blocking_threads == 0 && s.blocking_queued == 0);
    CHECK(bg_blocking(return_arg, INT_ARG(1)) == 1);
    CHECK(bg_runtime_stats(NULL, &s) == 0);
    CHECK(s.blocking_threads == 1 && s.blocking_queued == 0 && s.blocking_abandoned == 0);
    return 0;
}

Test(blocking, the_counters)
{
    RUN(main_stats, NULL, .workers = 1);
}

/* ---- cancellation ---- */

/* A call that says when it has begun, and ends when it may. */
struct call {
    latch begun, may_end, ended;
    int value;
};

static int run_call(void *arg)
{
    struct call *c = arg;
    latch_open(&c->begun);
    latch_wait(&c->may_end);
    latch_open(&c->ended);
    return c->value;
}

/* A task that calls. */
static int blocking_call(void *arg)
{
    return bg_blocking(run_call, arg);
}

/* In a task: others run until the latch is open. */
static void yield_latch(latch *l)
{
    yield_until(&l->open, 1);
}

static bg_stats stats_now(void)
{
    bg_stats s = {.size = sizeof s};
    CHECK(bg_runtime_stats(NULL, &s) == 0);
    return s;
}

static int main_cancel_before(void *arg)
{
    struct call c = {.value = 1};
    (void)arg;
    CHECK(bg_cancel(bg_self()) == 0);
    CHECK(bg_blocking(run_call, &c) == -ECANCELED);
    CHECK(bg_blocking_with(run_call, struct call, .value = 1) == -ECANCELED);
    CHECK(bgi_load(&c.begun.open) == 0);
    CHECK(stats_now().blocking_threads == 0);
    return 0;
}

Test(blocking, a_task_that_was_cancelled_calls_nothing)
{
    RUN(main_cancel_before, NULL, .workers = 1);
    RUN(main_cancel_before, NULL, .seed = 5);
}

static int main_cancel_queued(void *arg)
{
    struct call first = {.value = 1}, second = {.value = 2}, third = {.value = 3};
    (void)arg;
    bg_task *a = bg_spawn(blocking_call, &first);
    yield_latch(&first.begun);
    bg_task *b = bg_spawn(blocking_call, &second);
    bg_task *c = bg_spawn(blocking_call, &third);
    while (stats_now().blocking_queued != 2) {
        bg_yield();
    }
    CHECK(bg_cancel(b) == 0);
    CHECK(bg_await(b) == -ECANCELED);
    CHECK(stats_now().blocking_queued == 1);
    CHECK(stats_now().blocking_abandoned == 0);
    latch_open(&first.may_end);
    latch_open(&second.may_end);
    latch_open(&third.may_end);
    CHECK(bg_await(a) == 1);
    CHECK(bg_await(c) == 3);
    CHECK(bgi_load(&second.begun.open) == 0);
    return 0;
}

Test(blocking, cancelled_in_the_queue_it_is_never_called)
{
    RUN(main_cancel_queued, NULL, .workers = 2, .blocking_threads = 1);
}

static int main_cancel_running(void *arg)
{
    static struct call c; /* it outlives the waiting task */
    (void)arg;
    c = (struct call){.value = 1};
    bg_task *t = bg_spawn(blocking_call, &c);
    yield_latch(&c.begun);
    CHECK(bg_cancel(t) == 0);
    CHECK(bg_await(t) == -ECANCELED); /* at once */
    CHECK(bgi_load(&c.ended.open) == 0);
    CHECK(stats_now().blocking_abandoned == 1);
    latch_open(&c.may_end);
    while (stats_now().blocking_abandoned != 0) {
        bg_yield();
    }
    CHECK(bgi_load(&c.ended.open) == 1);
    return 0;
}

Test(blocking, cancelled_while_it_runs_it_is_abandoned)
{
    size_t live = bgi_alloc_live();
    EACH_WORKER_COUNT(w)
    {
        RUN(main_cancel_running, NULL, .workers = w);
    }
    cr_assert_eq(bgi_alloc_live(), live);
}

/* What was copied is there until the function has returned. */
struct copied {
    struct call *control;
    char text[200];
    int *matched;
};

static int read_copied(void *arg)
{
    const struct copied *c = arg;
    latch_open(&c->control->begun);
    latch_wait(&c->control->may_end);
    *c->matched = strcmp(c->text, "what was copied") == 0;
    latch_open(&c->control->ended);
    return 0;
}

static struct call copied_control;
static int copied_matched;

static int call_with_copy(void *arg)
{
    (void)arg;
    struct copied c = {&copied_control, "what was copied", &copied_matched};
    int r = bg_blocking_copy(read_copied, &c, sizeof c);
    memset(&c, 0x55, sizeof c);
    return r;
}

static int main_copy_outlives(void *arg)
{
    (void)arg;
    copied_control = (struct call){.value = 1};
    copied_matched = 0;
    bg_task *t = bg_spawn(call_with_copy, NULL);
    yield_latch(&copied_control.begun);
    CHECK(bg_cancel(t) == 0);
    CHECK(bg_await(t) == -ECANCELED);
    for (int i = 0; i < 100; i++) { /* others use what the task has used */
        CHECK(bg_await(bg_spawn_with(cook, struct order, 3, "soup")) == 3);
    }
    latch_open(&copied_control.may_end);
    yield_latch(&copied_control.ended);
    CHECK(copied_matched == 1);
    return 0;
}

Test(blocking, a_copied_argument_outlives_the_wait)
{
    RUN(main_copy_outlives, NULL, .workers = 2);
}

static int main_deadline(void *arg)
{
    static struct call c;
    (void)arg;
    c = (struct call){.value = 1};
    bg_timeout (BG_MS) {
        /* It passes before the call or while it runs: that is one and the same. */
        CHECK(bg_blocking(run_call, &c) == -ETIMEDOUT);
        CHECK(bg_blocking(return_arg, NULL) == -ETIMEDOUT);
    }
    CHECK(bg_timed_out());
    CHECK(bg_blocking(return_arg, INT_ARG(4)) == 4);
    latch_open(&c.may_end);
    return 0;
}

Test(blocking, a_deadline_ends_the_wait)
{
    RUN(main_deadline, NULL, .workers = 2);
}

static int shielded_call(void *arg)
{
    int r = -1;
    bg_shield
    {
        r = bg_blocking(run_call, arg);
    }
    CHECK(bg_sleep(0) == -ECANCELED);
    return r;
}

static int main_shield(void *arg)
{
    struct call c = {.value = 5}; /* which a shield makes safe */
    (void)arg;
    bg_task *t = bg_spawn(shielded_call, &c);
    yield_latch(&c.begun);
    CHECK(bg_cancel(t) == 0);
    bg_yield();
    latch_open(&c.may_end);
    CHECK(bg_await(t) == 5);
    return 0;
}

Test(blocking, a_shield_holds_the_wait)
{
    RUN(main_shield, NULL, .workers = 2);
}

/* Cancels that meet the end of the call. */
static bgi_atomic raced, lost;

static int quick_call(void *arg)
{
    (void)arg;
    add_one(&raced);
    return 6;
}

static int race(void *arg)
{
    (void)arg;
    int r = bg_blocking(quick_call, NULL);
    CHECK(r == 6 || r == -ECANCELED);
    if (r == 6) {
        add_one(&lost);
    }
    return r;
}

static int main_race(void *arg)
{
    enum { N = 8 };
    (void)arg;
    for (int i = 0; i < MANY(400); i++) {
        bg_task *t[N];
        int results[N];
        for (int k = 0; k < N; k++) {
            t[k] = bg_spawn(race, NULL);
        }
        for (int k = 0; k < i % 7; k++) {
            bg_yield();
        }
        for (int k = 0; k < N; k++) {
            CHECK(bg_cancel(t[k]) == 0);
        }
        (void)bg_gather_all(t, N, results);
        for (int k = 0; k < N; k++) {
            CHECK(results[k] == 6 || results[k] == -ECANCELED);
        }
    }
    return 0;
}

Test(blocking, cancels_that_meet_the_end_of_the_call)
{
    size_t live = bgi_alloc_live();
    EACH_WORKER_COUNT(w)
    {
        bgi_store(&raced, 0);
        bgi_store(&lost, 0);
        RUN(main_race, NULL, .workers = w, .blocking_threads = 2);
        cr_assert_leq(bgi_load(&lost), bgi_load(&raced)); /* no result without a call */
        cr_assert_eq(bgi_alloc_live(), live);
    }
}

/* ---- the end of a runtime ---- */

/* stderr goes to a pipe; when `words` have come out of it so many times, the latch is opened. */
struct listener {
    int in, saved;
    latch *opens;
    const char *words;
    size_t times;
    char text[16384];
    pthread_t thread;
};

static size_t count_words(const char *text, const char *words)
{
    size_t n = 0;
    for (const char *at = text; (at = strstr(at, words)) != NULL; at++) {
        n++;
    }
    return n;
}

static void *listen_for(void *arg)
{
    struct listener *l = arg;
    size_t used = 0;
    ssize_t n;
    while ((n = read(l->in, l->text + used, sizeof l->text - 1 - used)) > 0) {
        used += (size_t)n;
        l->text[used] = '\0';
        if (count_words(l->text, l->words) >= l->times) {
            latch_open(l->opens);
        }
    }
    return NULL;
}

static void listen_begin(struct listener *l)
{
    int fd[2];
    cr_assert_eq(pipe(fd), 0);
    l->saved = dup(STDERR_FILENO);
    cr_assert_geq(l->saved, 0);
    cr_assert_geq(dup2(fd[1], STDERR_FILENO), 0);
    (void)close(fd[1]);
    l->in = fd[0];
    cr_assert_eq(pthread_create(&l->thread, NULL, listen_for, l), 0);
}

static void listen_end(struct listener *l)
{
    cr_assert_geq(dup2(l->saved, STDERR_FILENO), 0); /* the pipe's last writer is gone */
    (void)close(l->saved);
    cr_assert_eq(pthread_join(l->thread, NULL), 0);
    (void)close(l->in);
}

static struct call left;

static int main_leaves(void *arg)
{
    (void)arg;
    left = (struct call){.value = 1};
    bg_detach(bg_spawn(blocking_call, &left, .name = "the one that reads"));
    yield_latch(&left.begun);
    return 0;
}

Test(blocking, shutdown_says_what_it_waits_for)
{
    struct listener l = {.opens = &left.may_end, .words = " s\n", .times = 1};
    bg_time begin = bg_now();
    listen_begin(&l);
    int r = bg_run(main_leaves, NULL, .workers = 2);
    listen_end(&l);
    cr_assert_eq(r, 0);
    NO_CHECK_FAILED();
    cr_assert_eq(bgi_load(&left.ended.open), 1);
    cr_assert_geq(bg_now() - begin, BG_S);
    cr_assert_not_null(strstr(l.text, "brigade: shutdown waits for 1 abandoned blocking call:\n  "),
                       "%s", l.text);
    cr_assert_not_null(strstr(l.text, ", called by task 'the one that reads', runs for "), "%s",
                       l.text);
}

static int main_leaves_one_shielded(void *arg)
{
    (void)arg;
    left = (struct call){.value = 1};
    bg_detach(bg_spawn(shielded_call, &left, .name = "the one behind a shield"));
    yield_latch(&left.begun);
    return 0;
}

Test(blocking, shutdown_says_which_shielded_call_it_waits_for)
{
    struct listener l = {.opens = &left.may_end, .words = " s\n", .times = 1};
    listen_begin(&l);
    int r = bg_run(main_leaves_one_shielded, NULL, .workers = 2);
    listen_end(&l);
    cr_assert_eq(r, 0);
    NO_CHECK_FAILED();
    cr_assert_eq(bgi_load(&left.ended.open), 1);
    cr_assert_not_null(strstr(l.text, "brigade: shutdown waits for 1 shielded blocking call:\n  "),
                       "%s", l.text);
    cr_assert_not_null(strstr(l.text, ", called by task 'the one behind a shield', runs for "),
                       "%s", l.text);
}

enum { LEFT = 10 };

static struct call lefts[LEFT];

static int main_leaves_many(void *arg)
{
    (void)arg;
    for (int i = 0; i < LEFT; i++) {
        bg_detach(bg_spawn(blocking_call, &lefts[i]));
    }
    for (int i = 0; i < LEFT; i++) {
        yield_latch(&lefts[i].begun);
    }
    return 0;
}

static latch told;

static void *open_when_told(void *arg)
{
    (void)arg;
    latch_wait(&told);
    for (int i = 0; i < LEFT; i++) {
        latch_open(&lefts[i].may_end);
    }
    return NULL;
}

Test(blocking, shutdown_names_the_first_of_many)
{
    /* Until the second message has come whole: it says so now and then. */
    struct listener l = {.opens = &told, .words = " s\n", .times = 16};
    pthread_t opener;
    cr_assert_eq(pthread_create(&opener, NULL, open_when_told, NULL), 0);
    listen_begin(&l);
    int r = bg_run(main_leaves_many, NULL, .workers = 2);
    listen_end(&l);
    cr_assert_eq(pthread_join(opener, NULL), 0);
    cr_assert_eq(r, 0);
    NO_CHECK_FAILED();
    char *first =
        strstr(l.text, "brigade: shutdown waits for 10 abandoned blocking calls, of which "
                       "the first are:\n");
    cr_assert_not_null(first, "%s", l.text);
    char *second = strstr(first + 1, "brigade: shutdown waits for ");
    cr_assert_not_null(second, "%s", l.text);
    *second = '\0';
    cr_assert_eq(count_words(first, ", called by task '', runs for "), 8, "%s", first);
}

static int main_leaves_briefly(void *arg)
{
    struct call *c = arg;
    bg_detach(bg_spawn(blocking_call, c));
    yield_latch(&c->begun);
    return 0;
}

static void *open_at_once(void *arg)
{
    struct call *c = arg;
    latch_wait(&c->begun);
    latch_open(&c->may_end);
    return NULL;
}

Test(blocking, a_short_wait_is_silent)
{
    static struct call c = {.value = -EIO}; /* a failure that nobody is told of: it was abandoned */
    static latch nobody;
    struct listener l = {.opens = &nobody, .words = "brigade", .times = 1};
    pthread_t opener;
    listen_begin(&l);
    cr_assert_eq(pthread_create(&opener, NULL, open_at_once, &c), 0);
    int r = bg_run(main_leaves_briefly, &c, .workers = 1);
    listen_end(&l);
    cr_assert_eq(pthread_join(opener, NULL), 0);
    cr_assert_eq(r, 0);
    cr_assert_eq(bgi_load(&c.ended.open), 1);
    NO_CHECK_FAILED();
}

/* ---- refusals ---- */

static int is_result(int r, int expected)
{
    return r == expected || r == -ENOMEM || r == -EAGAIN;
}

static int main_refused(void *arg)
{
    int forever = (int)(intptr_t)arg;
    int succeeded = 0;
    for (int i = 0; i < 4; i++) {
        int a = bg_blocking(return_arg, INT_ARG(i));
        int b = bg_blocking_with(cook, struct order, 3, "soup");
        CHECK(is_result(a, i) && is_result(b, 3));
        succeeded += (a == i) + (b == 3);
    }
    CHECK(forever || succeeded >= 7);
    return 123;
}

static void refuse_each(unsigned kind, int forever)
{
    size_t live = bgi_alloc_live();
    size_t threads = usual_threads();
    size_t n = 1;
    for (int missed = 0; missed < 2; n++) {
        bgi_fault_arm(kind | (forever ? BGI_FAULT_FOREVER : 0), n);
        int r = bg_run(main_refused, INT_ARG(forever), .workers = 2);
        bgi_fault_disarm();
        NO_CHECK_FAILED();
        cr_assert(r == 123 || r == -ENOMEM || r == -EAGAIN, "%d", r);
        missed = bgi_fault_count() < n ? missed + 1 : 0;
        cr_assert_eq(bgi_alloc_live(), live, "kind %u, number %zu leaks", kind, n);
        if (kind == BGI_FAULT_THREAD || n % 8 == 0) {
            cr_assert(threads_settle(threads));
        }
    }
    cr_assert_gt(n, 3);
}

Test(blocking, every_request_to_the_system_is_refused_once)
{
    static const unsigned kinds[] = {BGI_FAULT_MALLOC, BGI_FAULT_MMAP, BGI_FAULT_THREAD,
                                     BGI_FAULT_ALL};
    for (size_t i = 0; i < BGI_ARRAY_LEN(kinds); i++) {
        refuse_each(kinds[i], 0);
        refuse_each(kinds[i], 1);
    }
}

/* ---- several runtimes ---- */

static int call_and_add(void *arg)
{
    int r = bg_blocking(return_arg, arg);
    return r < 0 ? r : r + 100;
}

struct other {
    bg_runtime *runtime;
    int n;
};

/* On a thread of one runtime's pool: it has another one work, and waits for it. */
static int ask_the_other(void *arg)
{
    struct other *o = arg;
    return bg_runtime_wait(o->runtime, bg_runtime_spawn(o->runtime, call_and_add, INT_ARG(o->n)));
}

static int main_asks(void *arg)
{
    for (int i = 0; i < MANY(100); i++) {
        CHECK(bg_blocking_with(ask_the_other, struct other, arg, i) == i + 100);
    }
    return 0;
}

Test(blocking, runtimes_have_pools_of_their_own)
{
    bg_runtime *a = NULL, *b = NULL;
    cr_assert_eq(bg_runtime_create(&a, .workers = 2), 0);
    cr_assert_eq(bg_runtime_create(&b, .workers = 1, .blocking_threads = 1), 0);
    bg_task *t[4];
    for (int i = 0; i < 4; i++) {
        t[i] = bg_runtime_spawn(a, main_asks, b);
    }
    RUN(main_asks, b, .workers = 1);
    for (int i = 0; i < 4; i++) {
        cr_assert_eq(bg_runtime_wait(a, t[i]), 0);
    }
    cr_assert_eq(bg_runtime_shutdown(a), 0);
    cr_assert_eq(bg_runtime_shutdown(b), 0);
    NO_CHECK_FAILED();
}

/* ---- the deterministic mode ---- */

static int trace[8], traced;

static int note(void *arg)
{
    trace[traced++] = (int)(intptr_t)arg;
    return 0;
}

static int note_call(void *arg)
{
    bg_time before = bg_now();
    note(arg);
    CHECK(bg_blocking(note, arg) == 0);
    note(arg);
    CHECK(bg_now() == before);
    return 0;
}

static int main_seeded(void *arg)
{
    (void)arg;
    traced = 0;
    return bg_gather(bg_spawn(note_call, INT_ARG(1)), bg_spawn(note_call, INT_ARG(2)));
}

Test(blocking, one_seed_is_one_schedule)
{
    int first[8], differ = 0;
    for (uint64_t seed = 1; seed <= 64; seed++) {
        RUN(main_seeded, NULL, .seed = seed, .workers = 2);
        cr_assert_eq(traced, 6);
        memcpy(first, trace, sizeof first);
        RUN(main_seeded, NULL, .seed = seed, .workers = 2);
        cr_assert_arr_eq(first, trace, 6 * sizeof *trace);
        /* Others come in between: before the call or after it. */
        differ |= trace[0] != trace[1] ? 1 : 0;
        differ |= trace[1] != trace[2] ? 2 : 0;
    }
    cr_assert_eq(differ, 3);
}

static int main_explored(void *arg)
{
    (void)arg;
    bg_task *a = bg_spawn(call_and_add, INT_ARG(1));
    bg_task *b = bg_spawn(call_and_add, INT_ARG(2));
    CHECK(bg_cancel(b) == 0);
    int r = bg_await(b);
    CHECK(r == 102 || r == -ECANCELED);
    return bg_await(a) == 101 ? 0 : -1;
}

Test(blocking, it_can_be_explored)
{
    size_t threads = usual_threads();
    cr_assert_eq(bg_explore(main_explored, NULL, .seeds = 200), 0);
    NO_CHECK_FAILED();
    cr_assert_eq(count_threads(), threads);
}

/* ---- misuse ---- */

static int call_in_callback(void *arg)
{
    bgi_store((bgi_atomic *)arg, (bgi_word)-bg_blocking(return_arg, NULL));
    return 0;
}

static int main_callback(void *arg)
{
    bgi_atomic result = 0;
    (void)arg;
    CHECK(bg_after(0, call_in_callback, (void *)(uintptr_t)&result) == 0);
    yield_until(&result, 1);
    CHECK(bgi_load(&result) == EPERM);
    return 0;
}

#if BGI_DEBUG

static void call_outside(void *arg)
{
    (void)arg;
    (void)bg_blocking(return_arg, NULL);
}

static void call_copy_outside(void *arg)
{
    (void)arg;
    (void)bg_blocking_with(return_arg, int, 1);
}

static void run_callback(void *arg)
{
    (void)arg;
    (void)bg_run(main_callback, NULL, .workers = 1);
}

Test(blocking, misuse_is_caught)
{
    void (*const cases[])(void *) = {call_outside, call_copy_outside, run_callback};
    const char *words[] = {"misuse: bg_blocking: called outside of a task",
                           "misuse: bg_blocking_with: called outside of a task",
                           "misuse: bg_blocking: called outside of a task"};
    for (int i = 0; i < 3; i++) {
        struct child_end end = child_run(cases[i], NULL);
        cr_assert_eq(end.signal, SIGABRT, "%s", end.words);
        cr_assert_not_null(strstr(end.words, words[i]), "%s", end.words);
    }
}

#else

Test(blocking, outside_of_tasks)
{
    cr_assert_eq(bg_blocking(return_arg, NULL), -EPERM);
    cr_assert_eq(bg_blocking_with(return_arg, int, 1), -EPERM);
    RUN(main_callback, NULL, .workers = 1);
}

#endif

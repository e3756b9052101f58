/*
 * Task locals: what a task sees of its own sets and of its spawner's, how many share what, and when
 * it goes.
 *
 * Labels: valgrind aarch64
 */
#include "child.h"

#include "task/task.h"

static bg_local a = BG_LOCAL_INIT, b = BG_LOCAL_INIT, c = BG_LOCAL_INIT;
static int values[8];

#define V(n) ((void *)&values[n])

/* ---- one task ---- */

static int main_one(void *arg)
{
    (void)arg;
    CHECK(bg_local_get(&a) == NULL);
    CHECK(bg_local_set(&a, NULL) == 0); /* it had none */
    CHECK(bg_local_set(&a, V(1)) == 0);
    CHECK(bg_local_get(&a) == V(1));
    CHECK(bg_local_get(&b) == NULL);
    CHECK(bg_local_set(&b, NULL) == 0);
    CHECK(bg_local_set(&a, V(2)) == 0);
    CHECK(bg_local_get(&a) == V(2));
    CHECK(bg_local_set(&b, V(3)) == 0);
    CHECK(bg_local_set(&c, V(4)) == 0);
    bg_yield();
    CHECK(bg_local_get(&a) == V(2) && bg_local_get(&b) == V(3) && bg_local_get(&c) == V(4));
    CHECK(bg_local_set(&a, NULL) == 0);
    CHECK(bg_local_get(&a) == NULL && bg_local_get(&b) == V(3) && bg_local_get(&c) == V(4));
    CHECK(bg_local_set(&c, NULL) == 0);
    CHECK(bg_local_get(&a) == NULL && bg_local_get(&b) == V(3) && bg_local_get(&c) == NULL);
    CHECK(bg_local_set(&b, NULL) == 0);
    CHECK(bg_local_get(&b) == NULL);
    CHECK(bg_local_set(&b, V(5)) == 0);
    CHECK(bg_local_get(&b) == V(5));
    CHECK(bg_local_set(NULL, V(1)) == -EINVAL);
    CHECK(bg_local_get(NULL) == NULL);
    return 0;
}

Test(local, a_task_sees_what_it_has_set)
{
    size_t live = bgi_alloc_live();
    EACH_WORKER_COUNT(w)
    {
        RUN(main_one, NULL, .workers = w);
    }
    RUN(main_one, NULL, .seed = 7);
    cr_assert_eq(bgi_alloc_live(), live); /* what a task leaves set is freed with it */
}

/* ---- many keys ---- */

enum { KEYS = 300 };

static bg_local keys[KEYS];
static int key_values[KEYS];

static int sees_all(void *arg)
{
    (void)arg;
    for (int i = 0; i < KEYS; i++) {
        CHECK(bg_local_get(&keys[i]) == (i % 3 == 0 ? NULL : &key_values[i]));
    }
    return 0;
}

static int main_many_keys(void *arg)
{
    (void)arg;
    for (int i = 0; i < KEYS; i++) {
        CHECK(bg_local_set(&keys[i], &key_values[i]) == 0);
    }
    for (int i = 0; i < KEYS; i += 3) {
        CHECK(bg_local_set(&keys[i], NULL) == 0);
    }
    sees_all(NULL);
    return bg_await(bg_spawn(sees_all, NULL));
}

Test(local, many_keys)
{
    RUN(main_many_keys, NULL, .workers = 2);
}

/* ---- inheritance ---- */

static int sees(void *arg)
{
    return bg_local_get(&a) == arg ? 1 : 0;
}

static int changes(void *arg)
{
    CHECK(bg_local_get(&a) == arg && bg_local_get(&b) == V(2));
    CHECK(bg_local_set(&a, V(5)) == 0);
    CHECK(bg_local_set(&c, V(6)) == 0);
    bg_yield();
    CHECK(bg_local_get(&a) == V(5) && bg_local_get(&b) == V(2) && bg_local_get(&c) == V(6));
    CHECK(bg_await(bg_spawn(sees, V(5))) == 1);
    return 0;
}

static int main_inherits(void *arg)
{
    (void)arg;
    CHECK(bg_await(bg_spawn(sees, NULL)) == 1);
    CHECK(bg_local_set(&a, V(1)) == 0);
    CHECK(bg_local_set(&b, V(2)) == 0);
    bg_task *before = bg_spawn(sees, V(1));
    bg_task *other = bg_spawn(changes, V(1));
    CHECK(bg_local_set(&a, V(3)) == 0); /* after the spawn: not seen by the two */
    bg_task *after = bg_spawn(sees, V(3), .name = "after", .stack_size = 65536);
    CHECK(bg_local_set(&a, NULL) == 0);
    bg_task *without = bg_spawn(sees, NULL);
    bg_yield();
    CHECK(strcmp(bg_task_name(after), "after") == 0);
    CHECK(bg_await(before) == 1 && bg_await(after) == 1 && bg_await(without) == 1);
    CHECK(bg_await(other) == 0);
    CHECK(bg_local_get(&a) == NULL && bg_local_get(&b) == V(2) && bg_local_get(&c) == NULL);
    return 0;
}

Test(local, a_task_inherits_what_its_spawner_had)
{
    size_t live = bgi_alloc_live();
    EACH_WORKER_COUNT(w)
    {
        RUN(main_inherits, NULL, .workers = w);
    }
    cr_assert_eq(bg_explore(main_inherits, NULL, .seeds = 100), 0);
    NO_CHECK_FAILED();
    cr_assert_eq(bgi_alloc_live(), live);
}

/* Everything that spawns. */
static BG_TASK(int, typed_sees, (void *, value), (int, more))
{
    return bg_local_get(&a) == value ? more : -1;
}

struct expected {
    void *value;
};

static int copied_sees(void *arg)
{
    return bg_local_get(&a) == ((struct expected *)arg)->value ? 1 : 0;
}

static int member_sees(void *arg)
{
    return bg_local_get(&a) == arg ? 0 : -EIO;
}

static int main_all_spawns(void *arg)
{
    int out = 0, rc = -1;
    (void)arg;
    CHECK(bg_local_set(&a, V(1)) == 0);
    CHECK(typed_sees_await(typed_sees_spawn(V(1), 8), &out) == 0);
    CHECK(out == 8);
    CHECK(bg_await(bg_spawn_with(copied_sees, struct expected, V(1))) == 1);
    bg_group (g, .result = &rc, .limit = 2) {
        for (int i = 0; i < 6; i++) {
            CHECK(bg_group_spawn(&g, member_sees, V(1)) == 0);
        }
    }
    CHECK(rc == 0);
    return 0;
}

Test(local, whoever_spawns)
{
    size_t live = bgi_alloc_live();
    RUN(main_all_spawns, NULL, .workers = 2);
    RUN(main_all_spawns, NULL, .seed = 3);
    cr_assert_eq(bgi_alloc_live(), live);
}

/* ---- the end ---- */

/* A stack goes from one task to the next: nothing is left on it. */
static int sets(void *arg)
{
    return bg_local_set(&a, arg);
}

static int main_stacks(void *arg)
{
    (void)arg;
    for (int i = 0; i < 50; i++) {
        bg_task *t[3];
        t[0] = bg_spawn(sets, V(1));
        t[1] = bg_spawn(sees, NULL);
        t[2] = bg_spawn(sets, V(2));
        CHECK(bg_await(t[0]) == 0 && bg_await(t[1]) == 1 && bg_await(t[2]) == 0);
    }
    bg_detach(bg_spawn(sets, V(1)));
    return 0;
}

Test(local, nothing_is_left_on_a_stack)
{
    size_t live = bgi_alloc_live();
    RUN(main_stacks, NULL, .workers = 1);
    RUN(main_stacks, NULL, .workers = 8);
    RUN(main_stacks, NULL, .seed = 9);
    cr_assert_eq(bgi_alloc_live(), live);
}

static int main_never_begins(void *arg)
{
    (void)arg;
    CHECK(bg_local_set(&a, V(1)) == 0);
    bg_task *t = bg_spawn(sees, V(1));
    CHECK(bg_cancel(t) == 0);
    CHECK(bg_await(t) == -ECANCELED);
    t = bg_spawn(sees, V(1));
    CHECK(bg_cancel(t) == 0);
    bg_detach(t);
    return 0;
}

Test(local, a_task_that_never_begins)
{
    size_t live = bgi_alloc_live();
    RUN(main_never_begins, NULL, .workers = 1);
    cr_assert_eq(bgi_alloc_live(), live);
}

/* Two that await each other are given up, with what they have. */
static bgi_atomic waiting;

static int awaits_handle(void *arg)
{
    CHECK(bg_local_set(&a, V(1)) == 0);
    add_one(&waiting);
    yield_until(&waiting, 2);
    return bg_await(*(bg_task **)arg);
}

static int main_deadlock(void *arg)
{
    bg_task **t = arg;
    CHECK(bg_local_set(&b, V(1)) == 0);
    t[0] = bg_spawn(awaits_handle, &t[1]);
    t[1] = bg_spawn(awaits_handle, &t[0]);
    yield_until(&waiting, 2);
    return 0;
}

static void deadlock(void *arg)
{
    bg_task *t[2];
    size_t live = bgi_alloc_live();
    (void)arg;
    CHECK(bg_run(main_deadlock, t, .seed = 1) == -EDEADLK);
    CHECK(bgi_alloc_live() == live);
}

Test(local, tasks_that_are_given_up)
{
    struct child_end end = child_run(deadlock, NULL);
    cr_assert_eq(end.signal, 0, "%s", end.words);
    cr_assert_eq(end.status, 0, "%s", end.words);
}

/* ---- who inherits nothing ---- */

static bgi_atomic called;
static bg_task *from_callback;

static int callback_spawns(void *arg)
{
    from_callback = bg_spawn(sees, arg);
    add_one(&called);
    return 0;
}

static int main_callback(void *arg)
{
    (void)arg;
    bgi_store(&called, 0);
    CHECK(bg_local_set(&a, V(1)) == 0);
    CHECK(bg_after(0, callback_spawns, NULL) == 0);
    yield_until(&called, 1);
    return bg_await(from_callback) == 1 ? 0 : -1;
}

Test(local, what_a_callback_spawns)
{
    RUN(main_callback, NULL, .workers = 1);
    RUN(main_callback, NULL, .seed = 2);
}

static int sees_nothing_in_pool(void *arg)
{
    bg_runtime *rt = arg;
    return bg_runtime_wait(rt, bg_runtime_spawn(rt, sees, NULL));
}

/* From a task of one runtime to the other, and to its own. */
static int main_other_runtime(void *arg)
{
    bg_runtime **rt = arg;
    CHECK(bg_local_set(&a, V(1)) == 0);
    bg_task *own = bg_runtime_spawn(rt[0], sees, V(1));
    CHECK(bg_await(own) == 1);
    bg_task *other = bg_runtime_spawn(rt[1], sees, NULL);
    CHECK(bg_await(other) == 1);
    CHECK(bg_blocking(sees_nothing_in_pool, rt[0]) == 1);
    return 0;
}

Test(local, tasks_of_several_runtimes)
{
    bg_runtime *rt[2];
    cr_assert_eq(bg_runtime_create(&rt[0], .workers = 2), 0);
    cr_assert_eq(bg_runtime_create(&rt[1], .workers = 1), 0);
    bg_task *t[2];
    t[0] = bg_runtime_spawn(rt[0], main_other_runtime, rt);
    cr_assert_eq(bg_runtime_wait(rt[0], t[0]), 0);
    cr_assert_eq(bg_runtime_wait(rt[0], bg_runtime_spawn(rt[0], sees, NULL)), 1);
    cr_assert_eq(bg_runtime_shutdown(rt[0]), 0);
    cr_assert_eq(bg_runtime_shutdown(rt[1]), 0);
    NO_CHECK_FAILED();
}

/* ---- who pays ---- */

static int main_unused(void *arg)
{
    (void)arg;
    CHECK(bg_await(bg_spawn(sees, NULL)) == 1); /* the first takes what spawns need anyway */
    size_t live = bgi_alloc_live();
    bg_task *t = bg_spawn(sees, NULL);
    CHECK(bgi_alloc_live() == live);
    CHECK(bg_await(t) == 1);
    CHECK(bg_local_set(&a, V(1)) == 0);
    CHECK(bg_local_set(&a, NULL) == 0);
    CHECK(bgi_alloc_live() == live);
    t = bg_spawn(sees, NULL); /* this one has nothing to hand on */
    CHECK(bgi_alloc_live() == live);
    CHECK(bg_await(t) == 1);
    CHECK(bg_local_set(&a, V(1)) == 0);
    CHECK(bgi_alloc_live() == live + 1);
    CHECK(bg_local_set(&a, V(2)) == 0); /* in place: nobody shares it */
    CHECK(bgi_alloc_live() == live + 1);
    t = bg_spawn(sees, V(2));
    CHECK(bgi_alloc_live() == live + 2); /* the values are shared */
    CHECK(bg_local_set(&a, V(3)) == 0);
    CHECK(bgi_alloc_live() == live + 3); /* until one of them changes some */
    CHECK(bg_await(t) == 1);
    CHECK(bgi_alloc_live() == live + 1);
    return 0;
}

Test(local, only_who_uses_them_pays)
{
    RUN(main_unused, NULL, .workers = 1, .spares = BG_NO_SPARES);
}

/* ---- refusals ---- */

static int main_refused(void *arg)
{
    size_t n = *(size_t *)arg;
    CHECK(bg_local_set(&b, V(7)) == 0);
    bg_task *sharer = bg_spawn(sleep_forever, NULL);
    bg_yield();

    bgi_fault_arm(BGI_FAULT_MALLOC, n);
    int first = bg_local_set(&a, V(1));
    int second = bg_local_set(&b, V(6));
    bg_task *t = bg_spawn(sees, first == 0 ? V(1) : NULL, .name = "named");
    bg_task *u = bg_spawn(sees, first == 0 ? V(1) : NULL);
    int third = bg_local_set(&a, NULL);
    bgi_fault_disarm();
    *(size_t *)arg = bgi_fault_count();

    CHECK(first == 0 || first == -ENOMEM);
    CHECK(second == 0 || second == -ENOMEM);
    CHECK(third == 0 || third == -ENOMEM);
    CHECK(bg_local_get(&b) == (second == 0 ? V(6) : V(7)));
    CHECK(bg_local_get(&a) == (first == 0 && third != 0 ? V(1) : NULL));
    CHECK(bg_await(t) == (t == NULL ? -ENOMEM : 1));
    CHECK(bg_await(u) == (u == NULL ? -ENOMEM : 1));
    CHECK(bg_cancel(sharer) == 0);
    CHECK(bg_await(sharer) == -ECANCELED);
    return 0;
}

Test(local, memory_that_is_refused)
{
    size_t live = bgi_alloc_live(), came, n = 0;
    do {
        came = ++n;
        RUN(main_refused, &came, .workers = 1, .spares = BG_NO_SPARES);
        cr_assert_eq(bgi_alloc_live(), live);
    } while (came >= n);
    cr_assert_geq(n, 5);
}

/* ---- many share ---- */

static int rummages(void *arg)
{
    int depth = (int)(intptr_t)arg;
    CHECK(bg_local_get(&a) == V(1));
    for (int i = 0; i < 8; i++) {
        CHECK(bg_local_set(&b, V(i)) == 0);
        CHECK(bg_local_get(&b) == V(i));
        bg_yield();
    }
    if (depth > 0) {
        return bg_gather(bg_spawn(rummages, INT_ARG(depth - 1)),
                         bg_spawn(rummages, INT_ARG(depth - 1)));
    }
    return 0;
}

static int main_many(void *arg)
{
    (void)arg;
    CHECK(bg_local_set(&a, V(1)) == 0);
    return rummages(INT_ARG(MANY(40) > 10 ? 7 : 4));
}

Test(local, many_tasks_share_and_set)
{
    size_t live = bgi_alloc_live();
    EACH_WORKER_COUNT(w)
    {
        RUN(main_many, NULL, .workers = w);
    }
    cr_assert_eq(bgi_alloc_live(), live);
}

/* ---- misuse ---- */

#if BGI_DEBUG

static void set_outside(void *arg)
{
    (void)bg_local_set(&a, arg);
}

static void get_outside(void *arg)
{
    (void)arg;
    (void)bg_local_get(&a);
}

Test(local, misuse_is_caught)
{
    struct child_end end = child_run(set_outside, V(1));
    cr_assert_eq(end.signal, SIGABRT, "%s", end.words);
    cr_assert_not_null(strstr(end.words, "misuse: bg_local_set: called outside of a task"), "%s",
                       end.words);
    end = child_run(get_outside, NULL);
    cr_assert_eq(end.signal, SIGABRT, "%s", end.words);
    cr_assert_not_null(strstr(end.words, "misuse: bg_local_get: called outside of a task"), "%s",
                       end.words);
}

#else

Test(local, outside_of_tasks)
{
    cr_assert_eq(bg_local_set(&a, V(1)), -EPERM);
    cr_assert_null(bg_local_get(&a));
}

#endif

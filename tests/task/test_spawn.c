/*
 * Spawning: results, the order of starts, options, copied arguments, stacks.
 */
#include "check.h"

#include <stdalign.h>

/* ---- results and order ---- */

static int main_results(void *arg)
{
    (void)arg;
    CHECK(bg_await(bg_spawn(return_arg, INT_ARG(0))) == 0);
    CHECK(bg_await(bg_spawn(return_arg, INT_ARG(42))) == 42);
    CHECK(bg_await(bg_spawn(return_arg, INT_ARG(-EIO))) == -EIO);
    CHECK(bg_await(bg_spawn(return_arg, INT_ARG(INT32_MAX))) == INT32_MAX);
    CHECK(bg_await(bg_spawn(return_arg, INT_ARG(INT32_MIN))) == INT32_MIN);
    return 0;
}

Test(spawn, the_result_is_what_the_function_returned)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(main_results, NULL, .workers = w);
    }
}

static struct {
    int order[8];
    int n;
} log_;

static int append(void *arg)
{
    log_.order[log_.n++] = (int)(intptr_t)arg;
    return 0;
}

static int append_around_yield(void *arg)
{
    append(arg);
    bg_yield();
    append(INT_ARG((intptr_t)arg + 10));
    return 0;
}

static int main_order(void *arg)
{
    (void)arg;
    bg_task *a = bg_spawn(append_around_yield, INT_ARG(1));
    bg_task *b = bg_spawn(append_around_yield, INT_ARG(2));
    bg_task *c = bg_spawn(append, INT_ARG(3));
    append(INT_ARG(0)); /* the caller goes on */
    CHECK(bg_gather(a, b, c) == 0);
    return 0;
}

Test(spawn, the_caller_goes_on_and_the_oldest_starts_first)
{
    static const int expected[] = {0, 1, 2, 3, 11, 12};
    RUN(main_order, NULL, .workers = 1, .spares = BG_NO_SPARES);
    cr_assert_eq(log_.n, 6);
    cr_assert_arr_eq(log_.order, expected, sizeof expected);
}

/* ---- who may spawn ---- */

static bgi_atomic ran;

static int count_run(void *arg)
{
    (void)arg;
    add_one(&ran);
    return 0;
}

static int callback_spawns(void *arg)
{
    bg_task **out = arg;
    CHECK(bg_self() == NULL);
    *out = bg_spawn(count_run, NULL);
    CHECK(*out != NULL);
    add_one(&ran);
    return 0;
}

static int main_spawn_from_callback(void *arg)
{
    (void)arg;
    bg_task *t = NULL;
    CHECK(bg_after(0, callback_spawns, &t) == 0);
    yield_until(&ran, 2); /* either may come first */
    CHECK(bg_await(t) == 0);
    CHECK(bgi_load(&ran) == 2);
    return 0;
}

Test(spawn, a_callback_may_spawn)
{
    EACH_WORKER_COUNT(w)
    {
        bgi_store(&ran, 0);
        RUN(main_spawn_from_callback, NULL, .workers = w);
    }
}

static int is_self(void *arg)
{
    bgi_atomic *self = arg; /* 0 until the handle is known */
    yield_until(self, 1);
    CHECK(bg_self() == bgi_load_acquire_ptr(self));
    CHECK(bg_sleep(BG_MS) == 0);
    CHECK(bg_self() == bgi_load_acquire_ptr(self));
    return 0;
}

static int main_self(void *arg)
{
    bgi_atomic handle = 0;
    (void)arg;
    bg_task *me = bg_self();
    CHECK(me != NULL);
    bg_task *t = bg_spawn(is_self, (void *)&handle);
    bgi_store_release_ptr(&handle, t);
    CHECK(t != me);
    CHECK(bg_await(t) == 0);
    CHECK(bg_self() == me);
    return 0;
}

Test(spawn, self_is_the_handle)
{
    cr_assert_null(bg_self());
    RUN(main_self, NULL, .workers = 1);
    cr_assert_null(bg_self());
}

/* A tree of tasks: each spawns two, down to depth 0, and adds up. */
static int tree(void *arg)
{
    intptr_t depth = (intptr_t)arg;
    if (depth == 0) {
        return 1;
    }
    bg_task *a = bg_spawn(tree, INT_ARG(depth - 1));
    bg_task *b = bg_spawn(tree, INT_ARG(depth - 1));
    int sum = bg_await(a);
    return sum + bg_await(b);
}

static int main_tree(void *arg)
{
    CHECK(bg_await(bg_spawn(tree, arg)) == 1 << (intptr_t)arg);
    return 0;
}

Test(spawn, a_tree_of_tasks)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(main_tree, INT_ARG(CHECK_SLOW ? 9 : 13), .workers = w);
    }
}

static int main_many(void *arg)
{
    size_t n = (size_t)(uintptr_t)arg;
    bg_task **t = calloc(n, sizeof *t);
    int *results = calloc(n, sizeof *results);
    for (size_t i = 0; i < n; i++) {
        t[i] = bg_spawn(return_arg, INT_ARG(i));
    }
    CHECK(bg_gather_all(t, n, results) == 0);
    for (size_t i = 0; i < n; i++) {
        CHECK(results[i] == (int)i);
    }
    free(t);
    free(results);
    return 0;
}

Test(spawn, many_before_any_has_run)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(main_many, INT_ARG(MANY(50000)), .workers = w);
    }
}

/* ---- options ---- */

static int main_options(void *arg)
{
    (void)arg;
    static const size_t bad_sizes[] = {0, sizeof(bg_spawn_options) - 1,
                                       sizeof(bg_spawn_options) + 1, SIZE_MAX};
    static const size_t bad_stacks[] = {1, 4096, 16 * 1024 - 1, ((size_t)1 << 30) + 1, SIZE_MAX};
    bg_spawn_options o = {0};

    for (size_t i = 0; i < BGI_ARRAY_LEN(bad_sizes); i++) {
        o.size = bad_sizes[i];
        CHECK(bg_spawn_opts(count_run, NULL, &o) == NULL);
        CHECK(bg_spawn_copy(count_run, &o, sizeof o, &o) == NULL);
    }
    for (size_t i = 0; i < BGI_ARRAY_LEN(bad_stacks); i++) {
        CHECK(bg_spawn(count_run, NULL, .stack_size = bad_stacks[i]) == NULL);
    }
    CHECK(bg_spawn(NULL, NULL) == NULL);
    CHECK(bg_spawn_copy(NULL, &o, sizeof o, NULL) == NULL);
    CHECK(bg_await(bg_spawn(count_run, NULL, .stack_size = 1)) == -ENOMEM);

    bg_stats s = {.size = sizeof s};
    CHECK(bg_runtime_stats(NULL, &s) == 0);
    CHECK(s.tasks_spawned == 1 && s.tasks_live == 1); /* main */
    CHECK(bgi_load(&ran) == 0);
    return 0;
}

Test(spawn, options_that_are_not_valid_start_nothing)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(main_options, NULL, .workers = w);
    }
}

/* Uses so much stack, and lets others run meanwhile. */
BGI_NOINLINE static int use_stack(size_t bytes)
{
    volatile char room[bytes];
    for (size_t i = 0; i < bytes; i += 512) {
        room[i] = (char)i;
    }
    bg_yield();
    for (size_t i = 0; i < bytes; i += 512) {
        if (room[i] != (char)i) {
            return -EFAULT;
        }
    }
    return 0;
}

static int use_stack_arg(void *arg)
{
    return use_stack((size_t)(uintptr_t)arg);
}

static int main_stacks(void *arg)
{
    (void)arg;
    /* Of each a few, so that stacks of all sizes are used again. */
    for (int round = 0; round < 3; round++) {
        bg_task *t[] = {
            bg_spawn(use_stack_arg, INT_ARG(4 * 1024), .stack_size = 16 * 1024),
            bg_spawn(use_stack_arg, INT_ARG(40 * 1024), .stack_size = 64 * 1024),
            bg_spawn(use_stack_arg, INT_ARG(220 * 1024)), /* 256 KiB */
            bg_spawn(use_stack_arg, INT_ARG(3500 * 1024), .stack_size = 4 * 1024 * 1024),
            bg_spawn(use_stack_arg, INT_ARG(1000), .stack_size = 16 * 1024 + 1),
            bg_spawn(use_stack_arg, INT_ARG(8 * 1024), .stack_size = 16 * 1024),
        };
        for (size_t i = 0; i < BGI_ARRAY_LEN(t); i++) {
            CHECK(t[i] != NULL);
        }
        CHECK(bg_gather_all(t, BGI_ARRAY_LEN(t), NULL) == 0);
    }
    return 0;
}

Test(spawn, a_task_has_the_stack_it_was_given)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(main_stacks, NULL, .workers = w);
    }
}

static int main_big_default(void *arg)
{
    (void)arg;
    CHECK(use_stack(1800 * 1024) == 0); /* main has the runtime's default, too */
    CHECK(bg_await(bg_spawn(use_stack_arg, INT_ARG(1800 * 1024))) == 0);
    return 0;
}

Test(spawn, the_runtimes_default_stack_is_that_of_its_tasks)
{
    RUN(main_big_default, NULL, .workers = 2, .stack_size = 2 * 1024 * 1024);
}

static int main_largest(void *arg)
{
    (void)arg;
    bg_task *t = bg_spawn(return_arg, INT_ARG(7), .stack_size = (size_t)1 << 30);
    CHECK(t != NULL);
    int r = bg_await(t);
    CHECK(r == 7 || r == -ENOMEM); /* a machine may not have that much address space to give */
    return 0;
}

Test(spawn, the_largest_stack_is_a_gibibyte)
{
    RUN(main_largest, NULL, .workers = 1);
}

/* ---- copied arguments ---- */

struct order {
    int table;
    const char *dish;
    char note[20];
    double price;
};

static int take_order(void *arg)
{
    struct order *o = arg;
    bg_yield();
    CHECK(strcmp(o->dish, "soup") == 0 && strcmp(o->note, "no salt") == 0);
    CHECK(o->price > 4.4 && o->price < 4.6);
    CHECK((uintptr_t)o % alignof(max_align_t) == 0);
    int table = o->table;
    memset(o, 0xff, sizeof *o); /* the copy is the task's to change */
    CHECK(bg_sleep(BG_US) == 0);
    return table;
}

static int sum_array(void *arg)
{
    const int *a = arg;
    int sum = 0;
    for (int i = 0; i < 5; i++) {
        sum += a[i];
    }
    return sum;
}

static int check_big(void *arg)
{
    const unsigned char *p = arg;
    for (size_t i = 0; i < 100000; i++) {
        if (p[i] != (unsigned char)(i * 7)) {
            return -EIO;
        }
    }
    return 0;
}

/* The frame that held the original is gone and written over. */
BGI_NOINLINE static bg_task *spawn_order(int table)
{
    struct order o = {.table = table, .dish = "soup", .note = "no salt", .price = 4.5};
    bg_task *t = bg_spawn_copy(take_order, &o, sizeof o, NULL);
    memset(&o, 0, sizeof o);
    __asm__ __volatile__("" : : "r"(&o) : "memory");
    return t;
}

static int main_copies(void *arg)
{
    (void)arg;
    bg_task *t[20];
    for (int i = 0; i < 20; i++) {
        t[i] = i % 2 == 0 ? spawn_order(i)
                          : bg_spawn_with(take_order, struct order, .table = i, .dish = "soup",
                                          .note = "no salt", .price = 4.5);
    }
    for (int i = 0; i < 20; i++) {
        CHECK(bg_await(t[i]) == i);
    }
    CHECK(bg_await(bg_spawn_with(sum_array, int[5], 1, 2, 3, 4, 5)) == 15);
    CHECK(bg_await(bg_spawn_with(sum_array, int[5], 1, 2)) == 3);

    unsigned char *big = malloc(100000);
    for (size_t i = 0; i < 100000; i++) {
        big[i] = (unsigned char)(i * 7);
    }
    bg_task *b = bg_spawn_copy(check_big, big, 100000, NULL);
    memset(big, 0, 100000);
    free(big);
    CHECK(bg_await(b) == 0);
    CHECK(bg_await(bg_spawn_copy(return_arg, NULL, 0, NULL)) == 0); /* nothing to copy: NULL */
    return 0;
}

Test(spawn, arguments_are_copied_into_the_task)
{
    EACH_WORKER_COUNT(w)
    {
        size_t before = bgi_alloc_live();
        RUN(main_copies, NULL, .workers = w);
        cr_assert_eq(bgi_alloc_live(), before);
    }
}

static int named_copy(void *arg)
{
    CHECK(strcmp(bg_task_name(bg_self()), "copied") == 0);
    return *(int *)arg;
}

static int main_copy_options(void *arg)
{
    (void)arg;
    int n = 12;
    char name[] = "copied";
    bg_spawn_options o = {.size = sizeof o, .name = name, .stack_size = 32 * 1024};
    bg_task *t = bg_spawn_copy(named_copy, &n, sizeof n, &o);
    memset(name, 'x', sizeof name - 1);
    memset(&o, 0, sizeof o);
    n = 13;
    CHECK(bg_await(t) == 12);
    return 0;
}

Test(spawn, a_copied_argument_and_options_together)
{
    RUN(main_copy_options, NULL, .workers = 2);
}

/*
 * The walkers of task records, at the end of a runtime and within one: every way of being broken is
 * named.
 */
#include "task/check.h"

#include "check.h"
#include "dies.h"

static int many(void *arg)
{
    (void)arg;
    bg_task *t[300];
    for (int i = 0; i < 300; i++) {
        t[i] = bg_spawn(return_arg, NULL);
    }
    return bg_gather_all(t, 300, NULL);
}

Test(check, sound_records_pass_at_the_end)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(many, NULL, .workers = w);
        RUN(many, NULL, .workers = w, .max_tasks = 400);
    }
}

#if BGI_DEBUG

static bg_runtime *own(void)
{
    return bgi_task_runtime(bg_self());
}

/* One worker and no spares: whoever runs is alone. */
static int check_within(void *arg)
{
    (void)arg;
    bg_task *sleeper = bg_spawn(sleep_forever, NULL);
    bg_task *done = bg_spawn(return_arg, NULL);
    bgi_tasks_check(own());
    bg_yield();
    bgi_tasks_check(own());
    (void)bg_await(done);
    bgi_tasks_check(own());
    (void)bg_cancel(sleeper);
    bgi_tasks_check(own());
    return bg_await(sleeper) == -ECANCELED ? 0 : 1;
}

Test(check, sound_records_pass_within_a_task)
{
    RUN(check_within, NULL, .workers = 1, .spares = BG_NO_SPARES);
}

/* What a child does: breaks something with a task that has ended, and checks. */
struct breaking {
    void (*breaks)(bg_runtime *rt, bg_task *t);
    int ended;
};

static int break_and_check(void *arg)
{
    const struct breaking *b = arg;
    bg_task *t = bg_spawn(return_arg, NULL, .name = "soup");
    bg_yield();
    bg_runtime *rt = own();
    b->breaks(rt, t);
    bgi_tasks_check(rt);
    return 0;
}

static void run_broken(void *arg)
{
    (void)bg_run(break_and_check, arg, .workers = 1, .spares = BG_NO_SPARES);
}

static void expect(void (*breaks)(bg_runtime *rt, bg_task *t), const char *words)
{
    struct breaking b = {breaks, 0};
    DIES(run_broken, &b, words);
}

static struct bgi_link *link_of(bg_task *t)
{
    return &t->fiber.item.link;
}

static void list_what_is_not_free(bg_runtime *rt, bg_task *t)
{
    link_of(t)->next = rt->free;
    rt->free = link_of(t);
    rt->free_count++;
}

static void list_twice(bg_runtime *rt, bg_task *t)
{
    (void)t;
    rt->free = rt->cache[0].free;
    rt->free_count = rt->cache[0].count;
}

static void lose(bg_runtime *rt, bg_task *t)
{
    (void)rt;
    bgi_store(&t->done, BGI_TASK_FREE);
}

static void miscount(bg_runtime *rt, bg_task *t)
{
    (void)t;
    rt->free_count = 3;
}

static void cut(bg_runtime *rt, bg_task *t)
{
    (void)t;
    rt->cache[0].count = 5;
}

static void list_a_stranger(bg_runtime *rt, bg_task *t)
{
    /* Within a chunk, between two records. */
    struct bgi_link *l = (struct bgi_link *)(void *)((char *)t + 8);
    rt->free = l;
    rt->free_count = 1;
}

static void list_the_head_of_a_chunk(bg_runtime *rt, bg_task *t)
{
    struct bgi_task_chunk *c = (struct bgi_task_chunk *)((uintptr_t)t & ~(BGI_TASK_CHUNK - 1));
    rt->free = (struct bgi_link *)(void *)c;
    rt->free_count = 1;
}

static void list_one_of_another_runtime(bg_runtime *rt, bg_task *t)
{
    static bg_runtime other;
    bgi_lock_init(&other.lock, BGI_RANK_TASKS, "tasks");
    bg_task *stranger = bgi_task_alloc(&other, NULL);
    (void)t;
    rt->free = link_of(stranger);
    rt->free_count = 1;
}

static void list_one_never_handed_out(bg_runtime *rt, bg_task *t)
{
    (void)t;
    rt->free = link_of(&rt->chunks->task[rt->chunks->used]);
    rt->free_count = 1;
}

static void list_one_too_many(bg_runtime *rt, bg_task *t)
{
    (void)t;
    rt->cache[0].count--;
}

static void spoil_done(bg_runtime *rt, bg_task *t)
{
    (void)rt;
    bgi_store(&t->done, 0x1001);
}

static void leave_a_signal(bg_runtime *rt, bg_task *t)
{
    (void)rt;
    (void)bgi_waiter_signal(&t->waiter);
}

static void move_chunk(bg_runtime *rt, bg_task *t)
{
    (void)t;
    static bg_runtime other;
    rt->chunks->runtime = &other;
}

static void overuse_chunk(bg_runtime *rt, bg_task *t)
{
    (void)t;
    rt->chunks->used = BGI_TASKS_A_CHUNK + 1;
}

Test(check, broken_records_are_found)
{
    expect(list_what_is_not_free, "brigade: tasks: the common list has a record whose done is 0x2");
    expect(list_twice, "records are free, the lists have ");
    expect(lose, "records are free, the lists have ");
    expect(miscount, "tasks: the common list of 3 has 0");
    expect(list_the_head_of_a_chunk, "the common list has something that is no record");
    expect(list_one_of_another_runtime, "the common list has something that is no record");
    expect(list_one_never_handed_out, "the common list has something that is no record");
    expect(list_one_too_many, "tasks: a worker's list of ");
    expect(cut, "tasks: a worker's list of 5 has more than 5");
    expect(list_a_stranger,
           "tasks: the common list has something that is no record of its runtime");
    expect(spoil_done, "tasks: 'soup': done is 0x1001: no waiter");
    expect(leave_a_signal, "waiter of 'soup': 0x100000000: a signal is left over");
    expect(move_chunk, "tasks: a chunk is of another runtime");
    expect(overuse_chunk, "tasks: a chunk has handed out ");
}

/* Broken while the runtime lives, found when it ends. */
static int break_only(void *arg)
{
    const struct breaking *b = arg;
    bg_task *t = bg_spawn(return_arg, NULL, .name = "soup", .stack_size = 0);
    bg_yield();
    b->breaks(own(), t);
    return 0;
}

static void run_to_the_end(void *arg)
{
    (void)bg_run(break_only, arg, .workers = 1, .spares = BG_NO_SPARES, .max_tasks = 9);
}

static void revive(bg_runtime *rt, bg_task *t)
{
    (void)rt;
    bgi_store(&t->done, BGI_TASK_LIVE);
}

static void leave_alive(bg_runtime *rt, bg_task *t)
{
    (void)t;
    (void)bgi_fetch_add(&rt->alive, 1);
}

Test(check, the_end_of_a_runtime_looks_at_its_records)
{
    struct breaking b = {lose, 1};
    DIES(run_to_the_end, &b, "records are free, the lists have ");
    b.breaks = revive;
    DIES(run_to_the_end, &b, "brigade: tasks: 'soup' has not ended: done is 0");
    b.breaks = leave_alive;
    DIES(run_to_the_end, &b, "brigade: tasks: alive is 1");
}

static int end_with_a_signal(void *arg)
{
    (void)arg;
    (void)bgi_waiter_signal(&bg_self()->waiter);
    return 0;
}

static void run_signalled(void *arg)
{
    (void)bg_run(end_with_a_signal, arg, .workers = 1, .name = "stew");
}

Test(check, a_task_ends_with_no_signal_left)
{
    DIES(run_signalled, NULL, "brigade: waiter of 'stew': 0x100000000: a signal is left over");
}

#endif

/*
 * Where records come from: they are used again, by whichever worker, and visited exactly while they
 * are somebody's.
 */
#include "check.h"

#include "task/task.h"

static size_t chunks_of(bg_runtime *rt)
{
    size_t n = 0;
    bgi_lock_acquire(&rt->lock);
    for (struct bgi_task_chunk *c = rt->chunks; c != NULL; c = c->next) {
        n++;
    }
    bgi_lock_release(&rt->lock);
    return n;
}

static bg_runtime *runtime_of_self(void)
{
    return bgi_worker_self()->sched->config.owner;
}

static int main_used_again(void *arg)
{
    size_t workers = (size_t)(uintptr_t)arg;
    for (int i = 0; i < MANY(20000); i++) {
        CHECK(bg_await(bg_spawn(return_arg, INT_ARG(i))) == i);
    }
    /* Two lived at most; each worker, spares too, may keep two batches. */
    size_t most = (2 + (workers + 64) * 2 * BGI_TASK_BATCH) / BGI_TASKS_A_CHUNK + 2;
    CHECK(chunks_of(runtime_of_self()) <= most);
    if (workers == 1) {
        CHECK(chunks_of(runtime_of_self()) <= 2);
    }
    return 0;
}

Test(record, is_used_again)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(main_used_again, INT_ARG(w), .workers = w);
    }
}

/* One spawns, others end: what is freed elsewhere must find its way back. */
static bgi_atomic ended;

static int end(void *arg)
{
    (void)arg;
    add_one(&ended);
    return 0;
}

static int main_migrates(void *arg)
{
    (void)arg;
    bgi_store(&ended, 0);
    enum { GROUP = 500 };
    bgi_word spawned = 0;
    for (int i = 0; i < MANY(200); i++) {
        for (int k = 0; k < GROUP; k++) {
            bg_detach(bg_spawn(end, NULL)); /* freed by the worker that ran it */
        }
        spawned += GROUP;
        yield_until(&ended, spawned);
    }
    CHECK(chunks_of(runtime_of_self()) * BGI_TASKS_A_CHUNK <
          2 * GROUP + (16 + 64) * 3 * BGI_TASK_BATCH);
    return 0;
}

Test(record, finds_its_way_back_from_other_workers)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(main_migrates, NULL, .workers = w);
    }
}

struct visits {
    size_t n;
    size_t of_ours;
    bg_task *ours;
};

static void visit(bg_task *t, void *arg)
{
    struct visits *v = arg;
    v->n++;
    v->of_ours += t == v->ours;
}

static int main_visits(void *arg)
{
    enum { N = 1500 };
    static bg_task *t[N];
    bg_runtime *rt = runtime_of_self();
    (void)arg;
    struct visits v = {0, 0, bg_self()};
    bgi_task_each(rt, visit, &v);
    CHECK(v.n == 1 && v.of_ours == 1);
    for (int i = 0; i < N; i++) {
        t[i] = bg_spawn(i % 2 ? return_arg : sleep_forever, NULL);
    }
    for (int i = 1; i < N; i += 2) {
        CHECK(bg_wait_any(&t[i], 1, NULL) == 0);
    }
    v = (struct visits){0, 0, t[N - 1]};
    bgi_task_each(rt, visit, &v); /* asleep, or ended with the handle still here */
    CHECK(v.n == N + 1 && v.of_ours == 1);
    for (int i = 0; i < N; i++) {
        CHECK(bg_cancel(t[i]) == 0);
    }
    CHECK(bg_gather_all(t, N, NULL) == -ECANCELED);
    v = (struct visits){0, 0, bg_self()};
    bgi_task_each(rt, visit, &v);
    CHECK(v.n == 1 && v.of_ours == 1);
    return 0;
}

Test(record, is_visited_while_it_is_somebodys)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(main_visits, NULL, .workers = w);
    }
}

/* Spawned here, awaited there, a hundred alive at any time: the foreign list, too. */
static void *spawn_from_thread(void *arg)
{
    bg_runtime *rt = arg;
    for (int i = 0; i < MANY(3000); i++) {
        CHECK(bg_runtime_wait(rt, bg_runtime_spawn(rt, return_arg, INT_ARG(i))) == i);
    }
    return NULL;
}

Test(record, of_foreign_threads_is_used_again)
{
    EACH_WORKER_COUNT(w)
    {
        bg_runtime *rt = NULL;
        pthread_t thread[3];
        cr_assert_eq(bg_runtime_create(&rt, .workers = w), 0);
        for (int i = 0; i < 3; i++) {
            cr_assert_eq(pthread_create(&thread[i], NULL, spawn_from_thread, rt), 0);
        }
        for (int i = 0; i < 3; i++) {
            cr_assert_eq(pthread_join(thread[i], NULL), 0);
        }
        NO_CHECK_FAILED();
        cr_assert_leq(chunks_of(rt), 2);
        cr_assert_eq(bg_runtime_shutdown(rt), 0);
    }
}

/*
 * What users write, in the language that C11 and C++17 share. Never run.
 */
#include <brigade.h>

static int task(void *arg)
{
    return arg == NULL ? 0 : bg_sleep(BG_MS);
}

struct order {
    int table;
    const char *dish;
};

static int blocks(void)
{
    int rc = 0;
    bg_failure failures[2];
    size_t failed = 0;

    bg_timeout (BG_S) {
        bg_deadline (bg_now() + BG_S) {
            bg_shield
            {
                rc = bg_sleep(BG_MS);
            }
        }
    }
    if (bg_timed_out() || bg_cancelled()) {
        return rc;
    }
    bg_group (plain) {
        (void)bg_group_spawn(&plain, task, NULL);
    }
    bg_group (g, .limit = 8, .result = &rc, .results = 1, .failures = failures, .max_failures = 2,
              .failed = &failed) {
        int result;
        (void)bg_group_spawn(&g, task, NULL, .name = "one", .stack_size = 65536);
        (void)bg_group_spawn_with(&g, task, struct order, 3, "soup");
        while (bg_group_next(&g, &result) == 0) {
            if (result < 0) {
                (void)bg_group_cancel(&g);
                break;
            }
        }
    }
    return rc;
}

static int by_functions(void)
{
    bg_group_t g;
    bg_scope scope;
    int rc = bg_group_open(&g, .limit = 2);
    if (rc == 0) {
        (void)bg_timeout_open(&scope, BG_S);
        rc = bg_group_spawn(&g, task, NULL);
        bg_scope_close(&scope);
        rc = bg_group_close(&g);
    }
    return rc;
}

static int completed(void)
{
    bg_task *tasks[2];
    int sum = 0;
    tasks[0] = bg_spawn(task, NULL);
    tasks[1] = bg_spawn_with(task, struct order, 3, "soup");
    bg_as_completed (t, tasks, 2) {
        sum += bg_await(t);
    }
    return sum + bg_gather(bg_spawn(task, NULL), bg_spawn(task, NULL, .name = "two"));
}

static int channels(void)
{
    int v = 0, ended = 0;
    bg_chan *a = bg_chan_create(sizeof v, 4), *b = bg_chan_create(0, 0);
    bg_case cases[2];

    (void)bg_send(a, &v);
    (void)bg_try_recv(a, &v);
    switch (bg_select(BG_RECV(a, &v), BG_SEND(a, &v, &ended), BG_RECV(b, NULL, &ended),
                      BG_SEND(b, NULL), BG_AFTER(2 * BG_S), BG_DEFAULT)) {
    case 0:
        v++;
        break;
    default:
        break;
    }
    (void)bg_select(BG_RECV(a, &v));
    cases[0] = BG_RECV(a, &v);
    cases[1] = BG_AFTER(BG_FOREVER);
    v += bg_select_cases(cases, 2);
    (void)bg_close(a);
    bg_chan_destroy(a);
    bg_chan_destroy(b);
    return v + (int)bg_chan_length(NULL);
}

static int announcements(void)
{
    int v = 0;
    size_t missed = 0;
    bg_subscriber me;
    bg_future *f = bg_future_create(sizeof v);
    bg_broadcast *b = bg_broadcast_create(sizeof v, 16);

    (void)bg_future_set(f, &v);
    (void)bg_future_fail(f, -EIO);
    v += bg_future_done(f) + bg_future_wait(f, &v) + bg_future_try(f, NULL);
    bg_future_destroy(f);
    (void)bg_broadcast_subscribe(b, &me);
    (void)bg_broadcast_send(b, &v);
    v += bg_broadcast_recv(&me, &v, &missed) + bg_broadcast_try_recv(&me, NULL, NULL);
    bg_broadcast_unsubscribe(&me);
    (void)bg_broadcast_close(b);
    bg_broadcast_destroy(b);
    return v + (int)missed;
}

static int by_value(const void *a, const void *b, void *ctx)
{
    const int *x = (const int *)a, *y = (const int *)b;
    (void)ctx;
    return (*x > *y) - (*x < *y);
}

static int sorted(void)
{
    int v[3] = {3, 1, 2};
    return bg_parallel_sort(v, 3, sizeof *v, by_value, NULL) +
           bg_parallel_stable_sort(v, 3, sizeof *v, by_value, NULL, .grain = 100);
}

static int stage(void *item, void *ctx)
{
    return item == ctx;
}

static int piped(void)
{
    const bg_stage stages[] = {BG_SERIAL(stage, NULL), BG_PARALLEL(stage, NULL)};
    return bg_pipeline(8, sizeof(struct order), BG_SERIAL(stage, NULL), BG_PARALLEL(stage, NULL)) +
           bg_pipeline_run(stages, 2, .tokens = 4, .item_size = sizeof(struct order));
}

static int main_task(void *unused)
{
    (void)unused;
    return blocks() + by_functions() + completed() + channels() + announcements() + sorted() +
           piped();
}

int main(void)
{
    return bg_run(main_task, NULL, .workers = 2, .name = "main") +
           bg_explore(main_task, NULL, .seeds = 3);
}

/*
 * The part of the program of everything (everything.h) that has blocks: a group whose members use
 * locks, channels, select, futures, broadcasts, locals, blocking calls and typed tasks. Each may be
 * refused what it asks for; the group then ends the rest, so that nobody waits for who never came.
 *
 * What must hold however it ends: a group tells every failure, the first of them is a refusal and
 * no consequence of one, what is sent is received by exactly one, and no lock is left held.
 */
#ifndef TESTS_RUNTIME_STRUCTURED_H
#define TESTS_RUNTIME_STRUCTURED_H

#include "../task/check.h"

enum { STRUCTURED_ITEMS = 6 };

struct structured {
    bg_chan *meet, *box;
    bg_future *answer;
    bg_broadcast *news;
    bg_mutex lock;
    bg_cond changed;
    bg_sem permits;
    bg_rwlock book;
    bg_event go;
    bg_latch there;
    bg_once once;
    int turn; /* under lock */
    bgi_atomic holds, sum_in, sum_out, once_ran, blocked;
};

static bg_local structured_key = BG_LOCAL_INIT;

static BG_TASK(double, structured_mean, (double, a), (double, b))
{
    return bg_sleep(BG_US) == 0 ? (a + b) / 2 : -1;
}

static int structured_sends(void *arg)
{
    struct structured *s = arg;
    for (int i = 1; i <= STRUCTURED_ITEMS; i++) {
        int r = i % 2 == 0 ? bg_send(s->meet, &i) : bg_select(BG_SEND(s->meet, &i));
        if (r != 0) {
            return r;
        }
        (void)bgi_fetch_add(&s->sum_in, (bgi_word)i);
    }
    return bg_close(s->meet);
}

static int structured_receives(void *arg)
{
    struct structured *s = arg;
    for (int v = 0, r;;) {
        r = bg_select(BG_RECV(s->meet, &v), BG_RECV(s->box, &v), BG_AFTER(BG_FOREVER));
        if (r == -EPIPE) {
            return 0;
        }
        if (r != 0) {
            CHECK(r != 1); /* nobody sends to the box */
            return r;
        }
        (void)bgi_fetch_add(&s->sum_out, (bgi_word)v);
    }
}

/* Two of them take turns. */
static int structured_turns(struct structured *s, int me)
{
    int r = 0;
    for (int i = 0; i < 3 && r == 0; i++) {
        if ((r = bg_mutex_lock(&s->lock)) != 0) {
            return r;
        }
        CHECK(bgi_fetch_add(&s->holds, 1) == 0);
        while (s->turn % 2 != me && r == 0) {
            CHECK(bgi_fetch_sub(&s->holds, 1) == 1);
            r = bg_cond_wait(&s->changed, &s->lock);
            CHECK(bgi_fetch_add(&s->holds, 1) == 0);
        }
        s->turn++;
        CHECK(bgi_fetch_sub(&s->holds, 1) == 1);
        CHECK(bg_cond_broadcast(&s->changed) == 0);
        CHECK(bg_mutex_unlock(&s->lock) == 0);
    }
    return r;
}

static int structured_even(void *arg)
{
    return structured_turns(arg, 0);
}

static int structured_odd(void *arg)
{
    return structured_turns(arg, 1);
}

static int structured_once(void *arg)
{
    struct structured *s = arg;
    add_one(&s->once_ran);
    return bg_sleep(BG_US);
}

static int structured_locks(void *arg)
{
    struct structured *s = arg;
    int r = bg_once_run(&s->once, structured_once, s);
    if (r != 0 || (r = bg_event_wait(&s->go)) != 0 || (r = bg_sem_acquire(&s->permits)) != 0) {
        return r;
    }
    bg_shield
    {
        CHECK(bg_rwlock_read_lock(&s->book) == 0);
        CHECK(bg_sleep(BG_US) == 0);
        CHECK(bg_rwlock_unlock(&s->book) == 0);
    }
    CHECK(bg_sem_release(&s->permits) == 0);
    CHECK(bg_latch_count_down(&s->there, 1) == 0);
    return 0;
}

static int structured_listens(void *arg)
{
    struct structured *s = arg;
    bg_subscriber me;
    int v = 0, r;
    CHECK(bg_broadcast_subscribe(s->news, &me) == 0);
    (void)bg_event_set(&s->go);
    r = bg_broadcast_recv(&me, &v, NULL);
    CHECK(r != 0 || v == 7);
    bg_broadcast_unsubscribe(&me);
    return r;
}

static int structured_answers(void *arg)
{
    struct structured *s = arg;
    int seven = 7, r = bg_event_wait(&s->go);
    if (r != 0) {
        return r;
    }
    CHECK(bg_broadcast_send(s->news, &seven) == 0);
    return bg_future_set(s->answer, &seven);
}

static int structured_blocks(void *arg)
{
    struct structured *s = arg;
    add_one(&s->blocked);
    return 5;
}

static int structured_sum(void *arg)
{
    const int *n = arg;
    return n[0] + n[1] + n[2];
}

static int structured_calls(void *arg)
{
    struct structured *s = arg;
    int v = 0, r = 0;
    bg_shield
    {
        r = bg_blocking(structured_blocks, s); /* what it writes to outlives the wait alone */
    }
    if (r != 5 || (r = bg_blocking_with(structured_sum, int[3], 1, 2, 3)) != 6) {
        return r;
    }
    r = bg_future_wait(s->answer, &v);
    CHECK(r != 0 || v == 7);
    return r;
}

static int structured_inherits(void *arg)
{
    CHECK(bg_local_get(&structured_key) == arg);
    int r = bg_local_set(&structured_key, &structured_key);
    CHECK(bg_local_get(&structured_key) == (r == 0 ? (void *)&structured_key : arg));
    return r;
}

static int structured_types(void *arg)
{
    double mean = 0;
    (void)arg;
    int r = structured_mean_await(structured_mean_spawn(1, 2), &mean);
    CHECK(r != 0 || mean == 1.5 || mean == -1);
    return r;
}

static int is_refusal(int r)
{
    return r == -ENOMEM || r == -EAGAIN;
}

static int structured_group(struct structured *s)
{
    static const bg_fn members[] = {structured_sends,    structured_receives, structured_even,
                                    structured_odd,      structured_locks,    structured_locks,
                                    structured_listens,  structured_answers,  structured_calls,
                                    structured_inherits, structured_types};
    enum { MEMBERS = BGI_ARRAY_LEN(members) };
    bg_failure failures[MEMBERS + 1];
    size_t failed = 0, spawned = 0, ended = 0, bad = 0;
    int rc = 1, first = 0;

    bg_group (g, .result = &rc, .results = 1, .failures = failures, .max_failures = MEMBERS + 1,
              .failed = &failed) {
        for (size_t i = 0; i < MEMBERS; i++) {
            int r = bg_group_spawn(&g, members[i], s, .name = i % 3 == 0 ? "member" : NULL);
            if (r == -ENOMEM) {
                first = first == 0 ? r : first;
                bad++;
                break;
            }
            if (r != 0) {
                CHECK(r == -ECANCELED);
                break;
            }
            spawned++;
        }
        int r, result;
        while ((r = bg_group_next(&g, &result)) == 0) {
            ended++;
            bad += result < 0 && result != -ECANCELED;
            CHECK(result == 0 || result == -ECANCELED || is_refusal(result));
        }
        CHECK(r == -ENOENT);
    }
    CHECK(ended == spawned && failed == bad);
    CHECK(rc == (failed == 0 ? 0 : failures[0].result));
    CHECK(first == 0 || rc == first || is_refusal(rc));
    for (size_t i = 0; i < failed; i++) {
        CHECK(is_refusal(failures[i].result));
    }
    if (rc == 0) {
        CHECK(spawned == MEMBERS && bgi_load(&s->blocked) == 1);
        CHECK(bgi_load(&s->sum_out) == STRUCTURED_ITEMS * (STRUCTURED_ITEMS + 1) / 2);
        CHECK(s->turn == 6 && bgi_load(&s->once_ran) == 1);
        CHECK(bg_latch_wait(&s->there) == 0);
    }
    CHECK(bgi_load(&s->sum_in) == bgi_load(&s->sum_out)); /* who sent has met who received */
    return rc;
}

/* 0, or the refusal that was met. */
static int structured(void)
{
    struct structured s;
    int rc = -ENOMEM;
    memset(&s, 0, sizeof s);
    s.meet = bg_chan_create(sizeof(int), 0);
    s.box = bg_chan_create(sizeof(int), 3);
    s.answer = bg_future_create(sizeof(int));
    s.news = bg_broadcast_create(sizeof(int), 2);
    bg_mutex_init(&s.lock);
    bg_cond_init(&s.changed);
    bg_rwlock_init(&s.book);
    bg_event_init(&s.go);
    bg_once_init(&s.once);
    CHECK(bg_sem_init(&s.permits, 1) == 0 && bg_latch_init(&s.there, 2) == 0);
    if (s.meet != NULL && s.box != NULL && s.answer != NULL && s.news != NULL) {
        int set = bg_local_set(&structured_key, &s);
        rc = set == 0 ? structured_group(&s) : set;
        CHECK(bg_local_set(&structured_key, NULL) == 0);
        CHECK(bg_sem_value(&s.permits) == 1);
        CHECK(bg_mutex_try_lock(&s.lock) == 0 && bg_mutex_unlock(&s.lock) == 0);
        CHECK(bg_rwlock_try_write_lock(&s.book) == 0 && bg_rwlock_unlock(&s.book) == 0);
    }
    bg_mutex_destroy(&s.lock);
    bg_cond_destroy(&s.changed);
    bg_rwlock_destroy(&s.book);
    bg_event_destroy(&s.go);
    bg_once_destroy(&s.once);
    bg_sem_destroy(&s.permits);
    bg_latch_destroy(&s.there);
    bg_chan_destroy(s.meet);
    bg_chan_destroy(s.box);
    bg_future_destroy(s.answer);
    bg_broadcast_destroy(s.news);
    return rc;
}

#endif

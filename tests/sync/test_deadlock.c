/*
 * What the report of a deadlock says of those who wait, in the deterministic mode.
 */
#include "../task/child.h"
#include "sync.h"

static bg_mutex m = BG_MUTEX_INIT;
static bg_cond c = BG_COND_INIT;
static bg_sem s = BG_SEM_INIT(0);
static bg_event e = BG_EVENT_INIT;
static bg_barrier b = BG_BARRIER_INIT(2);
static bg_latch l = BG_LATCH_INIT(1);
static bg_once o = BG_ONCE_INIT;
static bg_rwlock rw = BG_RWLOCK_INIT;

static int end_of(bg_fn fn)
{
    return bg_run(fn, NULL, .seed = 7, .name = "chef");
}

static void run_fn(void *arg)
{
    CHECK(end_of(*(bg_fn *)arg) == -EDEADLK);
}

static void says(bg_fn fn, const char *wait)
{
    char words[128];
    struct child_end end = child_run(run_fn, &fn);
    (void)snprintf(words, sizeof words, "waits in %s since ", wait);
    cr_assert(end.signal == 0 && end.status == 0, "signal %d, status %d: %s", end.signal,
              end.status, end.words);
    cr_assert_not_null(strstr(end.words, "brigade: deadlock"), "%s", end.words);
    cr_assert_not_null(strstr(end.words, words), "%s: %s", words, end.words);
}

static int wait_sem(void *arg)
{
    (void)arg;
    return bg_sem_acquire(&s);
}

static int wait_event(void *arg)
{
    (void)arg;
    return bg_event_wait(&e);
}

static int wait_barrier(void *arg)
{
    (void)arg;
    return bg_barrier_wait(&b);
}

static int wait_latch(void *arg)
{
    (void)arg;
    return bg_latch_wait(&l);
}

static int wait_cond(void *arg)
{
    (void)arg;
    CHECK(bg_mutex_lock(&m) == 0);
    int r = bg_cond_wait(&c, &m);
    CHECK(bg_mutex_unlock(&m) == 0);
    return r;
}

static int lock_and_wait(void *arg)
{
    int r = bg_mutex_lock(&m);
    if (r == 0) {
        r = wait_event(arg);
        CHECK(bg_mutex_unlock(&m) == 0);
    }
    return r;
}

static int wait_mutex(void *arg)
{
    bg_task *t[] = {bg_spawn(lock_and_wait, arg), bg_spawn(lock_and_wait, arg)};
    return bg_gather_all(t, 2, NULL);
}

static int run_and_wait(void *arg)
{
    return bg_once_run(&o, wait_event, arg);
}

static int wait_once(void *arg)
{
    bg_task *t[] = {bg_spawn(run_and_wait, arg), bg_spawn(run_and_wait, arg)};
    return bg_gather_all(t, 2, NULL);
}

static int read_and_wait(void *arg)
{
    int r = bg_rwlock_read_lock(&rw);
    if (r == 0) {
        r = wait_event(arg);
        CHECK(bg_rwlock_unlock(&rw) == 0);
    }
    return r;
}

static int write_and_wait(void *arg)
{
    int r = bg_rwlock_write_lock(&rw);
    if (r == 0) {
        r = wait_event(arg);
        CHECK(bg_rwlock_unlock(&rw) == 0);
    }
    return r;
}

static int wait_read(void *arg)
{
    bg_task *t = bg_spawn(write_and_wait, arg);
    until_waiting(&e, 1);
    bg_task *u = bg_spawn(read_and_wait, arg);
    return bg_gather(t, u);
}

static int wait_write(void *arg)
{
    bg_task *t = bg_spawn(read_and_wait, arg);
    until_waiting(&e, 1);
    bg_task *u = bg_spawn(write_and_wait, arg);
    return bg_gather(t, u);
}

/* Holds the mutex and does not heed the cancel that ends the first deadlock at once. */
static int hold_shielded(void *arg)
{
    CHECK(bg_mutex_lock(&m) == 0);
    int r = wait_event(arg);
    bg_shield
    {
        (void)wait_event(arg);
    }
    return r;
}

/* Whoever was signalled waits for the mutex, and cannot be cancelled any more. */
static int wait_mutex_again(void *arg)
{
    bg_task *t = bg_spawn(wait_cond, arg);
    until_waiting(&c, 1);
    bg_task *u = bg_spawn(hold_shielded, arg);
    until_waiting(&e, 1);
    CHECK(bg_cancel(t) == 0);
    return bg_gather(t, u);
}

static int wait_send(void *arg)
{
    (void)arg;
    return bg_send(bg_chan_create(0, 0), NULL);
}

static int wait_recv(void *arg)
{
    (void)arg;
    return bg_recv(bg_chan_create(0, 0), NULL);
}

static int wait_select(void *arg)
{
    bg_chan *none = arg;
    return bg_select(BG_RECV(none, NULL), BG_SEND(none, NULL));
}

static int wait_future(void *arg)
{
    (void)arg;
    return bg_future_wait(bg_future_create(0), NULL);
}

static int wait_broadcast(void *arg)
{
    bg_subscriber me;
    bg_broadcast *news = bg_broadcast_create(0, 1);
    (void)arg;
    CHECK(bg_broadcast_subscribe(news, &me) == 0);
    return bg_broadcast_recv(&me, NULL, NULL);
}

Test(deadlock, names_each_wait)
{
    says(wait_mutex, "bg_mutex_lock for the mutex");
    says(wait_cond, "bg_cond_wait for the condition, or then its mutex");
    says(wait_sem, "bg_sem_acquire for a permit of the semaphore");
    says(wait_event, "bg_event_wait for the event");
    says(wait_barrier, "bg_barrier_wait for the other parties");
    says(wait_latch, "bg_latch_wait for the latch to open");
    says(wait_once, "bg_once_run for another to run it");
    says(wait_read, "bg_rwlock_read_lock for the lock, to read");
    says(wait_write, "bg_rwlock_write_lock for the lock, to write");
    says(wait_send, "bg_send for room in a channel");
    says(wait_recv, "bg_recv for an item in a channel");
    says(wait_select, "bg_select for one of its cases");
    says(wait_future, "bg_future_wait for a future to be set");
    says(wait_broadcast, "bg_broadcast_recv for the next item of a broadcast");
    says(wait_mutex_again, "bg_cond_wait for the mutex, after the condition");
}

/*
 * The read-write lock: readers together, a writer alone, all in the order of arrival.
 *
 * Labels: valgrind aarch64
 */
#include "sync.h"

static bg_rwlock l;
static bgi_atomic readers, writers;
static int data; /* plain */

static void fresh(void)
{
    bg_rwlock_init(&l);
    bgi_store(&readers, 0);
    bgi_store(&writers, 0);
}

static int is_free(void)
{
    int r = bg_rwlock_try_write_lock(&l);
    if (r == 0) {
        CHECK(bg_rwlock_unlock(&l) == 0);
    }
    return waiting_on(&l) == 0 && r == 0;
}

/* ---- alone ---- */

static int alone(void *arg)
{
    static bg_rwlock fixed = BG_RWLOCK_INIT;
    (void)arg;
    CHECK(bg_rwlock_read_lock(&fixed) == 0);
    CHECK(bg_rwlock_unlock(&fixed) == 0);
    fresh();
    CHECK(bg_rwlock_read_lock(&l) == 0);
    CHECK(bg_rwlock_try_read_lock(&l) == 0); /* nobody waits */
    CHECK(bg_rwlock_try_write_lock(&l) == -EBUSY);
    CHECK(bg_rwlock_unlock(&l) == 0);
    CHECK(bg_rwlock_try_write_lock(&l) == -EBUSY);
    CHECK(bg_rwlock_unlock(&l) == 0);
    CHECK(bg_rwlock_write_lock(&l) == 0);
    CHECK(bg_rwlock_try_read_lock(&l) == -EBUSY);
    CHECK(bg_rwlock_try_write_lock(&l) == -EBUSY);
    CHECK(bg_rwlock_unlock(&l) == 0);
    CHECK(is_free());
    bg_rwlock_destroy(&l);
#if !BGI_DEBUG
    CHECK(bg_rwlock_unlock(&l) == -EPERM);
    CHECK(is_free());
#endif
    return 0;
}

Test(rwlock, locked_and_unlocked)
{
    everywhere(alone);
    cr_assert_eq(alone(NULL), 0); /* by a plain thread */
    NO_CHECK_FAILED();
}

/* ---- many ---- */

static void read_it(int may_yield)
{
    add_one(&readers);
    CHECK(bgi_load(&writers) == 0);
    int before = data;
    if (may_yield) {
        bg_yield();
    }
    CHECK(data == before);
    (void)bgi_fetch_sub(&readers, 1);
}

static void write_it(int may_yield)
{
    CHECK(bgi_fetch_add(&writers, 1) == 0);
    CHECK(bgi_load(&readers) == 0);
    data++;
    if (may_yield) {
        bg_yield();
    }
    (void)bgi_fetch_sub(&writers, 1);
}

static int use(void *arg)
{
    int id = (int)(intptr_t)arg;
    for (int i = 0; i < 6; i++) {
        int write = (i + id) % 3 == 0, r;
        int by_try = (i + id) % 5 == 0;
        if (write) {
            r = by_try ? bg_rwlock_try_write_lock(&l) : bg_rwlock_write_lock(&l);
        } else {
            r = by_try ? bg_rwlock_try_read_lock(&l) : bg_rwlock_read_lock(&l);
        }
        CHECK(r == 0 || (by_try && r == -EBUSY));
        if (r == 0) {
            if (write) {
                write_it(bg_self() != NULL);
            } else {
                read_it(bg_self() != NULL);
            }
            CHECK(bg_rwlock_unlock(&l) == 0);
        }
    }
    return 0;
}

static int many(void *arg)
{
    enum { N = 7 };
    bg_task *t[N];
    (void)arg;
    fresh();
    for (int i = 0; i < N; i++) {
        t[i] = bg_spawn(use, INT_ARG(i));
    }
    CHECK(bg_gather_all(t, N, NULL) == 0);
    CHECK(is_free());
    return 0;
}

Test(rwlock, readers_together_a_writer_alone)
{
    everywhere(many);
}

static int mixed(void *arg)
{
    struct helper h[4];
    bg_task *t[4];
    (void)arg;
    fresh();
    for (int i = 0; i < 4; i++) {
        t[i] = bg_spawn(use, INT_ARG(i));
        helper_start(&h[i], use, INT_ARG(i + 1));
    }
    CHECK(bg_gather_all(t, 4, NULL) == 0);
    for (int i = 0; i < 4; i++) {
        CHECK(helper_end(&h[i]) == 0);
    }
    CHECK(is_free());
    return 0;
}

Test(rwlock, of_tasks_and_threads)
{
    on_threads(mixed);
}

/* ---- in order ---- */

static char order[32];
static bgi_atomic ordered;
static bg_sem go;

static int lock_as(char kind)
{
    return kind == 'w' ? bg_rwlock_write_lock(&l) : bg_rwlock_read_lock(&l);
}

/* 'r' or 'w': notes that it has the lock, and keeps it until it may go. */
static int hold(void *arg)
{
    char kind = (char)(intptr_t)arg;
    int r = lock_as(kind);
    if (r == 0) {
        order[bgi_fetch_add(&ordered, 1)] = kind;
        bg_shield
        {
            CHECK(bg_sem_acquire(&go) == 0);
        }
        CHECK(bg_rwlock_unlock(&l) == 0);
    }
    return r;
}

static void let_go(int n)
{
    for (int i = 0; i < n; i++) {
        CHECK(bg_sem_release(&go) == 0);
    }
}

static void queue_up(const char *kinds, bg_task **t)
{
    CHECK(bg_sem_init(&go, 0) == 0);
    bgi_store(&ordered, 0);
    for (int i = 0; kinds[i] != '\0'; i++) {
        t[i] = bg_spawn(hold, INT_ARG(kinds[i]));
        until_waiting(&l, i + 1);
    }
}

/* The writer that holds it lets go: "rrwrrw" get it as rr, w, rr, w. */
static int batches(void *arg)
{
    bg_task *t[6];
    static const int have[] = {2, 1, 2, 1};
    bgi_word sum = 0;
    (void)arg;
    fresh();
    CHECK(bg_rwlock_write_lock(&l) == 0);
    queue_up("rrwrrw", t);
    CHECK(bg_rwlock_try_read_lock(&l) == -EBUSY);
    CHECK(bg_rwlock_unlock(&l) == 0);
    for (int i = 0; i < 4; i++) {
        sum += (bgi_word)have[i];
        yield_until(&ordered, sum);
        until_waiting(&go, have[i]);
        CHECK(bgi_load(&ordered) == sum);
        CHECK(waiting_on(&l) == 6 - (int)sum);
        CHECK(bg_rwlock_try_read_lock(&l) == -EBUSY); /* nobody barges in */
        let_go(have[i]);
    }
    CHECK(bg_gather_all(t, 6, NULL) == 0);
    CHECK(memcmp(order, "rrwrrw", 6) == 0);
    CHECK(is_free());
    return 0;
}

Test(rwlock, those_who_wait_are_served_in_order)
{
    everywhere(batches);
}

/* A reader has it and a writer waits: who wants to read waits behind. */
static int readers_wait_behind_writers(void *arg)
{
    bg_task *t[2];
    (void)arg;
    fresh();
    CHECK(bg_rwlock_read_lock(&l) == 0);
    queue_up("wr", t);
    CHECK(bg_rwlock_try_read_lock(&l) == -EBUSY);
    CHECK(bg_rwlock_unlock(&l) == 0);
    until_waiting(&go, 1);
    CHECK(order[0] == 'w' && waiting_on(&l) == 1);
    let_go(2);
    CHECK(bg_gather_all(t, 2, NULL) == 0);
    CHECK(is_free());
    return 0;
}

Test(rwlock, a_writer_does_not_starve)
{
    everywhere(readers_wait_behind_writers);
}

/* ---- ends ---- */

/* A reader has it; a writer, then two readers wait. The writer is cancelled: the readers go on. */
static int writer_leaves(void *arg)
{
    bg_task *t[4];
    (void)arg;
    fresh();
    CHECK(bg_rwlock_read_lock(&l) == 0);
    queue_up("wrrw", t);
    CHECK(bg_cancel(t[0]) == 0);
    CHECK(bg_await(t[0]) == -ECANCELED);
    yield_until(&ordered, 2);
    until_waiting(&go, 2);
    CHECK(waiting_on(&l) == 1); /* the last writer */
    let_go(3);
    CHECK(bg_await(t[1]) == 0 && bg_await(t[2]) == 0);
    CHECK(waiting_on(&l) == 1);
    CHECK(bg_rwlock_unlock(&l) == 0);
    CHECK(bg_await(t[3]) == 0);
    CHECK(is_free());
    return 0;
}

Test(rwlock, a_writer_that_is_cancelled_lets_the_readers_behind_it_go_on)
{
    everywhere(writer_leaves);
}

static int cancelled(void *arg)
{
    static const char kinds[] = "rwrw";
    bg_task *t[4];
    (void)arg;
    for (int victim = 0; victim < 4; victim++) {
        fresh();
        CHECK(bg_rwlock_write_lock(&l) == 0);
        queue_up(kinds, t);
        CHECK(bg_cancel(t[victim]) == 0);
        CHECK(bg_await(t[victim]) == -ECANCELED);
        CHECK(waiting_on(&l) == 3);
        let_go(3);
        CHECK(bg_rwlock_unlock(&l) == 0);
        char expected[4];
        for (int i = 0, n = 0; i < 4; i++) {
            if (i != victim) {
                CHECK(bg_await(t[i]) == 0);
                expected[n++] = kinds[i];
            }
        }
        CHECK(memcmp(order, expected, 3) == 0);
        CHECK(is_free());
    }
    return 0;
}

Test(rwlock, who_is_cancelled_takes_nothing)
{
    everywhere(cancelled);
}

static int use_until_cancelled(void *arg)
{
    int id = (int)(intptr_t)arg;
    for (int i = 0;; i++) {
        int write = (i + id) % 3 == 0;
        int r = lock_as(write ? 'w' : 'r');
        if (r != 0) {
            return r;
        }
        if (write) {
            write_it(1);
        } else {
            read_it(1);
        }
        CHECK(bg_rwlock_unlock(&l) == 0);
    }
}

static int cancel_any_time(void *arg)
{
    enum { N = 7 };
    bg_task *t[N];
    (void)arg;
    fresh();
    for (int i = 0; i < N; i++) {
        t[i] = bg_spawn(use_until_cancelled, INT_ARG(i));
    }
    for (int i = 0; i < N; i++) {
        bg_yield();
        CHECK(bg_cancel(t[i]) == 0);
    }
    for (int i = 0; i < N; i++) {
        CHECK(bg_await(t[i]) == -ECANCELED);
    }
    CHECK(is_free());
    return 0;
}

Test(rwlock, cancelled_at_any_time)
{
    everywhere(cancel_any_time);
}

static int late(void *arg)
{
    (void)arg;
    fresh();
    bg_timeout (0) {
        CHECK(bg_rwlock_read_lock(&l) == -ETIMEDOUT);
        CHECK(bg_rwlock_write_lock(&l) == -ETIMEDOUT);
        CHECK(is_free());
    }
    CHECK(bg_rwlock_read_lock(&l) == 0);
    bg_timeout (BG_MS) {
        CHECK(bg_rwlock_write_lock(&l) == -ETIMEDOUT);
    }
    CHECK(bg_rwlock_try_read_lock(&l) == 0);
    CHECK(bg_rwlock_unlock(&l) == 0);
    CHECK(bg_rwlock_unlock(&l) == 0);
    CHECK(is_free());
    return 0;
}

Test(rwlock, who_runs_out_of_time_takes_nothing)
{
    everywhere(late);
}

/* ---- gone ---- */

struct shared {
    bg_rwlock l;
    int users;
};

static int leave(void *arg)
{
    struct shared *s = arg;
    CHECK(bg_rwlock_read_lock(&s->l) == 0);
    bg_yield();
    CHECK(bg_rwlock_unlock(&s->l) == 0);
    CHECK(bg_rwlock_write_lock(&s->l) == 0);
    int last = --s->users == 0;
    CHECK(bg_rwlock_unlock(&s->l) == 0);
    if (last) {
        bg_rwlock_destroy(&s->l);
        memset(s, 0x55, sizeof *s);
        bgi_free(s);
    }
    return 0;
}

static int destroyed(void *arg)
{
    bg_task *t[4];
    (void)arg;
    struct shared *s = bgi_malloc(sizeof *s);
    bg_rwlock_init(&s->l);
    s->users = 4;
    for (int i = 0; i < 4; i++) {
        t[i] = bg_spawn(leave, s);
    }
    return bg_gather_all(t, 4, NULL);
}

Test(rwlock, is_destroyed_by_the_last_to_hold_it)
{
    everywhere(destroyed);
}

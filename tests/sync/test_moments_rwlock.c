/*
 * The read-write lock where two meet: see moments.h. Each composition of the queue.
 *
 * Labels: valgrind aarch64
 */
#include "moments.h"

#include "sync/rwlock.c"

static const char *kinds; /* of those who wait, by their place: 'r' or 'w' */
static bgi_word holder;   /* WRITER or READER */
static int inside[2];

static bg_rwlock *lock(void)
{
    return (bg_rwlock *)(void *)object;
}

/* By nobody that debug builds know of. */
static void setup_rwlock(int waiters)
{
    (void)waiters;
    inside[0] = inside[1] = 0;
    CHECK(bgi_cas_acquire(&rwlock_of(lock())->q.word, 0, holder));
}

static int wait_rwlock(int i)
{
    return kinds[i] == 'w' ? bg_rwlock_write_lock(lock()) : bg_rwlock_read_lock(lock());
}

static void served_rwlock(int i)
{
    int write = kinds[i] == 'w';
    CHECK(inside[1] == 0 && (!write || inside[0] == 0));
    inside[write]++;
    bg_yield();
    inside[write]--;
    CHECK(bg_rwlock_unlock(lock()) == 0);
}

static void give_rwlock(void)
{
    struct rwlock *l = rwlock_of(lock());
    bgi_word s = bgi_load(&l->q.word);
    if ((s & BGI_WAITQ_FLAGS) != 0 || !bgi_cas_release(&l->q.word, s, given_up(s))) {
        CHECK(unlock_slow(l) == 0);
    }
}

static int not_given(void)
{
    return scene.gifts == 0;
}

static void more_once(void)
{
    if (scene.gifts == 0) {
        make_gift();
    }
}

static void rest_rwlock(int served)
{
    (void)served;
    more_once();
    CHECK(object[0] == 0 && object[1] == 0);
}

/* Nobody waits who could go on. */
static void nobody_waits_for_nothing(void)
{
    struct rwlock *l = rwlock_of(lock());
    if (l->q.first != NULL) {
        CHECK(taken_by(object[0] & ~BGI_WAITQ_FLAGS, l->q.first->info) == 0);
    }
}

static const struct moments_subject subject = {
    .name = "rwlock",
    .setup = setup_rwlock,
    .wait = wait_rwlock,
    .served = served_rwlock,
    .give = give_rwlock,
    .may_give = not_given,
    .more = more_once,
    .rest = rest_rwlock,
    .settled = nobody_waits_for_nothing,
    .unordered = 1, /* readers that are woken together */
};

static void with(const char *queue, bgi_word held)
{
    kinds = queue;
    holder = held;
    run_moments(&subject, 300);
}

Test(moments, of_writers)
{
    with("www", WRITER);
    with("www", READER);
}

Test(moments, of_readers)
{
    with("rrr", WRITER);
}

Test(moments, of_a_writer_before_readers)
{
    with("wrr", WRITER);
    with("wrr", READER);
}

Test(moments, of_a_writer_among_readers)
{
    with("rwr", WRITER);
    with("wrw", READER);
}

Test(moments, of_a_writer_behind_readers)
{
    with("rrw", WRITER);
    with("wwr", READER);
}

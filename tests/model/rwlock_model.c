/*
 * sync/rwlock.c: readers together, a writer alone, each sees what the ones before did; a writer
 * that is cancelled lets the readers behind it go on; the end of the lock after its last unlock.
 */
#include "waiting.h"

#include "base/alloc.h"

#include <brigade/sync.h>
#include <errno.h>

static bg_rwlock L;
static bg_rwlock *shared;
static int data, writes, users, result[3];

static void setup(void)
{
    wt_setup(3);
    bg_rwlock_init(&L);
    data = 0;
    writes = 0;
    result[0] = result[1] = result[2] = 1;
}

static void unlocks(void)
{
    mc_assert(bg_rwlock_unlock(&L) == 0);
}

static void reads_locked(void)
{
    int before = data;
    mc_assert(before == data);
    unlocks();
}

static void writes_locked(void)
{
    data++;
    writes++;
    unlocks();
}

static void reader(void)
{
    (void)wt_begin();
    mc_assert(bg_rwlock_read_lock(&L) == 0);
    reads_locked();
}

static void thread_reader(void)
{
    wt_begin_thread();
    mc_assert(bg_rwlock_read_lock(&L) == 0);
    reads_locked();
}

static void writer(void)
{
    (void)wt_begin();
    mc_assert(bg_rwlock_write_lock(&L) == 0);
    writes_locked();
}

static void thread_writer(void)
{
    wt_begin_thread();
    mc_assert(bg_rwlock_write_lock(&L) == 0);
    writes_locked();
}

static void is_free(int n)
{
    const bgi_waitq *q = (const bgi_waitq *)(void *)&L;
    mc_assert(bgi_load(&q->word) == 0 && q->first == NULL);
    mc_assert(writes == n && data == n);
    for (unsigned i = 0; i < 3; i++) {
        mc_assert(bgi_load(&rt_task(i)->waiter.state) < BGI_WAITER_SIGNAL);
    }
}

static void written_once(void)
{
    is_free(1);
}

static void written_twice(void)
{
    is_free(2);
}

static void written_by_those_who_could(void)
{
    is_free(writes);
}

MC_MODEL(one_each, .name = "rwlock/reader_and_writer",
         .says = "a reader and a writer come after one another", .setup = setup,
         .thread = {reader, writer}, .check = written_once);

MC_MODEL(two_writers, .name = "rwlock/two_writers", .says = "and so do two writers", .setup = setup,
         .thread = {writer, thread_writer}, .check = written_twice);

MC_MODEL(two_readers, .name = "rwlock/two_readers_and_a_writer",
         .says = "a writer comes after all readers, or before", .bound = 2, .quick = 1,
         .setup = setup, .thread = {reader, writer, thread_reader}, .check = written_once);

static void tries_to_read(void)
{
    (void)wt_begin();
    int r = bg_rwlock_try_read_lock(&L);
    mc_assert(r == 0 || r == -EBUSY);
    if (r == 0) {
        reads_locked();
    }
}

static void tries_to_write(void)
{
    (void)wt_begin();
    int r = bg_rwlock_try_write_lock(&L);
    mc_assert(r == 0 || r == -EBUSY);
    if (r == 0) {
        writes_locked();
    }
}

MC_MODEL(tries, .name = "rwlock/tries", .says = "who gets in by a try is as good as any",
         .bound = 2, .quick = 1, .setup = setup,
         .thread = {tries_to_read, tries_to_write, thread_writer},
         .check = written_by_those_who_could);

/* ---- cancels ---- */

static void held_to_read(void)
{
    setup();
    bgi_worker_is(NULL);
    mc_assert(bg_rwlock_read_lock(&L) == 0);
}

static void held_to_write(void)
{
    setup();
    bgi_worker_is(NULL);
    mc_assert(bg_rwlock_write_lock(&L) == 0);
    data = 0;
}

static void gives_up(void)
{
    wt_begin_thread();
    reads_locked();
}

static void cancels(void)
{
    wt_begin_thread();
    bgi_task_cancel(rt_task(0));
}

static void writes_if_it_may(void)
{
    (void)wt_begin();
    int r = bg_rwlock_write_lock(&L);
    mc_assert(r == 0 || r == -ECANCELED);
    if (r == 0) {
        writes_locked();
    }
}

static void reads_if_it_may(void)
{
    (void)wt_begin();
    int r = bg_rwlock_read_lock(&L);
    mc_assert(r == 0 || r == -ECANCELED);
    if (r == 0) {
        reads_locked();
    }
}

MC_MODEL(against_cancel, .name = "rwlock/unlock_against_cancel",
         .says = "a writer that is served and cancelled has the lock, or nothing",
         .setup = held_to_read, .thread = {writes_if_it_may, gives_up, cancels},
         .check = written_by_those_who_could);

MC_MODEL(reader_cancelled, .name = "rwlock/reader_against_cancel", .says = "likewise a reader",
         .setup = held_to_write, .thread = {reads_if_it_may, gives_up, cancels},
         .check = written_by_those_who_could);

/* The reader that holds it stays: the other one goes on only because the writer leaves. */
static void reads_beside(void)
{
    (void)wt_begin();
    mc_assert(bg_rwlock_read_lock(&L) == 0);
    reads_locked();
}

static void still_held(void)
{
    const bgi_waitq *q = (const bgi_waitq *)(void *)&L;
    mc_assert(bgi_load(&q->word) == 2 * BGI_WAITQ_VALUE && q->first == NULL);
    mc_assert(writes == 0);
}

MC_MODEL(writer_leaves, .name = "rwlock/writer_leaves_readers_behind",
         .says = "a writer that is cancelled lets the readers behind it go on",
         .setup = held_to_read, .thread = {writes_if_it_may, reads_beside, cancels},
         .check = still_held);

/* ---- gone with the last unlock ---- */

static void setup_shared(void)
{
    setup();
    shared = bgi_malloc(sizeof *shared);
    bg_rwlock_init(shared);
    users = 2;
}

static void leaves(void)
{
    mc_assert(bg_rwlock_write_lock(shared) == 0);
    int last = --users == 0;
    mc_assert(bg_rwlock_unlock(shared) == 0);
    if (last) {
        bgi_free(shared);
    }
}

static void task_leaves(void)
{
    (void)wt_begin();
    leaves();
}

static void thread_leaves(void)
{
    wt_begin_thread();
    leaves();
}

MC_MODEL(freed, .name = "rwlock/freed_by_the_last",
         .says = "the last to hold it frees it, though the one before is still unlocking it",
         .setup = setup_shared, .thread = {task_leaves, thread_leaves});

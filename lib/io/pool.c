#include "io/pool.h"

#include "arch/futex.h"
#include "base/clock.h"
#include "base/symbol.h"
#include "core/sched.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#define FIRST_REPORT (1 * BG_S)
#define LONGEST_PAUSE (60 * BG_S)

static bgi_job *job_of(struct bgi_list *l)
{
    return BGI_CONTAINER_OF(l, bgi_job, link);
}

static bgi_member *member_of(struct bgi_list *l)
{
    return BGI_CONTAINER_OF(l, bgi_member, link);
}

bgi_pool *bgi_pool_create(unsigned most, bg_duration keep, const bgi_cpu_set *cpus)
{
    bgi_pool *p = bgi_calloc(1, sizeof *p);
    if (p == NULL) {
        return NULL;
    }
    bgi_lock_init(&p->lock, BGI_RANK_POOL, "blocking pool");
    bgi_list_init(&p->queue);
    bgi_list_init(&p->running);
    bgi_list_init(&p->abandoned);
    bgi_list_init(&p->idle);
    p->most = most;
    p->keep = keep;
    p->cpus = cpus;
    p->pause = FIRST_REPORT;
    return p;
}

/* ---- what a thread does ---- */

/* Under the lock: it leaves. Releases the lock, and joins who left before. */
static void leave(bgi_pool *p, bgi_member *me)
{
    bgi_member *before = p->retired;
    me->id = pthread_self();
    p->retired = me;
    p->threads--;
    if (p->threads == 0 && p->ending) {
        bgi_store(&p->gone, 1);
        (void)bgi_futex_wake(&p->gone, 1);
    }
    bgi_lock_release(&p->lock); /* the pool may be gone once this thread has ended, not before */
    if (before != NULL) {
        (void)bgi_thread_join((bgi_thread){before->id}, NULL);
        bgi_free(before);
    }
}

/* Under the lock, which it gives up meanwhile: waits to be called. 0: not within p->keep. */
static int wait_idle(bgi_pool *p, bgi_member *me)
{
    bg_time until = bgi_time_add(bgi_clock_real(), p->keep);

    bgi_store(&me->called, 0);
    bgi_list_push_front(&p->idle, &me->link);
    bgi_lock_release(&p->lock);
    while (bgi_load(&me->called) == 0 && bgi_futex_wait(&me->called, 0, until) != -ETIMEDOUT) {
    }
    bgi_lock_acquire(&p->lock);
    if (bgi_load(&me->called) != 0) {
        return 1;
    }
    bgi_list_unlink(&me->link);
    return 0;
}

/* Under the lock: a job that was taken out of the queue runs. */
static bgi_job *taken(bgi_pool *p, struct bgi_list *l)
{
    bgi_job *j = job_of(l);
    j->state = BGI_JOB_TAKEN;
    j->since = bgi_clock_real();
    bgi_list_push_back(&p->running, l);
    p->queued--;
    return j;
}

/* The oldest job, TAKEN; may wait. NULL: the thread has left. */
static bgi_job *take(bgi_pool *p, bgi_member *me)
{
    struct bgi_list *l;
    int called = 1;

    bgi_lock_acquire(&p->lock);
    while ((l = bgi_list_pop_front(&p->queue)) == NULL) {
        if (!called || p->ending) {
            leave(p, me);
            return NULL;
        }
        called = wait_idle(p, me);
    }
    bgi_job *j = taken(p, l);
    bgi_lock_release(&p->lock);
    return j;
}

/* A job that is TAKEN, or was abandoned meanwhile. */
static void complete(bgi_pool *p, bgi_job *j, int result)
{
    bgi_waiter *w = NULL;

    bgi_lock_acquire(&p->lock);
    bgi_list_unlink(&j->link);
    if (j->state != BGI_JOB_ABANDONED) {
        j->state = BGI_JOB_DONE;
        j->result = result;
        w = j->waiter;
    }
    bgi_lock_release(&p->lock);
    if (w == NULL) {
        if (j->drop != NULL) {
            j->drop(j->arg);
        }
        bgi_free(j);
    } else if (bgi_waiter_signal(w)) {
        bgi_waiter_wake(w);
    }
}

void *bgi_pool_main(void *member)
{
    bgi_member *me = member;
    bgi_pool *p = me->pool;
    bgi_job *j;

    (void)pthread_setname_np(pthread_self(), "bg-blocking");
    (void)bgi_cpu_set_use(p->cpus); /* not those of the worker that needed it */
    while ((j = take(p, me)) != NULL) {
        complete(p, j, j->fn(j->arg));
    }
    return NULL;
}

/* ---- jobs ---- */

/* One more thread, which is counted already: 0 or a negative errno. */
static int start(bgi_pool *p)
{
    sigset_t before;
    bgi_thread thread;
    bgi_member *m = bgi_malloc(sizeof *m);
    if (m == NULL) {
        return -ENOMEM;
    }
    m->pool = p;
    bgi_signals_hold(&before);
    int r = bgi_thread_create(&thread, bgi_pool_main, m);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (r != 0) {
        bgi_free(m);
    }
    return r;
}

/* There is one thread less than was counted. P3. */
static void not_started(bgi_pool *p, int why)
{
    struct bgi_list *l;

    bgi_lock_acquire(&p->lock);
    p->threads--;
    while (p->threads == 0 && (l = bgi_list_pop_front(&p->queue)) != NULL) {
        bgi_job *j = taken(p, l);
        bgi_lock_release(&p->lock);
        complete(p, j, why);
        bgi_lock_acquire(&p->lock);
    }
    bgi_lock_release(&p->lock);
}

void bgi_pool_submit(bgi_pool *p, bgi_job *j)
{
    bgi_lock_acquire(&p->lock);
    j->state = BGI_JOB_QUEUED;
    bgi_list_push_back(&p->queue, &j->link);
    p->queued++;
    struct bgi_list *idle = bgi_list_pop_front(&p->idle);
    int more = idle == NULL && p->threads < p->most;
    p->threads += (unsigned)more;
    if (idle != NULL) {
        bgi_store(&member_of(idle)->called, 1);
    }
    bgi_lock_release(&p->lock); /* from here on the job may be done, and gone */
    if (idle != NULL) {
        /* It may have left by now; a wake-up of whatever lies there harms nobody. */
        (void)bgi_futex_wake(&member_of(idle)->called, 1);
    }
    if (more) {
        int r = start(p);
        if (r != 0) {
            not_started(p, r);
        }
    }
}

enum bgi_job_state bgi_pool_give_up(bgi_pool *p, bgi_job *j)
{
    bgi_lock_acquire(&p->lock);
    enum bgi_job_state state = j->state;
    if (state == BGI_JOB_QUEUED) {
        bgi_list_unlink(&j->link);
        p->queued--;
    } else if (state == BGI_JOB_TAKEN) {
        (void)snprintf(j->task, sizeof j->task, "%s", j->name);
        j->name = j->task;
        j->state = BGI_JOB_ABANDONED;
        bgi_list_unlink(&j->link);
        bgi_list_push_back(&p->abandoned, &j->link);
    }
    bgi_lock_release(&p->lock);
    return state;
}

enum bgi_job_state bgi_pool_withdraw(bgi_pool *p, bgi_job *j)
{
    bgi_lock_acquire(&p->lock);
    enum bgi_job_state state = j->state;
    if (state == BGI_JOB_QUEUED) {
        bgi_list_unlink(&j->link);
        p->queued--;
    }
    bgi_lock_release(&p->lock);
    return state;
}

static size_t length(const struct bgi_list *head)
{
    const struct bgi_list *l;
    size_t n = 0;
    bgi_list_for_each (l, head) {
        n++;
    }
    return n;
}

void bgi_pool_count(bgi_pool *p, bgi_pool_counts *out)
{
    bgi_lock_acquire(&p->lock);
    out->threads = p->threads;
    out->idle = (unsigned)length(&p->idle);
    out->queued = p->queued;
    out->abandoned = length(&p->abandoned);
    bgi_lock_release(&p->lock);
}

/* ---- the end ---- */

static bg_duration longer(bg_duration pause)
{
    return 2 * pause < LONGEST_PAUSE ? 2 * pause : LONGEST_PAUSE;
}

/* Says on stderr which calls of a list still run. */
static void report(bgi_pool *p, const struct bgi_list *calls, const char *which)
{
    enum { MOST = 8, LINE = 400 };
    struct {
        bg_fn fn;
        bg_time since;
        char task[sizeof(((bgi_job *)0)->task)];
    } call[MOST];
    char text[(MOST + 1) * LINE], where[LINE / 2];
    struct bgi_list *l;
    size_t n = 0, used;

    bgi_lock_acquire(&p->lock);
    bgi_list_for_each (l, calls) {
        if (n < MOST) {
            const bgi_job *j = job_of(l);
            call[n].fn = j->fn;
            call[n].since = j->since;
            (void)snprintf(call[n].task, sizeof call[n].task, "%s", j->name);
        }
        n++;
    }
    bgi_lock_release(&p->lock);
    if (n == 0) {
        return; /* none, or the last one is on its way out */
    }
    bg_time now = bgi_clock_real();
    used = (size_t)snprintf(text, LINE, "brigade: shutdown waits for %zu %s blocking call%s%s\n", n,
                            which, n == 1 ? "" : "s", n > MOST ? ", of which the first are:" : ":");
    for (size_t i = 0; i < n && i < MOST; i++) {
        bg_duration d = (now - call[i].since) / (100 * BG_MS);
        bgi_symbol_describe((uintptr_t)call[i].fn, where, sizeof where);
        used += (size_t)snprintf(text + used, LINE,
                                 "  %s, called by task '%s', runs for %" PRId64 ".%d s\n", where,
                                 call[i].task, d / 10, (int)(d % 10));
    }
    if (write(STDERR_FILENO, text, used) < 0) {
        return; /* no stderr: there is nobody to tell */
    }
}

void bgi_pool_linger(bgi_pool *p)
{
    bg_time now = bgi_clock_real();

    if (p->report_at == 0) {
        p->report_at = bgi_time_add(now, p->pause);
    } else if (now >= p->report_at) {
        report(p, &p->running, "shielded");
        report(p, &p->abandoned, "abandoned");
        p->report_at = bgi_time_add(now, p->pause);
        p->pause = longer(p->pause);
    }
}

static void wait_gone(bgi_pool *p)
{
    bg_duration pause = FIRST_REPORT;
    bg_time next = bgi_time_add(bgi_clock_real(), pause);

    while (bgi_load(&p->gone) == 0) {
        if (bgi_futex_wait(&p->gone, 0, next) == -ETIMEDOUT) {
            report(p, &p->abandoned, "abandoned");
            next = bgi_time_add(bgi_clock_real(), pause);
            pause = longer(pause);
        }
    }
}

void bgi_pool_end(bgi_pool *p)
{
    struct bgi_list *l;

    bgi_lock_acquire(&p->lock);
    p->ending = 1;
    unsigned threads = p->threads;
    while ((l = bgi_list_pop_front(&p->idle)) != NULL) {
        bgi_store(&member_of(l)->called, 1);
        (void)bgi_futex_wake(&member_of(l)->called, 1);
    }
    bgi_lock_release(&p->lock);
    if (threads != 0) {
        wait_gone(p);
    }
    /* Under the lock once more: `gone` says that the last has left, not what it wrote before. */
    bgi_lock_acquire(&p->lock);
    bgi_member *last = p->retired;
    bgi_lock_release(&p->lock);
    if (last != NULL) {
        (void)bgi_thread_join((bgi_thread){last->id}, NULL);
        bgi_free(last);
    }
    bgi_free(p);
}

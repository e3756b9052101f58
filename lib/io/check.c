/*
 * What the lock of the pool guards fits together: lists and counts, states and lists, P1.
 */
#include "io/check.h"

#if BGI_DEBUG

#include "base/check.h"

/* How many jobs the list has, all of one state. */
static size_t check_jobs(const struct bgi_list *head, enum bgi_job_state state, const char *what)
{
    const struct bgi_list *l;
    size_t n = 0;
    bgi_list_for_each (l, head) {
        const bgi_job *j = BGI_CONTAINER_OF(l, bgi_job, link);
        bgi_check(j->state == state, "pool: %s has a job whose state is %d", what, (int)j->state);
        n++;
    }
    return n;
}

void bgi_pool_check(bgi_pool *p)
{
    const struct bgi_list *l;
    size_t idle = 0;

    bgi_lock_acquire(&p->lock);
    size_t queued = check_jobs(&p->queue, BGI_JOB_QUEUED, "the queue");
    bgi_check(queued == p->queued, "pool: %zu jobs are queued, counted are %zu", queued, p->queued);
    size_t abandoned = check_jobs(&p->abandoned, BGI_JOB_ABANDONED, "the list of the abandoned");
    (void)check_jobs(&p->running, BGI_JOB_TAKEN, "the list of the running");
    bgi_list_for_each (l, &p->idle) {
        const bgi_member *m = BGI_CONTAINER_OF(l, bgi_member, link);
        bgi_check(m->pool == p, "pool: an idle thread is of another pool");
        bgi_check(bgi_load(&m->called) == 0, "pool: an idle thread has been called");
        idle++;
    }
    bgi_check(p->threads <= p->most, "pool: %u threads, at most %u", p->threads, p->most);
    bgi_check(idle + abandoned <= p->threads, "pool: %zu idle and %zu abandoned of %u threads",
              idle, abandoned, p->threads);
    bgi_check(queued == 0 || p->threads > idle, "pool: P1: %zu jobs are queued, nobody is busy",
              queued);
    bgi_lock_release(&p->lock);
}

#else

/* A translation unit has to declare something. */
typedef int bgi_io_check_compiled_away;

#endif

/*
 * The walker of the pool sees what does not fit together.
 */
#include "../support/dies.h"

#include "base/alloc.h"
#include "io/check.h"

#if BGI_DEBUG

static const bgi_cpu_set any_cpu;

/* A pool that was made, without threads, by hand: two jobs queued, one abandoned, one idle. */
static struct {
    bgi_pool *pool;
    bgi_job *job[4];
    bgi_member member;
} broken;

static bgi_pool *fresh(void)
{
    bgi_pool *p = bgi_pool_create(4, BG_S, &any_cpu);
    broken.pool = p;
    for (int i = 0; i < 4; i++) {
        bgi_job *j = bgi_calloc(1, sizeof *j);
        j->state = i < 2 ? BGI_JOB_QUEUED : i == 2 ? BGI_JOB_ABANDONED : BGI_JOB_TAKEN;
        bgi_list_push_back(i < 2 ? &p->queue : i == 2 ? &p->abandoned : &p->running, &j->link);
        broken.job[i] = j;
    }
    broken.member.pool = p;
    bgi_store(&broken.member.called, 0);
    bgi_list_push_back(&p->idle, &broken.member.link);
    p->queued = 2;
    p->threads = 3;
    return p;
}

static void drop(bgi_pool *p)
{
    for (int i = 0; i < 4; i++) {
        bgi_free(broken.job[i]);
    }
    bgi_free(p);
}

Test(pool_check, what_is_sound_passes)
{
    bgi_pool *p = fresh();
    bgi_pool_check(p);
    drop(p);
}

static void break_and_check(void *arg)
{
    bgi_pool *p = fresh();
    switch (*(const int *)arg) {
    case 0:
        broken.job[1]->state = BGI_JOB_TAKEN;
        break;
    case 1:
        p->queued = 1;
        break;
    case 2:
        broken.job[2]->state = BGI_JOB_DONE;
        break;
    case 3:
        broken.member.pool = NULL;
        break;
    case 4:
        bgi_store(&broken.member.called, 1);
        break;
    case 5:
        p->threads = 5;
        break;
    case 6:
        p->threads = 1;
        break;
    case 7:
        broken.job[3]->state = BGI_JOB_DONE;
        break;
    default: /* the abandoned one is gone, and its thread with it */
        bgi_list_unlink(&broken.job[2]->link);
        p->threads = 1;
        break;
    }
    bgi_pool_check(p);
}

Test(pool_check, what_is_broken_panics)
{
    static const char *const words[] = {
        "brigade: pool: the queue has a job whose state is 1",
        "brigade: pool: 2 jobs are queued, counted are 1",
        "brigade: pool: the list of the abandoned has a job whose state is 2",
        "brigade: pool: an idle thread is of another pool",
        "brigade: pool: an idle thread has been called",
        "brigade: pool: 5 threads, at most 4",
        "brigade: pool: 1 idle and 1 abandoned of 1 threads",
        "brigade: pool: the list of the running has a job whose state is 2",
        "brigade: pool: P1: 2 jobs are queued, nobody is busy",
    };
    for (int i = 0; i < 9; i++) {
        DIES(break_and_check, &i, words[i]);
    }
}

#else

Test(pool_check, it_is_compiled_away)
{
    bgi_pool_check(NULL);
}

#endif

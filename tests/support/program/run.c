/*
 * The interpreter: one run of a program.
 *
 * All tasks have one body, which finds its operations by the task's number. What they share is the
 * world (world.h), which is made anew for each run; a process has one at a time. Checks that fail
 * are counted, wherever that is, and the first is kept in words.
 */
#include "run.h"

#include "../faults.h"
#include "base/random.h"
#include "kinds.h"
#include "world.h"

#include "helpers_task.h"
#include "helpers_bell.h"
#include "helpers_block.h"
#include "helpers_chan.h"
#include "helpers_wire.h"
#include "helpers_future.h"
#include "helpers_group.h"
#include "helpers_lock.h"
#include "helpers_time.h"

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

struct bgp_world bgp_world;

static struct bgp_report own_report;
struct bgp_report *bgp_report = &own_report;

void bgp_failed(int t, const char *file, int line, const char *what)
{
    if (bgi_fetch_add(&bgp_report->failures, 1) == 0) {
        const char *slash = strrchr(file, '/');
        (void)snprintf(bgp_report->text, sizeof bgp_report->text, "task %d: %s:%d: %s", t,
                       slash == NULL ? file : slash + 1, line, what);
    }
}

const char *bgp_failure_name(enum bgp_failure failure)
{
    static const char *const name[] = {"passed", "a check failed", "deadlock",
                                       "died",   "hung",           "memory leaked"};
    return name[failure];
}

/* ---- the deterministic mode's trace ---- */

static void note(int t, uint32_t at, int r)
{
    uint64_t x =
        bgp_world.trace ^ ((uint64_t)t << 40) ^ ((uint64_t)at << 8) ^ (uint64_t)(unsigned)r;
    x ^= (uint64_t)bg_now() << 13;
    bgp_world.trace = bgi_splitmix64(&x);
}

uint64_t bgp_trace(void)
{
    return bgp_world.trace;
}

/* ---- tasks ---- */

int bgp_run_ops(int t, uint32_t from, uint32_t to)
{
    const struct bgp_program *p = bgp_world.program;
    int leaves = (p->task[t].flags & (BGP_LEAVES | BGP_LEAVES_ALL)) != 0;
    for (uint32_t i = from; i < to;) {
        const struct bgp_op *op = &p->op[i];
        int r = op->kind->run == NULL ? 0 : op->kind->run(t, op);
        if (p->mode == BGP_SEEDED) {
            note(t, i, r);
        }
        if (r < 0 && leaves && (op->kind->flags & (BGP_WAITS | BGP_OPENS)) != 0) {
            return r;
        }
        i = (op->kind->flags & BGP_OPENS) != 0 ? op->end + 1 : i + 1;
    }
    return 0;
}

static void run_rest_of_main(void)
{
    const struct bgp_program *p = bgp_world.program;
    if (p->mode == BGP_FOREIGN) {
        return; /* who made the runtime ends it */
    }
    if (p->leave) {
        store(&leaving, 1);
    } else {
        wait_for_rest();
    }
}

static int run_body(int t)
{
    const struct bgp_task *task = &bgp_world.program->task[t];
    int r = bgp_run_ops(t, task->first, task->first + task->count);
    join_rest(t);
    for (unsigned i = 0; i < task->ntimers; i++) {
        stop_timer(t, (int)(task->timer + i));
    }
    if (t == 0) {
        run_rest_of_main();
    }
    if (task->sign != 0) {
        give_sign(t, task->ways);
    }
    return end(t, r < 0 ? r : task->own);
}

int bgp_body(void *arg)
{
    int t = (int)(intptr_t)arg;
    begin(t);
    return run_body(t);
}

static int run_copied(void *arg)
{
    int t = ((struct copy *)arg)->task;
    begin_copy(t, arg);
    return run_body(t);
}

bg_task *bgp_spawn(int c)
{
    const struct bgp_task *task = &bgp_world.program->task[c];
    void *arg = (void *)(intptr_t)c;
    const char *name = (task->flags & BGP_NAMED) != 0 ? tasks[c].name : NULL;
    size_t stack = task->stack == 0 ? 0 : (size_t)16384 << task->stack;
    switch (bgp_spawn_of(bgp_world.program, (unsigned)c)) {
    case BGP_RUNTIME_SPAWN:
        return bg_runtime_spawn(runtime, bgp_body, arg, .name = name, .stack_size = stack);
    case BGP_SPAWN_WITH:
        return bg_spawn_with(run_copied, struct copy, COPY_OF(c));
    default:
        return bg_spawn(bgp_body, arg, .name = name, .stack_size = stack);
    }
}

static void *run_thread(void *arg)
{
    int t = (int)(intptr_t)arg;
    const struct bgp_task *task = &bgp_world.program->task[t];
    (void)bgp_run_ops(t, task->first, task->first + task->count);
    thread_join_rest(t);
    return NULL;
}

/* ---- the world ---- */

static void *cleared(void *array, size_t *room, size_t n, size_t size)
{
    if (n > *room) {
        free(array);
        array = malloc(n * size);
        if (array == NULL) {
            abort();
        }
        *room = n;
    }
    return n == 0 ? array : memset(array, 0, n * size);
}

static void make_world(const struct bgp_program *p)
{
    struct bgp_world *w = &bgp_world;
    enum { NAME = 16 };
    static char(*names)[NAME];
    static size_t name_room;

    w->program = p;
    w->task = cleared(w->task, &w->task_room, p->ntasks, sizeof *w->task);
    w->call = cleared(w->call, &w->call_room, p->ncalls, sizeof *w->call);
    w->timer = cleared(w->timer, &w->timer_room, p->ntimers, sizeof *w->timer);
    w->group = cleared(w->group, &w->group_room, p->ngroups + 1, sizeof *w->group);
    names = cleared(names, &name_room, p->ntasks, sizeof *names);
    w->sign = cleared(w->sign, &w->sign_room, p->nsigns + 1, sizeof *w->sign);
    memset(w->lock, 0, sizeof w->lock);
    memset(w->bell, 0, sizeof w->bell);
    memset(w->chan, 0, sizeof w->chan);
    memset(w->wire, 0, sizeof w->wire);
    memset(w->future, 0, sizeof w->future);
    memset(&w->blocked_calls, 0, sizeof w->blocked_calls);
    w->rt = NULL;
    w->trace = 0;
    store(&leaving, 0);
    store(&all_spawned, 0);
    store(&pending_calls, 0);
    store(&forks_made, 0);
    store(&failed_calls, 0);
    for (unsigned t = 0; t < p->ntasks; t++) {
        const struct bgp_task *task = &p->task[t];
        struct task *k = &w->task[t];
        k->parent = task->parent == BGP_NONE ? -1 : task->parent;
        k->kids = task->kids;
        k->end = task->kids_end;
        k->result = task->result;
        k->may = task->may;
        k->passes_on = (task->flags & BGP_PASSES_ON) != 0;
        k->group = task->fate == BGP_GROUPED ? task->group : 0;
        k->sign = task->sign;
        if ((task->flags & BGP_NAMED) != 0) {
            (void)snprintf(names[t], NAME, "t%u", t);
        }
        k->name = names[t];
    }
    w->task[0].name = "main";
    store(&w->task[0].spawned, 1);
    store(&all_spawned, 1);
    begin_locks();
    begin_bells();
    begin_signs();
    begin_chans();
    begin_wires();
    begin_futures();
}

static void finish_world(void)
{
    finish();
    finish_groups();
    finish_locks();
    finish_bells();
    finish_signs();
    finish_chans();
    finish_wires();
    finish_blocked();
    finish_futures();
}

static int run_on_runtime(const struct bgp_program *p)
{
    pthread_t thread[8];
    unsigned threads = 0;
    int r = bg_runtime_create(&bgp_world.rt, .workers = p->workers, .spares = p->spares);
    if (r != 0) {
        return r;
    }
    bg_task *main_task = bg_runtime_spawn(runtime, bgp_body, NULL, .name = "main");
    CHECK(0, main_task != NULL);
    for (unsigned t = 1; t < p->ntasks && (p->task[t].flags & BGP_THREAD) != 0; t++) {
        CHECK(-1, pthread_create(&thread[threads], NULL, run_thread, (void *)(intptr_t)t) == 0);
        threads++;
    }
    for (unsigned i = 0; i < threads; i++) {
        (void)pthread_join(thread[i], NULL);
    }
    r = bg_runtime_wait(runtime, main_task);
    if (p->leave) {
        store(&leaving, 1);
    } else {
        thread_wait_for_rest();
    }
    CHECK(-1, bg_runtime_shutdown(runtime) == 0);
    return r;
}

/* Which of the first descriptors are open. */
static uint64_t descriptors(void)
{
    uint64_t open = 0;
    for (int fd = 0; fd < 64; fd++) {
        open |= (uint64_t)(fcntl(fd, F_GETFD) >= 0) << fd;
    }
    return open;
}

int bgp_run(const struct bgp_program *p)
{
    size_t live = bgi_alloc_live(), mapped = bgi_mapped_live();
    uint64_t open = descriptors();
    int r;

    bgp_report->failure = BGP_PASSED;
    bgp_report->seed = p->seed;
    bgp_report->schedule = p->schedule;
    bgi_store(&bgp_report->failures, 0);
    make_world(p);
#ifdef BGP_PLANTED
    bgp_planted_begin();
#endif
    bg_set_failure_hook(reported, NULL);
    if (p->mode == BGP_FOREIGN) {
        r = run_on_runtime(p);
    } else {
        r = bg_run(bgp_body, NULL, .workers = p->workers, .spares = p->spares,
                   .seed = p->mode == BGP_SEEDED ? p->schedule : 0);
    }
    bg_set_failure_hook(NULL, NULL);
    if (r == -EDEADLK && p->mode == BGP_SEEDED) {
        bgp_report->failure = BGP_DEADLOCK;
        return 0;
    }
    CHECK(0, tasks[0].ended && r == tasks[0].returned);
    finish_world();
    CHECK(-1, bgi_alloc_live() == live);
    CHECK(-1, bgi_mapped_live() == mapped);
    CHECK(-1, descriptors() == open);
    if (bgi_load(&bgp_report->failures) != 0) {
        bgp_report->failure = BGP_CHECK;
    }
    return bgp_report->failure == BGP_PASSED;
}

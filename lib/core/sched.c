/*
 * The life of a scheduler: made, started, stopped, joined, destroyed.
 */
#include "core/sim.h"

#include "arch/cpu.h"
#include "base/clock.h"
#include "core/check.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>

int bgi_worker_prepare(bgi_sched *s, unsigned i)
{
    bgi_worker *w = &s->worker[i];
    if (w->sched != NULL) {
        return 0;
    }
    w->own.newest = &w->own.oldest;
    bgi_store((bgi_atomic *)&w->own.attention,
              bgi_load(&bgi_fence_asymmetric) != 0 ? BGI_FORKS_WANTED : BGI_FORKS_TAKEN);
    bgi_lock_init(&w->own_lock, BGI_RANK_FORKS, "forks");
    int r = bgi_deque_init(&w->forks, 64);
    if (r != 0) {
        return r;
    }
    w->index = i;
    w->cpu = -1;
    w->is_spare = i >= s->workers;
    bgi_store(&w->budget, BGI_BUDGET);
    w->allotted = BGI_BUDGET;
    w->pace = BG_MS;
    bgi_runq_init(&w->queue);
    bgi_timers_init(&w->timers, bgi_clock_now());
    w->timers.sched = s;
    bgi_ec_node_init(&w->node);
    bgi_random_seed(&w->random, (uint64_t)bgi_clock_now() ^ ((uint64_t)i << 32));
    bgi_store(&w->state, BGI_ABSENT);
    w->sched = s;
    return 0;
}

/* Who is near whom, and who is bound to which CPU. */
static int settle_places(bgi_sched *s)
{
    int *cpu = NULL;
    int r = 0;
    if (s->config.seed != 0) {
        return 0;
    }
    s->rests_alone = bgi_cpu_affinity() > 1;
    s->topology = s->config.pin ? bgi_topology_get() : bgi_topology_for(s->workers);
    s->far = bgi_topology_far(s->topology);
    if (s->config.pin) {
        cpu = bgi_calloc(s->workers, sizeof *cpu);
        r = cpu == NULL ? -ENOMEM : bgi_cpu_set_get(&s->usable);
        r = r != 0 ? r : bgi_topology_spread(s->topology, &s->usable, s->workers, cpu);
    }
    for (unsigned i = 0; r == 0 && cpu != NULL && i < s->workers; i++) {
        s->worker[i].cpu = cpu[i];
        bgi_store(&s->worker[i].place, bgi_place_of(s->topology, cpu[i]));
    }
    bgi_free(cpu);
    return r;
}

int bgi_sched_create(bgi_sched **out, const struct bgi_sched_config *config)
{
    if (config->workers == 0 || config->workers > BGI_WORKERS_MAX ||
        config->spares > BGI_SPARES_MAX) {
        return -EINVAL;
    }
    bgi_fence_setup();
    bgi_sched *s = bgi_aligned_alloc(BGI_FALSE_SHARING_RANGE, sizeof *s);
    if (s == NULL) {
        return -ENOMEM;
    }
    memset(s, 0, sizeof *s);
    s->config = *config;
    s->workers = config->workers;
    s->places = config->workers + config->spares;
    s->driver = config->driver != NULL ? config->driver : &bgi_driver_default;
    bgi_injector_init(&s->injector);
    bgi_ec_init(&s->idle);
    bgi_ec_node_init(&s->monitor_node);
    /* Mapped, not allocated: the places of spares nobody ever needs stay untouched. */
    s->worker = bgi_mmap(s->places * sizeof(bgi_worker), PROT_READ | PROT_WRITE, MAP_NORESERVE);
    s->stacks = s->worker == NULL ? NULL : bgi_stack_pool_create(config->stack_size, s->places);
    int r = s->stacks == NULL ? -ENOMEM : 0;
    for (unsigned i = 0; r == 0 && i < s->workers; i++) {
        r = bgi_worker_prepare(s, i);
    }
    r = r != 0 ? r : settle_places(s);
    if (r == 0 && config->seed != 0) {
        r = bgi_sim_create(s, config->seed);
    }
    if (r != 0) {
        bgi_sched_destroy(s);
        return r;
    }
    bgi_store(&s->used, s->workers);
    *out = s;
    return 0;
}

/* What nobody will run any more. */
static void drop_all(bgi_sched *s, bgi_worker *w)
{
    struct bgi_link *l;
    void *fork;

    while ((l = bgi_runq_pop(&w->queue)) != NULL) {
        s->config.drop_item(bgi_item_of(l));
    }
    while ((fork = bgi_deque_take(&w->forks)) != NULL) {
        s->config.drop_item(fork);
    }
    if ((fork = bgi_take_offered(w)) != NULL) {
        s->config.drop_item(fork);
    }
    bgi_timers_drain(&w->timers, s->config.drop_timer);
}

void bgi_sched_destroy(bgi_sched *s)
{
    struct bgi_fifo chain;

    while (bgi_load_acquire(&s->visitors) != 0) {
        (void)sched_yield(); /* on its last instructions here */
    }
    if (s->worker != NULL && bgi_load(&s->worker[0].tid) != 0) { /* it has run */
        bgi_sched_check_stopped(s);
    }
    while (bgi_injector_pop(&s->injector, &chain, 1) != 0) {
        s->config.drop_item(bgi_item_of(bgi_fifo_pop(&chain)));
    }
    for (unsigned i = 0; s->worker != NULL && i < s->places; i++) {
        bgi_worker *w = &s->worker[i];
        if (w->sched == NULL) {
            break; /* places are used in order */
        }
        drop_all(s, w);
        bgi_deque_destroy(&w->forks);
    }
    bgi_sim_destroy(s);
    if (s->stacks != NULL) {
        bgi_stack_pool_destroy(s->stacks);
    }
    if (s->worker != NULL) {
        (void)bgi_munmap(s->worker, s->places * sizeof(bgi_worker));
    }
    bgi_free(s);
}

static void *worker_main(void *arg)
{
    bgi_worker *w = arg;
    char name[16];
    (void)snprintf(name, sizeof name, "bg-worker-%u", w->index % 100000);
    (void)pthread_setname_np(pthread_self(), name);
    bgi_worker_run(w);
    return NULL;
}

static int start_threads(bgi_sched *s, int caller_is_first)
{
    for (unsigned i = 0; i < s->workers; i++) {
        bgi_store_release(&s->worker[i].state, BGI_ACTIVE);
    }
    if (s->sim != NULL) {
        return 0; /* who started it plays them all */
    }
    int r = bgi_thread_create(&s->monitor, bgi_monitor_main, s);
    if (r != 0) {
        return r;
    }
    s->has_monitor = 1;
    for (unsigned i = caller_is_first ? 1 : 0; i < s->workers; i++) {
        bgi_worker *w = &s->worker[i];
        r = bgi_thread_create(&w->thread, worker_main, w);
        if (r != 0) {
            return r;
        }
        w->has_thread = 1;
    }
    return 0;
}

void bgi_signals_hold(sigset_t *before)
{
    static const int own[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS, SIGPROF};
    sigset_t others;

    (void)sigfillset(&others);
    for (size_t i = 0; i < BGI_ARRAY_LEN(own); i++) {
        (void)sigdelset(&others, own[i]);
    }
    (void)pthread_sigmask(SIG_SETMASK, &others, before);
}

int bgi_sched_start(bgi_sched *s, int caller_is_first)
{
    sigset_t before;

    bgi_stall_setup(s);
    bgi_signals_hold(&before);
    int r = start_threads(s, caller_is_first);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (r != 0) {
        bgi_sched_stop(s);
        bgi_sched_join(s);
    }
    return r;
}

void bgi_sched_ending(bgi_sched *s)
{
    bgi_store(&s->ending, 1);
    bgi_ec_kick(&s->monitor_node);
}

void bgi_sched_stop(bgi_sched *s)
{
    bgi_store_release(&s->stopping, 1);
    bgi_fence_full(); /* partner: the fence in bgi_ec_prepare; who sleeps later sees stopping */
    bgi_ec_kick(&s->monitor_node);
    bgi_word used = bgi_load_acquire(&s->used); /* one that is added later sees stopping */
    for (bgi_word i = 0; i < used; i++) {
        bgi_wake_worker(&s->worker[i]);
    }
}

void bgi_sched_join(bgi_sched *s)
{
    /* The monitor first: it starts spares. */
    if (s->has_monitor) {
        (void)bgi_thread_join(s->monitor, NULL);
        s->has_monitor = 0;
    }
    bgi_word used = bgi_load_acquire(&s->used);
    for (bgi_word i = 0; i < used; i++) {
        bgi_worker *w = &s->worker[i];
        if (w->has_thread) {
            bgi_wake_worker(w); /* a spare that was started after the stop */
            (void)bgi_thread_join(w->thread, NULL);
            w->has_thread = 0;
        }
    }
}

/*
 * Kernel threads, the reference: what the machine and its scheduler do for the workloads that a
 * thread each can do. Everything else would only measure how many threads fit.
 */
#define _GNU_SOURCE
#include "../../micro/measure.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static size_t hogs_left;
static int64_t hog_ns;

static size_t left(void)
{
    pthread_mutex_lock(&lock);
    size_t n = hogs_left;
    pthread_mutex_unlock(&lock);
    return n;
}

static void *empty(void *arg)
{
    return arg;
}

static int spawn_await(int argc, char **argv)
{
    int64_t n = bm_arg(argc, argv, "count", 20000);
    int64_t start = bm_now();
    for (int64_t i = 0; i < n; i++) {
        pthread_t t;
        if (pthread_create(&t, NULL, empty, NULL) || pthread_join(t, NULL))
            return bm_fail("a thread could not be made");
    }
    bm_metric("each_ns", (double)(bm_now() - start) / (double)n, "ns");
    return BM_OK;
}

static void *hog(void *arg)
{
    *(uint64_t *)arg = bm_burn(hog_ns);
    pthread_mutex_lock(&lock);
    hogs_left--;
    pthread_mutex_unlock(&lock);
    return NULL;
}

/* All threads on as many CPUs as the runtimes have workers. */
static void confine(int cpus)
{
    cpu_set_t have, want;
    CPU_ZERO(&want);
    if (sched_getaffinity(0, sizeof have, &have))
        return;
    int n = 0;
    for (size_t c = 0; c < CPU_SETSIZE && n < cpus; c++)
        if (CPU_ISSET(c, &have)) {
            CPU_SET(c, &want);
            n++;
        }
    sched_setaffinity(0, sizeof want, &want);
}

static int hogs(int argc, char **argv)
{
    enum { MOST = 64, CAP = 1000000 };
    size_t n = (size_t)bm_arg(argc, argv, "hogs", 4), taken = 0;
    pthread_t threads[MOST];
    uint64_t sink[MOST];
    int64_t *late = (int64_t *)bm_touched(CAP, sizeof *late);
    if (n > MOST)
        return bm_fail("too many hogs");
    hog_ns = bm_arg(argc, argv, "hog_ms", 1000) * BM_MS;
    hogs_left = n;
    confine((int)bm_arg(argc, argv, "workers", 2));
    int64_t start = bm_now();
    for (size_t i = 0; i < n; i++)
        if (pthread_create(&threads[i], NULL, hog, &sink[i]))
            return bm_fail("a thread could not be made");
    while (left() && taken < CAP) {
        int64_t before = bm_now();
        struct timespec ms = {0, BM_MS};
        nanosleep(&ms, NULL);
        late[taken++] = bm_now() - before - BM_MS;
    }
    for (size_t i = 0; i < n; i++)
        pthread_join(threads[i], NULL);
    bm_metric("wall_ms", (double)(bm_now() - start) / 1e6, "ms");
    bm_metric("samples", (double)taken, "sleeps");
    bm_percentiles("", late, taken);
    free(late);
    return BM_OK;
}

/* ---- a bounded channel of a mutex and two conditions --------------------------------------- */

typedef struct {
    pthread_mutex_t lock;
    pthread_cond_t not_full, not_empty;
    size_t head, count, capacity;
    int closed;
    uint64_t slots[64];
} channel;

#define CHANNEL(n)                                                                                 \
    {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0, n, 0, {0}}

static void push(channel *c, uint64_t v)
{
    pthread_mutex_lock(&c->lock);
    while (c->count == c->capacity)
        pthread_cond_wait(&c->not_full, &c->lock);
    c->slots[(c->head + c->count++) % c->capacity] = v;
    pthread_cond_signal(&c->not_empty);
    pthread_mutex_unlock(&c->lock);
}

static int pop(channel *c, uint64_t *v)
{
    pthread_mutex_lock(&c->lock);
    while (!c->count && !c->closed)
        pthread_cond_wait(&c->not_empty, &c->lock);
    int got = c->count > 0;
    if (got) {
        *v = c->slots[c->head];
        c->head = (c->head + 1) % c->capacity;
        c->count--;
        pthread_cond_signal(&c->not_full);
    }
    pthread_mutex_unlock(&c->lock);
    return got;
}

static void shut(channel *c)
{
    pthread_mutex_lock(&c->lock);
    c->closed = 1;
    pthread_cond_broadcast(&c->not_empty);
    pthread_mutex_unlock(&c->lock);
}

/* Runs n threads, each with its number; false when one could not be made. */
static int together(pthread_t threads[], size_t n, void *(*fn)(void *))
{
    for (size_t i = 0; i < n; i++)
        if (pthread_create(&threads[i], NULL, fn, (void *)(uintptr_t)i))
            return 0;
    return 1;
}

static channel ways[2] = {CHANNEL(1), CHANNEL(1)};
static uint64_t turns, wrong;

static void *talker(void *arg)
{
    size_t me = (size_t)(uintptr_t)arg;
    uint64_t v = 0;
    for (uint64_t i = 0; i < turns; i++) {
        if (me == 0) {
            push(&ways[0], i);
            pop(&ways[1], &v);
            wrong |= v ^ i;
        } else {
            pop(&ways[0], &v);
            push(&ways[1], v);
        }
    }
    return NULL;
}

static int ping_pong(int argc, char **argv)
{
    pthread_t threads[2];
    int64_t workers = bm_arg(argc, argv, "workers", 1);
    turns = (uint64_t)bm_arg(argc, argv, "count", 20000);
    int64_t start = bm_spent(workers);
    if (!together(threads, 2, talker))
        return bm_fail("a thread could not be made");
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    if (wrong)
        return bm_fail("a message was lost");
    bm_metric("one_ns", (double)(bm_spent(workers) - start) / (2 * (double)turns), "ns");
    return BM_OK;
}

static channel *fanned;
static uint64_t fan_sum[8];

/* The first four produce, the others consume. */
static void *fanner(void *arg)
{
    size_t me = (size_t)(uintptr_t)arg;
    uint64_t v;
    if (me < 4)
        for (uint64_t i = 1; i <= turns; i++)
            push(fanned, i);
    else
        for (fan_sum[me] = 0; pop(fanned, &v);)
            fan_sum[me] += v;
    return NULL;
}

static double fan_once(channel *c, uint64_t each, int64_t workers)
{
    pthread_t threads[8];
    uint64_t sum = 0;
    fanned = c;
    turns = each;
    int64_t start = bm_spent(workers);
    if (!together(threads, 8, fanner))
        return -1;
    for (size_t i = 0; i < 8; i++) {
        if (i == 4)
            shut(c);
        pthread_join(threads[i], NULL);
        sum += fan_sum[i];
    }
    double ns = (double)(bm_spent(workers) - start) / (4 * (double)each);
    return sum == 4 * (each * (each + 1) / 2) ? ns : -1;
}

static int fan(int argc, char **argv)
{
    uint64_t n = (uint64_t)bm_arg(argc, argv, "count", 200000) / 4;
    int64_t workers = bm_arg(argc, argv, "workers", 1);
    channel big = CHANNEL(64), small = CHANNEL(1);
    double many = fan_once(&big, n, workers), one = fan_once(&small, n / 4 + 1, workers);
    if (many < 0 || one < 0)
        return bm_fail("an item was lost or came twice");
    bm_metric("item_ns", many, "ns");
    bm_metric("one_ns", one, "ns");
    return BM_OK;
}

/* ---- mutex --------------------------------------------------------------------------------- */

static void *wait_for_gate(void *arg)
{
    pthread_mutex_lock(arg);
    pthread_mutex_unlock(arg);
    return NULL;
}

/* A second thread is there, as in any program that needs a mutex: without one, libc leaves the
 * atomic instructions out. */
static int mutex(int argc, char **argv)
{
    int64_t n = bm_arg(argc, argv, "count", 5000000);
    pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
    pthread_t other;
    pthread_mutex_lock(&gate);
    if (pthread_create(&other, NULL, wait_for_gate, &gate))
        return bm_fail("a thread could not be made");
    int64_t start = bm_spent(1);
    for (int64_t i = 0; i < n; i++) {
        pthread_mutex_lock(&lock);
        pthread_mutex_unlock(&lock);
    }
    bm_metric("pair_ns", (double)(bm_spent(1) - start) / (double)n, "ns");
    pthread_mutex_unlock(&gate);
    pthread_join(other, NULL);
    return BM_OK;
}

static bm_guarded guarded = BM_GUARDED;

static void *contender(void *arg)
{
    for (uint64_t i = 0; i < turns; i++) {
        pthread_mutex_lock(&lock);
        bm_guarded_step(&guarded, (size_t)(uintptr_t)arg);
        pthread_mutex_unlock(&lock);
    }
    pthread_mutex_lock(&lock);
    bm_guarded_end(&guarded);
    pthread_mutex_unlock(&lock);
    return NULL;
}

static int mutex_contended(int argc, char **argv)
{
    pthread_t threads[BM_TASKS];
    turns = (uint64_t)bm_arg(argc, argv, "count", 1000000) / BM_TASKS;
    confine((int)bm_arg(argc, argv, "workers", 2));
    int64_t start = bm_now(), cpu = bm_clock(CLOCK_PROCESS_CPUTIME_ID);
    if (!together(threads, BM_TASKS, contender))
        return bm_fail("a thread could not be made");
    for (size_t i = 0; i < BM_TASKS; i++)
        pthread_join(threads[i], NULL);
    return bm_guarded_report(&guarded, (int64_t)turns, bm_now() - start,
                             bm_clock(CLOCK_PROCESS_CPUTIME_ID) - cpu);
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    if (!strcmp(what, "version")) {
        char libc[64] = "";
        confstr(_CS_GNU_LIBPTHREAD_VERSION, libc, sizeof libc);
        printf("kernel threads, %s\n", libc);
        return BM_OK;
    }
    if (!strcmp(what, "spawn_await"))
        return spawn_await(argc, argv);
    if (!strcmp(what, "hog"))
        return hogs(argc, argv);
    if (!strcmp(what, "pingpong"))
        return ping_pong(argc, argv);
    if (!strcmp(what, "fan"))
        return fan(argc, argv);
    if (!strcmp(what, "mutex"))
        return mutex(argc, argv);
    if (!strcmp(what, "mutex_8"))
        return mutex_contended(argc, argv);
    return bm_cannot("a thread each is no match for this workload");
}

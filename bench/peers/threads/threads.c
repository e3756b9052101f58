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
    return bm_cannot("a thread each is no match for this workload");
}

/*
 * The models of the scheduler core on real threads: each a number of times, as the machine happens
 * to interleave them. It enumerates nothing and shows nothing that the processor does not do; it is
 * for what needs no checker: that the models hold at all, under the sanitizers as well, and with
 * the stress build's random yields. A model whose threads sleep for ever ends by the test's time
 * limit; which one it was is printed before.
 *
 *     models [times] [part of a name]
 */
#include "base/atomic.h"

#include "mc.h"

#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MODELS_MOST = 128 };

static const mc_model *models[MODELS_MOST];
static size_t count;
static const mc_model *running;
static pthread_barrier_t start;
static __thread int self = -1;

void mc_register(const mc_model *model)
{
    if (count == MODELS_MOST) {
        (void)fprintf(stderr, "more than %d models\n", MODELS_MOST);
        abort();
    }
    models[count++] = model;
}

void mc_fail(const char *file, int line, const char *what)
{
    (void)fprintf(stderr, "%s: thread %d: %s:%d: '%s' does not hold: %s\n", running->name, self,
                  file, line, what, running->says);
    abort();
}

int mc_self(void)
{
    return self;
}

void mc_await_equal(const volatile size_t *word, size_t v)
{
    while (bgi_load_acquire(word) != v) {
        (void)sched_yield();
    }
}

void mc_await_differs(const volatile size_t *word, size_t v)
{
    while (bgi_load_acquire(word) == v) {
        (void)sched_yield();
    }
}

/* A thread of a model, and its number. */
struct player {
    pthread_t thread;
    int number;
};

static void *play(void *arg)
{
    const struct player *p = arg;
    self = p->number;
    (void)pthread_barrier_wait(&start);
    running->thread[self]();
    return NULL;
}

static void run_once(const mc_model *m)
{
    struct player players[MC_THREADS];
    int n = 0;

    if (m->setup != NULL) {
        m->setup();
    }
    while (n < MC_THREADS && m->thread[n] != NULL) {
        n++;
    }
    (void)pthread_barrier_init(&start, NULL, (unsigned)n);
    for (int i = 0; i < n; i++) {
        players[i].number = i;
        if (pthread_create(&players[i].thread, NULL, play, &players[i]) != 0) {
            (void)fprintf(stderr, "no thread could be had\n");
            abort();
        }
    }
    for (int i = 0; i < n; i++) {
        (void)pthread_join(players[i].thread, NULL);
    }
    (void)pthread_barrier_destroy(&start);
    if (m->check != NULL) {
        m->check();
    }
}

int main(int argc, char **argv)
{
    int times = argc > 1 ? atoi(argv[1]) : 100;
    const char *part = argc > 2 ? argv[2] : "";
    int ran = 0;

    for (size_t i = 0; i < count; i++) {
        if (strstr(models[i]->name, part) == NULL) {
            continue;
        }
        running = models[i];
        (void)printf("%s\n", running->name);
        (void)fflush(stdout);
        for (int k = 0; k < times; k++) {
            run_once(running);
        }
        ran++;
    }
    (void)printf("%d models, %d times each\n", ran, times);
    return ran == 0;
}

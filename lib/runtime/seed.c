/*
 * Seeds from the environment, and the exploration of many.
 *
 * A run that fails by killing the process must name its seed too. So while seeds are explored, the
 * signals of a dying process lead to a line on stderr first; then what was set before takes its
 * course. The word `exploring` is written by the one exploration a process may have at a time,
 * and read by the handler, which runs on the same thread when the body is at fault.
 */
#include "runtime/seed.h"

#include "base/atomic.h"
#include "core/sim.h"

#include <brigade/error.h>
#include <brigade/explore.h>
#include <brigade/runtime.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SEEDS_USUAL 1000

int bgi_seed_from_environment(uint64_t *seed)
{
    const char *text = getenv("BRIGADE_SEED");
    char *end = NULL;

    if (text == NULL || *text == '\0') {
        return 0;
    }
    errno = 0;
    unsigned long long n = strtoull(text, &end, 0);
    if (!isdigit((unsigned char)*text) || *end != '\0' || errno != 0) {
        (void)fprintf(stderr, "brigade: BRIGADE_SEED is not a number: '%.60s'\n", text);
        return -EINVAL;
    }
    *seed = n;
    return 0;
}

uint64_t bg_seed(void)
{
    bgi_worker *w = bgi_worker_self();
    return w != NULL && w->sched->sim != NULL ? bgi_sim_seed(w->sched) : 0;
}

static const int deadly[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL};
static struct sigaction before[BGI_ARRAY_LEN(deadly)];
static bgi_atomic exploring; /* the seed */

/* Digits by hand: this runs in a signal handler. */
static void name_seed(void)
{
    char line[96] = "brigade: died with BRIGADE_SEED=";
    char digits[24];
    size_t n = strlen(line), d = 0;
    uint64_t seed = bgi_load(&exploring);

    do {
        digits[d++] = (char)('0' + seed % 10);
        seed /= 10;
    } while (seed != 0);
    while (d > 0) {
        line[n++] = digits[--d];
    }
    line[n++] = '\n';
    if (write(STDERR_FILENO, line, n) < 0) {
        return; /* there is nobody to tell */
    }
}

static void on_death(int number)
{
    name_seed();
    for (size_t i = 0; i < BGI_ARRAY_LEN(deadly); i++) {
        (void)sigaction(deadly[i], &before[i], NULL);
    }
    (void)raise(number); /* pending until the handler returns: then by what was set before */
}

static void watch(void)
{
    struct sigaction act = {.sa_handler = on_death, .sa_flags = SA_ONSTACK};
    (void)sigemptyset(&act.sa_mask);
    for (size_t i = 0; i < BGI_ARRAY_LEN(deadly); i++) {
        (void)sigaction(deadly[i], &act, &before[i]);
    }
}

static void unwatch(void)
{
    for (size_t i = 0; i < BGI_ARRAY_LEN(deadly); i++) {
        (void)sigaction(deadly[i], &before[i], NULL);
    }
}

static int explore(bg_fn fn, void *arg, const bg_explore_options *o, uint64_t first, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        uint64_t seed = first + i;
        bgi_store(&exploring, (bgi_word)seed);
        int r = bg_run(fn, arg, .seed = seed, .workers = o->workers, .stack_size = o->stack_size,
                       .max_tasks = o->max_tasks);
        if (r < 0) {
            (void)fprintf(stderr,
                          "brigade: seed %" PRIu64 " fails, after %" PRIu64
                          " that do not: %s (%d); "
                          "BRIGADE_SEED=%" PRIu64 " replays it\n",
                          seed, i, bg_strerror(r), r, seed);
            return r;
        }
    }
    return 0;
}

int bg_explore_opts(bg_fn fn, void *arg, const bg_explore_options *o)
{
    static bgi_atomic busy; /* 0 -> 1 by an exploration, back at its end: one at a time */

    if (fn == NULL || o == NULL || o->size != sizeof *o) {
        return -EINVAL;
    }
    uint64_t first = o->first == 0 ? 1 : o->first;
    uint64_t n = o->seeds == 0 ? SEEDS_USUAL : o->seeds;
    if (first + (n - 1) < first) {
        return -EINVAL; /* seed 0 would be one of them */
    }
    uint64_t only = UINT64_MAX;
    const char *given = getenv("BRIGADE_SEED");
    if (given != NULL && *given != '\0') {
        int r = bgi_seed_from_environment(&only);
        if (r != 0 || only == 0) {
            return -EINVAL;
        }
        first = only;
        n = 1;
    }
    if (bgi_worker_self() != NULL || !bgi_cas(&busy, 0, 1)) {
        return -EBUSY;
    }
    watch();
    int r = explore(fn, arg, o, first, n);
    unwatch();
    bgi_store_release(&busy, 0);
    return r;
}

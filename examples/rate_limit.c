/*
 * A rate limiter: so many requests a second on average, and bursts of a few.
 *
 *     rate_limit [REQUESTS]
 *
 * A token bucket of a semaphore and a ticker: a request takes a permit, waiting for one in the
 * order of arrival; at each tick a permit is put back, unless the bucket is full. Run it with
 * BRIGADE_SEED=1 and the times are exact: the clock is a virtual one.
 */
#include <brigade.h>
#include <stdio.h>
#include <stdlib.h>

enum { BURST = 5, USUAL = 20 };
static const bg_duration period = 10 * BG_MS;

static bg_sem permits = BG_SEM_INIT(BURST);
static bg_time start;

static int refill(void *unused)
{
    (void)unused;
    bg_ticker ticker;
    bg_ticker_init(&ticker, period);
    for (;;) {
        int rc = bg_tick(&ticker);
        if (rc < 0) {
            return rc;
        }
        if (bg_sem_value(&permits) < BURST) {
            (void)bg_sem_release(&permits);
        }
    }
}

struct request {
    int number;
};

static int serve(void *arg)
{
    const struct request *r = arg;
    int rc = bg_sem_acquire(&permits);
    if (rc < 0) {
        return rc;
    }
    bg_duration since = bg_now() - start;
    /* The first few at once, then one for each tick: never earlier. */
    bg_duration least = r->number < BURST ? 0 : (r->number - BURST + 1) * period;
    printf("request %2d after %3lld ms\n", r->number, (long long)(since / BG_MS));
    return since < least ? -1 : 0;
}

static int limit(void *arg)
{
    const int *requests = arg;
    int rc = 0;
    start = bg_now();
    bg_task *refiller = bg_spawn(refill, NULL, .name = "refill");
    bg_group (g, .result = &rc) {
        for (int i = 0; i < *requests; i++) {
            (void)bg_group_spawn_with(&g, serve, struct request, .number = i);
        }
    }
    bg_cancel(refiller);
    int ended = bg_await(refiller);
    return rc < 0 ? rc : ended == -ECANCELED ? 0 : ended;
}

int main(int argc, char *argv[])
{
    int requests = USUAL;
    char *end = "";

    if (argc > 1) {
        requests = (int)strtol(argv[1], &end, 10);
    }
    if (argc > 2 || *end != '\0' || requests < 0 || requests > 1000) {
        (void)fprintf(stderr, "usage: rate_limit [REQUESTS, 0 to 1000]\n");
        return 2;
    }
    /* One worker: then they are served, and heard of, in order. */
    int rc = bg_run(limit, &requests, .workers = 1);
    if (rc < 0) {
        (void)fprintf(stderr, "rate_limit: %s\n", bg_strerror(rc));
    }
    return rc < 0;
}

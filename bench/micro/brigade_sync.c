/*
 * brigade's side of what tasks do to each other: channels, select, locks, timeouts, groups; and the
 * pool for blocking calls. Public API only. Items are 8 bytes, as with the peers, and each workload
 * checks that none was lost.
 */
#include "workloads.h"

#include <errno.h>

/* ---- ping-pong: one item in turn by two channels ------------------------------------------- */

typedef struct {
    bg_chan *there, *back;
    uint64_t n, wrong;
} bm_table_tennis;

static int bm_ping(void *arg)
{
    bm_table_tennis *t = arg;
    for (uint64_t i = 0; i < t->n; i++) {
        uint64_t v = 0;
        int rc = bg_send(t->there, &i);
        if (rc == 0)
            rc = bg_recv(t->back, &v);
        if (rc < 0)
            return rc;
        t->wrong |= v ^ i;
    }
    return 0;
}

static int bm_pong(void *arg)
{
    bm_table_tennis *t = arg;
    for (uint64_t i = 0; i < t->n; i++) {
        uint64_t v = 0;
        int rc = bg_recv(t->there, &v);
        if (rc == 0)
            rc = bg_send(t->back, &v);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int bm_ping_pong(bm_job *job)
{
    static const struct {
        const char *metric;
        size_t capacity;
    } ways[] = {{"one_ns", 1}, {"rendezvous_ns", 0}};
    int64_t workers = bm_opt(job, "workers", 1);
    for (size_t w = 0; w < 2; w++) {
        bm_table_tennis t = {.n = bm_size(job, "count", 1000000)};
        t.there = bg_chan_create(sizeof(uint64_t), ways[w].capacity);
        t.back = bg_chan_create(sizeof(uint64_t), ways[w].capacity);
        if (!t.there || !t.back)
            return bm_fail("a channel cannot be had");
        int64_t start = bm_spent(workers);
        int rc = bg_gather(bg_spawn(bm_ping, &t), bg_spawn(bm_pong, &t));
        int64_t took = bm_spent(workers) - start;
        if (rc < 0)
            return bm_fail(bg_strerror(rc));
        if (t.wrong)
            return bm_fail("a message was lost");
        bm_metric(ways[w].metric, (double)took / (2 * (double)t.n), "ns");
        bg_chan_destroy(t.there);
        bg_chan_destroy(t.back);
    }
    return BM_OK;
}

/* ---- fan: four producers, four consumers, one channel -------------------------------------- */

enum { BM_HANDS = 4 };

typedef struct {
    bg_chan *channel;
    uint64_t each;
} bm_belt;

typedef struct {
    bg_chan *channel;
    uint64_t sum;
} bm_taker;

static int bm_produce(void *arg)
{
    const bm_belt *b = arg;
    for (uint64_t i = 1; i <= b->each; i++) {
        int rc = bg_send(b->channel, &i);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int bm_consume(void *arg)
{
    bm_taker *t = arg;
    uint64_t v = 0, sum = 0;
    int rc;
    while ((rc = bg_recv(t->channel, &v)) == 0)
        sum += v;
    t->sum = sum;
    return rc == -EPIPE ? 0 : rc;
}

/* The nanoseconds of one item, or a negative error. */
static double bm_fan_once(uint64_t each, size_t capacity, int64_t workers)
{
    bm_belt belt = {bg_chan_create(sizeof(uint64_t), capacity), each};
    bm_taker takers[BM_HANDS] = {{0}};
    bg_task *producers[BM_HANDS], *consumers[BM_HANDS];
    int results[BM_HANDS];
    uint64_t sum = 0;
    if (!belt.channel)
        return -ENOMEM;
    int64_t start = bm_spent(workers);
    for (int i = 0; i < BM_HANDS; i++) {
        takers[i].channel = belt.channel;
        consumers[i] = bg_spawn(bm_consume, &takers[i]);
    }
    for (int i = 0; i < BM_HANDS; i++)
        producers[i] = bg_spawn(bm_produce, &belt);
    int rc = bg_gather_all(producers, BM_HANDS, results);
    bg_close(belt.channel);
    int taken = bg_gather_all(consumers, BM_HANDS, results);
    int64_t took = bm_spent(workers) - start;
    bg_chan_destroy(belt.channel);
    for (int i = 0; i < BM_HANDS; i++)
        sum += takers[i].sum;
    if (rc < 0 || taken < 0)
        return rc < 0 ? rc : taken;
    if (sum != BM_HANDS * (each * (each + 1) / 2))
        return -EIO;
    return (double)took / ((double)BM_HANDS * (double)each);
}

static int bm_fan(bm_job *job)
{
    uint64_t each = bm_size(job, "count", 2000000) / BM_HANDS;
    int64_t workers = bm_opt(job, "workers", 1);
    double many = bm_fan_once(each, (size_t)bm_opt(job, "capacity", 64), workers);
    double one = bm_fan_once(each / 4 + 1, 1, workers);
    if (many < 0 || one < 0)
        return bm_fail("an item was lost or came twice");
    bm_metric("item_ns", many, "ns");
    bm_metric("one_ns", one, "ns");
    return BM_OK;
}

/* ---- mutex --------------------------------------------------------------------------------- */

static bg_mutex bm_lock = BG_MUTEX_INIT;
static bm_guarded bm_under_lock = BM_GUARDED;
static int64_t bm_turns;

static int bm_mutex(bm_job *job)
{
    size_t n = bm_size(job, "count", 5000000);
    int failed = 0;
    int64_t start = bm_spent(1);
    for (size_t i = 0; i < n; i++) {
        failed |= bg_mutex_lock(&bm_lock);
        failed |= bg_mutex_unlock(&bm_lock);
    }
    double ns = (double)(bm_spent(1) - start);
    if (failed)
        return bm_fail("a lock or an unlock failed");
    bm_metric("pair_ns", ns / (double)n, "ns");
    return BM_OK;
}

static int bm_contender(void *arg)
{
    size_t me = (size_t)(uintptr_t)arg;
    for (int64_t i = 0; i < bm_turns; i++) {
        int rc = bg_mutex_lock(&bm_lock);
        if (rc < 0)
            return rc;
        bm_guarded_step(&bm_under_lock, me);
        bg_mutex_unlock(&bm_lock);
    }
    int rc = bg_mutex_lock(&bm_lock);
    if (rc < 0)
        return rc;
    bm_guarded_end(&bm_under_lock);
    return bg_mutex_unlock(&bm_lock);
}

static int bm_mutex_contended(bm_job *job)
{
    bg_task *tasks[BM_TASKS];
    int results[BM_TASKS];
    bm_turns = (int64_t)bm_size(job, "count", 1000000) / BM_TASKS;
    int64_t start = bm_now(), cpu = bm_clock(CLOCK_PROCESS_CPUTIME_ID);
    for (size_t i = 0; i < BM_TASKS; i++)
        tasks[i] = bg_spawn(bm_contender, (void *)(uintptr_t)i);
    int rc = bg_gather_all(tasks, BM_TASKS, results);
    int64_t took = bm_now() - start;
    if (rc < 0)
        return bm_fail(bg_strerror(rc));
    return bm_guarded_report(&bm_under_lock, bm_turns, took,
                             bm_clock(CLOCK_PROCESS_CPUTIME_ID) - cpu);
}

/* ---- a timeout around a wait that completes ------------------------------------------------ */

enum { BM_ROUNDS = 1000 };

typedef struct {
    bg_chan *there, *back;
    uint64_t n;
} bm_waking;

static int bm_waker(void *arg)
{
    const bm_waking *w = arg;
    for (uint64_t i = 0; i < w->n; i++) {
        uint64_t v = 0;
        int rc = bg_send(w->there, &i);
        if (rc == 0)
            rc = bg_recv(w->back, &v);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* The waits of both kinds: by the partner's item, or by one that is there. */
static int bm_bare_block(bg_chan *in, bg_chan *out, int own, int64_t *took)
{
    int failed = 0;
    int64_t start = bm_now();
    for (uint64_t k = 0; k < BM_ROUNDS; k++) {
        uint64_t v = k;
        if (own)
            failed |= bg_send(out, &v);
        failed |= bg_recv(in, &v);
        if (!own)
            failed |= bg_send(out, &v);
    }
    *took = bm_now() - start;
    return failed;
}

static int bm_scoped_block(bg_chan *in, bg_chan *out, int own, int64_t *took)
{
    int failed = 0;
    int64_t start = bm_now();
    for (uint64_t k = 0; k < BM_ROUNDS; k++) {
        uint64_t v = k;
        if (own)
            failed |= bg_send(out, &v);
        bg_timeout (10 * BG_S) {
            failed |= bg_recv(in, &v);
        }
        if (!own)
            failed |= bg_send(out, &v);
    }
    *took = bm_now() - start;
    return failed;
}

static int bm_scope(bm_job *job)
{
    size_t blocks = bm_size(job, "count", 200000) / (2 * BM_ROUNDS) + 1;
    int64_t *bare = (int64_t *)bm_touched(blocks, sizeof *bare);
    int64_t *scoped = (int64_t *)bm_touched(blocks, sizeof *scoped);
    bm_waking w = {bg_chan_create(sizeof(uint64_t), 1), bg_chan_create(sizeof(uint64_t), 1),
                   2 * blocks * BM_ROUNDS};
    bg_chan *own = bg_chan_create(sizeof(uint64_t), 1);
    if (!w.there || !w.back || !own)
        return bm_fail("a channel cannot be had");
    int failed = 0;
    bg_task *waker = bg_spawn(bm_waker, &w);
    for (size_t i = 0; i < blocks && !failed; i++) {
        failed |= bm_bare_block(w.there, w.back, 0, &bare[i]);
        failed |= bm_scoped_block(w.there, w.back, 0, &scoped[i]);
    }
    if (failed || bg_await(waker) < 0)
        return bm_fail("a wait failed");
    bm_metric("added_ns", bm_added(bare, scoped, blocks) / (double)BM_ROUNDS, "ns");
    bm_metric("bare_ns", bm_median(bare, blocks) / (double)BM_ROUNDS, "ns");
    for (size_t i = 0; i < blocks && !failed; i++) {
        failed |= bm_bare_block(own, own, 1, &bare[i]);
        failed |= bm_scoped_block(own, own, 1, &scoped[i]);
    }
    if (failed)
        return bm_fail("a wait failed");
    bm_metric("ready_ns", bm_added(bare, scoped, blocks) / (double)BM_ROUNDS, "ns");
    bg_chan_destroy(w.there);
    bg_chan_destroy(w.back);
    bg_chan_destroy(own);
    free(bare);
    free(scoped);
    return BM_OK;
}

/* ---- groups -------------------------------------------------------------------------------- */

static size_t bm_born; /* counted by the children of a runtime with one worker */

static int bm_child(void *arg)
{
    (void)arg;
    bm_born++;
    return 0;
}

static int bm_group(bm_job *job)
{
    enum { CHILDREN = 100 };
    size_t n = bm_size(job, "count", 500000) / CHILDREN;
    int failed = 0;
    int64_t start = bm_spent(1);
    for (size_t i = 0; i < n; i++) {
        int rc = 0;
        bg_group (g, .result = &rc) {
            for (int c = 0; c < CHILDREN; c++)
                failed |= bg_group_spawn(&g, bm_child, NULL) < 0;
        }
        failed |= rc < 0;
    }
    double ns = (double)(bm_spent(1) - start);
    if (failed || bm_born != n * CHILDREN)
        return bm_fail("not every child ran");
    bm_metric("each_ns", ns / (double)(n * CHILDREN), "ns");
    return BM_OK;
}

/* ---- select -------------------------------------------------------------------------------- */

typedef struct {
    bg_chan *ways[2], *ack;
    uint64_t n;
} bm_fork_in_road;

static int bm_sender(void *arg)
{
    const bm_fork_in_road *f = arg;
    for (uint64_t i = 0; i < f->n; i++) {
        uint64_t v = 0;
        int rc = bg_send(f->ways[bm_which(i)], &i);
        if (rc == 0)
            rc = bg_recv(f->ack, &v);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int bm_select(bm_job *job)
{
    bm_fork_in_road f = {{bg_chan_create(sizeof(uint64_t), 1), bg_chan_create(sizeof(uint64_t), 1)},
                         bg_chan_create(sizeof(uint64_t), 1),
                         bm_size(job, "count", 500000)};
    uint64_t v[2] = {0, 0}, wrong = 0;
    if (!f.ways[0] || !f.ways[1] || !f.ack)
        return bm_fail("a channel cannot be had");
    int64_t start = bm_spent(1);
    for (uint64_t i = 0; i < f.n; i++) {
        int rc = bg_send(f.ways[bm_which(i)], &i);
        int at = bg_select(BG_RECV(f.ways[0], &v[0]), BG_RECV(f.ways[1], &v[1]));
        if (rc < 0 || at < 0)
            return bm_fail("a select failed");
        wrong |= v[at] ^ i;
    }
    bm_metric("ready_ns", (double)(bm_spent(1) - start) / (double)f.n, "ns");
    start = bm_spent(1);
    bg_task *sender = bg_spawn(bm_sender, &f);
    for (uint64_t i = 0; i < f.n; i++) {
        int at = bg_select(BG_RECV(f.ways[0], &v[0]), BG_RECV(f.ways[1], &v[1]));
        if (at < 0 || bg_send(f.ack, &i) < 0)
            return bm_fail("a select failed");
        wrong |= v[at] ^ i;
    }
    if (bg_await(sender) < 0 || wrong)
        return bm_fail("a message was lost");
    bm_metric("woken_ns", (double)(bm_spent(1) - start) / (double)f.n, "ns");
    for (int i = 0; i < 2; i++)
        bg_chan_destroy(f.ways[i]);
    bg_chan_destroy(f.ack);
    return BM_OK;
}

/* ---- the pool for blocking calls ----------------------------------------------------------- */

static int bm_call(void *arg)
{
    ++*(size_t *)arg;
    return 1;
}

static int bm_blocking(bm_job *job)
{
    size_t n = bm_size(job, "count", 20000), ran = 0;
    int64_t start = bm_now();
    for (size_t i = 0; i < n; i++)
        if (bg_blocking(bm_call, &ran) != 1)
            return bm_fail("a call failed");
    double ns = (double)(bm_now() - start);
    if (ran != n)
        return bm_fail("a call was lost");
    bm_metric("trip_ns", ns / (double)n, "ns");
    return BM_OK;
}

const bm_workload bm_sync_workloads[] = {
    {"pingpong", bm_ping_pong, 1},      {"fan", bm_fan, 1},           {"mutex", bm_mutex, 1},
    {"mutex_8", bm_mutex_contended, 2}, {"scope", bm_scope, 1},       {"group", bm_group, 1},
    {"select", bm_select, 1},           {"blocking", bm_blocking, 1}, {NULL, NULL, 0},
};

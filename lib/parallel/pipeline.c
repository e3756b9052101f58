/*
 * Pipelines: carriers, each of which takes one item at a time through all stages.
 *
 * The caller is a carrier and forks one for each further token. Nobody wants them as long as
 * nobody is idle and no stage waits: then the caller carries all items, in order, and finds at
 * the joins that there is nothing left. When it suspends, or somebody asks, they become tasks.
 *
 * Invariants
 *   P1  A carrier has one storage and at most one item, so at most `tokens` are under way.
 *   P2  The first stage is behind `door`, a semaphore of one permit, which also guards `next` and
 *       the writes of `ended`. Items are numbered there: item i has place i % tokens.
 *   P3  A serial stage has a row of `tokens` places. Those that have begun and not yet left it have
 *       numbers without gaps, since they leave it in order; there are at most `tokens`, so each
 *       place is used by one of them. Also an item that has ended takes its turn and passes it on.
 *   P4  Who waits for its turn waits for lower numbers only, whose carriers have begun: each can
 *       go on, by induction, without any that has not. So a carrier that nobody runs until it is
 *       joined holds up nobody.
 *   P5  Once stopped, turns mean nothing: who is woken by that, or comes later, calls no stage, and
 *       passes nothing on. Who stops the pipeline gives each place a permit, and the door as many
 *       as there are carriers, so nobody has to wait for a turn to get out of it, and a caller that
 *       is to end comes to its joins, by which the others are told.
 *
 * The places' words are said in parallel/turn.h. The first place of each row is HERE at the
 * beginning.
 *
 * `ended` 0 -> 1 behind the door; looked at there, and before it (relaxed) by who comes late.
 * stop.error: see parallel/stop.h; here it is followed by releases of the semaphores, so that who
 * gets such a permit sees it.
 *
 * With one token, and where there are no tasks, there is one carrier, and no turns.
 *
 * Dropped: carriers that leave an early item in the place for the one before it to take along, as
 * TBB does: a stage may wait here, so items have to have a task each anyway.
 */
#include "parallel/fork.h"
#include "parallel/stop.h"
#include "parallel/turn.h"

#include "base/alloc.h"

#include <brigade/fork.h>
#include <brigade/pipeline.h>
#include <brigade/sync.h>
#include <errno.h>
#include <stddef.h>

enum {
    LINE = 64,
    SMALL = 128 /* bytes of an item that lies in the frame, where there is one carrier */
};

struct pipeline {
    const bg_stage *stages;
    size_t n;
    const bg_pipeline_options *options;
    size_t tokens;    /* carriers */
    size_t rows;      /* serial stages behind the first one */
    bgi_turn *places; /* rows of `tokens` */
    size_t next;      /* the place of the next item */
    bgi_atomic ended;
    bg_sem door;
    struct bgi_stop stop;
};

struct carrier {
    bg_fork_frame frame;
    struct pipeline *p;
    void *item;
};

_Static_assert(sizeof(bgi_turn) == LINE, "a place is a line");

/* The first to stop it lets out all who wait for turns, now or later (P5). */
BGI_COLD static void stop(struct pipeline *p, int error)
{
    if (!bgi_cas_relaxed(&p->stop.error, 0, (bgi_word)-error) || p->tokens == 1) {
        return;
    }
    for (size_t i = 0; i < p->rows * p->tokens; i++) {
        (void)bg_sem_release(&p->places[i].sem);
    }
    for (size_t i = 0; i < p->tokens; i++) {
        (void)bg_sem_release(&p->door);
    }
}

static int stopped(struct pipeline *p)
{
    if (bgi_stop_error(&p->stop) == 0) {
        int r = bg_cancelled();
        if (r == 0) {
            return 0;
        }
        stop(p, r);
    }
    return 1;
}

/* Waits for a permit; 0: the pipeline has been stopped. */
static int wait_for(struct pipeline *p, bg_sem *sem)
{
    int r = bg_sem_acquire(sem);
    if (r < 0) {
        stop(p, r);
    }
    return bgi_stop_error(&p->stop) == 0;
}

/* Waits for the turn of the item that has this place; 0: the pipeline has been stopped. */
static int enter(struct pipeline *p, bgi_turn *at)
{
    bgi_task_point();
    return bgi_turn_enter(at) || wait_for(p, &at->sem);
}

/* The first stage: positive, and the item's place; else there is none. */
static int make(struct pipeline *p, void *item, size_t *place)
{
    int r = 0;
    if (bgi_load(&p->ended) || stopped(p)) {
        return 0;
    }
    if (p->tokens > 1 && !wait_for(p, &p->door)) {
        return 0;
    }
    if (!bgi_load(&p->ended)) {
        r = p->stages[0].fn(item, p->stages[0].ctx);
        if (r == 0) {
            bgi_store(&p->ended, 1);
        } else if (r < 0) {
            stop(p, r);
        } else {
            *place = p->next;
            p->next = p->next + 1 == p->tokens ? 0 : p->next + 1;
        }
    }
    if (p->tokens > 1) {
        (void)bg_sem_release(&p->door);
    }
    return r;
}

/* A stage behind the first one. *alive: whether there still is an item; `row`: its places, NULL:
 * there are no turns. 0: the pipeline has been stopped. */
static int pass(struct pipeline *p, const bg_stage *s, bgi_turn *row, size_t place, void *item,
                int *alive)
{
    if (row != NULL && !enter(p, &row[place])) {
        return 0;
    }
    if (stopped(p)) {
        return 0;
    }
    if (*alive) {
        int r = s->fn(item, s->ctx);
        if (r < 0) {
            stop(p, r);
            return 0;
        }
        *alive = r != 0;
    }
    if (row != NULL) {
        bgi_turn_pass(&row[place + 1 == p->tokens ? 0 : place + 1]);
    }
    return 1;
}

static void carry(struct pipeline *p, void *item)
{
    size_t place = 0;
    while (make(p, item, &place) > 0) {
        int alive = 1, going = 1;
        bgi_turn *row = p->places;
        for (size_t i = 1; i < p->n && going; i++) {
            int turns = !p->stages[i].parallel && p->tokens > 1;
            going = pass(p, &p->stages[i], turns ? row : NULL, place, item, &alive);
            if (turns) {
                row += p->tokens;
            }
        }
        if (!going && alive && p->options->drop != NULL) {
            p->options->drop(item, p->options->drop_ctx);
        }
    }
}

static int run_carrier(void *arg)
{
    struct carrier *c = arg;
    carry(c->p, c->item);
    return 0;
}

/* ---- the caller ---- */

enum { CARRIER = (sizeof(struct carrier) + LINE - 1) / LINE * LINE };

/* Bytes of an item, in whole lines; it is not more than half of what a size_t can count. */
static size_t room_of(const struct pipeline *p)
{
    return (p->options->item_size + LINE - 1) / LINE * LINE;
}

/* The block: carriers, rows of places, items. */
static size_t block_size(const struct pipeline *p)
{
    return p->tokens * (CARRIER + p->rows * LINE + room_of(p));
}

static int fits(const struct pipeline *p)
{
    size_t all, most = SIZE_MAX / 2;
    return p->options->item_size <= most - LINE &&
           !__builtin_mul_overflow(p->tokens, CARRIER + p->rows * LINE + room_of(p), &all);
}

/* The caller is the first carrier, the others are forked. */
static void run_all(struct pipeline *p, char *block)
{
    char *items = block + p->tokens * (CARRIER + p->rows * LINE);
    p->places = (bgi_turn *)(void *)(block + p->tokens * CARRIER);
    for (size_t i = 0; i < p->rows * p->tokens; i++) {
        bgi_turn_init(&p->places[i], i % p->tokens == 0);
    }
    for (size_t i = 1; i < p->tokens; i++) {
        struct carrier *c = (struct carrier *)(void *)(block + i * CARRIER);
        c->p = p;
        c->item = items + i * room_of(p);
        bg_fork(&c->frame, run_carrier, c);
    }
    carry(p, items);
    for (size_t i = p->tokens; i-- > 1;) {
        struct carrier *c = (struct carrier *)(void *)(block + i * CARRIER);
        (void)bg_join(&c->frame);
    }
}

static int run_alone(struct pipeline *p)
{
    _Alignas(max_align_t) unsigned char small[SMALL];
    void *item = p->options->item_size <= SMALL ? small : bgi_malloc(p->options->item_size);
    p->tokens = 1;
    if (item == NULL) {
        return -ENOMEM;
    }
    carry(p, item);
    if (item != small) {
        bgi_free(item);
    }
    return 0;
}

/* With as many tokens as there is memory for. */
static int run(struct pipeline *p)
{
    const bgi_worker *w = bgi_worker_self();
    if (!fits(p)) {
        return -EINVAL;
    }
    if (w == NULL || w->current == NULL) {
        p->tokens = 1;
    }
    for (; p->tokens > 1; p->tokens /= 2) {
        char *block = bgi_aligned_alloc(LINE, block_size(p));
        if (block != NULL) {
            run_all(p, block);
            bgi_free(block);
            return 0;
        }
    }
    return run_alone(p);
}

int bg_pipeline_run_opts(const bg_stage stages[], size_t n, const bg_pipeline_options *options)
{
    if (stages == NULL || n == 0 || options == NULL || options->size < sizeof *options ||
        options->tokens == 0 || stages[0].parallel) {
        return -EINVAL;
    }
    struct pipeline p = {.stages = stages, .n = n, .options = options, .tokens = options->tokens};
    for (size_t i = 0; i < n; i++) {
        if (stages[i].fn == NULL) {
            return -EINVAL;
        }
        p.rows += i > 0 && !stages[i].parallel;
    }
    (void)bg_sem_init(&p.door, 1);
    int r = bgi_stopped(&p.stop) ? 0 : run(&p); /* a caller that is to end begins nothing */
    return r != 0 ? r : bgi_stop_result(&p.stop);
}

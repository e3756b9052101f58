/*
 * Every moment at which the end of a wait (a cancel, a deadline, a group's cancel, each of them
 * also from outside of a shield) can meet it: enumerated.
 *
 * A file that includes this compiles the wait queue and its primitive once more, with somebody who
 * may come just before any operation on an atomic word of the object or of the victim's waiter. One
 * worker and no spares: nobody else is there, and what is ready runs when main yields. For each
 * length of the queue, each place of the victim in it, and each way to end:
 *   END_IN_GIVE    it waits; main gives, and the end comes before the kth operation of that
 *   GIVE_IN_WAIT   it comes to wait, and the gift comes before the kth operation of that
 *   END_IN_WAIT    likewise the end
 *   GIVE_IN_END    it waits and is ended; the gift comes before the kth operation of what it does
 *                  then
 * for all k until there is no kth. Then all others are served, and: nobody is left, nothing is lost
 * or doubled, those served came in order, the victim has it or has the right code, and what it has
 * it did not take.
 */
#ifndef TESTS_SYNC_MOMENTS_H
#define TESTS_SYNC_MOMENTS_H

#include "base/atomic.h"
#include "base/rank.h"

static void met(const volatile void *p);

static inline bgi_word met_load(const bgi_atomic *p)
{
    met(p);
    return bgi_load(p);
}

static inline bgi_word met_load_acquire(const bgi_atomic *p)
{
    met(p);
    return bgi_load_acquire(p);
}

static inline void met_store(bgi_atomic *p, bgi_word v)
{
    met(p);
    bgi_store(p, v);
}

static inline void met_store_release(bgi_atomic *p, bgi_word v)
{
    met(p);
    bgi_store_release(p, v);
}

static inline int met_cas_acquire(bgi_atomic *p, bgi_word old, bgi_word want)
{
    met(p);
    return bgi_cas_acquire(p, old, want);
}

static inline int met_cas_release(bgi_atomic *p, bgi_word old, bgi_word want)
{
    met(p);
    return bgi_cas_release(p, old, want);
}

static inline int met_cas_relaxed(bgi_atomic *p, bgi_word old, bgi_word want)
{
    met(p);
    return bgi_cas_relaxed(p, old, want);
}

static inline bgi_word met_cas_fetch(bgi_atomic *p, bgi_word old, bgi_word want)
{
    met(p);
    return bgi_cas_fetch(p, old, want);
}

static inline bgi_word met_cas_fetch_acquire(bgi_atomic *p, bgi_word old, bgi_word want)
{
    met(p);
    return bgi_cas_fetch_acquire(p, old, want);
}

static inline bgi_word met_cas_fetch_release(bgi_atomic *p, bgi_word old, bgi_word want)
{
    met(p);
    return bgi_cas_fetch_release(p, old, want);
}

/* Who comes at one's turn does what another thread would: the ranks of the two are not one's. */
static inline void no_rank(unsigned rank, const char *name)
{
    (void)rank;
    (void)name;
}

#define bgi_rank_acquire no_rank
#define bgi_rank_acquired_by_try no_rank
#define bgi_rank_release no_rank
#define bgi_load met_load
#define bgi_load_acquire met_load_acquire
#define bgi_store met_store
#define bgi_store_release met_store_release
#define bgi_cas_acquire met_cas_acquire
#define bgi_cas_release met_cas_release
#define bgi_cas_relaxed met_cas_relaxed
#define bgi_cas_fetch met_cas_fetch
#define bgi_cas_fetch_acquire met_cas_fetch_acquire
#define bgi_cas_fetch_release met_cas_fetch_release

#include "wait/queue.c"

/* One is enough for the file. */
#undef BGI_RETURN_THUNK
#define BGI_RETURN_THUNK struct moments_no_thunk

#include "sync.h"

#include "task/task.h"

enum { MOMENTS_WAITERS = 4, MOMENTS_WORDS = 48 };

/* How a wait may be ended. */
enum moments_end { BY_CANCEL, BY_DEADLINE, BY_GROUP, MOMENTS_ENDS };
enum moments_kind { END_IN_GIVE, GIVE_IN_WAIT, END_IN_WAIT, GIVE_IN_END, MOMENTS_KINDS };

/* What is looked at. `object` is the one made for the present case; the queues of all that is
 * entered begin at the words that are named. */
struct moments_subject {
    const char *name;
    void (*setup)(int waiters); /* object is all zero; main holds what it has to */
    int (*wait)(int i);         /* in waiter i */
    void (*served)(int i);      /* after that has returned 0 or more; NULL: nothing to do */
    void (*give)(void);         /* a gift, in any context; needs no words that are entered */
    int (*may_give)(void);      /* NULL: always */
    void (*more)(void);         /* by main, again and again, until nobody is left */
    void (*rest)(int served);   /* nobody is left; all the gifts but those served are there */
    void (*settled)(void);      /* NULL, or when all that is ready has run */
    int unordered;              /* served in no particular order */
    int gone;                   /* so many words may be gone after a gift, which serves all */
};

static struct moments_case {
    const struct moments_subject *subject;
    enum moments_kind kind;
    enum moments_end end;
    int hidden, waiters, victim;
    unsigned passes;
    /* The case as it goes. */
    int active, ended, gifts, served, done;
    void (*comes)(void);
    unsigned before;
    int order[MOMENTS_WAITERS], result[MOMENTS_WAITERS];
    bg_task *task[MOMENTS_WAITERS];
    bgi_scope *scope;
} scene;

static uintptr_t *object; /* MOMENTS_WORDS */
static unsigned long moments_cases;

/* ---- who comes ---- */

/* Nobody can be inside, or at the gate, at whose turn another comes who wants to be. */
static int nobody_inside(void)
{
    bgi_waitq *q = (bgi_waitq *)(void *)object;
    return ((bgi_word)object[0] & BGI_WAITQ_LOCK) == 0 && bgi_waitq_gate(q)->state == 0 &&
           (scene.subject->may_give == NULL || scene.subject->may_give());
}

/* Its waiter's word, or something on its stack: its node. */
static int of_victim(const volatile void *p)
{
    const bg_task *t = scene.task[scene.victim];
    const volatile char *at = p;
    return t != NULL &&
           (p == &t->waiter.state || (t->fiber.stack != NULL && at >= t->fiber.stack->low &&
                                      at < t->fiber.stack->low + t->fiber.stack->size));
}

static int is_gate(const volatile void *p)
{
    return p == &bgi_waitq_gate((bgi_waitq *)(void *)object)->state;
}

static void met(const volatile void *p)
{
    const volatile uintptr_t *at = p;
    if (!scene.active || scene.comes == NULL) {
        return;
    }
    int ours = (at >= object && at < object + MOMENTS_WORDS) || of_victim(p) || is_gate(p);
    int gift = scene.kind == GIVE_IN_WAIT || scene.kind == GIVE_IN_END;
    if (!ours || (gift && !nobody_inside())) {
        return;
    }
    if (scene.passes == scene.before++) {
        void (*comes)(void) = scene.comes;
        scene.comes = NULL;
        comes();
    }
}

static void make_gift(void)
{
    scene.gifts++;
    scene.subject->give();
}

static void end_victim(void)
{
    bg_task *t = scene.task[scene.victim];
    scene.ended = 1;
    switch (scene.end) {
    case BY_DEADLINE:
        bgi_store_release(&scene.scope->state, BGI_SCOPE_EXPIRED);
        if (bgi_waiter_kick(&t->waiter, scene.scope->depth)) {
            bgi_waiter_wake(&t->waiter);
        }
        break;
    case BY_GROUP:
        if (bgi_scope_cancel(scene.scope)) {
            bgi_waiter_wake(&t->waiter);
        }
        break;
    default:
        bgi_task_cancel(t);
    }
}

static int code_of_end(void)
{
    return scene.end == BY_DEADLINE ? -ETIMEDOUT : -ECANCELED;
}

/* ---- who waits ---- */

static int wait_within(int i)
{
    int victim = i == scene.victim, r;
    if (victim) {
        scene.task[i] = bg_self();
        scene.active = scene.kind == GIVE_IN_WAIT || scene.kind == END_IN_WAIT;
    }
    r = scene.subject->wait(i);
    if (victim && scene.kind != END_IN_GIVE) {
        scene.active = 0;
    }
    scene.result[i] = r;
    if (r >= 0) {
        scene.order[scene.served++] = i;
        if (scene.subject->served != NULL) {
            scene.subject->served(i);
        }
    }
    if (victim && scene.ended) {
        CHECK(bg_cancelled() == (scene.hidden ? 0 : code_of_end()));
    }
    return r;
}

static int wait_as(void *arg)
{
    int i = (int)(intptr_t)arg;
    bg_scope outer;
    if (i == scene.victim && scene.end != BY_CANCEL) {
        scene.scope = (bgi_scope *)(void *)bg_timeout_open(&outer, BG_FOREVER);
    }
    if (i == scene.victim && scene.hidden) {
        bg_shield
        {
            (void)wait_within(i);
        }
    } else {
        (void)wait_within(i);
    }
    if (i == scene.victim && scene.end != BY_CANCEL) {
        bg_scope_close(&outer);
    }
    scene.done++;
    return 0;
}

/* All that is ready runs. */
static void settle(void)
{
    for (int i = 0; i < 12; i++) {
        bg_yield();
    }
}

static void arrive(int i)
{
    bg_task *t = bg_spawn(wait_as, INT_ARG(i));
    CHECK(t != NULL);
    scene.task[i] = t;
    settle();
}

/* ---- a case ---- */

static void comes_before(unsigned n, void (*who)(void))
{
    scene.before = 0;
    scene.passes = n;
    scene.comes = who;
}

static void check_served(void)
{
    int fails = 0;
    for (int i = 0; i < scene.waiters; i++) {
        int r = scene.result[i];
        if (i == scene.victim && r < 0) {
            CHECK(scene.ended && !scene.hidden && r == code_of_end());
            fails++;
        } else {
            CHECK(r == 0 || r == 1);
        }
    }
    CHECK(scene.served == scene.waiters - fails);
    for (int i = 1; i < scene.served && !scene.subject->unordered; i++) {
        CHECK(scene.order[i - 1] < scene.order[i]);
    }
}

/* 1: he came; 0: there is no such moment any more. */
static int run_case(unsigned k)
{
    const struct moments_subject *s = scene.subject;
    int came;

    object = bgi_malloc(MOMENTS_WORDS * sizeof *object);
    memset(object, 0, MOMENTS_WORDS * sizeof *object);
    scene.active = scene.ended = scene.gifts = scene.served = scene.done = 0;
    scene.comes = NULL;
    memset(scene.task, 0, sizeof scene.task);
    memset(scene.result, 0xff, sizeof scene.result);
    s->setup(scene.waiters);
    for (int i = 0; i < scene.waiters; i++) {
        if (i == scene.victim && (scene.kind == GIVE_IN_WAIT || scene.kind == END_IN_WAIT)) {
            comes_before(k, scene.kind == GIVE_IN_WAIT ? make_gift : end_victim);
        }
        arrive(i);
        scene.active = 0;
    }
    if (scene.kind == END_IN_GIVE) {
        comes_before(k, end_victim);
        scene.active = 1;
        make_gift();
        scene.active = 0;
        if (s->gone && scene.comes == NULL) { /* whoever was there is out of it */
            memset(object, 0x55, (size_t)s->gone * sizeof *object);
            settle();
            CHECK(scene.done == scene.waiters);
        }
    } else if (scene.kind == GIVE_IN_END) {
        comes_before(k, make_gift);
        end_victim();
        scene.active = 1;
        settle();
        scene.active = 0;
    }
    came = scene.comes == NULL;
    scene.comes = NULL;
    settle();
    if (s->settled != NULL) {
        s->settled();
    }
    for (int tries = 0; scene.done < scene.waiters && tries < 100; tries++) {
        s->more();
        settle();
    }
    CHECK(scene.done == scene.waiters);
    for (int i = 0; i < scene.waiters; i++) {
        CHECK(bg_await(scene.task[i]) == 0);
    }
    check_served();
    if (object[0] != 0x5555555555555555U) {
        s->rest(scene.served);
    }
    bgi_free(object);
    moments_cases++;
    return came;
}

static int run_subject(void *arg)
{
    scene.subject = arg;
    for (scene.waiters = 1; scene.waiters <= 3; scene.waiters++) {
        for (scene.victim = 0; scene.victim < scene.waiters; scene.victim++) {
            for (int kind = 0; kind < MOMENTS_KINDS; kind++) {
                for (int end = 0; end < 2 * MOMENTS_ENDS; end++) {
                    scene.kind = (enum moments_kind)kind;
                    scene.end = (enum moments_end)(end / 2);
                    scene.hidden = end % 2;
                    unsigned k = 0;
                    while (run_case(k)) {
                        k++;
                    }
                    if (bgi_load(&check_failures) != 0) {
                        (void)fprintf(stderr,
                                      "%s: kind %d, end %d, hidden %d, victim %d of %d, %u\n",
                                      scene.subject->name, kind, end / 2, scene.hidden,
                                      scene.victim, scene.waiters, k);
                        return -1;
                    }
                }
            }
        }
    }
    return 0;
}

/* `least`: so many cases there are at least; fewer would mean that he did not come. */
static void run_moments(const struct moments_subject *s, unsigned long least)
{
    moments_cases = 0;
    RUN(run_subject, (void *)(uintptr_t)s, .workers = 1, .spares = BG_NO_SPARES);
    cr_assert_geq(moments_cases, least, "%s: %lu cases", s->name, moments_cases);
    if (getenv("MOMENTS") != NULL) {
        (void)fprintf(stderr, "%s: %lu cases\n", s->name, moments_cases);
    }
}

#endif

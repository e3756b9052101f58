/*
 * Helpers (helpers_types.h): what is waited for until another comes by.
 *
 * Nobody need come by, so the operations that wait are valid only where something else ends that
 * wait (ops_bell.c). Signs are: the task that gives one is sure to do so.
 */
#ifndef BGP_HELPERS_BELL_H
#define BGP_HELPERS_BELL_H

#include "helpers_lock.h"

/*@ begin_bells: bell_types */
static inline void begin_bells(void)
{
    for (int i = 0; i < BELLS; i++) {
        struct bell *b = &bells[i];
        bg_event_init(&b->event);
        CHECK(-1, bg_latch_init(&b->latch, LATCHED) == 0);
        CHECK(-1, bg_barrier_init(&b->barrier, i + 2) == 0);
        CHECK(-1, bg_sem_init(&b->sem, 0) == 0);
    }
}

/*@ finish_bells: bell_types */
/* When all have ended: a permit that was given has been taken or is there; each round of a barrier
 * has let as many pass as it is for. */
static inline void finish_bells(void)
{
    for (int i = 0; i < BELLS; i++) {
        struct bell *b = &bells[i];
        word_value counted = load(&b->counted);
        int is_open = bg_latch_try_wait(&b->latch);
        CHECK(-1, counted <= LATCHED && is_open == (counted == LATCHED ? 0 : -EAGAIN));
        CHECK(-1, load(&b->passed) == load(&b->rounds) * ((word_value)i + 2));
        CHECK(-1, load(&b->given) == load(&b->taken) + (word_value)bg_sem_value(&b->sem));
        bg_event_destroy(&b->event);
        bg_latch_destroy(&b->latch);
        bg_barrier_destroy(&b->barrier);
        bg_sem_destroy(&b->sem);
    }
}

/*@ ring: bell_types */
static inline void ring(int t, int i)
{
    (void)add(&bells[i].rung, 1);
    CHECK(t, bg_event_set(&bells[i].event) == 0);
}

/*@ silence: bell_types */
static inline void silence(int t, int i)
{
    CHECK(t, bg_event_clear(&bells[i].event) == 0);
}

/*@ hear: bell_types, waited */
static inline int hear(int t, int i)
{
    int sure = before_wait(t);
    int r = bg_event_wait(&bells[i].event);
    CHECK(t, r != 0 || load(&bells[i].rung) > 0);
    return after_wait(t, sure, r);
}

/*@ count_down: bell_types */
static inline void count_down(int t, int i, int n)
{
    (void)add_full(&bells[i].counting, (word_value)n);
    int r = bg_latch_count_down(&bells[i].latch, n);
    CHECK(t, r == 0 || r == -EINVAL);
    if (r == 0) {
        (void)add(&bells[i].counted, (word_value)n);
    } else { /* the others, and this, are too many */
        CHECK(t, load(&bells[i].counting) > LATCHED);
    }
}

/*@ wait_latch: bell_types, waited */
static inline int wait_latch(int t, int i)
{
    int sure = before_wait(t);
    int r = bg_latch_wait(&bells[i].latch);
    CHECK(t, r != 0 || load(&bells[i].counting) >= LATCHED);
    CHECK(t, r != 0 || bg_latch_try_wait(&bells[i].latch) == 0);
    return after_wait(t, sure, r);
}

/*@ meet: bell_types, waited */
static inline int meet(int t, int i)
{
    int sure = before_wait(t);
    int r = bg_barrier_wait(&bells[i].barrier);
    CHECK(t, r <= 1);
    if (r >= 0) {
        (void)add(&bells[i].passed, 1);
        (void)add(&bells[i].rounds, (word_value)r);
        r = 0;
    }
    return after_wait(t, sure, r);
}

/*@ give: bell_types */
static inline void give(int t, int i)
{
    (void)add(&bells[i].giving, 1);
    CHECK(t, bg_sem_release(&bells[i].sem) == 0);
    (void)add(&bells[i].given, 1);
}

/*@ take: bell_types, waited */
static inline int take(int t, int i, int only_try)
{
    int r;
    if (only_try) {
        r = bg_sem_try_acquire(&bells[i].sem);
        CHECK(t, r == 0 || r == -EAGAIN);
    } else {
        int sure = before_wait(t);
        r = after_wait(t, sure, bg_sem_acquire(&bells[i].sem));
    }
    if (r == 0) {
        CHECK(t, add_full(&bells[i].taken, 1) < load(&bells[i].giving));
    }
    return r == -EAGAIN ? 0 : r;
}

/*@ begin_signs: sign_types */
static inline void begin_signs(void)
{
    for (int i = 1; i <= SIGNS; i++) {
        bg_event_init(&signs[i].event);
        CHECK(-1, bg_latch_init(&signs[i].latch, 1) == 0);
        CHECK(-1, bg_sem_init(&signs[i].sem, 0) == 0);
        bg_mutex_init(&signs[i].mutex);
        bg_cond_init(&signs[i].cond);
        signs[i].chan = bg_chan_create(sizeof(int), 1);
        CHECK(-1, signs[i].chan != NULL);
    }
}

/*@ finish_signs: sign_types */
static inline void finish_signs(void)
{
    for (int i = 1; i <= SIGNS; i++) {
        bg_event_destroy(&signs[i].event);
        bg_latch_destroy(&signs[i].latch);
        bg_sem_destroy(&signs[i].sem);
        bg_mutex_destroy(&signs[i].mutex);
        bg_cond_destroy(&signs[i].cond);
        bg_chan_destroy(signs[i].chan);
    }
}

/*@ give_sign: sign_types, lock_surely */
/* t is about to end, and says so in each of the ways whose bits are set. */
static inline void give_sign(int t, int ways)
{
    struct sign *s = &signs[tasks[t].sign];
    s->told = t + 1;
    if ((ways & 1 << BY_EVENT) != 0) {
        CHECK(t, bg_event_set(&s->event) == 0);
    }
    if ((ways & 1 << BY_LATCH) != 0) {
        CHECK(t, bg_latch_count_down(&s->latch, 1) == 0);
    }
    if ((ways & 1 << BY_SEM) != 0) {
        CHECK(t, bg_sem_release(&s->sem) == 0);
    }
    if ((ways & 1 << BY_COND) != 0) {
        lock_surely(t, &s->mutex);
        s->given = 1;
        CHECK(t, bg_cond_signal(&s->cond) == 0);
        CHECK(t, bg_mutex_unlock(&s->mutex) == 0);
    }
    if ((ways & 1 << BY_CHAN) != 0) {
        CHECK(t, bg_try_send(s->chan, &s->told) == 0);
    }
}

/*@ wait_sign: sign_types, waited */
static inline int wait_cond(int t, struct sign *s)
{
    int sure = before_wait(t);
    int r = after_wait(t, sure, bg_mutex_lock(&s->mutex));
    if (r != 0) {
        return r;
    }
    while (r == 0 && !s->given) {
        sure = before_wait(t);
        r = after_wait(t, sure, bg_cond_wait(&s->cond, &s->mutex));
        CHECK(t, r != 0 || s->given);
    }
    CHECK(t, bg_mutex_unlock(&s->mutex) == 0);
    return r;
}

static inline int wait_in_way(int t, struct sign *s, int way)
{
    int sure = before_wait(t);
    switch (way) {
    case BY_EVENT:
        return after_wait(t, sure, bg_event_wait(&s->event));
    case BY_LATCH:
        return after_wait(t, sure, bg_latch_wait(&s->latch));
    case BY_SEM: {
        int r = after_wait(t, sure, bg_sem_acquire(&s->sem));
        CHECK(t, r != 0 || bg_sem_release(&s->sem) == 0); /* for the next time */
        return r;
    }
    case BY_CHAN: {
        int told = 0;
        int r = after_wait(t, sure, bg_recv(s->chan, &told));
        CHECK(t, r != 0 || (told == s->told && bg_try_send(s->chan, &told) == 0));
        return r;
    }
    default:
        return wait_cond(t, s);
    }
}

/* Waits for the sign of c, if c is sure to begin. */
static inline int wait_sign(int t, int c, int way)
{
    struct sign *s = &signs[tasks[c].sign];
    if ((tasks[c].may & MAY_BE_CANCELLED) != 0) {
        return 0;
    }
    int r = wait_in_way(t, s, way);
    CHECK(t, r != 0 || s->told == c + 1);
    return r;
}

#endif

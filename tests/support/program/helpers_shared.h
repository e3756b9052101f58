/*
 * Helpers (helpers_types.h): what tasks share, by number. The interpreter and printed programs have
 * an array of each that is used: locks[LOCKS], bells[BELLS], signs[SIGNS + 1], chans[CHANS],
 * wires[WIRES], futures[FUTURES]; and `blocked`.
 *
 * A field that is no word is written by who holds the lock beside it, or before what makes it
 * known: that no other reads it meanwhile is one of the things that the thread sanitizer sees.
 */
#ifndef BGP_HELPERS_SHARED_H
#define BGP_HELPERS_SHARED_H

/*@ lock_types: types */
enum { LOCKS = 3 };

/* What one takes and gives back: a mutex, a monitor with some places, a semaphore with as many
 * permits, a read-write lock; and what is done once. */
struct lock {
    bg_mutex mutex;
    int holder; /* and 1 */
    bg_mutex monitor;
    bg_cond freed;
    int places, waiting, owed; /* owed: as many as may have been signalled, and not gone on */
    bg_sem sem;
    word inside;
    bg_rwlock rwlock;
    word readers;
    int writer;
    bg_once once;
    int done;
    word running;
};

/*@ bell_types: types */
enum { BELLS = 2, LATCHED = 4 };

/* What one waits for until others come by: an event, a latch, a barrier for number and 2, a
 * semaphore that begins without a permit. */
struct bell {
    bg_event event;
    word rung;
    bg_latch latch;
    word counting, counted;
    bg_barrier barrier;
    word passed, rounds;
    bg_sem sem;
    word giving, given, taken;
};

/*@ sign_types: types */
/* How a task can tell at its end that it is there. */
enum { BY_EVENT, BY_LATCH, BY_SEM, BY_COND, BY_CHAN, WAYS };

struct sign {
    int told; /* by it, and 1 */
    bg_event event;
    bg_latch latch;
    bg_sem sem;
    bg_mutex mutex;
    bg_cond cond;
    int given; /* under the mutex */
    bg_chan *chan;
};

/*@ chan_types: types */
enum { CHANS = 3, SEEN = 64 };

struct item {
    int from; /* who sent it */
    unsigned ticket;
    word_value check; /* made of both */
};

/* A channel, with room for 0, 1 or 4, and all that was sent and received: how many, and the sum of
 * their checks. Its sender draws a ticket for each item, whether it is sent or not. And a channel
 * that is full of tokens at first. */
struct chan {
    bg_chan *chan;
    word tickets, closing;
    word sent, sent_sum, received, received_sum;
    word seen[SEEN]; /* receiver, sender, the latest ticket */
    bg_chan *pool;
    int holder[CHANS]; /* of a token, and 1 */
};

/*@ wire_types: chan_types */
enum { WIRES = 2 };

/* A pair of sockets that keep messages apart, and what went through it. */
struct wire {
    int end[2];
    struct chan seen;
};

/*@ blocked_types: types */
/* Blocking calls: asked for, begun and ended on whatever thread, returned from, not waited for. */
struct blocked {
    word asked, begun, ended, returned, cut_short;
};

/*@ future_types: types */
enum { FUTURES = 3 };

/* A future, and what it was set to, and what was seen: a task's number twice, or, when it has
 * failed, and 1; and 1 more. */
struct future {
    bg_future *future;
    word settling, settled, value, seen;
};

#endif

/*
 * The mutex, for the condition, which gives it up and hands it to those it wakes.
 */
#ifndef BGI_MUTEX_H
#define BGI_MUTEX_H

#include "sync/owned.h"
#include "wait/queue.h"

#include <brigade/sync.h>

#define BGI_MUTEX_HELD BGI_WAITQ_VALUE

struct bgi_mutex {
    bgi_waitq q;
    bgi_owned owned;
};

_Static_assert(sizeof(struct bgi_mutex) <= sizeof(bg_mutex), "bg_mutex has room for it");
_Static_assert(offsetof(struct bgi_mutex, owned) == BGI_OWNED_OFFSET, "messages name the mutex");

BGI_INLINE struct bgi_mutex *bgi_mutex_of(bg_mutex *m)
{
    return (struct bgi_mutex *)(void *)m;
}

/* A node's info: what is to be done with its waiter when the mutex is its. */
enum bgi_mutex_waiter {
    BGI_MUTEX_SIGNAL, /* it waits for this mutex: a signal */
    BGI_MUTEX_WAKE,   /* it waited for something else, and has been claimed: a wake-up */
    BGI_MUTEX_TAKE    /* in no mutex's queue: it takes the mutex itself */
};

/* Gives up a mutex that the caller holds, as debug builds have made sure: 0, or -EPERM. */
int bgi_mutex_give(struct bgi_mutex *m);

/* Takes it, as a task or a plain thread (waiter NULL), hidden from all cancellation. */
void bgi_mutex_take_hidden(struct bgi_mutex *m, bgi_waiter *waiter, const bgi_wait_site *site);

/* Outside: the waiters of these nodes have been claimed. They get the mutex one after another,
 * behind those who wait for it; the first at once, if it is free. */
void bgi_mutex_hand(struct bgi_mutex *m, bgi_wake_list *l);

#endif

/*
 * The invariants of sync/chan.c. A waiter whose select has been claimed is passed over there, as it
 * is by who serves.
 */
#include "sync/check.h"

#if BGI_DEBUG

#include "base/check.h"

/* How many wait; *select: theirs if it is one and the same, or NULL. */
static size_t check_waiting(const bg_chan *ch, enum bgi_chan_kind kind, const bgi_select **select)
{
    const bgi_wait_node *first = ch->waiting[kind].first, *n = first;
    size_t live = 0;

    *select = NULL;
    while (n != NULL) {
        const bgi_chan_node *c = (const bgi_chan_node *)(const void *)n;
        bgi_check(n->next != NULL && n->next->prev == n,
                  "channel: a waiter and the next one disagree");
        bgi_check(bgi_wait_node_queued(n), "channel: a waiter was taken out");
        bgi_check(n->info == kind, "channel: a waiter of the other kind");
        if (c->select == NULL || bgi_load(&c->select->claim) == 0) {
            *select = live == 0 || *select == c->select ? c->select : NULL;
            live++;
        }
        n = n->next == first ? NULL : n->next;
    }
    return live;
}

void bgi_chan_check(const bg_chan *ch)
{
    size_t count = bgi_load(&ch->count);
    const bgi_select *from, *to;
    size_t senders = check_waiting(ch, BGI_CHAN_SEND, &from);
    size_t receivers = check_waiting(ch, BGI_CHAN_RECV, &to);

    bgi_check(count <= ch->capacity, "channel: C1: %zu items, room for %u", count, ch->capacity);
    bgi_check(ch->capacity == 0
                  ? ch->head == 0 && ch->tail == 0
                  : ch->head < ch->capacity && (ch->head + count) % ch->capacity == ch->tail,
              "channel: C1: %zu items from %u to %u, room for %u", count, ch->head, ch->tail,
              ch->capacity);
    bgi_check(receivers == 0 || count == 0, "channel: C2: %zu receivers wait, %zu items", receivers,
              count);
    bgi_check(senders == 0 || count == ch->capacity,
              "channel: C2: %zu senders wait, %zu items, room for %u", senders, count,
              ch->capacity);
    bgi_check(senders == 0 || receivers == 0 || (from != NULL && from == to),
              "channel: C3: %zu senders and %zu receivers wait", senders, receivers);
    bgi_check(!ch->closed || senders + receivers == 0, "channel: C4: closed, and %zu wait",
              senders + receivers);
}

#else

/* A translation unit has to declare something. */
typedef int bgi_sync_check_compiled_away;

#endif

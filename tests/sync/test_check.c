/*
 * The walker of channels: it passes what channels do, and finds each way in which one could be
 * wrong.
 */
#include "../task/check.h"

#include "dies.h"
#include "sync/check.h"

#if !BGI_DEBUG

/* A program in which nothing is tested fails. */
Test(check, is_compiled_away)
{
    bgi_chan_check(NULL);
}

#else

static _Alignas(bg_chan) unsigned char place[sizeof(bg_chan)];
static bg_chan *const ch = (bg_chan *)(void *)place; /* items have no size */
static bgi_chan_node nodes[3];
static bgi_select selects[2];

static void empty(uint32_t capacity)
{
    memset(place, 0, sizeof place);
    memset(nodes, 0, sizeof nodes);
    memset(selects, 0, sizeof selects);
    ch->capacity = capacity;
}

/* Three receivers wait in an empty channel, or three senders in a full one. */
static void made(enum bgi_chan_kind kind)
{
    empty(2);
    while (kind == BGI_CHAN_SEND && bg_try_send(ch, NULL) == 0) {
    }
    for (int i = 0; i < 3; i++) {
        nodes[i].node.info = kind;
        bgi_waitq_push(&ch->waiting[kind], &nodes[i].node);
    }
}

static void check(void *unused)
{
    (void)unused;
    bgi_chan_check(ch);
}

Test(check, channels_pass)
{
    for (uint32_t capacity = 0; capacity < 4; capacity++) {
        empty(capacity);
        bgi_chan_check(ch);
        for (size_t i = 0; i < 5 * capacity; i++) {
            cr_assert_eq(bg_try_send(ch, NULL), 0);
            bgi_chan_check(ch);
            if (i % 3 == 2 || bg_chan_length(ch) == capacity) {
                cr_assert_eq(bg_try_recv(ch, NULL), 0);
                bgi_chan_check(ch);
            }
        }
        cr_assert_eq(bg_close(ch), 0);
        bgi_chan_check(ch);
    }
    made(BGI_CHAN_RECV);
    bgi_chan_check(ch);
    made(BGI_CHAN_SEND);
    bgi_chan_check(ch);
}

Test(check, a_claimed_select_does_not_count)
{
    made(BGI_CHAN_RECV);
    bgi_store(&ch->count, 1);
    ch->tail = 1;
    DIES(check, NULL, "brigade: channel: C2: 3 receivers wait, 1 items");
    for (int i = 0; i < 3; i++) {
        nodes[i].select = &selects[0];
    }
    DIES(check, NULL, "C2: 3 receivers");
    bgi_store(&selects[0].claim, 1);
    bgi_chan_check(ch);
}

Test(check, one_select_may_wait_both_ways)
{
    empty(0);
    for (int i = 0; i < 2; i++) {
        nodes[i].node.info = (uintptr_t)i;
        nodes[i].select = &selects[0];
        bgi_waitq_push(&ch->waiting[i], &nodes[i].node);
    }
    bgi_chan_check(ch);
    nodes[1].select = &selects[1];
    DIES(check, NULL, "C3: 1 senders and 1 receivers wait");
    nodes[0].select = nodes[1].select = NULL;
    DIES(check, NULL, "C3: 1 senders and 1 receivers wait");
    nodes[1].select = &selects[1];
    DIES(check, NULL, "C3: 1 senders and 1 receivers wait");
    nodes[2] = nodes[0];
    nodes[0].select = &selects[1];
    bgi_waitq_push(&ch->waiting[0], &nodes[2].node);
    nodes[2].select = &selects[0];
    DIES(check, NULL, "C3: 2 senders and 1 receivers wait");
}

Test(check, other_channels_are_found)
{
    made(BGI_CHAN_SEND);
    bgi_store(&ch->count, 3);
    DIES(check, NULL, "C1: 3 items, room for 2");
    made(BGI_CHAN_SEND);
    ch->tail = 1;
    DIES(check, NULL, "C1: 2 items from 0 to 1, room for 2");
    made(BGI_CHAN_SEND);
    ch->head = ch->tail = 2;
    DIES(check, NULL, "C1: 2 items from 2 to 2, room for 2");
    empty(0);
    ch->tail = 1;
    DIES(check, NULL, "C1: 0 items from 0 to 1, room for 0");
    ch->tail = 0;
    ch->head = 1;
    DIES(check, NULL, "C1: 0 items from 1 to 0, room for 0");
    made(BGI_CHAN_SEND);
    bgi_store(&ch->count, 1);
    ch->tail = 1;
    DIES(check, NULL, "C2: 3 senders wait, 1 items, room for 2");
    made(BGI_CHAN_RECV);
    ch->closed = 1;
    DIES(check, NULL, "C4: closed, and 3 wait");
    made(BGI_CHAN_RECV);
    nodes[1].node.info = BGI_CHAN_SEND;
    DIES(check, NULL, "a waiter of the other kind");
    made(BGI_CHAN_RECV);
    bgi_store(&nodes[1].node.taken, 1);
    DIES(check, NULL, "a waiter was taken out");
    made(BGI_CHAN_RECV);
    nodes[2].node.prev = &nodes[0].node;
    DIES(check, NULL, "a waiter and the next one disagree");
    made(BGI_CHAN_RECV);
    nodes[1].node.next = NULL;
    DIES(check, NULL, "a waiter and the next one disagree");
}

#endif

#include "queue/eventcount.h"

#include "arch/futex.h"

#include <errno.h>

enum { EMPTY, PARKED, NOTIFIED };

void bgi_ec_init(bgi_eventcount *ec)
{
    bgi_lock_init(&ec->lock, BGI_RANK_EVENTCOUNT, "eventcount");
    bgi_list_init(&ec->sleepers);
    bgi_store(&ec->waiting, 0);
}

void bgi_ec_node_init(bgi_ec_node *node)
{
    bgi_list_init(&node->link);
    bgi_store(&node->word, EMPTY);
}

void bgi_ec_prepare(bgi_eventcount *ec, bgi_ec_node *node)
{
    /* A kick that came before this is answered by the caller's second look, which sees what the
     * kicker wrote (acquire). One that comes after it ends the wait. */
    (void)bgi_cas(&node->word, NOTIFIED, EMPTY);
    bgi_lock_acquire(&ec->lock);
    bgi_list_push_front(&ec->sleepers, &node->link);
    bgi_store(&ec->waiting, bgi_load(&ec->waiting) + 1);
    bgi_lock_release(&ec->lock);
    bgi_fence_full(); /* partner: the submitter's fence before bgi_ec_waiting */
}

/* Under the lock. */
static void take_off(bgi_eventcount *ec, bgi_ec_node *node)
{
    bgi_list_remove(&node->link);
    bgi_store(&ec->waiting, bgi_load(&ec->waiting) - 1);
}

int bgi_ec_cancel(bgi_eventcount *ec, bgi_ec_node *node)
{
    bgi_lock_acquire(&ec->lock);
    int announced = bgi_list_linked(&node->link);
    if (announced) {
        take_off(ec, node);
    }
    bgi_lock_release(&ec->lock);
    return !announced;
}

void bgi_ec_wait(bgi_ec_node *node, bg_time deadline)
{
    int r = 0;
    (void)bgi_cas(&node->word, EMPTY, PARKED); /* fails when NOTIFIED */
    while (bgi_load_acquire(&node->word) == PARKED && r != -ETIMEDOUT) {
        r = bgi_futex_wait(&node->word, PARKED, deadline == BG_TIME_MAX ? -1 : deadline);
    }
    if (!bgi_cas(&node->word, PARKED, EMPTY)) {
        (void)bgi_cas(&node->word, NOTIFIED, EMPTY); /* acquire: what the notifier wrote is seen */
    }
}

void bgi_ec_awake(bgi_ec_node *node)
{
    (void)bgi_cas(&node->word, NOTIFIED, EMPTY); /* acquire, as above */
}

void bgi_ec_kick(bgi_ec_node *node)
{
    /* A read-modify-write even from NOTIFIED to NOTIFIED: either it comes before the sleeper's
     * return to EMPTY, whose acquire then sees what the caller wrote, or it finds EMPTY. */
    bgi_word seen = bgi_load(&node->word);
    for (;;) {
        bgi_word found = bgi_cas_fetch(&node->word, seen, NOTIFIED);
        if (found == seen) {
            break;
        }
        seen = found;
    }
    if (seen == PARKED) {
        (void)bgi_futex_wake(&node->word, 1);
    }
}

bgi_ec_node *bgi_ec_notify(bgi_eventcount *ec)
{
    bgi_ec_node *node = NULL;
    bgi_lock_acquire(&ec->lock);
    if (!bgi_list_empty(&ec->sleepers)) {
        node = BGI_CONTAINER_OF(ec->sleepers.next, bgi_ec_node, link);
        take_off(ec, node);
    }
    bgi_lock_release(&ec->lock);
    if (node != NULL) {
        bgi_ec_kick(node);
    }
    return node;
}

int bgi_ec_notify_node(bgi_eventcount *ec, bgi_ec_node *node)
{
    bgi_lock_acquire(&ec->lock);
    int announced = bgi_list_linked(&node->link);
    if (announced) {
        take_off(ec, node);
    }
    bgi_lock_release(&ec->lock);
    if (announced) {
        bgi_ec_kick(node);
    }
    return announced;
}

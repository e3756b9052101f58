/*
 * The walkers of the waiter's word and of the wait queue: what the transitions lead to passes, the
 * rest does not.
 */
#include "wait/check.h"

#include "dies.h"

static bgi_waiter waiter;

static bgi_item *wake(bgi_waiter *w, bgi_sched *here)
{
    (void)w;
    (void)here;
    return NULL;
}

/* Every sequence of five steps, from a fresh waiter. */
Test(check, every_reachable_word_passes)
{
    enum { STEPS = 6, LENGTH = 5 };
    unsigned all = 1;
    for (int i = 0; i < LENGTH; i++) {
        all *= STEPS;
    }
    for (unsigned run = 0; run < all; run++) {
        bgi_waiter_init(&waiter, wake);
        bgi_waiter_check_idle(&waiter, "fresh");
        for (unsigned left = run, i = 0; i < LENGTH; i++, left /= STEPS) {
            int armed = (bgi_load(&waiter.state) & BGI_WAITER_ARMED) != 0;
            switch (left % STEPS) {
            case 0:
                (void)bgi_waiter_signal(&waiter);
                break;
            case 1:
                (void)bgi_waiter_expire(&waiter);
                break;
            case 2:
                (void)bgi_waiter_cancel(&waiter);
                break;
            case 3:
            case 4:
                (void)(armed || (int)bgi_waiter_arm(&waiter, left % STEPS == 4, 0));
                break;
            default:
                break;
            }
            bgi_waiter_check(&waiter, "stepped");
        }
    }
    cr_assert_lt(bgi_load(&waiter.state), 8 * BGI_WAITER_SIGNAL);
}

#if BGI_DEBUG

static void check(void *word)
{
    bgi_store_ptr(&waiter.state, word);
    bgi_waiter_check(&waiter, "cook");
}

static void check_idle(void *word)
{
    bgi_store_ptr(&waiter.state, word);
    bgi_waiter_check_idle(&waiter, "cook");
}

Test(check, other_words_are_found)
{
    DIES(check, (void *)0x40, "brigade: waiter of 'cook': 0x40: a bit that nobody sets");
    DIES(check, (void *)0x80, "0x80: a bit that nobody sets");
    DIES(check, (void *)0x100, "0x100: MASK and not ARMED");
    DIES(check, (void *)0x100000001, "0x100000001: ARMED with signals");
    DIES(check, (void *)0x9, "0x9: ARMED with a reason");
    DIES(check, (void *)0x5, "0x5: cancelled, ARMED and no MASK");
    check((void *)0x105); /* shielded: it is not claimed */
    check((void *)0x23);  /* kicked from without the mask, or before it was looked at */
    DIES(check_idle, (void *)0x1, "waiter of 'cook': 0x1: ARMED between two waits");
    DIES(check_idle, (void *)0x200000000, "waiter of 'cook': 0x200000000: a signal is left over");
    DIES(check_idle, (void *)0x42, "waiter of 'cook': 0x42: a bit that nobody sets");
    check_idle((void *)0x1c); /* cancelled; a reason is left to read */
}

/* ---- the wait queue ---- */

static bgi_waitq q;
static bgi_wait_node nodes[3];

static void queue_up(int n)
{
    memset(&q, 0, sizeof q);
    (void)bgi_waitq_enter(&q);
    for (int i = 0; i < n; i++) {
        bgi_waitq_push(&q, &nodes[i]);
        bgi_waitq_check(&q, "soup");
    }
    bgi_waitq_leave(&q, 0);
}

Test(check, queues_of_any_length_pass)
{
    for (int n = 0; n <= 3; n++) {
        queue_up(n);
        bgi_waitq_check(&q, "soup");
        bgi_word s = bgi_waitq_enter(&q);
        while (bgi_waitq_pop(&q) != NULL) {
            bgi_waitq_check(&q, "soup");
        }
        bgi_waitq_leave(&q, s);
        bgi_waitq_check(&q, "soup");
    }
}

static void check_queue(void *unused)
{
    (void)unused;
    bgi_waitq_check(&q, "soup");
}

Test(check, other_queues_are_found)
{
    queue_up(2);
    bgi_store(&q.word, 0);
    DIES(check_queue, NULL, "brigade: wait queue of soup: 0: QUEUED and the list disagree");
    queue_up(0);
    bgi_store(&q.word, BGI_WAITQ_QUEUED);
    DIES(check_queue, NULL, "0x2: QUEUED and the list disagree");
    queue_up(3);
    bgi_store(&nodes[1].taken, 1);
    DIES(check_queue, NULL, "a node was taken out");
    queue_up(3);
    nodes[2].prev = &nodes[0];
    DIES(check_queue, NULL, "a node and the next one disagree");
    queue_up(3);
    nodes[1].next = NULL;
    DIES(check_queue, NULL, "a node and the next one disagree");
}

#endif

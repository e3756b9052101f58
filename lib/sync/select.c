/*
 * Select: one wait in several channels.
 *
 * It enters all its channels, in the order of their addresses, so that no two selects wait for each
 * other, and none of their states changes while it looks. If cases are possible it draws one of
 * them, does it, and leaves. If not, it queues a node for each case, leaves, and suspends. As it
 * holds all doors while it looks and queues, nobody has to claim two selects at once: who serves a
 * waiting one is not waiting itself.
 *
 * A select that waits is served once, though several may come to serve it at the same time:
 *
 * The word `claim`
 *   0 -> 1 + i      who serves case i (sync/chan.c), inside its channel; or the timer of a
 * BG_AFTER, under the lock of its service: it then signals the waiter, as for any node it took out
 * (wait/queue.h) 0 -> OVER       the select itself, when a canceller has claimed its waiter (or a
 * thread's time is over): it has failed, with nothing taken All by compare-and-swap. Partners: the
 * claim (release) -> the select (acquire), which needs it only to learn that there is a signal to
 * wait for; what was given to it is seen by that signal.
 *
 * A node whose select has been claimed is stale. Whoever comes across it takes it out, as the last
 * thing he does with it; the select takes out the others, inside their channels, before it returns.
 * Nodes lie in the caller's array of cases, so there is no allocation, and no limit.
 *
 * The channel of the case that was served may be gone by then (wait/queue.h), and is not entered
 * again, unless another case of the same channel is in its queue still: a case of one select, so
 * the channel is in use. If the select is cancelled as it is served, the claim decides; so it needs
 * no gate.
 *
 * Dropped: entering the channels one after another to look (which of several were possible at one
 * moment, or that none was, cannot be said then); nodes on the stack for a few cases, and allocated
 * for more.
 */
#include "base/clock.h"
#include "base/panic.h"
#include "sync/chan.h"
#include "task/task.h"

#include <brigade/select.h>
#include <limits.h>
#include <stdio.h>

BGI_RETURN_THUNK;

/* A case, as it is in use. */
struct use {
    bgi_chan_node node; /* first */
    bg_case *next;      /* in the order of channels; NULL: the last */
    uint32_t way;       /* how its channel was entered, if this is its first case in that order */
};

_Static_assert(sizeof(struct use) <= sizeof(((bg_case *)NULL)->opaque), "bg_case has room for it");
_Static_assert((int)BG_CASE_SEND == (int)BGI_CHAN_SEND && (int)BG_CASE_RECV == (int)BGI_CHAN_RECV,
               "a case's kind is its node's");

static struct use *use_of(bg_case *c)
{
    return (struct use *)(void *)c->opaque;
}

/* ---- the order of channels ---- */

static int before(const bg_case *a, const bg_case *b)
{
    return (uintptr_t)a->chan < (uintptr_t)b->chan;
}

/* Two lists in order become one. */
static bg_case *merge(bg_case *a, bg_case *b)
{
    bg_case *first = NULL;
    bg_case **end = &first;
    while (a != NULL && b != NULL) {
        bg_case **less = before(b, a) ? &b : &a;
        *end = *less;
        *less = use_of(*end)->next;
        end = &use_of(*end)->next;
    }
    *end = a != NULL ? a : b;
    return first;
}

/* As many lists as the bits of n, of length 2^i, where bit i is set: like a binary counter. */
static bg_case *in_order(bg_case *cases, size_t n)
{
    bg_case *list[sizeof(size_t) * 8];
    size_t count = 0;

    for (size_t i = 0; i < n; i++) {
        bg_case *c = &cases[i];
        if (c->chan == NULL) {
            continue;
        }
        use_of(c)->next = NULL;
        size_t bit = 0;
        for (; (count >> bit & 1) != 0; bit++) {
            c = merge(list[bit], c);
        }
        list[bit] = c;
        count++;
    }
    bg_case *all = NULL;
    for (size_t bit = 0; count >> bit != 0; bit++) {
        if ((count >> bit & 1) != 0) {
            all = merge(list[bit], all);
        }
    }
    return all;
}

/* The first case of the next channel. */
BGI_INLINE bg_case *next_channel(bg_case *c)
{
    const bg_chan *ch = c->chan;
    do {
        c = use_of(c)->next;
    } while (c != NULL && c->chan == ch);
    return c;
}

static void enter_all(bg_case *first)
{
    const bgi_worker *here = bgi_worker_self();
    for (bg_case *c = first; c != NULL; c = next_channel(c)) {
        bgi_door *d = &c->chan->door;
        use_of(c)->way = c == first ? bgi_door_enter(d, here) : bgi_door_enter_another(d, here);
    }
}

static void leave_all(bg_case *first)
{
    for (bg_case *c = first, *next; c != NULL; c = next) {
        next = next_channel(c);
        bgi_door_leave(&c->chan->door, (enum bgi_door_way)use_of(c)->way);
    }
}

/* ---- inside ---- */

/* Whether somebody who waits there could be served. */
static int anybody(const bg_chan *ch, enum bgi_chan_kind kind)
{
    const bgi_wait_node *first = ch->waiting[kind].first, *n = first;
    if (n == NULL) {
        return 0;
    }
    do {
        const bgi_select *s = ((const bgi_chan_node *)(const void *)n)->select;
        if (s == NULL || bgi_load(&s->claim) == 0) {
            return 1;
        }
        n = n->next;
    } while (n != first);
    return 0;
}

static int possible(const bg_case *c)
{
    const bg_chan *ch = c->chan;
    if (ch == NULL) {
        return 0;
    }
    if (c->kind == BG_CASE_SEND) {
        return bgi_load(&ch->count) < ch->capacity || ch->closed != 0 || anybody(ch, BGI_CHAN_RECV);
    }
    return bgi_load(&ch->count) != 0 || ch->closed != 0 || anybody(ch, BGI_CHAN_SEND);
}

/* 0 .. n-1. A thread that is no worker has no generator of its own. */
static uint32_t draw(uint32_t n)
{
    static bgi_atomic calls;
    bgi_worker *here = bgi_worker_self();
    if (bgi_likely(here != NULL)) {
        return bgi_random_below(&here->random, n);
    }
    uint64_t x = bgi_fetch_add_relaxed(&calls, 1);
    return (uint32_t)(bgi_splitmix64(&x) % n);
}

/* One of those that are possible, each with the same probability; NULL: none is. */
static bg_case *draw_case(bg_case *cases, size_t n)
{
    bg_case *drawn = NULL;
    uint32_t seen = 0;
    for (size_t i = 0; i < n; i++) {
        if (possible(&cases[i]) && (++seen == 1 || draw(seen) == 0)) {
            drawn = &cases[i];
        }
    }
    return drawn;
}

/* What bg_select returns for this case, which ended so. */
static int finish(const bg_case *cases, const bg_case *c, int r)
{
    if (c->result != NULL) {
        *c->result = r;
        r = 0;
    }
    return r != 0 ? r : (int)(c - cases);
}

/* Takes one that is possible, and leaves; *r is what to return. 0: none is, and it is inside still.
 */
static int take_one(bg_case *cases, size_t n, bg_case *first, int *r)
{
    for (bg_case *c; (c = draw_case(cases, n)) != NULL;) {
        bg_chan *ch = c->chan;
        size_t size = ch->elem_size;
        bgi_chan_node *partner;
        const void *from = NULL;
        int done = c->kind == BG_CASE_SEND ? bgi_chan_send_inside(ch, c->item, &partner)
                                           : bgi_chan_recv_inside(ch, c->item, &partner, &from);
        if (bgi_unlikely(done == -EAGAIN)) {
            continue; /* who waited there has just been served elsewhere */
        }
        leave_all(first);
        if (partner != NULL && c->kind == BG_CASE_SEND) {
            bgi_chan_give(ch, partner, c->item, size);
        } else if (partner != NULL) {
            bgi_chan_got(ch, partner, c->item, from, size);
        }
        *r = finish(cases, c, done);
        return 1;
    }
    return 0;
}

/* ---- waiting ---- */

struct waiting {
    bgi_select select;
    bgi_waiter *waiter;
    bg_case *cases;
    const bg_case *late; /* what is taken when its time is over, or NULL */
    bgi_timer timer;
};

/* Under the timers' lock: serves the select as a channel does. */
static void expire_select(bgi_timer *t, bgi_expiry *out)
{
    struct waiting *wait = BGI_CONTAINER_OF(t, struct waiting, timer);
    bgi_waiter *w = wait->waiter;
    bgi_sched *here = bgi_timer_home(t)->sched;
    bgi_word index = (bgi_word)(wait->late - wait->cases);
    if (bgi_cas_relaxed(&wait->select.claim, 0, index + 1) && bgi_waiter_signal(w)) {
        out->item = w->wake(w, here);
        if (out->item != NULL) {
            bgi_item_prefetch(out->item);
        }
    }
}

static int commit_select(bgi_worker *here, bgi_fiber *self, void *arg)
{
    const struct waiting *wait = arg;
    (void)here;
    return !bgi_wait_arm(wait->waiter, self);
}

static void describe(void *arg, char *text, size_t size)
{
    (void)arg;
    (void)snprintf(text, size, "one of its cases");
}

const bgi_wait_kind bgi_wait_select = {commit_select, "bg_select", NULL, describe};

/* Inside all: a node for each, then leaves. */
static void queue_all(struct waiting *wait, bg_case *cases, size_t n, bg_case *first,
                      const bg_case *late, bgi_waiter *w)
{
    bgi_store(&wait->select.claim, 0);
    wait->waiter = w;
    wait->cases = cases;
    wait->late = late;
    for (size_t i = 0; i < n; i++) {
        bg_case *c = &cases[i];
        if (c->chan != NULL) {
            bgi_chan_node *node = &use_of(c)->node;
            node->node.waiter = w;
            node->node.info = c->kind;
            node->data = c->item;
            node->select = &wait->select;
            node->index = (uint32_t)i;
            node->result = 0;
            bgi_waitq_push(&c->chan->waiting[c->kind], &node->node);
        }
    }
    leave_all(first);
}

/* Takes the nodes out that are in a queue still. */
static void withdraw_all(bg_case *first)
{
    for (bg_case *c = first; c != NULL; c = use_of(c)->next) {
        bgi_wait_node *n = &use_of(c)->node.node;
        if (bgi_wait_node_queued(n)) {
            enum bgi_door_way way = bgi_door_enter(&c->chan->door, bgi_worker_self());
            if (bgi_wait_node_queued(n)) {
                bgi_waitq_remove(&c->chan->waiting[c->kind], n);
            }
            bgi_door_leave(&c->chan->door, way);
        }
    }
}

/* What to return, when somebody has claimed it. */
static int served(const struct waiting *wait)
{
    bg_case *c = &wait->cases[bgi_load(&wait->select.claim) - 1];
    return finish(wait->cases, c, c->chan == NULL ? 0 : use_of(c)->node.result);
}

/* Whether nobody has claimed it, nor will. */
static int give_up(struct waiting *wait)
{
    return bgi_cas_relaxed(&wait->select.claim, 0, BGI_SELECT_OVER);
}

BGI_COLD static int wait_as_thread(bg_case *cases, size_t n, bg_case *first, const bg_case *late)
{
    struct waiting wait;
    bgi_thread_waiter t;
    int over = 0;

    bgi_thread_waiter_init(&t);
    queue_all(&wait, cases, n, first, late, &t.waiter);
    if (late == NULL) {
        bgi_thread_waiter_wait(&t);
    } else if (!bgi_thread_waiter_wait_until(&t, bgi_time_add(bgi_clock_now(), late->after))) {
        over = give_up(&wait);
        if (!over) {
            bgi_thread_waiter_wait(&t); /* for the signal that it is owed */
        }
    }
    withdraw_all(first);
    return over ? (int)(late - cases) : served(&wait);
}

/* Inside all, nothing being possible. It returns as `wait` in sync/chan.c does. */
static BGI_NOINLINE BGI_RETURN_BY_JUMP int wait_for_one(bg_case *cases, size_t n, bg_case *first,
                                                        const bg_case *late, bgi_waiter *w)
{
    struct waiting wait;
    int failure = 0;

    if (bgi_unlikely(w == NULL)) {
        return wait_as_thread(cases, n, first, late);
    }
    bgi_timer_init(&wait.timer, expire_select);
    queue_all(&wait, cases, n, first, late, w);
    if (late != NULL) {
        bgi_timers_start_fresh(&bgi_worker_self()->timers, &wait.timer, late->after);
    }
    bgi_suspend_for_child(commit_select, &wait);
    if (bgi_unlikely(bgi_waiter_reason(w) != BGI_REASON_WAKER)) {
        if (give_up(&wait)) {
            failure = bgi_wait_failure(w);
        } else {
            bgi_waiter_await_signal(w);
        }
    }
    if (late != NULL) {
        (void)bgi_timers_stop(&bgi_worker_self()->timers, &wait.timer);
    }
    withdraw_all(first);
    return failure != 0 ? failure : served(&wait);
}

/* ---- the call ---- */

/* What the cases ask for: 0, or -EINVAL. */
static int look(bg_case *cases, size_t n, bg_case **otherwise, bg_case **late)
{
    if (n == 0 || n > INT_MAX || cases == NULL) {
        return -EINVAL;
    }
    *otherwise = *late = NULL;
    for (bg_case *c = cases; c != cases + n; c++) {
        switch (c->kind) {
        case BG_CASE_SEND:
            if (c->chan != NULL && c->item == NULL && c->chan->elem_size != 0) {
                return -EINVAL;
            }
            break;
        case BG_CASE_RECV:
            break;
        case BG_CASE_AFTER:
            c->chan = NULL;
            if (c->after > 0) {
                if (c->after != BG_FOREVER && (*late == NULL || c->after < (*late)->after)) {
                    *late = c;
                }
                break;
            }
            *otherwise = *otherwise == NULL ? c : *otherwise;
            break;
        case BG_CASE_DEFAULT:
            c->chan = NULL;
            *otherwise =
                *otherwise == NULL || (*otherwise)->kind != BG_CASE_DEFAULT ? c : *otherwise;
            break;
        default:
            return -EINVAL;
        }
    }
    return 0;
}

int bg_select_cases(bg_case *cases, size_t n)
{
    bg_case *otherwise, *late;
    bgi_waiter *w = NULL;
    int r = look(cases, n, &otherwise, &late);

    if (bgi_unlikely(r != 0)) {
        return r;
    }
    if (otherwise != NULL && otherwise->kind == BG_CASE_DEFAULT) {
        bgi_task_point();
    } else {
        r = bgi_task_may_wait("bg_select", &w);
        if (bgi_unlikely(r != 0)) {
            return r;
        }
    }
    bg_case *first = in_order(cases, n);
    enter_all(first);
    if (take_one(cases, n, first, &r)) {
        return r;
    }
    if (otherwise != NULL) {
        leave_all(first);
        return finish(cases, otherwise, 0);
    }
    return wait_for_one(cases, n, first, late, w);
}

#include "core/timers.h"

#include "base/clock.h"
#include "core/sched.h"

void bgi_timers_init(bgi_timers *s, bg_time now)
{
    s->sched = NULL;
    bgi_bias_init(&s->lock, BGI_RANK_TIMERS, "timers");
    bgi_list_init(&s->fresh);
    bgi_store(&s->unsettled, 0);
    bgi_store(&s->next, BGI_TIMERS_NEVER);
    bgi_wheel_init(&s->wheel, (uint64_t)now);
}

int bgi_timers_start_at(bgi_timers *s, bgi_timer *t, bg_time deadline, int (*armed)(void *arg),
                        void *arg)
{
    uint64_t when = deadline > 0 ? (uint64_t)deadline : 0;

    bgi_store_ptr(&t->home, s);
    int how = bgi_bias_enter(&s->lock);
    int set = armed == NULL || armed(arg);
    if (set) {
        bgi_wheel_insert(&s->wheel, &t->node, when);
        if (when < (uint64_t)bgi_load(&s->next)) {
            bgi_store_release(&s->next, (bgi_word)when);
        }
    }
    bgi_bias_leave(&s->lock, how);
    return set;
}

int bgi_timers_stop_stranger(bgi_timers *home, bgi_timer *t)
{
    bgi_bias *lock = &home->lock;
    bgi_bias_enter_stranger(lock);
    int was_in = bgi_timers_unlink(home, t);
    bgi_bias_leave_stranger(lock);
    return was_in;
}

int bgi_timers_pending_stranger(bgi_timers *home, bgi_timer *t)
{
    bgi_bias *lock = &home->lock;
    bgi_bias_enter_stranger(lock);
    int pending = bgi_timer_home(t) == home && bgi_timer_node_pending(&t->node);
    bgi_bias_leave_stranger(lock);
    return pending;
}

/* Under the lock: gives every fresh timer its deadline. */
static void settle(bgi_timers *s, bg_time now)
{
    struct bgi_list *l;
    while ((l = bgi_list_pop_front(&s->fresh)) != NULL) {
        bgi_timer_node *n = bgi_timer_node_of(l);
        bgi_wheel_insert(&s->wheel, n, (uint64_t)bgi_time_add(now, (bg_duration)n->deadline));
    }
    bgi_store_release(&s->unsettled, 0);
}

/* One stretch under the lock: settles, and claims up to `most` timers. */
static size_t collect(bgi_timers *s, bg_time now, bgi_expiry *out, size_t most, int *more)
{
    struct bgi_list due;
    struct bgi_list *l;
    size_t n = 0;

    bgi_list_init(&due);
    settle(s, now);
    *more = bgi_wheel_advance(&s->wheel, (uint64_t)now, &due, most);
    while ((l = bgi_list_pop_front(&due)) != NULL) {
        bgi_timer *t = BGI_CONTAINER_OF(bgi_timer_node_of(l), bgi_timer, node);
        out[n].item = NULL;
        out[n].act = NULL;
        t->expire(t, &out[n]); /* t may be gone after this */
        n += out[n].item != NULL || out[n].act != NULL;
    }
    uint64_t next = bgi_wheel_next(&s->wheel);
    bgi_store_release(&s->next, next > (uint64_t)INT64_MAX ? BGI_TIMERS_NEVER : (bgi_word)next);
    return n;
}

/* Under the lock: the time to settle by. The one given may have been read before a fresh timer was
 * set: by a stranger before it had the lock, by the owner before the callbacks of a batch. */
static bg_time refreshed(const bgi_timers *s, bg_time now)
{
    return bgi_list_empty(&s->fresh) ? now : bgi_clock_now();
}

int bgi_timers_run(struct bgi_worker *w, bgi_timers *s, int owner, bg_time now, size_t most,
                   size_t *fired)
{
    bgi_expiry out[BGI_TIMERS_BATCH];
    int more = 1;

    for (size_t done = 0; more && done < most; done += BGI_TIMERS_BATCH) {
        size_t n, limit = most - done < BGI_TIMERS_BATCH ? most - done : BGI_TIMERS_BATCH;
        if (owner) {
            int how = bgi_bias_enter(&s->lock);
            now = done == 0 ? now : refreshed(s, now);
            n = collect(s, now, out, limit, &more);
            bgi_bias_leave(&s->lock, how);
        } else {
            bgi_bias_enter_stranger(&s->lock);
            now = refreshed(s, now);
            n = collect(s, now, out, limit, &more);
            bgi_bias_leave_stranger(&s->lock);
        }
        for (size_t i = 0; i < n; i++) {
            if (out[i].item != NULL) {
                bgi_push_quiet(w, out[i].item);
            }
        }
        for (size_t i = 0; i < n; i++) {
            if (out[i].item == NULL) {
                if (w->searching) {
                    bgi_stop_searching(w); /* or nobody would be woken while it runs */
                }
                bgi_stall_began(w, NULL);
                out[i].act(out[i].fn, out[i].arg);
                bgi_stall_nothing(w);
            }
        }
        *fired += n;
    }
    return more;
}

void bgi_timers_drain(bgi_timers *s, void (*drop)(bgi_timer *t))
{
    struct bgi_list *l;

    settle(s, 0);
    for (size_t slot = 0; slot < BGI_ARRAY_LEN(s->wheel.slots); slot++) {
        while ((l = s->wheel.slots[slot].head.next) != &s->wheel.slots[slot].head) {
            bgi_timer *t = BGI_CONTAINER_OF(bgi_timer_node_of(l), bgi_timer, node);
            (void)bgi_wheel_remove(&s->wheel, &t->node);
            drop(t);
        }
    }
}

/*
 * Channels: what each call promises, in tasks, on plain threads and between the two.
 *
 * Labels: valgrind aarch64
 */
#include "../task/check.h"

#include "dies.h"
#include "sync/chan.h"

#include <errno.h>

static const size_t sizes[] = {0, 1, 4, 8, 16, 24, 4096};
static const size_t capacities[] = {0, 1, 2, 3, 1000};

/* Runs the body under many schedules on virtual time, and on threads. */
static void everywhere(bg_fn body, void *arg)
{
    cr_assert_eq(bg_explore(body, arg, .seeds = MANY(200)), 0);
    NO_CHECK_FAILED();
    EACH_WORKER_COUNT(w)
    {
        RUN(body, arg, .workers = w);
    }
}

/* ---- making one ---- */

Test(chan, holds_as_much_as_it_was_made_for)
{
    static unsigned char in[4096], out[4097];
    for (size_t s = 0; s < BGI_ARRAY_LEN(sizes); s++) {
        for (size_t c = 0; c < BGI_ARRAY_LEN(capacities); c++) {
            size_t size = sizes[s], capacity = capacities[c];
            bg_chan *ch = bg_chan_create(size, capacity);
            cr_assert_not_null(ch);
            cr_assert_eq(bg_chan_capacity(ch), capacity);
            for (int round = 0; round < 3; round++) {
                cr_assert_eq(bg_try_recv(ch, out), -EAGAIN);
                for (size_t i = 0; i < capacity; i++) {
                    cr_assert_eq(bg_chan_length(ch), i);
                    memset(in, (int)(i * 7 + 1), size);
                    cr_assert_eq(bg_try_send(ch, in), 0);
                }
                cr_assert_eq(bg_try_send(ch, in), -EAGAIN);
                cr_assert_eq(bg_chan_length(ch), capacity);
                for (size_t i = 0; i < capacity; i++) {
                    memset(in, (int)(i * 7 + 1), size);
                    memset(out, 0xee, sizeof out);
                    cr_assert_eq(bg_try_recv(ch, out), 0);
                    cr_assert_eq(memcmp(in, out, size), 0);
                    cr_assert_eq(out[size], 0xee, "no more than the item is written");
                    if (i == 0) { /* so that the oldest moves round */
                        cr_assert_eq(bg_try_send(ch, in), 0);
                        cr_assert_eq(bg_chan_length(ch), capacity);
                    }
                }
                if (capacity != 0) {
                    cr_assert_eq(bg_try_recv(ch, NULL), 0); /* dropped */
                }
                cr_assert_eq(bg_chan_length(ch), 0);
            }
            bg_chan_destroy(ch);
        }
    }
}

Test(chan, what_cannot_be_had_is_refused)
{
    cr_assert_null(bg_chan_create(SIZE_MAX, 2));
    cr_assert_null(bg_chan_create(SIZE_MAX / 2 + 1, 2));
    cr_assert_null(bg_chan_create(SIZE_MAX - 1, 1));
    cr_assert_null(bg_chan_create(1, (size_t)INT32_MAX + 1));
    cr_assert_null(bg_chan_create(0, SIZE_MAX));
    cr_assert_null(bg_chan_create(SIZE_MAX / 4, 5));

    bg_chan *tokens = bg_chan_create(0, INT32_MAX); /* takes no room */
    cr_assert_not_null(tokens);
    cr_assert_eq(bg_try_send(tokens, NULL), 0);
    cr_assert_eq(bg_try_recv(tokens, NULL), 0);
    bg_chan_destroy(tokens);

    size_t live = bgi_alloc_live();
    bgi_fault_arm(BGI_FAULT_MALLOC, 1);
    bg_chan *ch = bg_chan_create(8, 8);
    bgi_fault_disarm();
    cr_assert_null(ch);
    ch = bg_chan_create(8, 8);
    cr_assert_not_null(ch);
    cr_assert_eq(bgi_alloc_live(), live + 1, "one allocation");
    cr_assert_eq(bg_try_send(ch, "1234567"), 0);
    bg_chan_destroy(ch); /* with an item in it */
    cr_assert_eq(bgi_alloc_live(), live);
    bg_chan_destroy(NULL);
}

static int no_channel(void *arg)
{
    char item[8] = "";
    bg_chan *ch = arg;
    CHECK(bg_send(NULL, item) == -EINVAL && bg_recv(NULL, item) == -EINVAL);
    CHECK(bg_try_send(NULL, item) == -EINVAL && bg_try_recv(NULL, item) == -EINVAL);
    CHECK(bg_close(NULL) == -EINVAL);
    CHECK(bg_chan_length(NULL) == 0 && bg_chan_capacity(NULL) == 0);
    CHECK(bg_send(ch, NULL) == -EINVAL && bg_try_send(ch, NULL) == -EINVAL);
    CHECK(bg_chan_length(ch) == 0);
    return 0;
}

Test(chan, no_channel_and_no_item)
{
    bg_chan *ch = bg_chan_create(8, 1);
    (void)no_channel(ch);
    RUN(no_channel, ch, .workers = 1);
    bg_chan_destroy(ch);
}

/* ---- many to many ---- */

enum { PARTIES = 4, EACH = 60 };

struct item {
    uint32_t from, number;
    unsigned char rest[4096 - 8];
};

struct crowd {
    bg_chan *ch;
    size_t size;
    bgi_atomic seen[PARTIES][EACH];
    bgi_atomic last[PARTIES][PARTIES]; /* 1 + the number last received, by receiver and sender */
    bgi_atomic received, senders, receivers;
};

static int sends(struct crowd *c)
{
    static const struct item empty;
    struct item it = empty;
    it.from = (uint32_t)bgi_fetch_add(&c->senders, 1);
    for (uint32_t i = 0; i < EACH; i++) {
        it.number = i;
        memset(it.rest, (int)(it.from + i), sizeof it.rest);
        CHECK(bg_send(c->ch, &it) == 0);
    }
    return 0;
}

static void seen(struct crowd *c, const struct item *it, size_t me)
{
    if (c->size >= 8) {
        CHECK(it->from < PARTIES && it->number < EACH);
        CHECK(bgi_fetch_add(&c->seen[it->from][it->number], 1) == 0);
        /* Those of one sender come to one receiver in their order. */
        CHECK(it->number + 1 > bgi_load(&c->last[me][it->from]));
        bgi_store(&c->last[me][it->from], it->number + 1);
        for (size_t i = 8; i < c->size; i += 97) {
            CHECK(it->rest[i - 8] == (unsigned char)(it->from + it->number));
        }
    }
    add_one(&c->received);
}

static int receives(struct crowd *c)
{
    size_t me = bgi_fetch_add(&c->receivers, 1);
    struct item it;
    int r;
    while ((r = bg_recv(c->ch, &it)) == 0) {
        seen(c, &it, me);
    }
    CHECK(r == -EPIPE);
    return 0;
}

static int task_sends(void *arg)
{
    return sends(arg);
}

static int task_receives(void *arg)
{
    return receives(arg);
}

static void crowd_begin(struct crowd *c, size_t size, size_t capacity)
{
    memset(c, 0, sizeof *c);
    c->size = size;
    c->ch = bg_chan_create(size, capacity);
    CHECK(c->ch != NULL);
}

static void crowd_end(struct crowd *c)
{
    CHECK(bgi_load(&c->received) == (bgi_word)PARTIES * EACH);
    CHECK(bg_chan_length(c->ch) == 0);
    bg_chan_destroy(c->ch);
}

static int many_to_many(void *arg)
{
    const size_t *which = arg;
    static struct crowd c;
    bg_task *senders[PARTIES], *receivers[PARTIES];

    crowd_begin(&c, which[0], which[1]);
    for (int i = 0; i < PARTIES; i++) {
        receivers[i] = bg_spawn(task_receives, &c);
    }
    for (int i = 0; i < PARTIES; i++) {
        senders[i] = bg_spawn(task_sends, &c);
    }
    CHECK(bg_gather_all(senders, PARTIES, NULL) == 0);
    CHECK(bg_close(c.ch) == 0);
    CHECK(bg_gather_all(receivers, PARTIES, NULL) == 0);
    crowd_end(&c);
    return 0;
}

/* All sizes with two capacities, all capacities with two sizes. */
static void each_shape(void (*test)(size_t size, size_t capacity))
{
    for (size_t s = 0; s < BGI_ARRAY_LEN(sizes); s++) {
        test(sizes[s], 0);
        test(sizes[s], 2);
    }
    for (size_t c = 0; c < BGI_ARRAY_LEN(capacities); c++) {
        test(8, capacities[c]);
        test(24, capacities[c]);
    }
}

static void many_of_this_shape(size_t size, size_t capacity)
{
    size_t which[2] = {size, capacity};
    cr_assert_eq(bg_explore(many_to_many, which, .seeds = MANY(40)), 0);
    NO_CHECK_FAILED();
    EACH_WORKER_COUNT(w)
    {
        RUN(many_to_many, which, .workers = w);
    }
}

Test(chan, every_item_arrives_once_and_in_order)
{
    each_shape(many_of_this_shape);
}

/* ---- plain threads ---- */

static void *thread_sends(void *arg)
{
    (void)sends(arg);
    return NULL;
}

static void *thread_receives(void *arg)
{
    (void)receives(arg);
    return NULL;
}

static void threads_alone(size_t size, size_t capacity)
{
    static struct crowd c;
    pthread_t senders[PARTIES], receivers[PARTIES];

    crowd_begin(&c, size, capacity);
    for (size_t i = 0; i < PARTIES; i++) {
        cr_assert_eq(pthread_create(&senders[i], NULL, thread_sends, &c), 0);
        cr_assert_eq(pthread_create(&receivers[i], NULL, thread_receives, &c), 0);
    }
    for (size_t i = 0; i < PARTIES; i++) {
        (void)pthread_join(senders[i], NULL);
    }
    cr_assert_eq(bg_close(c.ch), 0);
    for (size_t i = 0; i < PARTIES; i++) {
        (void)pthread_join(receivers[i], NULL);
    }
    crowd_end(&c);
    NO_CHECK_FAILED();
}

Test(chan, between_plain_threads)
{
    each_shape(threads_alone);
}

/* Half of each kind are threads. Two runtimes. */
static void tasks_and_threads(size_t size, size_t capacity)
{
    enum { HALF = PARTIES / 2 };
    static struct crowd c;
    bg_runtime *rt[HALF];
    bg_task *sender[HALF], *receiver[HALF];
    pthread_t sends_too[HALF], receives_too[HALF];

    crowd_begin(&c, size, capacity);
    for (int i = 0; i < HALF; i++) {
        cr_assert_eq(bg_runtime_create(&rt[i], .workers = 2), 0);
        receiver[i] = bg_runtime_spawn(rt[i], task_receives, &c);
        cr_assert_eq(pthread_create(&sends_too[i], NULL, thread_sends, &c), 0);
        cr_assert_eq(pthread_create(&receives_too[i], NULL, thread_receives, &c), 0);
        sender[i] = bg_runtime_spawn(rt[i], task_sends, &c);
    }
    for (int i = 0; i < HALF; i++) {
        (void)pthread_join(sends_too[i], NULL);
        cr_assert_eq(bg_runtime_wait(rt[i], sender[i]), 0);
    }
    cr_assert_eq(bg_close(c.ch), 0);
    for (int i = 0; i < HALF; i++) {
        (void)pthread_join(receives_too[i], NULL);
        cr_assert_eq(bg_runtime_wait(rt[i], receiver[i]), 0);
        cr_assert_eq(bg_runtime_shutdown(rt[i]), 0);
    }
    crowd_end(&c);
    NO_CHECK_FAILED();
}

Test(chan, between_tasks_of_two_runtimes_and_threads)
{
    each_shape(tasks_and_threads);
}

/* ---- the order of those who wait ---- */

enum { QUEUE = 5 };

struct queue {
    bg_chan *ch;
    bgi_atomic begun;
    int got[QUEUE];
};

struct place {
    struct queue *q;
    int number;
};

static int sends_its_number(void *arg)
{
    const struct place *p = arg;
    add_one(&p->q->begun);
    return bg_send(p->q->ch, &p->number);
}

static int receives_a_number(void *arg)
{
    const struct place *p = arg;
    add_one(&p->q->begun);
    return bg_recv(p->q->ch, &p->q->got[p->number]);
}

/* Begins each when the one before it waits: when nothing else is left to run time goes on. */
static void line_up(struct queue *q, bg_fn fn, bg_task *t[QUEUE])
{
    for (int i = 0; i < QUEUE; i++) {
        t[i] = bg_spawn_with(fn, struct place, q, i);
        yield_until(&q->begun, (bgi_word)i + 1);
        CHECK(bg_sleep(BG_US) == 0);
    }
}

static int in_line(void *arg)
{
    size_t capacity = *(const size_t *)arg;
    struct queue q = {.ch = bg_chan_create(sizeof(int), capacity)};
    bg_task *t[QUEUE];
    int v;

    for (size_t i = 0; i < capacity; i++) {
        v = (int)i - (int)capacity;
        CHECK(bg_try_send(q.ch, &v) == 0);
    }
    line_up(&q, sends_its_number, t);
    CHECK(bg_chan_length(q.ch) == capacity);
    v = 99;
    CHECK(bg_try_send(q.ch, &v) == -EAGAIN); /* nobody overtakes */
    for (int i = -(int)capacity; i < QUEUE; i++) {
        CHECK(bg_try_recv(q.ch, &v) == 0 && v == i);
    }
    CHECK(bg_try_recv(q.ch, &v) == -EAGAIN);
    CHECK(bg_gather_all(t, QUEUE, NULL) == 0);

    bgi_store(&q.begun, 0);
    line_up(&q, receives_a_number, t);
    CHECK(bg_try_recv(q.ch, &v) == -EAGAIN);
    for (int i = 0; i < QUEUE; i++) {
        v = 10 + i;
        CHECK(bg_try_send(q.ch, &v) == 0);
        CHECK(bg_chan_length(q.ch) == 0);
    }
    CHECK(bg_try_send(q.ch, &v) == (capacity == 0 ? -EAGAIN : 0));
    CHECK(bg_gather_all(t, QUEUE, NULL) == 0);
    for (int i = 0; i < QUEUE; i++) {
        CHECK(q.got[i] == 10 + i);
    }
    bg_chan_destroy(q.ch);
    return 0;
}

Test(chan, who_waits_longest_is_served_first)
{
    for (size_t c = 0; c < 4; c++) {
        size_t capacity = capacities[c];
        cr_assert_eq(bg_explore(in_line, &capacity, .seeds = MANY(200)), 0);
        NO_CHECK_FAILED();
        RUN(in_line, &capacity, .workers = 1, .spares = BG_NO_SPARES);
    }
}

/* ---- closing ---- */

static int closed_is_closed(void *arg)
{
    size_t capacity = *(const size_t *)arg;
    bg_chan *ch = bg_chan_create(sizeof(int), capacity);
    int v = 0;

    for (int i = 0; i < (int)capacity; i++) {
        CHECK(bg_send(ch, &i) == 0);
    }
    CHECK(bg_close(ch) == 0);
    CHECK(bg_close(ch) == -EALREADY);
    CHECK(bg_send(ch, &v) == -EPIPE);
    CHECK(bg_try_send(ch, &v) == -EPIPE);
    CHECK(bg_chan_length(ch) == capacity);
    for (int i = 0; i < (int)capacity; i++) { /* what is in it can be had */
        CHECK((i % 2 == 0 ? bg_recv(ch, &v) : bg_try_recv(ch, &v)) == 0);
        CHECK(v == i);
        CHECK(bg_send(ch, &v) == -EPIPE);
    }
    v = 77;
    CHECK(bg_recv(ch, &v) == -EPIPE && v == 77);
    CHECK(bg_try_recv(ch, &v) == -EPIPE && v == 77);
    CHECK(bg_recv(ch, &v) == -EPIPE);
    bg_chan_destroy(ch);
    return 0;
}

Test(chan, closed)
{
    for (size_t c = 0; c < 4; c++) {
        size_t capacity = capacities[c];
        (void)closed_is_closed(&capacity); /* on a plain thread */
        everywhere(closed_is_closed, &capacity);
    }
}

static int close_wakes(void *arg)
{
    size_t capacity = *(const size_t *)arg;
    struct queue q = {.ch = bg_chan_create(sizeof(int), capacity)};
    bg_task *t[QUEUE];
    int v;

    for (int i = 0; i < (int)capacity; i++) {
        CHECK(bg_try_send(q.ch, &i) == 0);
    }
    line_up(&q, sends_its_number, t);
    CHECK(bg_close(q.ch) == 0);
    for (int i = 0; i < QUEUE; i++) {
        CHECK(bg_await(t[i]) == -EPIPE);
    }
    for (int i = 0; i < (int)capacity; i++) {
        CHECK(bg_recv(q.ch, &v) == 0 && v == i);
    }
    CHECK(bg_recv(q.ch, &v) == -EPIPE); /* theirs were not sent */
    bg_chan_destroy(q.ch);

    q = (struct queue){.ch = bg_chan_create(sizeof(int), capacity), .got = {5, 5, 5, 5, 5}};
    line_up(&q, receives_a_number, t);
    CHECK(bg_close(q.ch) == 0);
    for (int i = 0; i < QUEUE; i++) {
        CHECK(bg_await(t[i]) == -EPIPE);
        CHECK(q.got[i] == 5);
    }
    bg_chan_destroy(q.ch);
    return 0;
}

Test(chan, a_close_wakes_all_that_wait)
{
    for (size_t c = 0; c < 4; c++) {
        size_t capacity = capacities[c];
        everywhere(close_wakes, &capacity);
    }
}

static void *thread_closes(void *arg)
{
    CHECK(bg_close(arg) == 0);
    return NULL;
}

Test(chan, a_close_wakes_a_thread)
{
    pthread_t closer;
    int v = 0;
    for (int i = 0; i < MANY(200); i++) {
        bg_chan *ch = bg_chan_create(sizeof(int), 0);
        cr_assert_eq(pthread_create(&closer, NULL, thread_closes, ch), 0);
        cr_assert_eq(i % 2 == 0 ? bg_recv(ch, &v) : bg_send(ch, &v), -EPIPE);
        (void)pthread_join(closer, NULL);
        bg_chan_destroy(ch);
    }
    NO_CHECK_FAILED();
}

/* ---- cancelled, and too late ---- */

static void fails_at_once(bg_chan *ch)
{
    int v = 1;
    bg_timeout (0) {
        CHECK(bg_send(ch, &v) == -ETIMEDOUT); /* though there is room */
        CHECK(bg_recv(ch, &v) == -ETIMEDOUT);
        CHECK(bg_chan_length(ch) == 1);
        CHECK(bg_try_send(ch, &v) == 0); /* what never waits is not cancelled */
        CHECK(bg_try_recv(ch, &v) == 0 && v == 3);
    }
}

static int too_late(void *arg)
{
    bg_chan *ch = bg_chan_create(sizeof(int), 2);
    int v = 3, u = 0;

    (void)arg;
    CHECK(bg_send(ch, &v) == 0);
    fails_at_once(ch);
    CHECK(bg_recv(ch, &u) == 0 && u == 1);
    bg_timeout (BG_MS) {
        CHECK(bg_recv(ch, &u) == -ETIMEDOUT && u == 1);
    }
    for (int i = 0; i < 2; i++) {
        CHECK(bg_send(ch, &v) == 0);
    }
    bg_timeout (BG_MS) {
        v = 4;
        CHECK(bg_send(ch, &v) == -ETIMEDOUT);
    }
    for (int i = 0; i < 2; i++) {
        CHECK(bg_recv(ch, &u) == 0 && u == 3);
    }
    CHECK(bg_try_recv(ch, &u) == -EAGAIN); /* the one that was too late was not sent */
    bg_chan_destroy(ch);
    return 0;
}

Test(chan, a_wait_that_is_too_late_takes_nothing)
{
    everywhere(too_late, NULL);
}

/* ---- callbacks ---- */

static bg_chan *called;

static int sends_from_a_callback(void *arg)
{
    int v = (int)(intptr_t)arg;
    CHECK(bg_try_send(called, &v) == 0);
    return 0;
}

static int with_callbacks(void *arg)
{
    int v = 0;
    (void)arg;
    called = bg_chan_create(sizeof(int), 0);
    for (int i = 1; i <= 20; i++) {
        CHECK(bg_after(BG_US, sends_from_a_callback, INT_ARG(i)) == 0);
        CHECK(bg_recv(called, &v) == 0 && v == i);
    }
    bg_chan_destroy(called);
    return 0;
}

Test(chan, a_callback_can_send)
{
    /* The receiver waits before the callback is due: there is nobody else to run first. */
    cr_assert_eq(bg_explore(with_callbacks, NULL, .seeds = MANY(200), .workers = 1), 0);
    NO_CHECK_FAILED();
    RUN(with_callbacks, NULL, .workers = 1, .spares = BG_NO_SPARES);
}

static int waits_in_a_callback(void *arg)
{
    int v = 0;
    CHECK(bg_recv(arg, &v) == -EPERM);
    CHECK(bg_send(arg, &v) == -EPERM);
    return 0;
}

static int misplaced(void *arg)
{
    CHECK(bg_after(0, waits_in_a_callback, arg) == 0);
    return bg_sleep(10 * BG_MS);
}

static void misplaced_wait(void *arg)
{
    (void)bg_run(misplaced, arg, .workers = 1);
}

Test(chan, a_callback_cannot_wait)
{
    bg_chan *ch = bg_chan_create(sizeof(int), 0);
#if BGI_DEBUG
    DIES(misplaced_wait, ch, "misuse: bg_recv");
#else
    misplaced_wait(ch);
    NO_CHECK_FAILED();
#endif
    bg_chan_destroy(ch);
}

/* ---- the end of a channel ---- */

#if BGI_DEBUG
static int waits_in_it(void *arg)
{
    return bg_recv(arg, NULL);
}

static int destroys_too_soon(void *arg)
{
    bg_chan *ch = bg_chan_create(0, 0);
    (void)arg;
    (void)bg_spawn(waits_in_it, ch);
    bg_yield();
    bg_chan_destroy(ch);
    return 0;
}

static void run_destroys_too_soon(void *arg)
{
    (void)bg_run(destroys_too_soon, arg, .workers = 1, .spares = BG_NO_SPARES);
}

Test(chan, somebody_waits_as_it_is_destroyed)
{
    DIES(run_destroys_too_soon, NULL, "somebody waits in the channel");
}
#endif

/* The receiver destroys it when it has the last item, whether the sender has returned or not. */
static int sends_one(void *arg)
{
    int v = 5;
    return bg_send(arg, &v);
}

static int is_told_of_the_close(void *arg)
{
    return bg_recv(arg, NULL) == -EPIPE ? 0 : -EIO;
}

static int destroys_at_once(void *arg)
{
    (void)arg;
    for (int i = 0; i < MANY(200); i++) {
        int v = 0;
        bg_chan *ch = bg_chan_create(sizeof(int), (size_t)i % 2);
        bg_task *sender = bg_spawn(sends_one, ch);
        if (i % 3 == 0) {
            bg_yield();
        }
        CHECK(bg_recv(ch, &v) == 0 && v == 5);
        bg_chan_destroy(ch);
        CHECK(bg_await(sender) == 0);

        ch = bg_chan_create(sizeof(int), 1);
        bg_task *told = bg_spawn(is_told_of_the_close, ch);
        if (i % 3 == 0) {
            bg_yield();
        }
        CHECK(bg_close(ch) == 0);
        CHECK(bg_await(told) == 0);
        bg_chan_destroy(ch);
    }
    return 0;
}

Test(chan, who_has_the_last_item_destroys_it)
{
    cr_assert_eq(bg_explore(destroys_at_once, NULL, .seeds = MANY(40)), 0);
    NO_CHECK_FAILED();
    for (int i = 0; i < MANY(20); i++) {
        EACH_WORKER_COUNT(w)
        {
            RUN(destroys_at_once, NULL, .workers = w);
        }
    }
}

/* Who closes it on all that wait destroys it at once; some of them are cancelled in that moment. */
enum { CLOSED_ON = 6 };

static bgi_atomic told_of_it;

static int waits_for_the_close(void *arg)
{
    int v = 0;
    int r = bg_recv(arg, &v);
    CHECK(r == -EPIPE || r == -ECANCELED);
    add_one(&told_of_it);
    return 0;
}

static int cancels(void *arg)
{
    return bg_cancel(arg);
}

static int waiting_in(bg_chan *ch)
{
    int n = 0;
    enum bgi_door_way way = bgi_door_enter(&ch->door, bgi_worker_self());
    const bgi_wait_node *first = ch->waiting[BGI_CHAN_RECV].first, *at = first;
    while (at != NULL) {
        at = at->next == first ? NULL : at->next;
        n++;
    }
    bgi_door_leave(&ch->door, way);
    return n;
}

static int closes_and_destroys(void *arg)
{
    (void)arg;
    for (int i = 0; i < MANY(60); i++) {
        bg_chan *ch = bg_chan_create(sizeof(int), 0);
        bg_task *t[CLOSED_ON], *canceller[CLOSED_ON];
        bgi_store(&told_of_it, 0);
        for (int k = 0; k < CLOSED_ON; k++) {
            t[k] = bg_spawn(waits_for_the_close, ch);
        }
        while (waiting_in(ch) != CLOSED_ON) {
            bg_yield();
        }
        for (int k = 0; k < CLOSED_ON; k++) {
            canceller[k] = k % 2 == 0 ? bg_spawn(cancels, t[k]) : NULL;
        }
        if (i % 2 == 0) {
            bg_yield();
        }
        CHECK(bg_close(ch) == 0);
        while (i % 4 == 1 && bgi_load_acquire(&told_of_it) < CLOSED_ON) {
            bg_yield(); /* those who were cancelled before the close leave by themselves */
        }
        if (i % 4 == 1) {
            bg_chan_destroy(ch);
        }
        for (int k = 0; k < CLOSED_ON; k++) {
            CHECK(canceller[k] == NULL || bg_await(canceller[k]) == 0);
            CHECK(bg_await(t[k]) == 0);
        }
        if (i % 4 != 1) {
            bg_chan_destroy(ch);
        }
    }
    return 0;
}

/* Nobody is cancelled before: all of them wait when it is closed. */
static int closes_on_all_and_destroys(void *arg)
{
    (void)arg;
    for (int i = 0; i < MANY(100); i++) {
        bg_chan *ch = bg_chan_create(sizeof(int), 0);
        bg_task *t[CLOSED_ON], *canceller = NULL;
        for (int k = 0; k < CLOSED_ON; k++) {
            t[k] = bg_spawn(waits_for_the_close, ch);
        }
        while (waiting_in(ch) != CLOSED_ON) {
            bg_yield();
        }
        CHECK(bg_close(ch) == 0);
        bg_chan_destroy(ch);
        canceller = bg_spawn(cancels, t[0]);
        CHECK(bg_await(canceller) == 0);
        CHECK(bg_gather_all(t, CLOSED_ON, NULL) == 0);
    }
    return 0;
}

Test(chan, who_closes_it_destroys_it)
{
    static const bg_fn bodies[] = {closes_and_destroys, closes_on_all_and_destroys};
    for (size_t i = 0; i < BGI_ARRAY_LEN(bodies); i++) {
        cr_assert_eq(bg_explore(bodies[i], NULL, .seeds = MANY(40)), 0);
        NO_CHECK_FAILED();
        EACH_WORKER_COUNT(w)
        {
            RUN(bodies[i], NULL, .workers = w);
        }
    }
}

static void *thread_sends_one(void *arg)
{
    CHECK(sends_one(arg) == 0);
    return NULL;
}

Test(chan, a_thread_that_has_the_last_item_destroys_it)
{
    for (int i = 0; i < MANY(400); i++) {
        int v = 0;
        pthread_t sender;
        bg_chan *ch = bg_chan_create(sizeof(int), (size_t)i % 2);
        cr_assert_eq(pthread_create(&sender, NULL, thread_sends_one, ch), 0);
        cr_assert_eq(bg_recv(ch, &v), 0);
        bg_chan_destroy(ch);
        cr_assert_eq(v, 5);
        (void)pthread_join(sender, NULL);
    }
    NO_CHECK_FAILED();
}

/*
 * Fibers: suspension with a commit that says wait or go on, the order of yields, migration from one
 * thread to another at every suspension, stacks that go on to the next fresh fiber, sizes, and what
 * happens when there is no stack.
 *
 * Labels: valgrind aarch64
 */
#include "core/fiber.h"

#include "base/random.h"
#include "rig.h"

#include <errno.h>
#include <unistd.h>

#include "../support/faults.h"

static bgi_atomic done, wrong;

/* ---- suspend and commit ---- */

static struct {
    bgi_fiber *left;
    int commits, answer;
} committed;

static int note_commit(bgi_worker *w, bgi_fiber *self, void *arg)
{
    char here;
    (void)bgi_fetch_add(&wrong, arg != &committed);
    (void)bgi_fetch_add(&wrong, w != bgi_worker_self() || w->current == self);
    /* Off the fiber's stack: it may be resumed elsewhere from now on. */
    const char *low = self->stack->low, *at = &here;
    (void)bgi_fetch_add(&wrong, !BGI_ASAN && at >= low && at < low + self->stack->size);
    committed.left = self;
    committed.commits++;
    return committed.answer;
}

static void suspend_twice(struct rig_fiber *self)
{
    (void)bgi_fetch_add(&wrong, bgi_fiber_self() != &self->fiber);
    committed.answer = 1; /* it need not wait after all */
    bgi_suspend(note_commit, &committed);
    (void)bgi_fetch_add(&wrong, committed.commits != 1 || bgi_fiber_self() != &self->fiber);
    committed.answer = 0;
    (void)bgi_fetch_add(&done, 1);
    bgi_suspend(note_commit, &committed);
    (void)bgi_fetch_add(&wrong, committed.commits != 2 || bgi_fiber_self() != &self->fiber);
    (void)bgi_fetch_add(&done, 1);
}

Test(fiber, a_commit_says_whether_it_waits)
{
    struct rig_fiber f;
    cr_assert_null(bgi_fiber_self());
    bgi_sched *s = rig_start(1, 0);
    rig_fiber_init(&f, suspend_twice, NULL);
    bgi_submit(s, &f.fiber.item);
    rig_reach(&done, 1);
    rig_idle(s);
    cr_assert_eq(bgi_load(&done), 1); /* it waits */
    cr_assert_eq(committed.commits, 2);
    cr_assert(committed.left == &f.fiber);
    bgi_ready(s, &f.fiber.item);
    rig_reach(&done, 2);
    rig_end(s);
    cr_assert_eq(bgi_load(&wrong), 0);
}

/* ---- order, on one worker ---- */

enum { ORDERED = 5, TURNS = 20 };

static struct rig_fiber ordered[ORDERED];
static int order[ORDERED * TURNS];
static size_t order_n;
static bgi_atomic order_told;

static void take_turns(struct rig_fiber *self)
{
    for (int i = 0; i < TURNS; i++) {
        order[order_n++] = (int)(self - ordered);
        bgi_yield();
    }
    (void)bgi_fetch_add(&done, 1);
}

static void run_make_ordered(bgi_worker *w, bgi_item *self)
{
    (void)self;
    for (int i = 0; i < ORDERED; i++) {
        rig_fiber_init(&ordered[i], take_turns, NULL);
        bgi_push(w, &ordered[i].fiber.item);
    }
}

Test(fiber, those_that_yield_go_round)
{
    bgi_sched *s = rig_start(1, 0);
    bgi_item maker = {.run = run_make_ordered};
    bgi_submit(s, &maker);
    rig_reach(&done, ORDERED);
    rig_end(s);
    cr_assert_eq(order_n, ORDERED * TURNS);
    for (size_t i = 0; i < order_n; i++) {
        cr_assert_eq(order[i], (int)(i % ORDERED));
    }
}

static void yield_until_told(struct rig_fiber *self)
{
    bgi_word turns = 0;
    while (!bgi_load_acquire(self->arg)) {
        bgi_yield();
        turns++;
        if (turns == 100) {
            (void)bgi_fetch_add(&done, 1);
        }
    }
    (void)bgi_fetch_add(&done, 1);
}

static void run_tell(bgi_worker *w, bgi_item *self)
{
    (void)w;
    (void)self;
    bgi_store_release(&order_told, 1);
}

Test(fiber, one_that_yields_for_ever_lets_others_in)
{
    for (size_t n = 1; n <= 3; n++) { /* alone, and with others that do so too */
        struct rig_fiber f[3];
        bgi_item tell = {.run = run_tell};
        bgi_sched *s = rig_start(1, 0);
        bgi_store(&done, 0);
        bgi_store(&order_told, 0);
        for (size_t i = 0; i < n; i++) {
            rig_fiber_init(&f[i], yield_until_told, (void *)(uintptr_t)&order_told);
            bgi_submit(s, &f[i].fiber.item);
        }
        rig_reach(&done, n);
        bgi_submit(s, &tell);
        rig_reach(&done, 2 * n);
        rig_end(s);
    }
}

/* Fibers and plain items in turn: a fiber that suspends hands a plain item to the loop. */
static bgi_item plain[ORDERED];

static void run_plain(bgi_worker *w, bgi_item *self)
{
    (void)bgi_fetch_add(&wrong, w->current != NULL);
    order[order_n++] = 100 + (int)(self - plain);
}

static void yield_once(struct rig_fiber *self)
{
    order[order_n++] = (int)(self - ordered);
    bgi_yield();
    order[order_n++] = 10 + (int)(self - ordered);
    (void)bgi_fetch_add(&done, 1);
}

static void run_make_mixed(bgi_worker *w, bgi_item *self)
{
    (void)self;
    for (int i = 0; i < ORDERED; i++) {
        rig_fiber_init(&ordered[i], yield_once, NULL);
        plain[i].run = run_plain;
        bgi_push(w, &ordered[i].fiber.item);
        bgi_push(w, &plain[i]);
    }
}

Test(fiber, plain_items_keep_their_place_among_fibers)
{
    bgi_sched *s = rig_start(1, 0);
    bgi_item maker = {.run = run_make_mixed};
    bgi_submit(s, &maker);
    rig_reach(&done, ORDERED);
    rig_end(s);
    cr_assert_eq(bgi_load(&wrong), 0);
    cr_assert_eq(order_n, 3 * ORDERED);
    for (int i = 0; i < ORDERED; i++) {
        cr_assert_eq(order[2 * i], i);
        cr_assert_eq(order[2 * i + 1], 100 + i);
        cr_assert_eq(order[2 * ORDERED + i], 10 + i);
    }
}

/* ---- many of them, on more workers than cores ---- */

enum { MANY = 1000, DEPTH = 12 };

static struct rig_fiber many[MANY];

/* Suspends at every level on the way down and up, with something on the stack to be kept. */
BGI_NOINLINE static bgi_word descend(struct rig_fiber *self, unsigned depth)
{
    volatile bgi_word mine[8];
    for (size_t i = 0; i < BGI_ARRAY_LEN(mine); i++) {
        mine[i] = (bgi_word)(uintptr_t)self + depth * 31 + i;
    }
    bgi_yield();
    bgi_word below = depth == 0 ? 0 : descend(self, depth - 1);
    bgi_yield();
    for (size_t i = 0; i < BGI_ARRAY_LEN(mine); i++) {
        if (mine[i] != (bgi_word)(uintptr_t)self + depth * 31 + i) {
            (void)bgi_fetch_add(&wrong, 1);
        }
    }
    return below + 1;
}

static void descend_often(struct rig_fiber *self)
{
    for (int i = 0; i < 4; i++) {
        if (descend(self, DEPTH) != DEPTH + 1 || bgi_fiber_self() != &self->fiber) {
            (void)bgi_fetch_add(&wrong, 1);
        }
    }
    (void)bgi_fetch_add(&done, 1);
}

static void switch_deeply(unsigned workers)
{
    bgi_sched *s = rig_start(workers, 1);
    for (size_t i = 0; i < MANY; i++) {
        rig_fiber_init(&many[i], descend_often, NULL);
        bgi_submit(s, &many[i].fiber.item);
    }
    rig_reach(&done, MANY);
    rig_end(s);
    cr_assert_eq(bgi_load(&wrong), 0);
    cr_assert_eq(bgi_load(&rig_dropped_items), 0);
}

Test(fiber, a_thousand_keep_their_stacks_on_one_worker)
{
    switch_deeply(1);
}

Test(fiber, a_thousand_keep_their_stacks_on_two_workers)
{
    switch_deeply(2);
}

Test(fiber, a_thousand_keep_their_stacks_on_eight_workers)
{
    switch_deeply(8);
}

/* ---- migration ---- */

/*
 * Each worker runs a pump, which never returns to its loop: it runs whatever is put in its letter
 * box. So where a fiber goes on is the choice of its commit, which takes the next worker each time.
 */
enum { PUMPS = 3, TRAVELLERS = 8, STEPS = 2000 };

static struct pump {
    bgi_item item;
    bgi_lock lock;
    struct bgi_fifo letters;
    sem_t there;
} pump[PUMPS];

static bgi_atomic pumps_ready;

static void post(struct pump *p, bgi_item *item)
{
    bgi_lock_acquire(&p->lock);
    bgi_fifo_push(&p->letters, &item->link);
    bgi_lock_release(&p->lock);
    (void)sem_post(&p->there);
}

static bgi_item *receive(struct pump *p)
{
    rig_wait(&p->there);
    bgi_lock_acquire(&p->lock);
    struct bgi_link *l = bgi_fifo_pop(&p->letters);
    bgi_lock_release(&p->lock);
    return l == NULL ? NULL : bgi_item_of(l);
}

/* All pumps must be running before the first letter: then each has a worker of its own. */
static void run_pump(bgi_worker *w, bgi_item *self)
{
    (void)self;
    struct pump *p = &pump[w->index];
    bgi_item *item;
    (void)bgi_fetch_add(&pumps_ready, 1);
    RIG_UNTIL(bgi_load_acquire(&pumps_ready) == PUMPS);
    while ((item = receive(p)) != NULL) {
        item->run(w, item);
        w->current = NULL;
    }
}

static int go_to_the_next(bgi_worker *w, bgi_fiber *self, void *arg)
{
    (void)arg;
    post(&pump[(w->index + 1) % PUMPS], &self->item);
    return 0;
}

static __thread unsigned thread_mark __attribute__((tls_model("initial-exec")));

BGI_NOINLINE static int *errno_of_this_thread(void)
{
    __asm__ __volatile__("" ::: "memory");
    return &errno;
}

/* In a function of its own, as any library's accessor of something thread-local would be. */
BGI_NOINLINE static unsigned *mark_of_this_thread(void)
{
    __asm__ __volatile__("" ::: "memory");
    return &thread_mark;
}

/* pthread_self is declared const: the compiler may well keep what it returns. */
BGI_NOINLINE static int is_this_thread(pthread_t id)
{
    __asm__ __volatile__("" ::: "memory");
    return pthread_equal(pthread_self(), id) != 0;
}

/* One function, inlined and unrolled as the compiler pleases: no suspension may keep a worker. */
static void travel(struct rig_fiber *self)
{
    unsigned index = bgi_worker_self()->index;
    unsigned missed = 0;
    double sum = 0;

    for (unsigned i = 0; i < STEPS; i++) {
        bgi_worker *before = bgi_worker_self();
        missed += before->current != &self->fiber;
        missed += before->index != index;
        bgi_suspend(go_to_the_next, NULL);
        bgi_worker *after = bgi_worker_self();
        index = (index + 1) % PUMPS;
        missed += after == before;
        missed += after->index != index;
        missed += bgi_worker_self() != after;
        missed += !is_this_thread(after->thread.id);
        missed += *mark_of_this_thread() != 0 && *mark_of_this_thread() != index + 1;
        *mark_of_this_thread() = index + 1;
        sum += 0.5;
    }
    missed += sum != 0.5 * STEPS;
    (void)bgi_fetch_add(&wrong, missed);
    (void)bgi_fetch_add(&done, 1);
}

/*
 * errno is the thread's, and the compiler may keep its address. Nothing here reads errno across a
 * suspension; what a fiber sets after one, by a call that fails, is read before the next.
 */
BGI_NOINLINE static int fail_with_ebadf(void)
{
    return (int)write(-1, "", 1);
}

static void travel_and_fail(struct rig_fiber *self)
{
    unsigned missed = 0;
    (void)self;
    for (unsigned i = 0; i < STEPS; i++) {
        bgi_suspend(go_to_the_next, NULL);
        *errno_of_this_thread() = 0;
        missed += fail_with_ebadf() != -1;
        missed += *errno_of_this_thread() != EBADF;
    }
    (void)bgi_fetch_add(&wrong, missed);
    (void)bgi_fetch_add(&done, 1);
}

Test(fiber, each_suspension_may_move_to_another_thread)
{
    struct rig_fiber f[TRAVELLERS];
    bgi_sched *s = rig_create(PUMPS, 0);
    for (size_t i = 0; i < PUMPS; i++) {
        pump[i].item.run = run_pump;
        bgi_lock_init(&pump[i].lock, 1, "letters");
        bgi_fifo_init(&pump[i].letters);
        cr_assert_eq(sem_init(&pump[i].there, 0, 0), 0);
    }
    cr_assert_eq(bgi_sched_start(s, 0), 0);
    for (size_t i = 0; i < PUMPS; i++) {
        bgi_submit(s, &pump[i].item);
    }
    for (size_t i = 0; i < TRAVELLERS; i++) {
        rig_fiber_init(&f[i], i % 2 ? travel : travel_and_fail, NULL);
        post(&pump[i % PUMPS], &f[i].fiber.item);
    }
    rig_reach(&done, TRAVELLERS);
    for (size_t i = 0; i < PUMPS; i++) {
        (void)sem_post(&pump[i].there); /* an empty box: it ends */
    }
    rig_end(s);
    cr_assert_eq(bgi_load(&wrong), 0);
}

/*
 * A commit publishes its fiber, and somebody resumes it at once, before the commit has returned:
 * partners that exchange themselves through a word, on more workers than cores.
 */
enum { PAIRS = 6, MEETINGS = 3000 };

static struct exchange {
    bgi_atomic waiting; /* 0, or the fiber that was first */
    bgi_atomic meetings;
} exchange[PAIRS];

static int meet(bgi_worker *w, bgi_fiber *self, void *arg)
{
    struct exchange *e = arg;
    if (bgi_cas(&e->waiting, 0, (bgi_word)(uintptr_t)self)) {
        return 0; /* gone: the other may run it already */
    }
    bgi_fiber *other = bgi_load_acquire_ptr(&e->waiting);
    bgi_store(&e->waiting, 0);
    (void)bgi_fetch_add(&e->meetings, 1);
    bgi_ready(w->sched, &other->item);
    return 1;
}

static void meet_often(struct rig_fiber *self)
{
    volatile bgi_word mine = (bgi_word)(uintptr_t)self;
    for (unsigned i = 0; i < MEETINGS; i++) {
        bgi_suspend(meet, self->arg);
        (void)bgi_fetch_add(&wrong, mine != (bgi_word)(uintptr_t)self);
        if (i % 32 == 0) {
            bgi_yield();
        }
    }
    (void)bgi_fetch_add(&done, 1);
}

static void meet_on(unsigned workers)
{
    struct rig_fiber f[2 * PAIRS];
    bgi_sched *s = rig_start(workers, 0);
    bgi_store(&done, 0);
    for (size_t i = 0; i < 2 * PAIRS; i++) {
        bgi_store(&exchange[i / 2].meetings, 0);
        rig_fiber_init(&f[i], meet_often, &exchange[i / 2]);
        bgi_submit(s, &f[i].fiber.item);
    }
    rig_reach(&done, 2 * PAIRS);
    rig_end(s);
    cr_assert_eq(bgi_load(&wrong), 0);
    for (size_t i = 0; i < PAIRS; i++) {
        cr_assert_eq(bgi_load(&exchange[i].meetings), MEETINGS);
    }
}

Test(fiber, a_commit_may_be_overtaken_by_the_resumption)
{
    meet_on(1);
    meet_on(2);
    meet_on(6);
}

/* ---- stacks ---- */

static bgi_stack *stack_of[MANY];
static bgi_atomic bodies;

static void note_stack(struct rig_fiber *self)
{
    stack_of[bgi_fetch_add(&bodies, 1)] = self->fiber.stack;
    (void)bgi_fetch_add(&done, 1);
}

static void run_make_many(bgi_worker *w, bgi_item *self)
{
    (void)self;
    for (size_t i = 0; i < 200; i++) {
        rig_fiber_init(&many[i], note_stack, NULL);
        bgi_push(w, &many[i].fiber.item);
    }
}

Test(fiber, fresh_ones_that_never_wait_share_one_stack)
{
    bgi_sched *s = rig_start(1, 0);
    bgi_item maker = {.run = run_make_many};
    for (bgi_word round = 1; round <= 3; round++) {
        bgi_store(&bodies, 0);
        bgi_submit(s, &maker);
        rig_reach(&done, round * 200);
        rig_idle(s);
        for (size_t i = 1; i < 200; i++) {
            cr_assert(stack_of[i] == stack_of[0]);
        }
    }
    rig_end(s);
}

static bgi_item *release_us[MANY];
static bgi_atomic waiting;

static int wait_here(bgi_worker *w, bgi_fiber *self, void *arg)
{
    (void)w;
    (void)arg;
    release_us[bgi_load(&waiting)] = &self->item;
    (void)bgi_fetch_add(&waiting, 1);
    return 0;
}

static void wait_once(struct rig_fiber *self)
{
    stack_of[bgi_fetch_add(&bodies, 1)] = self->fiber.stack;
    bgi_suspend(wait_here, NULL);
    (void)bgi_fetch_add(&done, 1);
}

Test(fiber, those_that_wait_have_one_each_and_give_it_back)
{
    enum { N = 100 };
    bgi_sched *s = rig_start(1, 0);
    size_t slots = 0;
    for (bgi_word round = 1; round <= 5; round++) {
        bgi_store(&bodies, 0);
        bgi_store(&waiting, 0);
        for (size_t i = 0; i < N; i++) {
            rig_fiber_init(&many[i], wait_once, NULL);
            bgi_submit(s, &many[i].fiber.item);
        }
        rig_reach(&waiting, N);
        rig_idle(s);
        for (size_t i = 0; i < N; i++) {
            for (size_t k = 0; k < i; k++) {
                cr_assert(stack_of[i] != stack_of[k]);
            }
        }
        for (size_t i = 0; i < N; i++) {
            bgi_submit(s, release_us[i]);
        }
        rig_reach(&done, round * N);
        rig_idle(s);
        bgi_stack_counts counts;
        bgi_stack_pool_counts(s->stacks, &counts);
        size_t warm = counts.slots - counts.cold;
        cr_assert(round == 1 || warm <= slots, "%zu, then %zu", slots, warm);
        slots = warm;
    }
    rig_end(s);
}

enum { BIG = 1024 * 1024, DEEP = 700 * 1024 };

/* Uses as much of its stack as its argument says. */
static void use_deep(struct rig_fiber *self)
{
    size_t size = (size_t)(uintptr_t)self->arg;
    volatile char deep[size];
    for (size_t i = 0; i < size; i += 512) {
        deep[i] = (char)i;
    }
    bgi_yield();
    for (size_t i = 0; i < size; i += 512) {
        (void)bgi_fetch_add(&wrong, deep[i] != (char)i);
    }
    (void)bgi_fetch_add(&wrong, self->fiber.stack->size < size);
    (void)bgi_fetch_add(&done, 1);
}

static void run_make_sized(bgi_worker *w, bgi_item *self)
{
    (void)self;
    for (size_t i = 0; i < 60; i++) { /* of three sizes in turn: none runs on what does not fit */
        size_t use = i % 3 == 0 ? DEEP : i % 3 == 1 ? 1000 : 100 * 1024;
        rig_fiber_init(&many[i], use_deep, (void *)(uintptr_t)use);
        many[i].fiber.stack_size = i % 3 == 0 ? BIG : i % 3 == 1 ? 0 : 256 * 1024;
        bgi_push(w, &many[i].fiber.item);
    }
}

Test(fiber, a_stack_is_as_large_as_was_asked_for)
{
    bgi_sched *s = rig_start(1, 0);
    bgi_item maker = {.run = run_make_sized};
    bgi_submit(s, &maker);
    rig_reach(&done, 60);
    rig_end(s);
    cr_assert_eq(bgi_load(&wrong), 0);
}

Test(fiber, without_a_stack_it_is_ended_by_the_layer_above)
{
    enum { N = 10 };
    bgi_sched *s = rig_start(2, 0);
    bgi_fault_arm(BGI_FAULT_MMAP | BGI_FAULT_FOREVER, 1);
    for (size_t i = 0; i < N; i++) {
        rig_fiber_init(&many[i], note_stack, NULL);
        bgi_submit(s, &many[i].fiber.item);
    }
    rig_reach(&rig_no_stack, N);
    bgi_fault_disarm();
    cr_assert_eq(bgi_load(&done), 0);
    for (size_t i = 0; i < N; i++) {
        cr_assert_null(many[i].fiber.stack);
        bgi_submit(s, &many[i].fiber.item); /* and it can have another try */
    }
    rig_reach(&done, N);
    rig_end(s);
    cr_assert_eq(bgi_load(&rig_no_stack), N);
}

/* One that waits leaves the processor to fresh ones, for which there is no stack. */
static int wait_and_refuse(bgi_worker *w, bgi_fiber *self, void *arg)
{
    (void)w;
    (void)arg;
    release_us[0] = &self->item;
    bgi_store_release(&waiting, 1);
    return 0;
}

static void wait_with_others_behind(struct rig_fiber *self)
{
    bgi_worker *w = bgi_worker_self();
    (void)self;
    for (size_t i = 1; i <= 3; i++) {
        rig_fiber_init(&many[i], note_stack, NULL);
        bgi_push(w, &many[i].fiber.item);
    }
    /* The pool serves from what it has: what it lacks is asked for by size. */
    for (size_t i = 1; i <= 3; i++) {
        many[i].fiber.stack_size = BIG;
    }
    bgi_fault_arm(BGI_FAULT_MMAP | BGI_FAULT_FOREVER, 1);
    bgi_suspend(wait_and_refuse, NULL);
    (void)bgi_fetch_add(&done, 1);
}

Test(fiber, a_suspension_goes_on_when_the_next_has_no_stack)
{
    bgi_sched *s = rig_start(1, 0);
    rig_fiber_init(&many[0], wait_with_others_behind, NULL);
    bgi_submit(s, &many[0].fiber.item);
    rig_reach(&rig_no_stack, 3);
    rig_reach(&waiting, 1);
    bgi_fault_disarm();
    cr_assert_eq(bgi_load(&done), 0);
    bgi_submit(s, release_us[0]);
    rig_reach(&done, 1);
    rig_end(s);
}

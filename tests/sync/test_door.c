/*
 * The door: who becomes its owner, and when; that one is inside at a time while it changes hands.
 *
 * Labels: valgrind aarch64
 */
#include "../task/check.h"

#include "sync/door.h"

static bgi_door door;
static size_t inside, entries; /* guarded by it */

static void enter_once(enum bgi_door_way *how)
{
    enum bgi_door_way way = bgi_door_enter(&door, bgi_worker_self());
    CHECK(inside == 0);
    inside = 1;
    entries++;
    inside = 0;
    bgi_door_leave(&door, way);
    if (how != NULL) {
        *how = way;
    }
}

static void enter_often(size_t n)
{
    for (size_t i = 0; i < n; i++) {
        enter_once(NULL);
    }
}

static void made(void)
{
    memset(&door, 0, sizeof door);
    inside = entries = 0;
}

static int biased(void)
{
    enum bgi_door_way way;
    enter_once(&way);
    return way == BGI_DOOR_BIASED;
}

static void *stranger(void *arg)
{
    enter_often(*(size_t *)arg);
    return NULL;
}

static void a_stranger_enters(size_t times)
{
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, stranger, &times) == 0);
    (void)pthread_join(thread, NULL);
}

static int owns_it_in_time(void *arg)
{
    (void)arg;
    int possible = bgi_load(&bgi_fence_asymmetric) != 0;
    made();
    enter_often(BGI_DOOR_QUIET);
    CHECK(!biased());
    enter_often(1);
    CHECK(biased() == possible);
    CHECK(bgi_load(&door.bias) == (possible ? (bgi_word)bgi_worker_self() : 0));

    for (int i = 0; i < BGI_DOOR_PATIENCE + 3; i++) {
        a_stranger_enters(1);
        unsigned patience = i < BGI_DOOR_PATIENCE ? (unsigned)i + 1 : BGI_DOOR_PATIENCE;
        CHECK(door.patience == (possible ? patience : 0));
        enter_often(((size_t)BGI_DOOR_QUIET << door.patience) - 1);
        CHECK(!biased());
        CHECK(biased() == possible);
    }
    a_stranger_enters(BGI_DOOR_QUIET * 3); /* there is an owner */
    CHECK(bgi_load(&door.bias) == (possible ? (bgi_word)bgi_worker_self() | 1 : 0));
    CHECK(!possible || door.quiet == 0);
    return 0;
}

Test(door, who_enters_often_owns_it)
{
    RUN(owns_it_in_time, NULL, .workers = 1, .spares = BG_NO_SPARES);
}

Test(door, a_plain_thread_never_owns_it)
{
    made();
    enter_often(BGI_DOOR_QUIET * 3);
    cr_assert_eq(bgi_load(&door.bias), 0);
    NO_CHECK_FAILED();
}

static int by_turns(void *arg)
{
    (void)arg;
    made();
    for (int i = 0; i < 5; i++) {
        enter_often(BGI_DOOR_QUIET - 1);
        a_stranger_enters(1);
    }
    CHECK(bgi_load(&door.bias) == 0);
    return 0;
}

Test(door, not_in_a_row)
{
    RUN(by_turns, NULL, .workers = 1, .spares = BG_NO_SPARES);
}

static size_t bursts[] = {1, 3000, 10, 20000, 500, 64000};

static int enters_in_bursts(void *arg)
{
    size_t at = (size_t)(intptr_t)arg;
    for (size_t i = 0; i < 3 * BGI_ARRAY_LEN(bursts); i++) {
        enter_often(MANY(bursts[(at + i) % BGI_ARRAY_LEN(bursts)]));
        bg_yield();
    }
    return 0;
}

static int in_bursts(void *arg)
{
    enum { N = 8 };
    bg_task *t[N];
    size_t burst = MANY(20000);
    (void)arg;
    made();
    for (int i = 0; i < N; i++) {
        t[i] = bg_spawn(enters_in_bursts, INT_ARG(i));
    }
    for (int i = 0; i < 5; i++) {
        a_stranger_enters(burst);
        CHECK(bg_sleep(BG_MS) == 0);
    }
    CHECK(bg_gather_all(t, N, NULL) == 0);
    size_t all = 5 * burst;
    for (size_t i = 0; i < BGI_ARRAY_LEN(bursts); i++) {
        all += 3 * N * MANY(bursts[i]);
    }
    CHECK(entries == all);
    return 0;
}

Test(door, one_at_a_time)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(in_bursts, NULL, .workers = w);
    }
}

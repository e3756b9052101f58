/*
 * At the limits of the system: little address space, no more mappings, far more workers than cores.
 * What cannot be had is refused with an error, and afterwards all is as before.
 */
#include "everything.h"

#include "../task/child.h"
#include "stack/guard.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { SKIPPED = 77 };

/* A sanitizer's own memory comes from the same place, and it gives up without. */
#define NEEDS_OWN_MEMORY (BGI_ASAN || BGI_TSAN || BGI_VALGRIND)

static void passes_or_skips(void (*fn)(void *), void *arg)
{
    if (NEEDS_OWN_MEMORY) {
        cr_skip_test("the tool needs memory of its own");
    }
    struct child_end end = child_run(fn, arg);
    if (end.signal == 0 && end.status == SKIPPED) {
        cr_skip_test("the limit is too far away here");
    }
    cr_assert_eq(end.signal, 0, "signal %d: %s", end.signal, end.words);
    cr_assert_eq(end.status, 0, "status %d: %s", end.status, end.words);
}

/* Runs the program within a limit, and again without: how it went. */
static int run_limited(unsigned workers)
{
    now.forever = 1;
    now.harmless = 0;
    bgi_store(&now.refused, 0);
    return run_everything(workers, NULL);
}

static void run_unlimited(unsigned workers)
{
    now.forever = 0;
    now.harmless = 1;
    CHECK(run_everything(workers, NULL) == 123);
}

/* ---- address space ---- */

static size_t address_space(void)
{
    char text[32] = "";
    FILE *f = fopen("/proc/self/statm", "r");
    if (f != NULL) {
        CHECK(fgets(text, sizeof text, f) != NULL);
        (void)fclose(f);
    }
    return strtoul(text, NULL, 10) * (size_t)sysconf(_SC_PAGESIZE);
}

BGI_NOINLINE static void touch_stack(void)
{
    volatile char deep[256 * 1024];
    for (size_t i = 0; i < sizeof deep; i += 1024) {
        deep[i] = 0;
    }
}

/* From nothing at all to enough. */
static void in_little_space(void *arg)
{
    unsigned workers = *(unsigned *)arg;
    struct rlimit limit, unlimited;
    int nothing_started = 0, some_refused = 0, enough = 0;
    touch_stack(); /* the thread's own stack is not to grow meanwhile */
    (void)getrlimit(RLIMIT_AS, &unlimited);
    for (size_t more = 0; enough < 3 && more < (size_t)4 << 30; more += more / 32 + 32768) {
        limit = unlimited;
        limit.rlim_cur = address_space() + more;
        CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
        int r = run_limited(workers);
        CHECK(setrlimit(RLIMIT_AS, &unlimited) == 0);
        int refused = bgi_load(&now.refused) != 0;
        nothing_started += r != 123;
        some_refused += r == 123 && refused;
        enough = r == 123 && !refused ? enough + 1 : 0;
        CHECK(bgi_alloc_live() == 0);
    }
    CHECK(nothing_started > 1 && some_refused > 1 && enough == 3);
    run_unlimited(workers);
}

Test(limits, of_address_space)
{
    unsigned one = 1, two = 2;
    passes_or_skips(in_little_space, &one);
    passes_or_skips(in_little_space, &two);
}

/* ---- mappings ---- */

static struct {
    char *base;
    size_t page, pages, next; /* every second page below next is readable */
} filler;

/* Makes mappings until there can be no more; 0 when that takes too many. */
static int fill(void)
{
    while (filler.next < filler.pages) {
        if (mprotect(filler.base + filler.next * filler.page, filler.page, PROT_READ) != 0) {
            CHECK(errno == ENOMEM);
            return 1;
        }
        filler.next += 2;
    }
    return 0;
}

/* Gives back two mappings each. */
static void drain(size_t n)
{
    while (n-- > 0 && filler.next > 1) {
        filler.next -= 2;
        CHECK(mprotect(filler.base + filler.next * filler.page, filler.page, PROT_NONE) == 0);
    }
}

static void without_mappings(void *arg)
{
    enum { LIMIT_MOST = 300000, ENOUGH = 1000 };
    int nothing_started = 0, some_refused = 0, all_granted = 0;
    bgi_guard_force(*(enum bgi_guard *)arg);
    filler.page = (size_t)sysconf(_SC_PAGESIZE);
    filler.pages = LIMIT_MOST;
    filler.base = mmap(NULL, filler.pages * filler.page, PROT_NONE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (filler.base == MAP_FAILED || !fill()) {
        _exit(SKIPPED);
    }
    for (size_t room = 0; room < ENOUGH; room += 1 + room / 16) {
        (void)fill();
        drain(room);
        int r = run_limited(2);
        int refused = bgi_load(&now.refused) != 0;
        nothing_started += r != 123;
        some_refused += r == 123 && refused;
        all_granted += r == 123 && !refused;
        CHECK(bgi_alloc_live() == 0);
    }
    CHECK(nothing_started != 0 && all_granted != 0);
    (void)some_refused; /* there may be none in between: then main has room enough for all */
    CHECK(munmap(filler.base, filler.pages * filler.page) == 0);
    run_unlimited(2);
}

Test(limits, of_mappings)
{
    enum bgi_guard any = BGI_GUARD_NONE, protect = BGI_GUARD_PROTECT;
    passes_or_skips(without_mappings, &any);
    passes_or_skips(without_mappings, &protect);
}

/* ---- sixty-four workers on two cores ---- */

enum { WORKERS = 64 };

static void take_two_cores(void)
{
    cpu_set_t all, two;
    CPU_ZERO(&two);
    cr_assert_eq(sched_getaffinity(0, sizeof all, &all), 0);
    for (int i = 0; i < CPU_SETSIZE && CPU_COUNT(&two) < 2; i++) {
        if (CPU_ISSET(i, &all)) {
            CPU_SET(i, &two);
        }
    }
    cr_assert_eq(sched_setaffinity(0, sizeof two, &two), 0);
}

static bgi_atomic arrived;

/* Ends when so many are in it at once, each of which blocks its thread. */
static int block_for_all(void *arg)
{
    add_one(&arrived);
    block_until(&arrived, (bgi_word)(intptr_t)arg);
    return 1;
}

static int main_all_at_once(void *arg)
{
    bg_task *t[WORKERS];
    int results[WORKERS];
    bgi_store(&arrived, 0);
    for (int i = 0; i < WORKERS; i++) {
        t[i] = bg_spawn(block_for_all, INT_ARG(WORKERS));
    }
    CHECK(bg_gather_all(t, WORKERS, results) == 0);
    for (int i = 0; i < WORKERS; i++) {
        CHECK(results[i] == 1);
    }
    (void)arg;
    return 0;
}

Test(limits, each_of_64_workers_has_a_thread_of_its_own)
{
    take_two_cores();
    for (int i = 0; i < 3; i++) {
        RUN(main_all_at_once, NULL, .workers = WORKERS, .spares = BG_NO_SPARES);
    }
}

/* A tree of tasks that yield, sleep, wait for their children and are cancelled: its size. */
static int tree(void *arg)
{
    enum { WIDTH = 6 };
    int depth = (int)(intptr_t)arg, sum = 1;
    bg_task *t[WIDTH];
    int results[WIDTH];
    if (depth == 0) {
        bg_yield();
        return 1;
    }
    for (int i = 0; i < WIDTH; i++) {
        t[i] = bg_spawn(tree, INT_ARG(depth - 1));
    }
    bg_task *stopped = bg_spawn(sleep_forever, NULL);
    CHECK(bg_sleep(depth * 50 * BG_US) == 0);
    CHECK(bg_cancel(stopped) == 0);
    CHECK(bg_gather_all(t, WIDTH, results) == 0);
    for (int i = 0; i < WIDTH; i++) {
        sum += results[i];
    }
    CHECK(bg_await(stopped) == -ECANCELED);
    return sum;
}

Test(limits, sixty_four_workers_do_the_same_as_one)
{
    enum { DEPTH = CHECK_SLOW ? 3 : 5, SIZE = CHECK_SLOW ? 259 : 9331 };
    take_two_cores();
    for (int i = 0; i < 3; i++) {
        int r = bg_run(tree, INT_ARG(DEPTH), .workers = WORKERS);
        NO_CHECK_FAILED();
        cr_assert_eq(r, SIZE);
    }
}

Test(limits, sixty_four_workers_start_and_stop)
{
    take_two_cores();
    size_t live = bgi_alloc_live();
    size_t threads = usual_threads();
    for (int i = 0; i < MANY(40); i++) {
        cr_assert_eq(run_everything(WORKERS, INT_ARG(i)), 123);
        NO_CHECK_FAILED();
        cr_assert_eq(bgi_alloc_live(), live);
    }
    cr_assert(threads_settle(threads));
}

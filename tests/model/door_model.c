/*
 * Models of the door (sync/door.h): one inside at a time while the bias is given, taken away and
 * given back; who sees what those before wrote; the store that leaves is the last touch. With a
 * fence in who enters by the fast road, and with membarrier(2) in its place.
 *
 * The guarded words are plain: two inside at once, or an order too weak, is a data race.
 */
#include "mc.h"
#include "runtime.h"

#include "base/alloc.h"
#include "sync/door.h"

_Static_assert(BGI_DOOR_QUIET == 2, "models are built with -DBGI_DOOR_QUIET=2");

static bgi_door *D;
static int inside, entries;

static void made(bgi_word asymmetric)
{
    bgi_fence_setup(); /* here, for in a thread it would decide anew what is decided below */
    bgi_store(&bgi_fence_asymmetric, asymmetric);
    for (size_t i = 0; i < BGI_WAITQ_COUNTS; i++) {
        bgi_store(&bgi_waitq_asleep[i], 0);
    }
    D = bgi_malloc(sizeof *D);
    D->q.first = NULL;
    bgi_store(&D->q.word, 0);
    bgi_store(&D->bias, 0);
    bgi_store(&D->inside, 0);
    D->last = D->quiet = D->patience = 0;
    inside = entries = 0;
}

/* Worker 0 is the owner. */
static void owned_with(bgi_word asymmetric)
{
    made(asymmetric);
    bgi_store(&D->bias, (bgi_word)&W[0]);
}

static void owned(void)
{
    owned_with(0);
}

static void owned_membarrier(void)
{
    owned_with(1);
}

/* It was, until a stranger came; one more quiet entry, and it is again. */
static void taken_away(void)
{
    made(1);
    bgi_store(&D->bias, (bgi_word)&W[0] | BGI_DOOR_TAKEN);
    D->quiet = 1;
}

static void fresh(void)
{
    made(1);
}

static void once(bgi_worker *here)
{
    enum bgi_door_way way = bgi_door_enter(D, here);
    mc_assert(inside == 0);
    inside = 1;
    entries++;
    inside = 0;
    bgi_door_leave(D, way);
}

static void owner_once(void)
{
    once(&W[0]);
}

static void owner(void)
{
    once(&W[0]);
    once(&W[0]);
}

static void owner_often(void)
{
    owner();
    owner();
}

static void other_worker(void)
{
    once(&W[1]);
}

static void other_worker_often(void)
{
    for (int i = 0; i < 3; i++) {
        once(&W[1]);
    }
}

static void thread(void)
{
    once(NULL);
}

static void entered(int n)
{
    bgi_word bias = bgi_load(&D->bias) & ~BGI_DOOR_TAKEN;
    mc_assert(entries == n);
    mc_assert(bgi_load(&D->inside) == 0);
    mc_assert(bgi_load(&D->q.word) == 0);
    mc_assert(bias == 0 || bias == (bgi_word)&W[0] || bias == (bgi_word)&W[1]);
}

static void check_three(void)
{
    entered(3);
}

static void check_five(void)
{
    entered(5);
}

static void check_seven(void)
{
    entered(7);
}

MC_MODEL(stranger, .name = "door/stranger",
         .says = "a stranger and the owner are never inside at once", .setup = owned,
         .thread = {owner, thread}, .check = check_three);

MC_MODEL(stranger_membarrier, .name = "door/membarrier_stranger",
         .says = "the same where the owner makes no fence", .setup = owned_membarrier,
         .thread = {owner, thread}, .check = check_three);

MC_MODEL(two_strangers, .name = "door/two_strangers",
         .says = "the second stranger may rely on what the first has seen", .bound = 2,
         .setup = owned_membarrier, .thread = {owner_once, other_worker, thread},
         .check = check_three);

MC_MODEL(back, .name = "door/bias_comes_back",
         .says = "the owner takes the bias back while a stranger enters", .bound = 2,
         .setup = taken_away, .thread = {owner_often, other_worker}, .check = check_five);

MC_MODEL(first, .name = "door/first_owner",
         .says = "one of two workers becomes the owner while the other enters", .bound = 2,
         .setup = fresh, .thread = {owner_often, other_worker_often}, .check = check_seven);

/* -- gone after the last one has left -- */

static bgi_atomic last;

static void owned_and_not_gone(void)
{
    owned_membarrier();
    bgi_store(&last, 0);
}

static void leaves_for_the_last_time(bgi_worker *here)
{
    enum bgi_door_way way = bgi_door_enter(D, here);
    int n = ++entries;
    bgi_door_leave(D, way);
    if (n == 2) {
        bgi_free(D);
    }
}

static void owner_leaves(void)
{
    leaves_for_the_last_time(&W[0]);
}

static void stranger_leaves(void)
{
    leaves_for_the_last_time(NULL);
}

MC_MODEL(last_touch, .name = "door/last_touch",
         .says = "who comes out second may destroy it at once", .setup = owned_and_not_gone,
         .thread = {owner_leaves, stranger_leaves});

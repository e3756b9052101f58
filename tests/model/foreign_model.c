/*
 * Items from threads that are no workers: into the injector, out by whoever is about to sleep, and
 * the visit that keeps the scheduler alive meanwhile.
 */
#include "core_rig.h"

static void loop_0(void)
{
    bgi_worker_loop(&W[0]);
}

static void loop_1(void)
{
    bgi_worker_loop(&W[1]);
}

static void submit_a(void)
{
    bgi_submit(&S, rig_fill(&A));
}

static void submit_b(void)
{
    bgi_ready(&S, rig_fill(&B));
}

static void submit_ab(void)
{
    submit_a();
    submit_b();
}

static void all_ran(void)
{
    mc_assert(A.ran == A.filled && B.ran == B.filled && A.ran + B.ran > 0);
    rig_at_rest();
}

static void one(void)
{
    rig_setup(1, 0, 1);
}

static void two_items(void)
{
    rig_setup(1, 0, 2);
}

static void two_workers(void)
{
    rig_setup(2, 0, 2);
}

MC_MODEL(one_item, .name = "foreign/one_worker",
         .says = "a foreign thread's item is run by the loop of a worker about to sleep",
         .setup = one, .thread = {loop_0, submit_a}, .check = all_ran);

MC_MODEL(in_order, .name = "foreign/two_items",
         .says = "two items of one thread, submitted and made ready, are both run", .bound = 2,
         .setup = two_items, .thread = {loop_0, submit_ab}, .check = all_ran);

MC_MODEL(shared, .name = "foreign/two_workers_two_submitters",
         .says = "two workers share what two threads submit, and stop", .bound = 1, .quick = 1,
         .setup = two_workers, .thread = {loop_0, loop_1, submit_a, submit_b}, .check = all_ran);

/* ---- a worker takes its share of a long injector, and the rest of it wakes another ---- */

static void take_and_stick(void)
{
    bgi_worker_loop(&W[0]);
}

static void sleep_then_run_1(void)
{
    bgi_park(&W[1]);
    rig_run_one(&W[1]);
}

static bgi_atomic second_ran;

static void run_note(bgi_worker *w, bgi_item *item)
{
    rig_run(w, item);
    bgi_store(&second_ran, 1);
}

/* Whoever runs it waits for the other item: it is stuck until somebody else runs that. */
static void run_and_wait(bgi_worker *w, bgi_item *item)
{
    (void)w;
    ((struct rig_item *)(void *)item)->ran++;
    mc_await_equal(&second_ran, 1);
    bgi_sched_stop(&S);
}

static void share(void)
{
    struct bgi_fifo chain;
    rig_setup(2, 0, 0);
    A.item.run = run_and_wait;
    B.item.run = run_note;
    bgi_store(&second_ran, 0);
    bgi_fifo_init(&chain);
    bgi_fifo_push(&chain, &rig_fill(&A)->link);
    bgi_fifo_push(&chain, &rig_fill(&B)->link);
    bgi_injector_push(&S.injector, &chain, 2);
}

MC_MODEL(long_injector, .name = "foreign/share_of_the_injector",
         .says = "who takes several from the injector and is stuck has another woken", .bound = 2,
         .setup = share, .thread = {take_and_stick, sleep_then_run_1}, .check = all_ran);

/* ---- the visit ---- */

static bgi_sched *home; /* made anew for each execution, and freed in it */

static void drop(bgi_item *item)
{
    (void)item;
    mc_fail(__FILE__, __LINE__, "nothing is left in a queue");
}

static void own_home(void)
{
    rig_setup(1, 0, 1);
    home = bgi_aligned_alloc(BGI_FALSE_SHARING_RANGE, sizeof *home);
    memset(home, 0, sizeof *home);
    home->config.drop_item = drop;
    home->workers = 1;
    home->places = 1;
    home->worker = W;
    home->driver = &bgi_driver_default;
    bgi_injector_init(&home->injector);
    bgi_ec_init(&home->idle);
    bgi_ec_node_init(&home->monitor_node);
    bgi_store(&home->used, 1);
    W[0].sched = home;
}

static void run_and_destroy(void)
{
    bgi_worker_loop(&W[0]);
    home->worker = NULL; /* not mapped: not for destroy to unmap */
    bgi_sched_destroy(home);
}

static void visit(void)
{
    bgi_submit(home, rig_fill(&A));
}

static void ran_and_gone(void)
{
    mc_assert(A.ran == 1);
}

MC_MODEL(visitor, .name = "foreign/submit_and_destroy",
         .says = "a scheduler is not freed under a thread that has just submitted the last item",
         .setup = own_home, .thread = {run_and_destroy, visit}, .check = ran_and_gone);

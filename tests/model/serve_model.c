/*
 * io/serve.c: connections that come and end against the listener's close, a cancel of the server, a
 * deadline of its drain, and the end of the runtime; a limit that is reached.
 *
 * Thread 0 is the server. The tasks it spawns are played by other threads, each of which ends
 * without a task when the server has ended before there was one. Sockets are words: how many
 * connections wait, whether the listener is open. Who waits in bg_accept waits for an event.
 * Timers fire when a thread of the model says so.
 */
#include "waiting.h"

#include "io/io.h"

#include <brigade/group.h>
#include <brigade/io.h>
#include <brigade/net.h>
#include <brigade/scope.h>
#include <brigade/sync.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

enum { LISTENER = 900, CONNECTION, CONNECTIONS = 2 };

/* ---- sockets ---- */

static bgi_fd entries[BGI_FD_CHUNK];
static bgi_atomic chunks[1];
static bgi_io IO;
static bgi_atomic waiting, is_open; /* connections in the listener's queue */
static bg_event arrived;            /* or it was closed */
static int accepted;                /* by the server */
static int is_closed[CONNECTIONS];  /* plain: one closes each */

/* As bg_fd_close: who calls bg_accept is told before it is closed. */
static void close_listener(void)
{
    bgi_fd_closed(&IO, &entries[LISTENER], LISTENER, 0);
    (void)bg_event_set(&arrived);
    bgi_store_release(&is_open, 0);
}

int serve_model_getfd(int fd);
int serve_model_getfd(int fd) /* for fcntl, in ready_model.c */
{
    mc_assert(fd == LISTENER);
    if (bgi_load_acquire(&is_open) != 0) {
        return 0;
    }
    errno = EBADF;
    return -1;
}

int __wrap_bg_fd_close(int fd);
int __wrap_bg_fd_close(int fd)
{
    if (fd == LISTENER) {
        close_listener();
    } else {
        mc_assert(fd >= CONNECTION && fd < CONNECTION + CONNECTIONS);
        mc_assert(is_closed[fd - CONNECTION]++ == 0);
    }
    return 0;
}

int __wrap_bg_accept(int fd, struct sockaddr *address, socklen_t *size);
int __wrap_bg_accept(int fd, struct sockaddr *address, socklen_t *size)
{
    mc_assert(fd == LISTENER && address == NULL && size == NULL);
    int r = bg_cancelled();
    while (r == 0) {
        (void)bg_event_clear(&arrived);
        if (bgi_fd_generation(LISTENER) != 0) {
            return -EBADF;
        }
        if (bgi_load_acquire(&waiting) != 0) {
            (void)bgi_fetch_sub(&waiting, 1);
            return CONNECTION + accepted++;
        }
        r = bg_event_wait(&arrived);
    }
    return r;
}

int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *size);
int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *size)
{
    mc_assert(fd == LISTENER && level == SOL_SOCKET && *size == sizeof(int));
    *(int *)value = name == SO_ACCEPTCONN;
    return 0;
}

/* ---- tasks and timers ---- */

static bgi_atomic tasks;  /* that were spawned; from ENDED on: there will be no more */
static bgi_atomic timers; /* that were set; likewise */
static int has_clock;     /* or none ever fires, and none is set */

enum { ENDED = 100 };

int __wrap_bg_group_spawn_opts(bg_group_t *g, bg_fn fn, void *arg, const bg_spawn_options *o);
int __real_bg_group_spawn_opts(bg_group_t *g, bg_fn fn, void *arg, const bg_spawn_options *o);
int __wrap_bg_group_spawn_opts(bg_group_t *g, bg_fn fn, void *arg, const bg_spawn_options *o)
{
    int r = __real_bg_group_spawn_opts(g, fn, arg, o);
    if (r == 0 && o->name != NULL && strcmp(o->name, "bg_serve") == 0) {
        (void)bgi_fetch_add(&tasks, 1);
    }
    return r;
}

bg_scope *__wrap_bg_timeout_open(bg_scope *scope, bg_duration timeout);
bg_scope *__real_bg_timeout_open(bg_scope *scope, bg_duration timeout);
bg_scope *__wrap_bg_timeout_open(bg_scope *scope, bg_duration timeout)
{
    if (!has_clock || timeout == BG_FOREVER) {
        *scope = (bg_scope){0}; /* closing it does nothing */
        return scope;
    }
    scope = __real_bg_timeout_open(scope, timeout);
    (void)bgi_fetch_add(&timers, 1);
    return scope;
}

/* Each timer that the server sets fires, until it has ended. */
static void time_goes_on(void)
{
    size_t fired = 0;
    bgi_worker *w = &W[mc_self()];
    bgi_worker_is(w);
    for (bgi_word n = 0; n < ENDED;) {
        mc_await_differs(&timers, n);
        n = bgi_load_acquire(&timers); /* what is set from now on has its turn after this */
        bg_time now = bgi_clock_now();
        for (int i = 0; i < 2; i++) { /* the first only gives it its deadline */
            (void)bgi_timers_run(w, &W[0].timers, 0, now + 10 * BG_S, BGI_TIMERS_BATCH, &fired);
        }
    }
}

/* The nth task, if there is one. */
static void serves(unsigned n)
{
    unsigned i = (unsigned)mc_self();
    bgi_worker_is(&W[i]);
    for (bgi_word t; (t = bgi_load_acquire(&tasks)) < n;) {
        mc_await_differs(&tasks, t);
    }
    if (n > bgi_load(&tasks) % ENDED) {
        return;
    }
    rt_task(n)->fiber.stack = &rt_stack[n];
    W[i].current = &rt_task(n)->fiber;
    (void)bgi_task_body(&W[i], &rt_task(n)->fiber);
}

static void serves_first(void)
{
    serves(1);
}

static void serves_second(void)
{
    serves(2);
}

/* ---- the server ---- */

static bg_event go_on;
static int inside;        /* plain: handlers, of a server with a limit of one */
static int served;        /* plain, likewise */
static int result;        /* of the server */
static int its_result[2]; /* of each handler that waits */

static void set_up(bgi_word connections)
{
    struct bgi_link *list = NULL;
    wt_setup(1);
    bgi_store(&bgi_fence_asymmetric, 1); /* light fences order nothing */
    rig_worker_setup(2, bgi_clock_now());
    for (unsigned i = CONNECTIONS + 1; i-- > 1;) {
        bg_task *t = rt_task(i);
        bgi_waiter_init(&t->waiter, wt_wake);
        bgi_store(&t->done, BGI_TASK_FREE);
        t->fiber.item.link.next = list;
        list = &t->fiber.item.link;
        rt_stack[i].scope = NULL;
        rt_stack[i].index = i;
    }
    rt_cache[0].free = list;
    rt_cache[0].count = CONNECTIONS;
    rt_chunk()->used = CONNECTIONS + 1;
    IO.table.chunk = chunks;
    R.io = &IO;
    bgi_store(&chunks[0], (bgi_word)entries);
    bgi_store(&entries[LISTENER].state, 0);
    bgi_store(&entries[LISTENER].port, 0);
    bgi_store(&waiting, connections);
    bgi_store(&is_open, 1);
    bg_event_init(&arrived);
    bg_event_init(&go_on);
    bgi_store(&tasks, 0);
    bgi_store(&timers, 0);
    has_clock = 0;
    accepted = inside = served = result = 0;
    for (int i = 0; i < CONNECTIONS; i++) {
        is_closed[i] = 0;
        its_result[i] = 1;
    }
}

static void nobody_comes(void)
{
    set_up(0);
}

static void one_comes(void)
{
    set_up(1);
}

static void one_comes_and_time_goes_on(void)
{
    set_up(1);
    has_clock = 1;
}

static void two_come(void)
{
    set_up(2);
}

/* What was the server's is something else then. */
BGI_NOINLINE static void overwrite_stack(void)
{
    char there[2048];
    memset(there, 0xff, sizeof there);
    __asm__ __volatile__("" ::"r"(there) : "memory");
}

static void serve(bg_handler handler, const bg_serve_options *o)
{
    (void)wt_begin();
    result = bg_serve_opts(LISTENER, handler, NULL, o);
    overwrite_stack();
    for (int i = 0; i < CONNECTIONS; i++) {
        mc_assert(is_closed[i] == (i < accepted));
    }
    mc_assert(inside == 0);
    (void)bgi_fetch_add(&tasks, ENDED);
    (void)bgi_fetch_add(&timers, ENDED);
}

/* ---- a limit ---- */

static int serves_alone(int fd, void *arg)
{
    (void)arg;
    mc_assert(++inside == 1);
    mc_assert(fd == CONNECTION + served);
    inside--;
    if (++served == 2) {
        close_listener();
    }
    return 0;
}

static void serves_one_at_a_time(void)
{
    serve(serves_alone,
          &(bg_serve_options){.size = sizeof(bg_serve_options), .limit = 1, .drain = BG_FOREVER});
}

static void both_were_served(void)
{
    mc_assert(result == 0 && served == 2 && accepted == 2);
}

MC_MODEL(alone, .name = "serve/limit",
         .says = "with a limit of one each handler sees what the one before has done",
         .setup = two_come, .thread = {serves_one_at_a_time, serves_first, serves_second},
         .check = both_were_served, .bound = 1);

/* ---- the listener is closed ---- */

static int returns(int fd, void *arg)
{
    (void)arg;
    its_result[fd - CONNECTION] = 0;
    return 0;
}

static int stays(int fd, void *arg)
{
    (void)arg;
    int r = bg_event_wait(&go_on);
    its_result[fd - CONNECTION] = r;
    return r;
}

static void serves_and_drains(void)
{
    serve(returns, &(bg_serve_options){.size = sizeof(bg_serve_options), .drain = BG_FOREVER});
}

static void closes(void)
{
    wt_begin_thread();
    close_listener();
}

static void was_served_or_not_accepted(void)
{
    mc_assert(result == 0 || (result == -EBADF && !accepted));
    mc_assert(its_result[0] == !accepted);
}

MC_MODEL(closed, .name = "serve/close_and_end",
         .says = "who drains waits for the last handler, and nobody touches the server after it",
         .setup = one_comes, .thread = {serves_and_drains, serves_first, closes},
         .check = was_served_or_not_accepted, .bound = 2);

static void found_it_closed(void)
{
    mc_assert(result == 0 || result == -EBADF);
}

MC_MODEL(at_once, .name = "serve/close_as_it_begins",
         .says = "who waits for a connection, or is about to, learns that the listener was closed",
         .setup = nobody_comes, .thread = {serves_and_drains, closes}, .check = found_it_closed);

static void serves_one_that_stays(void)
{
    serve(stays, &(bg_serve_options){.size = sizeof(bg_serve_options), .limit = 1});
}

static void closes_and_time_goes_on(void)
{
    closes();
    time_goes_on();
}

static void was_cancelled(void)
{
    mc_assert(result == 0 || (result == -EBADF && !accepted));
    mc_assert(its_result[0] == -ECANCELED || its_result[0] == 1); /* it had not begun */
}

MC_MODEL(full, .name = "serve/full_and_closed",
         .says = "a server that is full of connections that stay learns that it was closed",
         .setup = one_comes_and_time_goes_on,
         .thread = {serves_one_that_stays, serves_first, closes_and_time_goes_on},
         .check = was_cancelled, .bound = 1);

static void drains_for_a_while(void)
{
    serve(stays, &(bg_serve_options){.size = sizeof(bg_serve_options), .drain = BG_MS});
}

MC_MODEL(while_it_drains, .name = "serve/drained_long_enough",
         .says = "a handler that stays longer than the server drains is cancelled",
         .setup = one_comes_and_time_goes_on,
         .thread = {drains_for_a_while, serves_first, closes_and_time_goes_on},
         .check = was_cancelled, .bound = 1);

/* ---- the server is cancelled ---- */

static void serves_what_stays(void)
{
    serve(stays, &(bg_serve_options){.size = sizeof(bg_serve_options)});
}

static void cancels(void)
{
    wt_begin_thread();
    bgi_task_cancel(rt_task(0));
}

static void both_were_cancelled(void)
{
    mc_assert(result == -ECANCELED);
    mc_assert(its_result[0] == -ECANCELED || its_result[0] == 1);
    mc_outcome(!accepted ? 0 : bgi_load(&tasks) == ENDED ? 1 : its_result[0] == 1 ? 2 : 3);
}

MC_MODEL(cancelled, .name = "serve/cancel",
         .says = "whoever has the connection when the server is cancelled closes it",
         .setup = one_comes, .thread = {serves_what_stays, serves_first, cancels},
         .check = both_were_cancelled, .bound = 2);

static void drains_what_stays(void)
{
    serve(stays, &(bg_serve_options){.size = sizeof(bg_serve_options), .drain = BG_FOREVER});
}

static void cancels_and_lets_go(void)
{
    cancels();
    (void)bg_event_set(&go_on);
}

static void was_let_go(void)
{
    mc_assert(result == -ECANCELED);
    mc_assert(its_result[0] == (bgi_load(&tasks) == ENDED));
}

MC_MODEL(shielded, .name = "serve/cancel_and_drain",
         .says = "a server that was cancelled drains all the same", .setup = one_comes,
         .thread = {drains_what_stays, serves_first, cancels_and_lets_go}, .check = was_let_go,
         .bound = 2);

static void closes_and_cancels(void)
{
    closes();
    bgi_task_cancel(rt_task(0));
    (void)bg_event_set(&go_on);
}

static void has_ended(void)
{
    mc_assert(result == 0 || result == -ECANCELED || (result == -EBADF && !accepted));
    mc_assert(its_result[0] <= 0 || bgi_load(&tasks) == ENDED || result == -ECANCELED);
}

MC_MODEL(both_ends, .name = "serve/close_and_cancel",
         .says = "a close and a cancel at once: it ends, and closes what it has accepted",
         .setup = one_comes, .thread = {drains_what_stays, serves_first, closes_and_cancels},
         .check = has_ended, .bound = 1);

/* ---- the runtime ends ---- */

static void ends_the_runtime(void)
{
    wt_begin_thread();
    mc_await_differs(&tasks, 0);
    bgi_store(&R.stopping, 1);
    bgi_task_cancel(rt_task(1));
    bgi_task_cancel(rt_task(0));
    time_goes_on();
}

MC_MODEL(stops, .name = "serve/runtime_ends",
         .says = "who drains does not wait for a task that will never begin",
         .setup = one_comes_and_time_goes_on,
         .thread = {drains_what_stays, ends_the_runtime, serves_first},
         .check = both_were_cancelled, .bound = 1);

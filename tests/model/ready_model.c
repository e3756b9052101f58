/*
 * io/ready.c, io/call.c and io/port.h: an event against a call that finds nothing, several who wait
 * for one descriptor, a close, and the bell against a worker that goes to sleep.
 *
 * The kernel is a word: how many bytes there are to read.
 */
#include "waiting.h"

#include "io/call.h"
#include "io/ready.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>

static bgi_fd entries[BGI_FD_CHUNK];
static bgi_atomic chunks[1];
static bgi_io IO;
static bgi_atomic bytes, is_open;
static int is_known;  /* it can be found out what the number is */
static int wrote;     /* by who brings them, before */
static int result[3]; /* of each reader */

enum { FD = 1000 }; /* not open */

static int watch(bgi_io *io, bgi_worker *w, bgi_fd *e, int fd)
{
    (void)io;
    (void)w;
    (void)fd;
    bgi_store(&e->port, 1);
    return 0;
}

static void unwatch(bgi_io *io, bgi_fd *e, int fd)
{
    (void)io;
    (void)fd;
    bgi_store(&e->port, 0);
}

static const struct bgi_io_ops kernel = {.watch = watch, .unwatch = unwatch, .nonblocking = 1};

/* A pipe. */
#define OPEN ((bgi_word)(BGI_FD_PIPE | BGI_FD_STREAM | BGI_FD_NONBLOCK))

static bgi_fd *entry(void)
{
    return &entries[FD];
}

static void set_up(bgi_word registered)
{
    wt_setup(3);
    IO.ops = &kernel;
    IO.table.chunk = chunks;
    IO.played = 0;
    R.io = &IO;
    bgi_store(&chunks[0], (bgi_word)entries);
    bgi_fd *e = entry();
    bgi_store(&e->in.word, 0);
    bgi_store(&e->out.word, 0);
    bgi_store(&e->poll.word, 0);
    e->in.first = e->out.first = e->poll.first = NULL;
    bgi_store(&e->port, registered);
    bgi_store(&e->state, OPEN);
    bgi_store(&bytes, 0);
    bgi_store(&is_open, 1);
    is_known = 1;
    wrote = 0;
    for (int i = 0; i < 3; i++) {
        result[i] = 0;
    }
}

static void registered(void)
{
    set_up(1);
}

/* ---- reading ---- */

static ssize_t take_bytes(bgi_call *c, int dontwait)
{
    (void)dontwait;
    bgi_word n = bgi_load_acquire(&bytes);
    if (!bgi_load(&is_open)) {
        return -EBADF;
    }
    while (n != 0) {
        bgi_word want = n < c->size ? n : c->size;
        bgi_word found = bgi_cas_fetch(&bytes, n, n - want);
        if (found == n) {
            return (ssize_t)want;
        }
        n = found;
    }
    return -EAGAIN;
}

static int read_bytes(size_t size)
{
    static const bgi_wait_site site = {"bg_read", "data"};
    (void)wt_begin();
    bgi_call c = {
        .site = &site, .attempt = take_bytes, .fd = FD, .how = BGI_CALL_DRAINS, .size = size};
    int r = (int)bgi_call_make(&c);
    mc_assert(r < 0 || wrote == 1);
    return r;
}

static void read_one(void)
{
    result[mc_self()] = read_bytes(1);
}

/* With room for one more than there may be: the end of what there is shows. */
static void read_some(void)
{
    result[mc_self()] = read_bytes(3);
}

static void read_two(void)
{
    int n = 0;
    while (n < 2) {
        n += read_bytes(3);
    }
    result[mc_self()] = n;
}

static void bring(bgi_word n)
{
    bgi_worker *w = &W[mc_self()];
    bgi_worker_is(w);
    w->current = NULL;
    if (!wrote) {
        wrote = 1;
    }
    (void)bgi_fetch_add(&bytes, n);
    bgi_wake_list l = {NULL, NULL};
    bgi_ready_event(entry(), POLLIN | POLLOUT, &l);
    (void)bgi_ready_wake(&l, w);
}

static void bring_one(void)
{
    bring(1);
}

static void bring_two(void)
{
    bring(2);
}

static void bring_one_and_one(void)
{
    bring(1);
    bring(1);
}

static void first_has_read(void)
{
    mc_assert(result[0] > 0 && bgi_load(&bytes) == 0);
    mc_assert(entry()->in.first == NULL);
}

static void both_have_read(void)
{
    mc_assert(result[0] == 1 && result[1] == 1 && bgi_load(&bytes) == 0);
    mc_assert(entry()->in.first == NULL);
}

MC_MODEL(one, .name = "ready/event_and_read", .says = "an event reaches who is about to wait",
         .setup = registered, .thread = {read_some, bring_one}, .check = first_has_read);

MC_MODEL(one_by_one, .name = "ready/two_events",
         .says = "a call that drained leaves no byte that came just then", .setup = registered,
         .thread = {read_two, bring_one_and_one}, .check = first_has_read);

MC_MODEL(two, .name = "ready/two_readers",
         .says = "an event for two bytes reaches both readers, one after the other", .bound = 2,
         .setup = registered, .thread = {read_one, read_one, bring_two}, .check = both_have_read);

/* ---- waiting for an event ---- */

static void poll_for_it(void)
{
    static const bgi_wait_site site = {"bg_poll", "events"};
    bg_task *self = wt_begin();
    result[0] = bgi_ready_poll(entry(), FD, POLLIN, OPEN, &self->waiter, &site);
}

/* In the place of poll(2). */
int __wrap_poll(struct pollfd *p, nfds_t n, int timeout);
int __wrap_poll(struct pollfd *p, nfds_t n, int timeout)
{
    (void)n;
    mc_assert(timeout == 0);
    p->revents = bgi_load_acquire(&bytes) != 0 ? POLLIN : 0;
    return p->revents != 0;
}

static void it_has_come(void)
{
    mc_assert(result[0] == POLLIN && entry()->poll.first == NULL);
}

MC_MODEL(polled, .name = "ready/event_and_poll", .says = "an event reaches who polls",
         .setup = registered, .thread = {poll_for_it, bring_one}, .check = it_has_come);

/* ---- the end ---- */

int serve_model_getfd(int fd);

/* What a runtime finds out about a number: as long as it is open, a pipe. */
int __wrap_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, ...)
{
    if (command == F_GETFD) {
        return serve_model_getfd(fd);
    }
    mc_assert(fd == FD && command == F_GETFL);
    if (is_known && bgi_load(&is_open)) {
        return O_NONBLOCK;
    }
    errno = EBADF;
    return -1;
}

int __wrap_fstat(int fd, struct stat *st);
int __real_fstat(int fd, struct stat *st);
int __wrap_fstat(int fd, struct stat *st)
{
    if (fd != FD) {
        return __real_fstat(fd, st); /* the engine's */
    }
    st->st_mode = S_IFIFO;
    return 0;
}

void __wrap_bg_yield(void);
void __wrap_bg_yield(void)
{
    bgi_pause();
}

static void close_it(void)
{
    wt_begin_thread();
    bgi_fd_closed(&IO, entry(), FD, BGI_FD_CLOSING);
    bgi_store(&is_open, 0);
    bgi_fd_close_made(entry());
}

/* Only who has begun with it before. */
static void forget_it(void)
{
    wt_begin_thread();
    bgi_fd_closed(&IO, entry(), FD, 0);
}

static void forgotten(void)
{
    set_up(1);
    is_known = 0;
}

static void nobody_waits(void)
{
    mc_assert(result[0] == -EBADF || (result[0] == 1 && bgi_load(&bytes) == 0));
    mc_assert(entry()->in.first == NULL && entry()->poll.first == NULL);
    mc_assert(bgi_load(&entry()->in.word) == 0 || result[0] != -EBADF || wrote);
}

static void unregistered(void)
{
    set_up(0);
}

static void poller_is_told(void)
{
    mc_assert(result[0] == -EBADF && entry()->poll.first == NULL);
}

MC_MODEL(closed, .name = "ready/close_and_read", .says = "a close ends the wait",
         .setup = registered, .thread = {read_one, close_it}, .check = nobody_waits);

MC_MODEL(closed_early, .name = "ready/close_and_first_read",
         .says = "likewise of who is about to register", .setup = unregistered,
         .thread = {read_one, close_it}, .check = nobody_waits);

MC_MODEL(closed_poll, .name = "ready/close_and_poll", .says = "likewise of who polls",
         .setup = registered, .thread = {poll_for_it, close_it}, .check = poller_is_told);

MC_MODEL(closed_or_read, .name = "ready/close_event_and_read",
         .says = "a byte that comes with the close is read, or the read fails", .bound = 2,
         .setup = forgotten, .thread = {read_one, forget_it, bring_one}, .check = nobody_waits);

/* ---- a close, and the first entry ---- */

static bgi_fd_close the_close;

static void without_entry(void)
{
    set_up(0);
    bgi_store(&chunks[0], 0);
    bgi_store(&entry()->state, 0);
}

/* As io/io.c. */
static void close_as_a_program(void)
{
    wt_begin_thread();
    bgi_lock_acquire(&bgi_fd_tables);
    bgi_fd_close_begins(&the_close, FD);
    bgi_fd *e = bgi_fd_find(&IO.table, FD);
    if (e != NULL) {
        bgi_fd_closed(&IO, e, FD, BGI_FD_CLOSING);
    }
    bgi_lock_release(&bgi_fd_tables);
    bgi_store(&is_open, 0);
    bgi_lock_acquire(&bgi_fd_tables);
    e = bgi_fd_find(&IO.table, FD);
    if (bgi_fd_close_ends(&the_close) && e != NULL) {
        bgi_fd_close_made(e);
    }
    bgi_lock_release(&bgi_fd_tables);
}

static void make(void)
{
    wt_begin_thread();
    mc_assert(bgi_fd_put_chunk(&IO.table, 0, entries));
}

static void make_and_read(void)
{
    make();
    read_one();
}

static void read_if_made(void)
{
    if (bgi_fd_find(&IO.table, FD) != NULL) {
        read_one();
    }
}

static void all_are_told(void)
{
    for (int i = 0; i < 3; i++) {
        mc_assert(result[i] == 0 || result[i] == -EBADF);
    }
    mc_assert(entry()->in.first == NULL && !bgi_fd_is_closing(bgi_load(&entry()->state)));
}

MC_MODEL(closed_unmade, .name = "ready/close_and_entry",
         .says = "who makes the entry of a number that is being closed waits for that", .bound = 2,
         .setup = without_entry, .thread = {make_and_read, close_as_a_program},
         .check = all_are_told);

MC_MODEL(closed_made, .name = "ready/close_entry_and_read",
         .says = "likewise who finds an entry that was made meanwhile", .bound = 2,
         .setup = without_entry, .thread = {make, close_as_a_program, read_if_made},
         .check = all_are_told);

/* ---- the bell ---- */

static bgi_port port;
static bgi_atomic bell;

int __wrap_eventfd_write(int fd, eventfd_t n);
int __wrap_eventfd_write(int fd, eventfd_t n)
{
    mc_assert(fd == 5 && n == 1);
    (void)bgi_cas(&bell, 0, 1);
    (void)bgi_futex_wake(&bell, 1);
    return 0;
}

static void with_a_bell(void)
{
    wt_setup(2);
    bgi_ec_node_init(&W[0].node);
    bgi_store(&port.sleeping, 0);
    port.bell = 0;
    bgi_store(&bell, 0);
    wrote = 0;
}

static void sleep_until_notified(void)
{
    bgi_worker_is(&W[0]);
    port.bell = 5; /* as it is opened */
    if (bgi_port_sleep(&port, &W[0].node)) {
        while (!bgi_cas(&bell, 1, 0)) {
            (void)bgi_futex_wait(&bell, 0, -1);
        }
    }
    bgi_port_awake(&port, &W[0].node);
    mc_assert(wrote == 1);
}

static void notify_it(void)
{
    wt_begin_thread();
    wrote = 1;
    bgi_ec_kick(&W[0].node);
    bgi_port_wake(&port);
}

static void is_awake(void)
{
    mc_assert(bgi_load(&port.sleeping) == 0 && !bgi_ec_notified(&W[0].node));
}

MC_MODEL(rung, .name = "ready/bell",
         .says = "a worker that goes to sleep in its port hears the bell", .setup = with_a_bell,
         .thread = {sleep_until_notified, notify_it}, .check = is_awake);

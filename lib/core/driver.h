/*
 * The driver: how an idle worker waits for the outside world.
 *
 * A worker with nothing to do waits in the driver: for a wake-up, for what it has asked the system
 * for, and, if it leads (core/park.c), until the earliest timer of all workers. What a worker has
 * asked for comes to that worker: it finds it when it waits, or when it polls, now and then while
 * it is busy. When the monitor finds that it does neither, others poll in its place.
 *
 * The default driver waits for nothing but wake-ups and the time: core/park.c has it. The ones for
 * descriptors wait in epoll or io_uring (lib/io).
 */
#ifndef BGI_DRIVER_H
#define BGI_DRIVER_H

#include <brigade/types.h>

struct bgi_worker;

typedef struct bgi_driver bgi_driver;

struct bgi_driver_ops {
    const char *name;
    /* The worker waits: until `deadline` (BG_TIME_MAX: none), an event, or wake. It does not wait
     * when its node has been notified or kicked (queue/eventcount.h). What has become ready is in
     * its run queue afterwards. */
    void (*wait)(bgi_driver *d, struct bgi_worker *w, bg_time deadline);
    /* Ends the wait of worker `w`, now or the next one, when its node has been notified or kicked.
     * Any thread, any number of times. NULL when waiting on the node is all that wait does. */
    void (*wake)(bgi_driver *d, struct bgi_worker *w);
    /* The worker, without waiting: what has come for `of`, itself or one that is held up, goes to
     * the worker's own run queue; how many. */
    size_t (*poll)(bgi_driver *d, struct bgi_worker *w, struct bgi_worker *of);
    /* Whether polling for `of` is due: something has come, or is still to be asked for. Any thread;
     * takes nothing. */
    int (*pending)(bgi_driver *d, struct bgi_worker *of);
    /* Of the deterministic mode: nothing can run. As poll, and if `wait` and anybody waits for the
     * outside, waits until something comes. */
    size_t (*play)(bgi_driver *d, struct bgi_worker *w, int wait);
};

struct bgi_driver {
    const struct bgi_driver_ops *ops;
};

extern bgi_driver bgi_driver_default;

#endif

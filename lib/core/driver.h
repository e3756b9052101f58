/*
 * The driver: how an idle worker waits for the outside world.
 *
 * One idle worker at a time holds the role of poller. It waits in the driver until the earliest
 * timer of all workers; the other idle ones just sleep. The poller gives the role back before it
 * runs anything. A worker that is busy polls without waiting now and then (poll).
 *
 * The default driver waits for nothing but wake-ups and the time: core/park.c has it. One for
 * descriptors waits in epoll or io_uring, and makes tasks ready through bgi_push as it finds them.
 */
#ifndef BGI_DRIVER_H
#define BGI_DRIVER_H

#include <brigade/types.h>

struct bgi_worker;

typedef struct bgi_driver bgi_driver;

struct bgi_driver_ops {
    const char *name;
    /* The poller waits: until `deadline` (BG_TIME_MAX: none), an event, or wake. It does not wait
     * when the node's word says that it was notified before it became the leader: who notified it
     * then knew of no leader to wake. */
    void (*wait)(bgi_driver *d, struct bgi_worker *w, bg_time deadline);
    /* Ends the wait of worker `w`, now or the next one, when its node has been notified or kicked.
     * Any thread, any number of times. NULL when waiting on the node is all that wait does. */
    void (*wake)(bgi_driver *d, struct bgi_worker *w);
    /* Makes ready what is ready, without waiting; returns how many. May be NULL. */
    size_t (*poll)(bgi_driver *d, struct bgi_worker *w);
};

struct bgi_driver {
    const struct bgi_driver_ops *ops;
};

extern bgi_driver bgi_driver_default;

#endif

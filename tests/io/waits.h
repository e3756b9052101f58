/*
 * Whether anybody waits for a descriptor, so that a test can act just then.
 */
#ifndef TESTS_IO_WAITS_H
#define TESTS_IO_WAITS_H

#include "io/io.h"

#include <brigade/task.h>

/* In a task: yields until somebody of its runtime waits to read, write or poll. */
static inline void until_somebody_waits(int fd)
{
    bgi_io *io = bgi_task_runtime(bg_self())->io;
    for (;;) {
        bgi_fd *e = bgi_fd_find(&io->table, fd);
        if (e != NULL) {
            int operation = io->ops->perform != NULL && bgi_load_acquire(&e->port) != 0;
            bgi_word queued = bgi_load_acquire(&e->in.word) | bgi_load_acquire(&e->out.word) |
                              bgi_load_acquire(&e->poll.word);
            if (operation || (queued & BGI_WAITQ_QUEUED) != 0) {
                return;
            }
        }
        bg_yield();
    }
}

#endif

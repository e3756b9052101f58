/*
 * The record of a process.
 */
#ifndef BGI_PROCESS_H
#define BGI_PROCESS_H

#include "arch/lock.h"

#include <brigade/process.h>

struct bg_process {
    bgi_lock lock;
    pid_t pid;
    int has_group;
    int pidfd;   /* -1: none; under the lock */
    int reaped;  /* 0 -> 1, under the lock; what follows is constant after that */
    int failure; /* 0, or why there is no status */
    bg_process_status status;
    int pipe[3]; /* our ends; -1: none, or taken */
};

int bgi_process_wait_blocking(bg_process *p, bg_duration most, bg_process_status *status);

#endif

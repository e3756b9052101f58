/*
 * Pieces of work, each in a process of its own: a model that is weakened may do anything, and what
 * one has learned or mapped is no business of the next.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

/* Zeroed memory that the processes write and the first one reads. */
void *jobs_shared(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) {
        perror("models: mmap");
        exit(2);
    }
    return p;
}

/* In a process of jobs_run: it dies once it has computed so long from now on. Not by the clock on
 * the wall: how busy the machine is decides nothing. */
void jobs_hang_after(unsigned cpu_seconds)
{
    struct itimerval after = {.it_value.tv_sec = (time_t)cpu_seconds};
    (void)setitimer(ITIMER_PROF, &after, NULL);
}

/* Runs work(i) for all i below n, `jobs` at a time; died(i) is told of those that did not end by
 * themselves. */
void jobs_run(unsigned n, unsigned jobs, void (*work)(unsigned), void (*died)(unsigned))
{
    struct {
        pid_t pid;
        unsigned of;
    } busy[64] = {{0, 0}};
    unsigned next = 0, running = 0;
    jobs = jobs == 0 ? 1 : jobs > 64 ? 64 : jobs;
    (void)fflush(stdout);
    while (next < n || running > 0) {
        while (next < n && running < jobs) {
            pid_t pid = fork();
            if (pid == 0) {
                work(next);
                (void)fflush(stdout);
                _exit(0);
            }
            if (pid < 0) {
                perror("models: fork");
                exit(2);
            }
            for (unsigned k = 0; k < jobs; k++) {
                if (busy[k].pid == 0) {
                    busy[k].pid = pid;
                    busy[k].of = next;
                    break;
                }
            }
            next++;
            running++;
        }
        int status;
        pid_t pid = wait(&status);
        for (unsigned k = 0; k < jobs && pid > 0; k++) {
            if (busy[k].pid == pid) {
                busy[k].pid = 0;
                running--;
                if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
                    died(busy[k].of);
                }
            }
        }
    }
}

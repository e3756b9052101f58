/*
 * How many threads the process has, for tests of what is left when all has ended.
 */
#ifndef TESTS_SUPPORT_THREADS_H
#define TESTS_SUPPORT_THREADS_H

#include <dirent.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

static inline size_t count_threads(void)
{
    size_t n = 0;
    DIR *dir = opendir("/proc/self/task");
    if (dir == NULL) {
        return 0;
    }
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        n += e->d_name[0] != '.';
    }
    (void)closedir(dir);
    return n;
}

static inline void *tell_number(void *arg)
{
    *(pid_t *)arg = gettid();
    return NULL;
}

/* How many threads there are, those included that a sanitizer starts with the first one. */
static inline size_t usual_threads(void)
{
    static const struct timespec pause = {0, 100000};
    pthread_t first;
    pid_t number = 0;
    char path[64];
    if (pthread_create(&first, NULL, tell_number, &number) == 0) {
        (void)pthread_join(first, NULL);
        (void)snprintf(path, sizeof path, "/proc/self/task/%ld", (long)number);
        while (access(path, F_OK) == 0) { /* it is listed for a moment longer */
            (void)nanosleep(&pause, NULL);
        }
    }
    return count_threads();
}

/* A thread that has been joined may be listed for a moment longer: waits for it to go. Whether
 * there came to be no more than n. */
static inline int threads_settle(size_t n)
{
    static const struct timespec pause = {0, 1000000};
    for (int i = 0; i < 30000; i++) {
        if (count_threads() <= n) {
            return 1;
        }
        (void)nanosleep(&pause, NULL);
    }
    return 0;
}

#endif

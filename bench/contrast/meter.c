/*
 * Readings of the clock, of rusage and of /proc. The /proc files are read with plain calls into the
 * caller's stack: stdio would allocate, in each of thousands of processes, and show in the figure.
 */
#include "meter.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

int64_t meter_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int64_t usage_ns(int who)
{
    struct rusage u;
    if (getrusage(who, &u) < 0)
        return 0;
    return ((int64_t)u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000000 +
           ((int64_t)u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1000;
}

static int64_t cpu_ns(void)
{
    return usage_ns(RUSAGE_SELF) + usage_ns(RUSAGE_CHILDREN);
}

static size_t slurp(const char *path, char *text, size_t room)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    size_t n = 0;
    ssize_t got;
    while (n + 1 < room && (got = read(fd, text + n, room - 1 - n)) > 0)
        n += (size_t)got;
    close(fd);
    text[n] = '\0';
    return n;
}

/* The number after "\nKey:", 0 when there is none. */
static uint64_t field(const char *text, const char *key)
{
    const char *at = strstr(text, key);
    return at ? strtoull(at + strlen(key), NULL, 10) : 0;
}

uint64_t meter_peak_memory(void)
{
    char text[4096];
    slurp("/proc/self/status", text, sizeof text);
    return field(text, "\nVmHWM:") * 1024;
}

uint64_t meter_private_memory(void)
{
    char text[4096];
    slurp("/proc/self/smaps_rollup", text, sizeof text);
    return (field(text, "\nPrivate_Clean:") + field(text, "\nPrivate_Dirty:")) * 1024;
}

void meter_see_threads(const struct run *run)
{
    char text[4096];
    slurp("/proc/self/status", text, sizeof text);
    counter_raise(&run->shared->threads, (bgi_word)field(text, "\nThreads:"));
}

void meter_start(struct meter *m)
{
    m->cpu = cpu_ns();
    m->wall = meter_now();
}

void meter_stop(const struct meter *m, const struct run *run, struct outcome *out)
{
    out->wall_ns = meter_now() - m->wall;
    out->cpu_ns = cpu_ns() - m->cpu;
    out->memory = meter_peak_memory();
    meter_see_threads(run);
    out->threads = bgi_load(&run->shared->threads.value);
    out->waiting = bgi_load(&run->shared->waiting.peak);
}

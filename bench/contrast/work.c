/*
 * The task itself and the shared counters; see work.h for who writes what.
 *
 * Tasks take their files largest first: it is the order that lets a pool of any kind end together,
 * and it is the same for every mode.
 */
#include "work.h"

#include "fetch.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

bool job_waits(enum job_kind kind)
{
    return kind != JOB_CPU;
}

bool job_hashes(enum job_kind kind)
{
    return kind != JOB_IO;
}

const char *job_name(enum job_kind kind)
{
    static const char *const names[JOB_COUNT] = {"cpu", "io", "mixed"};
    return names[kind];
}

size_t shared_size(size_t n)
{
    return sizeof(struct shared) + n * sizeof(struct slot);
}

struct shared *shared_create(size_t n, int *fd, int *error)
{
    void *map = MAP_FAILED;
    *fd = memfd_create("brigade-contrast", MFD_CLOEXEC);
    if (*fd >= 0 && ftruncate(*fd, (off_t)shared_size(n)) == 0)
        map = mmap(NULL, shared_size(n), PROT_READ | PROT_WRITE, MAP_SHARED, *fd, 0);
    if (map == MAP_FAILED) {
        *error = -errno;
        if (*fd >= 0)
            close(*fd);
        return NULL;
    }
    return map;
}

void shared_clear(struct shared *s, size_t n)
{
    memset(s, 0, shared_size(n));
}

static void raise_to(bgi_atomic *peak, bgi_word to)
{
    bgi_word seen = bgi_load(peak);
    while (seen < to) {
        bgi_word found = bgi_cas_fetch(peak, seen, to);
        if (found == seen)
            return;
        seen = found;
    }
}

void highwater_enter(struct highwater *h)
{
    raise_to(&h->peak, bgi_fetch_add(&h->now, 1) + 1);
}

void highwater_leave(struct highwater *h)
{
    (void)bgi_fetch_sub(&h->now, 1);
}

void counter_raise(struct counter *c, bgi_word to)
{
    raise_to(&c->value, to);
}

static int sleep_thread(int64_t ns)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    int64_t nsec = at.tv_nsec + ns % 1000000000;
    at.tv_sec += (time_t)(ns / 1000000000 + nsec / 1000000000);
    at.tv_nsec = (long)(nsec % 1000000000);
    int rc;
    do
        rc = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
    while (rc == EINTR);
    return -rc;
}

int wait_thread(const struct run *run)
{
    return run->port ? fetch(run->port, &thread_calls) : sleep_thread(run->wait_ns);
}

static void hash_task(const struct run *run, size_t i)
{
    size_t which = run->files->by_size[i];
    const struct file *f = &run->files->file[which];
    struct slot *slot = &run->shared->slots[which];
    int rc = hash_file(f->path, f->size, slot->digest);
    slot->status = rc == 0 ? SLOT_HASHED : rc;
}

int work_task(const struct run *run, size_t i, wait_fn wait)
{
    struct shared *s = run->shared;
    if (job_waits(run->kind)) {
        highwater_enter(&s->waiting);
        int rc = wait(run);
        highwater_leave(&s->waiting);
        if (rc < 0)
            return rc;
    }
    if (job_hashes(run->kind))
        hash_task(run, i);
    (void)bgi_fetch_add(&s->done.value, 1);
    return 0;
}

/*
 * Reads the limits from /proc, getrlimit and the cgroup's files (version 2 and version 1). A limit
 * that cannot be read does not count: the system then says no by itself.
 */
#include "limits.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define UNLIMITED UINT64_MAX
#define LOOK_EVERY 256

/* The first number of a file; UNLIMITED for "max", for v1's huge "no limit", or without the file.
 */
static uint64_t number_in(const char *path)
{
    FILE *f = fopen(path, "re");
    if (f == NULL)
        return UNLIMITED;
    uint64_t n;
    if (fscanf(f, "%" SCNu64, &n) != 1 || n > (uint64_t)1 << 60)
        n = UNLIMITED;
    fclose(f);
    return n;
}

/* Threads the whole system has now: the number after the slash in "0.1 0.2 0.3 2/345 678". */
static uint64_t system_threads(void)
{
    FILE *f = fopen("/proc/loadavg", "re");
    if (f == NULL)
        return 0;
    uint64_t n;
    if (fscanf(f, "%*s %*s %*s %*u/%" SCNu64, &n) != 1)
        n = 0;
    fclose(f);
    return n;
}

static uint64_t memory_available(void)
{
    char line[128];
    uint64_t kib = UNLIMITED;
    FILE *f = fopen("/proc/meminfo", "re");
    if (f == NULL)
        return UNLIMITED;
    while (fgets(line, sizeof line, f))
        if (sscanf(line, "MemAvailable: %" SCNu64, &kib) == 1)
            break;
    fclose(f);
    return kib == UNLIMITED ? UNLIMITED : kib * 1024;
}

/* limit - use of one cgroup controller: version 2's files first, then version 1's; a container
 * may see its own group as the root. */
static uint64_t cgroup_left(const char *controller, const char *const names[4])
{
    char line[1024];
    uint64_t left = UNLIMITED;
    FILE *f = fopen("/proc/self/cgroup", "re");
    if (f == NULL)
        return UNLIMITED;
    while (fgets(line, sizeof line, f)) {
        line[strcspn(line, "\n")] = '\0';
        char *list = strchr(line, ':');
        char *path = list ? strchr(list + 1, ':') : NULL;
        if (path == NULL)
            continue;
        *path++ = '\0';
        bool v2 = list[1] == '\0';
        if (!v2 && strcmp(list + 1, controller) != 0)
            continue;
        const char *const own[2] = {path, ""};
        for (size_t i = 0; i < 2; i++) {
            char at[1400];
            uint64_t limit, used;
            const char *sub = v2 ? "" : controller;
            snprintf(at, sizeof at, "/sys/fs/cgroup/%s%s/%s", sub, own[i], names[v2 ? 0 : 2]);
            limit = number_in(at);
            snprintf(at, sizeof at, "/sys/fs/cgroup/%s%s/%s", sub, own[i], names[v2 ? 1 : 3]);
            used = number_in(at);
            if (limit == UNLIMITED || used == UNLIMITED)
                continue;
            uint64_t rest = limit > used ? limit - used : 0;
            left = rest < left ? rest : left;
        }
    }
    fclose(f);
    return left;
}

static uint64_t memory_left(void)
{
    static const char *const names[4] = {"memory.max", "memory.current", "memory.limit_in_bytes",
                                         "memory.usage_in_bytes"};
    uint64_t a = memory_available(), b = cgroup_left("memory", names);
    return a < b ? a : b;
}

static void lower(struct limits *l, uint64_t limit, uint64_t used, const char *which)
{
    if (limit == UNLIMITED)
        return;
    uint64_t left = limit > used ? limit - used : 0;
    left -= left / 10;
    if (left < l->most) {
        l->most = left;
        l->which = which;
    }
}

void limits_read(struct limits *l)
{
    static const char *const names[4] = {"pids.max", "pids.current", "pids.max", "pids.current"};
    uint64_t now = system_threads();
    struct rlimit r;
    *l = (struct limits){.most = UNLIMITED, .which = "", .reserve = 0};
    lower(l, number_in("/proc/sys/kernel/pid_max"), now, "kernel.pid_max");
    lower(l, number_in("/proc/sys/kernel/threads-max"), now, "kernel.threads-max");
    lower(l, cgroup_left("pids", names), 0, "the cgroup's pids.max");
    if (getrlimit(RLIMIT_NPROC, &r) == 0 && r.rlim_cur != RLIM_INFINITY)
        lower(l, r.rlim_cur, 0, "ulimit -u");
    uint64_t memory = memory_left();
    l->reserve = memory == UNLIMITED ? 0 : memory / 4;
}

bool limits_allow(const struct limits *l, uint64_t started, const char **why)
{
    if (started >= l->most) {
        *why = l->which;
        return false;
    }
    if (started % LOOK_EVERY == LOOK_EVERY - 1 && memory_left() < l->reserve) {
        *why = "memory";
        return false;
    }
    return true;
}

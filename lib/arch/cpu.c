/*
 * Reading of affinity and quota.
 *
 * /proc/self/cgroup names the group of the process in each hierarchy: "4:cpu,cpuacct:/a/b" in
 * version 1, "0::/a/b" in version 2. /proc/self/mountinfo tells where a hierarchy is mounted, and
 * which of its groups is the root of that mount: in a container that is often the group itself, and
 * then the group's path is to be taken relative to it. A limit binds all groups below it, so each
 * directory from the group's up to the mount point counts, and the smallest ratio wins.
 *
 * Formats: cgroups(7), proc(5), the kernel's admin-guide/cgroup-v2 and scheduler/sched-bwc.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif

#include "arch/cpu.h"

#include "arch/topology.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A hierarchy which may hold a quota, while it is being looked for. */
struct hierarchy {
    int version;
    char group[PATH_MAX]; /* of this process; empty while unknown */
};

static int min_limit(int a, int b)
{
    if (a == 0 || b == 0) {
        return a + b;
    }
    return a < b ? a : b;
}

/* CPUs for quota microseconds in each period, rounded up; 0 for nonsense. */
static int cpus_of(long long quota, long long period)
{
    if (quota <= 0 || period <= 0) {
        return 0;
    }
    long long cpus = quota / period + (quota % period != 0);
    return cpus > INT_MAX ? INT_MAX : (int)cpus;
}

/* The first line of root + dir + "/" + file; 0 when there is none. */
static int read_line(const char *root, const char *dir, const char *file, char *line, int size)
{
    char path[2 * PATH_MAX];
    int n = snprintf(path, sizeof path, "%s%s/%s", root, dir, file);
    if (n < 0 || (size_t)n >= sizeof path) {
        return 0;
    }
    FILE *f = fopen(path, "re");
    if (!f) {
        return 0;
    }
    int ok = fgets(line, size, f) != NULL;
    (void)fclose(f);
    return ok;
}

/* Reads a whole decimal number that ends at a blank or the end of the line. */
static int parse(const char *text, long long *value, const char **rest)
{
    char *end;
    errno = 0;
    *value = strtoll(text, &end, 10);
    if (end == text || errno != 0 || (*end != '\0' && *end != '\n' && *end != ' ')) {
        return 0;
    }
    *rest = end;
    return 1;
}

static int limit_at(const char *root, const char *dir, int version)
{
    char line[128];
    const char *rest;
    long long quota;
    long long period;
    if (version == 2) { /* "max 100000" or "150000 100000" */
        return read_line(root, dir, "cpu.max", line, sizeof line) && parse(line, &quota, &rest) &&
                       parse(rest, &period, &rest)
                   ? cpus_of(quota, period)
                   : 0;
    }
    if (!read_line(root, dir, "cpu.cfs_quota_us", line, sizeof line) ||
        !parse(line, &quota, &rest) || /* -1: none */
        !read_line(root, dir, "cpu.cfs_period_us", line, sizeof line) ||
        !parse(line, &period, &rest)) {
        return 0;
    }
    return cpus_of(quota, period);
}

/* The tightest limit from mount + group up to mount. */
static int limit_along(const char *root, const char *mount, const char *group, int version)
{
    char dir[2 * PATH_MAX];
    int n = snprintf(dir, sizeof dir, "%s%s", mount, group);
    if (n < 0 || (size_t)n >= sizeof dir) {
        return 0;
    }
    size_t stop = strlen(mount);
    int limit = 0;
    for (;;) {
        limit = min_limit(limit, limit_at(root, dir, version));
        char *slash = strrchr(dir + stop, '/');
        if (!slash) {
            return limit;
        }
        *slash = '\0';
    }
}

/* Whether `word` is one of the comma-separated words of `list`. */
static int has_word(const char *list, const char *word)
{
    size_t len = strlen(word);
    for (const char *p = list; (p = strstr(p, word)) != NULL; p += len) {
        if ((p == list || p[-1] == ',') && (p[len] == ',' || p[len] == '\0')) {
            return 1;
        }
    }
    return 0;
}

/* Fills in the groups of this process. */
static void find_groups(const char *root, struct hierarchy *v1, struct hierarchy *v2)
{
    char path[PATH_MAX];
    int n = snprintf(path, sizeof path, "%s/proc/self/cgroup", root);
    FILE *f = n > 0 && (size_t)n < sizeof path ? fopen(path, "re") : NULL;
    if (!f) {
        return;
    }
    char *line = NULL;
    size_t size = 0;
    while (getline(&line, &size, f) > 0) {
        line[strcspn(line, "\n")] = '\0';
        char *controllers = strchr(line, ':');
        char *group = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!group || group[1] != '/' || strlen(group + 1) >= PATH_MAX) {
            continue;
        }
        *controllers++ = '\0';
        *group++ = '\0';
        if (strcmp(line, "0") == 0 && *controllers == '\0') {
            strcpy(v2->group, group);
        } else if (has_word(controllers, "cpu")) {
            strcpy(v1->group, group);
        }
    }
    free(line);
    (void)fclose(f);
}

/* Undoes mountinfo's octal escapes of blanks and backslashes, in place. */
static void unescape(char *s)
{
    char *to = s;
    while (*s) {
        if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' && s[2] <= '7' &&
            s[3] >= '0' && s[3] <= '7') {
            *to++ = (char)((s[1] - '0') * 64 + (s[2] - '0') * 8 + (s[3] - '0'));
            s += 4;
        } else {
            *to++ = *s++;
        }
    }
    *to = '\0';
}

/* The group's path below the group that the mount shows at its mount point. */
static const char *below(const char *group, const char *mount_root)
{
    size_t len = strcmp(mount_root, "/") == 0 ? 0 : strlen(mount_root);
    if (strncmp(group, mount_root, len) != 0 || (group[len] != '/' && group[len] != '\0')) {
        return ""; /* outside: only the mount point itself can be seen */
    }
    group += len;
    if (strstr(group, "/..")) {
        return "";
    }
    return strcmp(group, "/") == 0 ? "" : group;
}

/* One line of mountinfo: the limit of the hierarchy mounted there, if it is one of ours. */
static int limit_of_mount(const char *root, char *line, const struct hierarchy *v1,
                          const struct hierarchy *v2)
{
    /* 36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue */
    char *save;
    char *field[5];
    char *word = strtok_r(line, " \n", &save);
    for (int i = 0; i < 5; i++) {
        if (!word) {
            return 0;
        }
        field[i] = word;
        word = strtok_r(NULL, " \n", &save);
    }
    while (word && strcmp(word, "-") != 0) {
        word = strtok_r(NULL, " \n", &save);
    }
    const char *type = word ? strtok_r(NULL, " \n", &save) : NULL;
    const char *source = type ? strtok_r(NULL, " \n", &save) : NULL;
    const char *options = source ? strtok_r(NULL, " \n", &save) : NULL;
    const struct hierarchy *h = NULL;
    if (type && strcmp(type, "cgroup2") == 0) {
        h = v2;
    } else if (type && strcmp(type, "cgroup") == 0 && options && has_word(options, "cpu")) {
        h = v1;
    }
    if (!h || !*h->group) {
        return 0;
    }
    unescape(field[3]);
    unescape(field[4]);
    return limit_along(root, field[4], below(h->group, field[3]), h->version);
}

int bgi_cpu_quota(const char *root)
{
    char path[PATH_MAX];
    int n = snprintf(path, sizeof path, "%s/proc/self/mountinfo", root);
    FILE *f = n > 0 && (size_t)n < sizeof path ? fopen(path, "re") : NULL;
    if (!f) {
        return 0;
    }
    struct hierarchy v1 = {1, ""};
    struct hierarchy v2 = {2, ""};
    find_groups(root, &v1, &v2);
    int limit = 0;
    char *line = NULL;
    size_t size = 0;
    while (getline(&line, &size, f) > 0) {
        limit = min_limit(limit, limit_of_mount(root, line, &v1, &v2));
    }
    free(line);
    (void)fclose(f);
    return limit;
}

int bgi_cpu_affinity(void)
{
    bgi_cpu_set set;
    int count = 0;
    if (bgi_cpu_set_get(&set) == 0) {
        for (size_t i = 0; i < set.size / sizeof *set.bits; i++) {
            count += __builtin_popcountl(set.bits[i]);
        }
    }
    if (count > 0) {
        return count;
    }
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online < 1 ? 1 : online > INT_MAX ? INT_MAX : (int)online;
}

int bgi_cpu_count(void)
{
    return min_limit(bgi_cpu_affinity(), bgi_cpu_quota(""));
}

/*
 * CPUs: affinity as the system tells it, quotas from trees of files made for the purpose.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif

#include "arch/cpu.h"

#include <criterion/criterion.h>

#include <errno.h>
#include <ftw.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[64];

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    return remove(path);
}

static void make_root(void)
{
    const char *tmp = "/tmp/brigade-cpu-XXXXXX";
    strcpy(root, tmp);
    cr_assert_not_null(mkdtemp(root));
}

static void remove_root(void)
{
    (void)nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

TestSuite(cpu, .init = make_root, .fini = remove_root);

/* Writes root + path, with the directories above it. */
static void file(const char *path, const char *text)
{
    char full[512];
    (void)snprintf(full, sizeof full, "%s%s", root, path);
    for (char *p = strchr(full + strlen(root) + 1, '/'); p; p = strchr(p + 1, '/')) {
        *p = '\0';
        cr_assert(mkdir(full, 0700) == 0 || errno == EEXIST, "%s", full);
        *p = '/';
    }
    FILE *f = fopen(full, "w");
    cr_assert_not_null(f, "%s", full);
    (void)fputs(text, f);
    cr_assert_eq(fclose(f), 0);
}

#define V2_MOUNT "31 23 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
#define V1_MOUNT                                                                                   \
    "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct\n"
#define OTHER_MOUNTS                                                                               \
    "23 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"                                      \
    "33 31 0:30 / /sys/fs/cgroup/cpuset rw,relatime - cgroup cgroup rw,cpuset\n"

Test(cpu, version_2)
{
    file("/proc/self/cgroup", "0::/user/job\n");
    file("/proc/self/mountinfo", OTHER_MOUNTS V2_MOUNT);
    cr_assert_eq(bgi_cpu_quota(root), 0); /* no files at all */
    file("/sys/fs/cgroup/user/job/cpu.max", "max 100000\n");
    cr_assert_eq(bgi_cpu_quota(root), 0);
    file("/sys/fs/cgroup/user/job/cpu.max", "150000 100000\n");
    cr_assert_eq(bgi_cpu_quota(root), 2);
    file("/sys/fs/cgroup/user/job/cpu.max", "200000 100000\n");
    cr_assert_eq(bgi_cpu_quota(root), 2);
    file("/sys/fs/cgroup/user/job/cpu.max", "1000 100000\n");
    cr_assert_eq(bgi_cpu_quota(root), 1);
    file("/sys/fs/cgroup/user/job/cpu.max", "12800000 100000\n");
    cr_assert_eq(bgi_cpu_quota(root), 128);
}

Test(cpu, the_tightest_of_nested_groups)
{
    file("/proc/self/cgroup", "0::/a/b/c\n");
    file("/proc/self/mountinfo", V2_MOUNT);
    file("/sys/fs/cgroup/a/cpu.max", "300000 100000\n");
    file("/sys/fs/cgroup/a/b/cpu.max", "max 100000\n");
    file("/sys/fs/cgroup/a/b/c/cpu.max", "500000 100000\n");
    cr_assert_eq(bgi_cpu_quota(root), 3);
    file("/sys/fs/cgroup/a/b/cpu.max", "50000 25000\n");
    cr_assert_eq(bgi_cpu_quota(root), 2);
    file("/sys/fs/cgroup/cpu.max", "100000 100000\n"); /* a container's own root */
    cr_assert_eq(bgi_cpu_quota(root), 1);
}

Test(cpu, version_1)
{
    file("/proc/self/cgroup", "5:cpuset:/\n4:cpu,cpuacct:/job\n1:name=systemd:/x\n");
    file("/proc/self/mountinfo", OTHER_MOUNTS V1_MOUNT);
    file("/sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_quota_us", "-1\n");
    file("/sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_period_us", "100000\n");
    cr_assert_eq(bgi_cpu_quota(root), 0);
    file("/sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_quota_us", "250000\n");
    cr_assert_eq(bgi_cpu_quota(root), 3);
    file("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "20000\n");
    cr_assert_eq(bgi_cpu_quota(root), 3); /* no period: no limit */
    file("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "10000\n");
    cr_assert_eq(bgi_cpu_quota(root), 2);
}

Test(cpu, hybrid_takes_the_tighter)
{
    file("/proc/self/cgroup", "4:cpu,cpuacct:/one\n0::/two\n");
    file("/proc/self/mountinfo",
         V1_MOUNT "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n");
    file("/sys/fs/cgroup/cpu,cpuacct/one/cpu.cfs_quota_us", "400000\n");
    file("/sys/fs/cgroup/cpu,cpuacct/one/cpu.cfs_period_us", "100000\n");
    cr_assert_eq(bgi_cpu_quota(root), 4);
    file("/sys/fs/cgroup/unified/two/cpu.max", "700000 100000\n");
    cr_assert_eq(bgi_cpu_quota(root), 4);
    file("/sys/fs/cgroup/unified/two/cpu.max", "300000 100000\n");
    cr_assert_eq(bgi_cpu_quota(root), 3);
}

Test(cpu, a_mount_of_a_subtree)
{
    file("/proc/self/cgroup", "0::/docker/abc/inner\n");
    file("/proc/self/mountinfo", "31 23 0:26 /docker/abc /mnt/c\\040g rw - cgroup2 cgroup2 rw\n");
    file("/mnt/c g/inner/cpu.max", "300000 100000\n");
    cr_assert_eq(bgi_cpu_quota(root), 3);
    file("/mnt/c g/cpu.max", "200000 100000\n");
    cr_assert_eq(bgi_cpu_quota(root), 2);
    /* A name that only begins alike is another group: the mount point alone can be seen. */
    file("/proc/self/cgroup", "0::/docker/abcdef/inner\n");
    file("/mnt/c g/cpu.max", "500000 100000\n");
    cr_assert_eq(bgi_cpu_quota(root), 5);
    /* Outside the own namespace's root. */
    file("/proc/self/cgroup", "0::/../other\n");
    file("/proc/self/mountinfo", "31 23 0:26 / /mnt/c\\040g rw - cgroup2 cgroup2 rw\n");
    cr_assert_eq(bgi_cpu_quota(root), 5);
}

Test(cpu, nonsense_is_no_limit)
{
    static const char *const bad[] = {"",
                                      "\n",
                                      "max",
                                      "100000",
                                      "-5 100000",
                                      "5 -1",
                                      "0 100000",
                                      "100000 0",
                                      "abc 100000",
                                      "10x 10000",
                                      "200000 100000x",
                                      "99999999999999999999 1"};
    cr_assert_eq(bgi_cpu_quota(root), 0); /* no /proc */
    file("/proc/self/mountinfo", V2_MOUNT);
    cr_assert_eq(bgi_cpu_quota(root), 0); /* no cgroup file */
    file("/proc/self/cgroup", "0::/g\n");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        file("/sys/fs/cgroup/g/cpu.max", bad[i]);
        cr_expect_eq(bgi_cpu_quota(root), 0, "'%s'", bad[i]);
    }
    file("/sys/fs/cgroup/g/cpu.max", "200000 100000\n");
    cr_assert_eq(bgi_cpu_quota(root), 2);
    static const char *const cgroups[] = {"", ":", "0:", "0::", "0::g\n", "x\n\n", "::/g\n"};
    for (size_t i = 0; i < sizeof cgroups / sizeof *cgroups; i++) {
        file("/proc/self/cgroup", cgroups[i]);
        cr_expect_eq(bgi_cpu_quota(root), 0, "'%s'", cgroups[i]);
    }
    file("/proc/self/cgroup", "0::/g\n");
    static const char *const mounts[] = {"",
                                         "\n",
                                         "31 23",
                                         "31 23 0:26 / /sys/fs/cgroup rw",
                                         "31 23 0:26 / /sys/fs/cgroup rw -\n",
                                         "31 23 0:26 / /sys/fs/cgroup rw - cgroup cg rw,cpu\n"};
    for (size_t i = 0; i < sizeof mounts / sizeof *mounts; i++) {
        file("/proc/self/mountinfo", mounts[i]);
        cr_expect_eq(bgi_cpu_quota(root), 0, "'%s'", mounts[i]);
    }
}

Test(cpu, follows_the_affinity_mask)
{
    cpu_set_t all;
    if (sched_getaffinity(0, sizeof all, &all) != 0) {
        cr_skip_test("more CPUs than a plain set holds");
    }
    cr_assert_eq(bgi_cpu_affinity(), CPU_COUNT(&all));
    cr_assert_geq(bgi_cpu_count(), 1);
    cr_assert_leq(bgi_cpu_count(), bgi_cpu_affinity());
    for (size_t i = 0; i < CPU_SETSIZE; i++) {
        if (CPU_ISSET(i, &all)) {
            cpu_set_t one_cpu;
            CPU_ZERO(&one_cpu);
            CPU_SET(i, &one_cpu);
            cr_assert_eq(sched_setaffinity(0, sizeof one_cpu, &one_cpu), 0);
            break;
        }
    }
    cr_assert_eq(bgi_cpu_affinity(), 1);
    cr_assert_eq(bgi_cpu_count(), 1);
}

/*
 * CPUs near each other: machines made up for hwloc, and what is left without it; sets of CPUs.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif

#include "arch/topology.h"

#include <criterion/criterion.h>

#include <errno.h>
#include <sched.h>
#include <stdlib.h>

static bgi_topology topology;
static bgi_cpu_set usable;

static void begin(void)
{
    cr_assert_eq(bgi_cpu_set_get(&usable), 0);
}

static void end(void)
{
    cr_assert_eq(bgi_cpu_set_use(&usable), 0);
}

TestSuite(topology, .init = begin, .fini = end);

/* Loads a machine as hwloc describes it: 0 where brigade was built without hwloc. */
static int load(const char *machine)
{
    cr_assert_eq(setenv("HWLOC_SYNTHETIC", machine, 1), 0);
    int r = bgi_topology_load(&topology);
    cr_assert_eq(unsetenv("HWLOC_SYNTHETIC"), 0);
    cr_assert(r == 0 || r == -ENOTSUP);
    return r == 0;
}

static unsigned between(int a, int b)
{
    return bgi_place_distance(bgi_place_of(&topology, a), bgi_place_of(&topology, b));
}

static int is_usable(int cpu)
{
    size_t at = (size_t)cpu, bits = 8 * sizeof(unsigned long);
    return at < 8 * usable.size && (usable.bits[at / bits] >> at % bits & 1) != 0;
}

static int usable_cpus(void)
{
    int n = 0;
    for (int i = 0; i < BGI_CPUS_MOST; i++) {
        n += is_usable(i);
    }
    return n;
}

Test(topology, places_are_apart_by_caches_and_nodes)
{
    cr_assert_eq(bgi_place_distance(5, 5), BGI_NEAR);
    cr_assert_eq(bgi_place_distance(5, 6), BGI_SAME_NODE);
    cr_assert_eq(bgi_place_distance(0xffff, 0), BGI_SAME_NODE);
    cr_assert_eq(bgi_place_distance(5, 5 | 1 << 16), BGI_FAR);
    cr_assert_eq(bgi_place_distance(0, 1U << 31), BGI_FAR);
}

Test(topology, two_nodes_with_two_caches_each)
{
    if (!load("pack:2 [numa] l3:2 core:2 pu:2")) {
        return;
    }
    cr_assert_eq(topology.far, BGI_FAR);
    for (int a = 0; a < 16; a++) {
        for (int b = 0; b < 16; b++) {
            unsigned expected = a / 4 == b / 4   ? BGI_NEAR
                                : a / 8 == b / 8 ? BGI_SAME_NODE
                                                 : BGI_FAR;
            cr_assert_eq(between(a, b), expected, "%d and %d", a, b);
        }
    }
}

Test(topology, one_node_with_two_caches)
{
    if (load("numa:1 l3:2 core:2 l2:1 pu:1")) {
        cr_assert_eq(topology.far, BGI_SAME_NODE);
        cr_assert_eq(between(0, 1), BGI_NEAR);
        cr_assert_eq(between(1, 2), BGI_SAME_NODE);
    }
}

Test(topology, nodes_without_caches)
{
    if (load("numa:2 core:1 pu:1")) {
        cr_assert_eq(topology.far, BGI_FAR);
    }
}

Test(topology, one_cache)
{
    if (load("numa:1 l3:1 core:8 pu:1")) {
        cr_assert_eq(topology.far, BGI_NEAR);
        for (int i = 0; i < 8; i++) {
            cr_assert_eq(between(0, i), BGI_NEAR);
        }
    }
}

Test(topology, where_hwloc_knows_nothing_neither_do_we)
{
    cr_assert_eq(setenv("HWLOC_COMPONENTS", "stop", 1), 0); /* it looks nowhere */
    cr_assert_not(load("nothing"));
    cr_assert_eq(bgi_place_of(&topology, 0), 0);
}

Test(topology, unknown_cpus_have_place_0)
{
    (void)load("numa:2 core:1 pu:1");
    cr_assert_eq(bgi_place_of(NULL, 0), 0);
    cr_assert_eq(bgi_place_of(&topology, -1), 0);
    cr_assert_eq(bgi_place_of(&topology, BGI_CPUS_MOST), 0);
    cr_assert_eq(bgi_place_of(&topology, 2), 0);
}

/* That of this machine: looked up once. */
Test(topology, is_kept)
{
    const bgi_topology *t = bgi_topology_get();
    cr_assert_eq(bgi_topology_get(), t);
    if (t != NULL) {
        cr_assert_leq(t->far, (unsigned)BGI_FAR);
    }
}

/* Two have no choice, nor have any on two CPUs. */
Test(topology, few_need_none)
{
    cr_assert_null(bgi_topology_for(2));
    cr_assert_eq(bgi_topology_far(NULL), BGI_NEAR);
    const bgi_topology *t = usable_cpus() > 2 ? bgi_topology_get() : NULL;
    cr_assert_eq(bgi_topology_for(3), t);
    cr_assert_eq(bgi_topology_far(t), t == NULL ? BGI_NEAR : t->far);
}

Test(topology, threads_go_to_cpus_that_may_be_used)
{
    int cpu[100], n = usable_cpus();
    for (int known = 0; known < 2; known++) {
        cr_assert_eq(bgi_topology_spread(known ? bgi_topology_get() : NULL, &usable, 100, cpu), 0);
        int times[BGI_CPUS_MOST] = {0}, most = 100 / n + (100 % n != 0);
        for (int i = 0; i < 100; i++) {
            cr_assert(is_usable(cpu[i]), "%d", cpu[i]);
            times[cpu[i]]++;
            cr_assert_leq(times[cpu[i]], most);
        }
    }
}

static bgi_cpu_set cpus_below(int n)
{
    bgi_cpu_set set = {.size = sizeof set.bits};
    set.bits[0] = n == 64 ? ~0UL : (1UL << n) - 1;
    return set;
}

/* One of each node, of each cache, of each core first; then the second of each core. */
Test(topology, threads_are_spread)
{
    static const int expected[] = {0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15};
    int cpu[40];
    bgi_cpu_set all = cpus_below(16), some = all;
    if (load("pack:2 [numa] l3:2 core:2 pu:2")) {
        cr_assert_eq(bgi_topology_spread(&topology, &all, 40, cpu), 0);
        for (int i = 0; i < 40; i++) {
            cr_assert_eq(cpu[i], expected[i % 16], "%d", i);
        }
        some.bits[0] = 1 << 4 | 1 << 5 | 1 << 6 | 1 << 9; /* of one node three, of the other one */
        static const int of_some[] = {4, 9, 6, 5};
        cr_assert_eq(bgi_topology_spread(&topology, &some, 4, cpu), 0);
        for (int i = 0; i < 4; i++) {
            cr_assert_eq(cpu[i], of_some[i], "%d", i);
        }
    }
}

/* None of its CPUs may be used, and those that may be are not in it. */
Test(topology, of_other_cpus)
{
    int cpu[4];
    if (load("numa:2 core:1 pu:1(indexes=4000,4001)")) {
        cr_assert_eq(bgi_topology_spread(&topology, &usable, 4, cpu), 0);
        for (int i = 0; i < 4; i++) {
            cr_assert(is_usable(cpu[i]));
        }
    }
}

Test(topology, a_thread_is_bound_and_let_go)
{
    int last = 0;
    for (int i = 0; i < BGI_CPUS_MOST; i++) {
        last = is_usable(i) ? i : last;
    }
    cr_assert_eq(bgi_cpu_set_use_one(last), 0);
    cr_assert_eq(sched_getcpu(), last);
    bgi_cpu_set none = {0}, now;
    cr_assert_eq(bgi_cpu_set_use(&none), 0);
    cr_assert_eq(bgi_cpu_set_get(&now), 0);
    cr_assert_eq(now.bits[(size_t)last / (8 * sizeof(long))],
                 1UL << last % (int)(8 * sizeof(long)));
    cr_assert_eq(bgi_cpu_set_use(&usable), 0);
    cr_assert_eq(bgi_cpu_set_get(&now), 0);
    cr_assert_eq(memcmp(now.bits, usable.bits, usable.size), 0);
    bgi_cpu_bind(last, &now);
    cr_assert_eq(sched_getcpu(), last);
    cr_assert_eq(memcmp(now.bits, usable.bits, usable.size), 0);
    cr_assert_eq(bgi_cpu_set_use(&now), 0);
    cr_assert_eq(bgi_cpu_set_use_one(-1), -EINVAL);
    cr_assert_eq(bgi_cpu_set_use_one(BGI_CPUS_MOST), -EINVAL);
    cr_assert_eq(bgi_cpu_set_use_one(BGI_CPUS_MOST - 1), -EINVAL, "this machine has it");
}

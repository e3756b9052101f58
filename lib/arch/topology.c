/*
 * The topology by hwloc, sets of CPUs by the kernel.
 *
 * hwloc looks at the CPUs that the process may use; what it finds is flattened to a number for each
 * CPU, as thieves compare them each time they look for work. `loaded` is written under the lock and
 * is constant from then on.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif

#include "arch/topology.h"

#include "arch/cpu.h"
#include "arch/lock.h"
#include "base/alloc.h"

#include <errno.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(BGI_HWLOC)
#include <hwloc.h>
#endif

/* ---- sets of CPUs ---- */

int bgi_cpu_set_get(bgi_cpu_set *out)
{
    /* The system call itself says how much it has written. */
    long n = syscall(SYS_sched_getaffinity, 0, sizeof out->bits, out->bits);
    out->size = n > 0 ? (size_t)n : 0;
    return n > 0 ? 0 : -errno;
}

int bgi_cpu_set_use(const bgi_cpu_set *set)
{
    if (set->size == 0) {
        return 0;
    }
    return syscall(SYS_sched_setaffinity, 0, set->size, set->bits) == 0 ? 0 : -errno;
}

static int has(const bgi_cpu_set *set, size_t cpu)
{
    return (set->bits[cpu / (8 * sizeof(long))] >> cpu % (8 * sizeof(long)) & 1) != 0;
}

int bgi_cpu_set_use_one(int cpu)
{
    bgi_cpu_set one = {.size = sizeof one.bits};
    if (cpu < 0 || (size_t)cpu >= 8 * sizeof one.bits) {
        return -EINVAL;
    }
    one.bits[(size_t)cpu / (8 * sizeof(long))] = 1UL << (size_t)cpu % (8 * sizeof(long));
    return bgi_cpu_set_use(&one);
}

void bgi_cpu_bind(int cpu, bgi_cpu_set *before)
{
    if (bgi_cpu_set_get(before) == 0) {
        (void)bgi_cpu_set_use_one(cpu);
    }
}

/* n threads, one after another on the CPUs of the set. */
static void deal(const bgi_cpu_set *set, unsigned n, int cpu[])
{
    unsigned dealt = 0;
    while (dealt < n) {
        for (size_t i = 0; i < 8 * set->size && dealt < n; i++) {
            if (has(set, i)) {
                cpu[dealt++] = (int)i;
            }
        }
    }
}

/* ---- the topology ---- */

#if defined(BGI_HWLOC)

/* The last cache of a CPU, or the core, or whatever is above it. */
static unsigned last_cache(hwloc_obj_t pu)
{
    hwloc_obj_t last = pu;
    for (hwloc_obj_t o = pu->parent; o != NULL; o = o->parent) {
        if (hwloc_obj_type_is_cache(o->type)) {
            last = o;
        }
    }
    return last->logical_index;
}

static bgi_place place_of(hwloc_obj_t pu)
{
    int node = hwloc_bitmap_first(pu->nodeset);
    return (bgi_place)(node < 0 ? 0 : node) << 16 | (last_cache(pu) & 0xffff);
}

static void fill_in(bgi_topology *t, hwloc_topology_t h)
{
    hwloc_obj_t first = hwloc_get_obj_by_type(h, HWLOC_OBJ_PU, 0);
    for (hwloc_obj_t pu = first; pu != NULL; pu = pu->next_cousin) {
        unsigned distance = bgi_place_distance(place_of(first), place_of(pu));
        t->far = distance < t->far ? t->far : distance;
        if (pu->os_index < BGI_CPUS_MOST) {
            t->place[pu->os_index] = place_of(pu);
        }
    }
}

int bgi_topology_load(bgi_topology *t)
{
    hwloc_topology_t h;
    memset(t, 0, sizeof *t);
    if (hwloc_topology_init(&h) != 0) {
        return -ENOTSUP;
    }
    if (hwloc_topology_load(h) != 0) {
        hwloc_topology_destroy(h);
        return -ENOTSUP;
    }
    fill_in(t, h);
    t->handle = h;
    return 0;
}

void bgi_topology_unload(bgi_topology *t)
{
    if (t->handle != NULL) {
        hwloc_topology_destroy(t->handle);
        t->handle = NULL;
    }
}

/* By hwloc's own distribution, if all it gives out may be used: 1. */
static int distribute(const bgi_topology *t, const bgi_cpu_set *usable, unsigned n, int cpu[])
{
    hwloc_cpuset_t *set = bgi_calloc(n, sizeof(hwloc_cpuset_t));
    hwloc_cpuset_t all = hwloc_bitmap_alloc();
    if (set == NULL || all == NULL) {
        bgi_free(set);
        hwloc_bitmap_free(all);
        return 0;
    }
    for (unsigned i = 0; i < 8 * usable->size; i++) {
        if (has(usable, i)) {
            (void)hwloc_bitmap_set(all, i);
        }
    }
    hwloc_obj_t root = hwloc_get_root_obj(t->handle);
    int ok = hwloc_distrib(t->handle, &root, 1, set, n, INT_MAX, 0) == 0;
    for (unsigned i = 0; i < n; i++) {
        if (ok) {
            (void)hwloc_bitmap_and(set[i], set[i], all);
            cpu[i] = hwloc_bitmap_first(set[i]);
            ok = cpu[i] >= 0;
        }
        hwloc_bitmap_free(set[i]);
    }
    bgi_free(set);
    hwloc_bitmap_free(all);
    return ok;
}

#else

int bgi_topology_load(bgi_topology *t)
{
    memset(t, 0, sizeof *t);
    return -ENOTSUP;
}

void bgi_topology_unload(bgi_topology *t)
{
    (void)t;
}

static int distribute(const bgi_topology *t, const bgi_cpu_set *usable, unsigned n, int cpu[])
{
    (void)t, (void)usable, (void)n, (void)cpu;
    return 0;
}

#endif

int bgi_topology_spread(const bgi_topology *t, unsigned n, int cpu[])
{
    bgi_cpu_set usable;
    int r = bgi_cpu_set_get(&usable);
    if (r == 0 && (t == NULL || !distribute(t, &usable, n, cpu))) {
        deal(&usable, n, cpu);
    }
    return r;
}

bgi_place bgi_place_of(const bgi_topology *t, int cpu)
{
    return t == NULL || cpu < 0 || cpu >= BGI_CPUS_MOST ? 0 : t->place[cpu];
}

const bgi_topology *bgi_topology_get(void)
{
    static bgi_lock lock = BGI_LOCK_INIT(BGI_RANK_TOPOLOGY, "topology");
    static bgi_topology loaded;
    static int tried;

    bgi_lock_acquire(&lock);
    if (!tried) {
        (void)bgi_topology_load(&loaded);
        tried = 1;
    }
    bgi_lock_release(&lock);
    return loaded.handle == NULL ? NULL : &loaded;
}

const bgi_topology *bgi_topology_for(unsigned threads)
{
    return threads > 2 && bgi_cpu_affinity() > 2 ? bgi_topology_get() : NULL;
}

unsigned bgi_topology_far(const bgi_topology *t)
{
    return t == NULL ? BGI_NEAR : t->far;
}

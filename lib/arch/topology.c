/*
 * The topology by hwloc, sets of CPUs by the kernel.
 *
 * hwloc is loaded when it is first asked for, not linked: few programs need it, and those that do
 * can go without.
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
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(BGI_HWLOC)
#include <dlfcn.h>
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

/* ---- the topology ---- */

#if defined(BGI_HWLOC)

/* What is used of hwloc; not the inline functions of its header, which call others. */
struct hwloc_calls {
    int (*init)(hwloc_topology_t *h);
    int (*load)(hwloc_topology_t h);
    void (*destroy)(hwloc_topology_t h);
    int (*depth_of)(hwloc_topology_t h, hwloc_obj_type_t type);
    hwloc_obj_t (*object)(hwloc_topology_t h, int depth, unsigned i);
    int (*first_of)(hwloc_const_bitmap_t set);
};

/* 0: it is not here. It stays until the process ends. */
static int find_hwloc(struct hwloc_calls *out)
{
    static const char *const names[] = {"hwloc_topology_init",    "hwloc_topology_load",
                                        "hwloc_topology_destroy", "hwloc_get_type_depth",
                                        "hwloc_get_obj_by_depth", "hwloc_bitmap_first"};
    void **call[] = {(void **)&out->init,     (void **)&out->load,   (void **)&out->destroy,
                     (void **)&out->depth_of, (void **)&out->object, (void **)&out->first_of};
    void *library = dlopen("libhwloc.so.15", RTLD_NOW | RTLD_LOCAL); /* version 2 */
    for (size_t i = 0; library != NULL && i < BGI_ARRAY_LEN(names); i++) {
        *call[i] = dlsym(library, names[i]);
        if (*call[i] == NULL) {
            return 0;
        }
    }
    return library != NULL;
}

/* The core and the last cache above a CPU; whatever is not there is the CPU itself. */
static void look_up(hwloc_obj_t pu, unsigned *core, unsigned *cache)
{
    *core = *cache = pu->logical_index;
    for (hwloc_obj_t o = pu->parent; o != NULL; o = o->parent) {
        if (o->type == HWLOC_OBJ_CORE) {
            *core = o->logical_index;
        } else if (o->type >= HWLOC_OBJ_L1CACHE && o->type <= HWLOC_OBJ_L5CACHE) {
            *cache = o->logical_index;
        }
    }
}

static void fill_in(bgi_topology *t, const struct hwloc_calls *call, hwloc_topology_t h)
{
    int depth = call->depth_of(h, HWLOC_OBJ_PU);
    for (hwloc_obj_t pu = call->object(h, depth, 0); pu != NULL; pu = pu->next_cousin) {
        unsigned core, cache;
        int node = call->first_of(pu->nodeset);
        look_up(pu, &core, &cache);
        bgi_place place = (bgi_place)(node < 0 ? 0 : node) << 16 | (cache & 0xffff);
        if (pu->os_index < BGI_CPUS_MOST) {
            t->place[pu->os_index] = place;
            t->core[pu->os_index] = core;
        }
        t->first = pu->logical_index == 0 ? place : t->first;
        unsigned distance = bgi_place_distance(t->first, place);
        t->far = distance < t->far ? t->far : distance;
    }
}

int bgi_topology_load(bgi_topology *t)
{
    struct hwloc_calls call;
    hwloc_topology_t h;
    memset(t, 0, sizeof *t);
    if (!find_hwloc(&call) || call.init(&h) != 0) {
        return -ENOTSUP;
    }
    if (call.load(h) == 0) {
        fill_in(t, &call, h);
        t->is_known = 1;
    }
    call.destroy(h);
    return t->is_known ? 0 : -ENOTSUP;
}

#else

int bgi_topology_load(bgi_topology *t)
{
    memset(t, 0, sizeof *t);
    return -ENOTSUP;
}

#endif

/* ---- which CPUs n threads get ---- */

/* A CPU, and how many come before it: of its core, cores of its cache, caches of its node. */
struct seat {
    int cpu;
    bgi_place place;
    unsigned core;
    unsigned in_core, in_cache, in_node;
};

static int by_place(const void *a, const void *b)
{
    const struct seat *x = a, *y = b;
    return x->place != y->place ? (x->place > y->place) - (x->place < y->place)
           : x->core != y->core ? (x->core > y->core) - (x->core < y->core)
                                : x->cpu - y->cpu;
}

/* The first of each core before the second of any, and so on with caches and nodes. */
static int by_turns(const void *a, const void *b)
{
    const struct seat *x = a, *y = b;
    return x->in_core != y->in_core     ? (int)x->in_core - (int)y->in_core
           : x->in_cache != y->in_cache ? (int)x->in_cache - (int)y->in_cache
           : x->in_node != y->in_node   ? (int)x->in_node - (int)y->in_node
                                        : by_place(a, b);
}

static void count_before(struct seat *seat, size_t n)
{
    qsort(seat, n, sizeof *seat, by_place);
    for (size_t i = 1; i < n; i++) {
        const struct seat *last = &seat[i - 1];
        struct seat *s = &seat[i];
        if (s->place == last->place && s->core == last->core) {
            *s = (struct seat){s->cpu,         s->place,     s->core, last->in_core + 1,
                               last->in_cache, last->in_node};
        } else if (s->place == last->place) {
            s->in_cache = last->in_cache + 1;
            s->in_node = last->in_node;
        } else if (s->place >> 16 == last->place >> 16) {
            s->in_node = last->in_node + 1;
        }
    }
    qsort(seat, n, sizeof *seat, by_turns);
}

int bgi_topology_spread(const bgi_topology *t, const bgi_cpu_set *usable, unsigned n, int cpu[])
{
    struct seat *seat = bgi_calloc(8 * usable->size, sizeof *seat);
    if (seat == NULL) {
        return -ENOMEM;
    }
    size_t seats = 0;
    for (size_t i = 0; i < 8 * usable->size; i++) {
        if (has(usable, i)) {
            seat[seats].cpu = (int)i;
            seat[seats].place = bgi_place_of(t, (int)i);
            seat[seats++].core = t == NULL ? (unsigned)i : t->core[i];
        }
    }
    if (t != NULL) {
        count_before(seat, seats);
    }
    for (unsigned i = 0; i < n; i++) {
        cpu[i] = seat[i % seats].cpu;
    }
    bgi_free(seat);
    return 0;
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
    return loaded.is_known ? &loaded : NULL;
}

const bgi_topology *bgi_topology_for(unsigned threads)
{
    return threads > 2 && bgi_cpu_affinity() > 2 ? bgi_topology_get() : NULL;
}

unsigned bgi_topology_far(const bgi_topology *t)
{
    return t == NULL ? BGI_NEAR : t->far;
}

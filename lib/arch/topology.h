/*
 * Which CPUs are near each other, and where threads are.
 *
 * Known by hwloc, where that is installed, and brigade was built with its header; else all CPUs are
 * equally near.
 */
#ifndef BGI_TOPOLOGY_H
#define BGI_TOPOLOGY_H

#include "base/compiler.h"

#include <stddef.h>
#include <stdint.h>

/* How far apart two places are. */
enum { BGI_NEAR, BGI_SAME_NODE, BGI_FAR };

enum { BGI_CPUS_MOST = 8192 }; /* as Linux can be made to have; what is beyond is not known */

/* A place: the CPUs that share their last cache. The NUMA node is above bit 16. */
typedef uint32_t bgi_place;

typedef struct bgi_topology {
    int is_known;
    unsigned far; /* the farthest that two CPUs of the process are apart */
    bgi_place first;
    bgi_place place[BGI_CPUS_MOST];
    unsigned core[BGI_CPUS_MOST];
} bgi_topology;

/* CPUs that a thread may run on. */
typedef struct bgi_cpu_set {
    size_t size; /* bytes that the kernel knows; 0: none have been read */
    unsigned long bits[BGI_CPUS_MOST / (8 * sizeof(unsigned long))];
} bgi_cpu_set;

/*
 * That of this machine, as far as this process may use it. Looked up once, which can take some
 * milliseconds, and kept until the process ends. Any thread. NULL: not known.
 */
const bgi_topology *bgi_topology_get(void);

/* Likewise, if it matters to so many threads: to three and more of them, on three CPUs and more. */
const bgi_topology *bgi_topology_for(unsigned threads);

/* How far apart two CPUs can be. t may be NULL. */
unsigned bgi_topology_far(const bgi_topology *t);

/* Looks it up: what bgi_topology_get keeps. Returns 0, or -ENOTSUP: not known. */
int bgi_topology_load(bgi_topology *t);

/* The place of a CPU; 0 when that is not known, or t is NULL. */
bgi_place bgi_place_of(const bgi_topology *t, int cpu);

/* How far apart two places are. */
BGI_INLINE unsigned bgi_place_distance(bgi_place a, bgi_place b)
{
    return a == b ? BGI_NEAR : (a ^ b) >> 16 == 0 ? BGI_SAME_NODE : BGI_FAR;
}

/*
 * The CPUs that n threads should be pinned to, out of those that may be used (at least one): spread
 * over nodes, caches and cores as evenly as they go; without a topology one after another. When
 * there are more threads than CPUs they share. Returns 0 or -ENOMEM.
 */
int bgi_topology_spread(const bgi_topology *t, const bgi_cpu_set *usable, unsigned n, int cpu[]);

/* The calling thread's CPUs. On failure, a negative errno, the set is empty. */
int bgi_cpu_set_get(bgi_cpu_set *out);

/* From now on the calling thread runs on these; an empty set changes nothing. */
int bgi_cpu_set_use(const bgi_cpu_set *set);

/* From now on the calling thread runs on this CPU alone. */
int bgi_cpu_set_use_one(int cpu);

/* Likewise; *before is to be used to undo it. When the kernel does not let it (the CPU may be gone
 * since it was said to be there), the thread stays as it is. */
void bgi_cpu_bind(int cpu, bgi_cpu_set *before);

#endif

/*
 * The order in which mutexes are taken: a graph, after the Linux kernel's lockdep.
 *
 * Its nodes are mutexes that were held together with others. An edge from A to B says that somebody
 * has waited for B, or might have, while holding A, and who. A circle means that each of those
 * somebodies could hold one of its mutexes and wait for the next: a deadlock, if ever they come at
 * the same time. So the edge that would close one is not added, it is reported: though nothing has
 * gone wrong yet, and though the others may have ended long ago.
 *
 * A try_lock never waits, so it makes no edge to what it takes; but what is waited for while that
 * is held makes one from it.
 *
 * The tables have a fixed size. When one is full all is forgotten, and learned again: numbers carry
 * the epoch in which they were given, and those of another count for none. What a program does
 * again and again is found all the same. A mutex that is destroyed stays in the tables as dead, and
 * no way leads through it.
 *
 * What a circle does not know: a third mutex that is always held around two others, whatever their
 * order, makes the circle harmless. Lockdep reports it too; an order costs little, and keeps the
 * third from becoming part of the contract. BRIGADE_LOCK_ORDER=0 turns the reports off.
 *
 * One lock guards all of this. It is taken only by who holds a mutex and waits for another.
 */
#include "sync/owned.h"

#if BGI_OWNED

#include "arch/lock.h"
#include "base/panic.h"
#include "task/task.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    NODES = 1024,
    EDGES = 4096,
    PAIRS = 2 * EDGES, /* a hash table of edges; a power of two */
    NAME = 28,
    EPOCH_SHIFT = 16,
};

struct edge {
    uint16_t from, to;
    uint16_t next;   /* of the same `from`; 0: none */
    char name[NAME]; /* of the task; "": it has none */
    int thread;      /* not a task, but a plain thread */
};

struct node {
    const bgi_owned *lock;
    uint16_t edges; /* the first; 0: none */
    uint16_t by;    /* of a search: the edge that led here; 0: none */
    int dead, seen;
};

static struct {
    bgi_lock lock;
    int off; /* 0: not asked yet, 1: on, -1: off */
    uintptr_t epoch;
    unsigned nodes, edges; /* from 1 on */
    struct node node[NODES + 1];
    struct edge edge[EDGES + 1];
    uint16_t pair[PAIRS]; /* edges by the hash of their ends; 0: none */
} order = {.lock = BGI_LOCK_INIT(BGI_RANK_LOCK_ORDER, "lock order")};

/* ---- who holds what ---- */

static _Thread_local bgi_owned *held_by_thread;

/* The caller's list, whose address names him. Never kept across a suspension: it is the thread's.
 */
static BGI_NOINLINE bgi_owned **held(void)
{
    bgi_fiber *f = bgi_fiber_self();
    return f != NULL ? (bgi_owned **)(void *)&f->stack->held : &held_by_thread;
}

BGI_NOINLINE bgi_word bgi_owned_self(void)
{
    bg_task *t = bgi_task_self();
    return t != NULL ? (bgi_word)t : (bgi_word)&held_by_thread;
}

void bgi_owned_locked(bgi_owned *o)
{
    bgi_owned **list = held();
    bgi_store(&o->owner, bgi_owned_self());
    o->next = *list;
    *list = o;
}

void bgi_owned_required(const bgi_owned *o, const char *function)
{
    bgi_word owner = bgi_load(&o->owner);
    if (owner != bgi_owned_self()) {
        bgi_misuse(function, bgi_task_self_name(), "the lock is %s",
                   owner == 0 ? "held by nobody" : "held by somebody else");
    }
}

void bgi_owned_before_unlock(bgi_owned *o, const char *function)
{
    bgi_owned_required(o, function);
    bgi_owned **at = held();
    while (*at != o) {
        at = &(*at)->next;
    }
    *at = o->next;
    bgi_store(&o->owner, 0);
}

/* The lock as its users know it. */
static const void *name_of(const bgi_owned *o)
{
    return (const char *)o - BGI_OWNED_OFFSET;
}

/* ---- the graph; under the lock ---- */

static void forget_all(void)
{
    order.epoch++;
    order.nodes = 0;
    order.edges = 0;
    memset(order.pair, 0, sizeof order.pair);
}

static unsigned number_of(const bgi_owned *o)
{
    return o->order >> EPOCH_SHIFT == order.epoch ? (unsigned)(o->order & ((1U << EPOCH_SHIFT) - 1))
                                                  : 0;
}

static unsigned give_number(bgi_owned *o)
{
    unsigned n = number_of(o);
    if (n == 0) {
        n = ++order.nodes;
        order.node[n] = (struct node){.lock = o};
        o->order = order.epoch << EPOCH_SHIFT | n;
    }
    return n;
}

/* Where the edge is in the table, or is to be put. */
static uint16_t *find_pair(unsigned from, unsigned to)
{
    unsigned at = (from * 2654435761U ^ to * 40503U) % PAIRS;
    while (order.pair[at] != 0) {
        const struct edge *e = &order.edge[order.pair[at]];
        if (e->from == from && e->to == to) {
            break;
        }
        at = (at + 1) % PAIRS;
    }
    return &order.pair[at];
}

static void add_edge(uint16_t *pair, unsigned from, unsigned to)
{
    unsigned i = ++order.edges;
    bg_task *t = bgi_task_self();
    struct edge *e = &order.edge[i];
    *e = (struct edge){(uint16_t)from, (uint16_t)to, order.node[from].edges, "", t == NULL};
    (void)snprintf(e->name, sizeof e->name, "%s", bg_task_name(t));
    order.node[from].edges = (uint16_t)i;
    *pair = (uint16_t)i;
}

/* The nearest way from one to the other, backwards through `by`; whether there is one. */
static int find_way(unsigned from, unsigned to)
{
    static uint16_t queue[NODES];
    unsigned head = 0, tail = 0;

    for (unsigned n = 1; n <= order.nodes; n++) {
        order.node[n].seen = order.node[n].dead;
    }
    order.node[from].seen = 1;
    order.node[from].by = 0;
    queue[tail++] = (uint16_t)from;
    while (head < tail) {
        unsigned at = queue[head++];
        for (unsigned i = order.node[at].edges; i != 0; i = order.edge[i].next) {
            struct node *n = &order.node[order.edge[i].to];
            if (!n->seen) {
                n->seen = 1;
                n->by = (uint16_t)i;
                queue[tail++] = order.edge[i].to;
            }
        }
    }
    return order.node[to].seen;
}

/* ", task 'a' took 0x1 while it held 0x2" for each step of the way that was found. */
static void describe_way(unsigned to, char *text, size_t size)
{
    const struct edge *step[8];
    unsigned n = 0;
    size_t used = 0;
    text[0] = '\0';
    for (unsigned i = order.node[to].by; i != 0 && n < BGI_ARRAY_LEN(step);
         i = order.node[order.edge[i].from].by) {
        step[n++] = &order.edge[i];
    }
    while (n-- > 0 && used < size) {
        const struct edge *e = step[n];
        int m = snprintf(text + used, size - used, ", %s%s%s took %p while it held %p",
                         e->thread ? "a plain thread" : "task '", e->name, e->thread ? "" : "'",
                         name_of(order.node[e->to].lock), name_of(order.node[e->from].lock));
        used += m > 0 ? (size_t)m : 0;
    }
}

static void relate(bgi_owned *holds, bgi_owned *takes, const char *function)
{
    char way[512];
    if (order.nodes + 2 > NODES || order.edges + 1 > EDGES) {
        forget_all();
    }
    unsigned from = give_number(holds), to = give_number(takes);
    uint16_t *pair = find_pair(from, to);
    if (*pair != 0) {
        return;
    }
    if (find_way(to, from)) {
        describe_way(from, way, sizeof way);
        bgi_misuse(function, bgi_task_self_name(),
                   "this order of locks can deadlock: it takes %p while it holds %p, but before%s",
                   name_of(takes), name_of(holds), way);
    }
    add_edge(pair, from, to);
}

static int is_on(void)
{
    if (order.off == 0) {
        const char *value = getenv("BRIGADE_LOCK_ORDER");
        order.off = value != NULL && strcmp(value, "0") == 0 ? -1 : 1;
    }
    return order.off > 0;
}

void bgi_owned_before_lock(bgi_owned *o, const char *function)
{
    if (bgi_load(&o->owner) == bgi_owned_self()) {
        bgi_misuse(function, bgi_task_self_name(), "the caller holds it already");
    }
    bgi_owned *first = *held();
    if (first != NULL) {
        bgi_lock_acquire(&order.lock);
        if (is_on()) {
            for (bgi_owned *h = first; h != NULL; h = h->next) {
                relate(h, o, function);
            }
        }
        bgi_lock_release(&order.lock);
    }
}

void bgi_owned_destroy(bgi_owned *o)
{
    bgi_lock_acquire(&order.lock);
    unsigned n = number_of(o);
    if (n != 0) {
        order.node[n].dead = 1;
    }
    o->order = 0;
    bgi_lock_release(&order.lock);
}

#else

/* A translation unit has to declare something. */
typedef int bgi_order_compiled_away;

#endif

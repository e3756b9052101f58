/*
 * Mutation sites. The program's own code is searched for calls to the instrumentation's atomic
 * entry points, so that an operation no model reaches is found as well. The return address leads
 * to the operation in the source: of the functions inlined there the first that is not of atomic.h
 * or libatomic_ops. All calls that come from the same place in the source (copies of an inlined
 * function) are one site and are weakened together.
 *
 * A mutant is named by file, function, the text of the operation and what becomes of its order,
 * not by its line: lines move. Of several equal texts in a function the second has "(2)" behind it.
 *
 *   load acquire -> relaxed                  store release -> relaxed
 *   rmw  acq_rel -> acquire, -> release      cas acquire -> relaxed, release -> relaxed
 *   fence seq_cst -> acq_rel, -> none
 *
 * The order that a failing compare-and-swap has follows from the other: acquire where that
 * acquires, else relaxed. Relaxed operations have no mutant.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "sites.h"
#include "engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CALL_MAX = 8192, SITE_MAX = 1024, MUTANT_MAX = 2048, RECORD = 0x80 };

extern const uint8_t __executable_start, etext; /* of the linker */

uint8_t *site_flags;
uintptr_t site_low;
site *sites;
mutant *mutants;
unsigned site_count, mutant_count;

static struct call {
    const uint8_t *returns_to;
    int site; /* -1: not one of those looked for */
} *calls;
static unsigned call_count;
static const char *project = MODELS_PROJECT; /* the folder that has lib/ */

static const char *order_word(int order)
{
    static const char *const words[] = {"relaxed", "consume", "acquire",
                                        "release", "acq_rel", "seq_cst"};
    return order < 0 ? "none" : words[order];
}

/* ---- while models run ---- */

int site_order(int order, const void *pc)
{
    uint8_t f = site_flags[(uintptr_t)pc - site_low];
    if (f != RECORD) {
        return (int)f - 2;
    }
    for (unsigned i = 0; i < call_count; i++) {
        if (calls[i].returns_to == pc && calls[i].site >= 0) {
            site *s = &sites[calls[i].site];
            s->reached = true;
            if (s->order != order) {
                fail("the gate takes %s in %s for %s, but it is %s", s->text, s->function,
                     order_word(s->order), order_word(order));
            }
        }
    }
    site_flags[(uintptr_t)pc - site_low] = 0; /* once is enough */
    return order;
}

static void set_flags(int only_site, uint8_t flag)
{
    memset(site_flags, 0, (size_t)(&etext - &__executable_start) + 1);
    for (unsigned i = 0; i < call_count; i++) {
        if (calls[i].site >= 0 && (only_site < 0 || calls[i].site == only_site)) {
            site_flags[(uintptr_t)calls[i].returns_to - site_low] = flag;
        }
    }
}

void sites_forget_reached(void)
{
    for (unsigned i = 0; i < site_count; i++) {
        sites[i].reached = false;
    }
    set_flags(-1, RECORD);
}

void mutate(const mutant *m)
{
    if (m == NULL) {
        set_flags(-1, 0);
    } else {
        set_flags((int)m->site, (uint8_t)(m->order + 2));
    }
}

/* ---- the calls ---- */

void __tsan_atomic64_load(void);
void __tsan_atomic64_store(void);
void __tsan_atomic64_exchange(void);
void __tsan_atomic64_fetch_add(void);
void __tsan_atomic64_fetch_sub(void);
void __tsan_atomic64_fetch_and(void);
void __tsan_atomic64_fetch_or(void);
void __tsan_atomic64_fetch_xor(void);
void __tsan_atomic64_compare_exchange_strong(void);
void __tsan_atomic64_compare_exchange_weak(void);
void __tsan_atomic64_compare_exchange_val(void);
void __tsan_atomic_thread_fence(void);

static void find_calls(void)
{
    static void (*const entry[])(void) = {
        __tsan_atomic64_load,
        __tsan_atomic64_store,
        __tsan_atomic64_exchange,
        __tsan_atomic64_fetch_add,
        __tsan_atomic64_fetch_sub,
        __tsan_atomic64_fetch_and,
        __tsan_atomic64_fetch_or,
        __tsan_atomic64_fetch_xor,
        __tsan_atomic64_compare_exchange_strong,
        __tsan_atomic64_compare_exchange_weak,
        __tsan_atomic64_compare_exchange_val,
        __tsan_atomic_thread_fence,
    };
    for (const uint8_t *p = &__executable_start; p + 5 <= &etext; p++) {
        int32_t distance;
        if (*p != 0xe8) {
            continue;
        }
        memcpy(&distance, p + 1, sizeof distance);
        uintptr_t to = (uintptr_t)p + 5 + (uintptr_t)(intptr_t)distance;
        for (unsigned e = 0; e < sizeof entry / sizeof entry[0]; e++) {
            if (to == (uintptr_t)entry[e] && call_count < CALL_MAX) {
                calls[call_count].returns_to = p + 5;
                calls[call_count++].site = -1;
            }
        }
    }
}

/* ---- their places in the source ---- */

static int promised_order(const char *op)
{
    if (strstr(op, "fence") != NULL) {
        return __ATOMIC_SEQ_CST;
    }
    if (strstr(op, "_relaxed") != NULL || strstr(op, "count_owned") != NULL) {
        return __ATOMIC_RELAXED;
    }
    if (strstr(op, "_acquire") != NULL) {
        return __ATOMIC_ACQUIRE;
    }
    if (strstr(op, "_release") != NULL) {
        return __ATOMIC_RELEASE;
    }
    if (strstr(op, "_cas") != NULL || strstr(op, "_fetch_") != NULL) {
        return __ATOMIC_ACQ_REL;
    }
    return __ATOMIC_RELAXED;
}

/* The operation's text: from its name to the parenthesis that ends it, on one line. */
static void read_text(site *s, const char *path, const char *op)
{
    char line[512];
    size_t used = 0;
    int depth = 0;
    bool begun = false, over = false;
    FILE *f = fopen(path, "r");
    (void)snprintf(s->text, sizeof s->text, "%s", op);
    for (int n = 1; f != NULL && !over && fgets(line, sizeof line, f) != NULL; n++) {
        if (n < s->line) {
            continue;
        }
        const char *p = line;
        if (!begun) {
            size_t at = s->column > 0 ? (size_t)s->column - 1 : 0;
            p = at < strlen(line) && strncmp(line + at, op, strlen(op)) == 0 ? line + at
                                                                             : strstr(line, op);
            if (p == NULL) {
                break;
            }
            begun = true;
        } else {
            p += strspn(p, " \t");
        }
        for (; *p != '\0' && !over && used + 2 < sizeof s->text; p++) {
            depth += (*p == '(') - (*p == ')');
            s->text[used++] = *p == '\n' ? ' ' : *p;
            over = *p == ')' && depth == 0;
        }
        s->text[used] = '\0';
        over |= used + 2 >= sizeof s->text;
    }
    if (f != NULL) {
        (void)fclose(f);
    }
}

static int site_of(const char *path, const char *below, int line, int column, const char *function,
                   const char *op)
{
    site s = {.line = line, .column = column, .order = promised_order(op)};
    const char *file = path + strlen(project) + 1;
    file += strncmp(file, "lib/", 4) == 0 && strncmp(below, "lib/", 4) == 0 ? 4 : 0;
    (void)snprintf(s.file, sizeof s.file, "%.47s", file);
    (void)snprintf(s.function, sizeof s.function, "%.63s", function);
    for (unsigned i = 0; i < site_count; i++) {
        if (sites[i].line == line && sites[i].column == column &&
            strcmp(sites[i].file, s.file) == 0 && sites[i].order == s.order) {
            return (int)i;
        }
    }
    if (site_count == SITE_MAX) {
        return -1;
    }
    read_text(&s, path, op);
    sites[site_count] = s;
    return (int)site_count++;
}

static bool is_wrapper(const char *place)
{
    return strstr(place, "/lib/base/atomic.h:") != NULL || strstr(place, "/atomic_ops") != NULL;
}

/* From the lines "0xADDRESS", then "function" and "file:line:column" of each inlined function. */
static int find_places(const char *below)
{
    char list[] = "/tmp/models-XXXXXX", command[320], function[512], place[1024], op[128] = "";
    char prefix[512];
    int fd = mkstemp(list);
    if (fd < 0) {
        return 1;
    }
    FILE *f = fdopen(fd, "w");
    for (unsigned i = 0; i < call_count; i++) {
        fprintf(f, "%#lx\n", (unsigned long)(uintptr_t)calls[i].returns_to - 1);
    }
    (void)fclose(f);
    (void)snprintf(prefix, sizeof prefix, "%s/%s", project, below);
    (void)snprintf(command, sizeof command,
                   "t=$(command -v llvm-symbolizer-19 || command -v llvm-symbolizer); "
                   "if [ -n \"$t\" ]; then $t --output-style=LLVM -a -i -f -e /proc/%d/exe <%s; "
                   "else addr2line -a -i -f -e /proc/%d/exe <%s; fi",
                   (int)getpid(), list, (int)getpid(), list);
    FILE *p = popen(command, "r");
    unsigned at = 0;
    bool found = false;
    while (p != NULL && fgets(function, sizeof function, p) != NULL) {
        function[strcspn(function, "\n")] = '\0';
        if (function[0] == '\0') {
            continue;
        }
        if (strncmp(function, "0x", 2) == 0) {
            at++;
            found = false;
            op[0] = '\0';
            continue;
        }
        if (fgets(place, sizeof place, p) == NULL || at == 0 || at > call_count || found) {
            continue;
        }
        if (is_wrapper(place)) {
            (void)snprintf(op, sizeof op, "%.127s", function);
            continue;
        }
        found = true;
        char *colon = strchr(place, ':');
        if (strncmp(place, prefix, strlen(prefix)) == 0 && colon != NULL) {
            *colon = '\0';
            char *more = colon + 1;
            int line = (int)strtol(more, &more, 10);
            int column = *more == ':' ? (int)strtol(more + 1, NULL, 10) : 0;
            calls[at - 1].site = site_of(place, below, line, column, function, op);
        }
    }
    if (p != NULL) {
        (void)pclose(p);
    }
    (void)unlink(list);
    if (at != call_count || site_count == 0) {
        fprintf(stderr, "models: the program's atomic operations below %s were not found\n", below);
        return 1;
    }
    return 0;
}

static int by_place(const void *a, const void *b)
{
    const site *x = &sites[*(const unsigned *)a], *y = &sites[*(const unsigned *)b];
    int c = strcmp(x->file, y->file);
    return c != 0 ? c : x->line != y->line ? x->line - y->line : x->column - y->column;
}

static void add(unsigned i, int order)
{
    const site *s = &sites[i];
    mutant *m = &mutants[mutant_count];
    char nth[16] = "";
    if (s->nth > 1) {
        (void)snprintf(nth, sizeof nth, " (%u)", s->nth);
    }
    if (mutant_count < MUTANT_MAX) {
        mutant_count++;
        m->site = i;
        m->order = order;
        (void)snprintf(m->key, sizeof m->key, "%s %s: %s%s: %s -> %s", s->file, s->function,
                       s->text, nth, order_word(s->order), order_word(order));
    }
}

/* 0, or 1 when a source is not the one that the program was built from. */
static int make_mutants(void)
{
    int stale = 0;
    unsigned *order = calloc(site_count, sizeof *order);
    for (unsigned i = 0; i < site_count; i++) {
        order[i] = i;
    }
    qsort(order, site_count, sizeof *order, by_place);
    for (unsigned k = 0; k < site_count; k++) {
        site *s = &sites[order[k]];
        s->nth = 1;
        for (unsigned j = 0; j < k; j++) {
            const site *o = &sites[order[j]];
            s->nth += strcmp(o->file, s->file) == 0 && strcmp(o->function, s->function) == 0 &&
                      strcmp(o->text, s->text) == 0;
        }
        if (s->order == __ATOMIC_SEQ_CST) {
            add(order[k], __ATOMIC_ACQ_REL);
            add(order[k], NO_FENCE);
        } else if (s->order == __ATOMIC_ACQ_REL) {
            add(order[k], __ATOMIC_ACQUIRE);
            add(order[k], __ATOMIC_RELEASE);
        } else if (s->order != __ATOMIC_RELAXED) {
            add(order[k], __ATOMIC_RELAXED);
        }
    }
    for (unsigned i = 0; i < mutant_count; i++) {
        const site *s = &sites[mutants[i].site];
        if (strchr(s->text, '(') == NULL) {
            fprintf(stderr, "models: no %s in line %d of %s: build the program again\n", s->text,
                    s->line, s->file);
            stale = 1;
        }
    }
    free(order);
    return stale;
}

int sites_find(const char *below)
{
    calls = calloc(CALL_MAX, sizeof *calls);
    sites = calloc(SITE_MAX, sizeof *sites);
    mutants = calloc(MUTANT_MAX, sizeof *mutants);
    find_calls();
    if (find_places(below) != 0) {
        return 1;
    }
    return make_mutants();
}

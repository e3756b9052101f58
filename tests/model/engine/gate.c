/*
 * The mutation gate: every mutant has to make a model fail, or be listed as one that cannot.
 *
 * First every model runs without a mutant, at bound 1 and 2, each in a process of its own; that
 * gives the operations it reaches and what it costs. Then each mutant, again in a process of its
 * own, meets the runs that reach its operation, cheapest first, until one fails: some
 * random executions of it, then all in order. Cost and ceiling
 * of a run are counted in steps, so that no verdict depends on the machine's speed. A failure that
 * names a limit of the checker kills nothing. Models that must fail or have an outcome to show are
 * the checker's own tests and take no part.
 *
 * The list of survivors (equivalent.txt): a line is a mutant's key as the gate prints it, or
 * "file F" for a file left out altogether; below it, indented, the reason, which may stand for
 * several lines above it. A key that is killed after all or names nothing any more fails the gate.
 */
#include "gate.h"
#include "engine.h"
#include "sites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RUN_MAX = 1024, LISTED_MAX = 512, HANG_SECONDS = 120, WALKS = 300 };

extern unsigned model_count;
const mc_model *model_at(unsigned i);

struct run { /* a model at a bound */
    const mc_model *model;
    unsigned bound;
    enum verdict verdict; /* without a mutant */
    uint64_t steps;
    char why[200];
};

struct result { /* of a mutant */
    bool killed;
    bool listed;
    bool left_out;
    unsigned by; /* the run that did it */
    unsigned runs;
    uint64_t executions;
    char why[200];
};

/* Written by the processes, read by the first one. */
static struct run *runs;
static struct result *results;
static uint8_t *reaches; /* of run r and site s: [r * site_count + s] */
static unsigned run_count;
static unsigned *cheapest; /* runs in the order of cost */

static bool unlisted_only;

static struct listed {
    char key[240];
    bool file, has_reason, used;
} listed[LISTED_MAX];
static unsigned listed_count;

/* ---- without a mutant ---- */

static void learn(unsigned r)
{
    struct run *run = &runs[r];
    sites_forget_reached();
    jobs_hang_after(HANG_SECONDS);
    double s;
    (void)explore(run->model, run->bound, UINT64_MAX, &s, &run->verdict);
    run->steps = steps_run;
    (void)snprintf(run->why, sizeof run->why, "%.199s", failure_text());
    for (unsigned i = 0; i < site_count; i++) {
        reaches[r * site_count + i] = sites[i].reached;
    }
}

static void learning_died(unsigned r)
{
    runs[r].verdict = FAILED;
    (void)snprintf(runs[r].why, sizeof runs[r].why, "the checker died");
}

static int by_cost(const void *a, const void *b)
{
    const struct run *x = &runs[*(const unsigned *)a], *y = &runs[*(const unsigned *)b];
    return x->steps < y->steps ? -1 : x->steps > y->steps;
}

/* ---- with one ---- */

static void meet(unsigned i)
{
    const mutant *m = &mutants[i];
    struct result *out = &results[i];
    mutate(m);
    for (unsigned k = 0; k < run_count && !out->killed; k++) {
        unsigned r = cheapest[k];
        enum verdict v;
        double s;
        if (runs[r].verdict == FAILED || !reaches[r * site_count + m->site]) {
            continue;
        }
        out->by = r;
        jobs_hang_after(HANG_SECONDS);
        out->executions += explore(runs[r].model, runs[r].bound, UINT64_MAX, &s, &v);
        out->runs++;
        if (v == FAILED) {
            const char *why = failure_text();
            out->killed = strncmp(why, "limit:", 6) != 0 && strstr(why, "deterministic") == NULL;
            (void)snprintf(out->why, sizeof out->why, "%.199s", why);
        }
    }
}

static void meet_unless_left_out(unsigned i)
{
    if (!results[i].left_out && !(unlisted_only && results[i].listed)) {
        meet(i);
    }
}

/* A mutant may send the program anywhere. */
static void mutant_died(unsigned i)
{
    results[i].killed = true;
    (void)snprintf(results[i].why, sizeof results[i].why, "crash or no end");
}

/* ---- the list ---- */

static int read_list(const char *path)
{
    char line[512];
    unsigned first = 0; /* of those that wait for their reason */
    FILE *f = path != NULL ? fopen(path, "r") : NULL;
    if (path != NULL && f == NULL) {
        perror(path);
        return 2;
    }
    while (f != NULL && fgets(line, sizeof line, f) != NULL) {
        size_t n = strcspn(line, "\n");
        line[n] = '\0';
        if (line[0] == '#' || strspn(line, " \t") == n) {
            continue;
        }
        if (line[0] == ' ' || line[0] == '\t') {
            for (; first < listed_count; first++) {
                listed[first].has_reason = true;
            }
        } else if (listed_count < LISTED_MAX) {
            struct listed *l = &listed[listed_count++];
            l->file = strncmp(line, "file ", 5) == 0;
            (void)snprintf(l->key, sizeof l->key, "%.239s", line + (l->file ? 5 : 0));
        }
    }
    if (f != NULL) {
        (void)fclose(f);
    }
    return 0;
}

static void apply_list(void)
{
    for (unsigned i = 0; i < mutant_count; i++) {
        for (unsigned k = 0; k < listed_count; k++) {
            struct listed *l = &listed[k];
            if (strcmp(l->key, l->file ? sites[mutants[i].site].file : mutants[i].key) == 0) {
                l->used = true;
                results[i].left_out |= l->file;
                results[i].listed |= !l->file;
            }
        }
    }
}

/* ---- all of it ---- */

static unsigned learn_all(unsigned jobs)
{
    unsigned broken = 0;
    runs = jobs_shared(RUN_MAX * sizeof *runs);
    for (unsigned i = 0; i < model_count; i++) {
        const mc_model *m = model_at(i);
        bool in = m->outcomes == 0 && m->fails == NULL && wanted(m->name);
        for (unsigned b = 1; b <= 2 && in; b++) {
            if (run_count < RUN_MAX) {
                runs[run_count].model = m;
                runs[run_count++].bound = b;
            }
        }
    }
    reaches = jobs_shared((size_t)run_count * site_count + 1);
    cheapest = calloc(run_count + 1, sizeof *cheapest);
    jobs_run(run_count, jobs, learn, learning_died);
    for (unsigned r = 0; r < run_count; r++) {
        cheapest[r] = r;
        if (runs[r].verdict == FAILED) {
            printf("broken: %s fails at bound %u without a mutant, and is left out: %s\n",
                   runs[r].model->name, runs[r].bound, runs[r].why);
            broken++;
        }
    }
    qsort(cheapest, run_count, sizeof *cheapest, by_cost);
    return broken;
}

static unsigned reaching(unsigned s)
{
    unsigned n = 0;
    for (unsigned r = 0; r < run_count; r++) {
        n += reaches[r * site_count + s];
    }
    return n;
}

int gate(unsigned jobs, const char *settled, uint64_t ceiling, bool only_unlisted)
{
    unsigned killed = 0, equivalent = 0, survived = 0, left_out = 0, wrong = 0;
    uint64_t executions = 0;
    steps_limit = ceiling;
    unlisted_only = only_unlisted;
    walks = WALKS;
    quiet = true;
    results = jobs_shared((mutant_count + 1) * sizeof *results);
    if (read_list(settled) != 0) {
        return 2;
    }
    apply_list();
    wrong += learn_all(jobs);
    jobs_run(mutant_count, jobs, meet_unless_left_out, mutant_died);
    for (unsigned i = 0; i < mutant_count; i++) {
        const struct result *r = &results[i];
        const site *s = &sites[mutants[i].site];
        executions += r->executions;
        if (verbose && r->killed) {
            printf("killed: %s (line %d) by %s at bound %u: %s\n", mutants[i].key, s->line,
                   runs[r->by].model->name, runs[r->by].bound, r->why);
        }
        if (r->left_out) {
            left_out++;
        } else if (r->killed) {
            killed++;
            if (r->listed) {
                printf("listed, but killed by %s: %s\n", runs[r->by].model->name, mutants[i].key);
                wrong++;
            }
        } else if (r->listed) {
            equivalent++;
        } else {
            survived++;
            printf("survived: %s (line %d, %s", mutants[i].key, s->line,
                   r->runs == 0 ? "reached by no model)\n" : "");
            if (r->runs != 0) {
                printf("%u runs reach it%s%s)\n", reaching(mutants[i].site),
                       r->why[0] != '\0' ? "; " : "", r->why);
            }
        }
    }
    for (unsigned k = 0; k < listed_count; k++) {
        if (!listed[k].used) {
            printf("listed, but there is no such %s: %s\n", listed[k].file ? "file" : "mutant",
                   listed[k].key);
        }
        if (!listed[k].has_reason) {
            printf("listed without a reason: %s\n", listed[k].key);
        }
        wrong += !listed[k].used || !listed[k].has_reason;
    }
    printf("%u mutants, %u killed, %u equivalent%s, %u survived", mutant_count - left_out, killed,
           equivalent, only_unlisted ? " (listed, and not tried)" : "", survived);
    printf("; %u in files left out; %u models, %llu executions\n", left_out, run_count / 2,
           (unsigned long long)executions);
    return survived != 0 || wrong != 0;
}

static const char *mutant_name(unsigned i, char *out, size_t size)
{
    const site *s = &sites[mutants[i].site];
    (void)snprintf(out, size, "%u: %s (%s:%d)", i, mutants[i].key, s->file, s->line);
    return out;
}

void gate_list(void)
{
    char name[400];
    for (unsigned i = 0; i < mutant_count; i++) {
        printf("%s\n", mutant_name(i, name, sizeof name));
    }
}

int gate_mutate(const char *part)
{
    char name[400], *end;
    unsigned found = 0, which = 0;
    unsigned long number = strtoul(part, &end, 10);
    for (unsigned i = 0; i < mutant_count; i++) {
        if (*end == '\0' ? i == number : strstr(mutant_name(i, name, sizeof name), part) != NULL) {
            which = i;
            found++;
        }
    }
    if (found != 1) {
        fprintf(stderr, "models: %u mutants have '%s' in their name:\n", found, part);
        for (unsigned i = 0; i < mutant_count; i++) {
            if (strstr(mutant_name(i, name, sizeof name), part) != NULL) {
                fprintf(stderr, "%s\n", name);
            }
        }
        return 2;
    }
    printf("weakened: %s\n", mutant_name(which, name, sizeof name));
    mutate(&mutants[which]);
    return 0;
}

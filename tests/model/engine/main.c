/*
 * The command line:
 *   models [--list] [--bound N] [--quick] [--max-executions N] [--steps N] [--seconds N] [-j N]
 *          [--stats] [--random N] [--replay CHOICES] [--mutate MUTANT] [NAME...]
 *   models --gate | --mutants [-j N] [--equivalent FILE] [--unlisted] [--below PATH] [--steps N]
 *          [--verbose] [NAME...]
 * Runs all models, or the named ones, at bound 3 or the one a model names. One that is not done
 * after ten million executions, or N steps or seconds of CPU time, is run again at the next lower
 * bound; --bound and --max-executions keep it where it is. The first that fails ends it with status
 * 1, with -j after all have run. N random executions come before all of them in order. With
 * --mutate one operation of the library is weaker than written;
 * --mutants lists what can be, --gate tries all, with --unlisted those only that the list of
 * survivors does not name.
 */
#include "engine.h"
#include "gate.h"
#include "sites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern unsigned model_count;
const mc_model *model_at(unsigned i);

enum { TOO_MANY = 10000000, GATE_STEPS = 1000000 };

bool quiet, verbose;

static const char *names[256];
static unsigned named;

bool wanted(const char *name)
{
    for (unsigned k = 0; k < named; k++) {
        if (strcmp(names[k], name) == 0) {
            return true;
        }
    }
    return named == 0;
}

static int run_one(const mc_model *m, unsigned bound, uint64_t limit, bool quick, uint64_t *total)
{
    enum verdict v;
    double s = 0;
    bool asked = bound != 0;
    if (!asked) {
        bound = quick ? (m->quick != 0 ? m->quick : 2) : (m->bound != 0 ? m->bound : 3);
    }
    uint64_t n = explore(m, bound, limit != 0 ? limit : asked ? UINT64_MAX : TOO_MANY, &s, &v);
    const char *why = "";
    *total += n;
    while (v == GOING && limit == 0 && !asked && bound > 1) {
        double before = s;
        why = bound == 3 ? ", not done at 3" : ", not done at 2";
        n = explore(m, --bound, TOO_MANY, &s, &v);
        *total += n;
        s += before;
    }
    if (m->fails != NULL) {
        bool good = v == FAILED && strstr(failure_text(), m->fails) != NULL;
        printf("%s: bound %u, %llu executions, %.2f s: %s (%s)\n", m->name, bound,
               (unsigned long long)n, s, good ? "ok, fails as it must" : "FAILED: must fail",
               failure_text());
        return !good;
    }
    if (v != FAILED && limit == 0 && m->outcomes != 0 && outcomes_seen != m->outcomes) {
        printf("%s: bound %u, %llu executions, %.2f s: FAILED: outcomes %#llx, not %#llx\n",
               m->name, bound, (unsigned long long)n, s, (unsigned long long)outcomes_seen,
               (unsigned long long)m->outcomes);
        return 1;
    }
    printf("%s: bound %u%s, %llu executions, %.2f s: %s\n", m->name, bound, why,
           (unsigned long long)n, s,
           v == FAILED  ? "FAILED"
           : v == GOING ? "ok so far, not all were run"
                        : "ok");
    (void)fflush(stdout);
    return v == FAILED;
}

/* Of all models that run in processes of their own, by their numbers in `chosen`. */
static struct one {
    uint64_t executions;
    bool bad;
} *ones;
static unsigned chosen[512];
static struct {
    unsigned bound;
    uint64_t limit;
    bool quick;
} how;

static void run_chosen(unsigned i)
{
    struct one *o = &ones[i];
    o->bad = run_one(model_at(chosen[i]), how.bound, how.limit, how.quick, &o->executions) != 0;
}

static void chosen_died(unsigned i)
{
    printf("%s: FAILED: the checker died\n", model_at(chosen[i])->name);
    ones[i].bad = true;
}

static bool run_all(unsigned n, unsigned jobs, uint64_t *total)
{
    bool bad = false;
    ones = jobs_shared((n + 1) * sizeof *ones);
    jobs_run(n, jobs, run_chosen, chosen_died);
    for (unsigned i = 0; i < n; i++) {
        *total += ones[i].executions;
        bad |= ones[i].bad;
    }
    return bad;
}

int main(int argc, char **argv)
{
    unsigned bound = 0;
    uint64_t limit = 0, total = 0;
    bool quick = false, list = false, stats = false;
    bool gated = false, mutants_only = false, unlisted = false;
    const char *choices = NULL, *mutated = NULL, *settled = NULL, *below = "lib/";
    unsigned jobs = 0;

    for (int i = 1; i < argc; i++) {
        bool more = i + 1 < argc;
        if (strcmp(argv[i], "--list") == 0) {
            list = true;
        } else if (strcmp(argv[i], "--quick") == 0) {
            quick = true;
        } else if (strcmp(argv[i], "--stats") == 0) {
            stats = true;
        } else if (strcmp(argv[i], "--bound") == 0 && more) {
            bound = (unsigned)strtoul(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--max-executions") == 0 && more) {
            limit = strtoull(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--seconds") == 0 && more) {
            seconds_limit = strtod(argv[++i], NULL);
        } else if (strcmp(argv[i], "--unlisted") == 0) {
            unlisted = true;
        } else if (strcmp(argv[i], "--replay") == 0 && more) {
            choices = argv[++i];
        } else if (strcmp(argv[i], "--random") == 0 && more) {
            walks = (unsigned)strtoul(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--mutate") == 0 && more) {
            mutated = argv[++i];
        } else if (strcmp(argv[i], "--gate") == 0) {
            gated = true;
        } else if (strcmp(argv[i], "--mutants") == 0) {
            mutants_only = true;
        } else if (strcmp(argv[i], "--verbose") == 0) {
            verbose = true;
        } else if (strcmp(argv[i], "-j") == 0 && more) {
            jobs = (unsigned)strtoul(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--steps") == 0 && more) {
            steps_limit = strtoull(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--equivalent") == 0 && more) {
            settled = argv[++i];
        } else if (strcmp(argv[i], "--below") == 0 && more) {
            below = argv[++i];
        } else if (argv[i][0] == '-' || named == 256) {
            fprintf(stderr,
                    "usage: models [--list] [--bound N] [--quick] [--max-executions N] "
                    "[--seconds N] [--steps N] [-j N] [--stats] [--random N] [--replay CHOICES] "
                    "[--mutate MUTANT] [NAME...]\n"
                    "       models --gate | --mutants [-j N] [--equivalent FILE] "
                    "[--unlisted] [--below PATH] [--steps N] [--verbose] [NAME...]\n");
            return 2;
        } else {
            names[named++] = argv[i];
        }
    }
    engine_start();
    if ((gated || mutants_only || mutated != NULL) && sites_find(below) != 0) {
        return 2;
    }
    if (mutants_only) {
        gate_list();
        return 0;
    }
    if (gated) {
        return gate(jobs != 0 ? jobs : 2, settled, steps_limit != 0 ? steps_limit : GATE_STEPS,
                    unlisted);
    }
    if (mutated != NULL && gate_mutate(mutated) != 0) {
        return 2;
    }
    unsigned ran = 0;
    bool bad = false;
    for (unsigned i = 0; i < model_count; i++) {
        const mc_model *m = model_at(i);
        if (!wanted(m->name)) {
            continue;
        }
        chosen[ran++] = i;
        if (list) {
            printf("%s: %s\n", m->name, m->says);
        } else if (choices != NULL) {
            return replay(m, bound != 0 ? bound : 3, choices);
        } else if (jobs == 0 && run_one(m, bound, limit, quick, &total) != 0) {
            return 1;
        }
    }
    if (jobs != 0 && !list) {
        how.bound = bound;
        how.limit = limit;
        how.quick = quick;
        bad = run_all(ran, jobs, &total);
    }
    if (stats) {
        printf("%u models, %llu executions\n", ran, (unsigned long long)total);
    }
    if (ran == 0) {
        fprintf(stderr, "models: no such model\n");
        return 2;
    }
    return bad;
}

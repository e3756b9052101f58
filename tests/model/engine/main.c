/*
 * The command line: models [--list] [--bound N] [--quick] [--max-executions N] [--stats]
 *                          [--replay CHOICES] [NAME...]
 * Runs all models, or the named ones; the first that fails ends it with status 1.
 */
#include "engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern unsigned model_count;
const mc_model *model_at(unsigned i);

enum { TOO_MANY = 10000000 };

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
    while (v == GOING && limit == 0 && !asked && bound > 1) {
        bound--;
        why = ", lowered: more than ten million above";
        n = explore(m, bound, bound > 1 ? TOO_MANY : UINT64_MAX, &s, &v);
    }
    *total += n;
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

int main(int argc, char **argv)
{
    unsigned bound = 0;
    uint64_t limit = 0, total = 0;
    bool quick = false, list = false, stats = false;
    const char *choices = NULL, *names[256];
    unsigned named = 0;

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
        } else if (strcmp(argv[i], "--replay") == 0 && more) {
            choices = argv[++i];
        } else if (argv[i][0] == '-' || named == 256) {
            fprintf(stderr, "usage: models [--list] [--bound N] [--quick] [--max-executions N] "
                            "[--stats] [--replay CHOICES] [NAME...]\n");
            return 2;
        } else {
            names[named++] = argv[i];
        }
    }
    engine_start();
    unsigned ran = 0;
    for (unsigned i = 0; i < model_count; i++) {
        const mc_model *m = model_at(i);
        bool wanted = named == 0;
        for (unsigned k = 0; k < named; k++) {
            wanted |= strcmp(names[k], m->name) == 0;
        }
        if (!wanted) {
            continue;
        }
        ran++;
        if (list) {
            printf("%s: %s\n", m->name, m->says);
        } else if (choices != NULL) {
            return replay(m, bound != 0 ? bound : 3, choices);
        } else if (run_one(m, bound, limit, quick, &total) != 0) {
            return 1;
        }
    }
    if (stats) {
        printf("%u models, %llu executions\n", ran, (unsigned long long)total);
    }
    if (ran == 0) {
        fprintf(stderr, "models: no such model\n");
        return 2;
    }
    return 0;
}

/*
 * Random programs find bugs: some are planted into the functions that programs call
 * (tests/support/program/planted.h), and each has to be found, made small and printed as a C
 * program that fails with it and does not without it.
 *
 * Labels: planted
 */
#include "program/planted.h"

#include "../task/check.h"
#include "program/batch.h"
#include "program/kinds.h"
#include "program/shrink.h"

#include <signal.h>
#include <sys/wait.h>

enum { LOOK_AT = 3000 };

/* ---- printed programs ---- */

struct printed {
    char folder[64], source[128], program[128];
};

static void make_folder(struct printed *f)
{
    (void)strcpy(f->folder, "/tmp/brigade-program-XXXXXX");
    cr_assert(mkdtemp(f->folder) != NULL);
    (void)snprintf(f->source, sizeof f->source, "%s/program.c", f->folder);
    (void)snprintf(f->program, sizeof f->program, "%s/program", f->folder);
}

static void remove_folder(const struct printed *f)
{
    (void)unlink(f->source);
    (void)unlink(f->program);
    (void)rmdir(f->folder);
}

static void compile(const struct printed *f, const struct bgp_program *p)
{
    char command[2048];
    FILE *out = fopen(f->source, "w");
    cr_assert(out != NULL);
    cr_assert_eq(bgp_print(out, p), 0);
    cr_assert_eq(fclose(out), 0);
    (void)snprintf(command, sizeof command,
                   BGP_COMPILER " -Wall -Wextra -Wshadow -Werror -pthread -I " BGP_SOURCES
                                "/include -include " BGP_SOURCES
                                "/tests/support/program/planted.h -o %s %s " BGP_LIBRARY,
                   f->program, f->source);
    cr_assert_eq(system(command), 0, "%s", command);
}

/* Runs it with a planted bug: its exit status, or -1 when a signal ended it. */
static int run(const struct printed *f, int planted)
{
    char number[16];
    (void)snprintf(number, sizeof number, "%d", planted);
    pid_t child = fork();
    if (child == 0) {
        (void)setenv("BGP_PLANTED", number, 1);
        (void)freopen("/dev/null", "w", stderr);
        (void)signal(SIGALRM, SIG_DFL);
        (void)alarm(planted != 0 ? 3 : 60 * (unsigned)bgp_time_scale()); /* it may hang */
        (void)execl(f->program, f->program, (char *)NULL);
        _exit(127);
    }
    int status = 0;
    cr_assert_eq(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* ---- planted bugs ---- */

/* At most so many, when the program has been made small. */
enum { TASKS_LEFT = 8, OPS_LEFT = 10 };

struct expected {
    enum bgp_planted bug;
    enum bgp_failure failure; /* see is_expected */
    int printed;              /* whether it shows outside of this process, too */
};

static const struct expected expected[] = {
    {PLANTED_EARLY_SLEEP, BGP_CHECK, 1},
    {PLANTED_EARLY_TIMER, BGP_CHECK, 1},
    {PLANTED_NO_TIMER, BGP_CHECK, 1},
    {PLANTED_TWO_TIMERS, BGP_CHECK, 1},
    {PLANTED_MIXED_RESULTS, BGP_CHECK, 1},
    {PLANTED_LOST_CANCEL, BGP_DEADLOCK, 1},
    {PLANTED_LOST_WAKE_UP, BGP_DEADLOCK, 1},
    {PLANTED_NO_WAIT, BGP_CHECK, 1},
    {PLANTED_WRONG_INDEX, BGP_CHECK, 1},
    {PLANTED_LOST_FAILURE, BGP_CHECK, 1},
    {PLANTED_CRASH, BGP_DIED, 1},
    {PLANTED_HANG, BGP_HUNG, 1},
    {PLANTED_EARLY_TIMEOUT, BGP_CHECK, 1},
    {PLANTED_NO_SHIELD, BGP_CHECK, 1},
    {PLANTED_LOST_MEMBER, BGP_CHECK, 1},
    {PLANTED_LOST_RESULT, BGP_CHECK, 1},
    {PLANTED_BUSY_LOCK, BGP_CHECK, 1},
    {PLANTED_LOST_SIGNAL, BGP_DEADLOCK, 1},
    {PLANTED_NO_SIGNAL, BGP_CHECK, 1},
    {PLANTED_EXTRA_PERMIT, BGP_CHECK, 1},
    {PLANTED_TWO_WRITERS, BGP_CHECK, 1},
    {PLANTED_DONE_TWICE, BGP_CHECK, 1},
    {PLANTED_LOST_EVENT, BGP_DEADLOCK, 1},
    {PLANTED_EARLY_LATCH, BGP_CHECK, 1},
    {PLANTED_EARLY_BARRIER, BGP_CHECK, 1},
    {PLANTED_LOST_ITEM, BGP_CHECK, 1},
    {PLANTED_SENT_ANYWAY, BGP_CHECK, 1},
    {PLANTED_OVERTAKEN, BGP_CHECK, 1},
    {PLANTED_LOST_CLOSE, BGP_DEADLOCK, 1},
    {PLANTED_TWO_CASES, BGP_CHECK, 1},
    {PLANTED_WRONG_CASE, BGP_CHECK, 1},
    {PLANTED_EARLY_AFTER, BGP_CHECK, 1},
    {PLANTED_OTHERS_RESULT, BGP_CHECK, 1},
    {PLANTED_CALLED_TWICE, BGP_CHECK, 1},
    {PLANTED_NOT_CALLED, BGP_CHECK, 1},
    {PLANTED_LOST_PART, BGP_CHECK, 1},
    {PLANTED_JOINED_TWICE, BGP_CHECK, 1},
    {PLANTED_SET_TWICE, BGP_CHECK, 1},
    {PLANTED_NO_VALUE, BGP_CHECK, 1},
    {PLANTED_LOST_MESSAGE, BGP_CHECK, 1},
    {PLANTED_LATE_MESSAGE, BGP_CHECK, 1},
    {PLANTED_LOST_BYTE, BGP_CHECK, 1},
    {PLANTED_EARLY_END, BGP_CHECK, 1},
    {PLANTED_LEAK, BGP_CHECK, 0},
};

/* One that is to wait for ever may be found before by a check; and any by a sanitizer. */
static int is_expected(const struct expected *e, const struct bgp_report *report)
{
    return report->failure == e->failure || (CHECK_SLOW && report->failure == BGP_DIED) ||
           (e->failure == BGP_DEADLOCK && report->failure == BGP_CHECK);
}

static void find(const struct expected *e)
{
    static const struct bgp_limits limits = {.tries = 2000, .times = 16, .seconds = 120};
    struct bgp_program p = {0};
    struct bgp_report report;
    struct printed f;

    bgp_planted = (int)e->bug;
    cr_assert(!bgp_search(&bgp_small, 1, LOOK_AT, 1, &report), "bug %d is not found", e->bug);
    bgp_generate(&p, report.seed, &bgp_small);
    uint32_t ops = p.nops;
    unsigned tries = bgp_shrink(&p, &report, &limits);
    (void)fprintf(stderr, "bug %d: %s, seed %d, %u operations, %u tries: %u tasks, %u operations\n",
                  e->bug, bgp_failure_name(report.failure), (int)report.seed, ops, tries, p.ntasks,
                  p.nops);
    cr_expect(is_expected(e, &report), "bug %d: %s", e->bug, report.text);
    cr_expect(p.ntasks <= TASKS_LEFT && p.nops <= OPS_LEFT, "bug %d: %u tasks, %u operations",
              e->bug, p.ntasks, p.nops);
    if (e->printed) {
        make_folder(&f);
        compile(&f, &p);
        cr_expect_neq(run(&f, (int)e->bug), 0, "bug %d: the printed program does not fail", e->bug);
        cr_expect_eq(run(&f, PLANTED_NONE), 0, "bug %d: the printed program always fails", e->bug);
        remove_folder(&f);
    }
    bgp_free(&p);
}

Test(program_planted, every_bug_is_found)
{
    cr_assert_eq(BGI_ARRAY_LEN(expected), PLANTED_ALL - 1);
    for (size_t i = 0; i < BGI_ARRAY_LEN(expected); i += CHECK_SLOW ? CHECK_SLOW : 1) {
        find(&expected[i]);
    }
}

/* ---- without bugs ---- */

/* Which kinds a program has, of the first 64. */
static uint64_t kinds_of(const struct bgp_program *p)
{
    uint64_t kinds = 0;
    for (uint32_t i = 0; i < p->nops; i++) {
        for (unsigned k = 0; bgp_kinds[k] != NULL; k++) {
            kinds |= (uint64_t)(p->op[i].kind == bgp_kinds[k]) << k;
        }
    }
    return kinds;
}

/* Prints, compiles and runs programs until each kind has been in one. */
static void print_all_kinds(const struct bgp_size *size)
{
    struct bgp_program p = {0};
    uint64_t missing = 0;
    struct printed f;
    for (uint64_t seed = 1; seed < 200; seed++) {
        bgp_generate(&p, seed, size);
        missing |= kinds_of(&p);
    }
    make_folder(&f);
    for (uint64_t seed = 1; missing != 0; seed++) {
        bgp_generate(&p, seed, size);
        uint64_t kinds = kinds_of(&p) & missing;
        if (__builtin_popcountll(kinds) * 3 >= __builtin_popcountll(missing)) {
            missing &= ~kinds;
            compile(&f, &p);
            cr_expect_eq(run(&f, PLANTED_NONE), 0, "seed %d", (int)seed);
        }
    }
    remove_folder(&f);
    bgp_free(&p);
}

Test(program_planted, printed_programs_do_not_fail_without_one)
{
    static const struct bgp_size threads = {.mode = BGP_THREADS, .most = 100};
    print_all_kinds(&bgp_small);
    print_all_kinds(&threads);
}

/* ---- what is made of programs ---- */

static void change(struct bgp_program *p, struct bgi_random *random)
{
    switch (bgi_random_below(random, 4)) {
    case 0:
        bgp_put_in_line(p, bgi_random_below(random, p->ntasks));
        break;
    case 1:
        bgp_make_seeded(p, p->seed + 1);
        break;
    default: {
        uint32_t some = 1 + bgi_random_below(random, 16);
        uint8_t *drop = malloc(p->nops + 1);
        cr_assert(drop != NULL);
        for (uint32_t i = 0; i < p->nops; i++) {
            drop[i] = bgi_random_below(random, 16) < some;
        }
        bgp_tidy(p, drop);
        free(drop);
    }
    }
}

static void run_changed(void *arg)
{
    static const struct bgp_size foreign = {.mode = BGP_FOREIGN, .most = 60};
    static const struct bgp_patience patience = {60, 0};
    struct bgi_random random;
    struct bgp_program p = {0};
    uint64_t seeds = *(const uint64_t *)arg;
    for (uint64_t seed = 1; seed <= seeds; seed++) {
        bgi_random_seed(&random, seed);
        bgp_generate(&p, seed, seed % 4 == 0 ? &foreign : &bgp_small);
        for (int i = 0; i < 8 && p.nops > 0; i++) {
            change(&p, &random);
            bgp_start_watch(&patience);
            if (!bgp_run(&p)) {
                return;
            }
        }
    }
    bgp_free(&p);
}

/* Whatever is left out, the rest is a valid program. */
Test(program_planted, what_is_left_of_a_program_is_one)
{
    uint64_t seeds = MANY(500);
    struct bgp_report report;
    cr_assert(bgp_in_child(run_changed, &seeds, 0, &report), "seed %d: %s: %s", (int)report.seed,
              bgp_failure_name(report.failure), report.text);
}

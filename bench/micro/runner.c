/*
 * Runs the micro benchmarks: every workload with every peer that is built, interleaved, so that
 * what disturbs the machine disturbs all alike. For each workload the peers take turns, and the
 * first to go changes with every repeat.
 *
 * A peer that says it cannot do a workload is not asked again; one whose margin was too short gets
 * twice as long, and keeps it. Counts shrink to fit into the memory that is free.
 */
#define _GNU_SOURCE
#include "child.h"
#include "report.h"
#include "table.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <unistd.h>

enum { EXIT_FAILED = 1, EXIT_USAGE = 64, EXIT_INTERRUPTED = 130 };
enum { CHILD_CANNOT = 2, CHILD_MARGIN = 3, MARGIN_TRIES = 5 };

static bm_results results;

static const char usage_text[] =
    "usage: runner [--repeat N] [--quick] [--only WORKLOAD,...] [--peers NAME,...] [--json FILE]\n"
    "              [--programs DIR] [--limit SECONDS] [--list]\n"
    "              [--alone]\n"
    "--alone: in a real-time class, before all other programs on a busy machine; needs root\n";

typedef struct {
    const char *programs, *json, *only, *peers;
    double limit;
} options;

static void on_signal(int sig)
{
    (void)sig;
    bm_stop = 1;
}

/* Is one of the names in the list, which commas separate? */
static int listed(const char *list, const char *name, const char *other)
{
    while (*list) {
        size_t n = strcspn(list, ",");
        if ((n == strlen(name) && !strncmp(list, name, n)) ||
            (other && n == strlen(other) && !strncmp(list, other, n)))
            return 1;
        list += n;
        list += *list == ',';
    }
    return 0;
}

static int known_row(const char *name)
{
    for (size_t i = 0; i < bm_row_count; i++)
        if (!strcmp(bm_rows[i].name, name) || !strcmp(bm_rows[i].group, name))
            return 1;
    return 0;
}

static int known_peer(const char *name)
{
    for (size_t i = 0; i < bm_peer_count; i++)
        if (!strcmp(bm_peers[i].name, name))
            return 1;
    return 0;
}

/* Every name of the list has to be one that exists. */
static int check_list(const char *list, int (*known)(const char *), const char *what)
{
    char name[64];
    while (list && *list) {
        size_t n = strcspn(list, ",");
        snprintf(name, sizeof name, "%.*s", (int)n, list);
        if (!known(name)) {
            fprintf(stderr, "runner: there is no %s called \"%s\"; see --list\n", what, name);
            return 0;
        }
        list += n;
        list += *list == ',';
    }
    return 1;
}

static void print_list(void)
{
    printf("workloads\n");
    for (size_t i = 0; i < bm_row_count; i++)
        printf("  %-16s %-13s %s\n", bm_rows[i].name, bm_rows[i].group, bm_rows[i].title);
    printf("peers\n");
    for (size_t i = 0; i < bm_peer_count; i++)
        printf("  %s\n", bm_peers[i].name);
}

static int first_cpu(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set))
        return -1;
    for (int c = 0; c < CPU_SETSIZE; c++)
        if (CPU_ISSET((size_t)c, &set))
            return c;
    return -1;
}

static double memory_available(void)
{
    FILE *f = fopen("/proc/meminfo", "r");
    char line[128];
    double kib = 0;
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "MemAvailable: %lf", &kib) == 1)
            break;
    if (f)
        fclose(f);
    return kib * 1024;
}

static void program_path(char *out, size_t size, const options *o, size_t peer)
{
    snprintf(out, size, "%s/%s", o->programs, bm_peers[peer].file);
}

/* Chooses what exists, and asks each program for its version. */
static void find_peers(const options *o)
{
    for (size_t p = 0; p < bm_peer_count && !bm_stop; p++) {
        char path[4096];
        bm_outcome out;
        if (o->peers && !listed(o->peers, bm_peers[p].name, NULL))
            continue;
        program_path(path, sizeof path, o, p);
        if (access(path, X_OK)) {
            fprintf(stderr, "%s is not built: left out\n", bm_peers[p].name);
            continue;
        }
        char *argv[] = {path, (char[]){"version"}, NULL};
        if (bm_run_child(argv, -1, 20, &out) || out.status) {
            fprintf(stderr, "%s does not start%s: left out\n", bm_peers[p].name,
                    out.status == 125 ? " in a real-time class" : "");
            continue;
        }
        results.chosen_peer[p] = 1;
        snprintf(results.version[p], BM_MAX_TEXT, "%.*s", (int)strcspn(out.text, "\n"), out.text);
    }
}

/* Takes the lines of a program apart: figures into the cell, notes and reasons beside them. */
static void read_lines(bm_cell *cell, const bm_row *row, char *text, int keep)
{
    char *save = NULL;
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        char name[64], *end;
        int at = 0;
        if (!strncmp(line, "note ", 5)) {
            snprintf(cell->note, sizeof cell->note, "%s", line + 5);
            continue;
        }
        if (sscanf(line, "%63s %n", name, &at) == 1 && at) {
            double v = strtod(line + at, &end);
            int is_figure = end != line + at && (*end == ' ' || !*end);
            for (int i = 0; keep && is_figure && i < BM_MAX_FIGURES; i++) {
                bm_samples *s = &cell->figures[i];
                if (row->figures[i].metric && !strcmp(row->figures[i].metric, name) &&
                    s->n < BM_MAX_REPEATS)
                    s->v[s->n++] = v;
            }
            if (is_figure)
                continue;
        }
        if (!cell->reason[0])
            snprintf(cell->reason, sizeof cell->reason, "%s",
                     strncmp(line, "cannot ", 7) ? line : line + 7);
    }
}

static void broken(bm_cell *cell, const char *format, double value)
{
    cell->state = BM_BROKEN;
    if (!cell->reason[0])
        snprintf(cell->reason, sizeof cell->reason, format, value);
}

static void prepare(bm_cell *cell, const bm_size *size)
{
    cell->full = size->bytes ? size->count : 0; /* elsewhere a count is only how long it takes */
    cell->count = results.quick ? size->quick_count : size->count;
    cell->margin = results.quick ? size->quick_margin : size->margin;
    if (size->bytes) {
        double room = memory_available() * 0.7 / size->bytes;
        if (room > 0 && (double)cell->count > room)
            cell->count = (long)room;
    }
}

static void run_once(const options *o, size_t row, size_t peer)
{
    const bm_row *w = &bm_rows[row];
    bm_cell *cell = &results.cell[row][peer];
    char path[4096], args[128], count[32], margin[32], *argv[16], *save = NULL;
    bm_outcome out;
    program_path(path, sizeof path, o, peer);
    snprintf(args, sizeof args, "%s %s %s", w->workload, results.quick ? w->quick : w->args,
             bm_peers[peer].arg ? bm_peers[peer].arg : "");
    int n = 0;
    argv[n++] = path;
    for (char *a = strtok_r(args, " ", &save); a && n < 12; a = strtok_r(NULL, " ", &save))
        argv[n++] = a;
    if (cell->count) {
        snprintf(count, sizeof count, "count=%ld", cell->count);
        argv[n++] = count;
    }
    int at_margin = n;
    for (int tries = 0;; tries++) {
        n = at_margin;
        if (cell->margin) {
            snprintf(margin, sizeof margin, "margin_ms=%d", cell->margin);
            argv[n++] = margin;
        }
        argv[n] = NULL;
        int rc = bm_run_child(argv, w->pinned ? results.cpu : -1, o->limit, &out);
        if (bm_stop)
            return;
        if (rc < 0) {
            snprintf(cell->reason, sizeof cell->reason, "could not be started: %s", strerror(-rc));
            cell->state = BM_BROKEN;
            return;
        }
        if (out.status != CHILD_MARGIN || !cell->margin || tries + 1 == MARGIN_TRIES)
            break;
        cell->margin *= 2;
    }
    read_lines(cell, w, out.text, out.status == 0);
    if (out.timed_out)
        broken(cell, "took more than %.0f s", o->limit);
    else if (out.status == CHILD_CANNOT)
        cell->state = BM_LACKS;
    else if (out.status == CHILD_MARGIN && cell->margin)
        broken(cell, "not all were waiting in time, with a margin of %.0f ms", cell->margin);
    else if (out.status > 128)
        broken(cell, "ended by signal %.0f", out.status - 128);
    else if (out.status)
        broken(cell, "exit status %.0f", out.status);
    else if (!cell->figures[0].n)
        broken(cell, "printed no figure", 0);
    else
        cell->state = BM_MEASURED;
}

static void run_row(const options *o, size_t row, int show)
{
    const bm_size *sizes[BM_MAX_PEERS] = {0};
    for (size_t p = 0; p < bm_peer_count; p++)
        if (results.chosen_peer[p] &&
            (sizes[p] = bm_find_size(bm_rows[row].group, bm_peers[p].name)))
            prepare(&results.cell[row][p], sizes[p]);
    for (int repeat = 0; repeat < results.repeats; repeat++)
        for (size_t turn = 0; turn < bm_peer_count && !bm_stop; turn++) {
            size_t p = (turn + (size_t)repeat) % bm_peer_count;
            bm_cell *cell = &results.cell[row][p];
            int most = sizes[p] ? sizes[p]->repeats : 0;
            if (!sizes[p] || (most && repeat >= (results.quick && most > 1 ? 2 : most)) ||
                cell->state == BM_LACKS || cell->state == BM_BROKEN)
                continue;
            if (show)
                fprintf(stderr, "\r\033[K%s %d/%d: %s", bm_rows[row].name, repeat + 1,
                        results.repeats, bm_peers[p].name);
            run_once(o, row, p);
        }
    if (show)
        fprintf(stderr, "\r\033[K");
}

static int any_broken(void)
{
    for (size_t row = 0; row < bm_row_count; row++)
        for (size_t p = 0; p < bm_peer_count; p++)
            if (results.cell[row][p].state == BM_BROKEN)
                return 1;
    return 0;
}

static int write_json(const char *path)
{
    FILE *f = fopen(path, "w");
    if (f) {
        bm_print_json(f, &results);
        int bad = ferror(f);
        if (!fclose(f) && !bad)
            return 1;
    }
    fprintf(stderr, "runner: %s: %s\n", path, strerror(errno));
    return 0;
}

/* One line that says so. */
static int wrong(const char *option, const char *value)
{
    if (value)
        fprintf(stderr, "runner: %s cannot be \"%s\"; see --help\n", option, value);
    else
        fprintf(stderr, "runner: %s is unknown, or lacks its value; see --help\n", option);
    return EXIT_USAGE;
}

/* Returns -1 to go on, else the exit status. */
static int parse(int argc, char **argv, options *o)
{
    for (int i = 1; i < argc; i++) {
        const char *a = argv[i], *value = i + 1 < argc ? argv[i + 1] : NULL, **text = NULL;
        char *end = NULL;
        if (!strcmp(a, "--help") || !strcmp(a, "-h")) {
            fputs(usage_text, stdout);
            return 0;
        } else if (!strcmp(a, "--list")) {
            print_list();
            return 0;
        } else if (!strcmp(a, "--quick")) {
            results.quick = 1;
            continue;
        } else if (!strcmp(a, "--alone")) {
            bm_alone = results.alone = 1;
            continue;
        } else if (value && !strcmp(a, "--repeat")) {
            long n = strtol(value, &end, 10);
            if (end == value || *end || n < 1 || n > BM_MAX_REPEATS)
                return wrong(a, value);
            results.repeats = (int)n;
        } else if (value && !strcmp(a, "--limit")) {
            o->limit = strtod(value, &end);
            if (end == value || *end || !(o->limit > 0))
                return wrong(a, value);
        } else if (value && !strcmp(a, "--only")) {
            text = &o->only;
        } else if (value && !strcmp(a, "--peers")) {
            text = &o->peers;
        } else if (value && !strcmp(a, "--json")) {
            text = &o->json;
        } else if (value && !strcmp(a, "--programs")) {
            text = &o->programs;
        } else {
            return wrong(a, NULL);
        }
        if (text)
            *text = value;
        i++;
    }
    if (!check_list(o->only, known_row, "workload") || !check_list(o->peers, known_peer, "peer"))
        return EXIT_USAGE;
    if (!results.repeats)
        results.repeats = results.quick ? 3 : 7;
    return -1;
}

int main(int argc, char **argv)
{
    options o = {.programs = "programs", .limit = 60};
    int status = parse(argc, argv, &o);
    if (status >= 0)
        return status;

    struct sigaction act = {.sa_handler = on_signal};
    sigaction(SIGINT, &act, NULL);
    sigaction(SIGTERM, &act, NULL);
    sigaction(SIGHUP, &act, NULL);

    double load[1];
    results.cpu = first_cpu();
    if (getloadavg(load, 1) == 1 && load[0] > 0.5)
        snprintf(results.busy, sizeof results.busy,
                 "the machine was busy at the start (load %.1f): figures may be noisy", load[0]);
    find_peers(&o);
    bm_print_head(stdout, &results);
    fflush(stdout);
    for (size_t row = 0; row < bm_row_count && !bm_stop; row++) {
        if (o.only && !listed(o.only, bm_rows[row].name, bm_rows[row].group))
            continue;
        results.chosen_row[row] = 1;
        run_row(&o, row, isatty(STDERR_FILENO));
        bm_print_row(stdout, &results, row);
    }
    results.interrupted = bm_stop != 0;
    if (results.chosen_peer[0])
        bm_print_targets(stdout, &results);
    if (results.interrupted)
        printf("\nstopped before the end\n");
    status = any_broken() ? EXIT_FAILED : 0;
    if (o.json && !write_json(o.json))
        status = EXIT_FAILED;
    return results.interrupted ? EXIT_INTERRUPTED : status;
}

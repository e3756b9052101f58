/*
 * Medians of the repeats, with the least and the most beside them, and the ratio of medians to
 * those of one peer, mostly brigade: 2.0 is twice brigade's figure. A target is for brigade's
 * median.
 */
#define _GNU_SOURCE
#include "report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

typedef struct {
    double median, least, most, mad;
} summary;

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median_of(double *v, int n)
{
    qsort(v, (size_t)n, sizeof *v, by_value);
    return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

static summary summarise(const bm_samples *s)
{
    double v[BM_MAX_REPEATS];
    summary out = {0};
    if (!s->n)
        return out;
    memcpy(v, s->v, (size_t)s->n * sizeof *v);
    out.median = median_of(v, s->n);
    out.least = v[0];
    out.most = v[s->n - 1];
    for (int i = 0; i < s->n; i++)
        v[i] = fabs(s->v[i] - out.median);
    out.mad = median_of(v, s->n);
    return out;
}

/* With thousands marked. */
static const char *whole(char out[32], double v)
{
    char digits[32];
    int n = snprintf(digits, sizeof digits, "%.0f", v), at = 0;
    for (int i = 0; i < n && at < 30; i++) {
        out[at++] = digits[i];
        if ((n - 1 - i) % 3 == 0 && i < n - 1 && digits[i] != '-')
            out[at++] = ',';
    }
    out[at] = 0;
    return out;
}

/* Three digits that matter, or more. */
static const char *number(char out[32], double v)
{
    double size = fabs(v);
    if (size >= 1000)
        return whole(out, v);
    snprintf(out, 32, "%.*f", size < 10 ? 2 : size < 100 ? 1 : 0, v);
    return out;
}

/* The peer whose figures the ratios are of. */
static size_t base_of(const bm_results *r)
{
    return r->chosen_peer[bm_base] ? bm_base : 0;
}

static double ratio(const bm_results *r, size_t row, size_t peer, int figure)
{
    const bm_cell *ours = &r->cell[row][base_of(r)], *theirs = &r->cell[row][peer];
    if (ours->state != BM_MEASURED || theirs->state != BM_MEASURED)
        return 0;
    double base = summarise(&ours->figures[figure]).median;
    return base > 0 ? summarise(&theirs->figures[figure]).median / base : 0;
}

static int figures_of(const bm_row *row)
{
    int n = 0;
    while (n < BM_MAX_FIGURES && row->figures[n].metric)
        n++;
    return n;
}

static void cpu_model(char *out, size_t size)
{
    struct utsname u;
    uname(&u);
    snprintf(out, size, "%s", u.machine);
    FILE *f = fopen("/proc/cpuinfo", "r");
    char line[512];
    while (f && fgets(line, sizeof line, f)) {
        char *colon = strchr(line, ':');
        if (!strncmp(line, "model name", 10) && colon) {
            snprintf(out, size, "%.*s", (int)strcspn(colon + 2, "\n"), colon + 2);
            break;
        }
    }
    if (f)
        fclose(f);
}

void bm_print_head(FILE *f, const bm_results *r)
{
    char cpu[BM_MAX_TEXT];
    struct utsname u;
    cpu_model(cpu, sizeof cpu);
    uname(&u);
    fprintf(f, "%s, %d CPUs, %s %s; one-worker runs on CPU %d\n", cpu, get_nprocs(), u.sysname,
            u.release, r->cpu);
    for (size_t p = 0; p < bm_peer_count; p++)
        if (r->chosen_peer[p])
            fprintf(f, "  %-15s %s\n", bm_peers[p].name, r->version[p]);
    if (r->busy[0])
        fprintf(f, "%s\n", r->busy);
    fprintf(f, "median (least..most) of %d runs%s%s; xN: N times the figure of %s\n", r->repeats,
            r->quick ? ", quick" : "", r->alone ? ", in a real-time class" : "",
            bm_peers[base_of(r)].name);
}

/* All columns have one width; the last one has no blanks behind it. */
static void column(FILE *f, const char *text, int last)
{
    fprintf(f, last ? "  %s" : "  %-33s", text);
}

void bm_print_row(FILE *f, const bm_results *r, size_t row)
{
    const bm_row *w = &bm_rows[row];
    int figures = figures_of(w);
    fprintf(f, "\n%s: %s\n  %-15s %9s", w->name, w->title, "", "count");
    for (int i = 0; i < figures; i++) {
        char head[64];
        snprintf(head, sizeof head, "%s%s%s", w->figures[i].head, w->figures[i].unit[0] ? ", " : "",
                 w->figures[i].unit);
        column(f, head, i + 1 == figures);
    }
    fputc('\n', f);
    for (size_t p = 0; p < bm_peer_count; p++) {
        const bm_cell *c = &r->cell[row][p];
        char text[32], low[32], high[32], cell[128];
        if (!r->chosen_peer[p] || c->state == BM_ABSENT)
            continue;
        fprintf(f, "  %-15s", bm_peers[p].name);
        if (c->state != BM_MEASURED) {
            fprintf(f, " %9s  %s: %s\n", "-", c->state == BM_LACKS ? "cannot" : "FAILED",
                    c->reason);
            continue;
        }
        fprintf(f, " %9s", c->count ? whole(text, (double)c->count) : "");
        for (int i = 0; i < figures; i++) {
            summary s = summarise(&c->figures[i]);
            double x = ratio(r, row, p, i);
            int n = snprintf(cell, sizeof cell, "%s (%s..%s)", number(text, s.median),
                             number(low, s.least), number(high, s.most));
            if (x > 0 && p != base_of(r) && w->figures[i].unit[0])
                snprintf(cell + n, sizeof cell - (size_t)n, " x%s", number(text, x));
            column(f, c->figures[i].n ? cell : "-", i + 1 == figures);
        }
        fputc('\n', f);
    }
    for (size_t p = 0; p < bm_peer_count; p++)
        if (r->chosen_peer[p] && r->cell[row][p].note[0])
            fprintf(f, "  (%s: %s)\n", bm_peers[p].name, r->cell[row][p].note);
    fflush(f);
}

typedef struct {
    const char *verdict;
    double value, limit;
    size_t row;
    const bm_figure *figure;
    const bm_cell *cell;
    const bm_match *beside; /* NULL: the limit is the table's */
} target;

/* Is one of the names in the list, which commas separate? */
static int listed(const char *list, const char *name)
{
    for (size_t n; *list; list += n + (list[n] == ',')) {
        n = strcspn(list, ",");
        if (n == strlen(name) && !strncmp(list, name, n))
            return 1;
    }
    return 0;
}

/* What the figure may be at most, beside others: -1 when none of them is measured. */
static double limit_of(const bm_results *r, size_t row, int figure, const bm_match *beside)
{
    double least = -1;
    for (size_t p = 0; p < bm_peer_count; p++) {
        const bm_cell *c = &r->cell[row][p];
        if (c->state != BM_MEASURED || !listed(beside->peers, bm_peers[p].name))
            continue;
        double v = summarise(&c->figures[figure]).median;
        least = least < 0 || v < least ? v : least;
    }
    return least < 0 ? -1 : least * beside->times;
}

/* Where next_target is: a figure has the table's target, or those beside others. */
typedef struct {
    size_t row;
    int figure;
    size_t match; /* the next one that is looked at */
} target_at;

static void judge(const bm_results *r, const target_at *at, double limit, const bm_match *beside,
                  target *out)
{
    const bm_cell *c = &r->cell[at->row][0];
    const bm_samples *s = &c->figures[at->figure];
    double v = summarise(s).median;
    int measured = limit > 0 && c->state == BM_MEASURED && s->n > 0;
    *out = (target){!measured    ? "not measured"
                    : v <= limit ? "met"
                                 : "missed",
                    v,
                    limit,
                    at->row,
                    &bm_rows[at->row].figures[at->figure],
                    c,
                    beside};
}

static int next_target(const bm_results *r, target_at *at, target *out)
{
    for (; at->row < bm_row_count; at->row++, at->figure = 0) {
        const bm_row *row = &bm_rows[at->row];
        for (; r->chosen_row[at->row] && at->figure < figures_of(row);
             at->figure++, at->match = 0) {
            const bm_figure *f = &row->figures[at->figure];
            if (f->target > 0) {
                judge(r, at, f->target, NULL, out);
                at->figure++;
                return 1;
            }
            while (at->match < bm_match_count) {
                const bm_match *m = &bm_matches[at->match++];
                if (strcmp(m->row, row->name) != 0 || strcmp(m->metric, f->metric) != 0)
                    continue;
                judge(r, at, limit_of(r, at->row, at->figure, m), m, out);
                return 1;
            }
        }
    }
    return 0;
}

void bm_print_targets(FILE *f, const bm_results *r)
{
    target_at at = {0};
    target t;
    fprintf(f, "\nbrigade's targets\n");
    while (next_target(r, &at, &t)) {
        char limit[32], value[32], count[32];
        fprintf(f, "  %-16s %-18s at most %6s %-2s  %-12s", bm_rows[t.row].name, t.figure->head,
                t.limit > 0 ? number(limit, t.limit) : "?", t.figure->unit, t.verdict);
        if (strcmp(t.verdict, "not measured") != 0) {
            fprintf(f, " %s", number(value, t.value));
            if (t.value > t.limit)
                fprintf(f, ", %.0f%% over", (t.value / t.limit - 1) * 100);
            if (t.cell->count < t.cell->full)
                fprintf(f, ", at a count of %s only", whole(count, (double)t.cell->count));
        }
        if (t.beside)
            fprintf(f, "  (%.3g times the best of %s)", t.beside->times, t.beside->peers);
        fputc('\n', f);
    }
    fflush(f);
}

/* ---- JSON ---------------------------------------------------------------------------------- */

static void json_text(FILE *f, const char *s)
{
    fputc('"', f);
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        if (c == '"' || c == '\\')
            fprintf(f, "\\%c", c);
        else if (c < 0x20 || c >= 0x7f)
            fprintf(f, "\\u%04x", c);
        else
            fputc(c, f);
    }
    fputc('"', f);
}

static void json_pair(FILE *f, const char *key, const char *value, const char *end)
{
    json_text(f, key);
    fputs(": ", f);
    json_text(f, value);
    fputs(end, f);
}

static void json_figure(FILE *f, const bm_results *r, size_t row, size_t peer, int i)
{
    const bm_samples *s = &r->cell[row][peer].figures[i];
    summary sum = summarise(s);
    double x = ratio(r, row, peer, i);
    json_text(f, bm_rows[row].figures[i].metric);
    fprintf(f, ": {");
    json_pair(f, "unit", bm_rows[row].figures[i].unit, ", ");
    fprintf(f, "\"median\": %.6g, \"min\": %.6g, \"max\": %.6g, \"mad\": %.6g, ", sum.median,
            sum.least, sum.most, sum.mad);
    if (x > 0)
        fprintf(f, "\"ratio\": %.4g, ", x);
    fprintf(f, "\"samples\": [");
    for (int k = 0; k < s->n; k++)
        fprintf(f, "%s%.6g", k ? ", " : "", s->v[k]);
    fprintf(f, "]}");
}

static void json_cell(FILE *f, const bm_results *r, size_t row, size_t peer)
{
    static const char *const states[] = {"absent", "measured", "cannot", "failed"};
    const bm_cell *c = &r->cell[row][peer];
    fprintf(f, "        {");
    json_pair(f, "peer", bm_peers[peer].name, ", ");
    json_pair(f, "status", states[c->state], "");
    if (c->count)
        fprintf(f, ", \"count\": %ld", c->count);
    if (c->margin)
        fprintf(f, ", \"margin_ms\": %d", c->margin);
    if (c->note[0]) {
        fprintf(f, ", ");
        json_pair(f, "note", c->note, "");
    }
    if (c->reason[0] && c->state != BM_MEASURED) {
        fprintf(f, ", ");
        json_pair(f, "reason", c->reason, "");
    }
    if (c->state == BM_MEASURED) {
        const char *comma = "";
        fprintf(f, ", \"metrics\": {");
        for (int i = 0; i < figures_of(&bm_rows[row]); i++)
            if (c->figures[i].n) {
                fputs(comma, f);
                json_figure(f, r, row, peer, i);
                comma = ", ";
            }
        fprintf(f, "}");
    }
    fprintf(f, "}");
}

void bm_print_json(FILE *f, const bm_results *r)
{
    char cpu[BM_MAX_TEXT], when[64];
    struct utsname u;
    time_t now = time(NULL);
    struct tm tm;
    const char *comma = "";
    cpu_model(cpu, sizeof cpu);
    uname(&u);
    strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &tm));
    double memory = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
    fprintf(f, "{\n  ");
    json_pair(f, "format", bm_format, ",\n  ");
    json_pair(f, "when", when, ",\n  \"hardware\": {");
    json_pair(f, "cpu", cpu, ", ");
    fprintf(f, "\"cpus\": %d, \"memory_bytes\": %.0f, ", get_nprocs(), memory);
    json_pair(f, "machine", u.machine, ", ");
    json_pair(f, "system", u.sysname, ", ");
    json_pair(f, "release", u.release, "},\n  \"versions\": {");
    for (size_t p = 0; p < bm_peer_count; p++)
        if (r->chosen_peer[p]) {
            fputs(comma, f);
            json_pair(f, bm_peers[p].name, r->version[p], "");
            comma = ", ";
        }
    fprintf(f,
            "},\n  \"options\": {\"repeats\": %d, \"quick\": %s, \"alone\": %s, "
            "\"pinned_cpu\": %d, ",
            r->repeats, r->quick ? "true" : "false", r->alone ? "true" : "false", r->cpu);
    json_pair(f, "ratio_to", bm_peers[base_of(r)].name, "},\n");
    fprintf(f, "  \"interrupted\": %s,\n  ", r->interrupted ? "true" : "false");
    json_pair(f, "warning", r->busy, ",\n  \"workloads\": [");
    comma = "";
    for (size_t row = 0; row < bm_row_count; row++) {
        if (!r->chosen_row[row])
            continue;
        fprintf(f, "%s\n    {", comma);
        comma = ",";
        json_pair(f, "name", bm_rows[row].name, ", ");
        json_pair(f, "title", bm_rows[row].title, ", ");
        fprintf(f, "\"pinned\": %s, \"results\": [", bm_rows[row].pinned ? "true" : "false");
        const char *inner = "\n";
        for (size_t p = 0; p < bm_peer_count; p++)
            if (r->chosen_peer[p] && r->cell[row][p].state != BM_ABSENT) {
                fputs(inner, f);
                json_cell(f, r, row, p);
                inner = ",\n";
            }
        fprintf(f, "\n      ]}");
    }
    fprintf(f, "\n  ],\n  \"targets\": [");
    target_at at = {0};
    target t;
    for (comma = ""; next_target(r, &at, &t); comma = ",") {
        fprintf(f, "%s\n    {", comma);
        json_pair(f, "workload", bm_rows[t.row].name, ", ");
        json_pair(f, "metric", t.figure->metric, ", ");
        json_pair(f, "unit", t.figure->unit, ", ");
        if (t.beside) {
            json_pair(f, "beside", t.beside->peers, ", ");
            fprintf(f, "\"times\": %.6g, ", t.beside->times);
        }
        if (t.limit > 0)
            fprintf(f, "\"at_most\": %.6g, ", t.limit);
        if (strcmp(t.verdict, "not measured") != 0)
            fprintf(f, "\"value\": %.6g, ", t.value);
        json_pair(f, "verdict", t.verdict, "}");
    }
    fprintf(f, "\n  ]\n}\n");
}

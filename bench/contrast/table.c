/*
 * Formats for people: three digits that count, and a note under the table for all that a figure
 * alone would hide (a sample, an estimate, a mode that did not get all the way, a failure).
 */
#include "table.h"
#include "say.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#define COLUMNS 8

static const char *const headings[COLUMNS] = {
    "mode",        "wall time", "speed-up",        "CPU time",
    "peak memory", "threads",   "waiting at once", "tasks"};

const char *format_count(uint64_t n, char text[32])
{
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%" PRIu64, n);
    char *to = text;
    for (int i = 0; i < length; i++) {
        *to++ = digits[i];
        if (i + 1 < length && (length - 1 - i) % 3 == 0)
            *to++ = ',';
    }
    *to = '\0';
    return text;
}

const char *format_seconds(double seconds, char text[32])
{
    static const struct {
        double below, scale;
        const char *unit;
    } units[] = {{0.0009995, 1e6, "us"}, {0.9995, 1e3, "ms"}, {1e300, 1, "s"}};
    size_t i = 0;
    while (seconds >= units[i].below)
        i++;
    double v = seconds * units[i].scale;
    if (v >= 999.5) {
        char count[32];
        snprintf(text, 32, "%s %s", format_count((uint64_t)(v + 0.5), count), units[i].unit);
    } else {
        snprintf(text, 32, "%.*f %s", v < 9.995 ? 2 : v < 99.95 ? 1 : 0, v, units[i].unit);
    }
    return text;
}

const char *format_memory(uint64_t bytes, char text[32])
{
    snprintf(text, 32, "%.1f MiB", (double)bytes / (1024.0 * 1024.0));
    return text;
}

const char *format_speedup(const struct row *row, char text[32])
{
    if (!row->has_speedup) {
        memcpy(text, "-", 2);
        return text;
    }
    const char *about = row->estimated ? "~" : "";
    if (row->speedup >= 99.95) {
        char count[32];
        snprintf(text, 32, "%s%sx", about, format_count((uint64_t)(row->speedup + 0.5), count));
    } else {
        snprintf(text, 32, "%s%.*fx", about, row->speedup < 9.995 ? 2 : 1, row->speedup);
    }
    return text;
}

typedef char line[COLUMNS][64];

static bool fill(line cells, const struct results *r, enum job_kind job, enum mode_id mode)
{
    struct row row;
    char a[32], b[32];
    if (!results_row(r, job, mode, &row))
        return false;
    snprintf(cells[0], 64, "%s", modes[mode].name);
    snprintf(cells[1], 64, "%s", format_seconds(row.wall, a));
    snprintf(cells[2], 64, "%s", format_speedup(&row, a));
    snprintf(cells[3], 64, "%s", format_seconds(row.cpu, a));
    snprintf(cells[4], 64, "%s", format_memory(row.memory, a));
    snprintf(cells[5], 64, "%s", format_count(row.threads, a));
    snprintf(cells[6], 64, "%s", job_waits(job) ? format_count(row.waiting, a) : "-");
    if (row.done == row.tasks)
        snprintf(cells[7], 64, "%s", format_count(row.done, a));
    else
        snprintf(cells[7], 64, "%s of %s", format_count(row.done, a), format_count(row.tasks, b));
    return true;
}

/* The first column is flush left, the figures flush right. */
static void print_line(FILE *out, line cells, const int *width)
{
    fprintf(out, "  %-*s", width[0], cells[0]);
    for (int i = 1; i < COLUMNS; i++)
        fprintf(out, "  %*s", width[i], cells[i]);
    fputc('\n', out);
}

static void print_title(FILE *out, const struct results *r, enum job_kind job)
{
    char a[32], b[32], c[32], dir[512];
    const char *tasks = format_count(results_tasks(r, job), a);
    if (job == JOB_IO) {
        fprintf(out, "\nio: %s tasks that each %s %s\n", tasks,
                r->fetches[job] ? "fetch from a server that answers after" : "wait",
                format_seconds((double)r->options->wait_ns / 1e9, b));
        return;
    }
    fprintf(out, "\n%s: %s of %s files, %s, below %s\n", job_name(job),
            job != JOB_MIXED  ? "SHA-256"
            : r->fetches[job] ? "a fetch, then SHA-256"
                              : "a wait, then SHA-256",
            tasks, format_memory(r->files->bytes, b), say_path(r->options->dir, dir, sizeof dir));
    if (job == JOB_MIXED)
        fprintf(out,
                r->fetches[job] ? "  the server answers after %s\n"
                                : "  each task waits %s first\n",
                format_seconds((double)r->options->wait_ns / 1e9, c));
}

/* What has to be known to read a row rightly. */
static void print_notes(FILE *out, const struct results *r, enum job_kind job)
{
    for (unsigned i = 0; i < MODE_COUNT; i++) {
        enum mode_id mode = (enum mode_id)i;
        const struct cell *c = &r->cell[job][mode];
        struct row row;
        char a[32], b[32];
        if (results_row(r, job, mode, &row) && row.sample)
            fprintf(out,
                    "  * %s: only %s tasks were run; all %s would take about %s (estimated, not "
                    "measured), and the speed-ups marked ~ rest on that\n",
                    modes[mode].name, format_count(row.done, a), format_count(row.tasks, b),
                    format_seconds(row.whole, (char[32]){0}));
        if (c->error == -ENOENT && mode == MODE_ASYNCIO)
            fprintf(out, "  * asyncio: left out, %s\n", c->note);
        else if (c->error != 0)
            fprintf(out, "  * %s: FAILED: %s%s%s\n", modes[mode].name, strerror(-c->error),
                    c->note[0] ? ": " : "", c->note);
        else if (c->note[0] != '\0')
            fprintf(out, "  * %s: %s\n", modes[mode].name, c->note);
    }
}

static void print_job(FILE *out, const struct results *r, enum job_kind job)
{
    line lines[MODE_COUNT + 1];
    int width[COLUMNS] = {0}, n = 1;
    for (int i = 0; i < COLUMNS; i++)
        snprintf(lines[0][i], 64, "%s", headings[i]);
    for (unsigned mode = 0; mode < MODE_COUNT; mode++)
        n += fill(lines[n], r, job, (enum mode_id)mode);
    for (int i = 0; i < n; i++)
        for (int k = 0; k < COLUMNS; k++) {
            int length = (int)strlen(lines[i][k]);
            width[k] = length > width[k] ? length : width[k];
        }
    print_title(out, r, job);
    for (int i = 0; i < n; i++)
        print_line(out, lines[i], width);
    print_notes(out, r, job);
}

static void print_digests(FILE *out, const struct results *r)
{
    const struct digests *d = r->digests;
    size_t compared = 0;
    if (d == NULL)
        return;
    for (size_t i = 0; i < d->files->n; i++)
        compared += d->of[i].seen && d->of[i].error == 0;
    char a[32], b[32];
    if (d->disagree > 0)
        fprintf(out, "\nDIGESTS DISAGREE: %s of %s files.\n", format_count(d->disagree, a),
                format_count(compared, b));
    else
        fprintf(out, "\nDigests: all modes that hashed a file agree, on %s files.\n",
                format_count(compared, a));
    if (d->skipped + d->files->n_skip > 0)
        fprintf(out, "Skipped: %s files or directories; they are named on standard error.\n",
                format_count(d->skipped + d->files->n_skip, a));
}

void table_print(FILE *out, const struct results *r)
{
    char a[32];
    if (r->signal != 0)
        fputs("\nStopped: what follows is PARTIAL; only runs that had ended are in it.\n", out);
    for (unsigned job = 0; job < JOB_COUNT; job++) {
        bool any = false;
        for (unsigned mode = 0; mode < MODE_COUNT; mode++)
            any = any || r->cell[job][mode].runs > 0 || r->cell[job][mode].error != 0;
        if (any)
            print_job(out, r, (enum job_kind)job);
    }
    print_digests(out, r);
    fprintf(out,
            "%s of %u round%s. Peak memory is resident user memory (an idle process of this "
            "program: %s), without the kernel's stacks and page tables.\n",
            r->options->repeat > 1 ? "Medians" : "Figures", r->options->repeat,
            r->options->repeat > 1 ? "s" : "", format_memory(r->idle_memory, a));
}

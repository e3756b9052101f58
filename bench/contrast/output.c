/*
 * JSON and CSV by hand: the formats are small. Names of files may hold any bytes but zero and the
 * slash; in JSON those that are not UTF-8 become U+FFFD.
 */
#include "output.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

typedef void (*write_fn)(FILE *f, const struct results *r);

static int finish(FILE *f)
{
    int bad = ferror(f);
    int rc = fclose(f);
    return rc != 0 ? -errno : bad ? -EIO : 0;
}

static int write_stream(const struct results *r, FILE *f, write_fn fn)
{
    if (f == NULL)
        return -errno;
    fn(f, r);
    return finish(f);
}

/* Under a name of its own beside `path`, then renamed over it. */
static int write_and_rename(const struct results *r, const char *path, write_fn fn)
{
    char *temporary = NULL;
    if (asprintf(&temporary, "%s.%ld.tmp", path, (long)getpid()) < 0)
        return -ENOMEM;
    int rc = write_stream(r, fopen(temporary, "wxe"), fn);
    if (rc == 0 && rename(temporary, path) < 0)
        rc = -errno;
    if (rc < 0 && rc != -EEXIST)
        unlink(temporary);
    free(temporary);
    return rc;
}

static int write_whole(const struct results *r, const char *path, write_fn fn)
{
    struct stat st, out;
    if (stat(path, &st) < 0)
        return write_and_rename(r, path, fn);
    /* /dev/stdout, or the file that the table goes to: it continues there. */
    if (fstat(STDOUT_FILENO, &out) == 0 && st.st_dev == out.st_dev && st.st_ino == out.st_ino) {
        fn(stdout, r);
        return fflush(stdout) != 0 ? -errno : 0;
    }
    if (!S_ISREG(st.st_mode))
        return write_stream(r, fopen(path, "we"), fn);
    /* What a link points to is replaced, not the link. */
    char *target = realpath(path, NULL);
    int rc = target ? write_and_rename(r, target, fn) : -errno;
    free(target);
    return rc;
}

/* How many bytes of UTF-8 start at p, 0 when it is none: a name may hold any bytes. */
static int utf8(const unsigned char *p)
{
    int n = *p < 0x80                 ? 1
            : *p >= 0xc2 && *p < 0xe0 ? 2
            : (*p & 0xf0) == 0xe0     ? 3
            : *p >= 0xf0 && *p < 0xf5 ? 4
                                      : 0;
    for (int i = 1; i < n; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    if (n == 3 && ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f)))
        return 0;
    if (n == 4 && ((p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f)))
        return 0;
    return n;
}

static void json_string(FILE *f, const char *text)
{
    fputc('"', f);
    for (const unsigned char *p = (const unsigned char *)text; *p;) {
        int n = utf8(p);
        if (n == 0)
            fputs("\\ufffd", f);
        else if (*p == '"' || *p == '\\')
            fprintf(f, "\\%c", *p);
        else if (*p < 32)
            fprintf(f, "\\u%04x", *p);
        else
            fwrite(p, 1, (size_t)n, f);
        p += n ? n : 1;
    }
    fputc('"', f);
}

static void json_key(FILE *f, const char *indent, const char *key, const char *value)
{
    fprintf(f, "%s\"%s\": ", indent, key);
    json_string(f, value);
    fputs(",\n", f);
}

static void json_runs(FILE *f, const struct cell *c)
{
    fputs("      \"runs\": [", f);
    for (unsigned i = 0; i < c->runs; i++) {
        const struct outcome *o = &c->run[i];
        fprintf(f,
                "%s\n        {\"wall_s\": %.9f, \"cpu_s\": %.6f, \"peak_memory_bytes\": %" PRIu64
                ", \"threads\": %" PRIu64 ", \"waiting_at_once\": %" PRIu64
                ", \"tasks_done\": %" PRIu64 "}",
                i ? "," : "", (double)o->wall_ns / 1e9, (double)o->cpu_ns / 1e9, o->memory,
                o->threads, o->waiting, o->tasks_done);
    }
    fputs(c->runs ? "\n      ]\n" : "]\n", f);
}

static void json_cell(FILE *f, const struct results *r, enum job_kind job, enum mode_id mode)
{
    const struct cell *c = &r->cell[job][mode];
    struct row row;
    fputs("    {\n", f);
    json_key(f, "      ", "job", job_name(job));
    json_key(f, "      ", "mode", modes[mode].name);
    json_key(f, "      ", "note", c->note);
    fprintf(f, "      \"error\": ");
    if (c->error)
        json_string(f, strerror(-c->error));
    else
        fputs("null", f);
    fputs(",\n", f);
    if (results_row(r, job, mode, &row)) {
        fprintf(
            f,
            "      \"tasks\": %zu,\n      \"tasks_done\": %zu,\n      \"sample\": %s,\n"
            "      \"wall_s\": %.9f,\n      \"wall_min_s\": %.9f,\n      \"wall_max_s\": %.9f,\n"
            "      \"cpu_s\": %.6f,\n      \"peak_memory_bytes\": %" PRIu64
            ",\n      \"threads\": %" PRIu64 ",\n      \"waiting_at_once\": %" PRIu64 ",\n",
            row.tasks, row.done, row.sample ? "true" : "false", row.wall, row.wall_min,
            row.wall_max, row.cpu, row.memory, row.threads, row.waiting);
        if (row.has_speedup)
            fprintf(f, "      \"speedup\": %.4f,\n", row.speedup);
        else
            fputs("      \"speedup\": null,\n", f);
        fprintf(f, "      \"speedup_estimated\": %s,\n", row.estimated ? "true" : "false");
        if (row.sample)
            fprintf(f, "      \"estimated_whole_s\": %.3f,\n", row.whole);
        if (job_hashes(job)) {
            fprintf(f, "      \"files_hashed\": %zu,\n", c->digest.files);
            json_key(f, "      ", "digest", c->digest.hex);
        }
    }
    json_runs(f, c);
    fputs("    }", f);
}

static void json_skipped(FILE *f, const struct results *r)
{
    const char *between = "";
    fputs("    \"skipped\": [", f);
    for (size_t i = 0; i < r->files->n_skip; i++, between = ",") {
        fprintf(f, "%s\n      {\"path\": ", between);
        json_string(f, r->files->skip[i].path);
        fputs(", \"reason\": ", f);
        json_string(f, strerror(-r->files->skip[i].error));
        fputc('}', f);
    }
    for (size_t i = 0; r->digests && i < r->files->n; i++) {
        int error = r->digests->of[i].error;
        if (error == 0)
            continue;
        fprintf(f, "%s\n      {\"path\": ", between);
        json_string(f, r->files->file[i].path);
        fputs(", \"reason\": ", f);
        json_string(f, error == -ESTALE ? "changed after it was listed" : strerror(-error));
        fputc('}', f);
        between = ",";
    }
    fputs(*between ? "\n    ]\n" : "]\n", f);
}

static bool asked(const struct results *r, unsigned job, unsigned mode)
{
    return r->cell[job][mode].asked;
}

static void write_json(FILE *f, const struct results *r)
{
    struct utsname u;
    const char *between = "";
    fputs("{\n", f);
    json_key(f, "  ", "program", "brigade-contrast");
    fprintf(f, "  \"format\": 1,\n  \"partial\": %s,\n", r->signal ? "true" : "false");
    if (uname(&u) == 0) {
        json_key(f, "  ", "system", u.sysname);
        json_key(f, "  ", "kernel", u.release);
        json_key(f, "  ", "machine", u.machine);
    }
    fprintf(f,
            "  \"cpus_online\": %ld,\n  \"workers\": %u,\n  \"rounds\": %u,\n  \"wait_s\": %.3f,\n"
            "  \"fetches\": {\"io\": %s, \"mixed\": %s},\n"
            "  \"idle_process_memory_bytes\": %" PRIu64 ",\n",
            sysconf(_SC_NPROCESSORS_ONLN), r->workers, r->options->repeat,
            (double)r->options->wait_ns / 1e9, r->fetches[JOB_IO] ? "true" : "false",
            r->fetches[JOB_MIXED] ? "true" : "false", r->idle_memory);
    if (r->files) {
        fputs("  \"files\": {\n", f);
        json_key(f, "    ", "directory", r->options->dir);
        fprintf(f, "    \"count\": %zu,\n    \"bytes\": %" PRIu64 ",\n    \"links\": %zu,\n",
                r->files->n, r->files->bytes, r->files->links);
        fprintf(f, "    \"digests_agree\": %s,\n",
                r->digests && r->digests->disagree ? "false" : "true");
        json_skipped(f, r);
        fputs("  },\n", f);
    }
    fputs("  \"results\": [", f);
    for (unsigned job = 0; job < JOB_COUNT; job++)
        for (unsigned mode = 0; mode < MODE_COUNT; mode++)
            if (asked(r, job, mode)) {
                fprintf(f, "%s\n", between);
                json_cell(f, r, (enum job_kind)job, (enum mode_id)mode);
                between = ",";
            }
    fputs("\n  ]\n}\n", f);
}

static void csv_text(FILE *f, const char *text)
{
    fputc('"', f);
    for (; *text; text++) {
        if (*text == '"')
            fputc('"', f);
        fputc(*text, f);
    }
    fputc('"', f);
}

static void write_csv(FILE *f, const struct results *r)
{
    fputs("job,mode,rounds,tasks,tasks_done,sample,wall_s,wall_min_s,wall_max_s,speedup,"
          "speedup_estimated,cpu_s,peak_memory_bytes,threads,waiting_at_once,files_hashed,digest,"
          "partial,note\n",
          f);
    for (unsigned j = 0; j < JOB_COUNT; j++)
        for (unsigned m = 0; m < MODE_COUNT; m++) {
            enum job_kind job = (enum job_kind)j;
            const struct cell *c = &r->cell[j][m];
            struct row row;
            char speedup[32] = "";
            if (!asked(r, j, m) || !results_row(r, job, (enum mode_id)m, &row))
                continue;
            if (row.has_speedup)
                snprintf(speedup, sizeof speedup, "%.4f", row.speedup);
            fprintf(f, "%s,%s,%u,%zu,%zu,%d,%.9f,%.9f,%.9f,%s,%d,%.6f,", job_name(job),
                    modes[m].name, row.runs, row.tasks, row.done, row.sample, row.wall,
                    row.wall_min, row.wall_max, speedup, row.estimated, row.cpu);
            fprintf(f, "%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%zu,%s,%d,", row.memory, row.threads,
                    row.waiting, job_hashes(job) ? c->digest.files : 0,
                    job_hashes(job) ? c->digest.hex : "", r->signal != 0);
            csv_text(f, c->note);
            fputc('\n', f);
        }
}

int output_json(const struct results *r, const char *path)
{
    return write_whole(r, path, write_json);
}

int output_csv(const struct results *r, const char *path)
{
    return write_whole(r, path, write_csv);
}

/*
 * brigade-contrast: the same work in several ways, side by side.
 *
 * The program lists the files, reads each once so that every mode finds them in the page cache,
 * asks brigade how many workers it starts here, and then runs each mode in a process of its own,
 * job by job and mode by mode, all rounds over again, so that a change of the machine's mood hits
 * all modes alike. After each run the digests it left in shared memory are compared with those of
 * the others. The table and the files are written at the end, and also when Ctrl-C came first.
 */
#include "child.h"
#include "options.h"
#include "output.h"
#include "say.h"
#include "server.h"
#include "stop.h"
#include "table.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define SEQUENTIAL_BUDGET 2000000000

static struct results results; /* large: it holds every run */
static struct server server;
static size_t most_connections;

static int list_files(struct file_list *files, const struct options *o)
{
    char name[512], count[32], size[32], links[32];
    int rc = files_list(files, o->dir, &stop_signal);
    if (rc == -EINTR)
        return rc;
    if (rc < 0) {
        say("cannot list %s: %s", say_path(o->dir, name, sizeof name), strerror(-rc));
        return rc;
    }
    for (size_t i = 0; i < files->n_skip; i++)
        say("skipped %s: %s", say_path(files->skip[i].path, name, sizeof name),
            strerror(-files->skip[i].error));
    if (files->n == 0) {
        say("there is no regular file below %s", say_path(o->dir, name, sizeof name));
        return -ENOENT;
    }
    printf("%s files, %s, below %s (%s symbolic links not followed)\n",
           format_count(files->n, count), format_memory(files->bytes, size),
           say_path(o->dir, name, sizeof name), format_count(files->links, links));
    fflush(stdout);
    return 0;
}

/* Workers, and the memory of a process that does nothing. */
static int probe(struct run *run)
{
    struct outcome out;
    int rc = child_run(mode_probe, run, &out, "counting CPUs");
    if (rc < 0)
        return rc;
    if (out.error < 0 || out.threads == 0) {
        say("brigade does not start here: %s%s%s", strerror(-out.error), out.note[0] ? ": " : "",
            out.note);
        return out.error < 0 ? out.error : -EPROTO;
    }
    run->workers = run->workers_asked ? run->workers_asked : (unsigned)out.threads;
    results.workers = run->workers;
    results.idle_memory = out.memory;
    return 0;
}

/* Reads every file once. What cannot be read shows in the runs; here it does not matter. */
static int warm_up(struct run *run, size_t slots)
{
    struct outcome out;
    run->kind = JOB_CPU;
    run->tasks = run->files->n;
    int rc = child_run(mode_threads, run, &out, "reading all files once");
    shared_clear(run->shared, slots);
    return rc;
}

static int one_run(struct run *run, struct digests *digests, enum mode_id mode, unsigned round)
{
    struct outcome out;
    struct digest_list list = {0};
    char label[96];
    size_t slots = run->files ? run->files->n : 0;

    snprintf(label, sizeof label, "%s  %s  round %u of %u ", job_name(run->kind), modes[mode].name,
             round + 1, results.options->repeat);
    shared_clear(run->shared, slots);
    int rc = child_run(modes[mode].run, run, &out, label);
    if (rc < 0)
        return rc;
    if (out.error == 0 && job_hashes(run->kind)) {
        out.error = digests_check(digests, run->shared, modes[mode].name, &list);
        if (out.error == 0 && list.visited != out.tasks_done) {
            out.error = -EPROTO;
            outcome_note(&out, "%zu tasks ended, but %zu files have a result",
                         (size_t)out.tasks_done, list.visited);
        }
    }
    results_add(&results, run->kind, mode, &out, &list);
    return 0;
}

/* Do the tasks of this job fetch, or sleep? */
static void choose_wait(struct run *run, bool first)
{
    const struct options *o = results.options;
    run->port = 0;
    if (!job_waits(run->kind) || o->sleeps)
        return;
    if (server.pid > 0 && run->tasks <= most_connections)
        run->port = server.port;
    else if (first && server.pid > 0)
        say("%s: %zu tasks are more than there can be connections here (%zu): they sleep",
            job_name(run->kind), run->tasks, most_connections);
    results.fetches[run->kind] = run->port != 0;
}

static int all_runs(struct run *run, struct digests *digests)
{
    const struct options *o = results.options;
    for (unsigned round = 0; round < o->repeat; round++)
        for (unsigned job = 0; job < JOB_COUNT; job++) {
            if (!(o->jobs & 1u << job))
                continue;
            run->kind = (enum job_kind)job;
            run->tasks = results_tasks(&results, run->kind);
            choose_wait(run, round == 0);
            for (unsigned mode = 0; mode < MODE_COUNT; mode++) {
                if (!(o->modes & 1u << mode))
                    continue;
                results.cell[job][mode].asked = true;
                if (one_run(run, digests, (enum mode_id)mode, round) < 0)
                    return -EINTR;
            }
        }
    return 0;
}

static int write_outputs(const struct options *o)
{
    int json = o->json ? output_json(&results, o->json) : 0;
    int csv = o->csv ? output_csv(&results, o->csv) : 0;
    if (json < 0)
        say("cannot write %s: %s", o->json, strerror(-json));
    if (csv < 0)
        say("cannot write %s: %s", o->csv, strerror(-csv));
    return json < 0 || csv < 0 ? -EIO : 0;
}

static int contrast(const struct options *o, struct run *run, struct digests *digests)
{
    size_t slots = run->files ? run->files->n : 0;
    int error = 0;
    run->shared = shared_create(slots, &run->shared_fd, &error);
    if (run->shared == NULL) {
        say("no shared memory: %s", strerror(-error));
        return EXIT_FAILED;
    }
    int rc = probe(run);
    if (rc < 0 && rc != -EINTR)
        return EXIT_FAILED;
    if (rc == 0 && run->files)
        rc = warm_up(run, slots);
    if (rc == 0)
        rc = all_runs(run, digests);
    say_progress_end();
    results.signal = stop_signal;
    table_print(stdout, &results);
    fflush(stdout);
    int status = results_exit_status(&results);
    if (write_outputs(o) < 0 && (status == EXIT_OK || status == EXIT_SKIPPED))
        status = EXIT_FAILED;
    if (ferror(stdout) && status == EXIT_OK)
        status = EXIT_FAILED;
    return status;
}

int main(int argc, char *argv[])
{
    struct options o;
    struct file_list files = {0};
    struct digests digests = {0};
    int status = options_parse(&o, argc, argv);
    if (status >= 0)
        return status;
    struct run run = {
        .wait_ns = o.wait_ns, .workers_asked = o.workers, .sequential_budget = SEQUENTIAL_BUDGET};
    results.options = &o;
    stop_install();
    child_prepare();
    most_connections = server_most_connections();
    if (hash_init() < 0) {
        say("OpenSSL here has no SHA-256");
        return EXIT_FAILED;
    }
    if (o.jobs & ~(1u << JOB_IO)) {
        int rc = list_files(&files, &o);
        if (rc == 0)
            rc = digests_open(&digests, &files);
        if (rc < 0) {
            files_free(&files);
            return rc == -EINTR ? 128 + stop_signal : EXIT_FAILED;
        }
        run.files = results.files = &files;
        results.digests = &digests;
    }
    if (o.jobs & ~(1u << JOB_CPU) && !o.sleeps) {
        int rc = server_start(&server, o.wait_ns);
        if (rc < 0)
            say("no server (%s): tasks sleep", strerror(-rc));
    }
    status = contrast(&o, &run, &digests);
    server_stop(&server);
    digests_close(&digests);
    files_free(&files);
    return status;
}

/*
 * What is made of the runs: medians, speed-ups, what counts as an error, and how figures are shown.
 */
#include "results.h"
#include "table.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct results r;
static struct options options = {.tasks = 1000, .repeat = 3};
static struct file_list files;
static struct digests digests;
static const struct digest_list no_digest;

static void setup(void)
{
    memset(&r, 0, sizeof r);
    memset(&files, 0, sizeof files);
    memset(&digests, 0, sizeof digests);
    digests.files = &files;
    r.options = &options;
}

TestSuite(results, .init = setup);

static void run(enum mode_id mode, int64_t wall_ms, uint64_t done, bool sample)
{
    struct outcome o = {.tasks_done = done,
                        .wall_ns = wall_ms * 1000000,
                        .cpu_ns = wall_ms * 500000,
                        .memory = (uint64_t)wall_ms * 1000,
                        .threads = (uint64_t)wall_ms,
                        .waiting = done,
                        .sample = sample};
    results_add(&r, JOB_IO, mode, &o, &no_digest);
}

static bool near(double a, double b)
{
    double d = a - b;
    return d < 1e-9 && d > -1e-9;
}

Test(results, a_cell_without_runs_has_no_row)
{
    struct row row;
    cr_expect(!results_row(&r, JOB_IO, MODE_THREADS, &row));
}

Test(results, medians_of_odd_and_even_numbers_of_runs)
{
    struct row row;
    run(MODE_THREADS, 30, 1000, false);
    run(MODE_THREADS, 10, 1000, false);
    cr_assert(results_row(&r, JOB_IO, MODE_THREADS, &row));
    cr_expect(near(row.wall, 0.020));
    run(MODE_THREADS, 11, 1000, false);
    cr_assert(results_row(&r, JOB_IO, MODE_THREADS, &row));
    cr_expect(near(row.wall, 0.011));
    cr_expect(near(row.wall_min, 0.010));
    cr_expect(near(row.wall_max, 0.030));
    cr_expect(near(row.cpu, 0.0055));
    cr_expect_eq(row.memory, 11000);
    cr_expect_eq(row.threads, 30, "the most of all runs");
    cr_expect_eq(row.runs, 3);
    cr_expect(!row.has_speedup, "there is no sequential run to compare with");
}

Test(results, speedup_over_a_whole_sequential_run)
{
    struct row row;
    run(MODE_SEQUENTIAL, 400, 1000, false);
    run(MODE_STEALING, 100, 1000, false);
    cr_assert(results_row(&r, JOB_IO, MODE_STEALING, &row));
    cr_expect(row.has_speedup && near(row.speedup, 4));
    cr_expect(!row.estimated);
}

Test(results, speedup_over_a_sample_is_marked)
{
    struct row row;
    run(MODE_SEQUENTIAL, 2000, 20, true);
    run(MODE_STEALING, 100, 1000, false);
    cr_assert(results_row(&r, JOB_IO, MODE_SEQUENTIAL, &row));
    cr_expect(row.sample && near(row.wall, 2) && near(row.whole, 100));
    cr_expect(near(row.speedup, 1) && !row.estimated);
    cr_assert(results_row(&r, JOB_IO, MODE_STEALING, &row));
    cr_expect(near(row.speedup, 1000) && row.estimated);
}

Test(results, part_of_the_way_does_not_look_fast)
{
    struct row row;
    run(MODE_SEQUENTIAL, 1000, 1000, false);
    run(MODE_THREADS, 100, 500, false);
    cr_assert(results_row(&r, JOB_IO, MODE_THREADS, &row));
    cr_expect(near(row.speedup, 5), "half of the tasks in a tenth of the time");
    cr_expect_eq(row.done, 500);
    cr_expect_eq(row.tasks, 1000);
}

Test(results, exit_status_names_the_worst)
{
    struct outcome failed = {.error = -ENOMEM};
    r.files = &files;
    r.digests = &digests;
    cr_expect_eq(results_exit_status(&r), EXIT_OK);
    files.n_skip = 1;
    cr_expect_eq(results_exit_status(&r), EXIT_SKIPPED);
    files.n_skip = 0;
    digests.skipped = 1;
    cr_expect_eq(results_exit_status(&r), EXIT_SKIPPED);
    results_add(&r, JOB_CPU, MODE_THREADS, &failed, &no_digest);
    cr_expect_eq(results_exit_status(&r), EXIT_FAILED);
    digests.disagree = 1;
    cr_expect_eq(results_exit_status(&r), EXIT_DISAGREE);
    r.signal = SIGINT;
    cr_expect_eq(results_exit_status(&r), 130);
}

Test(results, python_may_be_missing_but_not_fail)
{
    struct outcome o = {.error = -ENOENT};
    results_add(&r, JOB_IO, MODE_ASYNCIO, &o, &no_digest);
    cr_expect_eq(results_exit_status(&r), EXIT_OK);
    setup();
    o.error = -EPROTO;
    results_add(&r, JOB_IO, MODE_ASYNCIO, &o, &no_digest);
    cr_expect_eq(results_exit_status(&r), EXIT_FAILED);
}

Test(results, a_failed_run_leaves_the_others_alone)
{
    struct row row;
    struct outcome failed = {.error = -ENOMEM};
    run(MODE_THREADS, 10, 1000, false);
    results_add(&r, JOB_IO, MODE_THREADS, &failed, &no_digest);
    cr_assert(results_row(&r, JOB_IO, MODE_THREADS, &row));
    cr_expect_eq(row.runs, 1);
    cr_expect_eq(r.cell[JOB_IO][MODE_THREADS].error, -ENOMEM);
}

/* -- digests ----------------------------------------------------------------------------------- */

/* A file of this test's own, listed as it is; in a new directory. */
static void list_one_file(char *dir)
{
    char path[64];
    cr_assert_not_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/file", dir);
    FILE *f = fopen(path, "w");
    cr_assert(f != NULL && fputs("abc", f) >= 0 && fclose(f) == 0);
    cr_assert_eq(files_list(&files, dir, NULL), 0);
    cr_assert_eq(files.n, 1);
}

/* Two runs give the file two digests. */
static void check_two_digests(void)
{
    struct digest_list list;
    int fd, error;
    cr_assert_eq(hash_init(), 0);
    struct shared *s = shared_create(1, &fd, &error);
    cr_assert_not_null(s);
    cr_assert_eq(digests_open(&digests, &files), 0);
    s->slots[0].status = SLOT_HASHED;
    cr_assert_eq(digests_check(&digests, s, "one", &list), 0);
    cr_expect_eq(list.files, 1);
    cr_expect_eq(digests.disagree + digests.skipped, 0);
    s->slots[0].digest[31] ^= 1;
    cr_assert_eq(digests_check(&digests, s, "two", &list), 0);
}

static void clean_up(const char *dir)
{
    unlink(files.file[0].path);
    rmdir(dir);
    digests_close(&digests);
    files_free(&files);
}

Test(results, two_digests_of_an_unchanged_file_disagree)
{
    char dir[] = "/tmp/brigade-digests-XXXXXX";
    list_one_file(dir);
    check_two_digests();
    cr_expect_eq(digests.disagree, 1);
    cr_expect_eq(digests.skipped, 0);
    clean_up(dir);
}

Test(results, two_digests_of_a_changed_file_are_no_disagreement)
{
    char dir[] = "/tmp/brigade-digests-XXXXXX";
    list_one_file(dir);
    files.file[0].mtime_ns--; /* as if it had been written after it was listed */
    check_two_digests();
    cr_expect_eq(digests.disagree, 0);
    cr_expect_eq(digests.skipped, 1);
    clean_up(dir);
}

Test(results, skipped_and_missing_slots_are_told_apart)
{
    struct digest_list list;
    int fd, error;
    struct file two[2] = {{.path = (char *)"a"}, {.path = (char *)"b"}};
    cr_assert_eq(hash_init(), 0);
    files = (struct file_list){.file = two, .n = 2};
    struct shared *s = shared_create(2, &fd, &error);
    cr_assert_not_null(s);
    cr_assert_eq(digests_open(&digests, &files), 0);
    s->slots[1].status = -EACCES;
    for (int again = 0; again < 2; again++) {
        cr_assert_eq(digests_check(&digests, s, "one", &list), 0);
        cr_expect_eq(list.visited, 1);
        cr_expect_eq(list.files, 0);
        cr_expect_eq(digests.skipped, 1, "once a file, not once a run");
    }
    digests_close(&digests);
}

/* -- formats ----------------------------------------------------------------------------------- */

Test(results, counts_have_separators)
{
    char t[32];
    cr_expect_str_eq(format_count(0, t), "0");
    cr_expect_str_eq(format_count(999, t), "999");
    cr_expect_str_eq(format_count(1000, t), "1,000");
    cr_expect_str_eq(format_count(1234567, t), "1,234,567");
}

Test(results, seconds_have_three_digits)
{
    char t[32];
    cr_expect_str_eq(format_seconds(0.0000123, t), "12.3 us");
    cr_expect_str_eq(format_seconds(0.00099949, t), "999 us");
    cr_expect_str_eq(format_seconds(0.0009996, t), "1.00 ms");
    cr_expect_str_eq(format_seconds(0.1234, t), "123 ms");
    cr_expect_str_eq(format_seconds(0.9996, t), "1.00 s");
    cr_expect_str_eq(format_seconds(12.34, t), "12.3 s");
    cr_expect_str_eq(format_seconds(1004.2, t), "1,004 s");
}

Test(results, speedups_say_when_they_are_estimated)
{
    char t[32];
    struct row row = {.has_speedup = false};
    cr_expect_str_eq(format_speedup(&row, t), "-");
    row = (struct row){.has_speedup = true, .speedup = 1.974};
    cr_expect_str_eq(format_speedup(&row, t), "1.97x");
    row.estimated = true;
    row.speedup = 12.34;
    cr_expect_str_eq(format_speedup(&row, t), "~12.3x");
    row.speedup = 9876.5;
    cr_expect_str_eq(format_speedup(&row, t), "~9,877x");
}

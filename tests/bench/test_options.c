/*
 * The command line: what it means, and that everything wrong is refused with status 2.
 */
#include "options.h"

#include <criterion/criterion.h>

static struct options o;

static int parse(const char *const *words)
{
    char *argv[16] = {(char *)"brigade-contrast"};
    int argc = 1;
    while (words[argc - 1] != NULL) {
        argv[argc] = (char *)words[argc - 1];
        argc++;
    }
    return options_parse(&o, argc, argv);
}

#define PARSE(...) parse((const char *const[]){__VA_ARGS__, NULL})

Test(options, defaults)
{
    cr_assert_eq(PARSE("/"), -1);
    cr_expect_str_eq(o.dir, "/");
    cr_expect_eq(o.jobs, (1u << JOB_COUNT) - 1);
    cr_expect_eq(o.modes, (1u << MODE_COUNT) - 1);
    cr_expect_eq(o.tasks, 10000);
    cr_expect_eq(o.wait_ns, 100000000);
    cr_expect_eq(o.repeat, 1);
    cr_expect_eq(o.workers, 0);
    cr_expect_null(o.json);
    cr_expect_null(o.csv);
}

Test(options, all_of_them)
{
    cr_assert_eq(PARSE("--jobs", "io,cpu", "--modes=stealing,threads", "--n", "5", "--wait=7",
                       "--repeat", "3", "--workers", "4", "--dir", "/tmp"),
                 -1);
    cr_expect_eq(o.jobs, 1u << JOB_IO | 1u << JOB_CPU);
    cr_expect_eq(o.modes, 1u << MODE_STEALING | 1u << MODE_THREADS);
    cr_expect_eq(o.tasks, 5);
    cr_expect_eq(o.wait_ns, 7000000);
    cr_expect_eq(o.repeat, 3);
    cr_expect_eq(o.workers, 4);
    cr_expect_str_eq(o.dir, "/tmp");
}

Test(options, io_needs_no_directory)
{
    cr_expect_eq(PARSE("--jobs", "io", "/nowhere/at/all"), -1);
}

Test(options, help_ends_well)
{
    cr_expect_eq(PARSE("--help"), EXIT_OK);
}

Test(options, wrong_ones_are_refused)
{
    static const char *const wrong[][3] = {
        {"--n", "0"},
        {"--n", "1000001"},
        {"--n", "ten"},
        {"--n", "5x"},
        {"--n", ""},
        {"--n", "-1"},
        {"--wait", "-1"},
        {"--wait", "600001"},
        {"--repeat", "0"},
        {"--repeat", "100"},
        {"--workers", "0"},
        {"--workers", "9999"},
        {"--jobs", ""},
        {"--jobs", "cpu,"},
        {"--jobs", "cp"},
        {"--jobs", "cpux"},
        {"--modes", "all"},
        {"--modes", ",io"},
        {"--dir", "/nowhere"},
        {"/dev/null"},
        {"/", "/"},
        {"--unknown"},
        {"--json"},
        {"--json", "/"},
        {"--csv", "/nowhere/at/all.csv"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        cr_expect_eq(parse(wrong[i]), EXIT_USAGE, "%s %s", wrong[i][0],
                     wrong[i][1] ? wrong[i][1] : "");
}

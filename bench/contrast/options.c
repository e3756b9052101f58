/*
 * getopt_long with checks: every number has its range, every name its list, and an output file is
 * tried before minutes are spent on what would be written to it.
 */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PROGRAM "brigade-contrast"
#define MAX_TASKS 1000000
#define MAX_WAIT_MS 600000
#define MAX_WORKERS 1024

enum {
    OPT_JOBS = 256,
    OPT_MODES,
    OPT_DIR,
    OPT_N,
    OPT_WAIT,
    OPT_SLEEP,
    OPT_REPEAT,
    OPT_WORKERS,
    OPT_JSON,
    OPT_CSV
};

static const struct option long_options[] = {
    {"jobs", required_argument, NULL, OPT_JOBS},
    {"modes", required_argument, NULL, OPT_MODES},
    {"dir", required_argument, NULL, OPT_DIR},
    {"n", required_argument, NULL, OPT_N},
    {"wait", required_argument, NULL, OPT_WAIT},
    {"latency", required_argument, NULL, OPT_WAIT},
    {"sleep", no_argument, NULL, OPT_SLEEP},
    {"repeat", required_argument, NULL, OPT_REPEAT},
    {"workers", required_argument, NULL, OPT_WORKERS},
    {"json", required_argument, NULL, OPT_JSON},
    {"csv", required_argument, NULL, OPT_CSV},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static const char *job_at(unsigned i)
{
    return job_name((enum job_kind)i);
}

static const char *mode_at(unsigned i)
{
    return modes[i].name;
}

static void help(void)
{
    puts("Usage: " PROGRAM " [OPTION]... [DIR]\n"
         "Does the same work in several ways and compares them.\n"
         "\n"
         "Jobs:\n"
         "  cpu    SHA-256 of every regular file below DIR (default /usr/include)\n"
         "  io     N tasks that each wait: for an answer of a local HTTP server\n"
         "  mixed  a task for every file: it waits, then hashes the file\n"
         "Modes:");
    for (unsigned i = 0; i < MODE_COUNT; i++)
        printf("  %-11s %s\n", modes[i].name, modes[i].what);
    puts("\n"
         "  --jobs LIST     of these jobs (default cpu,io,mixed)\n"
         "  --modes LIST    of these modes (default all)\n"
         "  --dir DIR       the same as DIR\n"
         "  --n N           waiting tasks in io (default 10000, at most 1000000)\n"
         "  --wait MS       the server answers after that time, in milliseconds (default 100);\n"
         "                  also --latency\n"
         "  --sleep         tasks sleep so long instead; so they do when there are more than the\n"
         "                  system allows connections\n"
         "  --repeat R      rounds, modes taking turns; medians are shown (default 1)\n"
         "  --workers N     processes and threads of the pools, workers of stealing\n"
         "                  (default: the CPUs this process may use)\n"
         "  --json FILE     write all results there, too\n"
         "  --csv FILE      write a row for each job and mode there\n"
         "  --help\n"
         "\n"
         "Exit status: 0 all well; 1 a mode failed or an output could not be written;\n"
         "2 a bad argument; 3 some files could not be read and were skipped; 4 the digests of\n"
         "two modes disagree; 130 stopped by Ctrl-C, and what is shown is partial.");
}

/* A whole number in [least, most]; printed and -1 otherwise. */
static long number(const char *name, const char *text, long least, long most)
{
    char *end;
    errno = 0;
    long n = strtol(text, &end, 10);
    if (end == text || *end != '\0' || errno != 0 || n < least || n > most) {
        fprintf(stderr, PROGRAM ": --%s must be a whole number from %ld to %ld, not '%s'\n", name,
                least, most, text);
        return -1;
    }
    return n;
}

/* A comma-separated list of names as a set of bits; printed and 0 otherwise. */
static unsigned names(const char *option, const char *text, unsigned count,
                      const char *(*name)(unsigned))
{
    unsigned set = 0;
    for (const char *at = text;; at++) {
        size_t n = strcspn(at, ",");
        unsigned i = 0;
        while (i < count && (strlen(name(i)) != n || strncmp(at, name(i), n) != 0))
            i++;
        if (i == count) {
            fprintf(stderr, PROGRAM ": --%s does not know '%.*s'; it knows ", option, (int)n, at);
            for (i = 0; i < count; i++)
                fprintf(stderr, "%s%s", name(i), i + 1 < count ? ", " : "\n");
            return 0;
        }
        set |= 1u << i;
        at += n;
        if (*at == '\0')
            return set;
    }
}

/* Before minutes are spent: can FILE be written? */
static int check_output(const char *option, const char *path)
{
    struct stat st;
    int rc = 0;
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
        errno = EISDIR;
        rc = -1;
    } else {
        const char *slash = strrchr(path, '/');
        char *dir = slash == NULL   ? strdup(".")
                    : slash == path ? strdup("/")
                                    : strndup(path, (size_t)(slash - path));
        rc = dir ? access(dir, W_OK | X_OK) : -1;
        free(dir);
    }
    if (rc < 0)
        fprintf(stderr, PROGRAM ": --%s cannot write '%s': %s\n", option, path, strerror(errno));
    return rc;
}

static int check_dir(const char *dir)
{
    struct stat st;
    if (stat(dir, &st) < 0) {
        fprintf(stderr, PROGRAM ": cannot read the directory '%s': %s\n", dir, strerror(errno));
        return -1;
    }
    if (!S_ISDIR(st.st_mode)) {
        fprintf(stderr, PROGRAM ": '%s' is not a directory\n", dir);
        return -1;
    }
    return 0;
}

/* One option: 0, or -1 after the error has been printed. */
static int take(struct options *o, int c)
{
    long n = 0;
    switch (c) {
    case OPT_JOBS:
        o->jobs = names("jobs", optarg, JOB_COUNT, job_at);
        return o->jobs ? 0 : -1;
    case OPT_MODES:
        o->modes = names("modes", optarg, MODE_COUNT, mode_at);
        return o->modes ? 0 : -1;
    case OPT_DIR:
        o->dir = optarg;
        return 0;
    case OPT_N:
        n = number("n", optarg, 1, MAX_TASKS);
        o->tasks = (size_t)n;
        break;
    case OPT_WAIT:
        n = number("wait", optarg, 0, MAX_WAIT_MS);
        o->wait_ns = (int64_t)n * 1000000;
        break;
    case OPT_SLEEP:
        o->sleeps = true;
        return 0;
    case OPT_REPEAT:
        n = number("repeat", optarg, 1, MAX_REPEAT);
        o->repeat = (unsigned)n;
        break;
    case OPT_WORKERS:
        n = number("workers", optarg, 1, MAX_WORKERS);
        o->workers = (unsigned)n;
        break;
    case OPT_JSON:
        o->json = optarg;
        return check_output("json", optarg);
    case OPT_CSV:
        o->csv = optarg;
        return check_output("csv", optarg);
    default:
        return -1;
    }
    return n < 0 ? -1 : 0;
}

int options_parse(struct options *o, int argc, char *const argv[])
{
    *o = (struct options){
        .jobs = (1u << JOB_COUNT) - 1,
        .modes = (1u << MODE_COUNT) - 1,
        .tasks = 10000,
        .wait_ns = 100000000,
        .repeat = 1,
    };
    int c;
    optind = 0;
    while ((c = getopt_long(argc, argv, ":h", long_options, NULL)) != -1) {
        if (c == 'h') {
            help();
            return EXIT_OK;
        }
        if (c == '?' || c == ':') {
            fprintf(stderr, PROGRAM ": %s '%s'; --help lists the options\n",
                    c == '?' ? "unknown option" : "an argument is missing after", argv[optind - 1]);
            return EXIT_USAGE;
        }
        if (take(o, c) < 0)
            return EXIT_USAGE;
    }
    if (optind < argc && o->dir == NULL)
        o->dir = argv[optind++];
    if (optind < argc) {
        fprintf(stderr, PROGRAM ": one directory is enough; what is '%s'?\n", argv[optind]);
        return EXIT_USAGE;
    }
    if (o->dir == NULL)
        o->dir = "/usr/include";
    if (o->jobs != 1u << JOB_IO && check_dir(o->dir) < 0)
        return EXIT_USAGE;
    return -1;
}

/*
 * Fetches many URLs at once, and says of each what came: the status, the size, the URL.
 *
 *     fetch [--at-once N] [--timeout SECONDS] [--as-they-come] URL... | -
 *
 * At most N at once (100), each within so many seconds (30). The lines come in the order in which
 * the URLs were given, each as soon as it and all before it are known; with --as-they-come as soon
 * as it is. "-": the URLs are read from standard input, one a line. Ends with 0 when all answers
 * had a status below 400, with 1 when one had not or did not come, with 2 for bad arguments.
 *
 * One group with a limit is all there is to it: spawning waits while N fetches run, and leaving the
 * group waits for the last. A fetch that fails is a line of the output, not a failure of its group,
 * which would cancel the others.
 */
#define _GNU_SOURCE

#include "common/server.h"
#include "http/client.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fetch {
    char *url;
    int rc; /* 0: the answer is there; a failure */
    bool done;
    struct http_answer answer;
};

static struct {
    long at_once, timeout;
    bool as_they_come;
    struct fetch *all;
    size_t n, room;
    size_t printed; /* in order: so many lines */
    int failed;
    bg_mutex lock; /* of the output, and of what says how far it is */
} run = {.at_once = 100, .timeout = 30, .lock = BG_MUTEX_INIT};

static void print(const struct fetch *f)
{
    if (f->rc == 0) {
        printf("%u %ju %s\n", f->answer.status, (uintmax_t)f->answer.size, f->url);
    } else {
        printf("- - %s: %s\n", f->url, bg_strerror(f->rc));
    }
    (void)fflush(stdout);
    run.failed = run.failed || f->rc < 0 || f->answer.status >= 400;
}

static int fetch(void *arg)
{
    struct fetch *f = *(struct fetch **)arg;
    struct http_url url;
    f->rc = http_parse_url(f->url, &url);
    if (f->rc == 0) {
        bg_timeout (run.timeout *BG_S) {
            f->rc = http_get(&url, &f->answer);
        }
    }
    if (f->rc == -ECANCELED) {
        return f->rc;
    }
    int rc = bg_mutex_lock(&run.lock);
    if (rc < 0) {
        return rc;
    }
    f->done = true;
    if (run.as_they_come) {
        print(f);
    } else {
        while (run.printed < run.n && run.all[run.printed].done) {
            print(&run.all[run.printed++]);
        }
    }
    return bg_mutex_unlock(&run.lock);
}

static int fetch_all(void *unused)
{
    (void)unused;
    int rc = 0;
    bg_group (g, .limit = (size_t)run.at_once, .result = &rc) {
        for (size_t i = 0; i < run.n; i++) {
            if (bg_group_spawn_with(&g, fetch, struct fetch *, &run.all[i]) < 0) {
                break; /* the group says why */
            }
        }
    }
    return rc;
}

static bool add(const char *url, size_t size)
{
    if (run.n == run.room) {
        run.room = 2 * run.room + 16;
        struct fetch *more = realloc(run.all, run.room * sizeof *more);
        if (more == NULL) {
            return false;
        }
        run.all = more;
    }
    run.all[run.n] = (struct fetch){.url = strndup(url, size)};
    return run.all[run.n++].url != NULL;
}

static bool add_lines(FILE *in)
{
    char *line = NULL;
    size_t room = 0;
    bool good = true;
    while (good && getline(&line, &room, in) >= 0) {
        size_t size = strcspn(line, "\r\n");
        good = size == 0 || add(line, size);
    }
    free(line);
    return good && !ferror(in);
}

static int usage(void)
{
    (void)fprintf(stderr, "usage: fetch [--at-once N] [--timeout SECONDS] [--as-they-come] "
                          "URL... | -\n");
    return 2;
}

int main(int argc, char *argv[])
{
    static const struct option options[] = {
        {"at-once", required_argument, NULL, 'a'},
        {"timeout", required_argument, NULL, 't'},
        {"as-they-come", no_argument, NULL, 'c'},
        {NULL, 0, NULL, 0},
    };
    bool good = true;
    int option;
    opterr = 0; /* the usage line says enough */
    while (good && (option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case 'a':
            good = parse_number(optarg, 1, 100000, &run.at_once);
            break;
        case 't':
            good = parse_number(optarg, 1, 1000000, &run.timeout);
            break;
        case 'c':
            run.as_they_come = true;
            break;
        default:
            good = false;
        }
    }
    if (!good || optind == argc) {
        return usage();
    }
    if (optind == argc - 1 && strcmp(argv[optind], "-") == 0) {
        good = add_lines(stdin);
    } else {
        for (int i = optind; good && i < argc; i++) {
            good = add(argv[i], strlen(argv[i]));
        }
    }
    int rc = good ? bg_run(fetch_all, NULL) : -ENOMEM;
    if (rc < 0) {
        (void)fprintf(stderr, "fetch: %s\n", bg_strerror(rc));
    }
    for (size_t i = 0; i < run.n; i++) {
        free(run.all[i].url);
    }
    free(run.all);
    return rc < 0 || run.failed;
}

/*
 * The stall detector: who goes on for long without a suspension is reported once, by name. The
 * tests wait for the report itself, however long it takes.
 */
#include "../task/check.h"

#include "core/stall.h"

#include "dies.h"

#include <semaphore.h>
#include <stdlib.h>

#if BGI_DEBUG

static sem_t gate;
static bgi_atomic reports, silent;
static struct bgi_stall_report last;
static char last_name[64];

/* On the monitor's thread. Opens the gate, unless it is to stay shut. */
static void on_stall(const struct bgi_stall_report *r, void *arg)
{
    last = *r;
    (void)snprintf(last_name, sizeof last_name, "%s", r->name);
    add_one(&reports);
    if (!bgi_load(&silent)) {
        (void)sem_post(arg);
    }
}

static void begin(const char *ms)
{
    cr_assert_eq(sem_init(&gate, 0, 0), 0);
    cr_assert_eq(setenv("BRIGADE_STALL_MS", ms, 1), 0);
    bgi_stall_set_hook(on_stall, &gate);
}

static int wait_at_gate(void *arg)
{
    (void)arg;
    while (sem_wait(&gate) != 0) {
    }
    return 0;
}

static int compute(void *arg)
{
    (void)arg;
    while (bgi_load_acquire(&reports) == 0) {
    }
    return 0;
}

static int yield_and_compute(void *arg)
{
    bg_yield();
    return compute(arg);
}

static int compute_as_child(void *arg)
{
    (void)arg;
    return bg_await(bg_spawn(yield_and_compute, NULL, .name = "resize"));
}

Test(stall, a_task_that_computes_is_named)
{
    begin("20");
    RUN(compute_as_child, NULL, .workers = 1, .spares = BG_NO_SPARES);
    cr_assert_eq(bgi_load(&reports), 1);
    cr_assert_str_eq(last_name, "resize");
    cr_assert_eq(last.kind, BGI_STALL_TASK);
    cr_assert_eq(last.worker, 0);
    cr_assert_geq(last.lasts, 20 * BG_MS);
    cr_assert_eq(last.blocked, 0);
}

Test(stall, a_task_that_blocks_is_named)
{
    begin("20");
    RUN(wait_at_gate, NULL, .workers = 2,
        .name = "a name too long to be kept as a whole, it is cut");
    cr_assert_eq(bgi_load(&reports), 1);
    cr_assert_str_eq(last_name, "a name too long to be kept as a whole, it is cu");
    cr_assert_eq(last.blocked, 1);
    cr_assert_geq(last.lasts, 20 * BG_MS);
}

static int stall_often(void *arg)
{
    for (bgi_word i = 1; i <= 5; i++) {
        (void)wait_at_gate(arg);
        CHECK(bgi_load(&reports) >= i);
        CHECK(bg_sleep(1) == 0);
    }
    return 0;
}

Test(stall, each_stall_is_reported)
{
    begin("1");
    RUN(stall_often, NULL, .workers = 1);
    cr_assert_geq(bgi_load(&reports), 5);
}

/* At least so many looks of the monitor go by. */
static void let_it_look(unsigned times)
{
    struct timespec ts = {.tv_nsec = (long)times * 1000000};
    (void)nanosleep(&ts, NULL);
}

static size_t stuck_workers(bg_runtime *rt)
{
    bg_stats s = {.size = sizeof s};
    cr_assert_eq(bg_runtime_stats(rt, &s), 0);
    return s.workers_stuck;
}

/* A task blocks until the monitor has seen it for long. How often it was reported. */
static bgi_word reports_of_a_long_one(const char *ms, bgi_word wait_for)
{
    bg_runtime *rt = NULL;
    begin(ms);
    bgi_store(&silent, 1);
    cr_assert_eq(bg_runtime_create(&rt, .workers = 1), 0);
    bg_task *t = bg_runtime_spawn(rt, wait_at_gate, NULL);
    block_until(&reports, wait_for);
    while (stuck_workers(rt) == 0) {
        let_it_look(1);
    }
    let_it_look(30);
    bgi_word n = bgi_load(&reports);
    cr_assert_eq(sem_post(&gate), 0);
    cr_assert_eq(bg_runtime_wait(rt, t), 0);
    cr_assert_eq(bg_runtime_shutdown(rt), 0);
    return n;
}

Test(stall, one_stall_is_reported_once)
{
    cr_assert_eq(reports_of_a_long_one("2", 1), 1);
}

Test(stall, none_is_reported_when_turned_off)
{
    cr_assert_eq(reports_of_a_long_one("0", 0), 0);
}

static bgi_atomic called;

static int callback(void *arg)
{
    (void)wait_at_gate(arg);
    add_one(&called);
    return 0;
}

static int have_it_called(void *arg)
{
    bg_timer timer;
    bg_timer_init(&timer);
    CHECK((arg != NULL ? bg_after(0, callback, NULL) : bg_timer_start(&timer, 0, callback, NULL)) ==
          0);
    while (bgi_load(&called) == 0) {
        CHECK(bg_sleep(BG_MS) == 0);
    }
    return 0;
}

Test(stall, a_callback_is_reported_as_such)
{
    begin("2");
    for (uintptr_t as = 0; as < 2; as++) {
        bgi_store(&called, 0);
        bgi_store(&reports, 0);
        RUN(have_it_called, (void *)as, .workers = 1);
        cr_assert_geq(bgi_load(&reports), 1);
        cr_assert_eq(last.kind, BGI_STALL_CALLBACK);
        cr_assert_str_eq(last_name, "");
    }
}

Test(stall, the_threshold_is_a_number_of_milliseconds)
{
    cr_assert_eq(bgi_stall_parse("0"), 0);
    cr_assert_eq(bgi_stall_parse("120"), 120 * BG_MS);
    cr_assert_eq(bgi_stall_parse(""), -1);
    cr_assert_eq(bgi_stall_parse("-1"), -1);
    cr_assert_eq(bgi_stall_parse("10ms"), -1);
    cr_assert_eq(bgi_stall_parse("99999999999999999999"), -1);
}

/* Blocks in reading what goes to stderr, which is the report. */
static int read_the_line(void *arg)
{
    int *fds = arg;
    char line[256];
    ssize_t n = read(fds[0], line, sizeof line);
    return n > 0 && write(fds[1], line, (size_t)n) == n ? 0 : 1;
}

static void report_to_stderr(void *name)
{
    int fds[2], own = dup(STDERR_FILENO);
    if (pipe(fds) != 0 || dup2(fds[1], STDERR_FILENO) < 0) {
        return;
    }
    int io[2] = {fds[0], own};
    (void)setenv("BRIGADE_STALL_MS", "1", 1);
    (void)bg_run(read_the_line, io, .workers = 1, .name = name);
    abort();
}

static void stall_setting_is_wrong(void *text)
{
    (void)setenv("BRIGADE_STALL_MS", text, 1);
    (void)bg_run(return_arg, NULL, .workers = 1);
    (void)bg_run(return_arg, NULL, .workers = 1);
    abort();
}

Test(stall, the_line_says_who_where_and_how)
{
    char text[1024];
    cr_assert(dies(report_to_stderr, "resize", text, sizeof text));
    const char *begins = "brigade: stall: task 'resize' on worker 0 has not suspended for ";
    const char *ends = " ms (blocked in the kernel)\n";
    cr_assert_eq(strncmp(text, begins, strlen(begins)), 0, "%s", text);
    cr_assert_not_null(strstr(text, ends), "%s", text);
    cr_assert(dies(report_to_stderr, "", text, sizeof text));
    cr_assert_not_null(strstr(text, "stall: an unnamed task on worker 0"), "%s", text);
}

Test(stall, a_setting_that_is_no_number_is_told_of_once)
{
    char text[1024];
    cr_assert(dies(stall_setting_is_wrong, "soon", text, sizeof text));
    const char *line =
        "brigade: BRIGADE_STALL_MS is 'soon', not a number of milliseconds: ignored\n";
    cr_assert_eq(strncmp(text, line, strlen(line)), 0, "%s", text);
    cr_assert_null(strstr(text + strlen(line), "BRIGADE_STALL_MS"));
}

#else

Test(stall, other_builds_report_nothing)
{
    cr_assert_eq(setenv("BRIGADE_STALL_MS", "soon", 1), 0);
    RUN(return_arg, NULL, .workers = 1);
}

#endif

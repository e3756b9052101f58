/*
 * Processes: what they get, what they say, how they end, and that nothing is left of them.
 *
 * Labels: drivers
 */
#include "../task/child.h"
#include "net.h"

static const char *const sleeper[] = {"sleep", "1000", NULL};
static const char *const cat[] = {"cat", NULL};

static void no_child_is_left(void)
{
    cr_assert_eq(waitpid(-1, NULL, WNOHANG), -1);
    cr_assert_eq(errno, ECHILD);
}

/* ---- how they end ---- */

static int main_ends(void *arg)
{
    static const struct {
        const char *script;
        int exited, code, signal;
    } all[] = {{"exit 0", 1, 0, 0}, {"exit 7", 1, 7, 0}, {"kill -9 $$", 0, 0, 9}};
    (void)arg;
    for (size_t i = 0; i < BGI_ARRAY_LEN(all); i++) {
        const char *argv[] = {"sh", "-c", all[i].script, NULL};
        bg_process *p;
        bg_process_status s, again;
        CHECK(bg_process_spawn(&p, argv) == 0);
        CHECK(bg_process_id(p) > 0);
        CHECK(bg_process_wait(p, &s) == 0);
        CHECK(s.exited == all[i].exited && s.code == all[i].code && s.signal == all[i].signal);
        CHECK(s.usage.ru_maxrss > 0);
        CHECK(bg_process_wait(p, &again) == 0 && again.code == s.code);
        CHECK(bg_process_wait(p, NULL) == 0);
        CHECK(bg_process_kill(p, SIGTERM) == -ESRCH);
        CHECK(bg_process_terminate(p, 0, &again) == 0 && again.signal == s.signal);
        CHECK(bg_process_pipe(p, 1) == -EBADF && bg_process_take_pipe(p, 5) == -EBADF);
        bg_process_free(p);
    }
    bg_process_free(NULL);
    return 0;
}

Test(process, how_they_end)
{
    int before = open_descriptors();
    EACH_WORKER_COUNT(w)
    {
        RUN(main_ends, NULL, .workers = w);
    }
    RUN(main_ends, NULL, .seed = 1);
    cr_assert_eq(main_ends(NULL), 0); /* on a plain thread */
    NO_CHECK_FAILED();
    no_child_is_left();
    cr_assert_eq(open_descriptors(), before);
}

static int main_not_started(void *arg)
{
    bg_process *p = NULL;
    const char *none[] = {"no-such-program-here", NULL};
    const char *folder[] = {"/", NULL};
    const char *empty[] = {NULL};
    (void)arg;
    CHECK(bg_process_spawn(&p, none) == -ENOENT);
    CHECK(bg_process_spawn(&p, none, .in = BG_STDIO_PIPE, .out = BG_STDIO_PIPE) == -ENOENT);
    CHECK(bg_process_spawn(&p, folder) == -EACCES);
    CHECK(bg_process_spawn(&p, cat, .cwd = "/no/such/folder") == -ENOENT);
    CHECK(bg_process_spawn(&p, empty) == -EINVAL);
    CHECK(bg_process_spawn(&p, NULL) == -EINVAL);
    CHECK(bg_process_spawn(NULL, cat) == -EINVAL);
    CHECK(bg_process_spawn(&p, cat, .out = BG_STDIO_OUT) == -EINVAL);
    CHECK(bg_process_spawn(&p, cat, .in = -9) == -EINVAL);
    CHECK(bg_process_spawn(&p, cat, .out = 1000) == -EBADF);
    CHECK(p == NULL);
    return 0;
}

Test(process, what_cannot_be_started)
{
    int before = open_descriptors();
    RUN(main_not_started, NULL, .workers = 2);
    no_child_is_left();
    cr_assert_eq(open_descriptors(), before);
}

/* ---- waits that end early ---- */

static int wait_for(void *arg)
{
    bg_process_status s;
    int r = bg_process_wait(arg, &s);
    return r < 0 ? r : s.signal;
}

static int main_early(void *arg)
{
    bg_process *p;
    bg_process_status s;
    int r = 0;
    (void)arg;
    CHECK(bg_process_spawn(&p, sleeper) == 0);
    bg_timeout (2 * BG_MS) {
        r = bg_process_wait(p, &s);
    }
    CHECK(r == -ETIMEDOUT);
    bg_task *t = bg_spawn(wait_for, p);
    bg_task *u = bg_spawn(wait_for, p);
    bg_task *v = bg_spawn(wait_for, p);
    bg_yield();
    CHECK(bg_cancel(t) == 0);
    CHECK(bg_await(t) == -ECANCELED);
    CHECK(bg_process_kill(p, 0) == 0);
    CHECK(bg_process_kill(p, 12345) == -EINVAL);
    CHECK(bg_process_kill(p, SIGINT) == 0);
    CHECK(bg_await(u) == SIGINT && bg_await(v) == SIGINT);
    CHECK(bg_process_wait(p, &s) == 0 && s.signal == SIGINT);
    bg_process_free(p);
    /* Freed as it runs. */
    CHECK(bg_process_spawn(&p, sleeper) == 0);
    pid_t pid = bg_process_id(p);
    bg_process_free(p);
    CHECK(kill(pid, 0) < 0 && errno == ESRCH);
    return 0;
}

Test(process, waits_end_early)
{
    int before = open_descriptors();
    EACH_WORKER_COUNT(w)
    {
        RUN(main_early, NULL, .workers = w);
    }
    RUN(main_early, NULL, .seed = 1);
    no_child_is_left();
    cr_assert_eq(open_descriptors(), before);
}

static int main_terminate(void *arg)
{
    bg_process *p;
    bg_process_status s;
    char c;
    (void)arg;
    CHECK(bg_process_spawn(&p, sleeper) == 0);
    CHECK(bg_process_terminate(p, BG_FOREVER, &s) == 0 && s.signal == SIGTERM);
    bg_process_free(p);
    /* One that does not heed, and its child. */
    const char *deaf[] = {"sh", "-c", "trap '' TERM; sleep 1000 & echo; wait; wait; sleep 1000",
                          NULL};
    CHECK(bg_process_spawn(&p, deaf, .out = BG_STDIO_PIPE, .process_group = 1) == 0);
    CHECK(bg_self() == NULL || bg_read(bg_process_pipe(p, 1), &c, 1) == 1);
    CHECK(bg_process_terminate(p, 5 * BG_MS, &s) == 0);
    CHECK(s.signal == SIGKILL || bg_self() == NULL);
    if (bg_self() != NULL) { /* the whole group has ended: nobody holds the pipe */
        CHECK(bg_read(bg_process_pipe(p, 1), &c, 1) == 0);
    }
    bg_process_free(p);
    return 0;
}

Test(process, they_are_terminated)
{
    RUN(main_terminate, NULL, .workers = 2);
    RUN(main_terminate, NULL, .seed = 1);
    cr_assert_eq(main_terminate(NULL), 0);
    NO_CHECK_FAILED();
    no_child_is_left();
}

/* ---- what they get ---- */

static int main_given(void *arg)
{
    char text[256] = "";
    char *env[] = {"PATH=/usr/bin:/bin", "WORD=soup", NULL};
    const char *say[] = {"sh", "-c", "echo $WORD; pwd; echo bad >&2; echo $(cat)", NULL};
    bg_process *p;
    int fds[2];
    (void)arg;
    CHECK(bg_process_spawn(&p, say, .in = BG_STDIO_PIPE, .out = BG_STDIO_PIPE, .err = BG_STDIO_OUT,
                           .env = env, .cwd = "/usr") == 0);
    CHECK(bg_write_all(bg_process_pipe(p, 0), "fed", 3, NULL) == 0);
    int in = bg_process_take_pipe(p, 0);
    CHECK(in >= 0 && bg_process_pipe(p, 0) == -EBADF && bg_fd_close(in) == 0);
    CHECK(bg_read_all(bg_process_pipe(p, 1), text, sizeof text - 1, NULL) > 0);
    CHECK(strcmp(text, "soup\n/usr\nbad\nfed\n") == 0);
    CHECK(bg_process_wait(p, NULL) == 0);
    bg_process_free(p);
    /* A descriptor of ours; nothing to read. */
    CHECK(pipe2(fds, O_CLOEXEC) == 0);
    CHECK(bg_process_spawn(&p, say, .in = BG_STDIO_NULL, .out = fds[1], .err = BG_STDIO_NULL) == 0);
    CHECK(close(fds[1]) == 0);
    memset(text, 0, sizeof text);
    CHECK(bg_read_all(fds[0], text, sizeof text - 1, NULL) > 0);
    CHECK(strstr(text, "bad") == NULL && strstr(text, "fed") == NULL);
    bg_process_free(p);
    return bg_fd_close(fds[0]);
}

/* Standard output and error are exchanged. */
static int main_exchanged(void *arg)
{
    const char *say[] = {"sh", "-c", "echo out; echo err >&2", NULL};
    bg_process *p;
    int out[2], err[2], keep_out = dup(1), keep_err = dup(2);
    char a[8] = "", b[8] = "";
    (void)arg;
    CHECK(pipe2(out, O_CLOEXEC) == 0 && pipe2(err, O_CLOEXEC) == 0);
    CHECK(dup2(out[1], 1) == 1 && dup2(err[1], 2) == 2);
    int r = bg_process_spawn(&p, say, .out = 2, .err = 1);
    CHECK(dup2(keep_out, 1) == 1 && dup2(keep_err, 2) == 2);
    CHECK(r == 0 && close(out[1]) == 0 && close(err[1]) == 0);
    CHECK(bg_read_all(out[0], a, sizeof a - 1, NULL) == 4 && strcmp(a, "err\n") == 0);
    CHECK(bg_read_all(err[0], b, sizeof b - 1, NULL) == 4 && strcmp(b, "out\n") == 0);
    bg_process_free(p);
    return bg_fd_close(out[0]) + bg_fd_close(err[0]) + close(keep_out) + close(keep_err);
}

static int main_signals(void *arg)
{
    static const char script[] = "grep -E 'Sig(Blk|Ign)' /proc/self/status";
    const char *show[] = {"sh", "-c", script, NULL};
    bg_process_output o;
    (void)arg;
    CHECK(bg_process_run(show, &o) == 0);
    CHECK(strstr(o.out, "SigBlk:\t0000000000000000") != NULL);
    unsigned long ignored = 0;
    const char *at = strstr(o.out, "SigIgn:");
    CHECK(at != NULL && sscanf(at, "SigIgn:\t%lx", &ignored) == 1);
    CHECK((ignored & 0x7fffffff) == 0); /* those above are the C library's own */
    bg_process_output_free(&o);
    return 0;
}

Test(process, what_they_get)
{
    int before = open_descriptors();
    EACH_WORKER_COUNT(w)
    {
        RUN(main_given, NULL, .workers = w);
    }
    RUN(main_given, NULL, .seed = 1);
    RUN(main_exchanged, NULL, .workers = 1);
    void (*was)(int) = signal(SIGPIPE, SIG_IGN);
    RUN(main_signals, NULL, .workers = 3);
    (void)signal(SIGPIPE, was);
    no_child_is_left();
    cr_assert_eq(open_descriptors(), before);
}

/* ---- run ---- */

enum { BIG = 300000 };
static char big[BIG];

static int main_run(void *arg)
{
    const char *both[] = {"sh", "-c", "cat; echo oops >&2; exit 3", NULL};
    const char *deaf[] = {"sh", "-c", "exec <&-; echo ok", NULL};
    const char *none[] = {"no-such-program-here", NULL};
    bg_process_output o;
    (void)arg;
    memset(big, 'x', BIG);
    CHECK(bg_process_run(both, &o, .input = big, .input_size = BIG) == 0);
    CHECK(o.status.exited && o.status.code == 3 && !o.truncated);
    CHECK(o.out_size == BIG && memcmp(o.out, big, BIG) == 0 && o.out[BIG] == '\0');
    CHECK(o.err_size == 5 && strcmp(o.err, "oops\n") == 0);
    bg_process_output_free(&o);
    CHECK(bg_process_run(both, &o, .input = big, .input_size = BIG, .limit = 1000) == 0);
    CHECK(o.truncated && o.out_size == 1000 && o.err_size == 5);
    bg_process_output_free(&o);
    CHECK(bg_process_run(both, &o, .merge = 1) == 0);
    CHECK(strcmp(o.out, "oops\n") == 0 && o.err_size == 0 && *o.err == '\0');
    bg_process_output_free(&o);
    CHECK(bg_process_run(deaf, &o, .input = big, .input_size = BIG) == 0); /* without SIGPIPE */
    CHECK(strcmp(o.out, "ok\n") == 0);
    bg_process_output_free(&o);
    CHECK(bg_process_run(none, &o) == -ENOENT);
    CHECK(bg_process_run(both, NULL) == -EINVAL);
    int r = 0;
    bg_timeout (5 * BG_MS) {
        r = bg_process_run(sleeper, &o);
    }
    CHECK(r == -ETIMEDOUT);
    return 0;
}

Test(process, run)
{
    int before = open_descriptors();
    size_t live = bgi_alloc_live();
    EACH_WORKER_COUNT(w)
    {
        RUN(main_run, NULL, .workers = w);
    }
    RUN(main_run, NULL, .seed = 1);
    no_child_is_left();
    cr_assert_eq(open_descriptors(), before);
    cr_assert_eq(bgi_alloc_live(), live);
}

static int main_no_memory(void *arg)
{
    const char *both[] = {"sh", "-c", "cat; echo oops >&2", NULL};
    bg_process_output o;
    (void)arg;
    for (size_t n = 1;; n++) {
        bgi_fault_arm(BGI_FAULT_MALLOC, n);
        int r = bg_process_run(both, &o, .input = "abc", .input_size = 3);
        size_t calls = bgi_fault_count();
        bgi_fault_disarm();
        CHECK(r == 0 || r == -ENOMEM);
        if (r == 0) {
            bg_process_output_free(&o);
        }
        if (calls < n) {
            return 0;
        }
    }
}

Test(process, no_memory)
{
    int before = open_descriptors();
    size_t live = bgi_alloc_live();
    RUN(main_no_memory, NULL, .workers = 1, .spares = BG_NO_SPARES);
    no_child_is_left();
    cr_assert_eq(open_descriptors(), before);
    cr_assert_eq(bgi_alloc_live(), live);
}

/* Without descriptors there is no pidfd. */
static int main_no_pidfd(void *arg)
{
    const char *argv[] = {"sleep", "0.01", NULL};
    struct rlimit limit;
    bg_process *p, *q;
    bg_process_status s;
    int r = 0;
    (void)arg;
    CHECK(bg_process_spawn(&p, argv) == 0 && bg_process_spawn(&q, sleeper) == 0);
    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = 0;
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    CHECK(dup(STDERR_FILENO) < 0 && errno == EMFILE);
    CHECK(bg_process_wait(p, &s) == 0 && s.exited && s.code == 0);
    bg_process_free(p);
    CHECK(bg_process_spawn(&p, argv, .out = BG_STDIO_PIPE) == -EMFILE);
    bg_timeout (2 * BG_MS) {
        r = bg_process_wait(q, &s);
    }
    CHECK(r == -ETIMEDOUT);
    bg_process_free(q);
    return 0;
}

static void no_pidfd(void *arg)
{
    (void)arg;
    CHECK(bg_run(main_no_pidfd, NULL, .workers = 1) == 0);
}

Test(process, without_pidfds)
{
    struct child_end end = child_run(no_pidfd, NULL);
    cr_assert_eq(end.status, 0, "%s", end.words);
    cr_assert_eq(end.signal, 0);
}

/* Two at a time. */
static bg_sem two = BG_SEM_INIT(2);

static int one_of_many(void *arg)
{
    const char *argv[] = {"true", NULL};
    bg_process *p;
    (void)arg;
    CHECK(bg_sem_acquire(&two) == 0);
    CHECK(bg_process_spawn(&p, argv) == 0);
    CHECK(bg_process_wait(p, NULL) == 0);
    bg_process_free(p);
    return bg_sem_release(&two);
}

static int main_many(void *arg)
{
    (void)arg;
    int rc;
    bg_group (g, .result = &rc) {
        for (int i = 0; i < MANY(200); i++) {
            (void)bg_group_spawn(&g, one_of_many, NULL);
        }
    }
    return rc;
}

Test(process, many)
{
    int before = open_descriptors();
    EACH_WORKER_COUNT(w)
    {
        RUN(main_many, NULL, .workers = w);
    }
    no_child_is_left();
    cr_assert_eq(open_descriptors(), before);
}

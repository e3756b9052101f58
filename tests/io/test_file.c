/*
 * Files and walks: what they do, how they fail, and that a call that is given up leaves nothing.
 *
 * Labels: valgrind
 */
#include "../task/child.h"
#include "net.h"

#include <ftw.h>
#include <sys/stat.h>

/* A folder of its own, and paths in it. */
static char folder[64];

static const char *in(const char *name)
{
    static _Thread_local char path[8][256];
    static _Thread_local unsigned turn;
    char *p = path[turn++ % 8];
    (void)snprintf(p, 256, "%s/%s", folder, name);
    return p;
}

static void folder_make(void)
{
    (void)strcpy(folder, "/tmp/brigade-file-XXXXXX");
    cr_assert(mkdtemp(folder) != NULL);
}

static int remove_one(const char *path, const struct stat *s, int type, struct FTW *f)
{
    (void)s;
    (void)type;
    (void)f;
    return remove(path);
}

static void folder_remove(void)
{
    cr_assert_eq(nftw(folder, remove_one, 10, FTW_DEPTH | FTW_PHYS), 0);
}

/* How many entries the folder has. */
static size_t entries(void)
{
    size_t n = 0;
    DIR *d = opendir(folder);
    while (readdir(d) != NULL) {
        n++;
    }
    (void)closedir(d);
    return n - 2;
}

/* ---- files ---- */

static size_t given; /* blocks that were given to the test */

static void give_back(char *data)
{
    given++;
    free(data);
}

static int main_calls(void *arg)
{
    struct stat s;
    char *data = NULL;
    size_t size = 0;
    (void)arg;
    CHECK(bg_file_mkdir(in("d"), 0700) == 0 && bg_file_mkdir(in("d"), 0700) == -EEXIST);
    CHECK(bg_file_stat(in("d"), &s) == 0 && S_ISDIR(s.st_mode) && (s.st_mode & 0777) == 0700);
    CHECK(bg_file_write_whole(in("a"), "hello", 5, .mode = 0640) == 0);
    CHECK(bg_file_read_whole(in("a"), &data, &size, 0) == 0);
    CHECK(size == 5 && strcmp(data, "hello") == 0);
    give_back(data);
    CHECK(bg_file_read_whole(in("a"), &data, NULL, 5) == 0);
    give_back(data);
    CHECK(bg_file_read_whole(in("a"), &data, &size, 4) == -EFBIG);
    /* The mode stays when it is replaced; a sync on the way. */
    CHECK(bg_file_write_whole(in("a"), "", 0, .sync = 1) == 0);
    CHECK(bg_file_stat(in("a"), &s) == 0 && (s.st_mode & 07777) == 0640 && s.st_size == 0);
    CHECK(bg_file_read_whole(in("a"), &data, &size, 0) == 0 && size == 0 && data[0] == '\0');
    give_back(data);
    CHECK(bg_file_rename(in("a"), in("d/b")) == 0);
    CHECK(bg_file_stat(in("a"), &s) == -ENOENT);
    CHECK(bg_file_rmdir(in("d")) == -ENOTEMPTY);
    int fd = bg_file_open(in("d/b"), O_RDWR, 0);
    CHECK(fd >= 0 && (fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    CHECK(bg_write(fd, "x", 1) == 1);
    CHECK(bg_file_sync(fd) == 0);
    CHECK(bg_fd_close(fd) == 0);
    CHECK(bg_file_sync(fd) == -EBADF);
    CHECK(symlink("d", in("l")) == 0);
    CHECK(bg_file_lstat(in("l"), &s) == 0 && S_ISLNK(s.st_mode));
    CHECK(bg_file_stat(in("l"), &s) == 0 && S_ISDIR(s.st_mode));
    CHECK(bg_file_unlink(in("l")) == 0 && bg_file_unlink(in("l")) == -ENOENT);
    CHECK(bg_file_unlink(in("d/b")) == 0 && bg_file_rmdir(in("d")) == 0);
    /* A file that does not say how large it is. */
    CHECK(bg_file_read_whole("/proc/self/status", &data, &size, 0) == 0 && strlen(data) == size);
    CHECK(size > 512);
    give_back(data);
    CHECK(bg_file_read_whole("/proc/self/status", &data, &size, 100) == -EFBIG);
    return 0;
}

static int main_refused(void *arg)
{
    struct stat s;
    char *data = NULL;
    (void)arg;
    CHECK(bg_file_open(in("none"), O_RDONLY, 0) == -ENOENT);
    CHECK(bg_file_open(NULL, O_RDONLY, 0) == -EINVAL);
    CHECK(bg_file_stat(NULL, &s) == -EINVAL && bg_file_stat(in(""), NULL) == -EINVAL);
    CHECK(bg_file_rename(in("x"), NULL) == -EINVAL && bg_file_rename(NULL, in("x")) == -EINVAL);
    CHECK(bg_file_rename(in("x"), in("y")) == -ENOENT);
    CHECK(bg_file_read_whole(in("none"), &data, NULL, 0) == -ENOENT);
    CHECK(bg_file_read_whole(in(""), &data, NULL, 0) == -EISDIR);
    CHECK(bg_file_read_whole(in("none"), NULL, NULL, 0) == -EINVAL);
    CHECK(data == NULL);
    CHECK(bg_file_write_whole(in("none/x"), "1", 1) == -ENOENT);
    CHECK(bg_file_write_whole(in("x"), NULL, 1) == -EINVAL);
    CHECK(bg_file_write_whole(NULL, "1", 1) == -EINVAL);
    /* The new file cannot take the name, and is gone again. */
    CHECK(bg_file_mkdir(in("taken"), 0700) == 0);
    CHECK(bg_file_write_whole(in("taken"), "1", 1) == -EISDIR);
    CHECK(bg_file_rmdir(in("taken")) == 0);
    CHECK(bg_file_sync(-1) == -EBADF);
    return 0;
}

static void run_in_folder(bg_fn fn)
{
    folder_make();
    int before = open_descriptors();
    size_t live = bgi_alloc_live();
    EACH_WORKER_COUNT(w)
    {
        RUN(fn, NULL, .workers = w);
        cr_assert_eq(entries(), 0);
    }
    RUN(fn, NULL, .seed = 3);
    cr_assert_eq(fn(NULL), 0); /* on a plain thread */
    NO_CHECK_FAILED();
    cr_assert_eq(entries(), 0);
    cr_assert_eq(open_descriptors(), before);
    cr_assert_eq(bgi_alloc_live() - live,
                 given); /* which the test has freed, and not the library */
    given = 0;
    folder_remove();
}

Test(file, what_calls_do)
{
    run_in_folder(main_calls);
}

Test(file, what_fails)
{
    run_in_folder(main_refused);
}

static int open_pipe(void *arg)
{
    (void)arg;
    return bg_file_open(in("pipe"), O_RDONLY, 0);
}

static int read_pipe(void *arg)
{
    char *data;
    (void)arg;
    return bg_file_read_whole(in("pipe"), &data, NULL, 0);
}

static int stat_folder(void *arg)
{
    struct stat s;
    (void)arg;
    return bg_file_stat(folder, &s);
}

static bgi_word abandoned(void)
{
    bg_stats s = {.size = sizeof s};
    CHECK(bg_runtime_stats(NULL, &s) == 0);
    return s.blocking_abandoned;
}

/* The only thread of the pool opens a pipe that nobody writes to: one call runs, one is queued. */
static int main_given_up(void *arg)
{
    bg_fn fn = arg == NULL ? open_pipe : read_pipe;
    bg_stats s = {.size = sizeof s};
    int r = 0;
    CHECK(mkfifo(in("pipe"), 0600) == 0);
    bg_task *running = bg_spawn(fn, NULL);
    do {
        bg_yield();
        CHECK(bg_runtime_stats(NULL, &s) == 0);
    } while (s.blocking_threads == 0 || s.blocking_queued != 0);
    bg_task *queued = bg_spawn(stat_folder, NULL);
    do {
        bg_yield();
        CHECK(bg_runtime_stats(NULL, &s) == 0);
    } while (s.blocking_queued == 0);
    CHECK(bg_cancel(queued) == 0 && bg_await(queued) == -ECANCELED);
    CHECK(bg_cancel(running) == 0 && bg_await(running) == -ECANCELED);
    CHECK(abandoned() == 1);
    bg_timeout (BG_MS) {
        r = stat_folder(NULL);
    }
    CHECK(r == -ETIMEDOUT);
    /* Now it is opened, by nobody. */
    int fd = open(in("pipe"), O_WRONLY | O_CLOEXEC);
    CHECK(fd >= 0 && (arg == NULL || write(fd, "data", 4) == 4));
    CHECK(close(fd) == 0);
    while (abandoned() != 0) {
        bg_yield();
    }
    CHECK(unlink(in("pipe")) == 0);
    return 0;
}

Test(file, a_call_that_is_given_up_leaves_nothing)
{
    folder_make();
    int before = open_descriptors();
    size_t live = bgi_alloc_live();
    for (intptr_t i = 0; i < 2; i++) {
        RUN(main_given_up, INT_ARG(i), .workers = 2, .blocking_threads = 1);
        cr_assert_eq(open_descriptors(), before);
        cr_assert_eq(bgi_alloc_live(), live);
    }
    folder_remove();
}

/* On a plain thread every allocation is the calls' own. */
Test(file, without_memory)
{
    folder_make();
    size_t live = bgi_alloc_live(), calls = 0;
    int refused = 0;
    for (size_t nth = 1; nth <= calls + 1; nth++) {
        char *data = NULL;
        bg_walk *w = NULL;
        bg_walk_entry e;
        int r;
        bgi_fault_arm(BGI_FAULT_MALLOC, nth);
        while ((r = bg_file_write_whole(in("f"), "abc", 3)) == -ENOMEM) {
            refused++;
        }
        CHECK(r == 0);
        while ((r = bg_file_read_whole(in("f"), &data, NULL, 0)) == -ENOMEM) {
            refused++;
        }
        CHECK(r == 0 && strcmp(data, "abc") == 0);
        while ((r = bg_file_rename(in("f"), in("g"))) == -ENOMEM) {
            refused++;
        }
        CHECK(r == 0);
        while ((r = bg_walk_open(&w, folder)) == -ENOMEM) {
            refused++;
        }
        CHECK(r == 0);
        while ((r = bg_walk_next(w, &e)) == -ENOMEM) {
            refused++;
        }
        CHECK(r == 1 && strcmp(e.name, "g") == 0 && strcmp(e.path, in("g")) == 0);
        CHECK(bg_walk_next(w, &e) == 0);
        bgi_fault_disarm();
        calls = nth == 1 ? bgi_fault_count() : calls;
        bg_walk_close(w);
        free(data);
        CHECK(entries() == 1);
    }
    NO_CHECK_FAILED();
    cr_assert_geq(refused, 8);
    /* What was read was freed by the test, behind the library's back. */
    cr_assert_eq(bgi_alloc_live() - live, calls + 1);
    folder_remove();
}

/* ---- walks ---- */

static void touch(const char *path)
{
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    CHECK(fd >= 0 && close(fd) == 0);
}

/* Counts what a walk gives. */
struct seen {
    int files, directories, links, others, errors, deepest, loops;
};

static struct seen walk(bg_walk *w)
{
    struct seen s = {0};
    bg_walk_entry e;
    int r;
    while ((r = bg_walk_next(w, &e)) == 1) {
        CHECK(strncmp(e.path, folder, strlen(folder)) == 0);
        CHECK(strcmp(strrchr(e.path, '/') + 1, e.name) == 0);
        int slashes = 0;
        for (const char *p = e.path + strlen(folder); *p != '\0'; p++) {
            slashes += *p == '/';
        }
        CHECK(slashes == e.depth);
        s.deepest = e.depth > s.deepest ? e.depth : s.deepest;
        if (e.error != 0) {
            CHECK(e.type == BG_WALK_DIRECTORY);
            s.errors++;
            s.loops += e.error == -ELOOP;
            continue;
        }
        s.files += e.type == BG_WALK_FILE;
        s.directories += e.type == BG_WALK_DIRECTORY;
        s.links += e.type == BG_WALK_LINK;
        s.others += e.type == BG_WALK_OTHER;
    }
    CHECK(r == 0 && bg_walk_next(w, &e) == 0);
    bg_walk_close(w);
    return s;
}

static void tree(void)
{
    CHECK(mkdir(in("a"), 0700) == 0 && mkdir(in("a/b"), 0700) == 0);
    touch(in("1"));
    touch(in("a/2"));
    touch(in("a/b/3"));
    CHECK(symlink("..", in("a/b/up")) == 0);
    CHECK(symlink("nowhere", in("a/dangling")) == 0);
    CHECK(mkfifo(in("pipe"), 0600) == 0);
}

static int main_walks(void *arg)
{
    bg_walk *w = NULL;
    (void)arg;
    CHECK(bg_walk_open(&w, folder) == 0);
    struct seen s = walk(w);
    CHECK(s.files == 3 && s.directories == 2 && s.links == 2 && s.others == 1 && s.errors == 0);
    CHECK(s.deepest == 3);
    CHECK(bg_walk_open(&w, folder, .max_depth = 2) == 0);
    s = walk(w);
    CHECK(s.files == 2 && s.directories == 2 && s.deepest == 2);
    CHECK(bg_walk_open(&w, folder, .types = BG_WALK_FILE | BG_WALK_OTHER) == 0);
    s = walk(w);
    CHECK(s.files == 3 && s.others == 1 && s.directories == 0 && s.links == 0);
    /* a/b/up is a directory then, and has been entered already. */
    CHECK(bg_walk_open(&w, folder, .follow = 1) == 0);
    s = walk(w);
    CHECK(s.files == 3 && s.directories == 3 && s.links == 1 && s.errors == 1 && s.loops == 1);
    CHECK(bg_walk_open(&w, in("none")) == -ENOENT && bg_walk_open(&w, in("1")) == -ENOTDIR);
    CHECK(bg_walk_open(&w, "") == -ENOENT && bg_walk_open(&w, NULL) == -EINVAL);
    CHECK(bg_walk_open(NULL, folder) == -EINVAL);
    CHECK(bg_walk_open(&w, folder, .max_depth = -1) == -EINVAL);
    bg_walk_close(NULL);
    return 0;
}

static int main_walk_steps(void *arg)
{
    bg_walk *w;
    bg_walk_entry e;
    int files = 0, again = 0, r;
    (void)arg;
    /* Left out. */
    CHECK(bg_walk_open(&w, folder) == 0);
    while ((r = bg_walk_next(w, &e)) == 1) {
        files += e.type == BG_WALK_FILE;
        if (e.type == BG_WALK_DIRECTORY) {
            CHECK(strcmp(e.name, "a") == 0);
            bg_walk_skip(w);
        }
    }
    CHECK(r == 0 && files == 1);
    bg_walk_close(w);
    /* Gone, or in the way of a deadline, when it is to be entered. */
    CHECK(bg_walk_open(&w, folder) == 0);
    while (bg_walk_next(w, &e) == 1) {
        if (e.type == BG_WALK_DIRECTORY && again == 0) {
            bg_timeout (0) {
                again = bg_walk_next(w, &e);
            }
            CHECK(again == -ETIMEDOUT);
            CHECK(rename(in("a"), in("z")) == 0);
            CHECK(bg_walk_next(w, &e) == 1 && e.error == -ENOENT && strcmp(e.name, "a") == 0);
            CHECK(e.type == BG_WALK_DIRECTORY && e.depth == 1);
            CHECK(rename(in("z"), in("a")) == 0);
        }
    }
    CHECK(again == -ETIMEDOUT);
    bg_walk_close(w);
    /* Closed in the middle. */
    CHECK(bg_walk_open(&w, folder) == 0 && bg_walk_next(w, &e) == 1);
    bg_walk_close(w);
    return 0;
}

Test(walk, what_is_there)
{
    folder_make();
    tree();
    int before = open_descriptors();
    size_t live = bgi_alloc_live();
    EACH_WORKER_COUNT(w)
    {
        RUN(main_walks, NULL, .workers = w);
        RUN(main_walk_steps, NULL, .workers = w);
    }
    RUN(main_walks, NULL, .seed = 3);
    cr_assert_eq(main_walks(NULL), 0); /* on a plain thread */
    NO_CHECK_FAILED();
    cr_assert_eq(open_descriptors(), before);
    cr_assert_eq(bgi_alloc_live(), live);
    folder_remove();
}

/*
 * The tree of UTS, and the driver that all programs share.
 *
 * A node's state is 20 bytes: the SHA-1 of 16 zero bytes and the root's seed, or of the parent's
 * state and the child's number, both big-endian. Its last four bytes without the sign are the
 * random number that says how many children it has. T1 is geometric: four children on average, to
 * a depth of 10. T3 is binomial: the root has 2,000, each other node 8 with a probability of
 * 0.124875, else none. Smaller depths of T1 and smaller roots of T3 serve tests.
 *
 * Memory is the process's peak less what it had before main, so the runtime's own is counted.
 * (getrusage would not do: its peak outlives exec.)
 */
#include "driver.h"

#include <math.h>

/* ---- SHA-1 of at most 55 bytes (FIPS 180-4) ------------------------------------------------ */

static inline uint32_t fj_rotate(uint32_t x, int by)
{
    return x << by | x >> (32 - by);
}

static inline uint32_t fj_load(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline void fj_store(unsigned char *p, uint32_t x)
{
    p[0] = (unsigned char)(x >> 24);
    p[1] = (unsigned char)(x >> 16);
    p[2] = (unsigned char)(x >> 8);
    p[3] = (unsigned char)x;
}

/* One step; f and k are those of its twenty. The words are rotated by name, not by moves. */
#define FJ_STEP(a, b, c, d, e, f, k, i)                                                            \
    do {                                                                                           \
        if ((i) >= 16)                                                                             \
            w[(i) & 15] = fj_rotate(                                                               \
                w[((i) + 13) & 15] ^ w[((i) + 8) & 15] ^ w[((i) + 2) & 15] ^ w[(i) & 15], 1);      \
        (e) += fj_rotate((a), 5) + (f) + UINT32_C(k) + w[(i) & 15];                                \
        (b) = fj_rotate((b), 30);                                                                  \
    } while (0)

#define FJ_CHOOSE(b, c, d) ((d) ^ ((b) & ((c) ^ (d))))
#define FJ_PARITY(b, c, d) ((b) ^ (c) ^ (d))
#define FJ_MAJORITY(b, c, d) (((b) & (c)) | ((d) & ((b) | (c))))

#define FJ_FIVE(f, k, i)                                                                           \
    do {                                                                                           \
        FJ_STEP(a, b, c, d, e, f(b, c, d), k, i);                                                  \
        FJ_STEP(e, a, b, c, d, f(a, b, c), k, (i) + 1);                                            \
        FJ_STEP(d, e, a, b, c, f(e, a, b), k, (i) + 2);                                            \
        FJ_STEP(c, d, e, a, b, f(d, e, a), k, (i) + 3);                                            \
        FJ_STEP(b, c, d, e, a, f(c, d, e), k, (i) + 4);                                            \
    } while (0)

#define FJ_TWENTY(f, k, i)                                                                         \
    do {                                                                                           \
        FJ_FIVE(f, k, i);                                                                          \
        FJ_FIVE(f, k, (i) + 5);                                                                    \
        FJ_FIVE(f, k, (i) + 10);                                                                   \
        FJ_FIVE(f, k, (i) + 15);                                                                   \
    } while (0)

/* The first `words` of w are the message; the rest is filled in here. */
static void fj_sha1(uint32_t w[16], int words, unsigned char out[20])
{
    uint32_t a = 0x67452301, b = 0xefcdab89, c = 0x98badcfe, d = 0x10325476, e = 0xc3d2e1f0;
    w[words] = UINT32_C(1) << 31;
    for (int i = words + 1; i < 15; i++)
        w[i] = 0;
    w[15] = (uint32_t)words * 32;
    FJ_TWENTY(FJ_CHOOSE, 0x5a827999, 0);
    FJ_TWENTY(FJ_PARITY, 0x6ed9eba1, 20);
    FJ_TWENTY(FJ_MAJORITY, 0x8f1bbcdc, 40);
    FJ_TWENTY(FJ_PARITY, 0xca62c1d6, 60);
    fj_store(out, 0x67452301 + a);
    fj_store(out + 4, 0xefcdab89 + b);
    fj_store(out + 8, 0x98badcfe + c);
    fj_store(out + 12, 0x10325476 + d);
    fj_store(out + 16, 0xc3d2e1f0 + e);
}

/* ---- the tree ------------------------------------------------------------------------------ */

/* Written before the tree is searched. */
static struct {
    int is_binomial;
    int depth;       /* geometric */
    double log_rest; /* geometric: log of 1 - p, where p = 1 / (1 + 4) */
    int root;        /* binomial: children of the root */
} fj_tree;

static void fj_root(fj_node *root, int is_binomial, int size)
{
    uint32_t w[16] = {0};
    fj_tree.is_binomial = is_binomial;
    fj_tree.depth = fj_tree.root = size;
    fj_tree.log_rest = log(1 - 1 / (1.0 + 4));
    w[4] = is_binomial ? 42 : 19; /* the seed */
    fj_sha1(w, 5, root->state);
    root->height = 0;
}

void fj_child(const fj_node *parent, int number, fj_node *child)
{
    uint32_t w[16];
    for (int i = 0; i < 5; i++)
        w[i] = fj_load(parent->state + (size_t)i * 4);
    w[5] = (uint32_t)number;
    fj_sha1(w, 6, child->state);
    child->height = parent->height + 1;
}

int fj_children(const fj_node *node)
{
    double u = (double)(fj_load(node->state + 16) & 0x7fffffff) / 2147483648.0;
    if (fj_tree.is_binomial)
        return node->height == 0 ? fj_tree.root : u < 0.124875 ? 8 : 0;
    if (node->height >= fj_tree.depth)
        return 0;
    int n = (int)floor(log(1 - u) / fj_tree.log_rest);
    return n < 100 ? n : 100;
}

/* ---- the driver ---------------------------------------------------------------------------- */

static double fj_before; /* resident before main */

__attribute__((constructor)) static void fj_note_memory(void)
{
    fj_before = bm_rss();
}

/* The most that has been resident, in bytes; 0 where /proc is not there. */
static double fj_peak(void)
{
    FILE *f = fopen("/proc/self/status", "r");
    char line[256];
    double kib = 0;
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "VmHWM: %lf", &kib) == 1)
            break;
    if (f)
        fclose(f);
    return kib * 1024;
}

static void fj_report_memory(const fj_job *job)
{
    double peak = job->program->is_serial ? 0 : fj_peak();
    if (peak > 0)
        bm_metric("memory_mb", (peak - fj_before) / 1e6, "MB");
}

static int fj_run_fib(fj_job *job)
{
    long n = fj_count(job, 37), before = 0, want = 1;
    if (n < 1 || n > 80)
        return bm_fail("count is to be 1 to 80");
    for (long i = 1; i < n; i++) {
        long next = before + want;
        before = want;
        want = next;
    }
    job->program->fib(n > 8 ? (int)n - 8 : 1);
    fj_start(job);
    long got = job->program->fib((int)n);
    fj_stop(job);
    if (got != want)
        return fj_wrong((double)got, (double)want);
    if (n > 1) /* a fork is each call with an argument of 2 or more */
        bm_metric("fork_ns", (double)job->took / (double)(before + want - 1), "ns");
    return BM_OK;
}

static int fj_run_spawn(fj_job *job)
{
    long n = fj_count(job, 1000000);
    if (n < 1)
        return bm_fail("count is to be at least 1");
    job->program->spawn(n / 16 + 1);
    fj_start(job);
    long got = job->program->spawn(n);
    fj_stop(job);
    if (got != n)
        return fj_wrong((double)got, (double)n);
    bm_metric("each_ns", (double)job->took / (double)n, "ns");
    return BM_OK;
}

static int fj_run_queens(fj_job *job)
{
    static const long solutions[] = {1,  1,   0,   0,    2,     10,    4,     40,
                                     92, 352, 724, 2680, 14200, 73712, 365596};
    long n = fj_count(job, 13);
    if (n < 1 || n >= (long)(sizeof solutions / sizeof *solutions))
        return bm_fail("count is to be 1 to 14");
    job->program->queens(n > 3 ? (int)n - 3 : 1);
    fj_start(job);
    long got = job->program->queens((int)n);
    fj_stop(job);
    if (got != solutions[n])
        return fj_wrong((double)got, (double)solutions[n]);
    return fj_all_ms(job);
}

/* T1 by its depth, T3 by how many children the root has: first the published ones, then parts of
 * them, as the serial program counts them. */
static const struct {
    int is_binomial, size;
    long nodes;
} fj_trees[] = {
    {0, 10, 4130071},   {0, 8, 257042},    {0, 5, 3987},
    {1, 2000, 4112897}, {1, 150, 2388439}, {1, 20, 6213},
};

static int fj_run_uts(fj_job *job, int is_binomial)
{
    long size = fj_count(job, is_binomial ? 2000 : 10), want = 0;
    for (size_t i = 0; i < sizeof fj_trees / sizeof *fj_trees; i++)
        if (fj_trees[i].is_binomial == is_binomial && fj_trees[i].size == size)
            want = fj_trees[i].nodes;
    if (!want)
        return bm_fail(is_binomial ? "count is to be 2000, 150 or 20"
                                   : "count is to be 10, 8 or 5");
    fj_node root;
    fj_root(&root, is_binomial, is_binomial ? 20 : 5);
    job->program->uts(&root);
    fj_root(&root, is_binomial, (int)size);
    fj_start(job);
    long got = job->program->uts(&root);
    fj_stop(job);
    if (got != want)
        return fj_wrong((double)got, (double)want);
    fj_report_memory(job);
    return fj_all_ms(job);
}

static int fj_run_t1(fj_job *job)
{
    return fj_run_uts(job, 0);
}

static int fj_run_t3(fj_job *job)
{
    return fj_run_uts(job, 1);
}

/* How many intervals there are; the area is added to *sum. */
static long fj_intervals(double a, double b, double at_a, double at_b, double area, double *sum)
{
    fj_halves h = fj_halve(a, b, at_a, at_b, area);
    if (!h.is_fine)
        return 1 + fj_intervals(a, h.middle, at_a, h.value, h.left, sum) +
               fj_intervals(h.middle, b, h.value, at_b, h.right, sum);
    *sum += h.left + h.right;
    return 1;
}

static int fj_run_integrate(fj_job *job)
{
    long n = fj_count(job, 2000);
    if (n < 1 || n > 1000000)
        return bm_fail("count is to be 1 to 1000000");
    double end = (double)n, exact = (end * end / 2 + 1) * end * end / 2, want = 0;
    long intervals = fj_intervals(0, end, fj_value(0), fj_value(end), 0, &want);
    if (!(fabs(want - exact) <= exact * 1e-6))
        return fj_wrong(want, exact);
    job->program->integrate(end / 8);
    fj_start(job);
    double got = job->program->integrate(end);
    fj_stop(job);
    if (!(fabs(got - want) <= want * 1e-11)) /* the order of the additions differs */
        return fj_wrong(got, want);
    bm_metric("each_ns", (double)job->took / (double)intervals, "ns");
    return BM_OK;
}

int fj_from_outside(int argc, char **argv)
{
    return argc > 1 && !strcmp(argv[1], "loop_thread");
}

/* A new algorithm: a row here, a member of fj_program, the rows of table.c. */
int fj_run(int argc, char **argv, const fj_program *program)
{
    fj_job job = {argc, argv, program, fj_workers(argc, argv), 0};
    const struct {
        const char *name;
        int (*run)(fj_job *);
        int is_there;
    } workloads[] = {
        {"fib", fj_run_fib, program->fib != NULL},
        {"spawn", fj_run_spawn, program->spawn != NULL},
        {"queens", fj_run_queens, program->queens != NULL},
        {"uts_t1", fj_run_t1, program->uts != NULL},
        {"uts_t3", fj_run_t3, program->uts != NULL},
        {"integrate", fj_run_integrate, program->integrate != NULL},
        {"reduce", fj_run_reduce, program->reduce != NULL},
        {"loop_task", fj_run_loop_task, program->loop != NULL},
        {"loop_thread", fj_run_loop_thread, program->loop_outside != NULL},
        {"grain1", fj_run_grain1, program->loop != NULL},
        {"uneven", fj_run_uneven, program->uneven != NULL},
        {"scan", fj_run_scan, program->scan != NULL},
        {"sort", fj_run_sort, program->sort != NULL},
        {"sort_strings", fj_run_sort_strings, program->sort_strings != NULL},
    };
    for (size_t i = 0; argc > 1 && i < sizeof workloads / sizeof *workloads; i++)
        if (!strcmp(workloads[i].name, argv[1]) && workloads[i].is_there) {
            int status = workloads[i].run(&job);
            fflush(stdout);
            return status;
        }
    return bm_cannot("no such workload");
}

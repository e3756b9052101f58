/*
 * The raw loop on io_uring: one thread; all entries of a round go to the kernel in the call that
 * waits for the next completions.
 *
 * mode=0: when data have come, sending them back and receiving the next, into the
 *         other of two buffers, are queued together; only a send that fails has a completion.
 * mode=1: a receive that stays, with buffers provided in a ring, and sends; the faster one here, by
 *         some hundredths, and so what is measured.
 */
#define _GNU_SOURCE
#include "serve.h"

#include <liburing.h>
#include <sys/mman.h>

enum { ENTRIES = 4096, BUFFER = 512, MOST = 65536, PROVIDED = 4096, GROUP = 1 };

enum { ACCEPTED, RECEIVED, SENT };

static struct io_uring ring;
static struct {
    char data[2][BUFFER];
    unsigned turn;
} *of; /* by descriptor */
static struct io_uring_buf_ring *provided;
static char *buffers;

static struct io_uring_sqe *entry(unsigned what, int fd, unsigned extra)
{
    struct io_uring_sqe *e = io_uring_get_sqe(&ring);
    while (!e) {
        (void)io_uring_submit(&ring);
        e = io_uring_get_sqe(&ring);
    }
    e->user_data = (uint64_t)extra << 40 | (uint64_t)what << 32 | (uint32_t)fd;
    return e;
}

/* prep clears the entry's data: set it again. */
static void ready(struct io_uring_sqe *e, unsigned what, int fd, unsigned extra)
{
    e->user_data = (uint64_t)extra << 40 | (uint64_t)what << 32 | (uint32_t)fd;
}

static void receive(int fd, int mode)
{
    struct io_uring_sqe *e = entry(RECEIVED, fd, 0);
    if (mode == 1) {
        io_uring_prep_recv_multishot(e, fd, NULL, 0, 0);
        e->flags |= IOSQE_BUFFER_SELECT;
        e->buf_group = GROUP;
    } else {
        io_uring_prep_recv(e, fd, of[fd].data[of[fd].turn], BUFFER, 0);
    }
    e->ioprio |= IORING_RECVSEND_POLL_FIRST;
    ready(e, RECEIVED, fd, 0);
}

static void send_back(int fd, const char *data, size_t n, int quiet, unsigned buffer)
{
    struct io_uring_sqe *e = entry(SENT, fd, buffer);
    io_uring_prep_send(e, fd, data, n, MSG_NOSIGNAL | MSG_WAITALL);
    if (quiet)
        e->flags |= IOSQE_CQE_SKIP_SUCCESS;
    ready(e, SENT, fd, buffer);
}

static void accept_more(int listener)
{
    struct io_uring_sqe *e = entry(ACCEPTED, listener, 0);
    io_uring_prep_multishot_accept(e, listener, NULL, NULL, SOCK_CLOEXEC);
    ready(e, ACCEPTED, listener, 0);
}

/* Buffer i goes (back) into the ring of buffers. */
static void provide(unsigned i)
{
    io_uring_buf_ring_add(provided, buffers + (size_t)i * BUFFER, BUFFER, (unsigned short)i,
                          io_uring_buf_ring_mask(PROVIDED), 0);
    io_uring_buf_ring_advance(provided, 1);
}

static int provide_all(void)
{
    provided = mmap(NULL, PROVIDED * sizeof(struct io_uring_buf), PROT_READ | PROT_WRITE,
                    MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);
    buffers = bm_touched(PROVIDED, BUFFER);
    if (provided == MAP_FAILED)
        return -1;
    struct io_uring_buf_reg reg = {
        .ring_addr = (uint64_t)(uintptr_t)provided, .ring_entries = PROVIDED, .bgid = GROUP};
    if (io_uring_register_buf_ring(&ring, &reg, 0))
        return -1;
    io_uring_buf_ring_init(provided);
    for (unsigned i = 0; i < PROVIDED; i++)
        provide(i);
    return 0;
}

static void received(int fd, int n, unsigned flags, int mode)
{
    if (n == -ENOBUFS) { /* all are being sent: they come back */
        receive(fd, mode);
        return;
    }
    if (n <= 0) {
        close(fd);
        return;
    }
    if (mode == 1) {
        unsigned i = flags >> IORING_CQE_BUFFER_SHIFT;
        send_back(fd, buffers + (size_t)i * BUFFER, (size_t)n, 0, i);
        if (!(flags & IORING_CQE_F_MORE))
            receive(fd, mode);
        return;
    }
    const char *data = of[fd].data[of[fd].turn];
    of[fd].turn ^= 1;
    send_back(fd, data, (size_t)n, 1, 0);
    receive(fd, mode);
}

static void complete(uint64_t data, int result, unsigned flags, int mode)
{
    int fd = (int)(uint32_t)data;
    switch ((unsigned)(data >> 32 & 255)) {
    case ACCEPTED:
        if (result >= 0 && result < MOST) {
            io_no_delay(result);
            receive(result, mode);
        }
        if (!(flags & IORING_CQE_F_MORE))
            accept_more(fd);
        break;
    case RECEIVED:
        received(fd, result, flags, mode);
        break;
    default: /* SENT; what fails here fails the receive as well */
        if (mode == 1)
            provide((unsigned)(data >> 40));
    }
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "version")) {
        printf("io_uring, a loop in C on liburing\n");
        return BM_OK;
    }
    if (argc < 2 || strcmp(argv[1], "echo"))
        return BM_CANNOT;
    int mode = (int)bm_arg(argc, argv, "mode", 1);
    int rc = io_uring_queue_init(ENTRIES, &ring,
                                 IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN);
    if (rc == -EINVAL)
        rc = io_uring_queue_init(ENTRIES, &ring, IORING_SETUP_COOP_TASKRUN);
    if (rc < 0) {
        fprintf(stderr, "io_uring cannot be used here: %s\n", strerror(-rc));
        return BM_CANNOT;
    }
    of = calloc(MOST, sizeof *of);
    if (!of || (mode == 1 && provide_all()))
        return bm_fail("no memory, or no rings of buffers");
    int listener = io_listen();
    if (listener < 0)
        return BM_FAILED;
    accept_more(listener);
    for (;;) {
        struct io_uring_cqe *c;
        unsigned head, n = 0;
        rc = io_uring_submit_and_wait(&ring, 1);
        if (rc < 0 && rc != -EINTR)
            return bm_fail("io_uring_submit_and_wait failed");
        io_uring_for_each_cqe(&ring, head, c)
        {
            complete(c->user_data, c->res, c->flags, mode);
            n++;
        }
        io_uring_cq_advance(&ring, n);
    }
}

/*
 * A hasher (an EVP context and a read buffer) is taken from a free list for the time of one file
 * and put back: there are as many as files are hashed at one moment, not as many as tasks are
 * alive. A buffer on the task's own stack would leave 16 touched pages behind on each of 100,000
 * of them; one a thread would need a thread-local, and those move under a task.
 *
 * The lock is held for three instructions and never across a system call.
 */
#include "hash.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUFFER_SIZE ((size_t)64 * 1024)

struct hasher {
    struct hasher *next;
    EVP_MD_CTX *ctx;
    bool broken;
    unsigned char buffer[BUFFER_SIZE];
};

static const EVP_MD *sha256;
static pthread_mutex_t free_lock = PTHREAD_MUTEX_INITIALIZER;
static struct hasher *free_hashers;

int hash_init(void)
{
    if (sha256 == NULL) {
#if OPENSSL_VERSION_NUMBER >= 0x30000000L
        /* Fetched once: EVP_sha256() would look the algorithm up, under a lock, for every file. */
        sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
#else
        sha256 = EVP_sha256();
#endif
    }
    return sha256 ? 0 : -ENOTSUP;
}

static struct hasher *hasher_take(void)
{
    pthread_mutex_lock(&free_lock);
    struct hasher *h = free_hashers;
    if (h)
        free_hashers = h->next;
    pthread_mutex_unlock(&free_lock);
    if (h)
        return h;

    h = malloc(sizeof *h);
    if (h == NULL)
        return NULL;
    h->ctx = EVP_MD_CTX_new();
    if (h->ctx == NULL) {
        free(h);
        return NULL;
    }
    return h;
}

static void hasher_put(struct hasher *h)
{
    pthread_mutex_lock(&free_lock);
    h->next = free_hashers;
    free_hashers = h;
    pthread_mutex_unlock(&free_lock);
}

struct hasher *hasher_open(void)
{
    struct hasher *h = hasher_take();
    if (h)
        h->broken = EVP_DigestInit_ex(h->ctx, sha256, NULL) != 1;
    return h;
}

void hasher_add(struct hasher *h, const void *data, size_t size)
{
    if (EVP_DigestUpdate(h->ctx, data, size) != 1)
        h->broken = true;
}

int hasher_close(struct hasher *h, unsigned char digest[HASH_SIZE])
{
    unsigned char out[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    int rc = 0;
    if (h->broken || EVP_DigestFinal_ex(h->ctx, out, &size) != 1 || size != HASH_SIZE)
        rc = -EIO;
    for (size_t i = 0; rc == 0 && i < HASH_SIZE; i++)
        digest[i] = out[i];
    hasher_put(h);
    return rc;
}

/* Reads one byte more than is left, so that a file that has grown shows itself. */
static int add_contents(struct hasher *h, int fd, uint64_t left)
{
    for (;;) {
        size_t want = left + 1 < BUFFER_SIZE ? (size_t)left + 1 : BUFFER_SIZE;
        ssize_t got = read(fd, h->buffer, want);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        if (got == 0)
            return left == 0 ? 0 : -ESTALE;
        if ((uint64_t)got > left)
            return -ESTALE;
        hasher_add(h, h->buffer, (size_t)got);
        left -= (uint64_t)got;
    }
}

int hash_file(const char *path, uint64_t size, unsigned char digest[HASH_SIZE])
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return -errno;
    int rc = 0;
    if (fstat(fd, &st) < 0)
        rc = -errno;
    else if (!S_ISREG(st.st_mode))
        rc = -EINVAL;
    if (rc == 0) {
        unsigned char whole[HASH_SIZE];
        struct hasher *h = hasher_open();
        if (h == NULL) {
            rc = -ENOMEM;
        } else {
            rc = add_contents(h, fd, size);
            int end = hasher_close(h, whole);
            rc = rc < 0 ? rc : end;
        }
        for (size_t i = 0; rc == 0 && i < HASH_SIZE; i++)
            digest[i] = whole[i];
    }
    close(fd);
    return rc;
}

void hash_hex(const unsigned char digest[HASH_SIZE], char hex[2 * HASH_SIZE + 1])
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < HASH_SIZE; i++) {
        hex[2 * i] = digits[digest[i] >> 4];
        hex[2 * i + 1] = digits[digest[i] & 15];
    }
    hex[2 * HASH_SIZE] = '\0';
}

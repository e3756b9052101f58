/*
 * SHA-256 of one file by OpenSSL's EVP.
 *
 * hash_file never suspends the task it runs in and may be called from any thread or process at
 * once. The digest is that of exactly the bytes the file had when it was listed: a file that has
 * become shorter or longer since gives -ESTALE, so that one that is being appended to can neither
 * keep a task for ever nor give every mode another digest. It must still be the regular file it
 * was: -ELOOP for a symbolic link, -EINVAL for anything else (a pipe cannot make it hang).
 */
#ifndef CONTRAST_HASH_H
#define CONTRAST_HASH_H

#include <stddef.h>
#include <stdint.h>

#define HASH_SIZE 32

/* Once a process, before threads are started: 0 or -ENOTSUP. */
int hash_init(void);

/* 0, or a negative errno; then the digest is not written. */
int hash_file(const char *path, uint64_t size, unsigned char digest[HASH_SIZE]);

/* A running digest, for the digest of the digests: open, any number of adds, close. */
struct hasher;
struct hasher *hasher_open(void);
void hasher_add(struct hasher *h, const void *data, size_t size);
int hasher_close(struct hasher *h, unsigned char digest[HASH_SIZE]);

void hash_hex(const unsigned char digest[HASH_SIZE], char hex[2 * HASH_SIZE + 1]);

#endif

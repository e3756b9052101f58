/*
 * The list of files and the hash of one file, with everything that can happen to a file between
 * the two.
 */
#include "files.h"
#include "hash.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char top[] = "/tmp/brigade-files-XXXXXX";

static void open_tree(void)
{
    cr_assert_not_null(mkdtemp(top));
    cr_assert_eq(chdir(top), 0);
    cr_assert_eq(hash_init(), 0);
}

static void close_tree(void)
{
    char command[64];
    snprintf(command, sizeof command, "rm -rf %s", top);
    cr_assert_eq(chdir("/"), 0);
    cr_assert_eq(system(command), 0);
}

TestSuite(files, .init = open_tree, .fini = close_tree);

static void put(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    cr_assert_not_null(f);
    fputs(text, f);
    cr_assert_eq(fclose(f), 0);
}

static void add(const char *path, const char *text)
{
    FILE *f = fopen(path, "a");
    cr_assert_not_null(f);
    fputs(text, f);
    cr_assert_eq(fclose(f), 0);
}

static int hash_of(const struct file *f, char hex[65])
{
    unsigned char digest[HASH_SIZE];
    int rc = hash_file(f->path, f->size, digest);
    if (rc == 0)
        hash_hex(digest, hex);
    return rc;
}

/* Published test vectors of SHA-256: the empty message and "abc". */
#define SHA_EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define SHA_ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

Test(files, lists_regular_files_sorted_with_sizes)
{
    struct file_list list;
    put("b", "abc");
    put("a", "");
    cr_assert_eq(mkdir("aa", 0777), 0);
    put("aa/z", "12345");
    cr_assert_eq(symlink("b", "link"), 0);
    cr_assert_eq(symlink("aa", "dirlink"), 0);
    cr_assert_eq(mkfifo("pipe", 0666), 0);

    cr_assert_eq(files_list(&list, ".", NULL), 0);
    cr_assert_eq(list.n, 3);
    cr_expect_str_eq(list.file[0].path, "./a");
    cr_expect_str_eq(list.file[1].path, "./aa/z");
    cr_expect_str_eq(list.file[2].path, "./b");
    cr_expect_eq(list.bytes, 8);
    cr_expect_eq(list.links, 2);
    cr_expect_eq(list.n_skip, 0);
    cr_expect_eq(list.by_size[0], 1);
    cr_expect_eq(list.by_size[1], 2);
    cr_expect_eq(list.by_size[2], 0);
    files_free(&list);
}

Test(files, equal_sizes_keep_the_order_of_paths)
{
    struct file_list list;
    put("c", "x");
    put("a", "y");
    put("b", "z");
    cr_assert_eq(files_list(&list, ".", NULL), 0);
    for (uint32_t i = 0; i < 3; i++)
        cr_expect_eq(list.by_size[i], i);
    files_free(&list);
}

Test(files, a_slash_at_the_end_is_not_doubled)
{
    struct file_list list;
    put("a", "x");
    cr_assert_eq(files_list(&list, "./", NULL), 0);
    cr_expect_str_eq(list.file[0].path, "./a");
    files_free(&list);
}

Test(files, a_deep_tree_needs_few_descriptors)
{
    struct file_list list;
    char path[4096] = ".";
    for (int depth = 0; depth < 300; depth++) {
        strcat(path, "/d");
        cr_assert_eq(mkdir(path, 0777), 0);
    }
    strcat(path, "/f");
    put(path, "abc");
    cr_assert_eq(files_list(&list, ".", NULL), 0);
    cr_assert_eq(list.n, 1);
    cr_expect_str_eq(list.file[0].path, path);
    files_free(&list);
}

Test(files, no_directory_is_an_error)
{
    struct file_list list;
    cr_expect_eq(files_list(&list, "./nowhere", NULL), -ENOENT);
    files_free(&list);
    put("plain", "x");
    cr_expect_eq(files_list(&list, "./plain", NULL), -ENOTDIR);
    files_free(&list);
}

Test(files, listing_stops_when_told)
{
    struct file_list list;
    volatile int stop = 2;
    put("a", "x");
    cr_expect_eq(files_list(&list, ".", &stop), -EINTR);
    files_free(&list);
}

Test(files, known_digests)
{
    struct file_list list;
    char hex[65];
    put("a", "");
    put("b", "abc");
    cr_assert_eq(files_list(&list, ".", NULL), 0);
    cr_expect_eq(hash_of(&list.file[0], hex), 0);
    cr_expect_str_eq(hex, SHA_EMPTY);
    cr_expect_eq(hash_of(&list.file[1], hex), 0);
    cr_expect_str_eq(hex, SHA_ABC);
    cr_expect(!file_changed(&list.file[1]));
    files_free(&list);
}

/* Sizes around the read buffer: the digest must not depend on how reads are cut. */
Test(files, digests_across_buffer_edges)
{
    static const size_t sizes[] = {65535, 65536, 65537, 131072, 200000};
    char *data = malloc(200000);
    cr_assert_not_null(data);
    for (size_t i = 0; i < 200000; i++)
        data[i] = (char)(i * 31 + i / 253);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        unsigned char by_file[HASH_SIZE], at_once[HASH_SIZE];
        FILE *f = fopen("data", "w");
        cr_assert_not_null(f);
        cr_assert_eq(fwrite(data, 1, sizes[i], f), sizes[i]);
        cr_assert_eq(fclose(f), 0);
        struct hasher *h = hasher_open();
        cr_assert_not_null(h);
        hasher_add(h, data, sizes[i]);
        cr_assert_eq(hasher_close(h, at_once), 0);
        cr_assert_eq(hash_file("data", sizes[i], by_file), 0);
        cr_expect_arr_eq(by_file, at_once, HASH_SIZE);
    }
    free(data);
}

Test(files, a_file_that_vanished)
{
    struct file_list list;
    char hex[65];
    put("a", "abc");
    cr_assert_eq(files_list(&list, ".", NULL), 0);
    cr_assert_eq(unlink("a"), 0);
    cr_expect_eq(hash_of(&list.file[0], hex), -ENOENT);
    cr_expect(file_changed(&list.file[0]));
    files_free(&list);
}

Test(files, a_file_that_grew_or_shrank)
{
    struct file_list list;
    char hex[65];
    put("a", "abc");
    put("b", "abcdef");
    put("empty", "");
    cr_assert_eq(files_list(&list, ".", NULL), 0);
    add("a", "d");
    cr_assert_eq(truncate("b", 5), 0);
    add("empty", "x");
    for (size_t i = 0; i < 3; i++) {
        cr_expect_eq(hash_of(&list.file[i], hex), -ESTALE);
        cr_expect(file_changed(&list.file[i]));
    }
    files_free(&list);
}

Test(files, a_file_that_is_another_now)
{
    struct file_list list;
    put("a", "abc");
    put("other", "xyz");
    cr_assert_eq(files_list(&list, "./", NULL), 0);
    cr_assert_eq(rename("other", "a"), 0);
    cr_expect(file_changed(&list.file[0]));
    files_free(&list);
}

Test(files, a_file_that_became_a_link_a_pipe_or_a_directory)
{
    struct file_list list;
    char hex[65];
    put("a", "abc");
    put("b", "abc");
    put("c", "abc");
    put("target", "abc");
    cr_assert_eq(files_list(&list, ".", NULL), 0);
    cr_assert(unlink("a") == 0 && symlink("target", "a") == 0);
    cr_assert(unlink("b") == 0 && mkfifo("b", 0666) == 0);
    cr_assert(unlink("c") == 0 && mkdir("c", 0777) == 0);
    cr_expect_eq(hash_of(&list.file[0], hex), -ELOOP);
    cr_expect_eq(hash_of(&list.file[1], hex), -EINVAL);
    cr_expect_eq(hash_of(&list.file[2], hex), -EINVAL);
    for (size_t i = 0; i < 3; i++)
        cr_expect(file_changed(&list.file[i]));
    files_free(&list);
}

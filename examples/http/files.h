/*
 * Files for a web server: the path of a request to an open file, and its type.
 */
#ifndef EXAMPLES_HTTP_FILES_H
#define EXAMPLES_HTTP_FILES_H

#include "parser.h"

/*
 * Opens the file that the path of a request means, below the directory root_fd. The path is walked
 * through name by name, each opened in the directory before it, and symbolic links are not
 * followed: whatever the path says, and whatever somebody changes meanwhile, it cannot lead out of
 * the directory. Of a directory it is index.html.
 *
 * Gives a descriptor for reading, of a regular file, and its size and type. Or -400: not a path; or
 * -ENOENT, -EACCES, -EMFILE and the like.
 */
int http_open_file(int root_fd, struct http_text path, uint64_t *size, const char **type);

#endif

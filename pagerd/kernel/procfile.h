/*
 * procfile.h - the text files of procfs, sysfs and cgroupfs, and the words and numbers in them.
 *
 * DESIGN  Short files are read whole into the caller's buffer; long ones (status carries all of a
 *         user's groups) are handed over line by line from a small buffer. The scanners take from
 *         the front of a text, move *at past what they took, and leave it alone when they fail.
 * RETURNS 0 or more on success, -errno.
 */
#ifndef PC_KERNEL_PROCFILE_H
#define PC_KERNEL_PROCFILE_H

#include "base/types.h"

#define PROCFILE_LINE 1024u /* NUL included; longer lines arrive cut */

/* The file's text without its last newline, always ended by a NUL. -EFBIG when it does not fit. */
long procfile_read(const char *path, char *buf, size_t size);
/* The same, of an open file, from its beginning. */
long procfile_read_fd(int fd, char *buf, size_t size);

/* A file that holds one decimal number; -EINVAL when it holds anything else. */
int procfile_number(const char *path, uint64_t *out);

/* The whole text in one write(2), as sysfs wants it. */
int procfile_write(const char *path, const char *text);

/* Return false to end. */
typedef bool procfile_fn(const char *line, void *arg);
int procfile_lines(const char *path, procfile_fn *fn, void *arg);
int procfile_lines_fd(int fd, procfile_fn *fn, void *arg); /* from its beginning */

/*
 * The entries of an open directory, from where it stands, whose names are numbers: the threads and
 * descriptors of /proc. Return false to end.
 */
typedef bool number_fn(int number, void *arg);
int procfile_numbers(int dir, number_fn *fn, void *arg);

bool scan_word(const char **at, const char *word); /* exactly these characters */
void scan_blanks(const char **at);
bool scan_dec(const char **at, uint64_t *out); /* false as well when 64 bits do not hold it */
bool scan_hex(const char **at, uint64_t *out); /* without 0x */
bool scan_oct(const char **at, uint64_t *out);

#endif

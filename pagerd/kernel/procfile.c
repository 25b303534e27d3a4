#include "kernel/procfile.h"

#include "base/mem.h"
#include "base/sys.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>

long procfile_read_fd(int fd, char *buf, size_t size)
{
	size_t len = 0;

	for (;;) {
		long n;

		/* One byte must stay for the NUL: a full buffer means that there may be more. */
		if (len + 1 >= size)
			return -EFBIG;
		n = sys_pread(fd, buf + len, size - 1 - len, len);
		if (n < 0)
			return n;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	if (len && buf[len - 1] == '\n')
		len--;
	buf[len] = 0;
	return (long)len;
}

long procfile_read(const char *path, char *buf, size_t size)
{
	long fd = sys_open(path, O_RDONLY | O_CLOEXEC);
	long len;

	if (fd < 0)
		return fd;
	len = procfile_read_fd((int)fd, buf, size);
	sys_close((int)fd);
	return len;
}

int procfile_number(const char *path, uint64_t *out)
{
	char text[32];
	long len = procfile_read(path, text, sizeof(text));

	if (len < 0)
		return (int)len;
	return parse_u64(text, out);
}

int procfile_write(const char *path, const char *text)
{
	const long len = (long)strlen(text);
	long fd = sys_open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	long n;

	if (fd < 0)
		return (int)fd;
	n = sys_write((int)fd, text, (size_t)len);
	sys_close((int)fd);
	if (n < 0)
		return (int)n;
	return n == len ? 0 : -EIO;
}

/* A line being put together from pieces; `len` stops at what fits. */
struct line {
	char text[PROCFILE_LINE];
	size_t len;
};

static void line_add(struct line *l, char c)
{
	if (l->len + 1 < sizeof(l->text))
		l->text[l->len++] = c;
}

static bool line_deliver(struct line *l, procfile_fn *fn, void *arg)
{
	l->text[l->len] = 0;
	l->len = 0;
	return fn(l->text, arg);
}

static bool lines_split(struct line *l, const char *text, size_t n, procfile_fn *fn, void *arg)
{
	for (size_t i = 0; i < n; i++) {
		if (text[i] != '\n')
			line_add(l, text[i]);
		else if (!line_deliver(l, fn, arg))
			return false;
	}
	return true;
}

int procfile_lines_fd(int fd, procfile_fn *fn, void *arg)
{
	char buf[1024];
	struct line line;
	uint64_t off = 0;

	line.len = 0;
	for (;;) {
		long n = sys_pread(fd, buf, sizeof(buf), off);

		if (n < 0)
			return (int)n;
		if (n == 0)
			break;
		if (!lines_split(&line, buf, (size_t)n, fn, arg))
			return 0;
		off += (uint64_t)n;
	}
	if (line.len)
		line_deliver(&line, fn, arg);
	return 0;
}

int procfile_lines(const char *path, procfile_fn *fn, void *arg)
{
	long fd = sys_open(path, O_RDONLY | O_CLOEXEC);
	int err;

	if (fd < 0)
		return (int)fd;
	err = procfile_lines_fd((int)fd, fn, arg);
	sys_close((int)fd);
	return err;
}

struct dirent64_head {
	uint64_t ino;
	int64_t off;
	uint16_t reclen;
	uint8_t type;
	char name[];
};

static bool each_number(const char *buf, long n, number_fn *fn, void *arg)
{
	for (long at = 0; at < n;) {
		const struct dirent64_head *d = (const void *)(buf + at);
		uint64_t number;

		at += d->reclen;
		if (parse_u64(d->name, &number))
			continue; /* . and .. */
		if (!fn((int)number, arg))
			return false;
	}
	return true;
}

int procfile_numbers(int dir, number_fn *fn, void *arg)
{
	char buf[2048] __attribute__((aligned(8)));
	long n;

	do
		n = SYS3(__NR_getdents64, dir, buf, sizeof(buf));
	while (n > 0 && each_number(buf, n, fn, arg));
	return n < 0 ? (int)n : 0;
}

bool scan_word(const char **at, const char *word)
{
	const char *s = *at;

	while (*word)
		if (*s++ != *word++)
			return false;
	*at = s;
	return true;
}

void scan_blanks(const char **at)
{
	while (**at == ' ' || **at == '\t')
		++*at;
}

/* Value of a digit in any base, or 16 for what is none; the kernel writes lower case only. */
static unsigned digit(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned)(c - '0');
	if (c >= 'a' && c <= 'f')
		return (unsigned)(c - 'a') + 10;
	return 16;
}

static bool scan_number(const char **at, unsigned base, uint64_t *out)
{
	const char *s = *at;
	uint64_t v = 0;

	for (; digit(*s) < base; s++)
		if (__builtin_mul_overflow(v, base, &v) || __builtin_add_overflow(v, digit(*s), &v))
			return false;
	if (s == *at)
		return false;
	*at = s;
	*out = v;
	return true;
}

bool scan_dec(const char **at, uint64_t *out)
{
	return scan_number(at, 10, out);
}

bool scan_hex(const char **at, uint64_t *out)
{
	return scan_number(at, 16, out);
}

bool scan_oct(const char **at, uint64_t *out)
{
	return scan_number(at, 8, out);
}

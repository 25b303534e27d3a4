#include "output.h"

#include "tool.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int output_open(struct output *o)
{
	int fd;

	o->to = stdout;
	if (!o->path)
		return STATUS_OK;
	fd = open(o->path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
	o->to = fd < 0 ? NULL : fdopen(fd, "w");
	if (o->to)
		return STATUS_OK;
	if (fd >= 0)
		close(fd);
	return complain(STATUS_NO, "%s: %s", o->path, strerror(errno));
}

/* What is no file, as /dev/stdout may be, has nothing to cut off. */
void output_begin(const struct output *o)
{
	struct stat st;

	if (o->path && fstat(fileno(o->to), &st) == 0 && S_ISREG(st.st_mode) &&
	    ftruncate(fileno(o->to), 0) != 0)
		complain(STATUS_OK, "%s: %s", o->path, strerror(errno));
}

int output_close(const struct output *o, int err)
{
	bool failed;

	if (!o->path)
		return err;
	failed = ferror(o->to);
	failed |= fclose(o->to) != 0;
	if (failed && err == STATUS_OK)
		return complain(STATUS_NO, "%s could not be written: %s", o->path, strerror(errno));
	return err;
}

#include "launch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LIBRARY	     "libpredicomp.so"
#define LIBRARY_NAME "PREDICOMP_LIBRARY"

/* From the folder of the command. */
static const char *const places[] = {
    LIBRARY,
    "../" LIBRARY,
    "../lib/" LIBRARY,
    "../lib/x86_64-linux-gnu/" LIBRARY,
    "../lib64/" LIBRARY,
};

int launch_self(char path[PATH_MAX])
{
	ssize_t len = readlink("/proc/self/exe", path, PATH_MAX - 1);

	if (len < 0)
		return complain(STATUS_NO, "/proc/self/exe: %s", strerror(errno));
	path[len] = '\0';
	return STATUS_OK;
}

/* The loader splits LD_PRELOAD at blanks and colons and knows no quotes. */
static int check_path(const char *library)
{
	if (library[strcspn(library, " :\t\n")] != '\0')
		return complain(STATUS_NO,
				"%s cannot be preloaded: there is a blank or colon in its path",
				library);
	return STATUS_OK;
}

static int find_named(const char *name, char library[PATH_MAX])
{
	if (!realpath(name, library))
		return complain(STATUS_NO, LIBRARY_NAME "=%s: %s", name, strerror(errno));
	return check_path(library);
}

int launch_find(char library[PATH_MAX])
{
	const char *named = getenv(LIBRARY_NAME);
	char self[PATH_MAX];
	char candidate[PATH_MAX + 32];

	if (named && *named)
		return find_named(named, library);
	if (launch_self(self) != STATUS_OK)
		return STATUS_NO;
	*strrchr(self, '/') = '\0';
	for (size_t i = 0; i < PC_ARRAY_LEN(places); i++) {
		snprintf(candidate, sizeof(candidate), "%s/%s", self, places[i]);
		if (realpath(candidate, library))
			return check_path(library);
	}
	return complain(STATUS_NO, LIBRARY " is not beside %s/predicomp; " LIBRARY_NAME " names it",
			self);
}

int launch_preload(const char *library)
{
	const char *others = getenv("LD_PRELOAD");
	char *list = NULL;
	int err;

	if (!others || !*others)
		err = setenv("LD_PRELOAD", library, 1);
	else if (asprintf(&list, "%s:%s", library, others) < 0)
		err = -1;
	else
		err = setenv("LD_PRELOAD", list, 1);
	free(list);
	unsetenv(LIBRARY_NAME);
	return err ? complain(STATUS_NO, "no memory for the environment") : STATUS_OK;
}

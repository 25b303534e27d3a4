#include "name.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

void process_name(pid_t pid, char *out, size_t size)
{
	char path[64];
	FILE *file;
	bool read = false;

	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	file = fopen(path, "re");
	if (file) {
		read = fgets(out, (int)size, file) != NULL;
		fclose(file);
	}
	if (!read)
		snprintf(out, size, "?");
	out[strcspn(out, "\n")] = '\0';
	printable(out);
}

struct shown_name shown_name(const char *comm)
{
	struct shown_name shown;

	snprintf(shown.s, sizeof(shown.s), "%.15s", comm);
	printable(shown.s);
	return shown;
}

void printable(char *s)
{
	for (; *s != '\0'; s++)
		if (*s < ' ' || *s > '~')
			*s = '?';
}

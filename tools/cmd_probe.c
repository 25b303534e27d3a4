/* hold-memory - the program that `check` runs under the library; see cmd_check.c. Not for people.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tool.h"

#define HELD_BYTES (8u << 20)

int cmd_probe(int argc, char **argv)
{
	char *memory = malloc(HELD_BYTES);
	char end;

	(void)argc;
	(void)argv;
	if (!memory)
		return complain(STATUS_NO, "no memory");
	memset(memory, 1, HELD_BYTES);
	while (read(STDIN_FILENO, &end, 1) > 0)
		;
	free(memory);
	return STATUS_OK;
}

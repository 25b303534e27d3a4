#include "csv.h"

void csv_word(FILE *to, const char *s)
{
	putc('"', to);
	for (; *s != '\0'; s++) {
		if (*s == '"')
			putc('"', to);
		putc(*s, to);
	}
	putc('"', to);
}

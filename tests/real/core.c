/*
 * Memory of every kind, for core.sh to be packed, dumped and mended. It says where each lies and
 * how long it is, and ends by SIGABRT at the next line of input.
 *
 *   text     packs well, each page another
 *   words    pages of one word repeated
 *   noise    does not pack: stays with the program
 *
 * The word at index i of each is what core.sh's reader computes.
 */
#include "host.h"

#define LEN (8 * MIB)

static void fill_words(uint32_t *at)
{
	for (size_t i = 0; i < LEN / 4; i++)
		at[i] = (uint32_t)(i / 1024 * 2654435761u);
}

static void fill_noise(uint64_t *at)
{
	uint64_t x = 88172645463325252u;

	for (size_t i = 0; i < LEN / 8; i++)
		at[i] = host_random(&x);
}

int main(void)
{
	char *text = host_map(LEN), *words = host_map(LEN), *noise = host_map(LEN);
	char c;

	host_fill(text, LEN, 3);
	fill_words((uint32_t *)words);
	fill_noise((uint64_t *)noise);
	printf("text %lx %lx words %lx %lx noise %lx %lx\n", (long)text, LEN, (long)words, LEN,
	       (long)noise, LEN);
	fflush(stdout);
	HOST_CHECK(read(0, &c, 1) == 1);
	abort();
}

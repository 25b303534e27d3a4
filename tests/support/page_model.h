/*
 * page_model.h - what a page must hold, known without keeping a copy of it.
 *
 * WHY   A test that knows every byte of much memory must not keep its knowledge in memory that can
 *       be lost in the same way. A page's bytes follow from a seed; the seeds lie in memory that is
 *       shared with children, which is never packed.
 * DESIGN  The first word of a written page is its seed, so that a wrong page tells which write it
 *         comes from. Some seeds make pages that do not shrink, some make pages of one word, some
 *         nearly empty ones.
 */
#ifndef PC_TEST_PAGE_MODEL_H
#define PC_TEST_PAGE_MODEL_H

#include <stdbool.h>
#include <stdint.h>

enum page_content {
	CONTENT_GONE, /* not mapped, or not by us any more */
	CONTENT_ZERO,
	CONTENT_SEED,
	CONTENT_EITHER, /* discarded lazily: as it was until it is found empty once */
};

struct page_model {
	uint64_t seed; /* of CONTENT_SEED and CONTENT_EITHER; not 0 */
	uint8_t content;
	uint8_t prot; /* PROT_ bits */
	uint8_t fate; /* for children: FATE_ bits */
	bool of_file; /* a private mapping of a file: a discard brings the file's bytes back */
};

#define FATE_WIPED  1u /* MADV_WIPEONFORK */
#define FATE_ABSENT 2u /* MADV_DONTFORK */

void page_fill(void *at, uint64_t seed);
bool page_is(const void *at, uint64_t seed);
bool page_is_zero(const void *at);

/* Compares; an EITHER page that is found empty is ZERO from then on. */
bool page_agrees(const void *at, struct page_model *p);

#endif

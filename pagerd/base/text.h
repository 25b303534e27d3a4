/*
 * text.h - numbers to text and back, in the caller's buffers. No locale, no allocation, no stdio.
 */
#ifndef PC_BASE_TEXT_H
#define PC_BASE_TEXT_H

#include "base/types.h"

/* A line under construction. Overflow truncates and is remembered; always ended by a NUL. */
struct text {
	char *buf;
	size_t size; /* of buf, NUL included */
	size_t len;
	bool truncated;
};

struct text text_begin(char *buf, size_t size);
void text_str(struct text *t, const char *s);
void text_char(struct text *t, char c);
void text_u64(struct text *t, uint64_t v);
void text_i64(struct text *t, int64_t v);
void text_hex(struct text *t, uint64_t v); /* with 0x */
/* Text we did not write: all but printable ASCII as '?'; after `max` bytes "..." and no more. */
void text_shown(struct text *t, const char *s, size_t max);

/*
 * Parsers: 0 on success, -EINVAL when not understood, -ERANGE on overflow; the result is untouched
 * on failure. All of `s` must match, units in any case. Decimals are exact and rounded down; they
 * need a unit to be a part of.
 */
int parse_u64(const char *s, uint64_t *out);
int parse_time(const char *s, uint64_t *ns);	/* 500ms 5s 2m 1h 10us 100ns, decimals, bare 0 */
int parse_size(const char *s, uint64_t *bytes); /* 4096 64K 1.5G 2T, optional iB or B */
int parse_percent(const char *s, uint64_t *percent); /* 25% or 25 */

bool text_equal(const char *a, const char *b);
/* True if `word` is one of the comma separated words of `list`; blanks around words ignored. The
 * empty word is in no list. */
bool text_list_has(const char *list, const char *word);

#endif

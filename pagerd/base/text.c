#include "base/text.h"

#include "base/mem.h"

#include <linux/errno.h>

struct text text_begin(char *buf, size_t size)
{
	if (size)
		buf[0] = 0;
	return (struct text){.buf = buf, .size = size};
}

void text_char(struct text *t, char c)
{
	if (t->len + 1 >= t->size) {
		t->truncated = true;
		return;
	}
	t->buf[t->len++] = c;
	t->buf[t->len] = 0;
}

void text_str(struct text *t, const char *s)
{
	while (*s)
		text_char(t, *s++);
}

static void number(struct text *t, uint64_t v, unsigned base)
{
	char digits[20]; /* of UINT64_MAX in base 10 */
	size_t n = 0;

	do
		digits[n++] = "0123456789abcdef"[v % base];
	while (v /= base);
	while (n)
		text_char(t, digits[--n]);
}

void text_u64(struct text *t, uint64_t v)
{
	number(t, v, 10);
}

void text_i64(struct text *t, int64_t v)
{
	if (v < 0)
		text_char(t, '-');
	number(t, v < 0 ? 0 - (uint64_t)v : (uint64_t)v, 10);
}

void text_hex(struct text *t, uint64_t v)
{
	text_str(t, "0x");
	number(t, v, 16);
}

void text_shown(struct text *t, const char *s, size_t max)
{
	for (; *s && max; s++, max--)
		text_char(t, *s >= ' ' && *s <= '~' ? *s : '?');
	if (*s)
		text_str(t, "...");
}

struct unit {
	const char *suffix; /* lower case */
	uint64_t factor;
};

static const struct unit units_none[] = {{"", 1}, {0}};
static const struct unit units_percent[] = {{"", 1}, {"%", 1}, {0}};
static const struct unit units_time[] = {
    {"ns", 1},		{"us", 1000},	      {"ms", PC_MS}, {"s", PC_SEC},
    {"m", 60 * PC_SEC}, {"h", 3600 * PC_SEC}, {0},
};
static const struct unit units_size[] = {
    {"", 1},
    {"b", 1},
    {"k", 1ull << 10},
    {"kb", 1ull << 10},
    {"kib", 1ull << 10},
    {"m", 1ull << 20},
    {"mb", 1ull << 20},
    {"mib", 1ull << 20},
    {"g", 1ull << 30},
    {"gb", 1ull << 30},
    {"gib", 1ull << 30},
    {"t", 1ull << 40},
    {"tb", 1ull << 40},
    {"tib", 1ull << 40},
    {0},
};

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool equal_any_case(const char *s, const char *lower_case)
{
	while (*s && lower(*s) == *lower_case)
		s++, lower_case++;
	return !*s && !*lower_case;
}

static const struct unit *unit_find(const struct unit *units, const char *suffix)
{
	for (; units->suffix; units++)
		if (equal_any_case(suffix, units->suffix))
			return units;
	return NULL;
}

static const char *skip_digits(const char *s)
{
	while (*s >= '0' && *s <= '9')
		s++;
	return s;
}

/* The digits of [start, end) as a number. */
static int whole_part(const char *start, const char *end, uint64_t *out)
{
	uint64_t v = 0;

	for (; start < end; start++)
		if (__builtin_mul_overflow(v, 10u, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(*start - '0'), &v))
			return -ERANGE;
	*out = v;
	return 0;
}

/*
 * The digits of [start, end), which follow a decimal point, of `factor`. From the last digit on,
 * because then rounding down at each step is the same as rounding down once, whatever their number.
 */
static uint64_t decimal_part(const char *start, const char *end, uint64_t factor)
{
	uint64_t v = 0;

	while (end > start)
		v = ((uint64_t)(*--end - '0') * factor + v) / 10;
	return v;
}

static int parse_scaled(const char *s, const struct unit *units, uint64_t *out)
{
	const char *point = skip_digits(s);
	const char *decimals = *point == '.' ? point + 1 : point;
	const char *end = skip_digits(decimals);
	const struct unit *unit = unit_find(units, end);
	uint64_t v;
	int err;

	if (point == s || !unit)
		return -EINVAL;
	if (decimals > point && (end == decimals || unit->factor == 1))
		return -EINVAL;
	err = whole_part(s, point, &v);
	if (err)
		return err;
	if (__builtin_mul_overflow(v, unit->factor, &v) ||
	    __builtin_add_overflow(v, decimal_part(decimals, end, unit->factor), &v))
		return -ERANGE;
	*out = v;
	return 0;
}

int parse_u64(const char *s, uint64_t *out)
{
	return parse_scaled(s, units_none, out);
}

int parse_time(const char *s, uint64_t *ns)
{
	/* Nothing is the same in every unit. */
	return parse_scaled(text_equal(s, "0") ? "0ns" : s, units_time, ns);
}

int parse_size(const char *s, uint64_t *bytes)
{
	return parse_scaled(s, units_size, bytes);
}

int parse_percent(const char *s, uint64_t *percent)
{
	return parse_scaled(s, units_percent, percent);
}

bool text_equal(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

static bool blank(char c)
{
	return c == ' ' || c == '\t';
}

bool text_list_has(const char *list, const char *word)
{
	size_t n = strlen(word);

	while (*list) {
		const char *start, *end;

		while (blank(*list))
			list++;
		start = list;
		while (*list && *list != ',')
			list++;
		end = list;
		while (end > start && blank(end[-1]))
			end--;
		if (n && (size_t)(end - start) == n && !memcmp(start, word, n))
			return true;
		if (*list)
			list++;
	}
	return false;
}

#include "base/options.h"

#include "base/atomic.h"
#include "base/check.h"
#include "base/mem.h"
#include "base/text.h"

#include <linux/errno.h>

#define ENV_PREFIX    "PREDICOMP_"
#define NAME_BYTES    96u /* more than any option's name, and than an error line shows */
#define SHOWN_BYTES   80u
#define NEAR_DISTANCE 2u

struct pc_options options;

enum type {
	TYPE_BOOL,
	TYPE_TIME,
	TYPE_SIZE,
	TYPE_CAP,
	TYPE_PERCENT,
	TYPE_COUNT,
	TYPE_CHOICE,
	TYPE_LIST,
	TYPE_PATH,
};

struct spec {
	const char *name;
	enum type type;
	size_t offset; /* in struct pc_options */
	const char *initial;
	uint64_t min, max;
	const char *accepts;
};

static const struct spec specs[PC_OPT_COUNT] = {
#define PC_OPTION(id, NAME, type, initial, min, max, accepts, help)                                \
	{#NAME, TYPE_##type, offsetof(struct pc_options, id), initial, min, max, accepts},
#include "predicomp/options.def"
#undef PC_OPTION
};

#define PC_OPTION(id, NAME, ...) _Static_assert(sizeof(#NAME) <= NAME_BYTES, #NAME " is too long");
#include "predicomp/options.def"
#undef PC_OPTION

/* What may change while the process runs. All else shapes what is made once, at the start. */
static const bool settable[PC_OPT_COUNT] = {
    [PC_OPT_cold_age] = true,	  [PC_OPT_soft_cap] = true, [PC_OPT_min_savings] = true,
    [PC_OPT_fault_around] = true, [PC_OPT_max_cpu] = true,  [PC_OPT_verify] = true,
    [PC_OPT_log] = true,	  [PC_OPT_repack] = true,
};

static int parse_bool(const char *text, uint64_t *word)
{
	*word = text_equal(text, "on");
	return *word || text_equal(text, "off") ? 0 : -EINVAL;
}

static int parse_cap(const char *text, uint64_t *word)
{
	int err = parse_size(text, word);

	if (!err && *word >= PC_CAP_SHARE)
		return -ERANGE;
	if (err != -EINVAL)
		return err;
	err = parse_percent(text, word);
	if (err)
		return err;
	if (*word > 100)
		return -ERANGE;
	*word |= PC_CAP_SHARE;
	return 0;
}

static bool fits_bounds(const struct spec *s, uint64_t word)
{
	return word >= s->min && word <= s->max;
}

static bool fits_cap(const struct spec *s, uint64_t word)
{
	uint64_t percent = word & ~PC_CAP_SHARE;

	if (word & PC_CAP_SHARE)
		return percent >= 1 && percent <= 100;
	return fits_bounds(s, word);
}

struct rules {
	int (*parse)(const char *text, uint64_t *word);	   /* NULL: the words of `accepts` */
	bool (*fits)(const struct spec *s, uint64_t word); /* NULL: stored as text */
	const char *zero; /* the word that is stored as 0, which no number may mean then */
};

static const struct rules rules[] = {
    [TYPE_BOOL] = {parse_bool, fits_bounds, NULL},
    [TYPE_TIME] = {parse_time, fits_bounds, NULL},
    [TYPE_SIZE] = {parse_size, fits_bounds, NULL},
    [TYPE_CAP] = {parse_cap, fits_cap, "none"},
    [TYPE_PERCENT] = {parse_percent, fits_bounds, NULL},
    [TYPE_COUNT] = {parse_u64, fits_bounds, "auto"},
    [TYPE_CHOICE] = {NULL, fits_bounds, NULL},
    [TYPE_LIST] = {NULL, NULL, NULL},
    [TYPE_PATH] = {NULL, NULL, NULL},
};

static bool is_text(const struct spec *s)
{
	return !rules[s->type].fits;
}

static uint64_t *word_of(struct pc_options *o, const struct spec *s)
{
	return (uint64_t *)(void *)((char *)o + s->offset);
}

/* If `s` begins with `start`, what follows it; else NULL. */
static const char *after(const char *s, const char *start)
{
	size_t n = strlen(start);

	for (size_t i = 0; i < n; i++)
		if (s[i] != start[i])
			return NULL;
	return s + n;
}

/* The index of `text` among `words`, which are separated by bars. */
static int choose(const char *words, const char *text, uint64_t *index)
{
	for (*index = 0;; ++*index) {
		const char *rest = text;

		for (; *words && *words != '|' && *words == *rest; words++)
			rest++;
		if (!*rest && (!*words || *words == '|'))
			return 0;
		while (*words && *words != '|')
			words++;
		if (!*words++)
			return -EINVAL;
	}
}

static int parse_word(const struct spec *s, const char *text, uint64_t *word)
{
	const struct rules *r = &rules[s->type];
	int err;

	if (r->zero && text_equal(text, r->zero)) {
		*word = 0;
		return 0;
	}
	err = r->parse ? r->parse(text, word) : choose(s->accepts, text, word);
	if (err)
		return err;
	return r->fits(s, *word) ? 0 : -ERANGE;
}

static int store_text(struct pc_options *o, const struct spec *s, const char *text)
{
	size_t bytes = strlen(text) + 1;

	if (bytes > PC_OPTION_TEXT)
		return -E2BIG;
	memcpy((char *)o + s->offset, text, bytes);
	return 0;
}

/* On failure `o` is as before. */
static int parse_into(struct pc_options *o, const struct spec *s, const char *text)
{
	uint64_t word;
	int err;

	if (is_text(s))
		return store_text(o, s, text);
	err = parse_word(s, text, &word);
	if (!err)
		*word_of(o, s) = word;
	return err;
}

void options_defaults(struct pc_options *o)
{
	memset(o, 0, sizeof(*o));
	for (unsigned i = 0; i < PC_OPT_COUNT; i++) {
		int err = parse_into(o, &specs[i], specs[i].initial);

		PC_ASSERT(!err);
	}
}

/* Levenshtein's distance, with one row of the matrix: row[i] is that to the first i bytes of b. */
static size_t distance(const char *a, const char *b)
{
	size_t row[NAME_BYTES];
	size_t n = strlen(b);

	for (size_t i = 0; i <= n; i++)
		row[i] = i;
	for (; *a; a++) {
		size_t diagonal = row[0]++;

		for (size_t i = 1; i <= n; i++) {
			size_t replace = diagonal + (*a != b[i - 1]);
			size_t skip = PC_MIN(row[i], row[i - 1]) + 1;

			diagonal = row[i];
			row[i] = PC_MIN(replace, skip);
		}
	}
	return row[n];
}

/* The option that `name` was probably meant to be, or NULL. A short name is not near to much. */
static const struct spec *nearest(const char *name)
{
	const struct spec *best = NULL;
	size_t best_distance = NEAR_DISTANCE + 1;

	for (unsigned i = 0; i < PC_OPT_COUNT; i++) {
		size_t d = distance(name, specs[i].name);

		if (d < best_distance && 2 * d < strlen(specs[i].name)) {
			best = &specs[i];
			best_distance = d;
		}
	}
	return best;
}

static void explain_unknown(struct option_error *error, const char *name)
{
	struct text t = text_begin(error->text, sizeof(error->text));
	const struct spec *meant = nearest(name);

	text_str(&t, ENV_PREFIX);
	text_shown(&t, name, SHOWN_BYTES);
	text_str(&t, " is not an option; the options are ");
	for (unsigned i = 0; i < PC_OPT_COUNT; i++) {
		text_str(&t, i ? ", " : "");
		text_str(&t, specs[i].name);
	}
	if (!meant)
		return;
	text_str(&t, "; perhaps ");
	text_str(&t, meant->name);
	text_str(&t, " is meant");
}

static void explain_value(struct option_error *error, const struct spec *s, const char *value,
			  int err)
{
	struct text t = text_begin(error->text, sizeof(error->text));

	text_str(&t, ENV_PREFIX);
	text_str(&t, s->name);
	text_char(&t, '=');
	text_shown(&t, value, SHOWN_BYTES);
	if (err == -E2BIG) {
		text_str(&t, " is too long: at most ");
		text_u64(&t, PC_OPTION_TEXT - 1);
		text_str(&t, " bytes");
		return;
	}
	text_str(&t, err == -ERANGE ? " is out of range: " : " is not understood: ");
	text_str(&t, s->accepts);
}

static const struct spec *spec_find(const char *name)
{
	for (unsigned i = 0; i < PC_OPT_COUNT; i++)
		if (text_equal(specs[i].name, name))
			return &specs[i];
	return NULL;
}

int options_parse_one(struct pc_options *o, const char *name, const char *value,
		      struct option_error *error)
{
	const struct spec *s = spec_find(name);
	int err;

	if (!s) {
		explain_unknown(error, name);
		return -EINVAL;
	}
	err = parse_into(o, s, value);
	if (!err)
		return 0;
	explain_value(error, s, value, err);
	return -EINVAL;
}

/* "NAME=value" as the prefix left it. A name that is cut to fit is no option's in any case. */
static int parse_assignment(struct pc_options *o, const char *entry, struct option_error *error)
{
	char name[NAME_BYTES];
	struct text t = text_begin(name, sizeof(name));

	for (; *entry && *entry != '='; entry++)
		text_char(&t, *entry);
	return options_parse_one(o, name, *entry ? entry + 1 : "", error);
}

int options_parse_env(struct pc_options *o, char *const *envp, struct option_error *error)
{
	for (; *envp; envp++) {
		const char *entry = after(*envp, ENV_PREFIX);
		int err = entry ? parse_assignment(o, entry, error) : 0;

		if (err)
			return err;
	}
	return 0;
}

int options_set(struct pc_options *o, uint64_t number, uint64_t value)
{
	const struct spec *s;

	if (number >= PC_OPT_COUNT)
		return -ENOENT;
	if (!settable[number])
		return -EPERM;
	s = &specs[number];
	if (!(rules[s->type].zero && !value) && !rules[s->type].fits(s, value))
		return -ERANGE;
	store_relaxed(word_of(o, s), value);
	return 0;
}

uint64_t options_word(const struct pc_options *o, enum pc_option_id id)
{
	const struct spec *s = &specs[id];

	if (is_text(s))
		return 0;
	return load_relaxed((const uint64_t *)(const void *)((const char *)o + s->offset));
}

const char *options_name(enum pc_option_id id)
{
	return specs[id].name;
}

uint64_t options_resolve_cap(const struct pc_options *o, uint64_t memory_limit)
{
	uint64_t cap = load_relaxed(&o->soft_cap);
	uint64_t percent = cap & ~PC_CAP_SHARE;

	if (!(cap & PC_CAP_SHARE))
		return cap;
	/* In two parts, since the limit may be anything up to "none", which is 2^64 - 1. */
	return memory_limit / 100 * percent + memory_limit % 100 * percent / 100;
}

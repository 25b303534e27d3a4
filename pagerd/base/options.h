/*
 * options.h - options.def as a struct, parsed once.
 *
 * DESIGN  options_defaults() parses the defaults of the table with the same code that parses the
 *       user's text, so a default that the parser refuses cannot exist. options_parse_env() walks
 *       the environment once: every PREDICOMP_<NAME> must be known and understood. Texts are
 *       copied, for the environment is the program's to change.
 * THREADS start-up only, but for options_set(), which the work thread alone calls. Readers see
 *       word-sized fields.
 */
#ifndef PC_BASE_OPTIONS_H
#define PC_BASE_OPTIONS_H

#include "base/types.h"

#define PC_OPTION_TEXT 256u
#define PC_CAP_SHARE   (1ull << 63) /* soft_cap: low byte is a percentage of the memory limit */

enum pc_option_id {
#define PC_OPTION(id, ...) PC_OPT_##id,
#include "predicomp/options.def"
#undef PC_OPTION
	PC_OPT_COUNT
};

enum pc_hotness { HOTNESS_AUTO, HOTNESS_DAMON, HOTNESS_PROBE };
enum pc_evict { EVICT_AUTO, EVICT_MOVE, EVICT_MADVISE };
enum pc_verify { VERIFY_SAMPLE, VERIFY_ALWAYS, VERIFY_OFF };

/* One 64-bit word or one text for each option, by type. */
#define PC_FIELD_BOOL	 uint64_t
#define PC_FIELD_TIME	 uint64_t
#define PC_FIELD_SIZE	 uint64_t
#define PC_FIELD_CAP	 uint64_t
#define PC_FIELD_PERCENT uint64_t
#define PC_FIELD_COUNT	 uint64_t
#define PC_FIELD_CHOICE	 uint64_t
struct pc_option_text {
	char s[PC_OPTION_TEXT];
};
#define PC_FIELD_LIST struct pc_option_text
#define PC_FIELD_PATH struct pc_option_text

struct pc_options {
#define PC_OPTION(id, NAME, type, ...) PC_FIELD_##type id;
#include "predicomp/options.def"
#undef PC_OPTION
};

extern struct pc_options options;

/* The line for the user when something was wrong: names variable, value, and what is accepted. */
struct option_error {
	char text[512];
};

void options_defaults(struct pc_options *o);

/* 0, or -EINVAL with `error` filled: the first entry of `envp` that is wrong. */
int options_parse_env(struct pc_options *o, char *const *envp, struct option_error *error);

/* One option by its NAME (COLD_AGE) and text; same results. */
int options_parse_one(struct pc_options *o, const char *name, const char *value,
		      struct option_error *error);

/*
 * Run-time change of a word-sized option, by its number in options.def, which may be anything: 0,
 * -ENOENT, -ERANGE, or -EPERM when fixed at start.
 */
int options_set(struct pc_options *o, uint64_t number, uint64_t value);

/* Stored form as a word; 0 for texts. */
uint64_t options_word(const struct pc_options *o, enum pc_option_id id);
const char *options_name(enum pc_option_id id); /* COLD_AGE */

/* soft_cap in bytes once the memory limit is known; 0 for none. */
uint64_t options_resolve_cap(const struct pc_options *o, uint64_t memory_limit);

#endif

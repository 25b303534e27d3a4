/*
 * Options and numbers from bytes that somebody else chose. The first byte, from 'a' on, chooses an
 * option whose value the rest is; any other first byte says that the rest is "NAME=value". The
 * value also goes through every parser of text.h.
 *
 * Checked: what is accepted lies in what may be set at run time, what is refused changes nothing
 * and is explained in one printable line, and two ways of asking give the same answer.
 */
#include "base/options.h"
#include "base/text.h"
#include "fuzz.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define INPUT_MAX   600 /* beyond every limit of names, texts and lines */
#define ENTRY_BYTES (INPUT_MAX + 100)
#define PREFIX	    "PREDICOMP_"

static void check_parser(int (*parse)(const char *, uint64_t *), const char *text)
{
	const uint64_t untouched = 0x5a5a5a5a5a5a5a5a;
	uint64_t v = untouched;
	int err = parse(text, &v);

	PROMISE(!err || err == -EINVAL || err == -ERANGE);
	PROMISE(!err || v == untouched);
}

static void check_explanation(const struct option_error *error)
{
	size_t n = strnlen(error->text, sizeof(error->text));

	PROMISE(n > strlen(PREFIX) && n < sizeof(error->text) - 1);
	for (size_t i = 0; i < n; i++)
		PROMISE(error->text[i] >= ' ' && error->text[i] <= '~');
}

static void check_settable(struct pc_options *o)
{
	for (enum pc_option_id id = 0; id < PC_OPT_COUNT; id++) {
		uint64_t word = options_word(o, id);
		int err = options_set(o, id, word);

		PROMISE(err == 0 || err == -EPERM);
		PROMISE(options_word(o, id) == word);
	}
}

static void check_assignment(const char *name, const char *value, char *entry)
{
	struct pc_options one, env;
	struct option_error one_error, env_error;
	char *const envp[] = {entry, NULL};
	int err;

	options_defaults(&one);
	options_defaults(&env);
	err = options_parse_one(&one, name, value, &one_error);
	PROMISE(err == 0 || err == -EINVAL);
	PROMISE(options_parse_env(&env, envp, &env_error) == err);
	PROMISE(!memcmp(&one, &env, sizeof(one)));
	if (err) {
		check_explanation(&one_error);
		PROMISE(!strcmp(one_error.text, env_error.text));
		options_defaults(&env);
		PROMISE(!memcmp(&one, &env, sizeof(one)));
	}
	check_settable(&one);
}

/* What follows a NUL in the bytes is not seen by anybody: that is how texts end. */
static void append(char *entry, const uint8_t *data, size_t size)
{
	size_t n = strlen(entry);

	PROMISE(n + size < ENTRY_BYTES);
	memcpy(entry + n, data, size);
	entry[n + size] = 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char entry[ENTRY_BYTES] = PREFIX, name[ENTRY_BYTES];
	const char *value;
	unsigned id;

	if (!size || size > INPUT_MAX)
		return 0;
	id = (unsigned)data[0] - 'a';
	if (id < PC_OPT_COUNT) {
		strcat(entry, options_name((enum pc_option_id)id));
		strcat(entry, "=");
	}
	append(entry, data + 1, size - 1);
	value = strchr(entry, '=');
	value = value ? value + 1 : "";
	strcpy(name, entry + strlen(PREFIX));
	name[strcspn(name, "=")] = 0;

	check_parser(parse_u64, value);
	check_parser(parse_time, value);
	check_parser(parse_size, value);
	check_parser(parse_percent, value);
	text_list_has(value, name);
	check_assignment(name, value, entry);
	return 0;
}

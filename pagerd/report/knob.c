#include "report/knob.h"

const struct knob knobs[PC_OPT_COUNT] = {
#define PC_OPTION(id, NAME, type, fallback, min, max, accepts, help)                               \
	{#id, #NAME, KNOB_##type, fallback, accepts, help},
#include "predicomp/options.def"
#undef PC_OPTION
};

struct step {
	uint64_t size;
	const char *suffix;
};

/* Largest first; the last takes what no other divides. */
static const struct step time_steps[] = {
    {3600 * PC_SEC, "h"}, {60 * PC_SEC, "m"}, {PC_SEC, "s"}, {PC_MS, "ms"}, {1000, "us"}, {1, "ns"},
};
static const struct step size_steps[] = {
    {1ull << 40, "T"}, {1ull << 30, "G"}, {1ull << 20, "M"}, {1ull << 10, "K"}, {1, ""},
};

bool knob_is_text(const struct knob *k)
{
	return k->type == KNOB_LIST || k->type == KNOB_PATH;
}

const char *knob_unit(const struct knob *k)
{
	switch (k->type) {
	case KNOB_TIME:
		return "ns";
	case KNOB_SIZE:
	case KNOB_CAP:
		return "bytes";
	case KNOB_PERCENT:
		return "%";
	case KNOB_BOOL:
	case KNOB_COUNT:
	case KNOB_CHOICE:
	case KNOB_LIST:
	case KNOB_PATH:
		break;
	}
	return "";
}

const char *knob_value(const struct knob *k)
{
	switch (k->type) {
	case KNOB_BOOL:
	case KNOB_CHOICE:
		return "WORD";
	case KNOB_TIME:
		return "TIME";
	case KNOB_SIZE:
	case KNOB_CAP:
		return "SIZE";
	case KNOB_PERCENT:
		return "PERCENT";
	case KNOB_COUNT:
		return "NUMBER";
	case KNOB_LIST:
		return "NAMES";
	case KNOB_PATH:
		return "FILE";
	}
	return "";
}

/* Nothing is nothing in every unit. */
static void exact(struct text *t, uint64_t value, const struct step *step)
{
	while (value % step->size != 0)
		step++;
	text_u64(t, value / step->size);
	if (value)
		text_str(t, step->suffix);
}

/* Word number `index` of "a|b|c"; the number itself past the last. */
static void choice(struct text *t, const char *words, uint64_t index)
{
	uint64_t at = 0;

	for (const char *c = words; *c != '\0'; c++) {
		if (*c == '|')
			at++;
		else if (at == index)
			text_char(t, *c);
	}
	if (index > at)
		text_u64(t, index);
}

static void cap(struct text *t, uint64_t word)
{
	if (word == 0) {
		text_str(t, "none");
	} else if (word & PC_CAP_SHARE) {
		text_u64(t, word & 0xff);
		text_char(t, '%');
	} else {
		exact(t, word, size_steps);
	}
}

static void count(struct text *t, uint64_t word)
{
	if (word == 0)
		text_str(t, "auto");
	else
		text_u64(t, word);
}

bool knob_text(const struct knob *k, uint64_t word, struct text *t)
{
	switch (k->type) {
	case KNOB_BOOL:
		text_str(t, word ? "on" : "off");
		return true;
	case KNOB_CHOICE:
		choice(t, k->accepts, word);
		return true;
	case KNOB_CAP:
		cap(t, word);
		return (word & PC_CAP_SHARE) != 0;
	case KNOB_TIME:
		exact(t, word, time_steps);
		return false;
	case KNOB_SIZE:
		exact(t, word, size_steps);
		return false;
	case KNOB_PERCENT:
		text_u64(t, word);
		text_char(t, '%');
		return false;
	case KNOB_COUNT:
		count(t, word);
		return false;
	case KNOB_LIST:
	case KNOB_PATH:
		break;
	}
	return false;
}

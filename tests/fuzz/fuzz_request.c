/*
 * What other processes write to the mailbox. The input is a list of requests, ten bytes each: the
 * command, the option, and the value, of which 0xff makes the first two a number that no tool writes.
 * The acts succeed, are refused as when the process cannot be managed, and cannot be done yet, in turn.
 *
 * Checked: a request is carried out once, by the act that it names, and answered, or stays when it
 * cannot be done yet; what no tool asks for changes nothing; an option takes what options.def allows and
 * no more, nor does another option change; what the pager makes of the options is in bounds.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/options.h"
#include "mailbox.h"
#include "state/codec.h"
#include "fuzz.h"

#define RECORD	     10
#define BEYOND	     0xff
#define RECORDS_MAX  64
#define ACT_DONE     12345u
#define MEMORY_LIMIT (3ull << 30)

enum act { ACT_RESTORE, ACT_RESUME, ACT_EVICT, ACT_SET, ACTS };

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

static const struct {
	enum type type;
	uint64_t min, max;
} table[PC_OPT_COUNT] = {
#define PC_OPTION(id, NAME, type, initial, min, max, accepts, help)                                \
	[PC_OPT_##id] = {TYPE_##type, min, max},
#include "predicomp/options.def"
#undef PC_OPTION
};

static struct {
	struct pc_options options;
	unsigned acts[ACTS];
	unsigned turn;
} seen;

static const int results[] = {0, -EPERM, -EAGAIN};

static int result(void)
{
	return results[seen.turn % PC_ARRAY_LEN(results)];
}

static int act(enum act which, uint64_t *done)
{
	seen.acts[which]++;
	*done = ACT_DONE;
	return result();
}

static int act_restore(uint64_t *done)
{
	return act(ACT_RESTORE, done);
}

static int act_resume(uint64_t *done)
{
	return act(ACT_RESUME, done);
}

static int act_evict(uint64_t *done)
{
	return act(ACT_EVICT, done);
}

static int act_set(uint64_t option, uint64_t value)
{
	seen.acts[ACT_SET]++;
	return options_set(&seen.options, option, value);
}

static const struct mailbox_acts acts = {act_restore, act_resume, act_evict, act_set};

/* As options.def says it. */
static bool is_allowed(uint64_t option, uint64_t value)
{
	bool in_bounds = value >= table[option].min && value <= table[option].max;

	switch (table[option].type) {
	case TYPE_CAP:
		if (value & PC_CAP_SHARE)
			return (value ^ PC_CAP_SHARE) - 1 < 100;
		return in_bounds || !value;
	case TYPE_COUNT:
		return in_bounds || !value;
	case TYPE_LIST:
	case TYPE_PATH:
		return false;
	default:
		return in_bounds;
	}
}

static void check_use(const struct pc_options *o)
{
	PROMISE(codec_keep_below((unsigned)o->min_savings) <= PC_PAGE);
	if (o->soft_cap & PC_CAP_SHARE)
		PROMISE(options_resolve_cap(o, MEMORY_LIMIT) <= MEMORY_LIMIT);
}

/* `before` but for the option that was set, if it was. */
static void check_options(const struct pc_options *before, const struct pc_mailbox *asked,
			  int result)
{
	const uint64_t option = asked->arg[0];
	const bool set = asked->command == PC_CMD_SET && !result;

	PROMISE(!set || (option < PC_OPT_COUNT && is_allowed(option, asked->arg[1])));
	for (unsigned i = 0; i < PC_OPT_COUNT; i++) {
		bool changed = set && i == option;
		enum pc_option_id id = (enum pc_option_id)i;
		uint64_t is = options_word(&seen.options, id);

		PROMISE(is == (changed ? asked->arg[1] : options_word(before, id)));
	}
	check_use(&seen.options);
}

static unsigned act_of(uint32_t command)
{
	switch (command) {
	case PC_CMD_RESTORE:
		return ACT_RESTORE;
	case PC_CMD_RESUME:
		return ACT_RESUME;
	case PC_CMD_EVICT:
		return ACT_EVICT;
	case PC_CMD_SET:
		return ACT_SET;
	default:
		return ACTS;
	}
}

static void check_acts(uint32_t command)
{
	for (unsigned i = 0; i < ACTS; i++)
		PROMISE(seen.acts[i] == (i == act_of(command)));
}

static void check_answer(const struct pc_mailbox *m, const struct pc_mailbox *asked)
{
	const unsigned which = act_of(asked->command);

	PROMISE(m->answered == asked->request && m->request == asked->request);
	PROMISE(m->command == PC_CMD_NONE && m->lock == asked->lock);
	if (which == ACTS)
		PROMISE(m->result == (asked->command == PC_CMD_NONE ? 0 : -EINVAL));
	else if (which != ACT_SET)
		PROMISE(m->result == result());
	PROMISE(m->done == (which < ACT_SET ? ACT_DONE : 0));
}

static void ask(struct pc_mailbox *m, const uint8_t record[RECORD])
{
	struct pc_options before = seen.options;
	struct pc_mailbox asked;

	m->command = record[0];
	m->arg[0] = record[1];
	memcpy(&m->arg[1], record + 2, sizeof(m->arg[1]));
	if (record[0] == BEYOND)
		m->command = (uint32_t)m->arg[1];
	if (record[1] == BEYOND)
		m->arg[0] = m->arg[1] >> 8;
	m->request++;
	asked = *m;
	memset(seen.acts, 0, sizeof(seen.acts));
	seen.turn++;
	if (mailbox_serve(m, &acts) == -EAGAIN) {
		PROMISE(result() == -EAGAIN && act_of(asked.command) < ACT_SET);
		PROMISE(!memcmp(m, &asked, sizeof(asked)));
		memset(seen.acts, 0, sizeof(seen.acts));
		seen.turn++;
		PROMISE(mailbox_serve(m, &acts) == 0);
	}
	check_acts(asked.command);
	check_answer(m, &asked);
	check_options(&before, &asked, m->result);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pc_mailbox m = {.request = UINT32_MAX, .answered = UINT32_MAX}, same;

	options_defaults(&seen.options);
	seen.turn = 0;
	for (unsigned i = 0; i < RECORDS_MAX && size >= RECORD;
	     i++, data += RECORD, size -= RECORD) {
		ask(&m, data);
		same = m;
		PROMISE(mailbox_serve(&m, &acts) == 0);
		PROMISE(!memcmp(&same, &m, sizeof(m)));
	}
	return 0;
}

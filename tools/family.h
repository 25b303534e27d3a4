/*
 * family.h - a process and all that it starts, what lies where in each, and what lay there when
 * something happened.
 *
 * WHY     /proc/PID/maps says only what is mapped at the moment of asking, and nothing of a process
 *         that has ended. Who asks after a fault comes too late for a program that lives 20 ms.
 * DESIGN  The kernel tells perf of every fork, every mapping as it is made, and every exec, in the
 *         process and in all that come from it; each comes with its time and is kept in a ring until
 *         it is read, also when the process has ended. Faults of one thread come in their order, those
 *         of two processes in none, so each process has a clock of its own: family_advance() lays on
 *         its address space what was mapped until then. A fork is a moment of the parent's clock:
 *         the child begins with what lay there in the parent.
 *         A process that perf did not tell of, because its ring was full or its events are not
 *         permitted, is met when something is asked of it; then maps is read, and where it has ended
 *         by then that is said (`unread`).
 *         Process numbers are reused. A member's own number is not.
 * BOUND   family_prune() keeps FAMILY_SHOWN: those that live before those that have ended, those with
 *         most events before others. The first always stays. Who left is not met again.
 */
#ifndef PC_TOOLS_FAMILY_H
#define PC_TOOLS_FAMILY_H

#include "layout.h"
#include "perf_rings.h"

#define FAMILY_SHOWN 64u

#define FAMILY_UNREAD "ended before its mappings were read"

struct family_change;
struct family_news;

struct member {
	uint32_t number; /* by birth, from 0 */
	pid_t pid;
	pid_t parent; /* 0: not known */
	char name[16];
	bool unread;	      /* it had ended before anything was known of it */
	bool became;	      /* another program; the watcher's to clear */
	uint64_t events;      /* the watcher's: how much there is to show */
	void *own;	      /* the watcher's */
	struct layout layout; /* as far as family_advance() has come */
	/* below: family.c's own */
	bool laid;     /* the layout has what the process began with */
	bool lives;    /* when it was last asked who is to leave */
	uint32_t from; /* number of the parent; its own: none */
	pc_ns born;
	struct family_change *change; /* of it, by time */
	size_t next, count, room;
};

typedef void family_fn(void *arg, struct member *m);

struct family {
	struct member **member; /* by number; the first is where it all began */
	size_t count;
	uint64_t left; /* processes that were let go */
	bool told;     /* perf tells of them */
	/* below: family.c's own */
	family_fn *became, *leaves;
	void *arg;
	size_t room;
	uint32_t born;
	struct member *last; /* asked for, where nobody has its number since */
	struct perf_rings rings;
	pc_ns heard; /* all that happened before this is known */
	uint64_t lost;
	uint64_t *gone; /* a bit for each process number: it is that of one that left */
	struct family_news *news; /* read and not handed over yet */
	size_t news_count, news_room;
	uint64_t arrived;
};

/*
 * From now on, and of `pid` what is there already, as far as this user may. `became` is called at an
 * exec, when nothing is mapped yet of the new image, or where perf does not tell, all of it; `leaves`
 * before a member is let go. 0 or -ENOMEM.
 */
int family_begin(struct family *f, pid_t pid, family_fn *became, family_fn *leaves, void *arg);
/* Members' `own` are the watcher's to free before. */
void family_end(struct family *f);

/* What is not known of its mappings will not be known: it has ended. */
bool family_unread(const struct family *f, struct member *m);

/* At any time, and often where looks are rare: what perf keeps has limits. */
void family_hear(struct family *f);

/* What was not kept: of processes that have ended, regions may lack names, or have old ones. */
uint64_t family_lost(const struct family *f);

/* Once a look, before anything is asked. */
void family_look(struct family *f);

/* Who had the number `pid` at `time`. NULL: one that was let go, or there is no memory. */
struct member *family_of(struct family *f, pid_t pid, pc_ns time);

/* Who has it, or had it last: the same. */
struct member *family_now(struct family *f, pid_t pid);

/* The member of that number, or NULL. */
struct member *family_numbered(const struct family *f, uint32_t number);

/*
 * To how things were in one process, or in all, at `time` of CLOCK_MONOTONIC. Never goes back.
 */
void family_advance(struct family *f, struct member *m, pc_ns time);
void family_settle(struct family *f, pc_ns time);

/* Once a look, when all that came is taken. */
void family_prune(struct family *f);

#endif

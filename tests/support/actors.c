#include "actors.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

#define STACK_BYTES  (256ul << 10)
#define FREEZE_MAX   400u     /* switches */
#define SWITCHES_MAX 12000000u /* a run that needs more is going in circles */

struct actor {
	const char *name;
	actor_fn *fn;
	void *arg;
	char *stack; /* kept from run to run */
	void *top;   /* stack pointer while it does not run */
	void *fake;  /* the sanitizer's */
	bool ended;
	unsigned weight;
	uint64_t thaws;	 /* not drawn before so many switches */
	ready_fn *ready; /* NULL: runnable */
	const void *ready_arg;
	pc_ns until; /* 0: for ever */
};

/* What a run draws its temper from. */
static const unsigned everies[] = {2, 6, 20, 60, 200};	/* steps between switches, at most */
static const pc_ns ticks[] = {500, 2000, 10000, 40000}; /* time that a turn takes */
static const unsigned weights[] = {1, 4, 4, 16};	/* chances of an actor to be next */

static const unsigned freezes[] = {0, 30, 200, 1000}; /* switches to a freeze */

static struct {
	uint64_t dice;
	pc_ns now, tick;
	uint64_t switches;
	unsigned count;
	struct actor actor[ACTORS_MAX];
	struct actor home; /* who called actors_run() */
	struct actor *running;
	unsigned every, countdown;
	unsigned freeze; /* one switch in so many freezes who switches */
	bool trace, failed;
	char failure[256];
} stage;

/* ---- chance --------------------------------------------------------------------------------- */

static uint64_t roll(void)
{
	uint64_t z = stage.dice += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

uint64_t actors_roll(uint64_t n)
{
	return roll() % n;
}

bool actors_chance(uint64_t one_in)
{
	return one_in && roll() % one_in == 0;
}

/* ---- switching ------------------------------------------------------------------------------ */

/*
 * Parks the caller on its stack, notes where in *from, and goes on where `to` was parked. By hand,
 * since swapcontext() is two system calls and a run switches a hundred thousand times.
 */
void actors_switch(void **from, void *to);
__asm__(".text\n"
	".local actors_switch\n"
	".type actors_switch, @function\n"
	"actors_switch:\n"
	"	pushq %rbp\n"
	"	pushq %rbx\n"
	"	pushq %r12\n"
	"	pushq %r13\n"
	"	pushq %r14\n"
	"	pushq %r15\n"
	"	movq %rsp, (%rdi)\n"
	"	movq %rsi, %rsp\n"
	"	popq %r15\n"
	"	popq %r14\n"
	"	popq %r13\n"
	"	popq %r12\n"
	"	popq %rbx\n"
	"	popq %rbp\n"
	"	ret\n"
	".size actors_switch, .-actors_switch\n");

#ifdef __SANITIZE_ADDRESS__
static const void *home_bottom;
static size_t home_size;

static void leaving(struct actor *from, const struct actor *to)
{
	const bool home = to == &stage.home;

	__sanitizer_start_switch_fiber(&from->fake, home ? home_bottom : to->stack,
				       home ? home_size : STACK_BYTES);
}

/* The first switch away from home tells where home's stack lies. */
static void arrived(struct actor *a)
{
	const void *bottom;
	size_t size;

	__sanitizer_finish_switch_fiber(a->fake, &bottom, &size);
	if (a != &stage.home && !home_bottom) {
		home_bottom = bottom;
		home_size = size;
	}
}

static void clean_stack(struct actor *a)
{
	a->fake = NULL;
	__asan_unpoison_memory_region(a->stack, STACK_BYTES);
}
#else
static void leaving(struct actor *from, const struct actor *to)
{
	(void)from;
	(void)to;
}

static void arrived(struct actor *a)
{
	(void)a;
}

static void clean_stack(struct actor *a)
{
	(void)a;
}
#endif

static void go(struct actor *to)
{
	struct actor *from = stage.running;

	if (to == from)
		return;
	stage.running = to;
	leaving(from, to);
	actors_switch(&from->top, to->top);
	arrived(from);
}

static bool timed_out(const struct actor *a)
{
	return a->until && stage.now >= a->until;
}

static bool runnable(const struct actor *a)
{
	return !a->ended && stage.switches >= a->thaws &&
	       (!a->ready || a->ready(a->ready_arg) || timed_out(a));
}

static struct actor *draw(void)
{
	struct actor *able[ACTORS_MAX];
	uint64_t sum = 0, at;
	unsigned n = 0;

	for (unsigned i = 0; i < stage.count; i++) {
		if (!runnable(&stage.actor[i]))
			continue;
		able[n++] = &stage.actor[i];
		sum += stage.actor[i].weight;
	}
	if (!n)
		return NULL;
	at = roll() % sum;
	for (unsigned i = 0;; i++) {
		if (at < able[i]->weight)
			return able[i];
		at -= able[i]->weight;
	}
}

static bool thaw(void)
{
	bool any = false;

	for (unsigned i = 0; i < stage.count; i++) {
		any |= stage.actor[i].thaws > stage.switches;
		stage.actor[i].thaws = 0;
	}
	return any;
}

/* Everybody sleeps: time jumps. False when nobody's time will come. */
static bool jump(void)
{
	pc_ns first = UINT64_MAX;

	for (unsigned i = 0; i < stage.count; i++)
		if (!stage.actor[i].ended && stage.actor[i].until)
			first = PC_MIN(first, stage.actor[i].until);
	stage.now = PC_MAX(stage.now, first);
	return first != UINT64_MAX;
}

static void note_failure(const char *text)
{
	stage.failed = true;
	snprintf(stage.failure, sizeof(stage.failure), "%s", text);
}

/* Who runs next: home when all have ended or the run has failed. */
static struct actor *next(void)
{
	struct actor *a;
	bool alive = false;

	for (unsigned i = 0; i < stage.count; i++)
		alive |= !stage.actor[i].ended;
	if (stage.failed || !alive)
		return &stage.home;
	if (++stage.switches > SWITCHES_MAX) {
		note_failure("no end in sight: the actors go in circles");
		return &stage.home;
	}
	stage.now += stage.tick;
	a = draw();
	if (!a && thaw())
		a = draw();
	if (!a && jump())
		a = draw();
	if (a)
		return a;
	note_failure("everybody waits for somebody else");
	return &stage.home;
}

static void rearm(void)
{
	stage.countdown = 1 + (unsigned)(roll() % stage.every);
}

/* A thread may lose its CPU anywhere, and for long. */
static void hand_over(void)
{
	rearm();
	if (actors_chance(stage.freeze))
		stage.running->thaws = stage.switches + roll() % FREEZE_MAX;
	go(next());
}

void actor_yield(void)
{
	if (stage.running && stage.running != &stage.home)
		hand_over();
}

void actor_step(void)
{
	if (stage.countdown && --stage.countdown)
		return;
	actor_yield();
}

bool actor_wait(ready_fn *ready, const void *arg, pc_ns until)
{
	struct actor *a = stage.running;

	a->ready = ready;
	a->ready_arg = arg;
	a->until = until;
	hand_over();
	a->ready = NULL;
	a->until = 0;
	return ready(arg);
}

static bool never(const void *arg)
{
	(void)arg;
	return false;
}

void actor_sleep(pc_ns how_long)
{
	actor_wait(never, NULL, stage.now + PC_MAX(how_long, 1u));
}

/* ---- a run ---------------------------------------------------------------------------------- */

static void actor_main(void)
{
	struct actor *a = stage.running;

	arrived(a);
	a->fn(a->arg);
	a->ended = true;
	go(next());
	abort(); /* an ended actor is never drawn */
}

/* A stack as actors_switch() leaves it: six registers, then where to go on, aligned for a call. */
static void set_stack(struct actor *a)
{
	void **top = (void **)(a->stack + STACK_BYTES - 64);

	*top = (void *)actor_main;
	for (int i = 1; i <= 6; i++)
		top[-i] = NULL;
	a->top = top - 6;
}

void actors_begin(uint64_t seed, bool trace)
{
	stage.dice = seed;
	stage.now = PC_SEC;
	stage.switches = 0;
	stage.count = 0;
	stage.running = NULL;
	stage.trace = trace;
	stage.failed = false;
	stage.every = everies[actors_roll(PC_ARRAY_LEN(everies))];
	stage.tick = ticks[actors_roll(PC_ARRAY_LEN(ticks))];
	stage.freeze = freezes[actors_roll(PC_ARRAY_LEN(freezes))];
	stage.countdown = 0;
}

void actors_restless(void)
{
	stage.every = everies[0];
	stage.freeze = 30;
}

unsigned actors_spawn(const char *name, actor_fn *fn, void *arg)
{
	struct actor *a = &stage.actor[stage.count];

	if (!a->stack) {
		a->stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (stage.count == ACTORS_MAX || a->stack == MAP_FAILED)
			abort();
	}
	*a = (struct actor){.name = name, .fn = fn, .arg = arg, .stack = a->stack};
	a->weight = weights[actors_roll(PC_ARRAY_LEN(weights))];
	clean_stack(a);
	set_stack(a);
	return stage.count++;
}

const char *actors_run(void)
{
	stage.running = &stage.home;
	hand_over();
	stage.running = NULL;
	return stage.failed ? stage.failure : NULL;
}

pc_ns actors_now(void)
{
	return stage.now;
}

bool actors_ended(unsigned actor)
{
	return stage.actor[actor].ended;
}

unsigned actor_self(void)
{
	return (unsigned)(stage.running - stage.actor);
}

static void say(const char *format, va_list args)
{
	const bool acting = stage.running && stage.running != &stage.home;

	printf("%10.3f ms  %u %-8s ", (double)stage.now / 1e6, acting ? actor_self() : ACTORS_MAX,
	       acting ? stage.running->name : "-");
	vprintf(format, args);
	putchar('\n');
}

void actor_trace(const char *format, ...)
{
	va_list args;

	if (!stage.trace)
		return;
	va_start(args, format);
	say(format, args);
	va_end(args);
}

void actor_fail(const char *format, ...)
{
	char text[256];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	actor_trace("FAILED: %s", text);
	if (!stage.running || stage.running == &stage.home) {
		fprintf(stderr, "outside any actor: %s\n", text);
		abort();
	}
	note_failure(text);
	go(&stage.home);
	abort(); /* a failed run is never resumed */
}

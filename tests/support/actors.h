/*
 * actors.h - threads without threads: coroutines on one OS thread, interleaved by a seed.
 *
 * WHY   A race that shows once in a million runs must show again when it is looked for. Here chance
 *       is a seed: the same seed takes the same steps.
 * DESIGN  Actors give up the processor only in actor_step() (now and then), actor_yield() (always)
 *       and actor_wait(). Who goes on is drawn; how often is switched, how long a step takes and
 *       how fast each actor is, are drawn once a run. Time is virtual: it moves with each switch,
 *       and jumps when everybody sleeps. When everybody waits for ever the run has failed.
 * THREADS one.
 */
#ifndef PC_TEST_ACTORS_H
#define PC_TEST_ACTORS_H

#include "base/types.h"

#define ACTORS_MAX 12u

typedef void actor_fn(void *arg);
typedef bool ready_fn(const void *arg);

void actors_begin(uint64_t seed, bool trace);
/* This run switches as often as can be, and freezes who it switches away from often. */
void actors_restless(void);
unsigned actors_spawn(const char *name, actor_fn *fn, void *arg);
/* Runs until all have ended: NULL, or what went wrong. */
const char *actors_run(void);

pc_ns actors_now(void);
uint64_t actors_roll(uint64_t n);    /* 0 .. n-1 */
bool actors_chance(uint64_t one_in); /* never for 0 */
bool actors_ended(unsigned actor);

unsigned actor_self(void);
void actor_step(void);
void actor_yield(void);
/* False when `until` came first; 0 waits for ever. */
bool actor_wait(ready_fn *ready, const void *arg, pc_ns until);
void actor_sleep(pc_ns how_long);

/*
 * The run has failed; it ends here. Not _Noreturn: before a call of such a function AddressSanitizer
 * writes to the stack of whoever calls, of which it has a wrong idea on stacks of our own.
 */
void actor_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* One line of a traced run. */
void actor_trace(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif

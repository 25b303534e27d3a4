/*
 * value.h - what clients store: records as an application would keep them, 200 to 400 bytes of
 * JSON. A value is a function of its key's number, so anybody can check it.
 */
#ifndef BENCH_VALUE_H
#define BENCH_VALUE_H

#include "host.h"

#define VALUE_MAX 512

static const char *const value_words[] = {
    "account", "active",  "address", "balance", "basic",   "blue",   "city",	"contact",
    "created", "default", "email",   "enabled", "express", "france", "germany", "green",
    "invoice", "item",	  "large",   "london",	"monthly", "none",   "order",	"paris",
    "pending", "premium", "private", "red",	"shipped", "small",  "visible", "weekly",
};

static inline const char *value_word(uint64_t *state)
{
	return value_words[host_random(state) % (sizeof(value_words) / sizeof(value_words[0]))];
}

/* The value of key `number` in `to`, of VALUE_MAX bytes; its length. */
static inline size_t value_make(char *to, uint64_t number)
{
	uint64_t state = number * 31 + 7;
	unsigned id = (unsigned)number, want = 200 + (unsigned)(host_random(&state) % 190);
	int n = snprintf(
	    to, VALUE_MAX,
	    "{\"id\":%u,\"user\":\"user-%08u\",\"email\":\"%s.%u@example.com\",\"plan\":"
	    "\"%s\",\"balance\":%u.%02u,\"seen\":\"2024-%02u-%02uT%02u:%02u:00Z\",\"tags\":[",
	    id, id, value_word(&state), (unsigned)(host_random(&state) % 100000),
	    value_word(&state), (unsigned)(host_random(&state) % 10000),
	    (unsigned)(host_random(&state) % 100), 1 + (unsigned)(host_random(&state) % 12),
	    1 + (unsigned)(host_random(&state) % 28), (unsigned)(host_random(&state) % 24),
	    (unsigned)(host_random(&state) % 60));

	while (n < (int)want)
		n += snprintf(to + n, VALUE_MAX - (size_t)n, "\"%s\",", value_word(&state));
	return (size_t)n + (size_t)snprintf(to + n, VALUE_MAX - (size_t)n, "null]}");
}

#endif

/*
 * zipf.h - numbers below `n` of which few are asked for often: the number of rank r with a
 * probability in proportion to 1 / r^theta. By inversion of the approximated sum (Gray et al.,
 * "Quickly generating billion-record synthetic databases"), exact for the two most frequent.
 */
#ifndef BENCH_ZIPF_H
#define BENCH_ZIPF_H

#include "host.h"

#include <math.h>

struct zipf {
	uint64_t n, state;
	double theta, zeta, alpha, eta;
};

static inline void zipf_start(struct zipf *z, uint64_t n, double theta, uint64_t seed)
{
	double zeta = 0;

	for (uint64_t i = 1; i <= n; i++)
		zeta += pow((double)i, -theta);
	*z = (struct zipf){.n = n, .state = seed, .theta = theta, .zeta = zeta};
	z->alpha = 1 / (1 - theta);
	z->eta = (1 - pow(2.0 / (double)n, 1 - theta)) / (1 - (1 + pow(0.5, theta)) / zeta);
}

/* The next rank, 0 being the most frequent. */
static inline uint64_t zipf_rank(struct zipf *z)
{
	double u = (double)(host_random(&z->state) >> 11) / 9007199254740992.0, uz = u * z->zeta;
	uint64_t rank;

	if (uz < 1)
		return 0;
	if (uz < 1 + pow(0.5, z->theta))
		return z->n > 1;
	rank = (uint64_t)((double)z->n * pow(z->eta * u - z->eta + 1, z->alpha));
	return rank < z->n ? rank : z->n - 1;
}

/* The same with the frequent ones scattered over all numbers, as keys of a store would be. */
static inline uint64_t zipf_number(struct zipf *z)
{
	uint64_t rank = zipf_rank(z);

	return host_random(&rank) % z->n;
}

#endif

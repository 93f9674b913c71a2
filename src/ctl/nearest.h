/*
 * What somebody who mistyped a word may have meant.
 */
#ifndef KEYSTILE_CTL_NEAREST_H
#define KEYSTILE_CTL_NEAREST_H

#include <stddef.h>

struct nearest {
	const char *word;
	const char *found; /* borrowed from what was offered; NULL: nothing is near */
	size_t distance;
};

struct nearest nearest_to(const char *word);
void nearest_offer(struct nearest *nearest, const char *candidate);

#endif

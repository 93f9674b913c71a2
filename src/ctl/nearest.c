/*
 * The fewest letters to put in, to leave out, to exchange or to swap with their neighbour.
 */
#include "nearest.h"

#include <stdbool.h>
#include <string.h>

#define LETTERS_MAX 32

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Of word's first i letters and candidate's first j, by the rows of fewer letters. */
static size_t step(
	size_t row[][LETTERS_MAX + 1], const char *word, const char *candidate, size_t i, size_t j)
{
	size_t differs = word[i - 1] != candidate[j - 1];
	size_t least = smaller(row[i - 1][j] + 1, row[i][j - 1] + 1);

	least = smaller(least, row[i - 1][j - 1] + differs);
	if (i > 1 && j > 1 && word[i - 1] == candidate[j - 2] && word[i - 2] == candidate[j - 1])
		least = smaller(least, row[i - 2][j - 2] + 1);
	return least;
}

static size_t distance(const char *word, const char *candidate)
{
	size_t row[LETTERS_MAX + 1][LETTERS_MAX + 1];
	size_t len = strlen(word), wanted = strlen(candidate);

	if (len > LETTERS_MAX || wanted > LETTERS_MAX)
		return LETTERS_MAX;
	for (size_t i = 0; i <= len; i++)
		row[i][0] = i;
	for (size_t j = 0; j <= wanted; j++)
		row[0][j] = j;
	for (size_t i = 1; i <= len; i++)
		for (size_t j = 1; j <= wanted; j++)
			row[i][j] = step(row, word, candidate, i, j);
	return row[len][wanted];
}

struct nearest nearest_to(const char *word)
{
	return (struct nearest){.word = word, .distance = LETTERS_MAX};
}

void nearest_offer(struct nearest *nearest, const char *candidate)
{
	size_t far = distance(nearest->word, candidate);
	size_t len = strlen(nearest->word);
	bool begins = len >= 3 && strncmp(nearest->word, candidate, len) == 0;

	/* As many wrong letters as right ones are another word. */
	if (begins ? far >= nearest->distance
		   : far > 2 || 2 * far > len || far >= nearest->distance)
		return;
	nearest->found = candidate;
	nearest->distance = far;
}

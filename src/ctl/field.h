/*
 * Fields of what an agent or a worker says, each of which may be missing or of another kind than
 * expected.
 */
#ifndef KEYSTILE_CTL_FIELD_H
#define KEYSTILE_CTL_FIELD_H

#include <stdbool.h>

#include <jansson.h>

/* "" where it is no text; borrowed. */
const char *text_in(const json_t *object, const char *key);
bool has_text(const json_t *object, const char *key);
/* 0 where it is no integer. */
json_int_t number_in(const json_t *object, const char *key);
/* "s" for any number but 1. */
const char *plural(json_int_t number);

#endif

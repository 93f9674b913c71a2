/*
 * keystile policy and keystile reload: the rules in force, which of them would decide, and reading
 * the configuration anew. See keystile(1).
 */
#ifndef KEYSTILE_CTL_POLICY_H
#define KEYSTILE_CTL_POLICY_H

#include <jansson.h>
#include <stdbool.h>

#include "page.h"

/* What the person wants of `keystile policy`. */
struct policy_wish {
	json_t *request; /* owned */
	bool test;	 /* otherwise show */
	bool as_json;
};

/* From the words behind "policy". False: it has been said what is wrong with them. */
bool policy_parse(int count, char **words, struct policy_wish *out);
void policy_show_print(struct page *page, const json_t *answer);
void policy_test_print(struct page *page, const json_t *answer);

#endif

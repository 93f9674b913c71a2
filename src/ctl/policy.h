/*
 * keystile policy and keystile reload: the rules in force, which of them would decide, and reading
 * the configuration anew. See keystile(1).
 */
#ifndef KEYSTILE_CTL_POLICY_H
#define KEYSTILE_CTL_POLICY_H

#include <jansson.h>

#include "command.h"
#include "page.h"

/* What `keystile policy test` asks; NULL: it has been said what is wrong. */
json_t *policy_test_request(const struct call *call);
void policy_show_print(struct page *page, const json_t *answer);
void policy_test_print(struct page *page, const json_t *answer);

#endif

/*
 * Which of a token's keys a section of keystile.conf(5) offers: servers let a client try few keys,
 * and cards hold some that are no use for a login. A pure function of what is known of the key.
 */
#ifndef AGENT_OFFER_RULE_H
#define AGENT_OFFER_RULE_H

#include <keystile/backend.h>

#define OFFER_LABELS_MAX 160

/* Lists of patterns, ended by NULL; "!" in front of one excludes. NULL: says nothing. */
struct offer_rule {
	char **keys;	/* as listed.h has them */
	char **ids;	/* of what the token calls it, in hexadecimal */
	char **slots;	/* of a PIV card: 9a, 9c, 9d, 9e, 82 to 95, f9; "*" */
	char **usages;	/* of its certificate: key_usage.h */
	char **issuers; /* of its certificate's: of the common name or of the whole name */
};

/* Says anything. */
bool offer_rule_speaks(const struct offer_rule *rule);
/* NULL where the key is offered, or the name of the option that keeps it back: static. */
const char *offer_rule_refusal(
	const struct offer_rule *rule, const struct ks_key *key, const char *comment);
/* A slot, as above; and the labels of its keys, patterns with commas between them. */
bool offer_rule_slot_fits(const char *slot);
void offer_rule_labels(const char *slot, char out[static OFFER_LABELS_MAX]);

bool offer_rule_same(const struct offer_rule *one, const struct offer_rule *other);
/* False: out of memory, and *out is empty. */
bool offer_rule_copy(const struct offer_rule *from, struct offer_rule *out);
void offer_rule_deinit(struct offer_rule *rule);

#endif

/*
 * See listed.h. Patterns mean here what they mean in a rule's "key": a fingerprint, which also
 * stands for the key's certificates, or a pattern of comments; "!" in front excludes.
 */
#include "listed.h"

#include <stdlib.h>
#include <string.h>

#include <keystile/cleanup.h>
#include <keystile/public_key.h>
#include <keystile/text.h>

#include "agent.h"
#include "connection.h"
#include "listener.h"

#define FINGERPRINT "SHA256:"
#define FINGERPRINT_SHOWN 15 /* with its name: enough to tell a person's keys apart */

struct traits {
	const char *comment; /* may be NULL */
	char *own;	     /* fingerprint */
	char *plain;	     /* that of the key that a certificate is for */
};

static bool is_fingerprint(const char *pattern)
{
	return strncmp(pattern, FINGERPRINT, strlen(FINGERPRINT)) == 0;
}

static bool matches(const struct traits *traits, const char *pattern)
{
	if (is_fingerprint(pattern))
		return strcmp(traits->own, pattern) == 0 || strcmp(traits->plain, pattern) == 0;
	return traits->comment != NULL && text_match(traits->comment, pattern);
}

/* A pattern that excludes wins, wherever it stands. */
static bool match_all(char *const *patterns, const struct traits *traits)
{
	bool found = false;

	for (; *patterns != NULL; patterns++) {
		bool excludes = (*patterns)[0] == '!';

		if (!matches(traits, *patterns + excludes))
			continue;
		if (excludes)
			return false;
		found = true;
	}
	return found;
}

bool listed_matches(
	char *const *patterns, struct bytes blob, struct bytes plain_blob, const char *comment)
{
	AUTO(text) own = public_key_fingerprint(blob);
	AUTO(text) plain = public_key_fingerprint(plain_blob);

	return own != NULL && plain != NULL &&
	       match_all(
		       patterns, &(struct traits){.comment = comment, .own = own, .plain = plain});
}

bool listed_here(const struct connection *connection, struct key *key)
{
	char *const *patterns = connection->listener->keys;
	const struct public_key *parsed = patterns == NULL ? NULL : key_public(key);

	if (patterns == NULL)
		return true;
	return parsed != NULL && listed_matches(patterns, buf_bytes(&key->blob),
					 buf_bytes(&parsed->plain), key->comment);
}

static bool neutral(const struct connection *connection)
{
	enum config_comments said = connection->listener->comments;

	if (said != CONFIG_COMMENTS_BY_ORIGIN)
		return said == CONFIG_COMMENTS_NEUTRAL;
	return origin_remote(&connection->origin) &&
	       !connection->agent->config.remote_comments_as_is;
}

char *listed_comment(const struct connection *connection, const struct key *key)
{
	AUTO(text) fingerprint = NULL;

	if (!neutral(connection))
		return strdup(key->comment != NULL ? key->comment : "");
	fingerprint = public_key_fingerprint(buf_bytes(&key->blob));
	if (fingerprint == NULL)
		return NULL;
	return text_format("%s %.*s", key_kind_label(key->kind), FINGERPRINT_SHOWN, fingerprint);
}

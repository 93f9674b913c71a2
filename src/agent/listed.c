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

struct fingerprints {
	char *own;
	char *plain; /* of the key that a certificate is for */
};

static bool is_fingerprint(const char *pattern)
{
	return strncmp(pattern, FINGERPRINT, strlen(FINGERPRINT)) == 0;
}

static bool matches(
	const struct key *key, const struct fingerprints *fingerprints, const char *pattern)
{
	if (is_fingerprint(pattern))
		return strcmp(fingerprints->own, pattern) == 0 ||
		       strcmp(fingerprints->plain, pattern) == 0;
	return key->comment != NULL && text_match(key->comment, pattern);
}

/* A pattern that excludes wins, wherever it stands. */
static bool match_all(
	char *const *patterns, const struct key *key, const struct fingerprints *fingerprints)
{
	bool found = false;

	for (; *patterns != NULL; patterns++) {
		bool excludes = (*patterns)[0] == '!';

		if (!matches(key, fingerprints, *patterns + excludes))
			continue;
		if (excludes)
			return false;
		found = true;
	}
	return found;
}

bool listed_here(const struct connection *connection, struct key *key)
{
	char *const *patterns = connection->listener->keys;
	const struct public_key *parsed = patterns == NULL ? NULL : key_public(key);
	AUTO(text) own = NULL;
	AUTO(text) plain = NULL;

	if (patterns == NULL)
		return true;
	own = parsed == NULL ? NULL : public_key_fingerprint(buf_bytes(&key->blob));
	plain = parsed == NULL ? NULL : public_key_fingerprint(buf_bytes(&parsed->plain));
	return own != NULL && plain != NULL &&
	       match_all(patterns, key, &(struct fingerprints){.own = own, .plain = plain});
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

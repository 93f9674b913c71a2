/*
 * Lists of keys, cut to what clients take.
 */
#include "key_list.h"

#include <keystile/cleanup.h>
#include <keystile/log.h>

#include "agent.h"
#include "connection.h"
#include "key_rules.h"
#include "listed.h"
#include "lock.h"
#include "message.h"

/* Clients refuse longer lists (CONFORMANCE: framing). */
#define LIST_KEYS_MAX 2048
#define LIST_HEAD 5 /* bytes before the first key */

/* What a list has so far. */
struct extent {
	uint32_t count;
	size_t len;
	unsigned left_out;
};

/* False for a key that must be left out. */
static bool extend(struct extent *extent, const struct key *key, const char *comment)
{
	size_t needed = 8 + key->blob.len + bytes_of(comment).len;

	if (extent->count >= LIST_KEYS_MAX || extent->len + needed > MESSAGE_MAX) {
		extent->left_out++;
		return false;
	}
	extent->count++;
	extent->len += needed;
	return true;
}

/*
 * Servers let a client try few keys, so the person's own come before those that may have been
 * relayed, whoever came first. Security keys come last: some clients give up at the first one that
 * they don't know.
 */
enum rank { OWN, FROM_AFAR, OWN_SECURITY_KEY, SECURITY_KEY_FROM_AFAR, RANKS };

static enum rank rank_of(const struct key *key)
{
	bool from_afar = key_is_from_afar(key);

	if (key_is_security_key(key))
		return from_afar ? SECURITY_KEY_FROM_AFAR : OWN_SECURITY_KEY;
	return from_afar ? FROM_AFAR : OWN;
}

static bool shown(const struct connection *connection, struct key *key)
{
	return key_source(key) != NULL && !key_outdated(key) &&
	       key_listed(key, &connection->binds, origin_remote(&connection->origin)) &&
	       listed_here(connection, key);
}

static void put_keys(const struct connection *connection, enum rank rank, struct buf *reply,
	struct extent *extent)
{
	for (struct key *key = connection->agent->keyring.first; key != NULL; key = key->next) {
		AUTO(text) comment = NULL;

		if (rank_of(key) != rank || !shown(connection, key))
			continue;
		comment = listed_comment(connection, key);
		if (comment == NULL) {
			reply->failed = true;
			return;
		}
		if (!extend(extent, key, comment))
			continue;
		buf_put_string(reply, buf_bytes(&key->blob));
		buf_put_text(reply, comment);
	}
}

void key_list_put(const struct connection *connection, struct buf *reply)
{
	struct extent extent = {.len = LIST_HEAD};

	buf_put_u8(reply, MESSAGE_LIST_REPLY);
	buf_put_u32(reply, 0);
	for (enum rank rank = OWN; rank < RANKS && !lock_hides_keys(connection); rank++)
		put_keys(connection, rank, reply, &extent);
	if (buf_status(reply) != KS_OK)
		return;
	for (int i = 0; i < 4; i++)
		reply->data[1 + i] = (uint8_t)(extent.count >> (24 - 8 * i));
	if (extent.left_out > 0)
		log_warning("a list of keys was cut: %u are left out", extent.left_out);
}

unsigned key_list_left_out(const struct agent *agent)
{
	struct extent extent = {.len = LIST_HEAD};

	for (const struct key *key = agent->keyring.first; key != NULL; key = key->next)
		if (key_source(key) != NULL && !key_outdated(key))
			(void)extend(&extent, key, key->comment);
	return extent.left_out;
}

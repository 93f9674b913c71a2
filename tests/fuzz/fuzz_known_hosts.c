/*
 * A known_hosts file. The input: how long the pieces are in which it is read, then the file. The
 * hosts that are asked for are those of path_maker.h: one by its key, one by its certificate.
 */
#include <stdlib.h>
#include <string.h>

#include "../unit/path_maker.h"
#include "host_names.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static struct known_hosts_index *index_of(struct bytes text, size_t piece)
{
	struct known_hosts_index *index = known_hosts_index_new();

	require(index != NULL);
	for (size_t at = 0; at < text.len; at += piece) {
		size_t left = text.len - at;

		if (!known_hosts_index_feed(
			    index, BYTES(text.data + at, piece < left ? piece : left)))
			break;
	}
	require(known_hosts_index_end(index) == KS_OK);
	return index;
}

static void check_names(const struct host_names *names, const struct session_bind *bind)
{
	require(!names->failed && !names->unread && names->count <= HOST_NAMES_MAX);
	require(names->count == 0 || names->names[names->count] == NULL);
	require(!names->by_authority || (bind->certified && names->count > 0));
	for (size_t i = 0; i < names->count; i++) {
		size_t name_len = strlen(names->names[i]);

		require(name_len > 0 && name_len <= HOST_NAME_LEN_MAX + sizeof(":65535") + 1024);
		for (size_t other = 0; other < i; other++)
			require(strcmp(names->names[i], names->names[other]) != 0);
	}
}

static struct host_names ask(const struct known_hosts_index *index, const struct session_bind *bind)
{
	static const char *const candidates[] = {"a.example", "[a.example]:2222", NULL};
	struct host_names names = {0};

	host_names_add(&names, index, bind, candidates, 1000);
	check_names(&names, bind);
	return names;
}

static void check_same(struct host_names *one, struct host_names *other)
{
	require(one->count == other->count && one->hashed == other->hashed);
	require(one->revoked == other->revoked && one->by_authority == other->by_authority);
	for (size_t i = 0; i < one->count; i++)
		require(strcmp(one->names[i], other->names[i]) == 0);
	host_names_deinit(one);
	host_names_deinit(other);
}

/* However it is read, it says the same. */
static void check(struct bytes text, size_t piece, const struct session_bind *bind)
{
	struct known_hosts_index *whole = index_of(text, text.len + 1);
	struct known_hosts_index *pieces = index_of(text, piece);
	struct known_hosts_count one = known_hosts_index_count(whole);
	struct known_hosts_count other = known_hosts_index_count(pieces);
	struct host_names names = ask(whole, bind);
	struct host_names same = ask(pieces, bind);

	require(one.entries == other.entries && one.malformed == other.malformed);
	check_same(&names, &same);
	known_hosts_index_free(&whole);
	known_hosts_index_free(&pieces);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct hosts hosts;
	static bool made;
	struct session_bind by_key = {0}, by_certificate = {.certified = true};
	struct reader in = reader_of(BYTES(data, len));
	size_t piece = (size_t)reader_u8(&in) + 1;

	/* Once: it takes longer than all the rest. */
	made = made || hosts_make(&hosts);
	require(made);
	buf_put(&by_key.host_key, host_shows(&hosts, 'A'));
	buf_put(&by_certificate.host_key, host_shows(&hosts, 'b'));
	require(public_key_parse(host_shows(&hosts, 'b'), &by_certificate.certificate) == KS_OK);
	check(BYTES(in.data, in.left), piece, &by_key);
	check(BYTES(in.data, in.left), piece, &by_certificate);
	buf_deinit(&by_key.host_key);
	buf_deinit(&by_certificate.host_key);
	public_key_free(&by_certificate.certificate);
	return 0;
}

/*
 * Destination constraints against the binds of a connection and what is to be signed there. The
 * input: a string with constraints, the time, whether a bind was tried, a count of binds, each a
 * flag and a string with the host key, and then the data. Whatever is permitted must stand in the
 * constraints, which is looked up here in another way, and whoever has fewer hops may do less.
 */
#include <stdlib.h>
#include <string.h>

#include <keystile/cleanup.h>
#include <keystile/log.h>
#include <keystile/text.h>

#include "../unit/key_vectors.h"
#include "../unit/vector.h"
#include "destination.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void require(bool holds)
{
	if (!holds)
		abort();
}

struct input {
	struct constraints *constraints;
	struct session_binds binds;
	struct subject subject;
	uint64_t now;
};

/* As session_bind_add() records it, but that nobody had to sign. False: no host key. */
static bool read_bind(struct reader *in, struct session_binds *binds)
{
	struct session_bind *record = &binds->records[binds->count];
	bool forwarding = reader_bool(in);
	struct bytes host_key = reader_string(in);
	struct public_key *key;

	if (public_key_parse(host_key, &key) != KS_OK)
		return false;
	binds->count++;
	record->forwarding = forwarding;
	record->certified = key->certificate;
	buf_put(&record->host_key, host_key);
	buf_put_u32(&record->session_id, (uint32_t)binds->count);
	if (key->certificate)
		record->certificate = key;
	else
		public_key_free(&key);
	return true;
}

/* The key that is asked to sign is always the same. */
static void parse_subject(struct bytes data, struct subject *subject)
{
	AUTO(buf) blob = {0};
	struct public_key *key;

	vector_put(&blob, key_vectors[0].blob);
	require(public_key_parse(buf_bytes(&blob), &key) == KS_OK);
	subject_parse(data, buf_bytes(&blob), key, subject);
	public_key_free(&key);
}

static bool read_input(struct bytes data, struct input *input)
{
	struct reader in = reader_of(data);
	struct reader constraints = reader_of(reader_string(&in));
	uint8_t count;

	*input = (struct input){0};
	if (constraints_parse(&constraints, CONSTRAINTS_FOR_KEY, &input->constraints) != KS_OK)
		return false;
	input->now = reader_u64(&in);
	input->binds.attempted = reader_bool(&in);
	count = reader_u8(&in) % (SESSION_BINDS_MAX + 1);
	for (uint8_t i = 0; i < count; i++)
		if (!read_bind(&in, &input->binds))
			return false;
	input->binds.attempted = input->binds.attempted || count > 0;
	parse_subject(BYTES(in.data, in.left), &input->subject);
	return true;
}

/* Whether a hop names the host that was bound, whatever else it demands. */
static bool names(const struct destination_host *host, const struct session_bind *bind)
{
	for (size_t i = 0; i < host->key_count; i++) {
		struct bytes blob = buf_bytes(&host->keys[i].blob);

		if (!host->keys[i].ca && !bind->certified &&
			bytes_equal(blob, buf_bytes(&bind->host_key)))
			return true;
		if (host->keys[i].ca && bind->certificate != NULL &&
			bytes_equal(blob, buf_bytes(&bind->certificate->signature_key)))
			return true;
	}
	return false;
}

static bool some_hop_ends_at(const struct constraints *constraints, const struct session_bind *bind)
{
	for (size_t i = 0; i < constraints->destination_count; i++)
		if (names(&constraints->destinations[i].to, bind))
			return true;
	return false;
}

static bool some_hop_begins_at(
	const struct constraints *constraints, const struct session_bind *bind)
{
	for (size_t i = 0; i < constraints->destination_count; i++)
		if (bind == NULL ? constraints->destinations[i].from.name == NULL
				 : names(&constraints->destinations[i].from, bind))
			return true;
	return false;
}

/* Each host on the way stands in a hop, and all but the last forward. */
static void check_listed(const struct input *input)
{
	const struct session_binds *binds = &input->binds;
	const struct session_bind *before = NULL;

	require(binds->count > 0 || !binds->attempted);
	for (size_t i = 0; i < binds->count; i++) {
		const struct session_bind *bind = &binds->records[i];

		require(some_hop_begins_at(input->constraints, before));
		require(some_hop_ends_at(input->constraints, bind));
		require(bind->forwarding || i + 1 == binds->count);
		before = bind;
	}
	if (before != NULL && before->forwarding)
		require(some_hop_begins_at(input->constraints, before));
}

static bool user_is_permitted(const struct constraints *constraints, struct bytes user)
{
	AUTO(text) name = text_format("%.*s", (int)user.len, (const char *)user.data);

	for (size_t i = 0; i < constraints->destination_count; i++) {
		const char *pattern = constraints->destinations[i].to.user;

		if (pattern == NULL || text_match(name, pattern))
			return true;
	}
	return false;
}

static void check_signed(const struct input *input)
{
	const struct session_bind *last = session_binds_last(&input->binds);
	const struct subject *subject = &input->subject;

	require(last != NULL && !last->forwarding && subject->kind == SUBJECT_LOGIN);
	require(bytes_equal(subject->session_id, buf_bytes(&last->session_id)));
	require(subject->hostbound || input->binds.count == 1);
	require(!subject->hostbound || bytes_equal(subject->host_key, buf_bytes(&last->host_key)));
	require(user_is_permitted(input->constraints, subject->user));
}

static void check(const struct input *input, bool *lists, bool *signs)
{
	*lists = destination_lists_at(input->constraints, &input->binds, input->now);
	*signs = destination_refusal_at(
			 input->constraints, &input->binds, &input->subject, input->now) == NULL;
	if (input->constraints->destination_count == 0) {
		require(*lists && *signs);
		return;
	}
	require(*lists || !*signs);
	if (*lists)
		check_listed(input);
	if (*signs)
		check_signed(input);
}

/* With one hop less nothing is permitted that was not. */
static void check_with_less(const struct input *input)
{
	size_t *count = &input->constraints->destination_count;
	size_t all = *count;
	bool lists, signs, lists_less, signs_less;

	check(input, &lists, &signs);
	if (all < 2)
		return;
	*count = all - 1;
	check(input, &lists_less, &signs_less);
	*count = all;
	require((lists || !lists_less) && (signs || !signs_less));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct input input;

	log_start("fuzz", LOG_LEVEL_ERROR);
	if (read_input(BYTES(data, len), &input))
		check_with_less(&input);
	session_binds_deinit(&input.binds);
	constraints_release(&input.constraints);
	return 0;
}

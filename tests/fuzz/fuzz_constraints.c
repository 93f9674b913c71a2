/*
 * Constraints of a key or a token. The input says what is added, then come the constraints. What is
 * taken keeps every limit, and written again from what was understood it is taken the same way.
 */
#include <stdlib.h>
#include <string.h>

#include <keystile/cleanup.h>
#include <keystile/log.h>

#include "constraints.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void put_extension(struct buf *out, const char *name)
{
	buf_put_u8(out, 255);
	buf_put_text(out, name);
}

static void put_host(struct buf *out, const struct destination_host *host)
{
	size_t opened = buf_open_string(out);

	buf_put_text(out, host->user);
	buf_put_text(out, host->name);
	buf_put_text(out, "");
	for (size_t i = 0; i < host->key_count; i++) {
		buf_put_string(out, buf_bytes(&host->keys[i].blob));
		buf_put_bool(out, host->keys[i].ca);
	}
	buf_close_string(out, opened);
}

static void put_destinations(struct buf *out, const struct constraints *constraints)
{
	size_t all, one;

	put_extension(out, "restrict-destination-v00@openssh.com");
	all = buf_open_string(out);
	for (size_t i = 0; i < constraints->destination_count; i++) {
		one = buf_open_string(out);
		put_host(out, &constraints->destinations[i].from);
		put_host(out, &constraints->destinations[i].to);
		buf_put_text(out, "");
		buf_close_string(out, one);
	}
	buf_close_string(out, all);
}

static void put_certificates(struct buf *out, const struct constraints *constraints)
{
	size_t all;

	put_extension(out, "associated-certs-v00@openssh.com");
	buf_put_bool(out, constraints->certificates_only);
	all = buf_open_string(out);
	for (size_t i = 0; i < constraints->certificate_count; i++)
		buf_put_string(out, buf_bytes(&constraints->certificates[i]));
	buf_close_string(out, all);
}

static void put(struct buf *out, const struct constraints *constraints)
{
	if (constraints->has_lifetime) {
		buf_put_u8(out, 1);
		buf_put_u32(out, constraints->lifetime_s);
	}
	if (constraints->confirm)
		buf_put_u8(out, 2);
	if (constraints->sk_provider != NULL) {
		put_extension(out, "sk-provider@openssh.com");
		buf_put_text(out, constraints->sk_provider);
	}
	if (constraints->destination_count > 0)
		put_destinations(out, constraints);
	if (constraints->certificate_count > 0 || constraints->certificates_only)
		put_certificates(out, constraints);
	require(buf_status(out) == KS_OK);
}

static void check_destination(const struct destination *destination)
{
	require(destination->from.user == NULL);
	require((destination->from.name == NULL) == (destination->from.key_count == 0));
	require(destination->to.name != NULL && destination->to.name[0] != '\0');
	require(destination->to.key_count > 0);
	require(destination->to.user == NULL ||
		(destination->to.user[0] != '\0' &&
			strlen(destination->to.user) <= CONSTRAINTS_USER_MAX));
}

static void check(const struct constraints *constraints, enum constraints_for what)
{
	require(constraints->references == 1);
	require(constraints->destination_count <= CONSTRAINTS_DESTINATIONS_MAX);
	require(constraints->certificate_count <= CONSTRAINTS_CERTIFICATES_MAX);
	require(constraints->sk_provider == NULL || what == CONSTRAINTS_FOR_SECURITY_KEY ||
		what == CONSTRAINTS_FOR_SECURITY_KEY_FROM_AFAR);
	require(what < CONSTRAINTS_FOR_KEY_FROM_AFAR || constraints->destination_count == 0);
	require(what == CONSTRAINTS_FOR_TOKEN ||
		(constraints->certificate_count == 0 && !constraints->certificates_only));
	for (size_t i = 0; i < constraints->destination_count; i++)
		check_destination(&constraints->destinations[i]);
}

static void check_same(const struct constraints *a, const struct constraints *b)
{
	require(constraints_same_destinations(a, b));
	require(a->has_lifetime == b->has_lifetime && a->lifetime_s == b->lifetime_s);
	require(a->confirm == b->confirm && a->certificates_only == b->certificates_only);
	require((a->sk_provider == NULL) == (b->sk_provider == NULL));
	require(a->sk_provider == NULL || strcmp(a->sk_provider, b->sk_provider) == 0);
	require(a->certificate_count == b->certificate_count);
	for (size_t i = 0; i < a->certificate_count; i++)
		require(bytes_equal(
			buf_bytes(&a->certificates[i]), buf_bytes(&b->certificates[i])));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct reader in = reader_of(BYTES(data, len));
	enum constraints_for what = (enum constraints_for)(reader_u8(&in) % 5);
	struct constraints *first, *second;
	AUTO(buf) again = {0};

	log_start("fuzz", LOG_LEVEL_ERROR); /* what is refused is named in warnings */
	if (constraints_parse(&in, what, &first) != KS_OK) {
		require(first == NULL);
		return 0;
	}
	require(in.left == 0);
	check(first, what);
	put(&again, first);
	in = reader_of(buf_bytes(&again));
	require(constraints_parse(&in, what, &second) == KS_OK);
	check_same(first, second);
	constraints_release(&first);
	constraints_release(&second);
	return 0;
}

/*
 * Composite keys, as OpenSSH 10.6 makes them. Where libcrypto has no ML-DSA (before 3.5) the same
 * key is of a type that is not known, and that is what is tested there.
 */
#include <stdlib.h>
#include <string.h>

#include <keystile/cleanup.h>
#include <keystile/composite.h>

#include "composite_vectors.h"
#include "signer.h"
#include "test.h"
#include "vector.h"

#define EARLY_NAME "ssh-mldsa44-ed25519@openssh.com"
#define STEP 97 /* a verification takes a while, so not each byte is changed */

static void decode(struct buf *out, const char *base64)
{
	vector_put(out, base64);
	assert_int_equal(buf_status(out), KS_OK);
}

static struct public_key *parse(const char *base64)
{
	AUTO(buf) blob = {0};
	struct public_key *key;

	decode(&blob, base64);
	assert_int_equal(public_key_parse(buf_bytes(&blob), &key), KS_OK);
	return key;
}

/* What follows the type's name, with another name before it. */
static void rename_type(struct buf *out, struct bytes named, const char *name)
{
	struct reader in = reader_of(named);

	reader_string(&in);
	buf_put_text(out, name);
	buf_put(out, BYTES(in.data, in.left));
	assert_int_equal(buf_status(out), KS_OK);
}

static enum ks_error verify(const struct public_key *key, struct bytes signature)
{
	AUTO(buf) data = {0};

	decode(&data, vector_signed_data);
	return public_key_verify(key, signature, buf_bytes(&data), PERMIT_NOTHING_OLD, NULL);
}

/* The private key as ssh-add sends it, without the comment; early: by its older name. */
static void private_of(struct buf *out, const char *message, const char *name)
{
	AUTO(buf) whole = {0};
	struct private_key key;
	struct reader in;

	decode(&whole, message);
	in = reader_of(buf_bytes(&whole));
	assert_int_equal(private_key_read(&in, &key), KS_OK);
	assert_true(bytes_equal_text(reader_string(&in), vector_comment));
	if (name != NULL)
		rename_type(out, key.whole, name);
	else
		buf_put(out, key.whole);
	assert_int_equal(buf_status(out), KS_OK);
}

/* ---- Where libcrypto has ML-DSA ---- */

static void keys_of_ssh_keygen_are_taken(void **state)
{
	AUTO(buf) blob = {0};
	AUTO(text) fingerprint = NULL;
	struct public_key *key = parse(composite_vector.blob);

	(void)state;
	decode(&blob, composite_vector.blob);
	fingerprint = public_key_fingerprint(buf_bytes(&blob));
	assert_string_equal(fingerprint, composite_vector.fingerprint);
	assert_int_equal(key->kind, composite_vector.kind);
	assert_string_equal(key_kind_name(key->kind), composite_vector.name);
	assert_string_equal(key_kind_label(key->kind), composite_vector.label);
	assert_int_equal(public_key_bits(key), composite_vector.bits);
	assert_true(public_key_takes_algorithm(key, bytes_of("ssh-mldsa44-ed25519")));
	assert_false(public_key_takes_algorithm(key, bytes_of(EARLY_NAME)));
	public_key_free(&key);
}

static void keys_that_end_early_or_late_are_refused(void **state)
{
	AUTO(buf) blob = {0};
	struct public_key *key;

	(void)state;
	decode(&blob, composite_vector.blob);
	for (size_t len = 0; len < blob.len; len++) {
		assert_int_equal(public_key_parse(BYTES(blob.data, len), &key), KS_BAD_INPUT);
		assert_null(key);
	}
	buf_put_u8(&blob, 0);
	assert_int_equal(public_key_parse(buf_bytes(&blob), &key), KS_BAD_INPUT);
}

static void the_signature_of_openssh_verifies(void **state)
{
	AUTO(buf) signature = {0}, early = {0};
	struct public_key *key = parse(composite_vector.blob);

	(void)state;
	decode(&signature, composite_vector.signature);
	assert_int_equal(verify(key, buf_bytes(&signature)), KS_OK);
	rename_type(&early, buf_bytes(&signature), EARLY_NAME);
	assert_int_equal(verify(key, buf_bytes(&early)), KS_REFUSED);
	signature.data[signature.len - 1] ^= 1; /* in Ed25519's half */
	assert_int_equal(verify(key, buf_bytes(&signature)), KS_REFUSED);
	public_key_free(&key);
}

static void no_byte_of_a_signature_can_be_changed(void **state)
{
	AUTO(buf) signature = {0};
	struct public_key *key = parse(composite_vector.blob);

	(void)state;
	decode(&signature, composite_vector.signature);
	for (size_t i = 0; i < signature.len; i += STEP) {
		signature.data[i] ^= 1;
		assert_int_not_equal(verify(key, buf_bytes(&signature)), KS_OK);
		signature.data[i] ^= 1;
	}
	for (size_t len = 0; len < signature.len; len += STEP)
		assert_int_equal(verify(key, BYTES(signature.data, len)), KS_BAD_INPUT);
	buf_put_u8(&signature, 0);
	assert_int_equal(verify(key, buf_bytes(&signature)), KS_BAD_INPUT);
	public_key_free(&key);
}

static void certificates_are_taken_and_verified(void **state)
{
	const char *const certificates[] = {
		composite_vector.user_certificate, composite_vector.host_certificate};

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		AUTO(buf) blob = {0}, plain = {0};
		struct public_key *key = parse(certificates[i]);

		decode(&blob, certificates[i]);
		decode(&plain, composite_vector.blob);
		assert_true(key->certificate);
		assert_true(bytes_equal(buf_bytes(&key->plain), buf_bytes(&plain)));
		assert_int_equal(public_key_verify_certificate(
					 key, buf_bytes(&blob), PERMIT_NOTHING_OLD, NULL),
			KS_OK);
		blob.data[blob.len - 1] ^= 1;
		assert_int_not_equal(public_key_verify_certificate(
					     key, buf_bytes(&blob), PERMIT_NOTHING_OLD, NULL),
			KS_OK);
		assert_true(public_key_takes_algorithm(key, bytes_of("ssh-mldsa44-ed25519-cert")));
		public_key_free(&key);
	}
}

static void private_keys_end_neither_early_nor_late(void **state)
{
	AUTO(buf) plain = {0}, certified = {0};
	const struct buf *keys[] = {&plain, &certified};

	(void)state;
	private_of(&plain, composite_vector.added, NULL);
	private_of(&certified, composite_vector.added_certificate, NULL);
	for (unsigned i = 0; i < 2; i++) {
		for (size_t len = 0; len < keys[i]->len; len++) {
			struct reader in = reader_of(BYTES(keys[i]->data, len));
			struct private_key key;

			assert_int_equal(private_key_read(&in, &key), KS_BAD_INPUT);
		}
	}
}

/* Takes the key, signs with it, and verifies by what it is listed as. */
static void signs(const char *message, const char *name, enum ks_algorithm algorithm)
{
	AUTO(buf) whole = {0}, blob = {0}, first = {0}, second = {0};
	struct private_key key;
	struct public_key *public;
	struct usable usable;
	const char *why = NULL;

	private_of(&whole, message, name);
	assert_int_equal(material_accept(buf_bytes(&whole), &key, &blob, &usable, &why), KS_OK);
	assert_int_equal(
		signer_sign(&usable, key.kind, algorithm, bytes_of("data"), &first), KS_OK);
	assert_int_equal(
		signer_sign(&usable, key.kind, algorithm, bytes_of("data"), &second), KS_OK);
	assert_int_equal(
		signer_sign(&usable, key.kind, KS_ALGORITHM_ED25519, bytes_of("data"), &second),
		KS_UNSUPPORTED);
	assert_false(bytes_equal(buf_bytes(&first), buf_bytes(&second))); /* hedged */
	assert_int_equal(public_key_parse(buf_bytes(&blob), &public), KS_OK);
	assert_int_equal(public_key_verify(public, buf_bytes(&first), bytes_of("data"),
				 PERMIT_NOTHING_OLD, NULL),
		KS_OK);
	assert_int_equal(public_key_verify(public, buf_bytes(&first), bytes_of("date"),
				 PERMIT_NOTHING_OLD, NULL),
		KS_REFUSED);
	public_key_free(&public);
	usable_free(&usable);
}

static void what_ssh_add_sends_signs(void **state)
{
	(void)state;
	signs(composite_vector.added, NULL, KS_ALGORITHM_MLDSA44_ED25519);
	signs(composite_vector.added_certificate, NULL, KS_ALGORITHM_MLDSA44_ED25519);
	signs(composite_vector.added, EARLY_NAME, KS_ALGORITHM_MLDSA44_ED25519_EARLY);
}

/* Either half alone is not enough, whichever is right. */
static void a_signature_needs_both_halves(void **state)
{
	AUTO(buf) whole = {0}, blob = {0}, made = {0}, other = {0};
	struct public_key *public = parse(composite_vector.blob);
	struct private_key key;
	struct usable usable;
	const char *why = NULL;

	(void)state;
	private_of(&whole, composite_vector.added, NULL);
	assert_int_equal(material_accept(buf_bytes(&whole), &key, &blob, &usable, &why), KS_OK);
	for (unsigned half = 0; half < 2; half++) {
		size_t from;

		buf_deinit(&made);
		buf_deinit(&other);
		assert_int_equal(signer_sign(&usable, key.kind, KS_ALGORITHM_MLDSA44_ED25519,
					 bytes_of("data"), &made),
			KS_OK);
		assert_int_equal(signer_sign(&usable, key.kind, KS_ALGORITHM_MLDSA44_ED25519,
					 bytes_of("other"), &other),
			KS_OK);
		from = made.len - (half ? COMPOSITE_ED25519_SIGNATURE : COMPOSITE_SIGNATURE);
		memcpy(made.data + from, other.data + from,
			half ? COMPOSITE_ED25519_SIGNATURE : COMPOSITE_MLDSA_SIGNATURE);
		assert_int_equal(public_key_verify(public, buf_bytes(&made), bytes_of("data"),
					 PERMIT_NOTHING_OLD, NULL),
			KS_REFUSED);
	}
	usable_free(&usable);
	public_key_free(&public);
}

static void seeds_of_other_keys_are_refused(void **state)
{
	(void)state;
	for (size_t back = 1; back <= 2 * COMPOSITE_SEED; back += COMPOSITE_SEED) {
		const char *const messages[] = {
			composite_vector.added, composite_vector.added_certificate};

		for (unsigned i = 0; i < 2; i++) {
			AUTO(buf) whole = {0}, blob = {0};
			struct private_key key;
			struct usable usable;
			const char *why = NULL;

			private_of(&whole, messages[i], NULL);
			whole.data[whole.len - back] ^= 1;
			assert_int_equal(
				material_accept(buf_bytes(&whole), &key, &blob, &usable, &why),
				KS_BAD_INPUT);
			assert_null(usable.pkey);
			assert_non_null(strstr(why, "do not belong together"));
		}
	}
}

/* ---- Where it has none ---- */

static void the_type_is_not_known(void **state)
{
	const char *const blobs[] = {composite_vector.blob, composite_vector.user_certificate,
		composite_vector.host_certificate};

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		AUTO(buf) blob = {0};
		struct public_key *key;

		decode(&blob, blobs[i]);
		assert_int_equal(public_key_parse(buf_bytes(&blob), &key), KS_UNSUPPORTED);
		assert_null(key);
	}
}

static void private_keys_of_the_type_are_refused_in_words(void **state)
{
	const char *const messages[] = {composite_vector.added, composite_vector.added_certificate};

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		AUTO(buf) whole = {0}, blob = {0};
		struct private_key key;
		struct usable usable;
		const char *why = NULL;

		decode(&whole, messages[i]);
		assert_int_equal(material_accept(buf_bytes(&whole), &key, &blob, &usable, &why),
			KS_UNSUPPORTED);
		assert_null(usable.pkey);
		assert_string_equal(why, "keys of its type are not known here");
	}
}

int main(void)
{
	static const struct CMUnitTest with[] = {
		cmocka_unit_test(keys_of_ssh_keygen_are_taken),
		cmocka_unit_test(keys_that_end_early_or_late_are_refused),
		cmocka_unit_test(the_signature_of_openssh_verifies),
		cmocka_unit_test(no_byte_of_a_signature_can_be_changed),
		cmocka_unit_test(certificates_are_taken_and_verified),
		cmocka_unit_test(private_keys_end_neither_early_nor_late),
		cmocka_unit_test(what_ssh_add_sends_signs),
		cmocka_unit_test(a_signature_needs_both_halves),
		cmocka_unit_test(seeds_of_other_keys_are_refused),
	};
	static const struct CMUnitTest without[] = {
		cmocka_unit_test(the_type_is_not_known),
		cmocka_unit_test(private_keys_of_the_type_are_refused_in_words),
	};

	return composite_available() ? cmocka_run_group_tests(with, NULL, NULL)
				     : cmocka_run_group_tests(without, NULL, NULL);
}

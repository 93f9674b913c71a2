/*
 * TPM 2.0 key files: those of other programs are taken, and nothing that is not exactly one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>

#include <keystile/cleanup.h>
#include <keystile/text.h>

#include "key_file.h"
#include "test.h"
#include "tpm_key_vectors.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

#define BEGIN "-----BEGIN TSS2 PRIVATE KEY-----\n"
#define END "-----END TSS2 PRIVATE KEY-----\n"

static const struct {
	const char *text;
	bool empty_auth;
	TPM2_ALG_ID type;
} taken[] = {
	{tpm_key_openssl_p256_pin, false, TPM2_ALG_ECC},
	{tpm_key_openssl_p384, true, TPM2_ALG_ECC},
	{tpm_key_openssl_rsa2048, true, TPM2_ALG_RSA},
	{tpm_key_tools_p256_pin, true, TPM2_ALG_ECC},
	{tpm_key_pytss_p256, true, TPM2_ALG_ECC},
};

/* Memory of the exact size, so that a sanitizer sees one byte too far. */
static enum ks_error parse(struct bytes text, struct tpm_key_file *out, const char **wrong)
{
	uint8_t *exact = malloc(text.len + !text.len);
	enum ks_error error;

	assert_non_null(exact);
	if (text.len > 0)
		memcpy(exact, text.data, text.len);
	error = tpm_key_file_parse(BYTES(exact, text.len), out, wrong);
	free(exact);
	return error;
}

static void parse_well(const char *text, struct tpm_key_file *out)
{
	const char *wrong = NULL;
	enum ks_error error = parse(bytes_of(text), out, &wrong);

	if (error != KS_OK)
		fail_msg("refused: it %s", wrong);
	assert_null(wrong);
}

static void refuse(const char *text, enum ks_error expected, const char *words)
{
	struct tpm_key_file file;
	const char *wrong = NULL;

	assert_int_equal(parse(bytes_of(text), &file, &wrong), expected);
	assert_non_null(wrong);
	if (strstr(wrong, words) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", words, wrong);
	assert_null(file.description);
}

/* The envelope of a vector, to be changed. */
static size_t der_of(const char *text, uint8_t der[static 1024])
{
	AUTO(text) body = strdup(text + strlen(BEGIN));
	size_t len = 0, padding;
	int got;

	assert_non_null(body);
	*strstr(body, "-----END") = '\0';
	for (char *from = body; *from != '\0'; from++)
		if (*from != '\n')
			body[len++] = *from;
	body[len] = '\0';
	padding = (size_t)(body[len - 1] == '=') + (size_t)(body[len - 2] == '=');
	got = EVP_DecodeBlock(der, (const unsigned char *)body, (int)len);
	assert_true(got > 0);
	return (size_t)got - padding;
}

static char *pem_of(const uint8_t *der, size_t len)
{
	AUTO(text) body = calloc(1, len * 2 + 8);
	AUTO(buf) lines = {0};

	assert_non_null(body);
	EVP_EncodeBlock((unsigned char *)body, der, (int)len);
	for (size_t at = 0; at < strlen(body); at += 64) {
		size_t rest = strlen(body + at);

		buf_put(&lines, BYTES((const uint8_t *)body + at, rest < 64 ? rest : 64));
		buf_put_u8(&lines, '\n');
	}
	buf_put_u8(&lines, '\0');
	assert_int_equal(buf_status(&lines), KS_OK);
	return text_format("%s%s%s", BEGIN, (const char *)lines.data, END);
}

static void key_files_of_other_programs_are_taken(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(taken); i++) {
		struct tpm_key_file file;

		parse_well(taken[i].text, &file);
		assert_int_equal(file.kind, TPM_KEY_LOADABLE);
		assert_int_equal(file.parent, TPM2_RH_OWNER);
		assert_int_equal(file.empty_auth, taken[i].empty_auth);
		assert_int_equal(file.public.publicArea.type, taken[i].type);
		assert_false(file.rsa_parent);
		assert_true(file.private.size > 0);
		assert_null(file.description);
		tpm_key_file_deinit(&file);
	}
}

static void what_is_written_is_what_was_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(taken); i++) {
		struct tpm_key_file file, again;
		AUTO(buf) text = {0};

		parse_well(taken[i].text, &file);
		assert_int_equal(tpm_key_file_put(&file, &text), KS_OK);
		buf_put_u8(&text, '\0');
		assert_int_equal(buf_status(&text), KS_OK);
		parse_well((const char *)text.data, &again);
		assert_memory_equal(&file, &again, sizeof(file));
		tpm_key_file_deinit(&file);
		tpm_key_file_deinit(&again);
	}
}

static void everything_that_a_file_can_say_is_written_and_read(void **state)
{
	struct tpm_key_file file, again;
	AUTO(buf) text = {0};

	(void)state;
	parse_well(tpm_key_openssl_p256_pin, &file);
	file.kind = TPM_KEY_IMPORTABLE;
	file.rsa_parent = true;
	file.parent = 0x81000001;
	file.secret.size = 34;
	memset(file.secret.secret, 7, 34);
	file.description = strdup("alice@h\xc3\xb6me");
	assert_int_equal(tpm_key_file_put(&file, &text), KS_OK);
	buf_put_u8(&text, '\0');
	parse_well((const char *)text.data, &again);
	assert_int_equal(again.kind, TPM_KEY_IMPORTABLE);
	assert_true(again.rsa_parent);
	assert_false(again.empty_auth);
	assert_int_equal(again.parent, 0x81000001);
	assert_int_equal(again.secret.size, 34);
	assert_memory_equal(again.secret.secret, file.secret.secret, 34);
	assert_string_equal(again.description, file.description);
	tpm_key_file_deinit(&file);
	tpm_key_file_deinit(&again);
}

static void a_file_that_was_cut_short_is_refused_wherever_it_was_cut(void **state)
{
	const char *whole = tpm_key_openssl_p256_pin;

	(void)state;
	for (size_t len = 0; len + 2 < strlen(whole); len++) {
		struct tpm_key_file file;
		const char *wrong = NULL;

		assert_int_equal(
			parse(BYTES((const uint8_t *)whole, len), &file, &wrong), KS_BAD_INPUT);
		assert_non_null(wrong);
	}
}

static void an_envelope_that_was_cut_short_or_goes_on_is_refused(void **state)
{
	uint8_t der[1024] = {0};
	size_t whole = der_of(tpm_key_openssl_p256_pin, der);

	(void)state;
	for (size_t len = 1; len <= whole + 2; len++) {
		AUTO(text) text = pem_of(der, len);
		struct tpm_key_file file;

		if (len == whole) {
			parse_well(text, &file);
			tpm_key_file_deinit(&file);
		} else {
			refuse(text, KS_BAD_INPUT, "bytes left over");
		}
	}
}

/* Each byte in turn is another one: what is still taken is well-formed to the end. */
static void no_changed_byte_gets_past_the_checks(void **state)
{
	uint8_t der[1024];
	size_t len = der_of(tpm_key_openssl_p256_pin, der);

	(void)state;
	for (size_t at = 0; at < len; at++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			struct tpm_key_file file;
			const char *wrong = NULL;
			AUTO(text) text = NULL;

			der[at] ^= (uint8_t)(1U << bit);
			text = pem_of(der, len);
			if (parse(bytes_of(text), &file, &wrong) == KS_OK) {
				AUTO(buf) again = {0};

				assert_int_equal(tpm_key_file_put(&file, &again), KS_OK);
				tpm_key_file_deinit(&file);
			} else {
				assert_non_null(wrong);
			}
			der[at] ^= (uint8_t)(1U << bit);
		}
	}
}

static void what_is_no_key_of_a_tpm_is_refused_in_words(void **state)
{
	AUTO(text) twice = text_format("%s%s", tpm_key_openssl_rsa2048, tpm_key_openssl_rsa2048);
	AUTO(text) behind = text_format("%sand more\n", tpm_key_openssl_rsa2048);
	AUTO(text) headers = text_format(
		"%sProc-Type: 4,ENCRYPTED\n\n%s", BEGIN, tpm_key_openssl_p256_pin + strlen(BEGIN));
	AUTO(text) blank = text_format("%s \n\n", tpm_key_openssl_rsa2048);
	struct tpm_key_file file;

	(void)state;
	refuse("", KS_BAD_INPUT, "is not PEM");
	refuse("ssh-ed25519 AAAA", KS_BAD_INPUT, "is not PEM");
	refuse("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", KS_BAD_INPUT,
		"not a \"TSS2 PRIVATE KEY\"");
	refuse(BEGIN "AAAA\n" END, KS_BAD_INPUT, "not built");
	refuse(twice, KS_BAD_INPUT, "goes on after");
	refuse(behind, KS_BAD_INPUT, "goes on after");
	refuse(headers, KS_BAD_INPUT, "headers");
	refuse(tpm_key_tools_sealed, KS_UNSUPPORTED, "no RSA or ECDSA key");
	parse_well(blank, &file);
	tpm_key_file_deinit(&file);
}

static void refuse_changed(
	const struct tpm_key_file *file, enum ks_error expected, const char *words)
{
	AUTO(buf) text = {0};

	assert_int_equal(tpm_key_file_put(file, &text), KS_OK);
	buf_put_u8(&text, '\0');
	assert_int_equal(buf_status(&text), KS_OK);
	refuse((const char *)text.data, expected, words);
}

static void keys_that_can_not_be_used_are_refused_in_words(void **state)
{
	struct tpm_key_file file, changed;
	char long_text[TPM_KEY_DESCRIPTION_MAX + 2];

	(void)state;
	parse_well(tpm_key_openssl_p256_pin, &file);
	changed = file;
	changed.public.publicArea.authPolicy.size = 32;
	refuse_changed(&changed, KS_UNSUPPORTED, "policy");
	changed = file;
	changed.public.publicArea.objectAttributes |= TPMA_OBJECT_RESTRICTED;
	refuse_changed(&changed, KS_UNSUPPORTED, "signs only what its TPM made up");
	changed = file;
	changed.parent = TPM2_RH_LOCKOUT;
	refuse_changed(&changed, KS_BAD_INPUT, "parent");
	changed = file;
	changed.kind = TPM_KEY_IMPORTABLE;
	refuse_changed(&changed, KS_BAD_INPUT, "secret");
	memset(long_text, 'a', sizeof(long_text));
	long_text[sizeof(long_text) - 1] = '\0';
	changed = file;
	changed.description = long_text;
	refuse_changed(&changed, KS_BAD_INPUT, "description");
	tpm_key_file_deinit(&file);
}

/* By the byte that says which: 2.23.133.10.1.N ends at offset 10. */
static void other_types_are_refused_in_words(void **state)
{
	uint8_t der[1024];
	size_t len = der_of(tpm_key_openssl_p256_pin, der);
	AUTO(text) sealed = NULL;
	AUTO(text) unknown = NULL;

	(void)state;
	assert_int_equal(der[10], 3);
	der[10] = 5;
	sealed = pem_of(der, len);
	refuse(sealed, KS_UNSUPPORTED, "sealed data");
	der[10] = 6;
	unknown = pem_of(der, len);
	refuse(unknown, KS_UNSUPPORTED, "type that is not known");
}

/* ---- Files ---- */

static void write_file(const char *path, const char *text, mode_t mode)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(chmod(path, mode), 0);
}

static void expect_read(const char *path, enum ks_error expected, const char *words)
{
	AUTO(buf) text = {0};
	const char *wrong = NULL;

	assert_int_equal(tpm_key_file_read(path, &text, &wrong), expected);
	if (expected == KS_OK) {
		assert_null(wrong);
		assert_true(bytes_equal_text(buf_bytes(&text), tpm_key_pytss_p256));
	} else {
		assert_non_null(strstr(wrong, words));
	}
}

static void a_file_is_read_as_ssh_reads_private_keys(void **state)
{
	char folder[] = "/tmp/tpm-key-file.XXXXXX";
	AUTO(text) large = calloc(1, TPM_KEY_FILE_MAX + 2);

	(void)state;
	assert_non_null(mkdtemp(folder));
	assert_int_equal(chdir(folder), 0);
	memset(large, 'a', TPM_KEY_FILE_MAX + 1);
	write_file("good", tpm_key_pytss_p256, 0600);
	write_file("open", tpm_key_pytss_p256, 0644);
	write_file("group", tpm_key_pytss_p256, 0620);
	write_file("large", large, 0600);
	assert_int_equal(symlink("good", "link"), 0);
	assert_int_equal(symlink("open", "open-link"), 0);
	assert_int_equal(symlink("loop", "loop"), 0);
	assert_int_equal(mkfifo("pipe", 0600), 0);

	expect_read("good", KS_OK, "");
	expect_read("link", KS_OK, "");
	expect_read("open", KS_NOT_ALLOWED, "chmod 600");
	expect_read("group", KS_NOT_ALLOWED, "chmod 600");
	expect_read("open-link", KS_NOT_ALLOWED, "chmod 600");
	expect_read("large", KS_BAD_INPUT, "too long");
	expect_read("loop", KS_NOT_ALLOWED, "can't be opened");
	expect_read("pipe", KS_NOT_ALLOWED, "no regular file");
	expect_read(folder, KS_NOT_ALLOWED, "no regular file");
	expect_read("missing", KS_NO_KEY, "not there");
	static const char *const names[] = {
		"good", "open", "group", "large", "link", "open-link", "loop", "pipe"};
	for (size_t i = 0; i < COUNT(names); i++)
		assert_int_equal(unlink(names[i]), 0);
	assert_int_equal(chdir("/"), 0);
	assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(key_files_of_other_programs_are_taken),
		cmocka_unit_test(what_is_written_is_what_was_read),
		cmocka_unit_test(everything_that_a_file_can_say_is_written_and_read),
		cmocka_unit_test(a_file_that_was_cut_short_is_refused_wherever_it_was_cut),
		cmocka_unit_test(an_envelope_that_was_cut_short_or_goes_on_is_refused),
		cmocka_unit_test(no_changed_byte_gets_past_the_checks),
		cmocka_unit_test(what_is_no_key_of_a_tpm_is_refused_in_words),
		cmocka_unit_test(keys_that_can_not_be_used_are_refused_in_words),
		cmocka_unit_test(other_types_are_refused_in_words),
		cmocka_unit_test(a_file_is_read_as_ssh_reads_private_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

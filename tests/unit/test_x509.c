/*
 * What is taken from X.509 certificates on tokens, and what hostile ones do not do: each is made
 * here, and everything that comes out may be in a frame.
 */
#include "test.h"

#include <string.h>
#include <time.h>

#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include <keystile/frame.h>

#include "certificate.h"

#define NOW UINT64_C(1800000000)

/* ---- Certificates to order ---- */

/* CN=Ada,O=Example by CN=Cards,O=Example, valid from 2020 to 2040. */
static X509 *make(void)
{
	X509 *x509 = X509_new();
	X509_NAME *subject = X509_NAME_new(), *issuer = X509_NAME_new();

	assert_non_null(x509);
	assert_true(X509_NAME_add_entry_by_txt(
		subject, "O", MBSTRING_UTF8, (const unsigned char *)"Example", -1, -1, 0));
	assert_true(X509_NAME_add_entry_by_txt(
		subject, "CN", MBSTRING_UTF8, (const unsigned char *)"Ada", -1, -1, 0));
	assert_true(X509_NAME_add_entry_by_txt(
		issuer, "O", MBSTRING_UTF8, (const unsigned char *)"Example", -1, -1, 0));
	assert_true(X509_NAME_add_entry_by_txt(
		issuer, "CN", MBSTRING_UTF8, (const unsigned char *)"Cards", -1, -1, 0));
	assert_true(X509_set_subject_name(x509, subject) && X509_set_issuer_name(x509, issuer));
	assert_true(ASN1_TIME_set_string(X509_getm_notBefore(x509), "20200101000000Z"));
	assert_true(ASN1_TIME_set_string(X509_getm_notAfter(x509), "20400101000000Z"));
	X509_NAME_free(subject);
	X509_NAME_free(issuer);
	return x509;
}

static void extend(X509 *x509, int nid, const char *value)
{
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

	assert_non_null(extension);
	assert_true(X509_add_ext(x509, extension, -1));
	X509_EXTENSION_free(extension);
}

/* An extension with these bytes in it, whatever they are. */
static void extend_raw(X509 *x509, int nid, const char *bytes, int len)
{
	ASN1_OCTET_STRING *octets = ASN1_OCTET_STRING_new();
	X509_EXTENSION *extension;

	assert_true(ASN1_OCTET_STRING_set(octets, (const unsigned char *)bytes, len));
	extension = X509_EXTENSION_create_by_NID(NULL, nid, 0, octets);
	assert_true(X509_add_ext(x509, extension, -1));
	X509_EXTENSION_free(extension);
	ASN1_OCTET_STRING_free(octets);
}

static void name_it(X509 *x509, const char *part, int type, const char *value, int len)
{
	X509_NAME *name = X509_NAME_new();

	assert_true(X509_NAME_add_entry_by_txt(
		name, part, type, (const unsigned char *)value, len, -1, 0));
	assert_true(X509_set_subject_name(x509, name) && X509_set_issuer_name(x509, name));
	X509_NAME_free(name);
}

/* Takes the certificate. What comes out may be in a frame; free() it. */
static struct certificate *read_it(X509 *x509)
{
	struct certificate *certificate = certificate_read(x509);

	X509_free(x509);
	if (certificate != NULL)
		assert_true(frame_certificate_fits(&certificate->said));
	return certificate;
}

/* ---- What is taken ---- */

static void names_times_and_usages_are_taken(void **state)
{
	X509 *x509 = make();
	struct certificate *certificate;

	(void)state;
	extend(x509, NID_ext_key_usage, "clientAuth,msSmartcardLogin,1.3.6.1.5.5.7.3.21");
	certificate = read_it(x509);
	assert_non_null(certificate);
	assert_string_equal(certificate->said.subject, "Ada");
	assert_string_equal(certificate->said.issuer, "CN=Cards,O=Example");
	assert_string_equal(certificate->said.issuer_name, "Cards");
	assert_string_equal(certificate->said.usages,
		"1.3.6.1.5.5.7.3.2,1.3.6.1.4.1.311.20.2.2,1.3.6.1.5.5.7.3.21");
	assert_int_equal(certificate->said.not_before, 1577836800);
	assert_int_equal(certificate->said.not_after, 2208988800);
	assert_int_equal(certificate->said.others, 0);
	free(certificate);
}

static void a_principal_goes_before_a_mail_address_and_that_before_a_common_name(void **state)
{
	static const struct {
		const char *names, *subject;
	} table[] = {
		{"email:ada@example.org,otherName:1.3.6.1.4.1.311.20.2.3;UTF8:ada@corp",
			"ada@corp"},
		{"DNS:host,email:ada@example.org,email:second@example.org", "ada@example.org"},
		{"DNS:host", "Ada"},
		/* A principal of another type is none. */
		{"otherName:1.3.6.1.4.1.311.20.2.3;INTEGER:7", "Ada"},
		{"otherName:1.2.3.4;UTF8:not-a-principal", "Ada"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		X509 *x509 = make();
		struct certificate *certificate;

		extend(x509, NID_subject_alt_name, table[i].names);
		certificate = read_it(x509);
		assert_non_null(certificate);
		assert_string_equal(certificate->said.subject, table[i].subject);
		free(certificate);
	}
}

static void without_a_common_name_the_whole_name_is_taken(void **state)
{
	X509 *x509 = make();
	struct certificate *certificate;

	(void)state;
	name_it(x509, "O", MBSTRING_UTF8, "Example, Inc.", -1);
	certificate = read_it(x509);
	assert_string_equal(certificate->said.subject, "O=Example\\, Inc.");
	assert_string_equal(certificate->said.issuer, "O=Example\\, Inc.");
	assert_string_equal(certificate->said.issuer_name, "");
	assert_string_equal(certificate->said.usages, "");
	free(certificate);
}

/* ---- Hostile ones ---- */

static void control_characters_are_written_out(void **state)
{
	X509 *x509 = make();
	struct certificate *certificate;

	(void)state;
	name_it(x509, "CN", V_ASN1_UTF8STRING, "a\x1b[2Jb\nc\0d\x7f", 11);
	certificate = read_it(x509);
	assert_string_equal(certificate->said.subject, "a\\1B[2Jb\\0Ac\\00d\\7F");
	assert_string_equal(certificate->said.issuer_name, certificate->said.subject);
	assert_null(strpbrk(certificate->said.issuer, "\x1b\n\x7f"));
	free(certificate);
}

static void huge_names_are_cut_between_two_characters(void **state)
{
	char huge[12001];
	X509 *x509 = make();
	struct certificate *certificate;

	(void)state;
	for (size_t i = 0; i + 1 < sizeof(huge); i += 3)
		memcpy(huge + i, "\xe2\x82\xac", 3);
	huge[sizeof(huge) - 1] = '\0';
	name_it(x509, "1.2.3.4", V_ASN1_UTF8STRING, huge, 12000);
	assert_true(X509_NAME_add_entry_by_NID(X509_get_subject_name(x509), NID_commonName,
		V_ASN1_UTF8STRING, (const unsigned char *)huge, 60, -1, 0));
	certificate = read_it(x509);
	assert_int_equal(strlen(certificate->said.subject), 60);
	assert_in_range(strlen(certificate->said.issuer), 200, KS_CERTIFICATE_TEXT_MAX);
	free(certificate);

	x509 = make();
	extend_raw(x509, NID_subject_alt_name, "", 0);
	name_it(x509, "O", V_ASN1_UTF8STRING, huge, 12000);
	certificate = read_it(x509);
	/* "O=" and whole characters of three bytes. */
	assert_int_equal(strlen(certificate->said.subject) % 3, 2);
	free(certificate);
}

static void thousands_of_alternative_names_are_passed_over(void **state)
{
	GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
	X509 *x509 = make();
	struct certificate *certificate;

	(void)state;
	for (int i = 0; i < 10001; i++) {
		GENERAL_NAME *name = GENERAL_NAME_new();
		ASN1_IA5STRING *text = ASN1_IA5STRING_new();

		/* All are empty but the last one. */
		assert_true(ASN1_STRING_set(text, i < 10000 ? "" : "last@example.org", -1));
		GENERAL_NAME_set0_value(name, GEN_EMAIL, text);
		assert_true(sk_GENERAL_NAME_push(names, name));
	}
	assert_true(X509_add1_ext_i2d(x509, NID_subject_alt_name, names, 0, 0));
	certificate = read_it(x509);
	assert_string_equal(certificate->said.subject, "last@example.org");
	free(certificate);
	GENERAL_NAMES_free(names);
}

static void alternative_names_that_are_malformed_say_nothing(void **state)
{
	X509 *bad = make(), *twice = make();
	struct certificate *certificate;

	(void)state;
	extend_raw(bad, NID_subject_alt_name, "\x30\x03\x81\x7f\x41", 5);
	certificate = read_it(bad);
	assert_string_equal(certificate->said.subject, "Ada");
	free(certificate);
	extend(twice, NID_subject_alt_name, "email:one@example.org");
	extend(twice, NID_subject_alt_name, "email:other@example.org");
	certificate = read_it(twice);
	assert_string_equal(certificate->said.subject, "Ada");
	free(certificate);
}

static void what_is_no_ascii_where_it_has_to_be_becomes_utf8(void **state)
{
	X509 *x509 = make();
	struct certificate *certificate;

	(void)state;
	extend_raw(x509, NID_subject_alt_name,
		"\x30\x05\x81\x03"
		"a\xff\x1b",
		7);
	certificate = read_it(x509);
	assert_string_equal(certificate->said.subject, "a\xc3\xbf\\1B");
	free(certificate);
}

static void times_that_are_none_leave_a_certificate_unread(void **state)
{
	static const char *const bad[] = {"", "never", "20201301000000Z", "99999999999999Z",
		"2020010100000Z", "20200101000000", "-1"};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		X509 *before = make(), *after = make();

		assert_true(ASN1_STRING_set(X509_getm_notBefore(before), bad[i], -1));
		assert_true(ASN1_STRING_set(X509_getm_notAfter(after), bad[i], -1));
		assert_null(read_it(before));
		assert_null(read_it(after));
	}
}

static void absurd_times_are_kept_in_their_range(void **state)
{
	static const struct {
		const char *text;
		uint64_t seconds;
	} table[] = {
		{"00000101000000Z", 0}, {"19691231235959Z", 0}, {"99991231235959Z", KS_TIME_MAX}};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		X509 *x509 = make();
		struct certificate *certificate;

		assert_true(ASN1_TIME_set_string(X509_getm_notAfter(x509), table[i].text));
		certificate = read_it(x509);
		assert_non_null(certificate);
		assert_true(certificate->said.not_after == table[i].seconds);
		free(certificate);
	}
}

static void usages_that_are_not_understood_leave_it_unread(void **state)
{
	X509 *bad = make(), *none = make(), *twice = make();

	(void)state;
	extend_raw(bad, NID_ext_key_usage, "\x30\x03\x06\x7f\x41", 5);
	assert_null(read_it(bad));
	/* An extension that lists nothing would look like none at all. */
	extend_raw(none, NID_ext_key_usage, "\x30\x00", 2);
	assert_null(read_it(none));
	extend(twice, NID_ext_key_usage, "clientAuth");
	extend(twice, NID_ext_key_usage, "clientAuth");
	assert_null(read_it(twice));
}

static void usages_are_cut_to_what_fits_and_huge_ones_left_out(void **state)
{
	EXTENDED_KEY_USAGE *usages = sk_ASN1_OBJECT_new_null();
	X509 *x509 = make();
	unsigned char arcs[100];
	struct certificate *certificate;

	(void)state;
	memset(arcs, 0x87, sizeof(arcs));
	arcs[sizeof(arcs) - 1] = 1;
	sk_ASN1_OBJECT_push(usages, ASN1_OBJECT_create(0, arcs, sizeof(arcs), NULL, NULL));
	for (int i = 0; i < 2000; i++)
		sk_ASN1_OBJECT_push(usages, OBJ_txt2obj("1.3.6.1.5.5.7.3.2", 1));
	assert_true(X509_add1_ext_i2d(x509, NID_ext_key_usage, usages, 0, 0));
	sk_ASN1_OBJECT_pop_free(usages, ASN1_OBJECT_free);
	certificate = read_it(x509);
	assert_non_null(certificate);
	assert_memory_equal(certificate->said.usages, "1.3.6.1.5.5.7.3.2,1", 19);
	assert_in_range(strlen(certificate->said.usages), 450, KS_USAGES_MAX);
	free(certificate);
}

/* ---- Two for one key ---- */

static struct certificate *valid(const char *from, const char *to)
{
	X509 *x509 = make();

	assert_true(ASN1_TIME_set_string(X509_getm_notBefore(x509), from));
	assert_true(ASN1_TIME_set_string(X509_getm_notAfter(x509), to));
	return read_it(x509);
}

/* The one that ends then is chosen, in whatever order they come, and knows of the other. */
static void assert_chosen(const char *const one[2], const char *const other[2], uint64_t not_after)
{
	for (int i = 0; i < 2; i++) {
		struct certificate *first = valid(one[0], one[1]);
		struct certificate *second = valid(other[0], other[1]);
		struct certificate *chosen =
			certificate_choose(i ? first : second, i ? second : first, NOW);

		assert_true(chosen->said.not_after == not_after);
		assert_int_equal(chosen->said.others, 1);
		assert_string_equal(chosen->said.subject, "Ada");
		free(chosen);
	}
}

static void of_two_the_valid_one_is_chosen_and_then_the_longer_one(void **state)
{
	static const char *const expired[] = {"20100101000000Z", "20200101000000Z"};
	static const char *const now[] = {"20200101000000Z", "20300101000000Z"};
	static const char *const longer[] = {"20200101000000Z", "20400101000000Z"};
	static const char *const later[] = {"20350101000000Z", "20500101000000Z"};
	struct certificate *alone = valid(now[0], now[1]);

	(void)state;
	assert_chosen(expired, now, 1893456000);
	assert_chosen(now, longer, 2208988800);
	assert_chosen(now, later, 1893456000);
	assert_chosen(expired, later, 2524608000);
	assert_ptr_equal(certificate_choose(alone, NULL, NOW), alone);
	assert_ptr_equal(certificate_choose(NULL, alone, NOW), alone);
	assert_null(certificate_choose(NULL, NULL, NOW));
	free(alone);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_times_and_usages_are_taken),
		cmocka_unit_test(
			a_principal_goes_before_a_mail_address_and_that_before_a_common_name),
		cmocka_unit_test(without_a_common_name_the_whole_name_is_taken),
		cmocka_unit_test(control_characters_are_written_out),
		cmocka_unit_test(huge_names_are_cut_between_two_characters),
		cmocka_unit_test(thousands_of_alternative_names_are_passed_over),
		cmocka_unit_test(alternative_names_that_are_malformed_say_nothing),
		cmocka_unit_test(what_is_no_ascii_where_it_has_to_be_becomes_utf8),
		cmocka_unit_test(times_that_are_none_leave_a_certificate_unread),
		cmocka_unit_test(absurd_times_are_kept_in_their_range),
		cmocka_unit_test(usages_that_are_not_understood_leave_it_unread),
		cmocka_unit_test(usages_are_cut_to_what_fits_and_huge_ones_left_out),
		cmocka_unit_test(of_two_the_valid_one_is_chosen_and_then_the_longer_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * See certificate.h. The whole of it is at most ATTRIBUTE_MAX long, which bounds the work.
 */
#include "certificate.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/objects.h>
#include <openssl/x509v3.h>

#include <keystile/log.h>

#define OID_BYTES_MAX 64 /* what is longer takes OpenSSL long to write, and is nobody's */
#define OID_TEXT_MAX 256
/* Control characters as \XX; no other character is touched. */
#define PLAIN (ASN1_STRFLGS_UTF8_CONVERT | ASN1_STRFLGS_ESC_CTRL)
/* As RFC 4514 has it, the last part first. */
#define NAME (XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB)

/* ---- Texts ---- */

/* What was written to bio, cut between two characters of UTF-8. */
static void take_text(BIO *bio, char out[static KS_CERTIFICATE_TEXT_MAX + 1])
{
	char *text;
	long whole = BIO_get_mem_data(bio, &text);
	size_t len = whole > 0 ? (size_t)whole : 0;

	if (len > KS_CERTIFICATE_TEXT_MAX) {
		len = KS_CERTIFICATE_TEXT_MAX;
		while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80)
			len--;
	}
	if (len > 0) /* or there may be no text at all */
		memcpy(out, text, len);
	out[len] = '\0';
}

static void put_string(const ASN1_STRING *string, char out[static KS_CERTIFICATE_TEXT_MAX + 1])
{
	BIO *bio = BIO_new(BIO_s_mem());

	if (bio && string && ASN1_STRING_print_ex(bio, string, PLAIN) >= 0)
		take_text(bio, out);
	BIO_free(bio);
}

static void put_name(const X509_NAME *name, char out[static KS_CERTIFICATE_TEXT_MAX + 1])
{
	BIO *bio = BIO_new(BIO_s_mem());

	if (bio && X509_NAME_print_ex(bio, name, 0, NAME) >= 0)
		take_text(bio, out);
	BIO_free(bio);
}

/* The last one counts, as the most specific. */
static void put_common_name(const X509_NAME *name, char out[static KS_CERTIFICATE_TEXT_MAX + 1])
{
	int at = -1, next = X509_NAME_get_index_by_NID(name, NID_commonName, -1);

	while (next >= 0) {
		at = next;
		next = X509_NAME_get_index_by_NID(name, NID_commonName, at);
	}
	if (at >= 0)
		put_string(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)), out);
}

/* ---- Whose it is ---- */

/* A user principal name, as Windows' logon has it; NULL: this name is another one. */
static const ASN1_STRING *principal_of(const GENERAL_NAME *name)
{
	const OTHERNAME *other = name->type == GEN_OTHERNAME ? name->d.otherName : NULL;

	if (!other || OBJ_obj2nid(other->type_id) != NID_ms_upn || !other->value ||
		other->value->type != V_ASN1_UTF8STRING)
		return NULL;
	return other->value->value.utf8string;
}

static const ASN1_STRING *mail_of(const GENERAL_NAME *name)
{
	return name->type == GEN_EMAIL ? name->d.rfc822Name : NULL;
}

/* The first one of its kind that says anything. */
static void put_alternative(const GENERAL_NAMES *names,
	const ASN1_STRING *(*find)(const GENERAL_NAME *name),
	char out[static KS_CERTIFICATE_TEXT_MAX + 1])
{
	for (int i = 0; i < sk_GENERAL_NAME_num(names) && out[0] == '\0'; i++) {
		const ASN1_STRING *string = find(sk_GENERAL_NAME_value(names, i));

		if (string)
			put_string(string, out);
	}
}

static void put_subject(const X509 *x509, char out[static KS_CERTIFICATE_TEXT_MAX + 1])
{
	GENERAL_NAMES *names = X509_get_ext_d2i(x509, NID_subject_alt_name, NULL, NULL);

	if (names) {
		put_alternative(names, principal_of, out);
		put_alternative(names, mail_of, out);
	}
	GENERAL_NAMES_free(names);
	if (out[0] == '\0')
		put_common_name(X509_get_subject_name(x509), out);
	if (out[0] == '\0')
		put_name(X509_get_subject_name(x509), out);
}

/* ---- What for, and how long ---- */

/* False where it does not fit any more. */
static bool put_usage(const ASN1_OBJECT *usage, char out[static KS_USAGES_MAX + 1])
{
	char oid[OID_TEXT_MAX];
	size_t used = strlen(out);
	int len;

	if (OBJ_length(usage) == 0 || OBJ_length(usage) > OID_BYTES_MAX)
		return false;
	len = OBJ_obj2txt(oid, sizeof(oid), usage, 1);
	if (len <= 0 || len >= (int)sizeof(oid) || used + (size_t)len + 1 > KS_USAGES_MAX)
		return false;
	if (used > 0)
		out[used++] = ',';
	memcpy(out + used, oid, (size_t)len + 1);
	return true;
}

/* What is not understood must not look like a certificate that restricts nothing. */
static bool put_usages(const X509 *x509, char out[static KS_USAGES_MAX + 1])
{
	int found;
	EXTENDED_KEY_USAGE *usages = X509_get_ext_d2i(x509, NID_ext_key_usage, &found, NULL);
	bool good = usages || found == -1;

	for (int i = 0; usages && i < sk_ASN1_OBJECT_num(usages); i++)
		if (!put_usage(sk_ASN1_OBJECT_value(usages, i), out))
			log_debug("a usage of a certificate on the token is left out");
	good = good && (!usages || out[0] != '\0');
	EXTENDED_KEY_USAGE_free(usages);
	return good;
}

/* Before 1970 is 1970: nobody compares anything with an earlier time. */
static bool read_time(const ASN1_TIME *time, uint64_t *out)
{
	struct tm parts;
	time_t seconds;

	if (!time || !ASN1_TIME_to_tm(time, &parts))
		return false;
	seconds = timegm(&parts);
	*out = seconds > 0 ? (uint64_t)seconds : 0;
	return *out <= KS_TIME_MAX;
}

struct certificate *certificate_read(X509 *x509)
{
	struct certificate *certificate = calloc(1, sizeof(*certificate));
	struct ks_certificate *said = certificate ? &certificate->said : NULL;

	if (!certificate)
		return NULL;
	if (!read_time(X509_get0_notBefore(x509), &said->not_before) ||
		!read_time(X509_get0_notAfter(x509), &said->not_after) ||
		!put_usages(x509, certificate->usages)) {
		log_info("a certificate on the token has times or usages that can't be read");
		free(certificate);
		return NULL;
	}
	put_subject(x509, certificate->subject);
	put_name(X509_get_issuer_name(x509), certificate->issuer);
	put_common_name(X509_get_issuer_name(x509), certificate->issuer_name);
	said->subject = certificate->subject;
	said->issuer = certificate->issuer;
	said->issuer_name = certificate->issuer_name;
	said->usages = certificate->usages;
	return certificate;
}

/* ---- Two for one key ---- */

static bool is_valid(const struct certificate *certificate, uint64_t now)
{
	return certificate->said.not_before <= now && now <= certificate->said.not_after;
}

static bool is_better(
	const struct certificate *candidate, const struct certificate *known, uint64_t now)
{
	if (is_valid(candidate, now) != is_valid(known, now))
		return is_valid(candidate, now);
	return candidate->said.not_after > known->said.not_after;
}

struct certificate *certificate_choose(
	struct certificate *one, struct certificate *other, uint64_t now)
{
	struct certificate *chosen, *left;

	if (!one || !other)
		return one ? one : other;
	chosen = is_better(other, one, now) ? other : one;
	left = chosen == one ? other : one;
	chosen->said.others += left->said.others + 1;
	free(left);
	return chosen;
}

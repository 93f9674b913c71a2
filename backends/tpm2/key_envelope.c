/*
 * The envelope by OpenSSL's ASN.1 templates, so that no parser of ours meets a hostile file.
 */
#include "key_envelope.h"

#include <limits.h>
#include <string.h>

#include <openssl/asn1t.h>
#include <openssl/err.h>
#include <openssl/objects.h>

struct key_sequence {
	ASN1_OBJECT *type;
	ASN1_BOOLEAN empty_auth; /* -1: not there */
	STACK_OF(ASN1_TYPE) * policy;
	ASN1_OCTET_STRING *secret;
	STACK_OF(ASN1_TYPE) * auth_policy;
	ASN1_UTF8STRING *description;
	ASN1_BOOLEAN rsa_parent;
	ASN1_INTEGER *parent;
	ASN1_OCTET_STRING *public;
	ASN1_OCTET_STRING *private;
};

/* clang-format off */
ASN1_SEQUENCE(key_sequence) = {
	ASN1_SIMPLE(struct key_sequence, type, ASN1_OBJECT),
	ASN1_EXP_OPT(struct key_sequence, empty_auth, ASN1_BOOLEAN, 0),
	ASN1_EXP_SEQUENCE_OF_OPT(struct key_sequence, policy, ASN1_ANY, 1),
	ASN1_EXP_OPT(struct key_sequence, secret, ASN1_OCTET_STRING, 2),
	ASN1_EXP_SEQUENCE_OF_OPT(struct key_sequence, auth_policy, ASN1_ANY, 3),
	ASN1_EXP_OPT(struct key_sequence, description, ASN1_UTF8STRING, 4),
	ASN1_EXP_OPT(struct key_sequence, rsa_parent, ASN1_BOOLEAN, 5),
	ASN1_SIMPLE(struct key_sequence, parent, ASN1_INTEGER),
	ASN1_SIMPLE(struct key_sequence, public, ASN1_OCTET_STRING),
	ASN1_SIMPLE(struct key_sequence, private, ASN1_OCTET_STRING),
} static_ASN1_SEQUENCE_END_name(struct key_sequence, key_sequence)
	/* clang-format on */

	static const char *const type_names[] = {
		[KEY_ENVELOPE_OTHER] = NULL,
		[KEY_ENVELOPE_LOADABLE] = "2.23.133.10.1.3",
		[KEY_ENVELOPE_IMPORTABLE] = "2.23.133.10.1.4",
		[KEY_ENVELOPE_SEALED] = "2.23.133.10.1.5",
};

#define TYPE_COUNT (sizeof(type_names) / sizeof(type_names[0]))

static enum key_envelope_type type_of(const ASN1_OBJECT *object)
{
	char name[64];
	int len = OBJ_obj2txt(name, sizeof(name), object, 1);

	for (size_t i = 1; len > 0 && i < TYPE_COUNT; i++)
		if (strcmp(name, type_names[i]) == 0)
			return (enum key_envelope_type)i;
	return KEY_ENVELOPE_OTHER;
}

static struct bytes content(const ASN1_STRING *string)
{
	if (string == NULL)
		return BYTES(NULL, 0);
	return BYTES(ASN1_STRING_get0_data(string), (size_t)ASN1_STRING_length(string));
}

bool key_envelope_read(struct bytes der, struct key_envelope *out)
{
	const unsigned char *at = der.data;
	struct key_sequence *parsed;

	*out = (struct key_envelope){0};
	if (der.len > LONG_MAX)
		return false;
	parsed = (struct key_sequence *)ASN1_item_d2i(
		NULL, &at, (long)der.len, ASN1_ITEM_rptr(key_sequence));
	ERR_clear_error();
	out->parsed = parsed;
	if (parsed == NULL || at != der.data + der.len) {
		key_envelope_deinit(out);
		return false;
	}
	out->type = type_of(parsed->type);
	out->empty_auth = parsed->empty_auth > 0;
	out->has_policy = parsed->policy != NULL || parsed->auth_policy != NULL;
	out->rsa_parent = parsed->rsa_parent > 0;
	if (ASN1_INTEGER_get_uint64(&out->parent, parsed->parent) != 1)
		out->parent = UINT64_MAX;
	ERR_clear_error();
	out->public = content(parsed->public);
	out->private = content(parsed->private);
	out->secret = content(parsed->secret);
	out->description = content(parsed->description);
	return true;
}

void key_envelope_deinit(struct key_envelope *envelope)
{
	if (envelope->parsed != NULL)
		ASN1_item_free((ASN1_VALUE *)envelope->parsed, ASN1_ITEM_rptr(key_sequence));
	*envelope = (struct key_envelope){0};
}

static bool set_string(ASN1_STRING *string, struct bytes bytes)
{
	return bytes.len <= INT_MAX && ASN1_STRING_set(string, bytes.data, (int)bytes.len) == 1;
}

/* Optional ones are not there where they are empty. */
static bool set_optional(ASN1_STRING **string, int type, struct bytes bytes)
{
	if (bytes.len == 0)
		return true;
	*string = ASN1_STRING_type_new(type);
	return *string != NULL && set_string(*string, bytes);
}

static bool fill(struct key_sequence *sequence, const struct key_envelope *envelope)
{
	ASN1_OBJECT_free(sequence->type);
	sequence->type = OBJ_txt2obj(type_names[envelope->type], 1);
	/* Always there: tpm2-openssl takes a missing one for true. */
	sequence->empty_auth = envelope->empty_auth ? 0xff : 0;
	sequence->rsa_parent = envelope->rsa_parent ? 0xff : -1;
	return sequence->type != NULL &&
	       ASN1_INTEGER_set_uint64(sequence->parent, envelope->parent) == 1 &&
	       set_string(sequence->public, envelope->public) &&
	       set_string(sequence->private, envelope->private) &&
	       set_optional(&sequence->secret, V_ASN1_OCTET_STRING, envelope->secret) &&
	       set_optional(&sequence->description, V_ASN1_UTF8STRING, envelope->description);
}

bool key_envelope_put(const struct key_envelope *envelope, struct buf *out)
{
	struct key_sequence *sequence;
	unsigned char *der = NULL;
	int len = -1;

	if (envelope->type == KEY_ENVELOPE_OTHER)
		return false;
	sequence = (struct key_sequence *)ASN1_item_new(ASN1_ITEM_rptr(key_sequence));
	if (sequence != NULL && fill(sequence, envelope))
		len = ASN1_item_i2d(
			(const ASN1_VALUE *)sequence, &der, ASN1_ITEM_rptr(key_sequence));
	if (len > 0)
		buf_put(out, BYTES(der, (size_t)len));
	OPENSSL_free(der);
	ASN1_item_free((ASN1_VALUE *)sequence, ASN1_ITEM_rptr(key_sequence));
	ERR_clear_error();
	return len > 0;
}

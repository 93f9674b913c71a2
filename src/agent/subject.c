/*
 * Recognises what a client wants signed. Strict on purpose: a form with one byte left over
 * is no form, since what is recognised is allowed more than what is not.
 */
#include "subject.h"

#include <string.h>

#define SSH_MSG_USERAUTH_REQUEST 50
#define SSHSIG_MAGIC "SSHSIG"

static bool holds_nul(struct bytes text)
{
	return text.len > 0 && memchr(text.data, '\0', text.len) != NULL;
}

/* ssh has a certificate in a file and its key in the agent, and asks for that key. */
static bool certifies(struct bytes blob, struct bytes algorithm, const struct public_key *key)
{
	struct public_key *certificate = NULL;
	bool result = false;

	if (key->certificate || public_key_parse(blob, &certificate) != KS_OK)
		return false;
	result = certificate->certificate && certificate->certificate_type == CERTIFICATE_USER &&
		 bytes_equal(buf_bytes(&certificate->plain), buf_bytes(&key->plain)) &&
		 public_key_takes_algorithm(certificate, algorithm);
	public_key_free(&certificate);
	return result;
}

static bool parse_login(struct bytes data, struct bytes key_blob, const struct public_key *key,
	struct subject *subject)
{
	struct reader reader = reader_of(data);
	struct bytes service;
	struct bytes method;
	struct bytes algorithm;
	struct bytes blob;
	uint8_t message;
	uint8_t has_signature;

	subject->session_id = reader_string(&reader);
	message = reader_u8(&reader);
	subject->user = reader_string(&reader);
	service = reader_string(&reader);
	method = reader_string(&reader);
	has_signature = reader_u8(&reader);
	algorithm = reader_string(&reader);
	blob = reader_string(&reader);
	subject->hostbound = bytes_equal_text(method, "publickey-hostbound-v00@openssh.com");
	if (subject->hostbound)
		subject->host_key = reader_string(&reader);
	if (!bytes_equal(blob, key_blob))
		subject->by_certificate = certifies(blob, algorithm, key);
	return reader_end(&reader) == KS_OK && subject->session_id.len > 0 &&
	       message == SSH_MSG_USERAUTH_REQUEST && !holds_nul(subject->user) &&
	       bytes_equal_text(service, "ssh-connection") &&
	       (subject->hostbound || bytes_equal_text(method, "publickey")) &&
	       has_signature == 1 &&
	       (subject->by_certificate ||
		       (bytes_equal(blob, key_blob) && public_key_takes_algorithm(key, algorithm)));
}

static bool parse_sshsig(struct bytes data, struct subject *subject)
{
	struct reader reader = reader_of(data);
	struct bytes magic = reader_raw(&reader, strlen(SSHSIG_MAGIC));
	struct bytes hash;

	subject->sign_namespace = reader_string(&reader);
	(void)reader_string(&reader); /* reserved */
	subject->hash_name = reader_string(&reader);
	hash = reader_string(&reader);
	return reader_end(&reader) == KS_OK && bytes_equal_text(magic, SSHSIG_MAGIC) &&
	       subject->sign_namespace.len > 0 && !holds_nul(subject->sign_namespace) &&
	       hash.len > 0;
}

/* How many strings make up the key in a certificate of that type; 0: no such type. */
static unsigned certificate_key_fields(struct bytes type)
{
	static const struct {
		const char *type;
		unsigned fields;
	} types[] = {
		{"ssh-ed25519-cert-v01@openssh.com", 1},
		{"ssh-rsa-cert-v01@openssh.com", 2},
		{"ssh-dss-cert-v01@openssh.com", 4},
		{"ecdsa-sha2-nistp256-cert-v01@openssh.com", 2},
		{"ecdsa-sha2-nistp384-cert-v01@openssh.com", 2},
		{"ecdsa-sha2-nistp521-cert-v01@openssh.com", 2},
		{"sk-ssh-ed25519-cert-v01@openssh.com", 2},
		{"sk-ecdsa-sha2-nistp256-cert-v01@openssh.com", 3},
	};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (bytes_equal_text(type, types[i].type))
			return types[i].fields;
	return 0;
}

/* Everything of a certificate but its signature (PROTOCOL.certkeys). */
static bool parse_certificate(struct bytes data)
{
	struct reader reader = reader_of(data);
	unsigned fields = certificate_key_fields(reader_string(&reader));
	struct bytes nonce = reader_string(&reader);
	uint32_t type;

	for (unsigned i = 0; i < fields; i++)
		(void)reader_string(&reader);
	(void)reader_u64(&reader); /* serial number */
	type = reader_u32(&reader);
	(void)reader_string(&reader); /* key id */
	(void)reader_string(&reader); /* principals */
	(void)reader_u64(&reader);    /* valid after */
	(void)reader_u64(&reader);    /* valid before */
	for (int i = 0; i < 4; i++)   /* critical options, extensions, reserved, authority's key */
		(void)reader_string(&reader);
	return reader_end(&reader) == KS_OK && fields > 0 && nonce.len > 0 &&
	       (type == 1 || type == 2);
}

void subject_parse(struct bytes data, struct bytes key_blob, const struct public_key *key,
	struct subject *subject)
{
	*subject = (struct subject){.kind = SUBJECT_LOGIN};
	if (parse_login(data, key_blob, key, subject))
		return;
	*subject = (struct subject){.kind = SUBJECT_SSHSIG};
	if (parse_sshsig(data, subject))
		return;
	*subject = (struct subject){
		.kind = parse_certificate(data) ? SUBJECT_CERTIFICATE : SUBJECT_UNRECOGNISED};
}

/*
 * Messages of clients, and what they want signed.
 */
#include <string.h>

#include <keystile/cleanup.h>
#include <keystile/text.h>

#include "../unit/add_vectors.h"
#include "../unit/constraint_maker.h"
#include "../unit/key_vectors.h"
#include "../unit/vector.h"
#include "corpus.h"

/* ---- Messages of clients: the type, then the body ---- */

static void put_login(struct buf *out, const struct key_vector *vector, struct bytes host_key)
{
	AUTO(buf) blob = {0};

	vector_put(&blob, vector->blob);
	buf_put_text(out, "the session id");
	buf_put_u8(out, 50);
	buf_put_text(out, "joe");
	buf_put_text(out, "ssh-connection");
	buf_put_text(out, host_key.len > 0 ? "publickey-hostbound-v00@openssh.com" : "publickey");
	buf_put_u8(out, 1);
	buf_put_text(out, vector->algorithm);
	buf_put_string(out, buf_bytes(&blob));
	if (host_key.len > 0)
		buf_put_string(out, host_key);
}

static bool write_sign(const char *folder, const char *what, const struct key_vector *vector,
	struct bytes data, uint32_t flags)
{
	AUTO(text) name = text_format("sign-%s-%s", what, vector->algorithm);
	AUTO(buf) blob = {0}, out = {0};

	vector_put(&blob, vector->blob);
	buf_put_u8(&out, 13);
	buf_put_string(&out, buf_bytes(&blob));
	buf_put_string(&out, data);
	buf_put_u32(&out, flags);
	return name && buf_status(&blob) == KS_OK && buf_status(&out) == KS_OK &&
	       corpus_file(folder, name, buf_bytes(&out));
}

/* What an authority signs: the certificate up to its own key. */
static void put_certificate_body(struct buf *out, const struct key_vector *vector)
{
	AUTO(buf) certificate = {0}, authority = {0};
	const uint8_t *at;

	vector_put(&certificate, vector->user_certificate);
	vector_put(&authority, vector_authority_ed25519);
	at = memmem(certificate.data, certificate.len, authority.data, authority.len);
	if (at == NULL)
		out->failed = true;
	else
		buf_put(out,
			BYTES(certificate.data, (size_t)(at - certificate.data) + authority.len));
}

static bool write_signs(const char *folder, const struct key_vector *vector, uint32_t flags)
{
	AUTO(buf) login = {0}, hostbound = {0}, sshsig = {0}, certificate = {0};

	put_login(&login, vector, BYTES(NULL, 0));
	put_login(&hostbound, vector, bytes_of("a host key"));
	vector_put(&sshsig, vector_signed_data);
	put_certificate_body(&certificate, vector);
	return buf_status(&certificate) == KS_OK &&
	       write_sign(folder, "login", vector, buf_bytes(&login), flags) &&
	       write_sign(folder, "hostbound", vector, buf_bytes(&hostbound), flags) &&
	       write_sign(folder, "sshsig", vector, buf_bytes(&sshsig), flags) &&
	       write_sign(folder, "certificate", vector, buf_bytes(&certificate), flags) &&
	       write_sign(folder, "unrecognised", vector, bytes_of("anything"), flags);
}

/* The rest are texts, and what follows them. */
struct plain_message {
	const char *name;
	uint8_t type;
	const char *texts[2];
	struct bytes rest;
};

static const struct plain_message plain_messages[] = {
	{"list", 11, {NULL, NULL}, {NULL, 0}},
	{"remove", 18, {"a blob", NULL}, {NULL, 0}},
	{"add-token", 20, {"/usr/lib/module.so", "1234"}, {NULL, 0}},
	{"remove-token", 21, {"/usr/lib/module.so", ""}, {NULL, 0}},
	{"add-token-confirm", 26, {"/usr/lib/module.so", "1234"}, BYTES((const uint8_t *)"\2", 1)},
	{"add-token-lifetime", 26, {"/usr/lib/module.so", ""},
		BYTES((const uint8_t *)"\1\0\0\0\12\2", 6)},
	{"add-token-extension", 26, {"/usr/lib/module.so", ""},
		BYTES((const uint8_t *)"\377\0\0\0\1x\0\0\0\0", 10)},
	{"lock", 22, {"a password", NULL}, {NULL, 0}},
	{"unlock", 23, {"a password", NULL}, {NULL, 0}},
	{"query", 27, {"query", NULL}, {NULL, 0}},
	{"session-bind", 27, {"session-bind@openssh.com", "a host key"}, {NULL, 0}},
};

static bool write_plain(const char *folder, const struct plain_message *message)
{
	AUTO(buf) out = {0};

	buf_put_u8(&out, message->type);
	for (size_t i = 0; i < 2 && message->texts[i] != NULL; i++)
		buf_put_text(&out, message->texts[i]);
	buf_put(&out, message->rest);
	return buf_status(&out) == KS_OK && corpus_file(folder, message->name, buf_bytes(&out));
}

static bool write_adds(const char *folder)
{
	for (size_t i = 0; i < ADD_VECTOR_COUNT; i++) {
		AUTO(buf) message = {0};

		vector_put(&message, add_vectors[i].message);
		if (buf_status(&message) != KS_OK ||
			!corpus_file(folder, add_vectors[i].name, buf_bytes(&message)))
			return false;
	}
	return true;
}

/* A security key with its middleware, which takes an authenticator to make one for ssh-add. */
static bool write_add_security_key(const char *folder)
{
	AUTO(buf) out = {0};

	buf_put_u8(&out, 25);
	buf_put_text(&out, "sk-ssh-ed25519@openssh.com");
	buf_put_text(&out, "a public key with thirty-two byt");
	buf_put_text(&out, "ssh:");
	buf_put_u8(&out, 1);
	buf_put_text(&out, "a handle");
	buf_put_text(&out, "");
	buf_put_text(&out, "a comment");
	extension_put(&out, "sk-provider@openssh.com");
	buf_put_text(&out, "/usr/lib/middleware.so");
	return buf_status(&out) == KS_OK &&
	       corpus_file(folder, "add_security_key", buf_bytes(&out));
}

bool corpus_messages(const char *folder)
{
	for (size_t i = 0; i < sizeof(plain_messages) / sizeof(plain_messages[0]); i++)
		if (!write_plain(folder, &plain_messages[i]))
			return false;
	for (size_t i = 0; i < KEY_VECTOR_COUNT; i++) {
		const struct key_vector *vector = &key_vectors[i];

		if ((vector->kind == KEY_ED25519 || vector->kind == KEY_RSA) &&
			!write_signs(folder, vector, 2))
			return false;
	}
	return write_adds(folder) && write_add_security_key(folder);
}

/* ---- Subjects: the key's blob, then what is to be signed ---- */

static bool write_subject(
	const char *folder, const char *what, const struct key_vector *vector, struct bytes data)
{
	AUTO(text) name = text_format("%s-%s", what, vector->algorithm);
	AUTO(buf) blob = {0}, out = {0};

	vector_put(&blob, vector->blob);
	buf_put_string(&out, buf_bytes(&blob));
	buf_put(&out, data);
	return name && buf_status(&blob) == KS_OK && buf_status(&out) == KS_OK &&
	       corpus_file(folder, name, buf_bytes(&out));
}

bool corpus_subjects(const char *folder)
{
	for (size_t i = 0; i < KEY_VECTOR_COUNT; i++) {
		const struct key_vector *vector = &key_vectors[i];
		AUTO(buf) login = {0}, hostbound = {0}, sshsig = {0}, certificate = {0};

		put_login(&login, vector, BYTES(NULL, 0));
		put_login(&hostbound, vector, bytes_of("a host key"));
		vector_put(&sshsig, vector_signed_data);
		put_certificate_body(&certificate, vector);
		if (!write_subject(folder, "login", vector, buf_bytes(&login)) ||
			!write_subject(folder, "hostbound", vector, buf_bytes(&hostbound)) ||
			!write_subject(folder, "sshsig", vector, buf_bytes(&sshsig)) ||
			!write_subject(folder, "certificate", vector, buf_bytes(&certificate)))
			return false;
	}
	return true;
}

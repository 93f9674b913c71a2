/*
 * What the verbs have in common: reading requests, and doing something in a TPM within a session.
 */
#include "admin.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include <keystile/cleanup.h>
#include <keystile/text.h>

#include "key_blob.h"
#include "load.h"
#include "session.h"

/* ---- The request ---- */

const char *admin_text(const struct admin *admin, const char *name)
{
	const char *text = json_string_value(json_object_get(admin->request, name));

	return text != NULL ? text : "";
}

bool admin_flag(const struct admin *admin, const char *name)
{
	return json_is_true(json_object_get(admin->request, name));
}

enum ks_error admin_parent(const struct admin *admin, struct tpm_parent *out)
{
	static const struct {
		const char *name;
		TPM2_HANDLE handle;
	} hierarchies[] = {{"", TPM2_RH_OWNER}, {"owner", TPM2_RH_OWNER},
		{"endorsement", TPM2_RH_ENDORSEMENT}, {"platform", TPM2_RH_PLATFORM},
		{"null", TPM2_RH_NULL}};
	const char *text = admin_text(admin, "parent");
	char *end = NULL;
	unsigned long handle = strtoul(text, &end, 16);

	*out = (struct tpm_parent){.template = admin_flag(admin, "rsa_parent")
						       ? TPM_TEMPLATE_RSA_2048
						       : TPM_TEMPLATE_ECC_P256};
	for (size_t i = 0; i < sizeof(hierarchies) / sizeof(hierarchies[0]); i++) {
		if (strcmp(hierarchies[i].name, text) == 0) {
			out->handle = hierarchies[i].handle;
			return KS_OK;
		}
	}
	if (strncmp(text, "0x81", 4) == 0 && *end == '\0' && handle <= TPM_PERSISTENT_LAST) {
		out->handle = (TPM2_HANDLE)handle;
		return KS_OK;
	}
	ks_explain(admin->operation,
		"a parent is owner, endorsement, platform, null, or the handle of "
		"a persistent key, which begins with 0x81");
	return KS_BAD_INPUT;
}

enum ks_error admin_new_pin(struct admin *admin, const char *flag, TPM2B_AUTH *out)
{
	struct bytes pin;

	*out = (TPM2B_AUTH){0};
	if (!admin_flag(admin, flag))
		return KS_OK;
	pin = reader_string(&admin->secrets);
	if (admin->secrets.failed || pin.len == 0)
		return KS_BAD_INPUT;
	if (pin.len > TPM2_SHA256_DIGEST_SIZE) {
		ks_explain(admin->operation, "a TPM takes PINs of %d bytes at the most",
			TPM2_SHA256_DIGEST_SIZE);
		return KS_BAD_INPUT;
	}
	memcpy(out->buffer, pin.data, pin.len);
	out->size = (UINT16)pin.len;
	return KS_OK;
}

static enum ks_error take_file(const struct tpm_key_file *file, struct tpm_key *out)
{
	enum ks_error error = tpm_key_blob(&file->public.publicArea, &out->blob);

	out->importable = file->kind == TPM_KEY_IMPORTABLE;
	out->parent.handle = file->parent;
	out->parent.template = file->rsa_parent ? TPM_TEMPLATE_RSA_2048 : TPM_TEMPLATE_ECC_P256;
	out->public = file->public;
	out->private = file->private;
	out->seed = file->secret;
	out->pin = file->empty_auth ? TPM_PIN_DENIED : TPM_PIN_SET;
	out->counted = (file->public.publicArea.objectAttributes & TPMA_OBJECT_NODA) == 0;
	out->label = strdup(file->description != NULL ? file->description : "");
	return error == KS_OK && out->label == NULL ? KS_NO_MEMORY : error;
}

enum ks_error admin_key(struct admin *admin, struct tpm_key *out)
{
	const char *text = admin_text(admin, "file");
	const char *wrong = NULL;
	struct tpm_key_file file;
	enum ks_error error;

	*out = (struct tpm_key){.loaded = ESYS_TR_NONE, .tries_left = KS_TRIES_UNKNOWN};
	error = tpm_key_file_parse(bytes_of(text), &file, &wrong);
	if (error != KS_OK) {
		ks_explain(admin->operation, "the file %s", wrong);
		return error;
	}
	error = take_file(&file, out);
	tpm_key_file_deinit(&file);
	if (error == KS_OK)
		return KS_OK;
	ks_explain(admin->operation, "the file holds a kind or size of key that SSH does not use");
	tpm_key_deinit(out);
	return error;
}

/* ---- In the TPM ---- */

bool admin_is_refusal(TSS2_RC code)
{
	const enum tpm_trouble trouble = tpm_trouble(code);

	return trouble == TPM_AUTH_COUNTED || trouble == TPM_AUTH_FREE || trouble == TPM_LOCKED;
}

void admin_explain_password(struct admin *admin, const char *option)
{
	ks_explain(admin->operation,
		"the TPM wants a password for what is above the key, and has none or a wrong one: "
		"%s "
		"asks for it",
		option);
}

struct in_session {
	struct admin *admin;
	const struct admin_use *use;
	struct tpm_step step;
	bool refused;
};

/* The parent is there as well: the session was begun just now, as nothing was held before. */
static TSS2_RC run_in_session(struct held *held, struct tpm_key *key, void *context)
{
	struct in_session *in = context;
	bool own_auth = !tpm_parent_is_hierarchy(in->use->parent->handle);
	TSS2_RC code;

	(void)key;
	in->step = load_session(held, in->admin->operation, in->use->parent);
	in->refused = admin_is_refusal(in->step.code);
	if (in->step.code != TSS2_RC_SUCCESS || in->step.error != KS_OK)
		return in->step.code;
	if (own_auth)
		(void)Esys_TR_SetAuth(held->tpm.esys, held->parent, &held->settings->parent_auth);
	code = in->use->run(in->admin, in->use->context);
	in->refused = admin_is_refusal(code);
	if (own_auth)
		tpm_clear_auth(held->tpm.esys, held->parent);
	return code;
}

enum ks_error admin_run(struct admin *admin, const struct admin_use *use)
{
	struct in_session in = {.admin = admin, .use = use};
	const struct tpm_use whole = {
		.run = run_in_session, .context = &in, .command = use->command, .once = true};
	enum tpm_trouble trouble;
	enum ks_error error = held_ask(&admin->held, admin->operation, &whole, &trouble);

	if (error != KS_OK && in.refused) {
		admin_explain_password(
			admin, use->option != NULL ? use->option : "--parent-password");
		return KS_NOT_ALLOWED;
	}
	return error == KS_OK ? in.step.error : error;
}

struct with_key {
	struct admin *admin;
	const struct admin_key_use *use;
};

static TSS2_RC run_with_key(struct held *held, struct tpm_key *key, void *context)
{
	struct with_key *with = context;
	TSS2_RC code = Esys_TR_SetAuth(held->tpm.esys, key->loaded, with->use->auth);

	if (code == TSS2_RC_SUCCESS)
		code = with->use->run(with->admin, key, with->use->context);
	tpm_clear_auth(held->tpm.esys, key->loaded);
	return code;
}

enum ks_error admin_run_key(
	struct admin *admin, struct tpm_key *key, const struct admin_key_use *use)
{
	struct with_key with = {.admin = admin, .use = use};
	const struct tpm_use whole = {
		.run = run_with_key, .context = &with, .command = use->command, .once = true};
	enum tpm_trouble trouble;

	return held_use(&admin->held, admin->operation, key, &whole, &trouble);
}

/* ---- The answer ---- */

json_t *admin_base64(struct bytes bytes)
{
	AUTO(text) text = malloc((bytes.len + 2) / 3 * 4 + 1);

	if (text == NULL)
		return NULL;
	EVP_EncodeBlock((unsigned char *)text, bytes.data, (int)bytes.len);
	return json_string(text);
}

enum ks_error admin_from_base64(const json_t *text, struct buf *out)
{
	const char *value = json_string_value(text);
	size_t len = value != NULL ? strlen(value) : 0;
	uint8_t *room = buf_reserve(out, len);
	int got;

	if (len == 0 || len % 4 != 0)
		return KS_BAD_INPUT;
	if (room == NULL)
		return KS_NO_MEMORY;
	got = EVP_DecodeBlock(room, (const unsigned char *)value, (int)len);
	if (got < 3)
		return KS_BAD_INPUT;
	got -= value[len - 1] == '=';
	got -= value[len - 2] == '=';
	out->len += (size_t)got;
	return KS_OK;
}

enum ks_error admin_put_public(json_t *object, const TPMT_PUBLIC *area)
{
	AUTO(buf) blob = {0};
	enum ks_error error = tpm_key_blob(area, &blob);
	struct public_key *parsed = NULL;
	AUTO(text) fingerprint = NULL;

	if (error == KS_OK)
		error = public_key_parse(buf_bytes(&blob), &parsed);
	if (error != KS_OK)
		return error;
	fingerprint = public_key_fingerprint(buf_bytes(&blob));
	int failed = json_object_set_new(object, "kind", json_string(key_kind_name(parsed->kind))) |
		     json_object_set_new(
			     object, "bits", json_integer((json_int_t)public_key_bits(parsed))) |
		     json_object_set_new(object, "fingerprint", json_string(fingerprint)) |
		     json_object_set_new(object, "public_key", admin_base64(buf_bytes(&blob)));
	public_key_free(&parsed);
	return failed == 0 ? KS_OK : KS_NO_MEMORY;
}

enum ks_error admin_put_file(struct admin *admin, const struct tpm_key_file *file)
{
	AUTO(buf) text = {0};
	enum ks_error error = tpm_key_file_put(file, &text);

	if (error == KS_OK)
		error = admin_put_public(admin->answer, &file->public.publicArea);
	if (error != KS_OK)
		return error;
	return json_object_set_new(
		       admin->answer, "file", json_stringn((const char *)text.data, text.len)) == 0
		       ? KS_OK
		       : KS_NO_MEMORY;
}

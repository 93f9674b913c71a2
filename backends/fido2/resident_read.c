/*
 * Reads from a security key what is on it for SSH (credential management, CTAP 2.1 section 6.8),
 * application by application.
 */
#include <string.h>

#include <fido/credman.h>

#include "perform.h"

#define SSH_PREFIX "ssh:"
#define P256_NUMBERS_BYTES 64
#define POINT_UNCOMPRESSED 4

/* What is being gathered. */
struct reading {
	fido_dev_t *device;
	const char *pin;
	struct buf *body;
	unsigned count;
};

/* The two numbers of a point on P-256 come without the byte that SSH has in front. */
static struct bytes point_of(
	const fido_cred_t *credential, uint8_t room[static 1 + P256_NUMBERS_BYTES])
{
	const uint8_t *bytes = fido_cred_pubkey_ptr(credential);
	size_t len = fido_cred_pubkey_len(credential);

	if (fido_cred_type(credential) != COSE_ES256 || len != P256_NUMBERS_BYTES)
		return BYTES(bytes, len);
	room[0] = POINT_UNCOMPRESSED;
	memcpy(room + 1, bytes, len);
	return BYTES(room, len + 1);
}

/*
 * ssh-keygen writes the name that a person gave (-O user=) into the id, filled up with zeros, and
 * the same name for everybody; other programs may write what they like.
 */
static struct bytes user_of(const fido_cred_t *credential)
{
	struct bytes name = bytes_of(fido_cred_user_name(credential));
	struct bytes id =
		BYTES(fido_cred_user_id_ptr(credential), fido_cred_user_id_len(credential));
	bool text = true;

	while (id.len > 0 && id.data[id.len - 1] == '\0')
		id.len--;
	for (size_t i = 0; i < id.len; i++)
		text = text && id.data[i] >= ' ' && id.data[i] < 0x7f;
	if (id.len > 0 && text)
		name = id;
	return name.len > TOKEN_USER_MAX ? BYTES(name.data, TOKEN_USER_MAX) : name;
}

static void put_credential(
	struct reading *reading, const char *application, const fido_cred_t *credential)
{
	uint8_t room[1 + P256_NUMBERS_BYTES];
	int type = fido_cred_type(credential);

	if ((type != COSE_ES256 && type != COSE_EDDSA) || reading->count >= TOKEN_CREDENTIALS_MAX)
		return;
	reading->count++;
	token_credential_encode(
		&(struct token_credential){.ed25519 = type == COSE_EDDSA,
			.hidden = fido_cred_prot(credential) == FIDO_CRED_PROT_UV_REQUIRED,
			.application = bytes_of(application),
			.handle = BYTES(fido_cred_id_ptr(credential), fido_cred_id_len(credential)),
			.point = point_of(credential, room),
			.user = user_of(credential)},
		reading->body);
}

static int read_application(struct reading *reading, const char *application)
{
	fido_credman_rk_t *found = fido_credman_rk_new();
	int code = FIDO_ERR_INTERNAL;

	if (found != NULL)
		code = fido_credman_get_dev_rk(reading->device, application, found, reading->pin);
	for (size_t i = 0; code == FIDO_OK && i < fido_credman_rk_count(found); i++)
		put_credential(reading, application, fido_credman_rk(found, i));
	fido_credman_rk_free(&found);
	/* Of one whose name the token has cut nothing is found. */
	return code == FIDO_ERR_NO_CREDENTIALS ? FIDO_OK : code;
}

static int read_all(struct reading *reading)
{
	fido_credman_rp_t *applications = fido_credman_rp_new();
	int code = FIDO_ERR_INTERNAL;

	if (applications != NULL)
		code = fido_credman_get_dev_rp(reading->device, applications, reading->pin);
	for (size_t i = 0; code == FIDO_OK && i < fido_credman_rp_count(applications); i++) {
		const char *name = fido_credman_rp_id(applications, i);

		if (name != NULL && strncmp(name, SSH_PREFIX, strlen(SSH_PREFIX)) == 0 &&
			reading->count < TOKEN_CREDENTIALS_MAX)
			code = read_application(reading, name);
	}
	fido_credman_rp_free(&applications);
	return code == FIDO_ERR_NO_CREDENTIALS ? FIDO_OK : code;
}

int resident_read(fido_dev_t *device, const char *pin, struct buf *body)
{
	struct reading reading = {.device = device, .pin = pin, .body = body};

	if (!fido_dev_is_fido2(device) || !fido_dev_supports_credman(device))
		return TOKEN_CODE_NO_LIST;
	return read_all(&reading);
}

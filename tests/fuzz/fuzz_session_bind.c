/*
 * Session binds on one connection, one after the other. The input is a list of steps: a bind that
 * a real host key signed, perhaps changed on its way, or bytes that are none. A model of the
 * rules says what each honest bind must give; the records must hold whatever comes.
 */
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include <keystile/cleanup.h>

#include "session_bind.h"

#define HOSTS 3
#define SIGNATURE_LEN ((size_t)64)
#define STEPS_MAX 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void require(bool holds)
{
	if (!holds)
		abort();
}

enum change { CHANGE_NOTHING, CHANGE_BYTE, CHANGE_CUT, CHANGE_APPEND, CHANGE_RAW, CHANGE_COUNT };

/* One step of the input. */
struct step {
	enum change change;
	uint8_t host;
	struct bytes session_id;
	uint8_t forwarding;
	uint16_t where;
	uint8_t value;
};

static EVP_PKEY *host_key(uint8_t number)
{
	uint8_t secret[32] = {1, number};
	EVP_PKEY *key =
		EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, secret, sizeof(secret));

	require(key != NULL);
	return key;
}

static void put_host_blob(struct buf *out, EVP_PKEY *key)
{
	require(public_key_put_pkey(out, key) == KS_OK);
}

static void put_signature(struct buf *out, EVP_PKEY *key, struct bytes session_id)
{
	uint8_t raw[SIGNATURE_LEN];
	size_t len = sizeof(raw);
	EVP_MD_CTX *context = EVP_MD_CTX_new();

	require(context != NULL && EVP_DigestSignInit(context, NULL, NULL, NULL, key) == 1 &&
		EVP_DigestSign(context, raw, &len, session_id.data, session_id.len) == 1);
	EVP_MD_CTX_free(context);
	require(signature_put(out, KS_ALGORITHM_ED25519, BYTES(raw, len)) == KS_OK);
}

/* The honest message; *covered is where the flag, which nothing proves, begins. */
static void put_bind(struct buf *out, const struct step *step, size_t *covered)
{
	EVP_PKEY *key = host_key(step->host);
	AUTO(buf) blob = {0}, signature = {0};

	put_host_blob(&blob, key);
	put_signature(&signature, key, step->session_id);
	buf_put_string(out, buf_bytes(&blob));
	buf_put_string(out, step->session_id);
	buf_put_string(out, buf_bytes(&signature));
	*covered = out->len;
	buf_put_u8(out, step->forwarding);
	require(buf_status(out) == KS_OK);
	EVP_PKEY_free(key);
}

static bool same_record(const struct session_bind *record, const struct step *step, bool *same_key)
{
	EVP_PKEY *key = host_key(step->host);
	AUTO(buf) blob = {0};

	put_host_blob(&blob, key);
	EVP_PKEY_free(key);
	*same_key = bytes_equal(buf_bytes(&record->host_key), buf_bytes(&blob));
	return bytes_equal(buf_bytes(&record->session_id), step->session_id);
}

/* The rules of CONFORMANCE, for a bind that a host has truly signed. */
static enum session_bind_result expected(const struct session_binds *binds, const struct step *step)
{
	bool repeat = false;

	if (step->session_id.len == 0 || step->session_id.len > SESSION_ID_MAX)
		return SESSION_BIND_UNVERIFIABLE;
	for (size_t i = 0; i < binds->count && !repeat; i++) {
		bool same_key;

		if (!binds->records[i].forwarding)
			return SESSION_BIND_REFUSED;
		if (!same_record(&binds->records[i], step, &same_key))
			continue;
		if (!same_key)
			return SESSION_BIND_REFUSED;
		repeat = true;
	}
	if (binds->failures >= SESSION_BIND_FAILURES)
		return SESSION_BIND_REFUSED;
	return repeat || binds->count < SESSION_BINDS_MAX ? SESSION_BIND_DONE
							  : SESSION_BIND_REFUSED;
}

/* True when what the host vouched for is not what was sent. */
static bool change(struct buf *message, const struct step *step, size_t covered)
{
	size_t where = step->where % message->len;

	switch (step->change) {
	case CHANGE_BYTE:
		message->data[where] ^= step->value;
		return step->value != 0 && where < covered;
	case CHANGE_CUT:
		message->len = where;
		return true;
	case CHANGE_APPEND:
		buf_put_u8(message, step->value);
		return false;
	case CHANGE_RAW:
		buf_clear(message);
		buf_put(message, step->session_id);
		return true;
	default:
		return false;
	}
}

static void check_records(const struct session_binds *binds)
{
	require(binds->attempted && binds->count <= SESSION_BINDS_MAX);
	for (size_t i = 0; i < binds->count; i++) {
		const struct session_bind *record = &binds->records[i];

		/* Nothing follows a record for authentication. */
		require(record->forwarding || i + 1 == binds->count);
		require(record->session_id.len >= 1 && record->session_id.len <= SESSION_ID_MAX);
		for (size_t other = 0; other < i; other++)
			require(!bytes_equal(buf_bytes(&record->session_id),
				buf_bytes(&binds->records[other].session_id)));
	}
	require(session_binds_last(binds) ==
		(binds->count ? &binds->records[binds->count - 1] : NULL));
}

static void take(struct session_binds *binds, const struct step *step)
{
	AUTO(buf) message = {0};
	size_t covered, before = binds->count;
	unsigned failures = binds->failures;
	enum session_bind_result wanted, result;
	bool forwarding = false, broken;

	put_bind(&message, step, &covered);
	broken = change(&message, step, covered);
	wanted = expected(binds, step);
	result = session_bind_add(binds, buf_bytes(&message), &forwarding);
	check_records(binds);
	require(binds->count == before ||
		(result == SESSION_BIND_DONE && binds->count == before + 1));
	require(binds->failures == failures + (result != SESSION_BIND_DONE));
	require(!broken || result != SESSION_BIND_DONE);
	require(broken || result == wanted);
	if (!broken && step->change != CHANGE_BYTE)
		require(forwarding == (step->forwarding != 0));
}

static bool read_step(struct reader *in, struct step *step)
{
	*step = (struct step){.change = (enum change)(reader_u8(in) % CHANGE_COUNT),
		.host = reader_u8(in) % HOSTS,
		.forwarding = reader_u8(in),
		.value = reader_u8(in)};
	step->where = (uint16_t)(reader_u8(in) << 1);
	step->session_id = reader_raw(in, reader_u8(in));
	return reader_status(in) == KS_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct reader in = reader_of(BYTES(data, len));
	struct session_binds binds = {0};
	struct step step;

	for (int i = 0; i < STEPS_MAX && in.left > 0 && read_step(&in, &step); i++)
		take(&binds, &step);
	session_binds_deinit(&binds);
	require(binds.count == 0 && session_binds_last(&binds) == NULL);
	return 0;
}

/*
 * Session binds: parse, verify, record, in the order that CONFORMANCE gives: what is cheap
 * to refuse is refused before a signature is verified.
 */
#include "session_bind.h"

#include <keystile/log.h>

#define HOST_KEY_RSA_BITS_MAX 8192

struct bind_message {
	struct bytes host_key;
	struct bytes session_id;
	struct bytes signature;
	bool forwarding;
};

/* What follows the flag is ignored, as ssh-agent does. */
static enum ks_error bind_message_parse(struct bytes bytes, struct bind_message *message)
{
	struct reader reader = reader_of(bytes);

	message->host_key = reader_string(&reader);
	message->session_id = reader_string(&reader);
	message->signature = reader_string(&reader);
	message->forwarding = reader_u8(&reader) != 0;
	return reader_status(&reader);
}

/* What is known of a host key once its signature was verified. */
struct host {
	bool certified;
	struct public_key *certificate; /* as in struct session_bind */
};

static bool authority_algorithm(enum ks_algorithm algorithm)
{
	return algorithm != KS_ALGORITHM_RSA_SHA1 && algorithm != KS_ALGORITHM_MLDSA44_ED25519 &&
	       algorithm != KS_ALGORITHM_MLDSA44_ED25519_EARLY;
}

/*
 * A certificate that its authority did not sign is no host key, as ssh-agent has it. One that was
 * signed with SHA-1, or in a way that OpenSSH does not take from authorities by default, is as good
 * as its key, and no more. What is kept is taken out of *key.
 */
static enum ks_error verify_certificate(
	struct public_key **key, struct bytes blob, struct host *host)
{
	struct signature_facts facts;
	enum ks_error error;

	host->certified = (*key)->certificate;
	if (!host->certified)
		return KS_OK;
	error = public_key_verify_certificate(*key, blob, PERMIT_RSA_SHA1, &facts);
	if (error == KS_OK && authority_algorithm(facts.algorithm)) {
		host->certificate = *key;
		*key = NULL;
	}
	return error;
}

static enum ks_error verify(const struct bind_message *message, struct host *host)
{
	struct public_key *key = NULL;
	enum ks_error error = public_key_parse(message->host_key, &key);

	if (error == KS_OK && key->kind == KEY_RSA && public_key_bits(key) > HOST_KEY_RSA_BITS_MAX)
		error = KS_UNSUPPORTED;
	if (error == KS_OK)
		error = public_key_verify(
			key, message->signature, message->session_id, PERMIT_NOTHING_OLD, NULL);
	if (error == KS_OK)
		error = verify_certificate(&key, message->host_key, host);
	public_key_free(&key);
	return error;
}

/* What the records say about a new bind, oldest first; CONTINUE when they say nothing. */
enum records_say { RECORDS_CONTINUE, RECORDS_REPEAT, RECORDS_REFUSE };

static enum records_say ask_records(
	const struct session_binds *binds, const struct bind_message *message)
{
	for (size_t i = 0; i < binds->count; i++) {
		const struct session_bind *record = &binds->records[i];

		if (!record->forwarding) {
			log_info("session bind refused: the connection was bound for "
				 "authentication before");
			return RECORDS_REFUSE;
		}
		if (!bytes_equal(buf_bytes(&record->session_id), message->session_id))
			continue;
		if (bytes_equal(buf_bytes(&record->host_key), message->host_key))
			return RECORDS_REPEAT;
		log_info("session bind refused: the session is bound to another host key");
		return RECORDS_REFUSE;
	}
	return RECORDS_CONTINUE;
}

static bool has_room_for(const struct session_binds *binds, size_t len)
{
	size_t sum = len;

	for (size_t i = 0; i < binds->count; i++)
		sum += binds->records[i].host_key.len;
	return sum <= SESSION_BIND_BYTES_MAX;
}

static void record_deinit(struct session_bind *entry)
{
	buf_deinit(&entry->host_key);
	buf_deinit(&entry->session_id);
	public_key_free(&entry->certificate);
}

/* Takes the host's certificate. */
static enum session_bind_result record(
	struct session_binds *binds, const struct bind_message *message, struct host *host)
{
	struct session_bind *entry = &binds->records[binds->count];

	buf_put(&entry->host_key, message->host_key);
	buf_put(&entry->session_id, message->session_id);
	entry->forwarding = message->forwarding;
	entry->certified = host->certified;
	entry->certificate = host->certificate;
	host->certificate = NULL;
	if (buf_status(&entry->host_key) != KS_OK || buf_status(&entry->session_id) != KS_OK) {
		record_deinit(entry);
		return SESSION_BIND_REFUSED;
	}
	binds->count++;
	return SESSION_BIND_DONE;
}

static enum session_bind_result add(struct session_binds *binds, const struct bind_message *message)
{
	enum records_say say = ask_records(binds, message);
	enum session_bind_result result = SESSION_BIND_DONE;
	struct host host = {0};
	enum ks_error error;

	if (message->session_id.len == 0 || message->session_id.len > SESSION_ID_MAX)
		return SESSION_BIND_UNVERIFIABLE;
	if (say == RECORDS_REFUSE)
		return SESSION_BIND_REFUSED;
	if (say == RECORDS_CONTINUE && binds->count == SESSION_BINDS_MAX) {
		log_info("session bind refused: the connection has %d already", SESSION_BINDS_MAX);
		return SESSION_BIND_REFUSED;
	}
	if (say == RECORDS_CONTINUE && !has_room_for(binds, message->host_key.len)) {
		log_info("session bind refused: the host keys of the connection are too long");
		return SESSION_BIND_REFUSED;
	}
	if (binds->failures >= SESSION_BIND_FAILURES)
		return SESSION_BIND_REFUSED;
	error = verify(message, &host);
	if (error != KS_OK) {
		log_info("session bind refused: the host's signature does not prove it (%s)",
			ks_error_text(error));
		return error == KS_REFUSED ? SESSION_BIND_REFUSED : SESSION_BIND_UNVERIFIABLE;
	}
	if (say == RECORDS_CONTINUE)
		result = record(binds, message, &host);
	public_key_free(&host.certificate);
	return result;
}

enum session_bind_result session_bind_add(
	struct session_binds *binds, struct bytes bytes, bool *forwarding)
{
	struct bind_message message = {0};
	enum session_bind_result result = SESSION_BIND_UNVERIFIABLE;

	binds->attempted = true;
	if (bind_message_parse(bytes, &message) == KS_OK)
		result = add(binds, &message);
	if (result != SESSION_BIND_DONE)
		binds->failures++;
	*forwarding = message.forwarding;
	return result;
}

void session_binds_deinit(struct session_binds *binds)
{
	for (size_t i = 0; i < binds->count; i++)
		record_deinit(&binds->records[i]);
	*binds = (struct session_binds){0};
}

const struct session_bind *session_binds_last(const struct session_binds *binds)
{
	return binds->count == 0 ? NULL : &binds->records[binds->count - 1];
}

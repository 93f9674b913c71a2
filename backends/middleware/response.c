/*
 * Answers of the library's process, and signatures made of them.
 */
#include "response.h"

#include <keystile/log.h>
#include <keystile/text.h>

#define ED25519_SIGNATURE_BYTES 64
#define P256_NUMBER_BYTES 32

static enum ks_error malformed(struct ks_operation *operation, const char *words)
{
	log_error("%s", words);
	ks_explain(operation, "%s", words);
	return KS_DEVICE_FAILED;
}

/* The words hold text of the library's; whoever shows them quotes them. */
static enum ks_error read_error(struct ks_operation *operation, struct reader *in)
{
	uint32_t error = reader_u32(in);
	struct bytes words = reader_string(in);
	char quoted[TEXT_WORDS_MAX];

	if (in->failed || error >= KS_ERROR_COUNT)
		return malformed(operation, "the library's process gave a malformed answer");
	if (error == KS_OK)
		return KS_OK;
	log_error("the library failed: %s", text_quote_words(words, quoted));
	ks_explain(operation, "%.*s", (int)words.len, (const char *)words.data);
	return (enum ks_error)error;
}

static enum ks_error read_end(struct ks_operation *operation, const struct reader *in)
{
	if (reader_end(in) != KS_OK)
		return malformed(operation, "the library's process gave a malformed answer");
	return KS_OK;
}

enum ks_error response_read_check(struct ks_operation *operation, struct bytes answer)
{
	struct reader in = reader_of(answer);
	enum ks_error error = read_error(operation, &in);

	return error == KS_OK ? read_end(operation, &in) : error;
}

enum ks_error response_read_sign(
	struct ks_operation *operation, struct bytes answer, struct response *out)
{
	struct reader in = reader_of(answer);
	enum ks_error error = read_error(operation, &in);

	*out = (struct response){0};
	if (error != KS_OK)
		return error;
	out->flags = reader_u8(&in);
	out->counter = reader_u32(&in);
	out->r = reader_string(&in);
	out->s = reader_string(&in);
	return read_end(operation, &in);
}

/* Libraries differ in whether they keep leading zeros. */
static struct bytes magnitude(struct bytes number)
{
	while (number.len > 0 && number.data[0] == 0) {
		number.data++;
		number.len--;
	}
	return number;
}

static bool put_ed25519(const struct response *response, struct buf *out)
{
	buf_put_string(out, response->r);
	return response->r.len == ED25519_SIGNATURE_BYTES;
}

static bool put_ecdsa(const struct response *response, struct buf *out)
{
	struct bytes r = magnitude(response->r);
	struct bytes s = magnitude(response->s);
	size_t opened = buf_open_string(out);

	buf_put_mpint(out, r);
	buf_put_mpint(out, s);
	buf_close_string(out, opened);
	return r.len >= 1 && r.len <= P256_NUMBER_BYTES && s.len >= 1 && s.len <= P256_NUMBER_BYTES;
}

enum ks_error response_put(struct ks_operation *operation, const struct response *response,
	enum ks_algorithm algorithm, struct buf *signature)
{
	bool good;

	buf_put_text(signature, ks_algorithm_name(algorithm));
	good = algorithm == KS_ALGORITHM_SK_ED25519 ? put_ed25519(response, signature)
						    : put_ecdsa(response, signature);
	if (!good)
		return malformed(operation, "the library gave no usable signature");
	buf_put_u8(signature, response->flags);
	buf_put_u32(signature, response->counter);
	return buf_status(signature);
}

/*
 * Constraints from their bytes. All or nothing: what is not understood to its last byte is refused
 * and said by its name, since a constraint that is left out permits more than was meant.
 */
#include "constraints.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <keystile/cleanup.h>
#include <keystile/log.h>
#include <keystile/public_key.h>
#include <keystile/text.h>

#include "provider.h"

#define CONSTRAINT_EXTENSION 255

struct parser {
	struct reader *reader;
	enum constraints_for what;
	unsigned given; /* bits: which rules were used already */
	struct constraints *constraints;
};

static enum ks_error parse_lifetime(struct parser *parser)
{
	parser->constraints->has_lifetime = true;
	parser->constraints->lifetime_s = reader_u32(parser->reader);
	return reader_status(parser->reader);
}

static enum ks_error parse_confirm(struct parser *parser)
{
	parser->constraints->confirm = true;
	return KS_OK;
}

static enum ks_error parse_sk_provider(struct parser *parser)
{
	char *provider = reader_text(parser->reader, PROVIDER_NAME_MAX);

	parser->constraints->sk_provider = provider;
	if (provider == NULL || provider[0] == '\0')
		return KS_BAD_INPUT;
	if (strcasecmp(provider, CONSTRAINTS_SK_INTERNAL) == 0)
		memcpy(provider, CONSTRAINTS_SK_INTERNAL, strlen(CONSTRAINTS_SK_INTERNAL));
	return KS_OK;
}

/* How many blobs stand in a row, each with as many bytes behind it; SIZE_MAX: malformed. */
static size_t count_strings(struct bytes content, size_t behind)
{
	struct reader reader = reader_of(content);
	size_t count = 0;

	for (; reader.left > 0 && !reader.failed; count++) {
		(void)reader_string(&reader);
		(void)reader_raw(&reader, behind);
	}
	return reader.failed ? SIZE_MAX : count;
}

static enum ks_error copy(struct bytes bytes, struct buf *blob)
{
	buf_put(blob, bytes);
	return buf_status(blob);
}

/* It must be a key that is known here, or nobody could say what it permits. */
static enum ks_error take_certificate(struct reader *reader, struct buf *blob)
{
	struct bytes bytes = reader_string(reader);
	struct public_key *key;
	enum ks_error error = public_key_parse(bytes, &key);

	public_key_free(&key);
	return error == KS_OK ? copy(bytes, blob) : error;
}

/*
 * Its kind must be known too. The rest is not looked at, as there may be thousands: it is compared
 * with keys that hosts proved to have, and what is no key permits nothing.
 */
static enum ks_error take_host_key(struct reader *reader, struct buf *blob)
{
	struct bytes bytes = reader_string(reader);
	enum ks_error error = public_key_kind_known(bytes);

	return error == KS_OK ? copy(bytes, blob) : error;
}

static enum ks_error parse_host_keys(struct reader *reader, struct destination_host *host)
{
	size_t count = count_strings(BYTES(reader->data, reader->left), 1);
	enum ks_error error = KS_OK;

	if (count == SIZE_MAX)
		return KS_BAD_INPUT;
	host->keys = count > 0 ? calloc(count, sizeof(*host->keys)) : NULL;
	if (count > 0 && host->keys == NULL)
		return KS_NO_MEMORY;
	host->key_count = count;
	for (size_t i = 0; i < count && error == KS_OK; i++) {
		error = take_host_key(reader, &host->keys[i].blob);
		host->keys[i].ca = reader_bool(reader);
	}
	return error == KS_OK ? reader_end(reader) : error;
}

/* Nothing given and an empty text mean the same. */
static void drop_empty(char **text)
{
	if (*text != NULL && (*text)[0] == '\0') {
		free(*text);
		*text = NULL;
	}
}

static enum ks_error parse_host(struct bytes content, struct destination_host *host)
{
	struct reader reader = reader_of(content);
	struct bytes reserved;

	host->user = reader_text(&reader, CONSTRAINTS_USER_MAX);
	host->name = reader_text(&reader, content.len);
	reserved = reader_string(&reader);
	if (reader_status(&reader) != KS_OK || reserved.len > 0)
		return KS_BAD_INPUT;
	drop_empty(&host->user);
	drop_empty(&host->name);
	return parse_host_keys(&reader, host);
}

static enum ks_error parse_destination(struct reader *list, struct destination *destination)
{
	struct reader reader = reader_of(reader_string(list));
	struct bytes from = reader_string(&reader);
	struct bytes to = reader_string(&reader);
	struct bytes reserved = reader_string(&reader);
	enum ks_error error = reader_end(&reader);

	if (error != KS_OK || reserved.len > 0)
		return KS_BAD_INPUT;
	error = parse_host(from, &destination->from);
	if (error == KS_OK)
		error = parse_host(to, &destination->to);
	if (error != KS_OK)
		return error;
	if (destination->from.user != NULL ||
		(destination->from.name == NULL) != (destination->from.key_count == 0))
		return KS_BAD_INPUT;
	return destination->to.name != NULL && destination->to.key_count > 0 ? KS_OK : KS_BAD_INPUT;
}

static enum ks_error parse_destinations(struct parser *parser)
{
	struct constraints *constraints = parser->constraints;
	struct bytes content = reader_string(parser->reader);
	struct reader list = reader_of(content);
	size_t count = count_strings(content, 0);
	enum ks_error error = KS_OK;

	if (reader_status(parser->reader) != KS_OK || count > CONSTRAINTS_DESTINATIONS_MAX)
		return KS_BAD_INPUT;
	if (count == 0)
		return KS_OK;
	constraints->destinations = calloc(count, sizeof(*constraints->destinations));
	if (constraints->destinations == NULL)
		return KS_NO_MEMORY;
	constraints->destination_count = count;
	for (size_t i = 0; i < count && error == KS_OK; i++)
		error = parse_destination(&list, &constraints->destinations[i]);
	return error;
}

static enum ks_error parse_certificates(struct parser *parser)
{
	struct constraints *constraints = parser->constraints;
	bool only = reader_bool(parser->reader);
	struct bytes content = reader_string(parser->reader);
	struct reader list = reader_of(content);
	size_t count = count_strings(content, 0);
	enum ks_error error = KS_OK;

	if (reader_status(parser->reader) != KS_OK || count > CONSTRAINTS_CERTIFICATES_MAX)
		return KS_BAD_INPUT;
	constraints->certificates_only = only;
	if (count == 0)
		return KS_OK;
	constraints->certificates = calloc(count, sizeof(*constraints->certificates));
	if (constraints->certificates == NULL)
		return KS_NO_MEMORY;
	constraints->certificate_count = count;
	for (size_t i = 0; i < count && error == KS_OK; i++)
		error = take_certificate(&list, &constraints->certificates[i]);
	return error;
}

#define FOR_KEYS (1u << CONSTRAINTS_FOR_KEY | 1u << CONSTRAINTS_FOR_SECURITY_KEY)
#define FOR_SECURITY_KEYS                                                                          \
	(1u << CONSTRAINTS_FOR_SECURITY_KEY | 1u << CONSTRAINTS_FOR_SECURITY_KEY_FROM_AFAR)
#define FOR_TOKENS (1u << CONSTRAINTS_FOR_TOKEN)
#define FOR_ALL (FOR_KEYS | FOR_SECURITY_KEYS | FOR_TOKENS | 1u << CONSTRAINTS_FOR_KEY_FROM_AFAR)

static const struct rule {
	uint8_t type;
	const char *name; /* an extension's is the one on the wire */
	unsigned fits;	  /* bits of enum constraints_for */
	enum ks_error (*parse)(struct parser *parser);
} rules[] = {
	{1, "lifetime", FOR_ALL, parse_lifetime},
	{2, "confirm", FOR_ALL, parse_confirm},
	{3, "maxsign", 0, NULL}, /* of XMSS keys, which nobody has */
	{CONSTRAINT_EXTENSION, "sk-provider@openssh.com", FOR_SECURITY_KEYS, parse_sk_provider},
	{CONSTRAINT_EXTENSION, "restrict-destination-v00@openssh.com", FOR_KEYS | FOR_TOKENS,
		parse_destinations},
	{CONSTRAINT_EXTENSION, "associated-certs-v00@openssh.com", FOR_TOKENS, parse_certificates},
};
#define RULE_COUNT (sizeof(rules) / sizeof(rules[0]))

/* RULE_COUNT when there is none. */
static size_t find_rule(uint8_t type, const char *extension)
{
	size_t i = 0;

	while (i < RULE_COUNT &&
		(rules[i].type != type ||
			(type == CONSTRAINT_EXTENSION && strcmp(rules[i].name, extension) != 0)))
		i++;
	return i;
}

static enum ks_error refuse_unknown(uint8_t type, const char *extension)
{
	char quoted[TEXT_QUOTED_MAX];

	if (type == CONSTRAINT_EXTENSION)
		log_warning(
			"refused: unknown constraint %s", text_quote(bytes_of(extension), quoted));
	else
		log_warning("refused: unknown constraint %u", type);
	return KS_UNSUPPORTED;
}

static enum ks_error apply_rule(struct parser *parser, size_t number)
{
	const struct rule *rule = &rules[number];
	enum ks_error error;

	if ((rule->fits & 1u << parser->what) == 0) {
		log_warning("refused: the constraint %s does not fit what is added", rule->name);
		return KS_UNSUPPORTED;
	}
	if ((parser->given & 1u << number) != 0) {
		log_warning("refused: the constraint %s is given twice", rule->name);
		return KS_BAD_INPUT;
	}
	parser->given |= 1u << number;
	error = rule->parse(parser);
	if (error != KS_OK)
		log_warning("refused: the constraint %s: %s", rule->name, ks_error_text(error));
	return error;
}

static enum ks_error parse_one(struct parser *parser)
{
	uint8_t type = reader_u8(parser->reader);
	AUTO(text) extension = NULL;
	size_t number;

	if (type == CONSTRAINT_EXTENSION) {
		extension = reader_text(parser->reader, parser->reader->left);
		if (extension == NULL) {
			log_warning("refused: a constraint whose name is malformed");
			return KS_BAD_INPUT;
		}
	}
	number = find_rule(type, extension);
	return number < RULE_COUNT ? apply_rule(parser, number) : refuse_unknown(type, extension);
}

enum ks_error constraints_parse(
	struct reader *reader, enum constraints_for what, struct constraints **out)
{
	struct parser parser = {.reader = reader, .what = what};
	enum ks_error error = reader_status(reader);

	*out = NULL;
	parser.constraints = calloc(1, sizeof(*parser.constraints));
	if (parser.constraints == NULL)
		return KS_NO_MEMORY;
	parser.constraints->references = 1;
	while (error == KS_OK && reader->left > 0)
		error = parse_one(&parser);
	if (error != KS_OK)
		constraints_release(&parser.constraints);
	*out = parser.constraints;
	return error;
}

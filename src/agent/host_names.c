/*
 * See host_names.h.
 */
#include "host_names.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include <keystile/text.h>

#define PRINCIPALS_MAX 256 /* as ssh */
/* Patterns that are looked at for one host in one file: they are looked at in the event loop. */
#define STEPS_MAX 10000

/* What goes along while one key's entries are looked at. */
struct question {
	struct host_names *names;
	const struct public_key *certificate; /* while its authority's entries are; else NULL */
	const char *const *candidates;
	unsigned steps;
};

/* ---- Names ---- */

static bool has(const struct host_names *names, const char *name)
{
	for (size_t i = 0; i < names->count; i++)
		if (strcmp(names->names[i], name) == 0)
			return true;
	return false;
}

/* Takes name, which is NULL when there was no memory for it. */
static void add_name(struct host_names *names, char *name, bool by_authority)
{
	bool full = names->count == HOST_NAMES_MAX;

	if (names->count == 0 && names->names == NULL && name != NULL)
		names->names = calloc(HOST_NAMES_MAX + 1, sizeof(*names->names));
	names->failed |= name == NULL || names->names == NULL;
	if (names->failed || has(names, name) || full) {
		names->more |= full && !names->failed && !has(names, name);
		free(name);
		return;
	}
	names->by_authority = by_authority && (names->count == 0 || names->by_authority);
	names->names[names->count++] = name;
}

/* "[host]:port" as "host:port", but not where the host has colons itself. */
static char *name_of(struct bytes pattern)
{
	char *name = strndup((const char *)pattern.data, pattern.len);
	char *end = name == NULL ? NULL : strstr(name, "]:");

	if (name == NULL)
		return NULL;
	for (char *at = name; *at != '\0'; at++)
		*at = (char)tolower((unsigned char)*at);
	if (name[0] == '[' && end != NULL && memchr(name, ':', (size_t)(end - name)) == NULL) {
		memmove(end, end + 1, strlen(end));
		memmove(name, name + 1, strlen(name));
	}
	return name;
}

/* The next of a comma-separated list; false at its end, and when there was enough. */
static bool next_pattern(struct question *question, const char **list, struct bytes *pattern)
{
	question->names->more |= question->steps == STEPS_MAX;
	if (**list == '\0' || question->names->more || question->names->failed)
		return false;
	question->steps++;
	*pattern = BYTES((const uint8_t *)*list, strcspn(*list, ","));
	*list += pattern->len;
	*list += **list == ',';
	return true;
}

/* ---- An entry with the host's own key ---- */

static void add_patterns(struct question *question, const char *patterns)
{
	struct bytes pattern;

	while (next_pattern(question, &patterns, &pattern))
		if (pattern.len > 0 && pattern.len <= HOST_NAME_LEN_MAX && pattern.data[0] != '!')
			add_name(question->names, name_of(pattern), false);
}

static void add_hashed(struct question *question, const char *hashed)
{
	const char *const *candidate = question->candidates;

	while (candidate != NULL && *candidate != NULL && question->steps++ < STEPS_MAX &&
		!known_hosts_hash_is_of(bytes_of(hashed), bytes_of(*candidate)))
		candidate++;
	if (question->steps > STEPS_MAX) {
		question->steps = STEPS_MAX;
		candidate = NULL;
	}
	if (candidate == NULL || *candidate == NULL) {
		question->names->hashed = true;
		return;
	}
	question->names->guess = *candidate;
	add_name(question->names, name_of(bytes_of(*candidate)), false);
}

static void on_own_key(const struct known_hosts_entry *entry, void *context)
{
	struct question *question = context;

	if (entry->marker == KNOWN_HOSTS_REVOKED)
		question->names->revoked = true;
	else if (entry->marker == KNOWN_HOSTS_PLAIN && entry->hashed)
		add_hashed(question, entry->patterns);
	else if (entry->marker == KNOWN_HOSTS_PLAIN)
		add_patterns(question, entry->patterns);
}

/* ---- An entry with the key of the authority ---- */

/* A pattern's host and, behind it, its ":port" where it has one. */
struct place {
	bool negated;
	char host[HOST_NAME_LEN_MAX + 1];
	const char *port;
};

static bool place_of(struct bytes pattern, struct place *place)
{
	char *end;

	place->negated = pattern.len > 0 && pattern.data[0] == '!';
	if (place->negated)
		pattern = BYTES(pattern.data + 1, pattern.len - 1);
	if (pattern.len == 0 || pattern.len > HOST_NAME_LEN_MAX)
		return false;
	for (size_t i = 0; i < pattern.len; i++)
		place->host[i] = (char)tolower(pattern.data[i]);
	place->host[pattern.len] = '\0';
	place->port = "";
	end = place->host[0] == '[' ? strstr(place->host, "]:") : NULL;
	if (end == NULL)
		return true;
	*end = '\0';
	place->port = end + 1;
	memmove(place->host, place->host + 1, strlen(place->host));
	return true;
}

static bool negated_by(struct question *question, const char *principal, const char *patterns)
{
	struct place place;
	struct bytes pattern;

	while (next_pattern(question, &patterns, &pattern))
		if (place_of(pattern, &place) && place.negated && text_match(principal, place.host))
			return true;
	return false;
}

/*
 * What both allow: the principal where the pattern covers it, the pattern where the principal is a
 * pattern that covers that.
 */
static void add_principal(struct question *question, const char *principal, const char *patterns)
{
	struct host_names *names = question->names;
	struct bytes pattern;
	struct place place;

	if (negated_by(question, principal, patterns))
		return;
	while (next_pattern(question, &patterns, &pattern)) {
		if (!place_of(pattern, &place) || place.negated)
			continue;
		if (text_match(principal, place.host))
			add_name(names, text_format("%s%s", principal, place.port), true);
		else if (text_match(place.host, principal))
			add_name(names, text_format("%s%s", place.host, place.port), true);
	}
}

static void add_certified(
	struct question *question, const struct known_hosts_entry *entry, struct bytes principal)
{
	char *name = name_of(principal);

	if (name == NULL)
		question->names->failed = true;
	else if (!entry->hashed)
		add_principal(question, name, entry->patterns);
	else if (known_hosts_hash_is_of(bytes_of(entry->patterns), bytes_of(name)))
		add_name(question->names, strdup(name), true);
	free(name);
}

static void on_authority(const struct known_hosts_entry *entry, void *context)
{
	struct question *question = context;
	struct reader principals = reader_of(buf_bytes(&question->certificate->principals));

	if (entry->marker == KNOWN_HOSTS_REVOKED)
		question->names->revoked = true;
	if (entry->marker != KNOWN_HOSTS_AUTHORITY)
		return;
	for (int i = 0; i < PRINCIPALS_MAX && principals.left > 0 && !principals.failed; i++) {
		struct bytes principal = reader_text_bytes(&principals);

		if (principal.len > 0 && principal.len <= HOST_NAME_LEN_MAX)
			add_certified(question, entry, principal);
	}
}

/* ---- A host ---- */

static bool certifies(const struct public_key *certificate, uint64_t now)
{
	return certificate->certificate_type == CERTIFICATE_HOST &&
	       now >= certificate->valid_after && now < certificate->valid_before &&
	       !certificate->critical_options;
}

/* Even a certificate out of date tells of a revoked authority. */
static void ask_authority(
	struct question *question, const struct known_hosts_index *index, uint64_t now)
{
	const struct public_key *certificate = question->certificate;
	struct host_names revoked = {0};
	struct host_names *names = question->names;

	if (!certifies(certificate, now))
		question->names = &revoked;
	known_hosts_index_find(
		index, buf_bytes(&certificate->signature_key), on_authority, question);
	names->revoked |= revoked.revoked;
	host_names_deinit(&revoked);
	question->names = names;
}

void host_names_add(struct host_names *names, const struct known_hosts_index *index,
	const struct session_bind *bind, const char *const *candidates, uint64_t now)
{
	struct question question = {.names = names, .candidates = candidates};
	struct public_key *parsed = NULL;
	struct bytes own = buf_bytes(&bind->host_key);

	/* The key in a certificate is the host's own; its authority may count for nothing. */
	if (bind->certified && bind->certificate == NULL && public_key_parse(own, &parsed) != KS_OK)
		return;
	if (bind->certified)
		own = buf_bytes(parsed != NULL ? &parsed->plain : &bind->certificate->plain);
	known_hosts_index_find(index, own, on_own_key, &question);
	question.certificate = bind->certificate;
	if (question.certificate != NULL)
		ask_authority(&question, index, now);
	public_key_free(&parsed);
}

void host_names_deinit(struct host_names *names)
{
	for (size_t i = 0; i < names->count; i++)
		free(names->names[i]);
	free(names->names);
	*names = (struct host_names){0};
}

/*
 * Words for a person who has to decide quickly. The agent's own words stand outside quotes, a
 * stranger's words inside.
 */
#include "prompt_text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <keystile/cleanup.h>
#include <keystile/text.h>

#include "provider.h"

/* Hosts of a path that are shown. */
#define HOPS_FIRST 1
#define HOPS_LAST 2
#define NAMES_SHOWN 3 /* of a host */
#define PARENTS_SHOWN 2

#define TEXT_MAX ((size_t)16 * 1024)

static void add(struct buf *out, const char *format, ...) KS_PRINTF(2, 3);

static void add(struct buf *out, const char *format, ...)
{
	char line[1024];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	buf_put(out, bytes_of(line));
}

static void add_foreign(struct buf *out, struct bytes text)
{
	char quoted[TEXT_QUOTED_MAX];

	add(out, "    %s\n", text_quote(text, quoted));
}

bool destination_proven(const struct subject *subject, const struct session_binds *binds)
{
	const struct session_bind *last = session_binds_last(binds);

	return subject->kind == SUBJECT_LOGIN && subject->hostbound && last != NULL &&
	       bytes_equal(subject->host_key, buf_bytes(&last->host_key)) &&
	       bytes_equal(subject->session_id, buf_bytes(&last->session_id));
}

static const struct host_names no_names;

/* What known_hosts says of a host, with our own words before it: "on" or "through". */
static void add_host_words(struct buf *out, const char *before, const struct host_names *host)
{
	if (host->revoked)
		add(out, "%s A HOST WHOSE KEY IS REVOKED in your known_hosts\n", before);
	else if (host->count > 0)
		add(out, "%s the host %s\n", before,
			host->by_authority ? "that an authority of your known_hosts certifies as"
					   : "known as");
	else if (host->hashed)
		add(out, "%s a host that is in your known_hosts, its name hashed\n", before);
	else if (host->unread)
		add(out, "%s a host that nothing is known of: known_hosts can't be read\n", before);
	else
		add(out, "%s a host that is NOT IN YOUR known_hosts\n", before);
}

/* The bind with that number. */
static void add_host(
	struct buf *out, const char *before, const struct prompt_facts *facts, size_t number)
{
	const struct host_names *host = facts->hosts != NULL ? &facts->hosts[number] : &no_names;
	struct bytes key = buf_bytes(&facts->binds->records[number].host_key);
	AUTO(text) fingerprint = public_key_fingerprint(key);

	add_host_words(out, before, host);
	for (size_t i = 0; i < host->count && i < NAMES_SHOWN; i++)
		add_foreign(out, bytes_of(host->names[i]));
	if (host->count > NAMES_SHOWN || host->more)
		add(out, "    and more names\n");
	add(out, "    host key %s\n", fingerprint != NULL ? fingerprint : "unknown");
}

static void add_login(struct buf *out, const struct prompt_facts *facts)
{
	add(out, "to log in as the user\n");
	add_foreign(out, facts->subject->user);
	if (!destination_proven(facts->subject, facts->binds)) {
		add(out, "somewhere: DESTINATION UNPROVEN\n");
		return;
	}
	/* Proven, it is the last one that is bound. */
	add_host(out, "on", facts, facts->binds->count - 1);
}

static void add_subject(struct buf *out, const struct prompt_facts *facts)
{
	const struct subject *subject = facts->subject;

	switch (subject->kind) {
	case SUBJECT_LOGIN:
		add_login(out, facts);
		return;
	case SUBJECT_SSHSIG:
		add(out, "to sign %s for the namespace\n",
			bytes_equal_text(subject->sign_namespace, "git") ? "a git commit or tag"
									 : "data");
		add_foreign(out, subject->sign_namespace);
		return;
	case SUBJECT_CERTIFICATE:
		add(out, "to sign an SSH certificate\n");
		return;
	case SUBJECT_UNRECOGNISED:
		add(out, "to sign UNRECOGNISED DATA\n");
		return;
	}
}

/* The first host, which is the one that the person knows, and the last ones; the asker chooses how
 * many. */
static void add_path(struct buf *out, const struct prompt_facts *facts)
{
	const struct session_binds *binds = facts->binds;

	for (size_t i = 0; i < binds->count; i++) {
		if (!binds->records[i].forwarding)
			continue;
		if (i == HOPS_FIRST && binds->count > HOPS_FIRST + HOPS_LAST) {
			i = binds->count - HOPS_LAST;
			add(out, "through OTHER HOSTS and then\n");
		}
		add_host(out, "through", facts, i);
	}
}

/* First of all, since it decides how the rest is to be read. */
static void add_origin(struct buf *out, const struct prompt_facts *facts)
{
	if (!origin_remote(facts->origin))
		return;
	add(out, "REMOTE REQUEST: %s\n", origin_words(facts->origin->rule));
	add_path(out, facts);
	add(out, "\n");
}

static void add_asker(struct buf *out, const struct prompt_facts *facts)
{
	add(out, "%s process %d\n",
		origin_remote(facts->origin) ? "it came by" : "asked on this machine by",
		(int)facts->peer->pid);
	add_foreign(out, bytes_of(facts->peer->executable));
	if (facts->parents == NULL || facts->parents->count == 0)
		return;
	add(out, "started by\n");
	for (size_t i = 0; i < facts->parents->count && i < PARENTS_SHOWN; i++)
		add_foreign(out, bytes_of(facts->parents->executables[i]));
}

static void add_listener(struct buf *out, const struct prompt_facts *facts)
{
	if (facts->listener == NULL)
		return;
	add(out, "on the socket of the listener\n");
	add_foreign(out, bytes_of(facts->listener));
}

static bool has_text(const char *text)
{
	return text != NULL && text[0] != '\0';
}

/* What tells it from others of its label: many security keys have no serial number. */
static void add_token(struct buf *out, const struct token *token)
{
	char quoted[TEXT_QUOTED_MAX];

	add_foreign(out, bytes_of(token->label));
	if (has_text(token->serial))
		add(out, "    serial %s\n", text_quote(bytes_of(token->serial), quoted));
	else if (has_text(token->location))
		add(out, "    in %s\n", text_quote(bytes_of(token->location), quoted));
	add(out, "of the provider\n");
	add_foreign(out, bytes_of(token->provider->name));
}

static void add_unlocking(struct buf *out, const struct prompt_facts *facts)
{
	add(out, "Unlock the agent: the password that ssh-add -x locked it with\n");
	add(out, "It stays unlocked, for all requests, until it is locked again\n");
	if (facts->wrong_before > 0)
		add(out, "Wrong passwords since it was locked: %u\n", facts->wrong_before);
	add(out, "A request waits for it\n");
}

static void add_question(struct buf *out, const struct prompt_facts *facts)
{
	if (facts->retry)
		add(out, "That PIN was wrong.\n");
	switch (facts->what) {
	case PROMPT_FOR_PIN:
		add(out, "PIN for the token\n");
		break;
	case PROMPT_FOR_CONFIRM:
		if (token_takes_keys(facts->token)) {
			add(out, "Allow the use of a key that was added with ssh-add\n");
			return;
		}
		add(out, "Allow the use of a key of the token\n");
		break;
	case PROMPT_FOR_TOUCH:
		add(out, (facts->token->flags & KS_TOKEN_PIN_PAD) != 0
				 ? "Type the PIN on the keys of the reader with the token\n"
				 : "Touch the token\n");
		break;
	case PROMPT_FOR_INSERTION:
		add(out, "Insert the token\n");
		break;
	case PROMPT_FOR_UNLOCK:
		add_unlocking(out, facts);
		return;
	}
	add_token(out, facts->token);
	if (facts->tries_left >= 0)
		add(out, "Tries left: %d\n", (int)facts->tries_left);
	else if (facts->last_tries)
		add(out, "Few tries are left.\n");
}

char *prompt_text(const struct prompt_facts *facts)
{
	AUTO(text) fingerprint = public_key_fingerprint(buf_bytes(&facts->key->blob));
	AUTO(buf) out = {.max = TEXT_MAX};

	add_origin(&out, facts);
	add_question(&out, facts);
	add_subject(&out, facts);
	add(&out, "with the key\n");
	add_foreign(&out, bytes_of(facts->key->comment));
	add(&out, "    %s %s\n", key_kind_label(facts->key->kind),
		fingerprint != NULL ? fingerprint : "");
	add_asker(&out, facts);
	add_listener(&out, facts);
	if (facts->end_refuses)
		add(&out, "The request is refused if this notice goes away.\n");
	return buf_status(&out) == KS_OK ? strndup((const char *)out.data, out.len) : NULL;
}

char *prompt_trouble(const struct prompt_facts *facts)
{
	if (!facts->retry)
		return strdup("");
	if (facts->tries_left < 0)
		return strdup("That PIN was wrong.");
	return text_format("That PIN was wrong. Tries left: %d", (int)facts->tries_left);
}

char *subject_text(const struct subject *subject)
{
	char quoted[TEXT_QUOTED_MAX];

	switch (subject->kind) {
	case SUBJECT_LOGIN:
		return text_format("login as %s", text_quote(subject->user, quoted));
	case SUBJECT_SSHSIG:
		return text_format("signature for %s", text_quote(subject->sign_namespace, quoted));
	case SUBJECT_CERTIFICATE:
		return text_format("an SSH certificate");
	case SUBJECT_UNRECOGNISED:
		break;
	}
	return text_format("unrecognised data");
}

/*
 * Part by part: what runs, what should worry, providers with their tokens, keys, who is
 * connected, what waits for the person, what was refused and why.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <keystile/cleanup.h>
#include <keystile/text.h>

#include "env.h"
#include "find.h"
#include "status.h"

#define FIELD 4	 /* column where a field's name begins */
#define VALUE 15 /* column where what belongs to it begins */

typedef void print_item(struct page *page, const json_t *item);

/* ---- Fields that may be missing or of another kind than expected ---- */

static const char *text_in(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text != NULL ? text : "";
}

static bool has_text(const json_t *object, const char *key)
{
	return text_in(object, key)[0] != '\0';
}

static json_int_t number_in(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static const char *plural(json_int_t number)
{
	return number == 1 ? "" : "s";
}

static void print_field(
	struct page *page, enum page_style style, const char *name, const json_t *object)
{
	if (has_text(object, name))
		page_text(page, style, FIELD, VALUE, "%-10s %s", name, text_in(object, name));
}

/* A part with a heading; without items only where there are words for that. */
static void print_part(struct page *page, const json_t *status, const char *key,
	const char *heading, const char *words, print_item *print)
{
	const json_t *items = json_object_get(status, key);

	if (json_array_size(items) == 0 && words == NULL)
		return;
	page_heading(page, heading);
	if (json_array_size(items) == 0)
		page_text(page, PAGE_PLAIN, 2, 2, "%s", words);
	for (size_t i = 0; i < json_array_size(items); i++)
		print(page, json_array_get(items, i));
}

/* ---- The parts ---- */

static char *duration(json_int_t seconds)
{
	if (seconds < 60)
		return text_format("%lld s", (long long)seconds);
	if (seconds < 3600)
		return text_format("%lld min", (long long)(seconds / 60));
	if (seconds < 86400)
		return text_format("%lld h %lld min", (long long)(seconds / 3600),
			(long long)(seconds % 3600 / 60));
	return text_format(
		"%lld d %lld h", (long long)(seconds / 86400), (long long)(seconds % 86400 / 3600));
}

static void print_title(struct page *page, const json_t *status)
{
	AUTO(text)
	running = duration(number_in(status, "uptime_seconds"));

	page_text(page, PAGE_STRONG, 0, 2, "Keystile %s, pid %lld, runs for %s",
		text_in(status, "version"), (long long)number_in(status, "pid"),
		running != NULL ? running : "");
}

static void print_lock(struct page *page, const json_t *status)
{
	json_int_t failures = number_in(status, "failed_unlocks");

	if (!json_is_true(json_object_get(status, "locked")))
		return;
	page_text(page, PAGE_WARNING, 2, 4, "%s",
		strcmp(text_in(status, "when_locked"), "list") == 0
			? "locked: keys are listed on this machine alone, and its signatures ask "
			  "for the password, until ssh-add -X"
			: "locked: nothing is listed or signed until ssh-add -X");
	if (failures > 0)
		page_text(page, PAGE_BAD, 2, 4, "%lld wrong password%s since it was locked",
			(long long)failures, plural(failures));
}

static void print_socket(struct page *page, const json_t *socket)
{
	page_text(page, PAGE_PLAIN, 2, VALUE, "%-12s %s", text_in(socket, "origin"),
		text_in(socket, "path"));
}

static void print_warning(struct page *page, const json_t *warning)
{
	const char *words = json_string_value(warning);

	if (words != NULL)
		page_text(page, PAGE_WARNING, 2, 4, "! %s", words);
}

bool status_listens_at(const json_t *status, const char *path)
{
	const json_t *sockets = json_object_get(status, "sockets");

	for (size_t i = 0; i < json_array_size(sockets); i++) {
		if (strcmp(text_in(json_array_get(sockets, i), "path"), path) == 0)
			return true;
	}
	return false;
}

static const char *local_socket(const json_t *status)
{
	const json_t *sockets = json_object_get(status, "sockets");

	for (size_t i = 0; i < json_array_size(sockets); i++) {
		const json_t *socket = json_array_get(sockets, i);

		if (strcmp(text_in(socket, "origin"), "local") == 0)
			return text_in(socket, "path");
	}
	return "";
}

/* What the agent can't know: whether ssh would find it from here. NULL: it would. */
static char *unreachable_words(const json_t *status, const struct control *control)
{
	const struct auth_socket *auth = &control->auth;

	if (auth->path == NULL)
		return strdup("SSH_AUTH_SOCK is not set here: ssh does not find this agent.");
	if (auth->trouble != 0)
		return text_format("SSH_AUTH_SOCK points to %s, where nobody answers (%s).",
			auth->path, strerror(auth->trouble));
	if (auth->pid == control->pid || status_listens_at(status, auth->path))
		return NULL;

	AUTO(text)
	program = find_program(auth->pid);

	return text_format("SSH_AUTH_SOCK belongs to %s: ssh asks that one, not this agent.",
		program != NULL ? program : "another program");
}

static void print_warnings(struct page *page, const json_t *status, const struct control *control)
{
	AUTO(text)
	words = unreachable_words(status, control);
	const json_t *warnings = json_object_get(status, "warnings");

	if (words == NULL && json_array_size(warnings) == 0)
		return;
	page_heading(page, "Warnings");
	if (words != NULL)
		page_text(page, PAGE_WARNING, 2, 4, "! %s", words);
	if (words != NULL && local_socket(status)[0] != '\0')
		page_text(page, PAGE_PLAIN, 4, 4, "export SSH_AUTH_SOCK=%s", local_socket(status));
	for (size_t i = 0; i < json_array_size(warnings); i++)
		print_warning(page, json_array_get(warnings, i));
}

static void print_token(struct page *page, const json_t *token)
{
	const json_t *tries = json_object_get(token, "tries_left");
	const char *login = "";

	if (json_is_boolean(json_object_get(token, "logged_in")))
		login = json_is_true(json_object_get(token, "logged_in")) ? ", logged in"
									  : ", not logged in";
	page_text(page, PAGE_PLAIN, FIELD, VALUE, "%-10s %s%s", "token",
		has_text(token, "label") ? text_in(token, "label") : "(without a label)", login);
	page_text(page, PAGE_PLAIN, VALUE, VALUE, "%s%s%s%s%s",
		has_text(token, "model") ? text_in(token, "model") : "(model unknown)",
		has_text(token, "serial") ? ", serial " : "", text_in(token, "serial"),
		has_text(token, "location") ? ", in " : "", text_in(token, "location"));
	if (json_is_integer(tries))
		page_text(page, json_integer_value(tries) <= 1 ? PAGE_BAD : PAGE_PLAIN, VALUE,
			VALUE, "%lld PIN tr%s left", (long long)json_integer_value(tries),
			json_integer_value(tries) == 1 ? "y" : "ies");
}

static void print_confinement(struct page *page, const json_t *confinement)
{
	const char *calls = json_is_true(json_object_get(confinement, "system_calls"))
				    ? "seccomp"
				    : "no seccomp";
	json_int_t landlock = number_in(confinement, "landlock");

	if (!json_is_object(confinement))
		return;
	if (landlock > 0)
		page_text(page, PAGE_PLAIN, FIELD, VALUE, "%-10s Landlock %lld, %s", "confined",
			(long long)landlock, calls);
	else
		page_text(
			page, PAGE_PLAIN, FIELD, VALUE, "%-10s no Landlock, %s", "confined", calls);
	if (has_text(confinement, "lacking"))
		page_text(page, PAGE_BAD, VALUE, VALUE, "%s", text_in(confinement, "lacking"));
}

/* What a worker tried and may not: of most a person need know nothing, so it is not shouted. */
static void print_denial(struct page *page, const json_t *denial)
{
	json_int_t count = number_in(denial, "count");

	page_text(page, PAGE_PLAIN, 2, FIELD, "%s %s, %lld time%s", text_in(denial, "kind"),
		text_in(denial, "what"), (long long)count, plural(count));
	print_field(page, PAGE_PLAIN, "provider", denial);
	if (has_text(denial, "remedy"))
		page_text(page, PAGE_PLAIN, FIELD, VALUE,
			"%-10s %s in worker %s of keystile.conf, if it needs that", "remedy",
			text_in(denial, "remedy"), text_in(denial, "backend"));
}

static void print_output(struct page *page, const json_t *lines)
{
	for (size_t i = 0; i < json_array_size(lines); i++) {
		const char *line = json_string_value(json_array_get(lines, i));

		page_text(page, PAGE_PLAIN, FIELD, VALUE, "%-10s %s", i == 0 ? "writes" : "",
			line != NULL ? line : "");
	}
}

static void print_provider(struct page *page, const json_t *provider)
{
	json_int_t restarts = number_in(provider, "restarts");
	const json_t *tokens = json_object_get(provider, "tokens");

	page_text(page, PAGE_STRONG, 2, FIELD, "%s", text_in(provider, "name"));
	page_text(page, PAGE_PLAIN, FIELD, VALUE, "%-10s %s, %s, pid %lld, %lld restart%s",
		"backend", text_in(provider, "backend"), text_in(provider, "state"),
		(long long)number_in(provider, "pid"), (long long)restarts, plural(restarts));
	if (has_text(provider, "last_error"))
		page_text(page, PAGE_BAD, FIELD, VALUE, "%-10s %s", "last error",
			text_in(provider, "last_error"));
	print_confinement(page, json_object_get(provider, "confinement"));
	print_output(page, json_object_get(provider, "output"));
	for (size_t i = 0; i < json_array_size(tokens); i++)
		print_token(page, json_array_get(tokens, i));
}

static void print_key(struct page *page, const json_t *key)
{
	json_int_t reserves = number_in(key, "reserves");

	page_text(page, PAGE_STRONG, 2, FIELD, "%s  %s %lld", text_in(key, "fingerprint"),
		text_in(key, "type"), (long long)number_in(key, "bits"));
	print_field(page, PAGE_PLAIN, "comment", key);
	print_field(page, PAGE_PLAIN, "token", key);
	print_field(page, PAGE_PLAIN, "provider", key);
	if (reserves > 0)
		page_text(page, PAGE_PLAIN, FIELD, VALUE,
			"%-10s %lld, not used while this one is there", "reserves",
			(long long)reserves);
}

/* The names of a host, or what is said instead of them. */
static char *host_words(const json_t *host)
{
	const json_t *names = json_object_get(host, "names");
	AUTO(buf) words = {0};

	for (size_t i = 0; i < json_array_size(names); i++) {
		const char *name = json_string_value(json_array_get(names, i));

		buf_put(&words, bytes_of(i > 0 ? ", " : ""));
		buf_put(&words, bytes_of(name != NULL ? name : "?"));
	}
	if (words.len == 0)
		buf_put(&words, bytes_of("a host"));
	if (has_text(host, "remark")) {
		buf_put(&words, bytes_of(" ("));
		buf_put(&words, bytes_of(text_in(host, "remark")));
		buf_put(&words, bytes_of(")"));
	}
	return buf_status(&words) == KS_OK ? strndup((const char *)words.data, words.len) : NULL;
}

static void print_host(struct page *page, const json_t *host)
{
	bool forwarding = json_is_true(json_object_get(host, "forwarding"));
	bool revoked = strcmp(text_in(host, "remark"), "revoked") == 0;
	AUTO(text)
	words = host_words(host);

	page_text(page, revoked ? PAGE_BAD : PAGE_PLAIN, VALUE, VALUE, "%s %s, %s",
		forwarding ? "through" : "to", words != NULL ? words : "",
		text_in(host, "host_key"));
}

static void print_connection(struct page *page, const json_t *connection)
{
	json_int_t binds = number_in(connection, "binds");
	bool forwarded = json_is_true(json_object_get(connection, "forwarded"));
	const json_t *path = json_object_get(connection, "path");

	page_text(page, PAGE_PLAIN, 2, VALUE, "%-12s %s (pid %lld), %lld bind%s%s",
		text_in(connection, "origin"),
		has_text(connection, "executable") ? text_in(connection, "executable")
						   : "unknown program",
		(long long)number_in(connection, "pid"), (long long)binds, plural(binds),
		forwarded ? ", forwarded" : "");
	if (has_text(connection, "reason"))
		page_text(page, PAGE_PLAIN, VALUE, VALUE, "%s", text_in(connection, "reason"));
	for (size_t i = 0; i < json_array_size(path); i++)
		print_host(page, json_array_get(path, i));
}

/* The agent shows some of them only. */
static void print_more_connections(struct page *page, const json_t *status)
{
	json_int_t shown = (json_int_t)json_array_size(json_object_get(status, "connections"));
	json_int_t all = number_in(status, "connection_count");

	if (shown > 0 && all > shown)
		page_text(page, PAGE_PLAIN, 2, 2, "and %lld more", (long long)(all - shown));
}

static void print_known_hosts(struct page *page, const json_t *file)
{
	json_int_t keys = number_in(file, "keys");
	json_int_t malformed = number_in(file, "malformed_lines");

	page_text(page, PAGE_PLAIN, 2, FIELD, "%s: %lld key%s", text_in(file, "path"),
		(long long)keys, plural(keys));
	if (malformed > 0)
		page_text(page, PAGE_PLAIN, FIELD, FIELD, "%lld line%s not understood",
			(long long)malformed, plural(malformed));
	if (json_is_true(json_object_get(file, "cut")))
		page_text(
			page, PAGE_WARNING, FIELD, FIELD, "it is too large; the rest is not read");
	if (has_text(file, "trouble"))
		page_text(page, PAGE_BAD, FIELD, FIELD, "not read: %s", text_in(file, "trouble"));
}

static void print_prompt(struct page *page, const json_t *prompt)
{
	page_text(page, PAGE_PLAIN, 2, VALUE, "%-12s %s", text_in(prompt, "kind"),
		text_in(prompt, "for"));
}

/* Seconds since 1970, or a text as it is. */
static char *moment(const json_t *when)
{
	time_t seconds = (time_t)json_integer_value(when);
	struct tm local;
	char text[32];

	if (json_is_string(when))
		return strdup(json_string_value(when));
	if (!json_is_integer(when) || localtime_r(&seconds, &local) == NULL ||
		strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &local) == 0)
		return strdup("at some time");
	return strdup(text);
}

static void print_refusal(struct page *page, const json_t *refusal)
{
	AUTO(text)
	when = moment(json_object_get(refusal, "when"));

	page_text(page, PAGE_PLAIN, 2, FIELD, "%s  %s", when != NULL ? when : "",
		text_in(refusal, "key"));
	print_field(page, PAGE_BAD, "reason", refusal);
	print_field(page, PAGE_PLAIN, "remedy", refusal);
}

void status_print(struct page *page, const json_t *status, const struct control *control)
{
	print_title(page, status);
	print_lock(page, status);
	print_warnings(page, status, control);
	print_part(page, status, "sockets", "Sockets", NULL, print_socket);
	print_part(page, status, "providers", "Providers",
		"none; ssh-add -s MODULE brings in a smartcard's", print_provider);
	print_part(page, status, "denials", "Kept from workers", NULL, print_denial);
	print_part(page, status, "keys", "Keys", "none", print_key);
	print_part(page, status, "connections", "Connections", NULL, print_connection);
	print_more_connections(page, status);
	print_part(page, status, "known_hosts", "Known hosts", NULL, print_known_hosts);
	env_asking_print(page, json_object_get(status, "asking"));
	print_part(page, status, "prompts", "Waiting for you", NULL, print_prompt);
	print_part(page, status, "refusals", "Refused lately", NULL, print_refusal);
}

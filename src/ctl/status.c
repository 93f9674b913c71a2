/*
 * Part by part: what runs, what should worry, providers with their tokens, keys, who is
 * connected, what waits for the person, what was refused and why.
 */
#include <stdlib.h>
#include <string.h>

#include <keystile/cleanup.h>
#include <keystile/text.h>

#include "env.h"
#include "field.h"
#include "find.h"
#include "status.h"

#define FIELD STATUS_FIELD
#define VALUE STATUS_VALUE

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

/* What the agent itself can do no more, whatever is done to it. */
static void print_given_up(struct page *page, const json_t *status)
{
	const json_t *given_up = json_object_get(status, "given_up");
	bool calls = json_is_true(json_object_get(given_up, "system_calls"));
	bool capabilities = json_is_true(json_object_get(given_up, "capabilities"));

	if (!json_is_object(given_up))
		return;
	if (calls && capabilities)
		page_text(page, PAGE_PLAIN, 2, 4,
			"the agent gave up new privileges, root's powers and system calls that "
			"it has no use for");
	else
		page_text(page, PAGE_BAD, 2, 4, "the agent keeps what it has no use for:%s%s",
			calls ? "" : " no seccomp", capabilities ? "" : " root's powers");
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

/* The agent's own socket, or another one of this machine's where it has none. */
const char *status_local_socket(const json_t *status)
{
	const json_t *sockets = json_object_get(status, "sockets");
	const char *found = "";

	for (size_t i = 0; i < json_array_size(sockets); i++) {
		const json_t *socket = json_array_get(sockets, i);
		const char *path = text_in(socket, "path");

		if (strcmp(text_in(socket, "origin"), "local") != 0 || path[0] != '/')
			continue;
		if (strcmp(text_in(socket, "name"), "agent") == 0)
			return path;
		if (found[0] == '\0')
			found = path;
	}
	return found;
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
	if (words != NULL && status_local_socket(status)[0] != '\0')
		page_text(page, PAGE_PLAIN, 4, 4, "export SSH_AUTH_SOCK=%s",
			status_local_socket(status));
	for (size_t i = 0; i < json_array_size(warnings); i++)
		print_warning(page, json_array_get(warnings, i));
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

static void print_certificates(struct page *page, const json_t *certificates)
{
	print_part(page, certificates, "files", "Certificates", NULL, status_certificate);
	if (json_is_true(json_object_get(certificates, "more")))
		page_text(page, PAGE_WARNING, 2, 2, "there are more files than are read");
	if (json_is_true(json_object_get(certificates, "hangs")))
		page_text(page, PAGE_BAD, 2, 2,
			"the folder of certificates does not answer: what was read before counts");
}

static void print_withheld_count(struct page *page, const json_t *status, int column)
{
	json_int_t count = (json_int_t)json_array_size(json_object_get(status, "withheld"));

	if (count > 0)
		page_text(page, PAGE_PLAIN, column, column,
			"%lld more key%s known and not offered: keystile keys --all",
			(long long)count, count == 1 ? " is" : "s are");
}

void status_print(struct page *page, const json_t *status, const struct control *control)
{
	print_title(page, status);
	print_lock(page, status);
	print_given_up(page, status);
	print_warnings(page, status, control);
	print_part(page, status, "sockets", "Sockets", NULL, print_socket);
	print_part(page, status, "configured", "Configured providers", NULL, status_configured);
	print_part(page, status, "providers", "Providers",
		"none; ssh-add -s MODULE brings in a smartcard's", status_provider);
	print_part(page, status, "denials", "Kept from workers", NULL, status_denial);
	print_part(page, status, "keys", "Keys", "none", status_key);
	print_withheld_count(page, status, 2);
	print_certificates(page, json_object_get(status, "certificates"));
	print_part(page, status, "connections", "Connections", NULL, print_connection);
	print_more_connections(page, status);
	print_part(page, status, "known_hosts", "Known hosts", NULL, print_known_hosts);
	env_asking_print(page, json_object_get(status, "asking"));
	print_part(page, status, "prompts", "Waiting for you", NULL, print_prompt);
	print_part(page, status, "refusals", "Refused lately", NULL, status_refusal);
}

static void print_keys(struct page *page, const json_t *status)
{
	const json_t *keys = json_object_get(status, "keys");

	if (json_array_size(keys) == 0)
		page_text(page, PAGE_PLAIN, 0, 0,
			"no keys; ssh-add -s brings in a smartcard's, ssh-add those of files");
	for (size_t i = 0; i < json_array_size(keys); i++)
		status_key(page, json_array_get(keys, i));
}

void status_print_keys(struct page *page, const json_t *status, const struct control *control)
{
	(void)control;
	print_keys(page, status);
	print_withheld_count(page, status, 0);
}

void status_print_all_keys(struct page *page, const json_t *status, const struct control *control)
{
	const json_t *withheld = json_object_get(status, "withheld");

	(void)control;
	print_keys(page, status);
	for (size_t i = 0; i < json_array_size(withheld); i++)
		status_withheld(page, json_array_get(withheld, i));
}

/*
 * See audit_line.h. First what happened to what, then what a person may want to know of it.
 */
#include "audit_line.h"

#include <string.h>
#include <time.h>

#include <jansson.h>

#include <keystile/cleanup.h>
#include <keystile/text.h>

#include "field.h"

#define FIELD 4	 /* column where a field's name begins */
#define VALUE 15 /* column where what belongs to it begins */

/* The line's time is UTC; a person wants their own. */
static void local_time(const char *when, char *out, size_t size)
{
	struct tm parts = {0};
	time_t seconds;

	if (strptime(when, "%Y-%m-%dT%H:%M:%S", &parts) != NULL) {
		seconds = timegm(&parts);
		if (localtime_r(&seconds, &parts) != NULL &&
			strftime(out, size, "%Y-%m-%d %H:%M:%S", &parts) > 0)
			return;
	}
	snprintf(out, size, "%s", "at some time");
}

/* Hosts by the name that known_hosts has, else by their key. */
static const char *host_name(const json_t *hop)
{
	const char *name = json_string_value(json_array_get(json_object_get(hop, "names"), 0));

	return name != NULL ? name : text_in(hop, "host_key");
}

/* Proven, it is the last host of the path. */
static char *login_words(const json_t *line, const json_t *subject)
{
	const json_t *path = json_object_get(line, "path");
	const json_t *last = json_array_get(path, json_array_size(path) - 1);
	bool proven = json_is_true(json_object_get(json_object_get(line, "destination"), "proven"));

	return text_format("login as %s %s%s", text_in(subject, "user"),
		proven ? "on " : "somewhere (unproven)", proven ? host_name(last) : "");
}

static char *subject_words(const json_t *line)
{
	const json_t *subject = json_object_get(line, "subject");
	const char *kind = text_in(subject, "kind");

	if (strcmp(kind, "login") == 0)
		return login_words(line, subject);
	if (strcmp(kind, "sshsig") == 0)
		return text_format("signature for %s", text_in(subject, "namespace"));
	if (strcmp(kind, "certificate") == 0)
		return text_format("an SSH certificate");
	if (strcmp(kind, "unrecognised") == 0)
		return text_format("unrecognised data, %lld bytes", number_in(subject, "bytes"));
	return text_format("%s%s%s", text_in(line, "request"),
		text_in(line, "provider")[0] != '\0' ? " " : "", text_in(line, "provider"));
}

static void print_key(struct page *page, const json_t *line)
{
	const json_t *key = json_object_get(line, "key");
	const json_t *token = json_object_get(line, "token");

	if (key != NULL)
		page_text(page, PAGE_PLAIN, FIELD, VALUE, "%-10s %s %s", "key",
			text_in(key, "fingerprint"), text_in(key, "comment"));
	if (text_in(token, "label")[0] != '\0')
		page_text(page, PAGE_PLAIN, FIELD, VALUE, "%-10s %s", "token",
			text_in(token, "label"));
}

static void print_origin(struct page *page, const json_t *line)
{
	const json_t *origin = json_object_get(line, "origin");
	const json_t *path = json_object_get(line, "path");

	if (strcmp(text_in(origin, "is"), "remote") != 0)
		return;
	page_text(page, PAGE_WARNING, FIELD, VALUE, "%-10s %s", "remote", text_in(origin, "words"));
	for (size_t i = 0; i < json_array_size(path); i++)
		if (json_is_true(json_object_get(json_array_get(path, i), "forwarding")))
			page_text(page, PAGE_PLAIN, VALUE, VALUE, "through %s",
				host_name(json_array_get(path, i)));
}

static void print_presence(struct page *page, const json_t *line)
{
	const json_t *presence = json_object_get(line, "presence");

	for (size_t i = 0; i < json_array_size(presence); i++) {
		const json_t *one = json_array_get(presence, i);

		page_text(page, PAGE_PLAIN, FIELD, VALUE, "%-10s %s, attested by %s%s", "person",
			text_in(one, "what"),
			strcmp(text_in(one, "attested_by"), "signature") == 0 ? "the " : "",
			text_in(one, "attested_by"));
	}
}

static void print_process(struct page *page, const json_t *line)
{
	const json_t *process = json_object_get(line, "process");

	page_text(page, PAGE_PLAIN, FIELD, VALUE, "%-10s %s (pid %lld), %lld ms", "asked by",
		text_in(process, "executable")[0] != '\0' ? text_in(process, "executable")
							  : "unknown program",
		number_in(process, "pid"), number_in(line, "duration_ms"));
}

static void print_counter(struct page *page, const json_t *line)
{
	const json_t *counter = json_object_get(line, "counter_went_back");

	if (counter != NULL)
		page_text(page, PAGE_WARNING, FIELD, VALUE,
			"%-10s went back from %lld to %lld: there may be a copy of the key",
			"counter", number_in(counter, "from"), number_in(counter, "to"));
}

static void print_request(struct page *page, const json_t *line, const char *when)
{
	const char *answer = text_in(line, "answer");
	bool refused = strcmp(answer, "refused") == 0;
	AUTO(text) words = subject_words(line);

	page_text(page, refused ? PAGE_BAD : PAGE_STRONG, 0, FIELD, "%s  %s: %s", when,
		strcmp(answer, "none") == 0 ? "unanswered" : answer, words != NULL ? words : "");
	if ((refused || strcmp(answer, "none") == 0) && text_in(line, "reason")[0] != '\0')
		page_text(page, PAGE_PLAIN, FIELD, VALUE, "%-10s %s", "reason",
			text_in(line, "reason"));
	print_key(page, line);
	print_origin(page, line);
	print_presence(page, line);
	print_counter(page, line);
	print_process(page, line);
}

void audit_line_print(struct page *page, const char *text)
{
	json_t *line = json_loads(text, 0, NULL);
	char when[32];

	local_time(text_in(line, "time"), when, sizeof(when));
	if (strcmp(text_in(line, "event"), "request") == 0)
		print_request(page, line, when);
	else if (strcmp(text_in(line, "event"), "lost") == 0)
		page_text(page, PAGE_WARNING, 0, FIELD, "%s  %lld lines were lost", when,
			number_in(line, "count"));
	else
		page_text(page, PAGE_WARNING, 0, FIELD, "a line that can't be read");
	json_decref(line);
}

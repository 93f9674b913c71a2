/*
 * The parts of a status that have several lines each: providers with their tokens, keys, what was
 * refused, to workers and to clients.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include <keystile/cleanup.h>
#include <keystile/process.h>
#include <keystile/text.h>

#include "field.h"
#include "status.h"

#define FIELD STATUS_FIELD
#define VALUE STATUS_VALUE

static void print_field(
	struct page *page, enum page_style style, const char *name, const json_t *object)
{
	if (has_text(object, name))
		page_text(page, style, FIELD, VALUE, "%-10s %s", name, text_in(object, name));
}

static void print_card(struct page *page, const json_t *card)
{
	const char *serial = text_in(card, "serial");

	if (has_text(card, "firmware"))
		page_text(page, PAGE_PLAIN, VALUE, VALUE, "YubiKey with firmware %s%s%s",
			text_in(card, "firmware"), serial[0] != '\0' ? ", number " : "", serial);
}

static void print_token(struct page *page, const json_t *token)
{
	const json_t *tries = json_object_get(token, "tries_left");
	json_int_t waiting = number_in(token, "waiting");
	const char *login = "";

	if (json_is_boolean(json_object_get(token, "logged_in")))
		login = json_is_true(json_object_get(token, "logged_in")) ? ", logged in"
									  : ", not logged in";
	if (json_is_true(json_object_get(token, "absent")))
		login = ", not inserted";
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
	print_card(page, json_object_get(token, "card"));
	if (waiting > 0)
		page_text(page, PAGE_PLAIN, VALUE, VALUE, "%lld request%s wait%s for it",
			(long long)waiting, plural(waiting), waiting == 1 ? "s" : "");
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
void status_denial(struct page *page, const json_t *denial)
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

/* What a worker may speak with besides sockets. */
static void print_command(struct page *page, const json_t *command)
{
	json_int_t starts = number_in(command, "starts");
	json_int_t refused = number_in(command, "refused");
	const json_t *pids = json_object_get(command, "pids");

	page_text(page, PAGE_PLAIN, FIELD, VALUE, "%-10s %s, started %lld time%s, %zu running",
		"command", text_in(command, "name"), (long long)starts, plural(starts),
		json_array_size(pids));
	if (refused > 0)
		page_text(page, PAGE_BAD, VALUE, VALUE, "%lld more time%s refused: too often",
			(long long)refused, plural(refused));
	if (has_text(command, "output"))
		page_text(page, PAGE_PLAIN, VALUE, VALUE, "wrote last %s",
			text_in(command, "output"));
}

void status_provider(struct page *page, const json_t *provider)
{
	json_int_t restarts = number_in(provider, "restarts");
	const json_t *tokens = json_object_get(provider, "tokens");
	const json_t *commands = json_object_get(provider, "commands");

	page_text(page, PAGE_STRONG, 2, FIELD, "%s", text_in(provider, "name"));
	page_text(page, PAGE_PLAIN, FIELD, VALUE, "%-10s %s, %s, pid %lld, %lld restart%s",
		"backend", text_in(provider, "backend"), text_in(provider, "state"),
		(long long)number_in(provider, "pid"), (long long)restarts, plural(restarts));
	if (has_text(provider, "last_error"))
		page_text(page, PAGE_BAD, FIELD, VALUE, "%-10s %s", "last error",
			text_in(provider, "last_error"));
	print_confinement(page, json_object_get(provider, "confinement"));
	for (size_t i = 0; i < json_array_size(commands); i++)
		print_command(page, json_array_get(commands, i));
	print_output(page, json_object_get(provider, "output"));
	for (size_t i = 0; i < json_array_size(tokens); i++)
		print_token(page, json_array_get(tokens, i));
}

/* What keystile.conf(5) loads; what became of it stands among the providers. */
void status_configured(struct page *page, const json_t *configured)
{
	page_text(page, PAGE_STRONG, 2, FIELD, "%s", text_in(configured, "name"));
	print_field(page, PAGE_PLAIN, "load", configured);
	print_field(page, PAGE_PLAIN, "state", configured);
	print_field(page, PAGE_BAD, "trouble", configured);
}

/* What a remote request needs one of. */
static void print_proofs(struct page *page, const json_t *proofs)
{
	const char *first = json_string_value(json_array_get(proofs, 0));
	const char *second = json_string_value(json_array_get(proofs, 1));

	if (!json_is_array(proofs))
		return;
	if (first == NULL)
		page_text(page, PAGE_PLAIN, FIELD, VALUE, "%-10s nothing: not for remote requests",
			"proves");
	else
		page_text(page, PAGE_PLAIN, FIELD, VALUE, "%-10s %s%s%s", "proves", first,
			second != NULL ? " or " : "", second != NULL ? second : "");
}

/* The day alone; the whole time is in the JSON. */
static char *day_in(const json_t *object, const char *name)
{
	const char *text = text_in(object, name);

	return strndup(text, strcspn(text, "T"));
}

static void print_usages(struct page *page, const json_t *usages)
{
	AUTO(buf) words = {0};

	for (size_t i = 0; i < json_array_size(usages); i++) {
		const char *usage = json_string_value(json_array_get(usages, i));

		buf_put(&words, bytes_of(i > 0 ? ", " : ""));
		buf_put(&words, bytes_of(usage != NULL ? usage : "?"));
	}
	if (words.len > 0)
		page_text(page, PAGE_PLAIN, FIELD, VALUE, "%-10s %.*s", "usages", (int)words.len,
			(const char *)words.data);
}

/* What an X.509 certificate says of the key. */
static void print_x509(struct page *page, const json_t *x509)
{
	bool valid = strcmp(text_in(x509, "state"), "valid") == 0;
	json_int_t others = number_in(x509, "others");
	AUTO(text) from = day_in(x509, "not_before");
	AUTO(text) to = day_in(x509, "not_after");

	if (!json_is_object(x509))
		return;
	print_field(page, PAGE_PLAIN, "subject", x509);
	print_field(page, PAGE_PLAIN, "issuer", x509);
	print_usages(page, json_object_get(x509, "usages"));
	page_text(page, valid ? PAGE_PLAIN : PAGE_WARNING, FIELD, VALUE, "%-10s %s to %s%s%s",
		"valid", from != NULL ? from : "", to != NULL ? to : "", valid ? "" : ": ",
		valid ? "" : text_in(x509, "state"));
	if (others > 0)
		page_text(page, PAGE_PLAIN, VALUE, VALUE,
			"%lld more certificate%s for this key, not shown", (long long)others,
			plural(others));
}

/* OpenSSH's, in a file. */
void status_certificate(struct page *page, const json_t *file)
{
	bool valid = strcmp(text_in(file, "state"), "valid") == 0;
	AUTO(text) to = day_in(file, "not_after");

	page_text(page, PAGE_STRONG, 2, FIELD, "%s", text_in(file, "path"));
	if (has_text(file, "trouble")) {
		page_text(
			page, PAGE_WARNING, FIELD, VALUE, "not used: %s", text_in(file, "trouble"));
		return;
	}
	print_field(page, PAGE_PLAIN, "key", file);
	page_text(page, valid ? PAGE_PLAIN : PAGE_WARNING, FIELD, VALUE, "%-10s %s%s%s", "valid",
		text_in(file, "state"), has_text(file, "not_after") ? ", until " : "",
		to != NULL ? to : "");
	if (!json_is_true(json_object_get(file, "belongs")))
		page_text(
			page, PAGE_PLAIN, VALUE, VALUE, "for no key of a token that is known now");
}

void status_withheld(struct page *page, const json_t *key)
{
	status_key(page, key);
	page_text(page, PAGE_WARNING, FIELD, VALUE, "not offered: %s", text_in(key, "reason"));
}

/* As the card says it: how the key may be used. */
static void print_policy(struct page *page, const json_t *card)
{
	if (!json_is_object(card))
		return;
	page_text(page, PAGE_PLAIN, FIELD, VALUE, "%-10s %s, %s, PIN %s, touch %s%s", "slot",
		text_in(card, "slot"), text_in(card, "origin"), text_in(card, "pin"),
		text_in(card, "touch"),
		json_is_true(json_object_get(card, "attested")) ? ", attested" : "");
}

void status_key(struct page *page, const json_t *key)
{
	bool certificate = json_is_true(json_object_get(key, "certificate"));
	json_int_t reserves = number_in(key, "reserves");

	page_text(page, PAGE_STRONG, 2, FIELD, "%s  %s %lld%s", text_in(key, "fingerprint"),
		text_in(key, "type"), (long long)number_in(key, "bits"),
		certificate ? ", certificate" : "");
	print_field(page, PAGE_PLAIN, "comment", key);
	print_field(page, PAGE_PLAIN, "token", key);
	print_field(page, PAGE_PLAIN, "id", key);
	print_field(page, PAGE_PLAIN, "provider", key);
	print_x509(page, json_object_get(key, "x509"));
	print_proofs(page, json_object_get(key, "proves"));
	print_policy(page, json_object_get(key, "card"));
	if (reserves > 0)
		page_text(page, PAGE_PLAIN, FIELD, VALUE,
			"%-10s %lld, not used while this one is there", "reserves",
			(long long)reserves);
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

void status_refusal(struct page *page, const json_t *refusal)
{
	AUTO(text)
	when = moment(json_object_get(refusal, "when"));

	page_text(page, PAGE_PLAIN, 2, FIELD, "%s  %s", when != NULL ? when : "",
		text_in(refusal, "key"));
	print_field(page, PAGE_BAD, "reason", refusal);
	print_field(page, PAGE_PLAIN, "remedy", refusal);
}

/* The terminal that controls this process, as the agent writes that of those who ask; or "". */
static void own_terminal(char out[static 32])
{
	struct process self;

	out[0] = '\0';
	if (process_read(getpid(), &self) && self.terminal != 0)
		snprintf(out, 32, "%u:%u", major(self.terminal), minor(self.terminal));
}

/* They come with the newest first. */
static json_t *last_from(const json_t *refusals, const char *terminal)
{
	for (size_t i = 0; i < json_array_size(refusals); i++) {
		json_t *refusal = json_array_get(refusals, i);

		if (terminal[0] != '\0' && strcmp(text_in(refusal, "terminal"), terminal) == 0)
			return refusal;
	}
	return NULL;
}

/* The last of this terminal, else the last of all; NULL: there is none. */
static json_t *refusal_to_explain(const json_t *status, bool *mine)
{
	const json_t *refusals = json_object_get(status, "refusals");
	char terminal[32];
	json_t *refusal;

	own_terminal(terminal);
	refusal = last_from(refusals, terminal);
	*mine = refusal != NULL;
	return refusal != NULL ? refusal : json_array_get(refusals, 0);
}

json_t *status_why_json(const json_t *status)
{
	bool mine;
	json_t *refusal = refusal_to_explain(status, &mine);

	return json_pack("{s:O?,s:b}", "refusal", refusal, "from_this_terminal", mine);
}

void status_print_why(struct page *page, const json_t *status, const struct control *control)
{
	bool mine;
	const json_t *refusal = refusal_to_explain(status, &mine);

	(void)control;
	if (refusal != NULL && !mine) {
		page_text(page, PAGE_PLAIN, 0, 0,
			"Nothing that was asked from this terminal was refused lately. The last "
			"refusal of all:");
	}
	if (refusal == NULL) {
		page_text(page, PAGE_PLAIN, 0, 0,
			"The agent has refused nothing since it was started. Where ssh says "
			"\"agent refused operation\" all the same, it asks another agent: keystile "
			"doctor");
		return;
	}
	status_refusal(page, refusal);
	if (has_text(refusal, "executable"))
		page_text(page, PAGE_PLAIN, FIELD, VALUE, "%-10s %s (pid %lld)", "asked by",
			text_in(refusal, "executable"), (long long)number_in(refusal, "pid"));
}

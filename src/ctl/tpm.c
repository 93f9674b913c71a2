/*
 * What the command line says, and the way to the worker.
 */
#include "tpm.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <keystile/cleanup.h>
#include <keystile/text.h>

#include "control.h"
#include "worker.h"

static struct tpm_wish wish_of(const struct call *call)
{
	return (struct tpm_wish){
		.verb = call->command->name,
		.file = call_word(call, 0),
		.second = call_word(call, 1),
		.kind = call_option(call, "type"),
		.comment = call_option(call, "comment"),
		.parent = call_option(call, "parent"),
		.storage_key = call_option(call, "for"),
		.nonce = call_option(call, "nonce"),
		.roots = call_option(call, "roots"),
		.challenge = call_option(call, "challenge"),
		.answer = call_option(call, "answer"),
		.rsa_parent = call_has(call, "rsa-parent"),
		.no_pin = call_has(call, "no-pin"),
		.has_pin = call_has(call, "pin"),
		.has_none = call_has(call, "empty"),
		.parent_password = call_has(call, "parent-password"),
		.owner_password = call_has(call, "owner-password"),
		.endorsement_password = call_has(call, "endorsement-password"),
		.description = call_has(call, "description"),
		.force = call_has(call, "force"),
		.as_json = call_has(call, "json"),
	};
}

int run_tpm(const struct call *call)
{
	static const struct {
		const char *name;
		int (*run)(const struct tpm_wish *wish);
	} verbs[] = {
		{"create", tpm_create},
		{"import", tpm_import},
		{"wrap", tpm_wrap},
		{"storage-key", tpm_storage_key},
		{"attest", tpm_attest},
		{"challenge", tpm_challenge},
		{"answer", tpm_answer},
		{"verify", tpm_verify},
		{"info", tpm_info},
		{"list", tpm_list},
		{"passwd", tpm_passwd},
		{"persist", tpm_persist},
		{"evict", tpm_evict},
	};
	const struct rlimit none = {0, 0};
	struct tpm_wish wish = wish_of(call);

	(void)setrlimit(RLIMIT_CORE, &none);
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (strcmp(verbs[i].name, wish.verb) == 0)
			return verbs[i].run(&wish);
	return TPM_EXIT_USAGE;
}

enum ks_error tpm_ask(
	const struct tpm_wish *wish, json_t *request, const struct secret *secrets, json_t **answer)
{
	char quoted[TEXT_QUOTED_MAX];
	AUTO(text) token = text_format("the key in %s",
		text_quote(bytes_of(wish->file != NULL ? wish->file : ""), quoted));
	const struct worker_wish whole = {.backend = "tpm2",
		.provider = "tpm2:",
		.request = request,
		.secrets = secrets,
		.token = token};
	enum ks_error error = KS_NO_MEMORY;

	*answer = NULL;
	if (request != NULL && token != NULL &&
		json_object_set_new(request, "verb", json_string(wish->verb)) == 0)
		error = worker_administer(&whole, answer);
	else
		complain("out of memory, or what was typed is not UTF-8");
	json_decref(request);
	return error;
}

void tpm_put_parent(const struct tpm_wish *wish, json_t *request)
{
	if (wish->parent != NULL)
		json_object_set_new(request, "parent", json_string(wish->parent));
	if (wish->rsa_parent)
		json_object_set_new(request, "rsa_parent", json_true());
}

char *tpm_public_line(const json_t *answer, const char *comment)
{
	const char *kind = json_string_value(json_object_get(answer, "kind"));
	const char *blob = json_string_value(json_object_get(answer, "public_key"));

	if (kind == NULL || blob == NULL)
		return NULL;
	return text_format("%s %s%s%s\n", kind, blob, *comment != '\0' ? " " : "", comment);
}

int tpm_finish(void)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return TPM_EXIT_FINE;
	complain("writing the output failed: %s", strerror(errno));
	return TPM_EXIT_FAILED;
}

void tpm_print_json(const json_t *answer)
{
	AUTO(text) text = json_dumps(answer, JSON_INDENT(2) | JSON_ENSURE_ASCII);

	puts(text != NULL ? text : "");
}

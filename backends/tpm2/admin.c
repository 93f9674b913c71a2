/*
 * From a request to its verb, and back.
 */
#include "admin.h"

#include <stdlib.h>
#include <string.h>

#include <keystile/cleanup.h>

static const struct {
	const char *name;
	enum ks_error (*run)(struct admin *admin);
} verbs[] = {
	{"create", admin_create},
	{"info", admin_info},
	{"list", admin_list},
	{"passwd", admin_passwd},
	{"persist", admin_persist},
	{"evict", admin_evict},
	{"import", admin_import},
	{"wrap", admin_wrap},
	{"storage-key", admin_storage_key},
	{"attest", admin_attest},
	{"challenge", admin_challenge},
	{"answer", admin_answer},
	{"verify", admin_verify},
};

static enum ks_error run_verb(struct admin *admin)
{
	const char *name = admin_text(admin, "verb");

	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (strcmp(verbs[i].name, name) == 0)
			return verbs[i].run(admin);
	ks_explain(admin->operation,
		"the worker for TPMs does not know how to do this; is it older "
		"than the command?");
	return KS_UNSUPPORTED;
}

static enum ks_error put_answer(const struct admin *admin, struct buf *answer)
{
	AUTO(text) text = json_dumps(admin->answer, JSON_COMPACT);

	if (text == NULL)
		return KS_NO_MEMORY;
	buf_put(answer, bytes_of(text));
	return buf_status(answer);
}

static enum ks_error run(struct admin *admin, struct buf *answer)
{
	enum ks_error error = tpm_settings_init(&admin->settings, admin->operation);

	held_init(&admin->held, &admin->settings);
	if (error == KS_OK && admin_flag(admin, "parent_pin"))
		error = admin_new_pin(admin, "parent_pin", &admin->settings.parent_auth);
	if (error == KS_OK)
		error = run_verb(admin);
	held_release(&admin->held);
	tpm_settings_deinit(&admin->settings);
	return error == KS_OK ? put_answer(admin, answer) : error;
}

enum ks_error tpm_administer(void *state, struct ks_operation *operation, struct bytes request,
	const struct secret *secrets, struct buf *answer)
{
	struct admin admin = {
		.operation = operation, .secrets = reader_of(BYTES(secrets->data, secrets->len))};
	json_t *object =
		json_loadb((const char *)request.data, request.len, JSON_REJECT_DUPLICATES, NULL);
	enum ks_error error = KS_BAD_INPUT;

	(void)state; /* a connection of its own: nothing of the keys that sign is touched */
	admin.request = object;
	admin.answer = json_object();
	if (json_is_object(object) && admin.answer != NULL)
		error = run(&admin, answer);
	json_decref(admin.answer);
	json_decref(object);
	return error;
}

/*
 * One attempt is: connect, parent, session, key, use, each only where it is missing. What fails
 * tells what is gone; that is forgotten, and the next attempt makes it again. Attempts are few.
 */
#include "held.h"

#include <time.h>

#include <keystile/log.h>

#include "load.h"
#include "wanted.h"

/* A restarted TPM costs one for each of key, session, parent, and one for TPM2_Startup. */
#define ATTEMPTS 8
#define PAUSE_FIRST_MS 5
#define FULL_LATER 2 /* other workers look each second whether room is wanted */

void held_init(struct held *held, const struct tpm_settings *settings)
{
	*held = (struct held){.tpm.tcti = settings->tcti,
		.settings = settings,
		.session = ESYS_TR_NONE,
		.parent = ESYS_TR_NONE};
}

static void flush_all(struct held *held)
{
	for (size_t i = 0; i < HELD_KEYS; i++)
		if (held->keys[i] != NULL)
			held_drop_key(held, held->keys[i]);
	tpm_flush(held->tpm.esys, &held->session);
	if (held->parent != ESYS_TR_NONE)
		tpm_parent_drop(held->tpm.esys, &held->parent_is, &held->parent);
}

void held_release(struct held *held)
{
	if (held->tpm.esys == NULL)
		return;
	flush_all(held);
	tpm_disconnect(&held->tpm);
	held->spoilt = false;
}

void held_drop_key(struct held *held, struct tpm_key *key)
{
	for (size_t i = 0; i < HELD_KEYS; i++)
		if (held->keys[i] == key)
			held->keys[i] = NULL;
	if (key->persistent != 0)
		tpm_forget(held->tpm.esys, &key->loaded);
	else
		tpm_flush(held->tpm.esys, &key->loaded);
}

static void forget_key(struct held *held, struct tpm_key *key)
{
	for (size_t i = 0; i < HELD_KEYS; i++)
		if (held->keys[i] == key)
			held->keys[i] = NULL;
	tpm_forget(held->tpm.esys, &key->loaded);
}

/*
 * After an answer that was none, ESYS and TCTI may go on waiting for one, and the TPM holds what it
 * held: that is flushed by number, over a connection of its own.
 */
static void abandon(struct held *held)
{
	ESYS_CONTEXT *esys = held->tpm.esys;
	TPM2_HANDLE numbers[HELD_KEYS + 2];
	size_t count = 0;

	if (esys == NULL)
		return;
	for (size_t i = 0; i < HELD_KEYS; i++) {
		struct tpm_key *key = held->keys[i];

		if (key != NULL && key->persistent == 0)
			numbers[count++] = tpm_number(esys, key->loaded);
		if (key != NULL)
			forget_key(held, key);
	}
	if (held->session != ESYS_TR_NONE)
		numbers[count++] = tpm_number(esys, held->session);
	if (held->parent != ESYS_TR_NONE && tpm_parent_is_hierarchy(held->parent_is.handle))
		numbers[count++] = tpm_number(esys, held->parent);
	tpm_forget(esys, &held->session);
	tpm_forget(esys, &held->parent);
	tpm_disconnect(&held->tpm);
	tpm_flush_numbers(held->tpm.tcti, numbers, count);
	held->spoilt = false;
}

static void pause_before(unsigned attempt)
{
	const long ms = (long)PAUSE_FIRST_MS << attempt;
	const struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = (ms % 1000) * 1000000};

	(void)nanosleep(&pause, NULL);
}

/* Room for others' sake and ours: keys that are not the one in use, and the parent, can come back.
 */
static void make_room(struct held *held, const struct tpm_key *key)
{
	for (size_t i = 0; i < HELD_KEYS; i++)
		if (held->keys[i] != NULL && held->keys[i] != key)
			held_drop_key(held, held->keys[i]);
	if (held->parent != ESYS_TR_NONE && held->session != ESYS_TR_NONE)
		tpm_parent_drop(held->tpm.esys, &held->parent_is, &held->parent);
}

static void start_tpm(struct held *held)
{
	flush_all(held); /* which fails where the TPM was restarted, and then they are forgotten */
	(void)Esys_Startup(held->tpm.esys, TPM2_SU_CLEAR);
}

/* False: it is a persistent one that is not there. */
static bool forget_object(struct held *held, struct tpm_key *key, const struct tpm_step *step)
{
	if (step->of_parent && held->parent != ESYS_TR_NONE) {
		tpm_forget(held->tpm.esys, &held->parent);
		return true;
	}
	if (step->of_parent || key == NULL || key->loaded == ESYS_TR_NONE)
		return false;
	forget_key(held, key);
	return true;
}

/* True when another attempt may work. step says where it failed. */
static bool recover(
	struct held *held, struct tpm_key *key, const struct tpm_step *step, unsigned attempt)
{
	switch (tpm_trouble(step->code)) {
	case TPM_OBJECT_GONE:
		return forget_object(held, key, step);
	case TPM_SESSION_GONE:
		tpm_forget(held->tpm.esys, &held->session);
		return true;
	case TPM_FULL:
		make_room(held, key);
		if (attempt == 0)
			wanted_ask(held->settings->state_folder);
		pause_before(attempt + FULL_LATER);
		return true;
	case TPM_LATER:
		pause_before(attempt);
		return true;
	case TPM_NOT_STARTED:
		start_tpm(held);
		return true;
	case TPM_LOST:
		abandon(held);
		held->lost = true;
		return attempt == 0;
	default:
		return false;
	}
}

/* ---- An attempt ---- */

static struct tpm_step connect_tpm(struct held *held)
{
	struct tpm_step step = {.command = "connecting to the TPM"};

	step.code = tpm_connect(&held->tpm);
	return step;
}

/* *used: the use itself was run. */
static struct tpm_step attempt_use(struct held *held, struct ks_operation *operation,
	struct tpm_key *key, const struct tpm_use *use, bool *used)
{
	struct tpm_step step = connect_tpm(held);

	if (step.code == TSS2_RC_SUCCESS && key != NULL)
		step = load_key(held, operation, key);
	if (step.code != TSS2_RC_SUCCESS || step.error != KS_OK)
		return step;
	*used = true;
	step.command = use->command;
	step.code = use->run(held, key, use->context);
	return step;
}

/* What the TPM may have carried out already is not done twice. */
static bool may_repeat(const struct tpm_use *use, const struct tpm_step *step, bool used)
{
	return !used || !use->once || tpm_trouble(step->code) != TPM_LOST;
}

static enum ks_error fail(struct ks_operation *operation, const struct tpm_step *step, bool used)
{
	if (step->error != KS_OK)
		return step->error;
	switch (used ? TPM_FINE : tpm_trouble(step->code)) {
	case TPM_AUTH_COUNTED:
	case TPM_AUTH_FREE:
	case TPM_LOCKED:
		ks_explain(operation,
			"the TPM wants an authorisation value for the parent of this key, and the "
			"configured one is not it (%s: 0x%x)",
			step->command, (unsigned)step->code);
		return KS_NOT_ALLOWED;
	case TPM_LOST:
		ks_explain(operation, "there is no TPM that answers (%s)", step->command);
		return KS_NO_TOKEN;
	default:
		return tpm_failed(operation, step->command, step->code);
	}
}

enum ks_error held_use(struct held *held, struct ks_operation *operation, struct tpm_key *key,
	const struct tpm_use *use, enum tpm_trouble *trouble)
{
	struct tpm_step step = {0};
	bool used = false;

	for (unsigned attempt = 0; attempt < ATTEMPTS; attempt++) {
		used = false;
		if (ks_cancelled(operation))
			return KS_CANCELLED;
		step = attempt_use(held, operation, key, use, &used);
		if (step.error != KS_OK || step.code == TSS2_RC_SUCCESS)
			break;
		if (!recover(held, key, &step, attempt) || !may_repeat(use, &step, used))
			break;
		if (held->spoilt)
			held_release(held);
	}
	*trouble = used ? tpm_trouble(step.code) : TPM_FINE;
	if (step.error == KS_OK && step.code == TSS2_RC_SUCCESS) {
		held->lost = false;
		if (key != NULL)
			key->used = ++held->clock;
		return KS_OK;
	}
	return fail(operation, &step, used);
}

enum ks_error held_ask(struct held *held, struct ks_operation *operation, const struct tpm_use *use,
	enum tpm_trouble *trouble)
{
	return held_use(held, operation, NULL, use, trouble);
}

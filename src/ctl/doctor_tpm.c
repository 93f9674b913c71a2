/*
 * The TPM: there, permitted, not locked by wrong PINs, and of no firmware that is known to be weak.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <keystile/cleanup.h>

#include "control.h"
#include "doctor.h"
#include "field.h"
#include "firmware.h"
#include "worker.h"

#define PATIENCE_SECONDS 10

static const char node[] = "/dev/tpmrm0";

static void say_lockout(struct doctor *doctor, const json_t *lockout)
{
	json_int_t failures = number_in(lockout, "failures");
	json_int_t most = number_in(lockout, "most");

	if (json_is_true(json_object_get(lockout, "locked")))
		doctor_say(doctor, DOCTOR_FAIL, "TPM", "tpm2_dictionarylockout --clear-lockout",
			"it is locked: there were too many wrong PINs. One is forgotten every "
			"%lld seconds; the owner of the TPM can unlock it at once",
			(long long)number_in(lockout, "interval_seconds"));
	else if (most > 0 && most - failures <= 1)
		doctor_say(doctor, DOCTOR_WARN, "TPM", "keystile tpm info",
			"one more wrong PIN locks it, so none is tried; one of %lld is forgotten "
			"every %lld seconds",
			(long long)failures, (long long)number_in(lockout, "interval_seconds"));
}

static void say_firmware(struct doctor *doctor, const json_t *answer)
{
	const struct firmware_weakness *weakness = firmware_weakness_of_tpm(
		text_in(answer, "manufacturer"), text_in(answer, "firmware"));

	if (weakness != NULL)
		doctor_say(doctor, DOCTOR_WARN, "TPM", weakness->remedy, "firmware %s: %s",
			text_in(answer, "firmware"), weakness->words);
}

/* What it says of itself costs nobody anything. */
static void ask_tpm(struct doctor *doctor)
{
	const char *configured = getenv("KEYSTILE_TPM2_TCTI");
	const char *way = configured != NULL ? configured : node;
	AUTO(buf) said = {.max = 4096};
	json_t *request = json_pack("{s:s}", "verb", "info");
	json_t *answer = NULL;
	enum ks_error error;

	complain_into(&said);
	error = worker_administer(
		&(struct worker_wish){.backend = "tpm2", .provider = "tpm2:", .request = request},
		&answer);
	complain_into(NULL);
	json_decref(request);
	if (error == KS_OK) {
		doctor_say(doctor, DOCTOR_PASS, "TPM", "", "%s can be used", way);
		say_lockout(doctor, json_object_get(answer, "lockout"));
		say_firmware(doctor, answer);
		json_decref(answer);
	} else if (error == KS_UNSUPPORTED) {
		doctor_say(doctor, DOCTOR_PASS, "TPM", "",
			"%s can be used; Keystile's part for TPMs is not installed", way);
	} else {
		doctor_say(doctor, DOCTOR_WARN, "TPM", "keystile tpm info",
			"%s is there, but can't be used: %.*s", way, (int)said.len,
			said.data != NULL ? (const char *)said.data : "");
	}
}

static void try_tpm(struct doctor *doctor)
{
	if (!doctor_apart(doctor, ask_tpm, PATIENCE_SECONDS))
		doctor_say(doctor, DOCTOR_FAIL, "TPM", "keystile tpm info",
			"it takes commands, but does not answer");
}

void doctor_check_tpm(struct doctor *doctor)
{
	bool elsewhere = getenv("KEYSTILE_TPM2_TCTI") != NULL;

	if (!elsewhere && !doctor_any_file("/sys/class/tpm/tpm0"))
		doctor_say(doctor, DOCTOR_PASS, "TPM", "", "this machine has none");
	else if (!elsewhere && !doctor_file_begins("/sys/class/tpm/tpm0/tpm_version_major", "2", 1))
		doctor_say(doctor, DOCTOR_WARN, "TPM", "", "it is older than version 2: no use");
	else if (elsewhere || access(node, R_OK | W_OK) == 0)
		try_tpm(doctor);
	else if (errno == EACCES)
		doctor_say(doctor, DOCTOR_WARN, "TPM",
			"sudo usermod -a -G tss \"$USER\"\nthen log in anew",
			"you may not use %s: you are not in its group", node);
	else
		doctor_say(doctor, DOCTOR_WARN, "TPM", "sudo modprobe -a tpm_crb tpm_tis",
			"%s can't be used: %s", node, strerror(errno));
}

/*
 * Sources: Infineon's and Microsoft's ADV170012 and Yubico's YSA-2017-01 (ROCA, CVE-2017-15361),
 * Yubico's YSA-2024-03 (EUCLEAK), ST's list of affected and fixed firmware (TPM-FAIL,
 * CVE-2019-16863). Intel's firmware TPMs had TPM-FAIL, too, but do not tell their patch level here.
 */
#include "firmware.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct firmware_weakness roca = {
	"RSA keys that were made in it can be computed from their public keys (ROCA, "
	"CVE-2017-15361); keys that were brought in, and ECDSA keys, are not affected",
	"\nupdate the firmware, and make new RSA keys outside of it, or ECDSA keys"};
static const struct firmware_weakness eucleak = {
	"who has it in a laboratory for some time can take out its ECDSA keys (EUCLEAK, "
	"YSA-2024-03)",
	"\ndon't lose it, or get one with firmware 5.7 or newer; the firmware can't be updated"};
static const struct firmware_weakness tpm_fail = {
	"its ECDSA keys can be found out by how long signatures take (TPM-FAIL, CVE-2019-16863)",
	"\nupdate the TPM's firmware by the maker of the computer, and make new ECDSA keys"};

struct range {
	const char *manufacturer; /* three letters, which a fourth or a blank may follow */
	unsigned major;
	unsigned from; /* minor */
	unsigned to;
	const struct firmware_weakness *weakness;
};

static const struct range tpms[] = {
	{"IFX", 4, 0, 33, &roca},
	{"IFX", 4, 40, 42, &roca},
	{"IFX", 5, 0, 61, &roca},
	{"IFX", 6, 0, 42, &roca},
	{"IFX", 7, 0, 61, &roca},
	{"IFX", 133, 0, 32, &roca},
	{"STM", 71, 0, 0, &tpm_fail},
	{"STM", 71, 4, 4, &tpm_fail},
	{"STM", 71, 12, 12, &tpm_fail},
	{"STM", 73, 0, 0, &tpm_fail},
	{"STM", 73, 4, 5, &tpm_fail},
	{"STM", 73, 8, 9, &tpm_fail},
	{"STM", 74, 0, 0, &tpm_fail},
	{"STM", 74, 4, 5, &tpm_fail},
	{"STM", 74, 8, 9, &tpm_fail},
	{"STM", 74, 16, 16, &tpm_fail},
};

const struct firmware_weakness *firmware_weakness_of_tpm(
	const char *manufacturer, const char *firmware)
{
	char *rest = NULL;
	unsigned long major = strtoul(firmware, &rest, 10);
	unsigned long minor = *rest == '.' ? strtoul(rest + 1, NULL, 10) : 0;

	for (size_t i = 0; i < sizeof(tpms) / sizeof(tpms[0]); i++)
		if (strncmp(tpms[i].manufacturer, manufacturer, 3) == 0 && tpms[i].major == major &&
			minor >= tpms[i].from && minor <= tpms[i].to)
			return tpms[i].weakness;
	return NULL;
}

/* Two digits of the major, one of the minor, one of the patch version. */
const struct firmware_weakness *firmware_weakness_of_yubikey(const char *version)
{
	unsigned long number = strtoul(version, NULL, 16);

	if (number >= 0x426 && number <= 0x434)
		return &roca;
	return number >= 0x500 && number < 0x570 ? &eucleak : NULL;
}

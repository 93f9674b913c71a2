/*
 * Firmware of tokens that is known to be weak, by version. What a maker lists as affected stands
 * here, and nothing that is a guess.
 */
#ifndef KEYSTILE_CTL_FIRMWARE_H
#define KEYSTILE_CTL_FIRMWARE_H

struct firmware_weakness {
	const char *words;
	const char *remedy; /* as doctor_say() has it */
};

/* manufacturer as the TPM has it ("IFX"), firmware "5.61.0.0"; NULL: none is known. */
const struct firmware_weakness *firmware_weakness_of_tpm(
	const char *manufacturer, const char *firmware);
/* version "0543", as USB has it of a YubiKey; NULL likewise. */
const struct firmware_weakness *firmware_weakness_of_yubikey(const char *version);

#endif

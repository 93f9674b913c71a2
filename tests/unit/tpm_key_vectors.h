/*
 * Key files as other programs made them, with swtpm as the TPM: tpm2-openssl 1.1.1 (`openssl
 * genpkey`), tpm2-tools 5.4 (`tpm2_encodeobject`, also of sealed data) and pytss 1.2.0
 * (TSSPrivKey).
 */
#ifndef TPM_KEY_VECTORS_H
#define TPM_KEY_VECTORS_H

static const char tpm_key_openssl_p256_pin[] =
	"-----BEGIN TSS2 PRIVATE KEY-----\n"
	"MIHwBgZngQUKAQOgAwEBAAIEQAAAAQRYAFYAIwALAAYAcgAAABAAEAADABAAIJq7\n"
	"GkLiAsMCKp4IbcDbzZhOeOFL7l770Jz9NZw5BkQnACBV87ThUoZQ7ijVXedJGbxG\n"
	"MSCNG3+Qehf8y6HAn0psBwSBgAB+ACDgXxlzhnnyVQZFFrRFVnt0nowztrM1c9L5\n"
	"WaDX6FKY5wAQjq7SKk9TklCTmYMQwYHTCjpZJryzQ4WZFRdHzcSDGyLpZFX1nMCc\n"
	"c8wayP3zlqRWYsk/TxUJafESeCVR6qZ6tROin721MtOntqt1jjZtGIQoDkhf97jS\n"
	"GF4X\n"
	"-----END TSS2 PRIVATE KEY-----\n";

static const char tpm_key_openssl_p384[] =
	"-----BEGIN TSS2 PRIVATE KEY-----\n"
	"MIIBIAYGZ4EFCgEDoAMBAQECBEAAAAEEeAB2ACMACwAGAHIAAAAQABAABAAQADBU\n"
	"CS54TKOSib0ZtoPWSud5zp/pkDskmLi/y0cgyVvHMh9aJHxno0JBaah2sfWkfK0A\n"
	"MPsUuesrug6ByvaQFBRIwVvn5CID+oD2MMGU9+dMxGIeQo69UfyqWfMZVd8FjIZt\n"
	"CQSBkACOACDmBzvIRnNH95CnBZaXE2WNTOFm1otjNmmrBgb9SFhJeAAQ5fJcH4gW\n"
	"AvbGggJE1UpVe+uOz8zFXKaToiTrbB6/9Ngeb/3K6zMPNrAysGy0pZbRlIuF9hAv\n"
	"PuAJQnq2uylgbqQyQrwa6wj1txQxRQ/oj2txx3YGPMtE0nfvwPCes7ltyiRNzVeM\n"
	"SxGU1Q==\n"
	"-----END TSS2 PRIVATE KEY-----\n";

static const char tpm_key_openssl_rsa2048[] =
	"-----BEGIN TSS2 PRIVATE KEY-----\n"
	"MIICEgYGZ4EFCgEDoAMBAQECBEAAAAEEggEYARYAAQALAAYAcgAAABAAEAgAAAAA\n"
	"AAEAu1A8C/gQLt2V1RHmJNCgJfYQjrxOj4jUFJvkBtRFQzAk4hqOU6IMRkd4KL5Q\n"
	"YH9CAUXfJMu4mRU59X4P8RsiuVV5drANrbHlZwb0b5vyYYc0UjW4rF/PZqapuY7p\n"
	"/mHGszEcU2etbhMk+rkdedrl3oFWBAKEE1PmS6ATPSRN/Su0/AArgMmTQ0Geej+/\n"
	"j42ZMnaYtVbwyJtpjzvJyVOuh+P50jurEC4ULtaQOroy1eeSErKWcR3jF7bsVdNS\n"
	"Lgezl+J2w68GMUgKw3En+Eos5PKyOl3RuW1MOhdcU4YiPlAZ4gxuJbGOAwvPvPmW\n"
	"LD2gV4f7T6P11gQMqg2vOyKiKwSB4ADeACB1avMRYbcP4S6mM9/oNU7bu/N0D5m3\n"
	"/jvUJWBeM9ueDQAQ8rEsC3VYVIt3Gr7MJ1Gw/5jBD94XkfxSsXfoy2XdV1Vcz2I5\n"
	"99RBwtrommpD/5J/gOjago2BsPO6q6GeDj16+tYhkQTAZjDP2/Z7BkUB1cphSQBm\n"
	"kEbwZ7a3vX+42kCG7TtZs2lYegTAFJpx+AHLrcoYGL6qfPulwY7D1b3n5S0FjmNG\n"
	"FjapksETMnmTIRM8mgr9gV+lKaRkuA8WYkkAMsXH2Yq4o5Yz/ItDJjxYLTHGj2VA\n"
	"0aUadgDG\n"
	"-----END TSS2 PRIVATE KEY-----\n";

static const char tpm_key_pytss_p256[] =
	"-----BEGIN TSS2 PRIVATE KEY-----\n"
	"MIHwBgZngQUKAQOgAwEBAQIEQAAAAQRYAFYAIwALAAQEcgAAABAAEAADABAAIC0+\n"
	"GtJZtX9rHEVYX6aEecdif3etORnGaaoHfsZJ+RnEACA0c3Icryb9K/Hzenjqn0rE\n"
	"E9SZxV5/Q+7/m+Q9GOna4wSBgAB+ACCcivgiqDTFSyjHnnpjjB/Okspvs+/6a8Jr\n"
	"7yUMqIVcNQAQPjqho74tF+islvBjKqj+vkrLcD9x0OVBmwcxfbzxRRGLoWkVoQWj\n"
	"Hb4UoVw5Z0Kfb7fZ8lzUKb7G1aO+Ll+Gd3ffh2Ij5V04/nAP0VRMg8NYqnHX5AgX\n"
	"ac2j\n"
	"-----END TSS2 PRIVATE KEY-----\n";

static const char tpm_key_tools_p256_pin[] =
	"-----BEGIN TSS2 PRIVATE KEY-----\n"
	"MIHwBgZngQUKAQOgAwEBAQIEQAAAAQRYAFYAIwALAAYAcgAAABAAEAADABAAILav\n"
	"zvOXVWYmvJl9MIIpYoJsQHBmPHkIeSTbTlXryi1QACA+l9A8NTfyvrPxHywEumIS\n"
	"a5X9P7kan6WwxPfwSSVWSASBgAB+ACDCS9JtCx6pgd5pPZWtQLf4olUEyv54wwva\n"
	"AvlaltAGMAAQ4/kwLCpYzlyGQ3DxHYkUskvAvAe/veT7/TCtqY7mpm56yvS6cIZv\n"
	"NEUWmNUp+v31AFgGzcf8G3NLPjfPsasuZ93GHlxcE7uGp9IwhawuS8w5o617x6/k\n"
	"p291\n"
	"-----END TSS2 PRIVATE KEY-----\n";

static const char tpm_key_tools_sealed[] =
	"-----BEGIN TSS2 PRIVATE KEY-----\n"
	"MIHTBgZngQUKAQOgAwEBAAIEQAAAAQQwAC4ACAALAAAAUgAAABAAIK7wSusAHRnc\n"
	"pVqsVYHxrHloO/Zrw/RimDB0stWRyDc3BIGLAIkAIMfDQMjJXWHnDWrLGFD/+fMO\n"
	"FQWReS5L5dNV6r1pbDs4ABCT35NPJ9VqjvO7zU7JgWjSbA1Z8PCGgY7QF+Ifk1SX\n"
	"9bOSoWtAmaQU5k0zyiglcmOaFDrJlrHrYB3weU8xQVu8lZjuiRCH+Eg3OnCLh2ON\n"
	"55J4vlA+aTh5+NSz/GBtZd4Il1zRhw==\n"
	"-----END TSS2 PRIVATE KEY-----\n";

#endif

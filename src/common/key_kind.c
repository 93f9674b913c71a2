/*
 * The table of key kinds and signature algorithms.
 */
#include <openssl/evp.h>

#include <keystile/composite.h>

#include "key_kind.h"

static const struct key_kind_facts kinds[KEY_KIND_COUNT] = {
	[KEY_ED25519] = {.name = "ssh-ed25519",
		.certificate_name = "ssh-ed25519-cert-v01@openssh.com",
		.label = "ED25519",
		.bits = 256,
		.strings = 1},
	[KEY_ECDSA_P256] = {.name = "ecdsa-sha2-nistp256",
		.certificate_name = "ecdsa-sha2-nistp256-cert-v01@openssh.com",
		.label = "ECDSA",
		.bits = 256,
		.strings = 2,
		.curve = "nistp256",
		.group = "prime256v1",
		.coordinate = 32},
	[KEY_ECDSA_P384] = {.name = "ecdsa-sha2-nistp384",
		.certificate_name = "ecdsa-sha2-nistp384-cert-v01@openssh.com",
		.label = "ECDSA",
		.bits = 384,
		.strings = 2,
		.curve = "nistp384",
		.group = "secp384r1",
		.coordinate = 48},
	[KEY_ECDSA_P521] = {.name = "ecdsa-sha2-nistp521",
		.certificate_name = "ecdsa-sha2-nistp521-cert-v01@openssh.com",
		.label = "ECDSA",
		.bits = 521,
		.strings = 2,
		.curve = "nistp521",
		.group = "secp521r1",
		.coordinate = 66},
	[KEY_RSA] = {.name = "ssh-rsa",
		.certificate_name = "ssh-rsa-cert-v01@openssh.com",
		.label = "RSA",
		.strings = 2},
	[KEY_SK_ED25519] = {.name = "sk-ssh-ed25519@openssh.com",
		.certificate_name = "sk-ssh-ed25519-cert-v01@openssh.com",
		.label = "ED25519-SK",
		.bits = 256,
		.strings = 2,
		.security_key = true},
	[KEY_SK_ECDSA_P256] = {.name = "sk-ecdsa-sha2-nistp256@openssh.com",
		.certificate_name = "sk-ecdsa-sha2-nistp256-cert-v01@openssh.com",
		.label = "ECDSA-SK",
		.bits = 256,
		.strings = 3,
		.curve = "nistp256",
		.group = "prime256v1",
		.coordinate = 32,
		.security_key = true},
	[KEY_DSS] = {.name = "ssh-dss",
		.certificate_name = "ssh-dss-cert-v01@openssh.com",
		.label = "DSA",
		.strings = 4},
	[KEY_MLDSA44_ED25519] = {.name = "ssh-mldsa44-ed25519",
		.certificate_name = "ssh-mldsa44-ed25519-cert",
		.label = "MLDSA44-ED25519",
		.bits = 512,
		.strings = 1,
		.composite = true},
	[KEY_MLDSA44_ED25519_EARLY] = {.name = "ssh-mldsa44-ed25519@openssh.com",
		.certificate_name = "ssh-mldsa44-ed25519-cert-v01@openssh.com",
		.label = "MLDSA44-ED25519",
		.bits = 256,
		.strings = 1,
		.composite = true},
};

static const struct algorithm_facts algorithms[KS_ALGORITHM_COUNT] = {
	[KS_ALGORITHM_ED25519] = {"ssh-ed25519", "ssh-ed25519-cert-v01@openssh.com", KEY_ED25519,
		NULL},
	[KS_ALGORITHM_ECDSA_P256] = {"ecdsa-sha2-nistp256",
		"ecdsa-sha2-nistp256-cert-v01@openssh.com", KEY_ECDSA_P256, EVP_sha256},
	[KS_ALGORITHM_ECDSA_P384] = {"ecdsa-sha2-nistp384",
		"ecdsa-sha2-nistp384-cert-v01@openssh.com", KEY_ECDSA_P384, EVP_sha384},
	[KS_ALGORITHM_ECDSA_P521] = {"ecdsa-sha2-nistp521",
		"ecdsa-sha2-nistp521-cert-v01@openssh.com", KEY_ECDSA_P521, EVP_sha512},
	[KS_ALGORITHM_RSA_SHA256] = {"rsa-sha2-256", "rsa-sha2-256-cert-v01@openssh.com", KEY_RSA,
		EVP_sha256},
	[KS_ALGORITHM_RSA_SHA512] = {"rsa-sha2-512", "rsa-sha2-512-cert-v01@openssh.com", KEY_RSA,
		EVP_sha512},
	[KS_ALGORITHM_RSA_SHA1] = {"ssh-rsa", "ssh-rsa-cert-v01@openssh.com", KEY_RSA, EVP_sha1},
	[KS_ALGORITHM_SK_ED25519] = {"sk-ssh-ed25519@openssh.com",
		"sk-ssh-ed25519-cert-v01@openssh.com", KEY_SK_ED25519, NULL},
	[KS_ALGORITHM_SK_ECDSA_P256] = {"sk-ecdsa-sha2-nistp256@openssh.com",
		"sk-ecdsa-sha2-nistp256-cert-v01@openssh.com", KEY_SK_ECDSA_P256, EVP_sha256},
	[KS_ALGORITHM_DSS] = {"ssh-dss", "ssh-dss-cert-v01@openssh.com", KEY_DSS, EVP_sha1},
	[KS_ALGORITHM_MLDSA44_ED25519] = {"ssh-mldsa44-ed25519", "ssh-mldsa44-ed25519-cert",
		KEY_MLDSA44_ED25519, NULL},
	[KS_ALGORITHM_MLDSA44_ED25519_EARLY] = {"ssh-mldsa44-ed25519@openssh.com",
		"ssh-mldsa44-ed25519-cert-v01@openssh.com", KEY_MLDSA44_ED25519_EARLY, NULL},
};

const struct key_kind_facts *key_kind_facts(enum key_kind kind)
{
	return &kinds[kind];
}

const struct algorithm_facts *algorithm_facts(enum ks_algorithm algorithm)
{
	return &algorithms[algorithm];
}

bool key_kind_by_name(struct bytes name, enum key_kind *kind, bool *certificate)
{
	for (unsigned i = 0; i < KEY_KIND_COUNT; i++) {
		*kind = i;
		*certificate = bytes_equal_text(name, kinds[i].certificate_name);
		if (*certificate || bytes_equal_text(name, kinds[i].name))
			return !kinds[i].composite || composite_available();
	}
	return false;
}

const char *key_kind_name(enum key_kind kind)
{
	return (unsigned)kind < KEY_KIND_COUNT ? kinds[kind].name : "unknown";
}

bool key_kind_is_security_key(enum key_kind kind)
{
	return (unsigned)kind < KEY_KIND_COUNT && kinds[kind].security_key;
}

bool key_kind_is_composite(enum key_kind kind)
{
	return (unsigned)kind < KEY_KIND_COUNT && kinds[kind].composite;
}

const char *key_kind_label(enum key_kind kind)
{
	return (unsigned)kind < KEY_KIND_COUNT ? kinds[kind].label : "unknown";
}

const char *ks_algorithm_name(enum ks_algorithm algorithm)
{
	return (unsigned)algorithm < KS_ALGORITHM_COUNT ? algorithms[algorithm].name : "unknown";
}

bool ks_algorithm_by_name(struct bytes name, enum ks_algorithm *out)
{
	for (unsigned i = 0; i < KS_ALGORITHM_COUNT; i++) {
		if (bytes_equal_text(name, algorithms[i].name)) {
			*out = i;
			return true;
		}
	}
	return false;
}

bool public_key_takes_algorithm(const struct public_key *key, struct bytes name)
{
	for (unsigned i = 0; i < KS_ALGORITHM_COUNT; i++) {
		const struct algorithm_facts *facts = &algorithms[i];

		if (facts->kind == key->kind &&
			bytes_equal_text(
				name, key->certificate ? facts->certificate_name : facts->name))
			return true;
	}
	return false;
}

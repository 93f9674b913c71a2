/*
 * The verbs of keystile tpm in the table of commands. See command.h.
 */
#include "tpm.h"

static const struct option_value kind = {
	"KIND", VALUE_CHOICE, "ecdsa-p256 ecdsa-p384 ecdsa-p521 rsa2048 rsa3072 rsa4096"};
static const struct option_value comment = {"COMMENT", VALUE_TEXT, NULL};
static const struct option_value parent = {
	"PARENT", VALUE_CHOICE, "owner endorsement platform null"};
static const struct option_value storage_key = {"STORAGE-KEY", VALUE_FILE, NULL};
static const struct option_value nonce = {"TEXT", VALUE_TEXT, NULL};
static const struct option_value roots = {"CERTIFICATES", VALUE_FILE, NULL};
static const struct option_value challenge = {"CHALLENGE", VALUE_FILE, NULL};
static const struct option_value answer = {"ANSWER", VALUE_FILE, NULL};
static const struct option_value proof = {"PROOF", VALUE_FILE, NULL};
static const struct option_value file = {"FILE", VALUE_FILE, NULL};
static const struct option_value key_file = {"KEY", VALUE_FILE, NULL};
static const struct option_value handle = {"HANDLE", VALUE_TEXT, NULL};
static const struct option_value file_or_handle = {"FILE|HANDLE", VALUE_FILE, NULL};

#define OPTION_COMMENT                                                                             \
	{                                                                                          \
		.name = "comment", .letter = 'C', .value = &comment,                               \
		.purpose = "what the public key is called"                                         \
	}
#define OPTION_NO_PIN                                                                              \
	{                                                                                          \
		.name = "no-pin", .purpose = "without a PIN"                                       \
	}
#define OPTION_HAS_PIN                                                                             \
	{                                                                                          \
		.name = "pin", .apart = OPTION_APART_SHOWN,                                        \
		.purpose = "the key has a PIN, whatever its file says"                             \
	}
#define OPTION_HAS_NONE                                                                            \
	{                                                                                          \
		.name = "empty", .apart = OPTION_APART_SHOWN, .purpose = "it has none"             \
	}
#define OPTION_PARENT                                                                              \
	{                                                                                          \
		.name = "parent", .value = &parent,                                                \
		.purpose = "the key above it: a hierarchy's, or a handle"                          \
	}
#define OPTION_RSA_PARENT                                                                          \
	{                                                                                          \
		.name = "rsa-parent", .purpose = "the hierarchy's storage key is RSA"              \
	}
#define OPTION_PARENT_PASSWORD                                                                     \
	{                                                                                          \
		.name = "parent-password", .purpose = "ask for that of the key above"              \
	}
#define OPTION_OWNER_PASSWORD                                                                      \
	{                                                                                          \
		.name = "owner-password", .purpose = "ask for that of the owner"                   \
	}
#define OPTION_ENDORSEMENT_PASSWORD                                                                \
	{                                                                                          \
		.name = "endorsement-password",                                                    \
		.purpose = "ask for that of the endorsement hierarchy"                             \
	}
#define OPTION_DESCRIPTION                                                                         \
	{                                                                                          \
		.name = "description", .purpose = "put the comment into the key's file, too"       \
	}
#define OPTION_FORCE                                                                               \
	{                                                                                          \
		.name = "force", .purpose = "even where something is lost"                         \
	}
#define OPTION_NONCE                                                                               \
	{                                                                                          \
		.name = "nonce", .value = &nonce, .purpose = "a text that who verifies has chosen" \
	}
#define OPTION_ROOTS                                                                               \
	{                                                                                          \
		.name = "roots", .value = &roots, .purpose = "certificates of makers, as PEM"      \
	}
#define OPTION_JSON                                                                                \
	{                                                                                          \
		.name = "json", .purpose = "print it as JSON"                                      \
	}

static const struct option_row json_alone[] = {OPTION_JSON, {0}};
static const struct option_row create_options[] = {
	{.name = "type", .letter = 't', .value = &kind, .purpose = "ecdsa-p256 without it"},
	OPTION_COMMENT, OPTION_NO_PIN, OPTION_PARENT, OPTION_RSA_PARENT, OPTION_PARENT_PASSWORD,
	OPTION_DESCRIPTION, OPTION_FORCE, {0}};
static const struct option_row import_options[] = {OPTION_COMMENT, OPTION_NO_PIN, OPTION_PARENT,
	OPTION_RSA_PARENT, OPTION_PARENT_PASSWORD, OPTION_DESCRIPTION, OPTION_FORCE, {0}};
static const struct option_row wrap_options[] = {
	{.name = "for",
		.needed = true,
		.value = &storage_key,
		.purpose = "what storage-key wrote on the other machine"},
	OPTION_COMMENT, OPTION_NO_PIN, OPTION_PARENT, OPTION_RSA_PARENT, OPTION_PARENT_PASSWORD,
	OPTION_DESCRIPTION, OPTION_FORCE, {0}};
static const struct option_row storage_key_options[] = {
	OPTION_PARENT, OPTION_RSA_PARENT, OPTION_PARENT_PASSWORD, OPTION_FORCE, {0}};
static const struct option_row passwd_options[] = {OPTION_NO_PIN, OPTION_HAS_PIN, OPTION_HAS_NONE,
	OPTION_PARENT, OPTION_RSA_PARENT, OPTION_PARENT_PASSWORD, OPTION_OWNER_PASSWORD, {0}};
static const struct option_row persist_options[] = {
	OPTION_PARENT_PASSWORD, OPTION_OWNER_PASSWORD, {0}};
static const struct option_row evict_options[] = {OPTION_OWNER_PASSWORD, OPTION_FORCE, {0}};
static const struct option_row attest_options[] = {OPTION_NONCE, OPTION_HAS_PIN, OPTION_HAS_NONE,
	OPTION_PARENT_PASSWORD, OPTION_ENDORSEMENT_PASSWORD, {0}};
static const struct option_row challenge_options[] = {OPTION_ROOTS, {0}};
static const struct option_row answer_options[] = {OPTION_ENDORSEMENT_PASSWORD, {0}};
static const struct option_row verify_options[] = {OPTION_NONCE, OPTION_ROOTS,
	{.name = "challenge", .value = &challenge, .purpose = "the one that you made"},
	{.name = "answer", .value = &answer, .purpose = "what came to it"}, OPTION_JSON, {0}};

const struct command tpm_verbs[] = {
	{.name = "create",
		.purpose = "make a key, and FILE for it",
		.options = create_options,
		.words = {{.value = &file}},
		.run = run_tpm},
	{.name = "import",
		.purpose = "bring a private key of ssh-keygen into the TPM",
		.options = import_options,
		.words = {{.value = &key_file}, {.value = &file}},
		.run = run_tpm},
	{.name = "wrap",
		.purpose = "the same, for the TPM of another machine",
		.options = wrap_options,
		.words = {{.value = &key_file}, {.value = &file}},
		.run = run_tpm},
	{.name = "storage-key",
		.purpose = "what wrap needs there",
		.options = storage_key_options,
		.words = {{.value = &file}},
		.run = run_tpm},
	{.name = "list",
		.purpose = "the keys in ~/.ssh/*.tpm, and in the TPM itself",
		.options = json_alone,
		.words = {{.value = &file, .may_lack = true}},
		.run = run_tpm},
	{.name = "passwd",
		.purpose = "change the PIN of a key, or take it away",
		.options = passwd_options,
		.words = {{.value = &file_or_handle}},
		.run = run_tpm},
	{.name = "persist",
		.purpose = "put a key into the TPM to stay, at 0x81......",
		.options = persist_options,
		.words = {{.value = &file}, {.value = &handle}},
		.run = run_tpm},
	{.name = "evict",
		.purpose = "take it out again",
		.options = evict_options,
		.words = {{.value = &handle}},
		.run = run_tpm},
	{.name = "attest",
		.purpose = "print a proof that a key is in the TPM",
		.options = attest_options,
		.words = {{.value = &file}},
		.run = run_tpm},
	{.name = "challenge",
		.purpose = "ask which TPM that is",
		.options = challenge_options,
		.words = {{.value = &proof}},
		.run = run_tpm},
	{.name = "answer",
		.purpose = "have the TPM answer that",
		.options = answer_options,
		.words = {{.value = &challenge}},
		.run = run_tpm},
	{.name = "verify",
		.purpose = "what is proved",
		.options = verify_options,
		.words = {{.value = &proof}},
		.run = run_tpm},
	{.name = "info",
		.purpose = "what the TPM is, and how it stands with wrong PINs",
		.options = json_alone,
		.run = run_tpm},
	{0},
};

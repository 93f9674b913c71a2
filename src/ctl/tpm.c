/*
 * The command line, and the way to the worker.
 */
#include "tpm.h"

#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <keystile/cleanup.h>
#include <keystile/text.h>

#include "control.h"
#include "worker.h"

static const char usage[] =
	"usage: keystile tpm create [-t KIND] [-C COMMENT] [--no-pin] [--parent PARENT]\n"
	"                           [--rsa-parent] [--parent-password] [--description]\n"
	"                           [--force] FILE\n"
	"                                 make a key, and FILE for it\n"
	"       keystile tpm import [options of create, without -t] KEY FILE\n"
	"                                 bring a private key of ssh-keygen into the TPM\n"
	"       keystile tpm wrap --for STORAGE-KEY [options of import] KEY FILE\n"
	"                                 the same, for the TPM of another machine\n"
	"       keystile tpm storage-key [--parent PARENT] [--rsa-parent]\n"
	"                           [--parent-password] [--force] FILE\n"
	"                                 what wrap needs there\n"
	"       keystile tpm list [--json] [FILE]\n"
	"                                 the keys in ~/.ssh/*.tpm, and in the TPM itself\n"
	"       keystile tpm passwd [--no-pin] [--pin | --empty] [--parent-password] FILE\n"
	"       keystile tpm passwd [--no-pin] [--pin | --empty] [--parent PARENT]\n"
	"                           [--rsa-parent] [--parent-password] [--owner-password] HANDLE\n"
	"                                 change the PIN of a key, or take it away\n"
	"       keystile tpm persist [--parent-password] [--owner-password] FILE HANDLE\n"
	"                                 put a key into the TPM to stay, at 0x81......\n"
	"       keystile tpm evict [--owner-password] [--force] HANDLE\n"
	"                                 take it out again\n"
	"       keystile tpm attest [--nonce TEXT] [--pin | --empty] [--parent-password]\n"
	"                           [--endorsement-password] FILE\n"
	"                                 print a proof that a key is in the TPM\n"
	"       keystile tpm challenge [--roots CERTIFICATES] PROOF\n"
	"                                 ask which TPM that is\n"
	"       keystile tpm answer [--endorsement-password] CHALLENGE\n"
	"                                 have the TPM answer that\n"
	"       keystile tpm verify [--nonce TEXT] [--roots CERTIFICATES]\n"
	"                           [--challenge CHALLENGE --answer ANSWER] [--json] PROOF\n"
	"                                 what is proved\n"
	"       keystile tpm info [--json]\n"
	"                                 what the TPM is, and how it stands with wrong PINs\n"
	"A KIND is ecdsa-p256 (as without it), ecdsa-p384, ecdsa-p521, rsa2048, rsa3072 or\n"
	"rsa4096, as far as the TPM has them. More in keystile-tpm(1).\n";

enum { TAKES_FILE = 1, TAKES_SECOND = 2, MAY_HAVE_FILE = 4 };

static const struct verb {
	const char *name;
	const char *options; /* letters of the table below that it takes */
	unsigned words;
	int (*run)(const struct tpm_wish *wish);
} verbs[] = {
	{"create", "tCnprPFd", TAKES_FILE, tpm_create},
	{"import", "CnprPFd", TAKES_FILE | TAKES_SECOND, tpm_import},
	{"wrap", "fCnprFd", TAKES_FILE | TAKES_SECOND, tpm_wrap},
	{"storage-key", "prPF", TAKES_FILE, tpm_storage_key},
	{"attest", "NiePE", TAKES_FILE, tpm_attest},
	{"challenge", "R", TAKES_FILE, tpm_challenge},
	{"answer", "E", TAKES_FILE, tpm_answer},
	{"verify", "NRcaj", TAKES_FILE, tpm_verify},
	{"info", "j", 0, tpm_info},
	{"list", "j", MAY_HAVE_FILE, tpm_list},
	{"passwd", "nieprPo", TAKES_FILE, tpm_passwd},
	{"persist", "Po", TAKES_FILE | TAKES_SECOND, tpm_persist},
	{"evict", "oF", TAKES_FILE, tpm_evict},
};

static const struct option options[] = {
	{"type", required_argument, NULL, 't'},
	{"comment", required_argument, NULL, 'C'},
	{"no-pin", no_argument, NULL, 'n'},
	{"pin", no_argument, NULL, 'i'},
	{"empty", no_argument, NULL, 'e'},
	{"parent-password", no_argument, NULL, 'P'},
	{"owner-password", no_argument, NULL, 'o'},
	{"endorsement-password", no_argument, NULL, 'E'},
	{"description", no_argument, NULL, 'd'},
	{"for", required_argument, NULL, 'f'},
	{"nonce", required_argument, NULL, 'N'},
	{"roots", required_argument, NULL, 'R'},
	{"challenge", required_argument, NULL, 'c'},
	{"answer", required_argument, NULL, 'a'},
	{"parent", required_argument, NULL, 'p'},
	{"rsa-parent", no_argument, NULL, 'r'},
	{"force", no_argument, NULL, 'F'},
	{"json", no_argument, NULL, 'j'},
	{0},
};

static int bad_usage(void)
{
	fputs(usage, stderr);
	return TPM_EXIT_USAGE;
}

/* The place of an option with a word, or of one without. */
static const char **word_of(struct tpm_wish *wish, int option)
{
	switch (option) {
	case 't':
		return &wish->kind;
	case 'C':
		return &wish->comment;
	case 'f':
		return &wish->storage_key;
	case 'N':
		return &wish->nonce;
	case 'R':
		return &wish->roots;
	case 'c':
		return &wish->challenge;
	case 'a':
		return &wish->answer;
	case 'p':
		return &wish->parent;
	default:
		return NULL;
	}
}

static bool *flag_of(struct tpm_wish *wish, int option)
{
	switch (option) {
	case 'n':
		return &wish->no_pin;
	case 'i':
		return &wish->has_pin;
	case 'e':
		return &wish->has_none;
	case 'P':
		return &wish->parent_password;
	case 'o':
		return &wish->owner_password;
	case 'E':
		return &wish->endorsement_password;
	case 'd':
		return &wish->description;
	case 'r':
		return &wish->rsa_parent;
	case 'F':
		return &wish->force;
	case 'j':
		return &wish->as_json;
	default:
		return NULL;
	}
}

static void take_option(struct tpm_wish *wish, int option)
{
	const char **word = word_of(wish, option);
	bool *flag = flag_of(wish, option);

	if (word != NULL)
		*word = optarg;
	if (flag != NULL)
		*flag = true;
}

static bool parse(int count, char **words, const struct verb *verb, struct tpm_wish *wish)
{
	int option;

	optind = 1;
	while ((option = getopt_long(count, words, "t:C:", options, NULL)) != -1) {
		if (strchr(verb->options, option) == NULL || option == '?')
			return false;
		take_option(wish, option);
	}
	if ((verb->words & (TAKES_FILE | MAY_HAVE_FILE)) != 0 && optind < count)
		wish->file = words[optind++];
	if ((verb->words & TAKES_SECOND) != 0 && optind < count)
		wish->second = words[optind++];
	return optind == count && ((verb->words & TAKES_FILE) == 0 || wish->file != NULL) &&
	       ((verb->words & TAKES_SECOND) == 0 || wish->second != NULL);
}

int tpm_run(int count, char **words)
{
	const struct rlimit none = {0, 0};

	for (size_t i = 0; count > 0 && i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		struct tpm_wish wish = {.verb = verbs[i].name};

		if (strcmp(verbs[i].name, words[0]) != 0)
			continue;
		if (!parse(count, words, &verbs[i], &wish))
			return bad_usage();
		(void)setrlimit(RLIMIT_CORE, &none);
		return verbs[i].run(&wish);
	}
	return bad_usage();
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

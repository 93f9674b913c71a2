/*
 * raw-tpm TCTI p256|rsa MILLISECONDS: signatures a second of a bare loop of TPM2_Sign in one
 * session, with nothing around it. What any agent could reach at the most.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "parent.h"
#include "session.h"
#include "tpm.h"

struct bench {
	struct tpm tpm;
	ESYS_TR parent;
	ESYS_TR session;
	ESYS_TR key;
	bool rsa;
};

static void check(const char *what, TSS2_RC code)
{
	if (code == TSS2_RC_SUCCESS)
		return;
	fprintf(stderr, "raw-tpm: %s: 0x%x\n", what, (unsigned)code);
	exit(1);
}

static TPM2B_PUBLIC key_template(bool rsa)
{
	TPM2B_PUBLIC public =
		tpm_template_public(rsa ? TPM_TEMPLATE_RSA_2048 : TPM_TEMPLATE_ECC_P256);
	TPMT_PUBLIC *area = &public.publicArea;

	area->objectAttributes = TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT |
				 TPMA_OBJECT_SENSITIVEDATAORIGIN | TPMA_OBJECT_USERWITHAUTH |
				 TPMA_OBJECT_SIGN_ENCRYPT;
	if (rsa)
		area->parameters.rsaDetail.symmetric.algorithm = TPM2_ALG_NULL;
	else
		area->parameters.eccDetail.symmetric.algorithm = TPM2_ALG_NULL;
	return public;
}

static void prepare(struct bench *bench)
{
	const struct tpm_parent parent = {TPM2_RH_OWNER, TPM_TEMPLATE_ECC_P256};
	const TPM2B_SENSITIVE_CREATE sensitive = {0};
	const TPM2B_PUBLIC template = key_template(bench->rsa);
	const TPM2B_DATA outside = {0};
	const TPML_PCR_SELECTION pcrs = {0};
	TPM2B_PRIVATE *private = NULL;
	TPM2B_PUBLIC *public = NULL;
	ESYS_CONTEXT *esys;

	check("connecting", tpm_connect(&bench->tpm));
	esys = bench->tpm.esys;
	check("parent", tpm_parent_load(esys, &parent, NULL, &bench->parent));
	check("session", tpm_session_start(esys, bench->parent, &bench->session));
	check("TPM2_Create", Esys_Create(esys, bench->parent, bench->session, ESYS_TR_NONE,
				     ESYS_TR_NONE, &sensitive, &template, &outside, &pcrs, &private,
				     &public, NULL, NULL, NULL));
	check("TPM2_Load", Esys_Load(esys, bench->parent, bench->session, ESYS_TR_NONE,
				   ESYS_TR_NONE, private, public, &bench->key));
	Esys_Free(private);
	Esys_Free(public);
}

static void sign(const struct bench *bench)
{
	const TPM2B_DIGEST digest = {.size = TPM2_SHA256_DIGEST_SIZE, .buffer = {0x5a}};
	const TPMT_SIG_SCHEME scheme = {.scheme = bench->rsa ? TPM2_ALG_RSASSA : TPM2_ALG_ECDSA,
		.details.any.hashAlg = TPM2_ALG_SHA256};
	const TPMT_TK_HASHCHECK ticket = {.tag = TPM2_ST_HASHCHECK, .hierarchy = TPM2_RH_NULL};
	TPMT_SIGNATURE *made = NULL;

	check("TPM2_Sign", Esys_Sign(bench->tpm.esys, bench->key, bench->session, ESYS_TR_NONE,
				   ESYS_TR_NONE, &digest, &scheme, &ticket, &made));
	Esys_Free(made);
}

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	struct bench bench = {.parent = ESYS_TR_NONE};
	unsigned count = 0;
	double begin;
	double seconds;

	if (argc != 4)
		return 2;
	bench.tpm.tcti = argv[1];
	bench.rsa = strcmp(argv[2], "rsa") == 0;
	prepare(&bench);
	begin = now_s();
	do {
		sign(&bench);
		count++;
		seconds = now_s() - begin;
	} while (seconds * 1000 < atof(argv[3]));
	printf("%.1f\n", count / seconds);
	tpm_flush(bench.tpm.esys, &bench.key);
	tpm_flush(bench.tpm.esys, &bench.session);
	tpm_flush(bench.tpm.esys, &bench.parent);
	tpm_disconnect(&bench.tpm);
	return 0;
}

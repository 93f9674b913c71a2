/*
 * A worker of the command's own, for what a token needs besides signatures (`keystile tpm`):
 * started for one request, spoken to in the frames of docs/PROTOCOL.md as the agent does, and gone
 * afterwards. No agent takes part, so that a key can be made where none runs, and so that no client
 * of one, forwarded ones above all, has a way to where keys are made and PINs are changed. The
 * library of the token stays in the worker, which confines itself as always.
 */
#ifndef KEYSTILE_CTL_WORKER_H
#define KEYSTILE_CTL_WORKER_H

#include <jansson.h>

#include <keystile/error.h>
#include <keystile/secret.h>

struct worker_wish {
	const char *backend;	      /* "tpm2" */
	const char *provider;	      /* "tpm2:" and what else says which one */
	const json_t *request;	      /* as the backend's administer() wants it */
	const struct secret *secrets; /* a row of strings for it; NULL or empty: none */
	const char *token; /* whose PINs it may ask for, ready to be shown; NULL: what it says */
};

/*
 * Asks the person, in this terminal, for PINs that the worker wants; says what takes long and when
 * to touch a token. The caller gives *answer, an object, back with json_decref(). Any error has
 * been said.
 */
KS_MUST_CHECK enum ks_error worker_administer(const struct worker_wish *wish, json_t **answer);

#endif

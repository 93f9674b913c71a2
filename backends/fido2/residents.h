/*
 * Keys that are resident on security keys and were read from there once, with the PIN: what is
 * public of them is remembered, in a file too, so that a token which is put in again is known by
 * what it can sign, and nobody types a PIN for that. A token that none of them is of says nothing
 * and is asked for nothing.
 */
#ifndef KEYSTILE_FIDO2_RESIDENTS_H
#define KEYSTILE_FIDO2_RESIDENTS_H

#include <jansson.h>

#include "finder.h"

#define RESIDENT_GROUP_TEXT 17

/* One key. */
struct resident {
	char *user;			 /* as the token has it; may be shown and written down */
	char *model;			 /* what its token was called */
	char *comment;			 /* in lists */
	char group[RESIDENT_GROUP_TEXT]; /* the same for all that were read from one token at once
					  */
	bool hidden;			 /* no token shows it without its PIN */
	struct buf blob;
	struct buf key; /* as private_key_read() takes it */
};

struct residents {
	struct tokens *tokens; /* their lock is also that of all here */
	struct finder *finder;
	struct resident *at[RESIDENTS_MAX]; /* NULL: free; a token's shows[] is about the same
					       places */
	struct key_handles handles;	    /* the same keys, for signing */
	bool wanted;			    /* tokens are asked, and what they show is listed */
	bool read;			    /* the file was */
	bool ending;
	bool running;
	pthread_t thread;
};

void residents_init(struct residents *residents, struct tokens *tokens);
void residents_deinit(struct residents *residents); /* no operation runs any more */
/*
 * From now on each token that is put in is asked which of the keys it has, and so is each that is
 * in, before this returns.
 */
KS_MUST_CHECK enum ks_error residents_want(
	struct residents *residents, struct ks_operation *operation);
/* They are listed no more. */
void residents_rest(struct residents *residents);
/* Reads what is on the tokens that are in: with that PIN, where it is clear whose it is. */
KS_MUST_CHECK enum ks_error residents_load_with(
	struct residents *residents, struct ks_operation *operation, const struct secret *pin);
/* The same, asking the person for the PIN of each, or of the one that is so called. */
KS_MUST_CHECK enum ks_error residents_load_asking(
	struct residents *residents, struct ks_operation *operation, const char *name);
/* What is said where none is. */
enum ks_error residents_none_called(struct ks_operation *operation);

/* Tells the agent of a token with what it shows. Under the lock. */
void residents_report(void *owner, const struct fido_token *token);

/* ---- resident.c ---- */

/* NULL when out of memory, or where it is none. */
struct resident *resident_of_token(
	const struct token_credential *credential, const char *model, const char *group);
/* key as in struct resident. */
struct resident *resident_of_file(
	struct bytes key, const char *user, const char *model, const char *group);
void resident_free(struct resident *resident);

/* ---- residents_file.c ---- */

/* The home may hang, so the first and the last are not called under the lock. NULL: there is none.
 */
json_t *residents_file_read(void);
/* Fills in what is free of residents->at; what makes no sense is left out, and said so. */
void residents_take_file(struct residents *residents, const json_t *file);
json_t *residents_file_of(const struct residents *residents);
/* What can't be written is said in the log: until the agent ends everything works without. */
void residents_file_write(const json_t *file);

/* ---- recognise.c ---- */

/* Asks the token, which the caller has taken, and tells the agent. */
KS_MUST_CHECK enum ks_error recognise(
	struct residents *residents, struct ks_operation *operation, struct fido_token *token);
void *recognise_main(void *residents); /* the thread that does so whenever one is put in */

/* ---- residents.c, for load.c ---- */

/* Under the lock. Takes resident, unless there is no place for it: false. */
bool residents_put(struct residents *residents, struct resident *resident, unsigned *place);
void residents_drop(struct residents *residents, unsigned place);

#endif

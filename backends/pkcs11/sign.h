/*
 * Signatures. sign_locally() uses a login that is open; sign_with_presence() is for requests that
 * demand a PIN of their own (DESIGN section 6). Both take a token that is known.
 */
#ifndef KEYSTILE_PKCS11_SIGN_H
#define KEYSTILE_PKCS11_SIGN_H

#include "login.h"
#include "mechanism.h"

/* A signature longer than this is nonsense: RSA of 4,096 bits makes 512 bytes. */
#define SIGNATURE_MAX 1024

/* One signature in work. */
struct signing {
	struct login login; /* provider, token, operation, and the PIN typed for it */
	const struct ks_sign *request;
	struct mechanism mechanism;
	struct buf *signature; /* where the result goes */
	/* What went wrong last inside the module; CKR_OK where it was something else. */
	const char *call;
	CK_RV value;
	unsigned generation; /* of the session it happened in */
	unsigned logins;     /* the same */
	bool wants_pin;	     /* the key wants the PIN once more, and none is in hand */
};

KS_MUST_CHECK enum ks_error sign_locally(struct signing *signing);
KS_MUST_CHECK enum ks_error sign_with_presence(struct signing *signing);

/* What both are made of. */

/*
 * One signature in a session that the caller holds: C_SignInit and C_Sign where the handle of the
 * private object is known. After anything but KS_OK and KS_PIN_NEEDED an operation may be
 * active in the session.
 */
KS_MUST_CHECK enum ks_error signing_make(struct signing *signing, const struct session *session);
/* Takes a session and notes its generation; failures are noted as signing_failed() does. */
KS_MUST_CHECK enum ks_error signing_take_session(struct signing *signing, struct session **out);
/* Notes a failed call, for the recovery or the words at the end. */
KS_MUST_CHECK enum ks_error signing_failed(struct signing *signing, const char *call, CK_RV value);
/* Logs and explains what was noted last; error is handed through where nothing was. */
KS_MUST_CHECK enum ks_error signing_end(struct signing *signing, enum ks_error error);

#endif

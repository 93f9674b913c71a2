/*
 * What the worker and keystile-fido2-token, the program that speaks with one security key, say to
 * each other: a request and its answer at a time, each one message of a SOCK_SEQPACKET socket
 * (docs/PROTOCOL.md, "Security key"). The program is the security key's as soon as that has broken
 * into it: nothing that it says is believed.
 */
#ifndef KEYSTILE_FIDO2_TOKEN_CALL_H
#define KEYSTILE_FIDO2_TOKEN_CALL_H

#include <keystile/backend.h>
#include <keystile/key_handles.h>

/* Where the program finds its two descriptors. */
enum { TOKEN_CALL_FD = 3, TOKEN_DEVICE_FD };

#define TOKEN_CALL_MAX ((size_t)8 * 1024)
#define TOKEN_ANSWER_MAX ((size_t)64 * 1024)
#define TOKEN_HASH_BYTES 32
#define TOKEN_APPLICATION_MAX 512
#define TOKEN_CREDENTIALS_MAX 128 /* of one token */
#define TOKEN_USER_MAX 64

enum token_call_kind {
	TOKEN_OPEN = 1,	  /* INIT and getInfo; answered by a token_info */
	TOKEN_ASSERT = 2, /* one getAssertion; answered by a token_assertion */
	TOKEN_TRIES = 3,  /* answered by a u32: PIN tries left */
	TOKEN_SELECT = 4, /* waits for a touch, for no purpose but to be chosen */
	TOKEN_CANCEL = 5, /* the one in work; it is answered all the same, itself never */
	/* With the PIN: a row of token_credential, of applications that begin with "ssh:". */
	TOKEN_RESIDENT = 6,
	TOKEN_DESCRIBE = 7, /* answered by a token_description */
};

/* Borrows all of it. */
struct token_call {
	enum token_call_kind kind;
	uint32_t timeout_ms;
	uint32_t busy_ms; /* how long a token that another program uses is asked again */
	/* For TOKEN_ASSERT. */
	bool ed25519; /* else P-256 */
	bool present;
	bool verified; /* by the token's own means; where pin is given it is that */
	struct bytes application;
	struct bytes handle;
	struct bytes hash; /* of what is signed */
	struct bytes pin;  /* empty: none */
};

enum token_answer_kind {
	TOKEN_DONE = 1,
	TOKEN_WAITS = 2, /* for a touch, from here on */
	TOKEN_WORKS = 3, /* it does no longer */
};

/* Beside those of libfido2, which go from -11 to 255. */
enum token_code {
	TOKEN_CODE_OK = 0,
	TOKEN_CODE_GONE = -1000,      /* the device is not there any more */
	TOKEN_CODE_LATE = -1001,      /* it did not answer */
	TOKEN_CODE_CANCELLED = -1002, /* as TOKEN_CANCEL wished */
	TOKEN_CODE_CONFINE = -1003,   /* the program could not give up its rights */
	TOKEN_CODE_NO_LIST = -1004,   /* no token that tells what is on it */
};

/* Borrows from the message. */
struct token_answer {
	enum token_answer_kind kind;
	int32_t code;	   /* of TOKEN_DONE: a FIDO_ERR_..., or an enum token_code */
	struct bytes body; /* where that is TOKEN_CODE_OK */
};

struct token_info {
	bool fido2; /* else U2F: no PIN, no silent assertion */
	bool pin_set;
	bool verifies; /* by its own means, such as a fingerprint */
};

struct token_assertion {
	uint8_t flags;
	uint32_t counter;
	struct bytes signature; /* as the token gave it */
};

struct token_credential {
	bool ed25519;
	bool hidden; /* without a PIN the token says nothing of it (credProtect 3) */
	struct bytes application;
	struct bytes handle;
	struct bytes point; /* Ed25519: 32 bytes; P-256: 65, uncompressed */
	struct bytes user;  /* its name; foreign bytes */
};

#define TOKEN_LISTED_MAX 64 /* entries of a list in getInfo */
#define TOKEN_AAGUID_BYTES 16
#define TOKEN_NUMBER_UNKNOWN UINT32_MAX

/* What getInfo and the counters say, each list as far as it may be printed. */
struct token_description {
	struct bytes aaguid; /* or empty */
	uint64_t firmware;
	uint32_t pin_tries; /* or TOKEN_NUMBER_UNKNOWN, as the next ones */
	uint32_t finger_tries;
	uint32_t rooms_left; /* for resident keys */
	uint32_t pin_min;
	bool pin_change;  /* it has to be, first */
	bool credentials; /* it can list what is on it */
	/* Rows of strings; in options each is followed by a bool. */
	struct bytes versions;
	struct bytes algorithms; /* of i32, COSE */
	struct bytes options;
};

/* All but the PIN, which has to follow: it never lies in this buffer. */
void token_call_encode(const struct token_call *call, struct buf *out);
KS_MUST_CHECK enum ks_error token_call_decode(struct bytes bytes, struct token_call *out);
void token_answer_encode(const struct token_answer *answer, struct buf *out);
KS_MUST_CHECK enum ks_error token_answer_decode(struct bytes bytes, struct token_answer *out);

void token_info_encode(const struct token_info *info, struct buf *out);
KS_MUST_CHECK enum ks_error token_info_decode(struct bytes bytes, struct token_info *out);
void token_assertion_encode(const struct token_assertion *assertion, struct buf *out);
KS_MUST_CHECK enum ks_error token_assertion_decode(struct bytes bytes, struct token_assertion *out);
void token_description_encode(const struct token_description *description, struct buf *out);
KS_MUST_CHECK enum ks_error token_description_decode(
	struct bytes bytes, struct token_description *out);
void token_credential_encode(const struct token_credential *credential, struct buf *out);
/* The next one of a row. KS_BAD_INPUT: not one that SSH could use. */
KS_MUST_CHECK enum ks_error token_credential_decode(
	struct reader *in, struct token_credential *out);

#endif

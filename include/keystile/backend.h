/*
 * The plug-in interface. A backend knows one kind of token (PKCS#11 modules, FIDO2
 * security keys, a TPM, a cloud KMS ...). It is one folder, one constant table of
 * functions and one description of what its process needs, linked into a worker
 * program of its own: keystile-worker-NAME. docs/adding-a-backend.md walks through it,
 * backends/fake is the shortest complete one.
 *
 * The functions run in the worker, never in the agent. They may block: each gets an
 * operation, which carries a deadline, learns when the asker has gone, and is the only
 * way to ask the person for something. Up to .parallel functions run at the same
 * time, on different threads; open() and close() run alone.
 */
#ifndef KEYSTILE_BACKEND_H
#define KEYSTILE_BACKEND_H

#include <stdbool.h>
#include <stdint.h>

#include <keystile/buffer.h>
#include <keystile/error.h>
#include <keystile/public_key.h>
#include <keystile/secret.h>

#define KEYSTILE_BACKEND_VERSION 1

/* Proof that a human was there; bits. */
enum ks_presence {
	KS_PRESENCE_NONE = 0,
	KS_PRESENCE_TOUCH = 1 << 0, /* a finger on the token */
	KS_PRESENCE_PIN = 1 << 1, /* a PIN (password, authorisation value) for this very request */
	/*
	 * A PIN that was typed on the keys of the reader. Nothing of it passes the agent, so it is
	 * the worker's word alone: it is recorded as that, and never meets a demand.
	 */
	KS_PRESENCE_PIN_PAD = 1 << 2,
};

enum ks_token_flags {
	KS_TOKEN_NEEDS_LOGIN = 1 << 0,
	KS_TOKEN_LOGGED_IN = 1 << 1,
	KS_TOKEN_PIN_PAD = 1 << 2, /* the PIN is typed at the reader */
	KS_TOKEN_LAST_TRY = 1 << 3,
	KS_TOKEN_PIN_BLOCKED = 1 << 4,
	KS_TOKEN_NO_PIN = 1 << 5, /* none was set yet */
	KS_TOKEN_SHARED = 1 << 6, /* other programs use it, too, unless it is held (PC/SC) */
};

#define KS_TRIES_UNKNOWN (-1)

/* A token as a backend sees it. Ids are the backend's own and name the same token for the worker's
 * life. */
struct ks_token {
	uint32_t id;
	const char *label;    /* foreign text */
	const char *serial;   /* foreign text */
	const char *model;    /* foreign text */
	const char *location; /* reader, slot, device node; foreign text */
	uint32_t flags;	      /* enum ks_token_flags */
	int32_t tries_left;   /* or KS_TRIES_UNKNOWN */
};

enum ks_key_flags {
	KS_KEY_ALWAYS_PIN = 1 << 0,   /* the token wants the PIN for every signature */
	KS_KEY_ALWAYS_TOUCH = 1 << 1, /* proven by the token, not merely claimed */
};

#define KS_ID_MAX 128			   /* characters of ks_key's id */
#define KS_CERTIFICATE_TEXT_MAX 255	   /* bytes of a text of struct ks_certificate */
#define KS_USAGES_MAX 511		   /* characters of its usages */
#define KS_TIME_MAX UINT64_C(253402300799) /* the end of the year 9999 */

/*
 * What an X.509 certificate says of a key. The backend has read it, as the agent parses no
 * certificates of strangers; nobody has verified it. Foreign texts without control characters.
 */
struct ks_certificate {
	const char *subject;	 /* user principal name, mail address or common name */
	const char *issuer;	 /* its distinguished name as RFC 4514 writes it */
	const char *issuer_name; /* the common name in that, or "" */
	/* Extended key usages, OIDs in digits with commas between them; "": it restricts none. */
	const char *usages;
	uint64_t not_before; /* seconds since 1970, at most KS_TIME_MAX */
	uint64_t not_after;
	uint32_t others; /* how many more there are for the same key */
};

struct ks_key {
	struct bytes blob; /* as public_key_parse() takes it */
	const char
		*label; /* becomes the comment; foreign text; empty: the provider's name is used */
	uint32_t flags; /* enum ks_key_flags */
	const char *id; /* the token's name for it, in lower-case hexadecimal; NULL, "": none */
	const struct ks_certificate *certificate; /* NULL: none */
};

/* What a card says of how a key may be used; 0: it does not say. As YubiKeys number them. */
enum ks_pin_policy {
	KS_PIN_POLICY_UNKNOWN,
	KS_PIN_NEVER,
	KS_PIN_ONCE,
	KS_PIN_ALWAYS,
	KS_PIN_MATCH_ONCE, /* or a fingerprint */
	KS_PIN_MATCH_ALWAYS,
	KS_PIN_POLICY_COUNT
};
enum ks_touch_policy {
	KS_TOUCH_POLICY_UNKNOWN,
	KS_TOUCH_NEVER,
	KS_TOUCH_ALWAYS,
	KS_TOUCH_CACHED, /* for some seconds after one */
	KS_TOUCH_POLICY_COUNT
};
enum ks_origin {
	KS_ORIGIN_UNKNOWN,
	KS_ORIGIN_GENERATED, /* on the card: it is nowhere else */
	KS_ORIGIN_IMPORTED,
	KS_ORIGIN_COUNT
};

struct ks_key_facts {
	struct bytes blob;	  /* of a key that the token shows */
	uint8_t slot;		  /* the place on the card, 0x9a */
	uint8_t pin;		  /* enum ks_pin_policy */
	uint8_t touch;		  /* enum ks_touch_policy */
	uint8_t origin;		  /* enum ks_origin */
	struct bytes attestation; /* X.509 in DER, by which the card proves it; empty: none */
};

#define KS_KEY_FACTS_MAX 24
#define KS_ATTESTATION_MAX 4096 /* bytes of a certificate among these */

/*
 * The card in a token, where more is known of it than its module says. It is the card's word, and
 * the backend's; what is attested is verified by somebody else.
 */
struct ks_card {
	const char *firmware;	   /* "5.4.3"; foreign text, as are the rest */
	const char *serial;	   /* the device's own, which may be another than the token's */
	struct bytes intermediate; /* X.509 in DER, of the key that signed the attestations */
	const struct ks_key_facts *keys;
	size_t count;
};

/* What is to be signed. */
struct ks_sign {
	uint32_t token;
	struct bytes blob; /* the key */
	enum ks_algorithm algorithm;
	struct bytes data; /* not hashed yet */
	/*
	 * Presence demanded for this very request: any one of these bits; KS_PRESENCE_NONE
	 * leaves it to the token. When set, an open login, a kept PIN or an earlier touch
	 * must not be used (DESIGN: presence).
	 */
	uint32_t demand;
	bool remote; /* it came from afar: waits behind those from here, and for nobody else */
};

/* ---- What a worker offers to its backend ---- */

struct ks_worker;    /* the process */
struct ks_operation; /* one call in work */

/*
 * The first three, and ks_explain(), take NULL for work that a backend does of its own accord: it
 * is never cancelled, and nobody hears of it.
 */

/* Time left before the deadline, 0 when it has passed. */
int ks_time_left_ms(const struct ks_operation *operation);
/* The asker has gone or the deadline passed: stop at the next chance and return KS_CANCELLED. */
bool ks_cancelled(const struct ks_operation *operation);
/*
 * Descriptor that becomes readable when the operation is cancelled, for poll() beside a
 * device; lives as long as the operation.
 */
int ks_cancel_fd(const struct ks_operation *operation);

/*
 * Asks the person for the PIN of a token. Blocks until it was given, refused, or the
 * operation is over. The agent writes the prompt from its own records; retry says that the PIN
 * before was wrong. On KS_OK pin holds 1 to KS_PIN_MAX bytes and is the caller's to
 * secret_deinit(). KS_REFUSED: the person said no. KS_PIN_NEEDED: nobody could be asked.
 */
KS_MUST_CHECK enum ks_error ks_ask_pin(struct ks_operation *operation, const struct ks_token *token,
	bool retry, struct secret *pin);
/*
 * To be called before the token waits for a touch: the person is told until ks_touch_over(). For a
 * request from afar it returns once the notice has stood for a while; KS_CANCELLED when nobody can
 * be told, as in all that follows once the notice has gone.
 */
KS_MUST_CHECK enum ks_error ks_touch_awaited(
	struct ks_operation *operation, const struct ks_token *token);
void ks_touch_over(struct ks_operation *operation);
/*
 * The operation waits for others that use this token; 0: no longer, and at its end anyway. So
 * status can count them, and a request from afar gives way.
 */
void ks_waits_for(struct ks_operation *operation, uint32_t token);
/* What the token proved for this operation; a PIN counts only where ks_ask_pin() gave one. */
void ks_presence_given(struct ks_operation *operation, enum ks_presence presence);
/* Long work: a line for people who watch. */
void ks_progress(struct ks_operation *operation, const char *format, ...) KS_PRINTF(2, 3);
/*
 * The words that go with the error the function is about to return: what happened and what
 * to do, without the token's name, which the agent adds. The last call before the return counts.
 */
void ks_explain(struct ks_operation *operation, const char *format, ...) KS_PRINTF(2, 3);

/*
 * This token is there and holds exactly these keys: replaces what was said of it before.
 * From any thread, at any time after open() began.
 */
void ks_token_is(struct ks_worker *worker, const struct ks_token *token, const struct ks_key *keys,
	size_t count);
void ks_token_gone(struct ks_worker *worker, uint32_t token);
/* To be called after ks_token_is(): replaces what was said of this token's card before. */
void ks_card_is(struct ks_worker *worker, uint32_t token, const struct ks_card *card);

/* What the configuration grants to this backend's processes, for confine_process(); borrowed. */
struct bytes ks_grants(const struct ks_operation *operation);

/* ---- What a backend is ---- */

/* Which system calls a backend's process may make. */
enum ks_syscalls {
	KS_SYSCALLS_COMMON, /* all but those that reach others: for foreign code, which does
			       anything */
	KS_SYSCALLS_DEVICE, /* of these only what a library that is known needs, with files, threads
			       and sockets as they are granted */
	KS_SYSCALLS_LISTED, /* only what keys in memory need */
};

/*
 * What the backend's process needs of the system. Linked into the agent too, which builds
 * the worker's environment from it: constants only.
 */
struct ks_needs {
	const char *name;   /* the backend's, and the end of its worker's file name */
	const char *scheme; /* providers "scheme:..." are its; NULL: it takes paths */
	/*
	 * It has no tokens, and knows which providers are meant by a name: administer({"verb":
	 * "find"}) says so, {"providers": [...]}, and the agent loads those as if each had been
	 * given, PKCS#11 modules and no others.
	 */
	bool finds_providers;
	/*
	 * What its providers name, after the scheme, is the path of a library that it loads: the
	 * agent holds that against the list of allowed providers (-P).
	 */
	bool loads_path;
	/*
	 * What its providers name, where that is a path, is a file that it only reads, after
	 * locate(): that one file is granted, and the certificate beside it.
	 */
	bool reads_path;
	/* Names of variables that the worker inherits from the agent, ended by NULL. */
	const char *const *environment;
	/*
	 * It runs code or firmware that we did not write in its process: the agent then verifies
	 * every signature before it leaves.
	 */
	bool foreign_code;
	/*
	 * Clients add keys to it, with ssh-add (add, remove); it is no provider for ssh-add -s. Its
	 * keys are gone when its process is.
	 */
	bool takes_keys;
	/*
	 * A key that was added may be on any of its tokens: what is asked for a signature (PIN,
	 * touch) names the one that it was found on.
	 */
	bool keys_on_any_token;
	/*
	 * One that takes keys: its tokens hold keys besides, and it is a provider for ssh-add -s
	 * after all, which makes them known. login() and administer({"verb": "load"}) tell it that
	 * they are wanted, administer({"verb": "rest"}) that they are not.
	 */
	bool tokens_hold_keys;
	/*
	 * The rest says how the process is confined before open(), lists ended by NULL. Paths are
	 * of files or of folders with all below; "$NAME" at the beginning is what that variable of
	 * environment says; with "*" it is a pattern for glob(). What every program needs (shared
	 * libraries, the time zone, random numbers) and the library that is loaded, with its
	 * folder, may be read besides.
	 */
	enum ks_syscalls syscalls;
	/* The library runs in a program of the backend's own, which calls confine_process() itself;
	 * the worker, which runs no foreign code then, is not confined. */
	bool library_apart;
	const char *const *read_paths;
	const char *const *list_paths;	  /* only names of files may be learnt; may be NULL */
	const char *const *write_paths;	  /* and read */
	const char *const *device_paths;  /* read, write, ioctl; glob() patterns */
	const char *const *connect_paths; /* sockets, of unix streams */
	/* Files of configuration that name a folder of state, to be written: "FILE", "KEYWORD", ...
	 */
	const char *const *state_named_in;
	bool network; /* TCP to anywhere */
	/*
	 * What it holds in a token stays there when its process is killed: it gets two seconds for
	 * close() first, once its provider is removed or the agent ends.
	 */
	bool outlived_by_what_it_holds;
};

struct ks_backend {
	unsigned version; /* KEYSTILE_BACKEND_VERSION */
	const struct ks_needs *needs;
	/*
	 * Functions at once, 1 to 16. One that takes keys has the last of them for add and remove,
	 * which must not wait for anything: the agent begins no more than parallel - 1 others.
	 */
	unsigned parallel;

	/*
	 * Turns the provider's name, as a person wrote it, into its one canonical name and checks
	 * that it may be loaded as far as files tell (owner, mode). Nothing foreign is run yet.
	 * Appends text, without NUL, to canonical. Optional: NULL takes every name as it is.
	 */
	enum ks_error (*locate)(
		struct ks_operation *operation, const char *provider, struct buf *canonical);
	/* Loads the provider; *state is handed to all that follow. Runs foreign code. */
	enum ks_error (*open)(struct ks_worker *worker, struct ks_operation *operation,
		const char *canonical, void **state);
	/* Reports every token with ks_token_is(), also those that were reported before. */
	enum ks_error (*list)(void *state, struct ks_operation *operation);
	/*
	 * Takes a PIN given ahead of time with `ssh-add -s` (never empty) and logs in where it is
	 * clear for which token it was typed; then as list().
	 */
	enum ks_error (*login)(
		void *state, struct ks_operation *operation, const struct secret *pin);
	/* Makes a signature as signature_put() writes it. */
	enum ks_error (*sign)(void *state, struct ks_operation *operation,
		const struct ks_sign *request, struct buf *signature);
	/*
	 * Takes a key that a client handed over, private part and all, as private_key_read() reads
	 * it; the secret is the caller's, who wipes it after the call. One that is there already is
	 * replaced. Appends its blob. Not reported with ks_token_is(): the agent knows by the
	 * answer. Optional.
	 */
	enum ks_error (*add)(void *state, struct ks_operation *operation, const struct secret *key,
		struct buf *blob);
	/* Forgets such a key, wiped. KS_NO_KEY when it is not there. Optional, together with add.
	 */
	enum ks_error (*remove)(void *state, struct ks_operation *operation, struct bytes blob);
	/* Gives the token back: logs out, closes sessions; its keys may still be listed. Optional.
	 */
	enum ks_error (*release)(void *state, struct ks_operation *operation, uint32_t token);
	/*
	 * `keystile NAME ...` for this backend: JSON in, JSON out. secrets is what the person typed
	 * for it or what was read from a file, a row of strings as buffer.h has them, in the order
	 * that the verb wants them; empty where there are none. Optional.
	 */
	enum ks_error (*administer)(void *state, struct ks_operation *operation,
		struct bytes request, const struct secret *secrets, struct buf *answer);
	void (*close)(void *state);
};

/* Each backend folder defines these two; CMake makes their names known. */
#define KS_BACKEND(name) const struct ks_backend ks_backend_##name
#define KS_NEEDS(name) const struct ks_needs ks_needs_##name

#endif

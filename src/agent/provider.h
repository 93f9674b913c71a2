/*
 * A provider: what `ssh-add -s` names. It has one worker, which may crash and be started again, and
 * the tokens which that worker reports. What was said about a provider (confirm, lifetime) lives
 * here, so it survives the worker and the card.
 *
 *   provider_open ─▶ LOCATING ─▶ OPENING ─▶ READY ◀──────────┐
 *                                              │ worker lost │ listed
 *                         back-off ◀─ WAITING ◀┘             │
 *                            └──▶ LOCATING ─▶ OPENING ─▶ LISTING
 */
#ifndef AGENT_PROVIDER_H
#define AGENT_PROVIDER_H

#include "constraints.h"
#include "key_change.h"
#include "keyring.h"
#include "worker.h"

#define PROVIDER_NAME_MAX 4095
#define PROVIDER_TOKENS_MAX 64
#define PROVIDERS_MAX 64
#define PROVIDER_KEYS_MAX 1024 /* of all its tokens: one module must not fill the list */

enum provider_state {
	PROVIDER_LOCATING,
	PROVIDER_OPENING,
	PROVIDER_LISTING,
	PROVIDER_READY,
	PROVIDER_WAITING,
	PROVIDER_CLOSED, /* its memory goes when libuv lets go of its timer */
};

/* Called once: KS_OK and the provider, which may be another record of the same name, or an error.
 */
typedef void provider_opened(
	void *owner, struct provider *provider, enum ks_error error, const char *words);

struct provider_wait {
	struct provider_wait *next;
	struct provider *provider; /* NULL while it is being answered */
	provider_opened *opened;   /* NULL when who waited has gone */
	void *owner;
};

struct provider {
	struct provider *next;
	struct agent *agent;
	const struct ks_needs *needs;
	char *given; /* as a person wrote it */
	char *name;  /* canonical; NULL until located */
	enum provider_state state;
	bool locate_only;
	bool established; /* keys were loaded: worth a restart */
	bool asked_for;	  /* by ssh-add -s, whatever the configuration says */
	/* One that takes keys: those of its tokens are wanted too, as the other fields below say.
	 */
	bool named;
	unsigned held; /* by requests that load it */
	struct worker *worker;
	struct token *tokens;
	struct provider_wait *waits;
	uv_timer_t retry;
	unsigned restarts;
	unsigned failures; /* in a row; decides the back-off */
	uint64_t ready_ms;
	uint64_t retry_ms; /* when WAITING: the time of the next start */
	char last_error[512];
	/* What ssh-add -s said of all keys of its tokens; keys that clients added have their own.
	 */
	bool confirm;		  /* ask before each signature */
	bool confirm_configured;  /* the configuration says so, now */
	bool keys_ruled;	  /* likewise: which keys are offered, see configured.h */
	bool lists_absent;	  /* likewise: keys of a token that is away stay listed */
	bool release_said;	  /* likewise: when unused logins end, see login_release.h */
	uint32_t release_after_s; /* where it is said; 0: never */
	struct constraints
		*destinations; /* NULL: everywhere; of these only the destinations count */
	struct constraints *certificates; /* NULL: none; of these only the certificates count */
	uint64_t expires_ms;		  /* of expiry_now_ms(), 0: never */
	struct key_change *changes;	  /* see key_change.h */
};

/* As much of a name as may be shown and written down: a PKCS#11 URI may carry a PIN (RFC 7512). */
struct bytes provider_shown(const char *given);
/* The backend that a provider's name belongs to, NULL when none is built in. */
const struct ks_needs *provider_backend(const char *given);
/* A person may name it: those that keep what clients add are none, nor is what nobody built. */
bool provider_loadable(const char *given);

/*
 * Starts a worker and opens the provider, or finds that it is open already. locate_only: only finds
 * one that is open (in whatever state), KS_NO_TOKEN when it is not. The callback comes later, never
 * from within. NULL when that can't even begin.
 */
struct provider_wait *provider_open(struct agent *agent, const char *given, bool locate_only,
	provider_opened *opened, void *owner);
/* Waits for a provider that is not READY. NULL when there is no memory. */
struct provider_wait *provider_wait(
	struct provider *provider, provider_opened *opened, void *owner);
/* Who waited has gone. A provider that nobody else wanted is closed. */
void provider_wait_abandon(struct provider_wait *wait);

/*
 * Who loads a provider holds it until its keys are there or that has failed; one that is let go
 * by the last without being established is closed.
 */
void provider_hold(struct provider *provider);
void provider_let_go(struct provider *provider);

struct provider *provider_by_name(struct agent *agent, const char *canonical);
/* Its keys leave the list, its worker ends. */
void provider_close(struct provider *provider);
/* The same, but for keys that clients have added, which go on. */
void provider_unload(struct provider *provider);
/*
 * What ssh-add -s says of it now, but for the lifetime. It only gets stricter by it: KS_NOT_ALLOWED
 * where it has other destinations than it was loaded with, and nothing is changed then.
 */
KS_MUST_CHECK enum ks_error provider_constrain(
	struct provider *provider, struct constraints *constraints);
/* It ends after that time; a sooner end that was set before stays. */
void provider_expire_in(struct provider *provider, uint32_t seconds);
/* As its constraints say, or else keystile-agent -t. */
void provider_limit_lifetime(struct provider *provider, const struct constraints *constraints);
/* Each signature is asked about, as either of them says. */
static inline bool provider_confirms(const struct provider *provider)
{
	return provider->confirm || provider->confirm_configured;
}
struct token *provider_token(struct provider *provider, uint32_t id);
/* It is not there any more: its keys go, or stay listed until it comes back. */
void provider_lose_token(struct provider *provider, struct token *token);

/* ---- For the files provider*.c ---- */

/* Tells those that wait and still want to hear it. */
void provider_answer(
	struct provider *provider, struct provider *result, enum ks_error error, const char *words);
void provider_drop_tokens(struct provider *provider);
/* They hold no keys any more: those that takes_keys, or the others. */
void provider_drop_keys(struct provider *provider, bool added);
KS_MUST_CHECK bool provider_has_added(const struct provider *provider);
/* Those that are away. */
void provider_drop_absent(struct provider *provider);
/* worker_events.token and .token_gone */
enum ks_error provider_token_is(struct worker *worker, const struct ks_token *reported,
	const struct ks_key *keys, size_t count);
enum ks_error provider_token_gone(struct worker *worker, uint32_t id);
/* worker_events.card; of a token that is not known, or not any more, it says nothing. */
enum ks_error provider_card_is(struct worker *worker, const struct frame_card *card);
/* Who waits for one now waits for the other, which is not kept in its back-off. */
void provider_hand_over(struct provider *provider, struct provider *existing);
void provider_located(struct provider *provider, struct provider *existing);
void provider_forget_unconfirmed(struct provider *provider);
void provider_ready(struct provider *provider);
/* Starting failed: answers who waits; tries again later where it was established, else closes. */
void provider_failed(struct provider *provider, enum ks_error error, const char *words);
KS_MUST_CHECK enum ks_error provider_load(struct provider *provider);
/* Which keys its tokens hold is asked of its worker with this one; those of one that takes keys
 * besides count only where it is named. */
struct frame provider_list_frame(const struct provider *provider);
/* From now on; true: it was not before. */
bool provider_name_it(struct provider *provider);
/* Its worker hears that it is named, or is not any more. */
void provider_tell_named(struct provider *provider);
extern const struct worker_events provider_worker_events;

#endif

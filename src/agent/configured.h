/*
 * Providers that keystile.conf(5) names, loaded without ssh-add: at the start, and when the
 * configuration is read anew. One that can't be loaded is tried again for as long as its section
 * is there; what the person removes (ssh-add -e, -D) stays away until the next reading or start.
 *
 *   configured_follow ─▶ LOADING ──opened──▶ LISTING ──listed──▶ LOADED, looked at again while
 *                           ▲                   │                  │      it has no keys
 *                 back-off  └──── FAILED ◀──────┴──── lost ────────┤
 *                                                                  ▼
 *                              LOADING ◀── configured_follow ── REMOVED
 */
#ifndef AGENT_CONFIGURED_H
#define AGENT_CONFIGURED_H

#include <jansson.h>

#include <keystile/backend.h>

struct agent;
struct provider;

/* What the configuration says now is loaded, what it no longer says goes unless others asked. */
void configured_follow(struct agent *agent);
/* The person removes this provider; or, where it is not loaded (NULL), what was given. */
void configured_removed(struct agent *agent, const struct provider *provider, const char *given);
void configured_removed_all(struct agent *agent);
/* It was closed for another reason, or is about to be. */
void configured_lost(const struct provider *provider);
/*
 * NULL: a section offers this key of one of the provider's tokens. Else the option that keeps it
 * back, and the name of the section that has it, both borrowed.
 */
const char *configured_refusal(
	const struct provider *provider, const struct ks_key *key, const char **section);
/* Which files with certificates its sections want: absolute patterns, ended by NULL; NULL: no
 * memory. */
char **configured_certificates(const struct agent *agent);
bool configured_wants_certificate(const struct provider *provider, const char *path);
/* The agent stops: nothing is loaded any more. */
void configured_close(struct agent *agent);
/* For status.h. */
json_t *configured_json(const struct agent *agent);

#endif

/*
 * The agent: everything that lives as long as the process hangs off this struct. There are
 * no globals.
 */
#ifndef AGENT_AGENT_H
#define AGENT_AGENT_H

#include <sys/types.h>
#include <uv.h>

#include "approvals.h"
#include "audit.h"
#include "children.h"
#include "config.h"
#include "counters.h"
#include "expiry.h"
#include "give_up.h"
#include "host_guesses.h"
#include "keyring.h"
#include "prompt.h"
#include "refusals.h"
#include "ssh_seen.h"
#include "surroundings.h"
#include "unlock_wait.h"
#include "vault.h"

struct configured;
struct connection;
struct control;
struct denials;
struct insertion_wait;
struct certificates;
struct known_hosts;
struct listener;
struct lock;
struct provider;
struct reload;
struct user_manager;

/* What the command line says, beyond where the socket is. */
struct settings {
	const char *allowed_providers; /* -P, else NULL: the configuration's */
	/* -O: all but allow_remote_pkcs11 count in config too. */
	bool allow_remote_pkcs11;
	bool allow_remote_without_presence;
	bool allow_rsa_sha1;
	bool allow_ssh_dss;
	const char *websafe_allow; /* a pattern list; NULL: no restriction */
	long lifetime_s;	   /* -t; 0: none */
	bool debug;		   /* workers may write to our stderr */
	char **environment;	   /* as it was at the start, borrowed */
	struct config_files config_files;
};

struct agent {
	uv_loop_t loop;
	struct settings settings;
	struct config config;
	unsigned long configured; /* how often config was replaced by reload.h */
	struct listener *listeners;
	struct connection *connections;
	unsigned connection_count;
	unsigned client_descriptors; /* of connections: one each, and the folder of its process */
	unsigned client_descriptors_max;
	uint64_t last_connection_id;
	struct vaults vaults;
	struct lock *lock;
	struct unlock_waits unlock_waits;
	struct known_hosts *known_hosts;
	struct certificates *certificates;
	struct host_guesses hosts_guessed; /* names that were right, of hosts that are hashed */
	struct children children;
	struct keyring keyring;
	struct provider *providers;
	struct configured *configured_providers; /* what the configuration loads */
	struct insertion_wait *insertion_waits;	 /* for tokens that are away */
	struct expiry expiry;
	struct prompts prompts;
	struct surroundings surroundings; /* of the person, for prompts */
	struct user_manager *user_manager;
	const char *surroundings_trouble; /* why the manager said nothing; NULL: it did, or was not
					     asked; static */
	struct ssh_seen ssh_seen;
	struct refusals refusals;
	struct counters counters;
	struct denials *denials; /* what workers were kept from */
	struct approvals approvals;
	struct reload *reload;
	struct audit audit;
	struct control *controls;
	struct prompter *prompters;
	uint64_t attestations_ms; /* how far those that began have used up their share of time */
	uint64_t prompters_seen;
	uint64_t started_ms; /* of uv_now() */
	struct given_up given_up;
	int null_fd; /* /dev/null, for children */
	uid_t uid;
	uv_signal_t signals[4];
	int exit_status;
	bool stopping;
};

/* What -O says goes over the configuration that was just read. */
void agent_add_settings(struct agent *agent);
/* -O allow-remote-pkcs11 and -P or the configuration's list, for a canonical name. */
bool agent_provider_allowed(const struct agent *agent, const char *canonical);
/* The patterns for that, as -P or the configuration has them; borrowed. */
const char *agent_allowed_providers(const struct agent *agent);

#endif

/*
 * What the person configured: keystile.conf(5), read with libconfuse and handed out as
 * plain values. A file that is not understood in full is an error that names the file and the
 * line; nothing of it is used then. reload.h replaces all values at once while the agent runs.
 */
#ifndef KEYSTILE_AGENT_CONFIG_H
#define KEYSTILE_AGENT_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include <keystile/buffer.h>
#include <keystile/error.h>

#include "offer_rule.h"
#include "policy_rule.h"

#define CONFIG_FILE_MAX ((size_t)1 << 20)

/* A worker section. */
struct config_worker {
	char *name;	    /* the backend's */
	char **environment; /* "NAME=value", each name once, ended by NULL, as are the rest */
	char **read;	    /* absolute paths of files, or of folders with all below */
	char **write;
	char **connect;	    /* as broker_address.h has them */
	char **commands;    /* "NAME=command", as command_name.h has them; NULL: none */
	bool shared_memory; /* System V's, that others have made */
};

/* What a list of keys says of each. */
enum config_comments {
	CONFIG_COMMENTS_BY_ORIGIN, /* not configured: as remote_comments_as_is says */
	CONFIG_COMMENTS_NEUTRAL,
	CONFIG_COMMENTS_AS_IS,
};

/* A listener section. */
struct config_listener {
	char *name;
	char *path; /* absolute; NULL: NAME.sock in the agent's own folder */
	bool local; /* otherwise every connection on it is remote */
	unsigned mode;
	char **keys; /* patterns, ended by NULL; NULL: every key */
	enum config_comments comments;
};

/* A provider section. */
struct config_provider {
	char *name;
	char *load; /* as for ssh-add -s */
	bool confirm;
	bool lists_absent; /* keys of a token that was pulled */
	struct offer_rule offers;
	char **certificates;	  /* files, absolute, patterns in their names; ended by NULL */
	bool release_said;	  /* otherwise release_after_s of all counts, for cards only */
	uint32_t release_after_s; /* 0: never */
};

/* What the person is asked by. */
enum config_prompts {
	CONFIG_PROMPTS_AUTO, /* askpass where ssh-agent's variables name one, else pinentry; else a
				terminal */
	CONFIG_PROMPTS_ASKPASS,
	CONFIG_PROMPTS_PINENTRY,
	CONFIG_PROMPTS_TERMINAL, /* a prompter's, or that of the process that asks */
};

enum config_audit { CONFIG_AUDIT_OFF, CONFIG_AUDIT_JOURNAL, CONFIG_AUDIT_FILE };

/* Owned by whoever holds it; zeroed means safe to deinit. No text is NULL but where it is said. */
struct config {
	char *allowed_providers; /* text_match_list() patterns; -P takes precedence */
	uint32_t operation_timeout_ms;
	uint32_t prompt_timeout_ms;
	uint32_t release_after_s;	    /* logins to cards in readers; 0: never */
	bool unknown_clients_remote;	    /* executables that no rule knows */
	bool unbound_ssh_remote;	    /* an ssh that never sent a session-bind */
	bool allow_remote_without_presence; /* or by -O */
	bool locked_keys_listed; /* to connections of this machine, also while it is locked */
	bool allow_rsa_sha1;
	bool allow_ssh_dss;		 /* or by -O */
	bool remote_memory_keys_confirm; /* otherwise they are refused to remote clients */
	enum config_prompts prompts;
	char *askpass;		 /* absolute path, used instead of SSH_ASKPASS; NULL: not set */
	char *pinentry;		 /* absolute path; NULL: not set */
	char *pinentry_terminal; /* below /dev; NULL: not set */
	char **relays;		 /* see config_is_relay(); ended by NULL */
	struct config_worker *workers;
	size_t worker_count;
	bool remote_comments_as_is; /* in lists for remote clients; otherwise neutral */
	struct config_listener *listeners;
	size_t listener_count;
	struct config_provider *providers;
	size_t provider_count;
	struct policy_rules rules;
	enum config_audit audit;
	bool audit_all;	     /* also what is asked all the time and changes nothing */
	uint64_t audit_size; /* bytes, of the file; the one before takes as many again */
};

KS_MUST_CHECK enum ks_error config_defaults(struct config *out);

/* Which files are read; borrowed. */
struct config_files {
	const char *only;   /* instead of both, an absolute path; or NULL */
	const char *system; /* before the user's */
};

/* Either of the two below. */
KS_MUST_CHECK enum ks_error config_load_files(
	const struct config_files *files, struct config *out, char **error);

/*
 * The system's file, then the user's, over the defaults: the user's file replaces option by option,
 * adds where it says "+=", and replaces a worker or listener section as a whole, and all rules
 * where it has any. KS_BAD_INPUT: *error says what is wrong and where, the caller frees it (NULL
 * when out of memory). On every error *out is empty.
 */
KS_MUST_CHECK enum ks_error config_load_all(
	const char *system_path, struct config *out, char **error);

/*
 * One file over what config holds. A file that does not exist changes nothing and is fine. It must
 * be a regular file, root's or the agent's own, writable by nobody else, at most CONFIG_FILE_MAX.
 * KS_BAD_INPUT: *error as above, config is as it was.
 */
KS_MUST_CHECK enum ks_error config_load(const char *path, struct config *config, char **error);

/* The same for text that is in memory already; name stands for the file in errors. */
KS_MUST_CHECK enum ks_error config_parse(
	struct bytes text, const char *name, struct config *config, char **error);

void config_deinit(struct config *config);
void config_list_free(char ***list);		  /* ended by NULL; clears the pointer */
char **config_list_copy(const char *const *from); /* NULL when out of memory */

/* The user's file; NULL when out of memory or nobody knows a home. The caller frees it. */
char *config_user_path(void);

/* True for a program that relays: executable is the path that /proc/PID/exe names. */
bool config_is_relay(const struct config *config, const char *executable);

/* What is configured for a backend's worker; NULL: nothing is. Borrowed. */
const struct config_worker *config_worker(const struct config *config, const char *backend);
/* Its environment, ended by NULL; never NULL, borrowed. */
char *const *config_worker_environment(const struct config *config, const char *backend);

#endif

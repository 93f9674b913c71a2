/*
 * See status.h. Every list is bounded: by the limits of what it shows, or here.
 */
#include "status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <keystile/cleanup.h>
#include <keystile/text.h>
#include <keystile/version.h>

#include "agent.h"
#include "certificates.h"
#include "commands.h"
#include "configured.h"
#include "connection.h"
#include "denials.h"
#include "host_naming.h"
#include "key_list.h"
#include "known_hosts.h"
#include "listener.h"
#include "lock.h"
#include "provider.h"
#include "reload.h"
#include "status_keys.h"
#include "surroundings_control.h"
#include "token_card.h"
#include "token_report.h"
#include "websafe.h"

#define CONNECTIONS_SHOWN_MAX 200
#define HOST_NAMES_SHOWN 3
#define HOST_NAME_SHOWN 64 /* bytes */

/* One that the service manager made is where the kernel says, and not ours to remove. */
static json_t *activated_path(const struct listener *listener)
{
	struct sockaddr_un address = {0};
	socklen_t len = sizeof(address) - 1;

	if (getsockname(listener->fd, (struct sockaddr *)&address, &len) == 0 &&
		address.sun_path[0] == '/')
		return foreign_text(address.sun_path);
	return json_string("(activated)");
}

static json_t *sockets(const struct agent *agent)
{
	static const char *const origins[] = {
		[LISTENER_AGENT] = "local",
		[LISTENER_REMOTE] = "remote",
		[LISTENER_CONTROL] = "control",
	};
	json_t *list = json_array();

	for (const struct listener *listener = agent->listeners; listener != NULL;
		listener = listener->next)
		json_array_append_new(
			list, json_pack("{s:s,s:o,s:s}", "name", listener->name, "path",
				      listener->path != NULL ? foreign_text(listener->path)
							     : activated_path(listener),
				      "origin", origins[listener->kind]));
	return list;
}

static void warn_of(json_t *list, bool applies, const char *words)
{
	if (applies)
		json_array_append_new(list, json_string(words));
}

static json_t *refused_json(const char *words)
{
	AUTO(text) sentence = text_format("the configuration was refused when it was read anew, "
					  "and the one before is in force: %s",
		words);

	return foreign_text(sentence);
}

/* They are made at the start: one that came with a new configuration is not there either. */
static void warn_of_listener(json_t *list, const struct agent *agent, const char *name)
{
	AUTO(text) words =
		text_format("the listener %s is not there: the log of the start says why", name);

	warn_of(list, words != NULL && listener_named(agent, name) == NULL, words);
}

static json_t *left_out_json(unsigned count)
{
	AUTO(text) sentence = text_format("lists of keys are cut, as clients take no longer ones: "
					  "%u of the keys are in none",
		count);

	return foreign_text(sentence);
}

static void warn_of_keys_not_taken(json_t *list, const struct agent *agent)
{
	unsigned left_out = 0;

	for (const struct provider *provider = agent->providers; provider != NULL;
		provider = provider->next)
		for (const struct token *token = provider->tokens; token != NULL;
			token = token->next)
			left_out += token->left_out +
				    (token->report != NULL ? (unsigned)token->report->left_out : 0);
	AUTO(text) words = text_format("of one provider %d keys are taken: %u or more are left out",
		PROVIDER_KEYS_MAX, left_out);

	warn_of(list, words != NULL && left_out > 0, words);
}

static json_t *not_asked_json(const char *words)
{
	AUTO(text) sentence = text_format("the last question could not be shown: %s", words);

	return foreign_text(sentence);
}

static void warn_of_counter(json_t *list, const struct counters *counters)
{
	AUTO(text) sentence = counters_warning(counters);

	warn_of(list, sentence != NULL, sentence);
}

static json_t *warnings(const struct agent *agent)
{
	json_t *list = json_array();
	const char *obstacle = prompt_obstacle(agent);
	const char *websafe = agent->settings.websafe_allow;
	const char *refused = reload_refusal(agent->reload);
	unsigned left_out = key_list_left_out(agent);

	if (refused != NULL)
		json_array_append_new(list, refused_json(refused));
	if (left_out > 0)
		json_array_append_new(list, left_out_json(left_out));
	warn_of_keys_not_taken(list, agent);
	warn_of(list, agent->config.allow_remote_without_presence,
		"allow-remote-without-presence is set: remote hosts sign without a touch or a PIN");
	warn_of(list, agent->config.remote_memory_keys_confirm,
		"remote-memory-keys = confirm is set: remote hosts may use keys without hardware "
		"when you answer yes");
	warn_of(list, agent->settings.allow_remote_pkcs11,
		"-O allow-remote-pkcs11 is set: bound connections may load providers");
	warn_of(list, websafe == NULL,
		"-O no-restrict-websafe is set: security keys made for web sites sign anything");
	warn_of(list, websafe != NULL && strcmp(websafe, WEBSAFE_DEFAULT_ALLOW) != 0,
		"-O websafe-allow is set: some security keys made for web sites sign anything");
	warn_of(list, agent->config.allow_rsa_sha1,
		"allow-rsa-sha1 is set: RSA keys make signatures with SHA-1");
	warn_of(list, agent->config.allow_ssh_dss,
		"allow-ssh-dss is set: DSA keys are taken, with SHA-1 and 1024 bits");
	warn_of(list, !agent->vaults.whole.memory.locked,
		"memory for secrets could not be locked (RLIMIT_MEMLOCK)");
	warn_of(list, audit_lost(agent) > 0,
		"lines of the audit log were lost; the agent's log says why");
	warn_of_counter(list, &agent->counters);
	warn_of(list, obstacle != NULL, obstacle);
	if (agent->prompts.trouble[0] != '\0')
		json_array_append_new(list, not_asked_json(agent->prompts.trouble));
	for (size_t i = 0; i < agent->config.listener_count; i++)
		warn_of_listener(list, agent, agent->config.listeners[i].name);
	return list;
}

static const char *host_remark(const struct host_names *host)
{
	if (host->revoked)
		return "revoked";
	if (host->count > 0)
		return host->by_authority ? "certified" : "";
	if (host->hashed)
		return "known by a hashed name";
	return host->unread ? "known_hosts could not be read" : "not in known_hosts";
}

static json_t *host_json(const struct agent *agent, const struct session_bind *bind)
{
	struct host_names host = host_naming_known(agent, bind);
	AUTO(text) fingerprint = public_key_fingerprint(buf_bytes(&bind->host_key));
	json_t *names = json_array();
	json_t *json;

	for (size_t i = 0; i < host.count && i < HOST_NAMES_SHOWN; i++) {
		AUTO(text) name = strndup(host.names[i], HOST_NAME_SHOWN);

		json_array_append_new(names, foreign_text(name));
	}
	json = json_pack("{s:s,s:o,s:s,s:b}", "host_key", fingerprint != NULL ? fingerprint : "",
		"names", names, "remark", host_remark(&host), "forwarding", bind->forwarding);
	host_names_deinit(&host);
	return json;
}

/* The hosts that the connection was bound to. */
static json_t *path(const struct agent *agent, const struct session_binds *binds)
{
	json_t *list = json_array();

	for (size_t i = 0; i < binds->count; i++)
		json_array_append_new(list, host_json(agent, &binds->records[i]));
	return list;
}

static json_t *connections(const struct agent *agent)
{
	json_t *list = json_array();
	unsigned shown = 0;

	for (const struct connection *connection = agent->connections;
		connection != NULL && shown < CONNECTIONS_SHOWN_MAX;
		connection = connection->next, shown++) {
		bool remote = origin_remote(&connection->origin);

		json_array_append_new(
			list, json_pack("{s:I,s:s,s:i,s:o,s:s,s:s,s:i,s:b,s:o}", "id",
				      (json_int_t)connection->id, "listener",
				      connection->listener->name, "pid", (int)connection->peer.pid,
				      "executable", foreign_text(connection->peer.executable),
				      "origin", remote ? "remote" : "local", "reason",
				      origin_words(connection->origin.rule), "binds",
				      (int)connection->binds.count, "forwarded",
				      connection->origin.rule == ORIGIN_FORWARDING_BIND, "path",
				      path(agent, &connection->binds)));
	}
	return list;
}

static json_t *token_json(const struct token *token, const struct worker *worker)
{
	json_t *tries = token->tries_left >= 0 ? json_integer(token->tries_left) : json_null();
	unsigned waiting = worker != NULL ? worker_count_waiting(worker, token->id) : 0;

	return json_pack("{s:o,s:o,s:o,s:o,s:b,s:b,s:o,s:i,s:o}", "label",
		foreign_text(token->label), "serial", foreign_text(token->serial), "model",
		foreign_text(token->model), "location", foreign_text(token->location), "logged_in",
		(token->flags & KS_TOKEN_LOGGED_IN) != 0, "absent", token->absent, "tries_left",
		tries, "waiting", (int)waiting, "card", token_card_json(token));
}

static json_t *confinement_json(const struct provider *provider)
{
	const struct worker_confinement *confinement;

	if (provider->worker == NULL || !provider->worker->confinement.told)
		return json_null();
	confinement = &provider->worker->confinement;
	return json_pack("{s:i,s:b,s:b,s:o}", "landlock", (int)confinement->landlock,
		"system_calls", confinement->filtered, "brokered", confinement->brokered, "lacking",
		foreign_text(confinement->lacking));
}

/* What its worker wrote last, the oldest first. */
static json_t *output_json(const struct provider *provider)
{
	json_t *lines = json_array();

	for (unsigned before = WORKER_OUTPUT_LINES; provider->worker != NULL && before-- > 0;) {
		const char *line = worker_output_line(&provider->worker->output, before);

		if (line != NULL)
			json_array_append_new(lines, json_string(line));
	}
	return lines;
}

static json_t *provider_json(const struct provider *provider)
{
	static const char *const states[] = {
		[PROVIDER_LOCATING] = "starting",
		[PROVIDER_OPENING] = "starting",
		[PROVIDER_LISTING] = "starting",
		[PROVIDER_READY] = "ready",
		[PROVIDER_WAITING] = "failed, will be started again",
		[PROVIDER_CLOSED] = "closed",
	};
	struct bytes shown = provider_shown(provider->given);
	AUTO(text) given = strndup((const char *)shown.data, shown.len);
	json_t *tokens = json_array();

	for (const struct token *token = provider->tokens; token != NULL; token = token->next)
		json_array_append_new(tokens, token_json(token, provider->worker));
	return json_pack("{s:o,s:s,s:s,s:i,s:i,s:o,s:b,s:o,s:o,s:o,s:o}", "name",
		foreign_text(provider->name != NULL ? provider->name : given), "backend",
		provider->needs->name, "state", states[provider->state], "pid",
		provider->worker != NULL ? (int)provider->worker->pid : 0, "restarts",
		(int)provider->restarts, "last_error", foreign_text(provider->last_error),
		"confirm", provider_confirms(provider), "confinement", confinement_json(provider),
		"commands",
		commands_json(provider->worker != NULL ? provider->worker->commands : NULL),
		"output", output_json(provider), "tokens", tokens);
}

static json_t *providers(const struct agent *agent)
{
	json_t *list = json_array();

	for (const struct provider *provider = agent->providers; provider != NULL;
		provider = provider->next)
		json_array_append_new(list, provider_json(provider));
	return list;
}

static void append_prompts(json_t *list, const struct prompt *prompt, const char *kind)
{
	for (; prompt != NULL; prompt = prompt_next(prompt))
		json_array_append_new(list, json_pack("{s:s,s:o}", "kind", kind, "for",
						    foreign_text(prompt_about(prompt))));
}

static json_t *prompts(const struct agent *agent)
{
	json_t *list = json_array();

	append_prompts(list, agent->prompts.open, "open");
	append_prompts(list, prompt_first(&agent->prompts.waiting), "waiting");
	append_prompts(list, prompt_first(&agent->prompts.notices), "touch");
	return list;
}

static json_t *refusal_json(const struct refusal *refusal)
{
	char when[32];
	char terminal[32] = "";
	struct tm parts;

	gmtime_r(&refusal->when, &parts);
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &parts);
	if (refusal->terminal != 0)
		snprintf(terminal, sizeof(terminal), "%u:%u", major(refusal->terminal),
			minor(refusal->terminal));
	return json_pack("{s:s,s:o,s:o,s:o,s:i,s:o,s:s}", "when", when, "key",
		foreign_text(refusal->what), "reason", foreign_text(refusal->reason), "remedy",
		foreign_text(refusal->remedy), "pid", (int)refusal->pid, "executable",
		foreign_text(refusal->program), "terminal", terminal);
}

static json_t *refusals(const struct agent *agent)
{
	json_t *list = json_array();
	unsigned long count = agent->refusals.count;
	unsigned long shown = count < REFUSALS_KEPT ? count : REFUSALS_KEPT;

	/* The newest first. */
	for (unsigned long i = 0; i < shown; i++) {
		const struct refusal *refusal =
			&agent->refusals.last[(count - 1 - i) % REFUSALS_KEPT];
		json_array_append_new(list, refusal_json(refusal));
	}
	return list;
}

static json_t *given_up_json(const struct given_up *given_up)
{
	return json_pack("{s:b,s:b,s:b}", "privileges", given_up->privileges, "capabilities",
		given_up->capabilities, "system_calls", given_up->system_calls);
}

json_t *status_json(const struct agent *agent)
{
	json_int_t uptime_s = (json_int_t)((uv_now(&agent->loop) - agent->started_ms) / 1000);

	return json_pack("{s:b,s:s,s:s,s:i,s:I,s:b,s:s,s:i,s:o,s:o,s:i,s:o,s:o,s:o,s:o,s:o,s:o,s:o,"
			 "s:o,s:o,s:o,s:o,s:o}",
		"ok", 1, "version", KEYSTILE_VERSION, "allowed_providers",
		agent_allowed_providers(agent), "pid", (int)getpid(), "uptime_seconds", uptime_s,
		"locked", lock_locked(agent->lock), "when_locked",
		agent->config.locked_keys_listed ? "list" : "hide", "failed_unlocks",
		(int)lock_failures(agent->lock), "sockets", sockets(agent), "warnings",
		warnings(agent), "connection_count", (int)agent->connection_count, "connections",
		connections(agent), "configured", configured_json(agent), "providers",
		providers(agent), "keys", status_keys_json(agent), "withheld",
		status_withheld_json(agent), "certificates", certificates_json(agent), "prompts",
		prompts(agent), "refusals", refusals(agent), "denials",
		denials_json(agent->denials), "known_hosts", known_hosts_json(agent->known_hosts),
		"asking", surroundings_asking_json(agent), "given_up",
		given_up_json(&agent->given_up));
}

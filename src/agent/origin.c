/*
 * The rules of origin.h. Programs that hand on bytes of others are remote whatever they
 * say: what an `ssh -R` relays carries the far side's own, perfectly verified bind.
 */
#include "origin.h"

#include <string.h>

void origin_worsen(struct origin *origin, enum origin_rule rule)
{
	/* Every forwarded connection of ssh is not its first: being forwarded says more. */
	if (origin->rule == ORIGIN_LOCAL ||
		(origin->rule == ORIGIN_SSH_SECOND_CONNECTION && rule == ORIGIN_FORWARDING_BIND))
		origin->rule = rule;
}

bool origin_peer_is_ssh(const struct peer *peer)
{
	return strcmp(peer_program(peer), "ssh") == 0;
}

bool origin_peer_forwards_later(const struct peer *peer)
{
	return origin_peer_is_ssh(peer) || strcmp(peer_program(peer), "dbclient") == 0;
}

/* OpenSSH's own programs, which ask for the person who started them. */
static bool is_known(const struct peer *peer)
{
	static const char *const known[] = {"ssh", "ssh-add", "ssh-keygen", NULL};

	for (size_t i = 0; known[i] != NULL; i++)
		if (strcmp(peer_program(peer), known[i]) == 0)
			return true;
	return false;
}

struct origin origin_at_accept(const struct origin_facts *facts, const struct config *config)
{
	const struct peer *peer = facts->peer;
	struct origin origin = {ORIGIN_LOCAL};

	if (facts->listener_remote)
		origin_worsen(&origin, ORIGIN_REMOTE_LISTENER);
	if (peer->pid <= 0 || peer->executable[0] == '\0' || peer->executable_deleted ||
		peer->start_time == 0)
		origin_worsen(&origin, ORIGIN_UNKNOWN_PROCESS);
	if (config_is_relay(config, peer->executable))
		origin_worsen(&origin, ORIGIN_RELAY);
	if (peer->other_namespace)
		origin_worsen(&origin, ORIGIN_NAMESPACE);
	/* One that goes to the background after the login (-f, ControlPersist) is a new process. */
	if (origin_peer_forwards_later(peer) && (facts->ssh_seen_before || peer->forked))
		origin_worsen(&origin, ORIGIN_SSH_SECOND_CONNECTION);
	if (config->unknown_clients_remote && !is_known(peer))
		origin_worsen(&origin, ORIGIN_UNKNOWN_CLIENT);
	return origin;
}

const char *origin_words(enum origin_rule rule)
{
	static const char *const words[ORIGIN_RULE_COUNT] = {
		[ORIGIN_LOCAL] = "asked on this machine",
		[ORIGIN_REMOTE_LISTENER] = "it came in on the socket for remote use",
		[ORIGIN_FORWARDING_BIND] = "it came through a forwarded agent (ssh -A)",
		[ORIGIN_REFUSED_BIND] = "a session bind on it was refused",
		[ORIGIN_UNVERIFIABLE_BIND] = "a session bind on it could not be verified",
		[ORIGIN_RELAY] = "the program that connected hands on the bytes of others",
		[ORIGIN_SSH_SECOND_CONNECTION] = "it is not the first connection of its ssh",
		[ORIGIN_SSH_WITHOUT_BIND] = "ssh did not bind its session first",
		[ORIGIN_SSH_OTHER_DATA] =
			"ssh asked to sign something other than the login it bound",
		[ORIGIN_NAMESPACE] = "the program runs in a container (another namespace)",
		[ORIGIN_UNKNOWN_PROCESS] = "the program that connected can't be identified",
		[ORIGIN_CHANGED_PROCESS] = "the program that connected is not there any more",
		[ORIGIN_UNKNOWN_CLIENT] = "the configuration says that unknown clients are remote",
	};

	return rule < ORIGIN_RULE_COUNT ? words[rule] : "unknown";
}

const char *origin_name(enum origin_rule rule)
{
	static const char *const names[ORIGIN_RULE_COUNT] = {
		[ORIGIN_LOCAL] = "local",
		[ORIGIN_REMOTE_LISTENER] = "remote-listener",
		[ORIGIN_FORWARDING_BIND] = "forwarding-bind",
		[ORIGIN_REFUSED_BIND] = "refused-bind",
		[ORIGIN_UNVERIFIABLE_BIND] = "unverifiable-bind",
		[ORIGIN_RELAY] = "relay",
		[ORIGIN_SSH_SECOND_CONNECTION] = "ssh-second-connection",
		[ORIGIN_SSH_WITHOUT_BIND] = "ssh-without-bind",
		[ORIGIN_SSH_OTHER_DATA] = "ssh-other-data",
		[ORIGIN_NAMESPACE] = "namespace",
		[ORIGIN_UNKNOWN_PROCESS] = "unknown-process",
		[ORIGIN_CHANGED_PROCESS] = "changed-process",
		[ORIGIN_UNKNOWN_CLIENT] = "unknown-client",
	};

	return rule < ORIGIN_RULE_COUNT && names[rule] != NULL ? names[rule] : "other";
}

/*
 * Walks the binds of a connection, which are the hosts it goes through, and asks for each step
 * whether the constraints name it. Who was not proven to be there is not there: every doubt hides
 * the key.
 */
#include "destination.h"

#include <string.h>
#include <time.h>

#include <keystile/cleanup.h>
#include <keystile/text.h>

/* No system has longer ones; it bounds the work of matching patterns. */
#define USER_NAME_MAX 1024

/* One step of the way. */
struct step {
	const struct session_bind *from; /* NULL: the origin */
	const struct session_bind *to;	 /* NULL: anywhere */
	const char *user;		 /* who logs in there; NULL: not asked */
	uint64_t now;
};

static bool is_key(const struct destination_host *host, size_t number,
	const struct session_bind *bind, uint64_t now)
{
	const struct destination_key *key = &host->keys[number];

	if (!bind->certified)
		return !key->ca && bytes_equal(buf_bytes(&key->blob), buf_bytes(&bind->host_key));
	return key->ca && bind->certificate != NULL &&
	       bytes_equal(buf_bytes(&key->blob), buf_bytes(&bind->certificate->signature_key)) &&
	       public_key_certifies_host(bind->certificate, host->name, now);
}

static bool is_host(
	const struct destination_host *host, const struct session_bind *bind, uint64_t now)
{
	for (size_t i = 0; i < host->key_count; i++)
		if (is_key(host, i, bind, now))
			return true;
	return false;
}

static bool matches(const struct destination *destination, const struct step *step)
{
	bool from = step->from == NULL ? destination->from.key_count == 0
				       : is_host(&destination->from, step->from, step->now);

	if (!from || (step->to != NULL && !is_host(&destination->to, step->to, step->now)))
		return false;
	return step->user == NULL || destination->to.user == NULL ||
	       text_match(step->user, destination->to.user);
}

static bool permits(const struct constraints *constraints, struct step step)
{
	for (size_t i = 0; i < constraints->destination_count; i++)
		if (matches(&constraints->destinations[i], &step))
			return true;
	return false;
}

/* user: who the signature is for; NULL where nothing is to be signed. */
static const char *path_refusal(const struct constraints *constraints,
	const struct session_binds *binds, const char *user, uint64_t now)
{
	struct step step = {.now = now};

	for (size_t i = 0; i < binds->count; i++) {
		bool last = i + 1 == binds->count;

		step.to = &binds->records[i];
		step.user = last ? user : NULL;
		if (last && user != NULL && step.to->forwarding)
			return "the key is restricted to destinations, and the last host of this "
			       "connection only forwards it";
		if (!last && !step.to->forwarding)
			return "the key is restricted to destinations, and this connection goes on "
			       "behind a login";
		if (!permits(constraints, step))
			return "the key is restricted to other destinations";
		step.from = step.to;
	}
	return NULL;
}

/* A host that forwards sees what may be used from there, not what may be used to get there. */
static bool leads_on(
	const struct constraints *constraints, const struct session_bind *last, uint64_t now)
{
	return !last->forwarding || permits(constraints, (struct step){.from = last, .now = now});
}

bool destination_lists_at(
	const struct constraints *constraints, const struct session_binds *binds, uint64_t now)
{
	const struct session_bind *last = session_binds_last(binds);

	if (constraints->destination_count == 0)
		return true;
	if (last == NULL)
		return !binds->attempted;
	return path_refusal(constraints, binds, NULL, now) == NULL &&
	       leads_on(constraints, last, now);
}

/* That the login is the one which the last bind is for. */
static const char *login_refusal(const struct session_binds *binds, const struct subject *subject)
{
	const struct session_bind *last = session_binds_last(binds);

	if (!bytes_equal(subject->session_id, buf_bytes(&last->session_id)))
		return "the key is restricted to destinations, and the login is not for the "
		       "session that this connection is bound to";
	if (!subject->hostbound && binds->count > 1)
		return "the key is restricted to destinations, and the login comes from afar "
		       "without naming its host";
	if (subject->hostbound && !bytes_equal(subject->host_key, buf_bytes(&last->host_key)))
		return "the key is restricted to destinations, and the login names another host "
		       "than this connection is bound to";
	return NULL;
}

const char *destination_refusal_at(const struct constraints *constraints,
	const struct session_binds *binds, const struct subject *subject, uint64_t now)
{
	AUTO(text) user = NULL;
	const char *refusal;

	if (constraints->destination_count == 0)
		return NULL;
	if (binds->count == 0)
		return "the key is restricted to destinations, and this connection is bound to "
		       "none";
	if (subject->kind != SUBJECT_LOGIN)
		return "the key is restricted to destinations, and this is no login";
	if (subject->by_certificate)
		return "the key is restricted to destinations, and the login is by a certificate "
		       "that was not added with it";
	if (subject->user.len > USER_NAME_MAX)
		return "the key is restricted to destinations, and the user's name is too long";
	user = subject->user.len > 0 ? strndup((const char *)subject->user.data, subject->user.len)
				     : strdup("");
	if (user == NULL)
		return "out of memory";
	refusal = path_refusal(constraints, binds, user, now);
	return refusal != NULL ? refusal : login_refusal(binds, subject);
}

/* Before 1970 no certificate is in date. */
static uint64_t now(void)
{
	time_t seconds = time(NULL);

	return seconds >= 0 ? (uint64_t)seconds : UINT64_MAX;
}

bool destination_lists(const struct constraints *constraints, const struct session_binds *binds)
{
	return destination_lists_at(constraints, binds, now());
}

const char *destination_refusal(const struct constraints *constraints,
	const struct session_binds *binds, const struct subject *subject)
{
	return destination_refusal_at(constraints, binds, subject, now());
}

/*
 * The sessions of a token: kept open between signatures, one operation in each, more of
 * them when requests come at once. Sessions of one process share their login (PKCS#11 2.40
 * usage guide section 2.6), and closing the last one ends it.
 */
#include "token.h"

#include <keystile/log.h>

#include "return_value.h"

static CK_RV open_session(struct token *token, CK_SESSION_HANDLE *handle)
{
	CK_SLOT_ID slot;

	pthread_mutex_lock(&token->lock);
	slot = token->slot;
	pthread_mutex_unlock(&token->lock);
	return CALL(token->module, C_OpenSession, slot, CKF_SERIAL_SESSION, NULL, NULL, handle);
}

static void close_session(struct token *token, CK_SESSION_HANDLE handle)
{
	char name[32];
	CK_RV value = CALL(token->module, C_CloseSession, handle);

	if (value != CKR_OK)
		log_debug("C_CloseSession: %s", return_value_name(value, name));
}

/* Called with lock held. */
static struct session *pick(struct token *token, enum session_state state)
{
	for (unsigned i = 0; i < TOKEN_SESSIONS_MAX; i++)
		if (token->sessions[i].state == state)
			return &token->sessions[i];
	return NULL;
}

/* Called with lock held. */
static unsigned count_open(const struct token *token)
{
	unsigned count = 0;

	for (unsigned i = 0; i < TOKEN_SESSIONS_MAX; i++)
		count += token->sessions[i].state != SESSION_NONE;
	return count;
}

static void give_place_back(struct token *token, struct session *session)
{
	pthread_mutex_lock(&token->lock);
	session->state = SESSION_NONE;
	pthread_cond_signal(&token->session_given);
	pthread_mutex_unlock(&token->lock);
}

/* The token has no more sessions: from now on those that are open are shared. */
static bool settle_for_fewer(struct token *token)
{
	unsigned open;

	pthread_mutex_lock(&token->lock);
	open = count_open(token);
	if (open)
		token->sessions_max = open;
	pthread_mutex_unlock(&token->lock);
	return open != 0;
}

/* Marks an idle session, or a place for a new one, as busy; waits where there is neither. */
static enum ks_error claim(
	struct token *token, struct ks_operation *operation, struct session **out)
{
	enum ks_error error = KS_OK;
	struct session *session = NULL;

	pthread_mutex_lock(&token->lock);
	while (error == KS_OK) {
		session = pick(token, SESSION_IDLE);
		if (!session && count_open(token) < token->sessions_max) {
			session = pick(token, SESSION_NONE);
			session->handle = CK_INVALID_HANDLE;
		}
		if (session)
			break;
		error = gate_wait(&token->session_given, &token->lock, operation);
	}
	if (session) {
		session->state = SESSION_BUSY;
		session->generation = token->generation;
		session->logins = token->logins;
		*out = session;
	}
	pthread_mutex_unlock(&token->lock);
	return error;
}

struct session_result token_take_session(
	struct token *token, struct ks_operation *operation, struct session **out)
{
	struct session_result result = {0};
	struct session *session = NULL;

	for (unsigned i = 0; i < TOKEN_SESSIONS_MAX; i++) {
		result.error = claim(token, operation, &session);
		if (result.error != KS_OK)
			return result;
		*out = session;
		if (session->handle != CK_INVALID_HANDLE)
			return result;
		result.value = open_session(token, &session->handle);
		if (result.value == CKR_OK)
			return result;
		session->handle = CK_INVALID_HANDLE;
		give_place_back(token, session);
		if (result.value != CKR_SESSION_COUNT || !settle_for_fewer(token))
			break;
		result.value = CKR_OK;
	}
	*out = NULL;
	result.error = result.value == CKR_OK ? KS_BUSY : return_value_error(result.value);
	return result;
}

/* True when closing the session would end a login that is still good. */
static bool holds_login(struct token *token, const struct session *session)
{
	bool holds;

	pthread_mutex_lock(&token->lock);
	holds = token->logged_in && session->generation == token->generation &&
		count_open(token) == 1;
	pthread_mutex_unlock(&token->lock);
	return holds;
}

static void renew(struct token *token, struct session *session)
{
	CK_SESSION_HANDLE fresh = CK_INVALID_HANDLE;
	bool keep = holds_login(token, session);

	if (keep && open_session(token, &fresh) != CKR_OK) {
		fresh = CK_INVALID_HANDLE;
		token_lost_login(token, session->logins);
	}
	close_session(token, session->handle);
	session->handle = fresh;
}

void token_give_session(struct token *token, struct session *session, bool usable)
{
	CK_SESSION_HANDLE handle;
	bool stale;

	if (!usable)
		renew(token, session);
	pthread_mutex_lock(&token->lock);
	handle = session->handle;
	stale = session->generation != token->generation;
	session->state = stale || handle == CK_INVALID_HANDLE ? SESSION_NONE : SESSION_IDLE;
	pthread_cond_signal(&token->session_given);
	pthread_mutex_unlock(&token->lock);
	if (stale && handle != CK_INVALID_HANDLE)
		close_session(token, handle);
}

/*
 * Called with lock held, and closes with it held: a module may give the number of a void
 * session to the next one that is opened, which must not be closed in its stead.
 */
static void close_idle(struct token *token)
{
	for (unsigned i = 0; i < TOKEN_SESSIONS_MAX; i++) {
		if (token->sessions[i].state != SESSION_IDLE)
			continue;
		close_session(token, token->sessions[i].handle);
		token->sessions[i].state = SESSION_NONE;
	}
}

void token_drop_sessions(struct token *token, unsigned generation)
{
	pthread_mutex_lock(&token->lock);
	if (token->generation == generation) {
		token->generation++;
		token->logged_in = false;
		key_list_forget_handles(&token->keys);
		close_idle(token);
		token->sessions_max = token->module->threads ? TOKEN_SESSIONS_MAX : 1;
		pthread_cond_broadcast(&token->session_given);
	}
	pthread_mutex_unlock(&token->lock);
}

/*
 * A table that is searched from end to end: it is short. The oldest row makes room, first one of
 * the same provider, so that one module can't push what others were refused out of sight.
 */
#include "denials.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <keystile/cleanup.h>
#include <keystile/log.h>
#include <keystile/text.h>

#include "foreign_text.h"

#define LINES_PER_MINUTE 60

struct denial {
	char backend[32];
	char provider[256];
	enum denial_kind kind;
	char what[256];
	unsigned long count; /* 0: the row is empty */
	unsigned long last;  /* of all additions, which one was its last */
	time_t when;
};

struct denials {
	pthread_mutex_t lock;
	unsigned references;
	unsigned long added;
	time_t minute;	/* of the last line in the log */
	unsigned lines; /* in that minute */
	struct denial rows[DENIALS_KEPT];
};

struct denials *denials_new(void)
{
	struct denials *denials = calloc(1, sizeof(*denials));

	if (denials != NULL)
		pthread_mutex_init(&denials->lock, NULL);
	return denials_reference(denials);
}

struct denials *denials_reference(struct denials *denials)
{
	if (denials == NULL)
		return NULL;
	pthread_mutex_lock(&denials->lock);
	denials->references++;
	pthread_mutex_unlock(&denials->lock);
	return denials;
}

void denials_release(struct denials *denials)
{
	if (denials == NULL)
		return;
	pthread_mutex_lock(&denials->lock);
	bool last = --denials->references == 0;
	pthread_mutex_unlock(&denials->lock);
	if (!last)
		return;
	pthread_mutex_destroy(&denials->lock);
	free(denials);
}

static bool same_provider(const struct denial *a, const struct denial *b)
{
	return a->count > 0 && strcmp(a->provider, b->provider) == 0;
}

static bool same(const struct denial *a, const struct denial *b)
{
	return same_provider(a, b) && a->kind == b->kind && strcmp(a->what, b->what) == 0 &&
	       strcmp(a->backend, b->backend) == 0;
}

static struct denial *older(struct denial *a, struct denial *b)
{
	return a == NULL || b->last < a->last ? b : a;
}

/* Under the lock: the row that it is, or the one that makes room for it. */
static struct denial *row_for(struct denials *denials, const struct denial *denial)
{
	struct denial *oldest = NULL;
	struct denial *oldest_own = NULL;
	unsigned own = 0;

	for (size_t i = 0; i < DENIALS_KEPT; i++) {
		struct denial *row = &denials->rows[i];

		if (same(row, denial))
			return row;
		oldest = older(oldest, row);
		if (same_provider(row, denial)) {
			oldest_own = older(oldest_own, row);
			own++;
		}
	}
	return own >= DENIALS_KEPT_EACH ? oldest_own : oldest;
}

static const char *verb(enum denial_kind kind)
{
	static const char *const verbs[] = {
		[DENIAL_CONNECT] = "connecting to",
		[DENIAL_CALL] = "the system call",
		[DENIAL_READ] = "reading",
		[DENIAL_WRITE] = "writing",
	};

	return verbs[kind];
}

/* Under the lock: a module that tries something else each time does not fill the log. */
static bool may_log(struct denials *denials, time_t minute)
{
	if (denials->minute != minute)
		denials->lines = 0;
	denials->minute = minute;
	return ++denials->lines <= LINES_PER_MINUTE;
}

void denials_add(struct denials *denials, const char *backend, const char *provider,
	enum denial_kind kind, const char *what)
{
	struct denial denial = {.kind = kind, .count = 1, .when = time(NULL)};
	char quoted[TEXT_WORDS_MAX];

	snprintf(denial.backend, sizeof(denial.backend), "%s", backend);
	snprintf(denial.provider, sizeof(denial.provider), "%s", provider);
	snprintf(denial.what, sizeof(denial.what), "%s", what);
	pthread_mutex_lock(&denials->lock);
	struct denial *row = row_for(denials, &denial);
	bool first = !same(row, &denial);
	if (!first)
		denial.count = row->count + 1;
	denial.last = ++denials->added;
	*row = denial;
	first = first && may_log(denials, denial.when / 60);
	pthread_mutex_unlock(&denials->lock);
	if (first)
		log_warning("worker %s was kept from %s %s", backend, verb(kind),
			text_quote_words(bytes_of(denial.what), quoted));
}

/* The home folder, or one above: in there are the keys of ssh, which nobody is to be led to grant.
 */
static bool holds_home(const char *folder, size_t len)
{
	const char *home = getenv("HOME");

	return len == 0 || (home != NULL && strncmp(home, folder, len) == 0 &&
				   (home[len] == '\0' || home[len] == '/'));
}

/* What is to be made or changed needs the folder, as it may not be there when the worker starts. */
static char *write_remedy(const char *path)
{
	const char *slash = strrchr(path, '/');
	size_t len = slash != NULL ? (size_t)(slash - path) : 0;

	if (holds_home(path, len) || strstr(path, "/.ssh/") != NULL)
		return NULL;
	return text_format("grant-write = {\"%.*s\"}", (int)len, path);
}

static char *read_remedy(const char *path)
{
	if (path[0] != '/' || holds_home(path, strlen(path) > 1 ? strlen(path) : 0) ||
		strstr(path, "/.ssh/") != NULL)
		return NULL;
	return text_format("grant-read = {\"%s\"}", path);
}

/* What a person may write for it, NULL where nothing permits it. */
static char *remedy(const struct denial *denial)
{
	/* One that would have to be escaped, or is cut, is not for copying. */
	if (strpbrk(denial->what, "\"\\$") != NULL ||
		strlen(denial->what) + 1 == sizeof(denial->what))
		return NULL;
	switch (denial->kind) {
	case DENIAL_CONNECT:
		return text_format("grant-connect = {\"%s\"}", denial->what);
	case DENIAL_READ:
		return read_remedy(denial->what);
	case DENIAL_WRITE:
		return write_remedy(denial->what);
	case DENIAL_CALL:
		if (strcmp(denial->what, "shmget") == 0)
			return strdup("grant-shared-memory = true");
		break;
	}
	return NULL;
}

static json_t *row_json(const struct denial *denial)
{
	static const char *const kinds[] = {
		[DENIAL_CONNECT] = "connect",
		[DENIAL_CALL] = "system call",
		[DENIAL_READ] = "read",
		[DENIAL_WRITE] = "write",
	};
	AUTO(text) words = remedy(denial);
	char when[32] = "";
	struct tm parts;

	gmtime_r(&denial->when, &parts);
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &parts);
	return json_pack("{s:s,s:s,s:o,s:s,s:o,s:I,s:o}", "when", when, "backend", denial->backend,
		"provider", foreign_text(denial->provider), "kind", kinds[denial->kind], "what",
		foreign_text(denial->what), "count", (json_int_t)denial->count, "remedy",
		foreign_text(words));
}

json_t *denials_json(struct denials *denials)
{
	json_t *list = json_array();
	unsigned long before;

	pthread_mutex_lock(&denials->lock);
	before = denials->added + 1;
	for (size_t i = 0; i < DENIALS_KEPT; i++) {
		const struct denial *newest = NULL;

		for (size_t k = 0; k < DENIALS_KEPT; k++) {
			const struct denial *row = &denials->rows[k];

			if (row->count > 0 && row->last < before &&
				(newest == NULL || row->last > newest->last))
				newest = row;
		}
		if (newest == NULL)
			break;
		before = newest->last;
		json_array_append_new(list, row_json(newest));
	}
	pthread_mutex_unlock(&denials->lock);
	return list;
}

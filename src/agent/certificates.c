/*
 * See certificates.h. One look at a time; who asks during one gets another one after it.
 */
#include "certificates.h"

#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <keystile/log.h>
#include <keystile/text.h>

#include "agent.h"
#include "certificates_look.h"
#include "configured.h"
#include "foreign_text.h"
#include "offer.h"
#include "provider.h"
#include "status_keys.h"
#include "token_report.h"

/* Between a change and the look at it: what is renewed is written, renamed and synchronised. */
#define SETTLE_MS 100
/* Longer than that nobody waits for a disk. */
#define HANGS_MS 5000

struct certificates {
	struct agent *agent;
	uv_poll_t watch;
	uv_timer_t settle;
	int inotify; /* -1: none, and files are read with the configuration alone */
	struct certificate_files known;
	uv_work_t work;
	bool running;
	bool again;
	uint64_t begun_ms;
	/* The thread's while it runs. */
	char **patterns;
	struct certificate_files fresh;
};

static void begin(struct certificates *certificates);

static void look(uv_work_t *work)
{
	struct certificates *certificates = work->data;

	certificates_look(certificates->patterns, certificates->inotify, &certificates->fresh);
}

/* Said once for each file. */
static void complain(const struct certificate_files *before, const struct certificate_files *files)
{
	char quoted[TEXT_WORDS_MAX];

	for (size_t i = 0; i < files->count; i++) {
		const struct certificate_file *file = &files->all[i];
		bool said = false;

		for (size_t old = 0; old < before->count; old++)
			said = said || (strcmp(before->all[old].path, file->path) == 0 &&
					       before->all[old].trouble == file->trouble);
		if (file->trouble != NULL && !said)
			log_warning("%s: %s", text_quote_words(bytes_of(file->path), quoted),
				file->trouble);
	}
}

static void on_looked(uv_work_t *work, int status)
{
	struct certificates *certificates = work->data;
	struct agent *agent = certificates->agent;

	certificates->running = false;
	config_list_free(&certificates->patterns);
	if (agent->stopping || status != 0 ||
		certificate_files_same(&certificates->known, &certificates->fresh)) {
		certificate_files_deinit(&certificates->fresh);
	} else {
		complain(&certificates->known, &certificates->fresh);
		certificate_files_deinit(&certificates->known);
		certificates->known = certificates->fresh;
		certificates->fresh = (struct certificate_files){0};
		for (struct provider *provider = agent->providers; provider != NULL;
			provider = provider->next)
			offer_provider(provider);
	}
	if (certificates->again && !agent->stopping)
		begin(certificates);
}

static void begin(struct certificates *certificates)
{
	certificates->again = certificates->running;
	if (certificates->running || certificates->agent->stopping)
		return;
	certificates->patterns = configured_certificates(certificates->agent);
	if (certificates->patterns == NULL) {
		log_error("no memory to look for certificates");
		return;
	}
	certificates->running = true;
	certificates->begun_ms = uv_now(&certificates->agent->loop);
	/* Fails only without functions. */
	(void)uv_queue_work(&certificates->agent->loop, &certificates->work, look, on_looked);
}

static void on_settled(uv_timer_t *timer)
{
	begin(timer->data);
}

/* A name without "cert" in it can't be told from the rest of what ssh writes; the patterns tell. */
static bool concerns(const struct certificates *certificates, const struct inotify_event *event)
{
	char **patterns;
	bool wanted = false;

	if (event->len == 0)
		return true;
	patterns = configured_certificates(certificates->agent);
	for (size_t i = 0; patterns != NULL && patterns[i] != NULL; i++)
		wanted = wanted || text_match(event->name, strrchr(patterns[i], '/') + 1);
	config_list_free(&patterns);
	return wanted;
}

static void on_change(uv_poll_t *watch, int status, int events)
{
	struct certificates *certificates = watch->data;
	_Alignas(struct inotify_event) char room[4096];
	ssize_t got = read(certificates->inotify, room, sizeof(room));
	bool concerned = false;

	(void)status;
	(void)events;
	for (ssize_t at = 0; at < got;) {
		const struct inotify_event *event =
			(const struct inotify_event *)(const void *)(room + at);

		concerned = concerned || concerns(certificates, event);
		at += (ssize_t)(sizeof(*event) + event->len);
	}
	if (concerned && !uv_is_active((uv_handle_t *)&certificates->settle))
		uv_timer_start(&certificates->settle, on_settled, SETTLE_MS, 0);
}

struct certificates *certificates_new(struct agent *agent)
{
	struct certificates *certificates = calloc(1, sizeof(*certificates));

	if (certificates == NULL)
		return NULL;
	certificates->agent = agent;
	certificates->work.data = certificates;
	certificates->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	uv_timer_init(&agent->loop, &certificates->settle);
	certificates->settle.data = certificates;
	if (certificates->inotify < 0)
		return certificates;
	uv_poll_init(&agent->loop, &certificates->watch, certificates->inotify);
	certificates->watch.data = certificates;
	uv_poll_start(&certificates->watch, UV_READABLE, on_change);
	return certificates;
}

void certificates_follow(struct certificates *certificates)
{
	begin(certificates);
}

void certificates_close(struct certificates *certificates)
{
	uv_close((uv_handle_t *)&certificates->settle, NULL);
	if (certificates->inotify >= 0)
		uv_close((uv_handle_t *)&certificates->watch, NULL);
}

bool certificates_free(struct certificates **certificates)
{
	struct certificates *old = *certificates;

	if (old == NULL)
		return true;
	if (old->running)
		return false;
	certificate_files_deinit(&old->known);
	if (old->inotify >= 0)
		close(old->inotify);
	free(old);
	*certificates = NULL;
	return true;
}

size_t certificates_wanted(const struct provider *provider, struct bytes *out)
{
	const struct certificates *certificates = provider->agent->certificates;
	size_t count = 0;

	for (size_t i = 0; i < certificates->known.count; i++) {
		const struct certificate_file *file = &certificates->known.all[i];

		if (file->key != NULL && configured_wants_certificate(provider, file->path))
			out[count++] = buf_bytes(&file->blob);
	}
	return count;
}

/* ---- For the person ---- */

/* A token that is known here has its key. */
static bool belongs(const struct agent *agent, const struct certificate_file *file)
{
	for (const struct provider *provider = agent->providers; provider != NULL;
		provider = provider->next)
		for (const struct token *token = provider->tokens; token != NULL;
			token = token->next)
			if (token_report_find(token->report, buf_bytes(&file->key->plain)) != NULL)
				return true;
	return false;
}

static json_t *file_json(const struct agent *agent, const struct certificate_file *file)
{
	const struct public_key *key = file->key;
	char *fingerprint = key != NULL ? public_key_fingerprint(buf_bytes(&key->plain)) : NULL;
	json_t *json = json_pack("{s:o,s:s,s:s,s:b}", "path", foreign_text(file->path), "trouble",
		file->trouble != NULL ? file->trouble : "", "key",
		fingerprint != NULL ? fingerprint : "", "belongs",
		key != NULL && belongs(agent, file));

	free(fingerprint);
	if (key == NULL)
		return json;
	json_object_set_new(json, "not_before", status_time_json(key->valid_after));
	json_object_set_new(json, "not_after",
		key->valid_before == UINT64_MAX ? json_null()
						: status_time_json(key->valid_before));
	json_object_set_new(
		json, "state", json_string(status_validity(key->valid_after, key->valid_before)));
	return json;
}

json_t *certificates_json(const struct agent *agent)
{
	const struct certificates *certificates = agent->certificates;
	bool hangs =
		certificates->running && uv_now(&agent->loop) - certificates->begun_ms > HANGS_MS;
	json_t *files = json_array();

	for (size_t i = 0; i < certificates->known.count; i++)
		json_array_append_new(files, file_json(agent, &certificates->known.all[i]));
	return json_pack("{s:o,s:b,s:b,s:b}", "files", files, "hangs", hangs, "more",
		certificates->known.more, "watched", certificates->inotify >= 0);
}

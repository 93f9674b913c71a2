/*
 * See known_hosts.h. A round looks at each file in turn, one thread at a time, so that a file
 * system that hangs takes no more than one of libuv's threads; the system's files come first, since
 * it is homes that lie on the network.
 */
#include "known_hosts.h"

#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include <keystile/cleanup.h>
#include <keystile/log.h>
#include <keystile/text.h>

#include "known_hosts_look.h"

#define FILES 4

struct file {
	char *path;			 /* NULL: nobody knows a home */
	struct known_hosts_index *index; /* NULL: none was read */
	struct known_hosts_stamp stamp;
	int trouble; /* errno of the last try; ENOENT is none */
};

struct known_hosts {
	uv_loop_t *loop;
	struct file files[FILES];
	uv_work_t work;
	struct known_hosts_look look; /* the thread works on it, and nobody else meanwhile */
	size_t at;		      /* the file in work */
	bool running;		      /* the round is */
	bool hangs;		      /* it takes longer than anybody waits */
	bool closing;
	unsigned long round; /* the one that runs or ran last, from 1 on */
	uv_timer_t limit;
	struct known_hosts_wait *waits;
};

struct known_hosts_wait {
	struct known_hosts_wait *next;
	struct known_hosts *hosts;
	unsigned long round; /* by whose end it is settled */
	void (*settled)(void *owner);
	void *owner;
};

/* ---- Rounds ---- */

/* On a thread. */
static void run(uv_work_t *work)
{
	struct known_hosts *hosts = work->data;

	known_hosts_look(&hosts->look);
	/* What OpenSSL keeps for each thread would stay until the end, and not go then. */
	OPENSSL_thread_stop();
}

static void release(struct known_hosts *hosts, unsigned long round)
{
	struct known_hosts_wait **at = &hosts->waits;

	/* Whoever is called may ask again, or give up others that wait. */
	while (*at != NULL) {
		struct known_hosts_wait wait = **at;

		if (wait.round > round) {
			at = &(*at)->next;
			continue;
		}
		free(*at);
		*at = wait.next;
		wait.settled(wait.owner);
		at = &hosts->waits;
	}
}

static void on_limit(uv_timer_t *timer)
{
	struct known_hosts *hosts = timer->data;

	log_warning("%s does not answer; what was read before counts until it does",
		hosts->files[hosts->at].path);
	hosts->hangs = true;
	release(hosts, ULONG_MAX);
}

/* A file that can't be read any more says nothing any more. */
static void take_result(struct file *file, struct known_hosts_look *look)
{
	if (look->trouble != file->trouble && look->trouble != 0 && look->trouble != ENOENT)
		log_warning("%s: %s", file->path, strerror(look->trouble));
	file->trouble = look->trouble;
	if (look->trouble == 0 && look->unchanged)
		return;
	known_hosts_index_free(&file->index);
	if (look->trouble != 0) {
		known_hosts_index_free(&look->index);
		look->stamp = (struct known_hosts_stamp){0};
	}
	file->index = look->index;
	file->stamp = look->stamp;
	*look = (struct known_hosts_look){0};
}

static void begin_round(struct known_hosts *hosts);

static void end_round(struct known_hosts *hosts)
{
	hosts->running = false;
	hosts->hangs = false;
	uv_timer_stop(&hosts->limit);
	release(hosts, hosts->round);
	if (!hosts->running && hosts->waits != NULL)
		begin_round(hosts);
}

static void on_looked(uv_work_t *work, int status);

/* The file at hosts->at or the next one that has a path. */
static void begin_file(struct known_hosts *hosts)
{
	while (hosts->at < FILES && hosts->files[hosts->at].path == NULL)
		hosts->at++;
	if (hosts->at == FILES) {
		end_round(hosts);
		return;
	}
	hosts->look = (struct known_hosts_look){
		.path = hosts->files[hosts->at].path, .stamp = hosts->files[hosts->at].stamp};
	uv_queue_work(hosts->loop, &hosts->work, run, on_looked);
}

static void on_looked(uv_work_t *work, int status)
{
	struct known_hosts *hosts = work->data;

	(void)status;
	if (hosts->closing) {
		known_hosts_index_free(&hosts->look.index);
		hosts->running = false;
		return;
	}
	take_result(&hosts->files[hosts->at], &hosts->look);
	hosts->at++;
	begin_file(hosts);
}

static void begin_round(struct known_hosts *hosts)
{
	hosts->round++;
	hosts->at = 0;
	hosts->running = true;
	uv_timer_start(&hosts->limit, on_limit, KNOWN_HOSTS_WAIT_MS, 0);
	begin_file(hosts);
}

struct known_hosts_wait *known_hosts_await(
	struct known_hosts *hosts, void (*settled)(void *owner), void *owner)
{
	struct known_hosts_wait *wait =
		hosts->hangs || hosts->closing ? NULL : calloc(1, sizeof(*wait));

	if (wait == NULL)
		return NULL;
	/* A round that runs may have looked already. */
	*wait = (struct known_hosts_wait){.next = hosts->waits,
		.hosts = hosts,
		.round = hosts->round + 1,
		.settled = settled,
		.owner = owner};
	hosts->waits = wait;
	if (!hosts->running)
		begin_round(hosts);
	return wait;
}

void known_hosts_wait_abandon(struct known_hosts_wait *wait)
{
	struct known_hosts_wait **at = &wait->hosts->waits;

	while (*at != wait)
		at = &(*at)->next;
	*at = wait->next;
	free(wait);
}

/* ---- Life ---- */

/* ssh takes the home of the user's database; the environment's is the one that a person can set. */
static char *in_home(const char *name)
{
	const char *home = secure_getenv("HOME");

	if (home == NULL || home[0] != '/') {
		const struct passwd *user = getpwuid(getuid());

		home = user != NULL ? user->pw_dir : NULL;
	}
	return home != NULL ? text_format("%s/.ssh/%s", home, name) : NULL;
}

struct known_hosts *known_hosts_new(uv_loop_t *loop)
{
	struct known_hosts *hosts = calloc(1, sizeof(*hosts));

	if (hosts == NULL)
		return NULL;
	hosts->loop = loop;
	hosts->work.data = hosts;
	uv_timer_init(loop, &hosts->limit);
	hosts->limit.data = hosts;
	hosts->files[0].path = strdup("/etc/ssh/ssh_known_hosts");
	hosts->files[1].path = strdup("/etc/ssh/ssh_known_hosts2");
	hosts->files[2].path = in_home("known_hosts");
	hosts->files[3].path = in_home("known_hosts2");
	begin_round(hosts);
	return hosts;
}

void known_hosts_close(struct known_hosts *hosts)
{
	hosts->closing = true;
	uv_close((uv_handle_t *)&hosts->limit, NULL);
}

bool known_hosts_free(struct known_hosts **hosts)
{
	if (*hosts == NULL)
		return true;
	if ((*hosts)->running)
		return false;
	for (size_t i = 0; i < FILES; i++) {
		free((*hosts)->files[i].path);
		known_hosts_index_free(&(*hosts)->files[i].index);
	}
	free(*hosts);
	*hosts = NULL;
	return true;
}

/* ---- Questions ---- */

static bool troubled(const struct known_hosts *hosts, size_t i)
{
	const struct file *file = &hosts->files[i];

	return (hosts->hangs && hosts->at <= i) || (file->trouble != 0 && file->trouble != ENOENT);
}

struct host_names known_hosts_names(const struct known_hosts *hosts,
	const struct session_bind *bind, const char *const *candidates)
{
	time_t now = time(NULL);
	struct host_names names = {.unread = hosts->round == 1 && hosts->running};

	for (size_t i = 0; i < FILES; i++) {
		names.unread |= troubled(hosts, i);
		/* Before 1970 no certificate is in date. */
		if (hosts->files[i].index != NULL)
			host_names_add(&names, hosts->files[i].index, bind, candidates,
				now >= 0 ? (uint64_t)now : UINT64_MAX);
	}
	return names;
}

static json_t *file_json(const struct known_hosts *hosts, size_t i)
{
	const struct file *file = &hosts->files[i];
	struct known_hosts_count count = {0};
	const char *trouble = "";
	json_t *path = json_string(file->path);

	if (file->index != NULL)
		count = known_hosts_index_count(file->index);
	if (hosts->hangs && hosts->at == i)
		trouble = "it does not answer";
	else if (file->trouble != 0)
		trouble = file->trouble == EINVAL ? "not a regular file" : strerror(file->trouble);
	if (path == NULL) /* it is not UTF-8 */
		path = json_string(strrchr(file->path, '/') + 1);
	return json_pack("{s:o,s:I,s:I,s:b,s:s}", "path", path, "keys", (json_int_t)count.entries,
		"malformed_lines", (json_int_t)count.malformed, "cut", count.cut, "trouble",
		trouble);
}

json_t *known_hosts_json(const struct known_hosts *hosts)
{
	json_t *list = json_array();

	for (size_t i = 0; i < FILES; i++)
		if (hosts->files[i].path != NULL &&
			(hosts->files[i].index != NULL || troubled(hosts, i)))
			json_array_append_new(list, file_json(hosts, i));
	return list;
}

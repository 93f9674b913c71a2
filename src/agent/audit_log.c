/*
 * See audit_log.h. The thread is not one of libuv's pool: those are waited for when the process
 * exits, and a file system that hangs would keep the agent from ending.
 */
#include "audit_log.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <uv.h>

#include <keystile/audit.h>
#include <keystile/log.h>
#include <keystile/text.h>

#include "audit_file.h"
#include "audit_journal.h"

#define QUEUED_MAX ((size_t)4 * 1024 * 1024) /* bytes */
#define CLOSE_MAX_NS 1000000000ULL
#define STACK ((size_t)256 * 1024)

struct entry {
	struct entry *next;
	enum config_audit where;
	uint64_t limit;
	uint64_t lost; /* lines before this one that were never queued */
	size_t len;
	char line[]; /* ends with a newline, then NUL */
};

struct audit_log {
	char *folder;
	uv_mutex_t mutex;
	uv_cond_t changed; /* either way: a line came, the thread has ended */
	uv_thread_t thread;
	/* What both threads touch, by the mutex. */
	struct entry *first;
	struct entry **end;
	size_t queued;
	uint64_t lost; /* since the last line that was queued */
	uint64_t lost_ever;
	bool ending;
	bool ended;
	bool running;
	/* The writing thread's. */
	uint64_t unsaid; /* lost lines that have not been told of */
	int trouble;	 /* why writing failed last, to be logged once */
};

void audit_log_time(const struct timespec *when, char out[static AUDIT_TIME_MAX])
{
	struct tm parts;
	char seconds[sizeof("2026-11-21T10:15:44")];

	if (gmtime_r(&when->tv_sec, &parts) == NULL ||
		strftime(seconds, sizeof(seconds), "%Y-%m-%dT%H:%M:%S", &parts) == 0)
		snprintf(seconds, sizeof(seconds), "1970-01-01T00:00:00");
	snprintf(out, AUDIT_TIME_MAX, "%s.%03uZ", seconds,
		(unsigned)(when->tv_nsec / 1000000) % 1000);
}

/* ---- The thread that writes ---- */

static int write_line(struct audit_file *file, const struct entry *entry, const char *line)
{
	size_t len = strlen(line);
	char bare[AUDIT_LINE_MAX];

	if (entry->where == CONFIG_AUDIT_FILE)
		return audit_file_append(file, line, len, entry->limit);
	snprintf(bare, sizeof(bare), "%.*s", (int)len - 1, line);
	return audit_journal_send(bare);
}

static int tell_of_lost(struct audit_log *log, struct audit_file *file, const struct entry *entry)
{
	char when[AUDIT_TIME_MAX];
	char line[160];
	struct timespec now;
	int trouble;

	clock_gettime(CLOCK_REALTIME, &now);
	audit_log_time(&now, when);
	snprintf(line, sizeof(line),
		"{\"time\":\"%s\",\"agent\":%d,\"event\":\"lost\",\"count\":%" PRIu64 "}\n", when,
		(int)getpid(), log->unsaid);
	trouble = write_line(file, entry, line);
	if (trouble == 0)
		log->unsaid = 0;
	return trouble;
}

/* Once for each new reason, not for each line. */
static void complain(struct audit_log *log, int trouble)
{
	if (trouble != 0 && trouble != log->trouble)
		log_warning("the audit log can't be written: %s", strerrordesc_np(trouble));
	else if (trouble == 0 && log->trouble != 0)
		log_info("the audit log can be written again");
	log->trouble = trouble;
}

static void write_entry(struct audit_log *log, struct audit_file *file, const struct entry *entry)
{
	int trouble = 0;

	log->unsaid += entry->lost;
	if (entry->where == CONFIG_AUDIT_FILE && file->fd < 0) {
		audit_file_close(file);
		trouble = log->folder == NULL ? ENOENT : audit_file_open(file, log->folder);
	}
	if (trouble == 0 && log->unsaid > 0)
		trouble = tell_of_lost(log, file, entry);
	if (trouble == 0)
		trouble = write_line(file, entry, entry->line);
	complain(log, trouble);
	if (trouble == 0)
		return;
	log->unsaid++;
	uv_mutex_lock(&log->mutex);
	log->lost_ever++;
	uv_mutex_unlock(&log->mutex);
}

static void write_all(struct audit_log *log, struct entry *entry)
{
	struct audit_file file = {.folder = -1, .fd = -1};

	while (entry != NULL) {
		struct entry *next = entry->next;

		write_entry(log, &file, entry);
		free(entry);
		entry = next;
	}
	audit_file_close(&file);
}

static struct entry *take_all(struct audit_log *log)
{
	struct entry *first = log->first;

	log->first = NULL;
	log->end = &log->first;
	log->queued = 0;
	return first;
}

static void run(void *argument)
{
	struct audit_log *log = argument;

	uv_mutex_lock(&log->mutex);
	while (log->first != NULL || !log->ending) {
		struct entry *batch = take_all(log);

		if (batch == NULL) {
			uv_cond_wait(&log->changed, &log->mutex);
			continue;
		}
		uv_mutex_unlock(&log->mutex);
		write_all(log, batch);
		uv_mutex_lock(&log->mutex);
	}
	log->ended = true;
	uv_cond_broadcast(&log->changed);
	uv_mutex_unlock(&log->mutex);
}

/* ---- The event loop's side ---- */

/* Signals are the main thread's; SIGXFSZ, for a file that got too long, is nobody's. */
static bool start(struct audit_log *log)
{
	const uv_thread_options_t options = {
		.flags = UV_THREAD_HAS_STACK_SIZE, .stack_size = STACK};
	sigset_t all;
	sigset_t before;

	if (log->running)
		return true;
	sigfillset(&all);
	if (pthread_sigmask(SIG_SETMASK, &all, &before) != 0)
		return false;
	log->running = uv_thread_create_ex(&log->thread, &options, run, log) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return log->running;
}

static struct entry *entry_new(const struct config *config, const char *line)
{
	size_t len = line == NULL ? 0 : strlen(line);
	struct entry *entry = NULL;

	if (len > 0 && len + 2 <= AUDIT_LINE_MAX)
		entry = malloc(sizeof(*entry) + len + 2);
	if (entry == NULL)
		return NULL;
	*entry =
		(struct entry){.where = config->audit, .limit = config->audit_size, .len = len + 1};
	memcpy(entry->line, line, len);
	memcpy(entry->line + len, "\n", 2);
	return entry;
}

static void enqueue(struct audit_log *log, struct entry *entry)
{
	entry->lost = log->lost;
	log->lost = 0;
	log->queued += entry->len;
	*log->end = entry;
	log->end = &entry->next;
	uv_cond_signal(&log->changed);
}

void audit_log_put(struct audit_log *log, const struct config *config, char *line)
{
	struct entry *entry = entry_new(config, line);
	bool ready = start(log);
	bool room;

	free(line);
	uv_mutex_lock(&log->mutex);
	room = ready && entry != NULL && log->queued + entry->len <= QUEUED_MAX;
	if (room)
		enqueue(log, entry);
	else
		log->lost++;
	log->lost_ever += !room;
	uv_mutex_unlock(&log->mutex);
	if (!room)
		free(entry);
}

void audit_log_leave_out(struct audit_log *log)
{
	uv_mutex_lock(&log->mutex);
	log->lost++;
	log->lost_ever++;
	uv_mutex_unlock(&log->mutex);
}

uint64_t audit_log_lost(struct audit_log *log)
{
	uint64_t lost;

	uv_mutex_lock(&log->mutex);
	lost = log->lost_ever;
	uv_mutex_unlock(&log->mutex);
	return lost;
}

struct audit_log *audit_log_new(void)
{
	struct audit_log *log = calloc(1, sizeof(*log));

	if (log == NULL)
		return NULL;
	log->folder = audit_folder();
	log->end = &log->first;
	if (uv_mutex_init(&log->mutex) != 0) {
		free(log->folder);
		free(log);
		return NULL;
	}
	if (uv_cond_init(&log->changed) == 0)
		return log;
	uv_mutex_destroy(&log->mutex);
	free(log->folder);
	free(log);
	return NULL;
}

/* True once the thread has written everything and touches nothing any more. */
static bool wait_for_end(struct audit_log *log)
{
	uint64_t now = uv_hrtime();
	uint64_t end = now + CLOSE_MAX_NS;
	bool ended;

	uv_mutex_lock(&log->mutex);
	log->ending = true;
	uv_cond_broadcast(&log->changed);
	for (; log->running && !log->ended && now < end; now = uv_hrtime())
		(void)uv_cond_timedwait(&log->changed, &log->mutex, end - now);
	ended = !log->running || log->ended;
	uv_mutex_unlock(&log->mutex);
	return ended;
}

void audit_log_close(struct audit_log *log)
{
	if (log == NULL)
		return;
	if (!wait_for_end(log)) {
		log_warning("the end of the audit log was not written in time");
		return;
	}
	if (log->running)
		uv_thread_join(&log->thread);
	uv_cond_destroy(&log->changed);
	uv_mutex_destroy(&log->mutex);
	free(log->folder);
	free(log);
}

/*
 * See audit.h. Of long files only the end is read.
 */
#include "audit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <keystile/audit.h>
#include <keystile/cleanup.h>
#include <keystile/text.h>

#include "audit_line.h"
#include "control.h"

#define FOLLOW_PAUSE_NS (200L * 1000 * 1000)

/* The last lines of what was read so far. */
struct tail {
	char **lines; /* a ring of count places; NULL: not filled yet */
	unsigned count;
	size_t seen;
};

static void tail_add(struct tail *tail, char *line)
{
	char **place = &tail->lines[tail->seen++ % tail->count];

	free(*place);
	*place = line;
}

static void tail_deinit(struct tail *tail)
{
	for (unsigned i = 0; i < tail->count; i++)
		free(tail->lines[i]);
	free(tail->lines);
}

static FILE *open_log(const char *path)
{
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "r");

	if (file == NULL && fd >= 0)
		close(fd);
	return file;
}

/* A line without its end. NULL: there is none yet that is whole; the place in the file stays. */
static char *next_line(FILE *file)
{
	off_t start = ftello(file);
	AUTO(text) line = NULL;
	size_t room = 0;
	ssize_t len = getline(&line, &room, file);

	if (len > 0 && line[len - 1] == '\n') {
		line[len - 1] = '\0';
		return TAKE_TEXT(line);
	}
	clearerr(file);
	if (start < 0 || fseeko(file, start, SEEK_SET) != 0)
		return NULL;
	return NULL;
}

/* No line is longer than AUDIT_LINE_MAX: what lies further back than all of them is left out. */
static void skip_beginning(FILE *file, unsigned count)
{
	off_t wanted = (off_t)count * AUDIT_LINE_MAX;
	struct stat facts;

	if (fstat(fileno(file), &facts) != 0 || facts.st_size <= wanted)
		return;
	if (fseeko(file, facts.st_size - wanted, SEEK_SET) == 0)
		free(next_line(file));
}

/* Those that are wanted may lie far back. */
static void read_tail(FILE *file, const struct audit_wish *wish, struct tail *tail)
{
	char *line;

	if (audit_filter_open(&wish->filter))
		skip_beginning(file, tail->count);
	while ((line = next_line(file)) != NULL) {
		if (audit_filter_wants(&wish->filter, line))
			tail_add(tail, line);
		else
			free(line);
	}
}

static void print_line(struct page *page, const struct audit_wish *wish, const char *line)
{
	AUTO(text) safe = wish->as_json ? page_escape(line, false) : NULL;

	if (!wish->as_json)
		audit_line_print(page, line);
	else if (safe != NULL)
		fprintf(page->out, "%s\n", safe);
}

static void print_tail(struct page *page, const struct audit_wish *wish, const struct tail *tail)
{
	size_t first = tail->seen > tail->count ? tail->seen - tail->count : 0;

	for (size_t i = first; i < tail->seen; i++)
		print_line(page, wish, tail->lines[i % tail->count]);
}

/* Another file has its name now, or it was cut. */
static bool replaced(FILE *file, const char *path)
{
	struct stat ours;
	struct stat named;

	if (file == NULL || fstat(fileno(file), &ours) != 0)
		return true;
	return (stat(path, &named) == 0 &&
		       (named.st_ino != ours.st_ino || named.st_dev != ours.st_dev)) ||
	       ours.st_size < ftello(file);
}

/* Ends when nobody reads what is printed. */
static void follow(struct page *page, const struct audit_wish *wish, const char *path, FILE *file)
{
	while (fflush(page->out) == 0 && !ferror(page->out)) {
		char *line = file == NULL ? NULL : next_line(file);

		if (line != NULL) {
			if (audit_filter_wants(&wish->filter, line))
				print_line(page, wish, line);
			free(line);
		} else if (replaced(file, path)) {
			FILE *fresh = open_log(path);

			if (fresh != NULL && file != NULL)
				fclose(file);
			file = fresh != NULL ? fresh : file;
			nanosleep(&(struct timespec){.tv_nsec = FOLLOW_PAUSE_NS}, NULL);
		} else {
			nanosleep(&(struct timespec){.tv_nsec = FOLLOW_PAUSE_NS}, NULL);
		}
	}
	if (file != NULL)
		fclose(file);
}

static enum ks_error print_files(
	struct page *page, const struct audit_wish *wish, const char *path, const char *old_path)
{
	struct tail tail = {.lines = calloc(wish->count, sizeof(char *)), .count = wish->count};
	FILE *old = open_log(old_path);
	FILE *file = open_log(path);
	int trouble = errno;

	if (tail.lines != NULL && old != NULL)
		read_tail(old, wish, &tail);
	if (tail.lines != NULL && file != NULL)
		read_tail(file, wish, &tail);
	if (tail.lines != NULL)
		print_tail(page, wish, &tail);
	if (old != NULL)
		fclose(old);
	if (tail.lines != NULL)
		tail_deinit(&tail);
	if (wish->follow) {
		follow(page, wish, path, file);
		return KS_OK;
	}
	if (file != NULL) {
		fclose(file);
		return KS_OK;
	}
	complain("%s: %s; audit = \"file\" in keystile.conf(5) makes the agent write it", path,
		strerror(trouble));
	return KS_NO_KEY;
}

enum ks_error audit_print(struct page *page, const struct audit_wish *wish)
{
	AUTO(text) folder = audit_folder();
	AUTO(text) path = folder == NULL ? NULL : text_format("%s/" AUDIT_FILE, folder);
	AUTO(text) old_path = folder == NULL ? NULL : text_format("%s/" AUDIT_FILE_OLD, folder);

	if (path != NULL && old_path != NULL)
		return print_files(page, wish, path, old_path);
	complain("out of memory, or nobody knows your home");
	return KS_NO_MEMORY;
}

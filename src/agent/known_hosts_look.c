/*
 * One look at one file: whether it has changed, and then all of it. All that may hang is here.
 */
#include "known_hosts_look.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <keystile/cleanup.h>

#define PIECE ((size_t)64 * 1024)
/* A file that was changed so shortly before it was read may be changed again unnoticed. */
#define FRESH_S 2

static bool same(const struct known_hosts_stamp *one, const struct known_hosts_stamp *other)
{
	return one->device == other->device && one->inode == other->inode &&
	       one->size == other->size && one->changed.tv_sec == other->changed.tv_sec &&
	       one->changed.tv_nsec == other->changed.tv_nsec &&
	       one->modified.tv_sec == other->modified.tv_sec &&
	       one->modified.tv_nsec == other->modified.tv_nsec;
}

static struct known_hosts_stamp stamp_of(const struct stat *status)
{
	return (struct known_hosts_stamp){.device = status->st_dev,
		.inode = status->st_ino,
		.size = status->st_size,
		.changed = status->st_ctim,
		.modified = status->st_mtim};
}

static int read_all(int fd, struct known_hosts_index *index)
{
	uint8_t *piece = malloc(PIECE);
	ssize_t got = 1;
	int trouble = piece == NULL ? ENOMEM : 0;

	while (trouble == 0 && got != 0) {
		got = read(fd, piece, PIECE);
		if (got < 0 && errno != EINTR)
			trouble = errno;
		if (got > 0 && !known_hosts_index_feed(index, BYTES(piece, (size_t)got)))
			break;
	}
	free(piece);
	if (known_hosts_index_end(index) != KS_OK && trouble == 0)
		trouble = ENOMEM;
	return trouble;
}

/* A fifo would be waited for, a device never ends. */
static int open_file(const char *path, struct stat *status, int *fd)
{
	*fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (*fd < 0 || fstat(*fd, status) != 0)
		return errno;
	if (S_ISDIR(status->st_mode))
		return EISDIR;
	return S_ISREG(status->st_mode) ? 0 : EINVAL;
}

void known_hosts_look(struct known_hosts_look *look)
{
	AUTO(fd) fd = -1;
	struct stat status;
	struct known_hosts_stamp stamp;
	struct timespec now;

	look->trouble = open_file(look->path, &status, &fd);
	if (look->trouble != 0)
		return;
	stamp = stamp_of(&status);
	look->unchanged = same(&stamp, &look->stamp);
	if (look->unchanged)
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	look->stamp =
		now.tv_sec - stamp.changed.tv_sec > FRESH_S ? stamp : (struct known_hosts_stamp){0};
	look->index = known_hosts_index_new();
	look->trouble = look->index == NULL ? ENOMEM : read_all(fd, look->index);
}

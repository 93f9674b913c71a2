/*
 * More than its share of what there is: descriptors, memory, disk. True: it got much more than any
 * module needs.
 */
#include "hostile.h"

#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define DESCRIPTORS 10000
#define MANY_DESCRIPTORS 1000
#ifdef KEYSTILE_SANITIZED /* nobody counts them there, and each takes long */
#define THREADS 10
#else
#define THREADS 1000
#endif
#define PIECE ((size_t)16 << 20)
#define PIECES 1024
#define MUCH_MEMORY ((size_t)1500 << 20)

static bool opens_descriptors(void)
{
	static int opened[DESCRIPTORS];
	int count = 0;

	while (count < DESCRIPTORS && (opened[count] = open("/dev/null", O_RDONLY)) >= 0)
		count++;
	for (int i = 0; i < count; i++)
		close(opened[i]);
	return count >= MANY_DESCRIPTORS;
}

static bool maps(int flags)
{
	static void *pieces[PIECES];
	size_t count = 0;

	while (count < PIECES) {
		pieces[count] = mmap(NULL, PIECE, PROT_READ | PROT_WRITE, flags, -1, 0);
		if (pieces[count] == MAP_FAILED)
			break;
		count++;
	}
	for (size_t i = 0; i < count; i++)
		munmap(pieces[i], PIECE);
	return count * PIECE >= MUCH_MEMORY;
}

static bool takes_memory(void)
{
	return maps(MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE);
}

static bool takes_shared_memory(void)
{
	return maps(MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE);
}

/* Pages of it are made by reading, and no limit on what is written counts them. */
static bool shares_zeros(void)
{
	int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);

	return fd >= 0 && mmap(NULL, PIECE, PROT_READ, MAP_SHARED, fd, 0) != MAP_FAILED;
}

/* Held until all of them are there. */
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

static void *pass_gate(void *argument)
{
	pthread_mutex_lock(&gate);
	pthread_mutex_unlock(&gate);
	return argument;
}

static bool starts_threads(void)
{
	static pthread_t threads[THREADS];
	pthread_attr_t attributes;
	int count = 0;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, (size_t)PTHREAD_STACK_MIN);
	pthread_mutex_lock(&gate);
	while (count < THREADS &&
		pthread_create(&threads[count], &attributes, pass_gate, NULL) == 0)
		count++;
	pthread_mutex_unlock(&gate);
	for (int i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
	return count == THREADS;
}

static bool locks_memory(void)
{
	void *piece = mmap(NULL, 4 * PIECE * 32, PROT_READ,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	bool locked;

	if (piece == MAP_FAILED)
		return false;
	locked = mlock(piece, 4 * PIECE * 32) == 0;
	munmap(piece, 4 * PIECE * 32);
	return locked;
}

/* Where it may write: the notes, behind their end, and never so much that it is there. */
static bool fills_disk(void)
{
	const char *notes = getenv("HOSTILE_NOTES");
	int fd = notes != NULL ? open(notes, O_WRONLY | O_CLOEXEC) : -1;
	bool written = fd >= 0 && pwrite(fd, "x", 1, (off_t)1 << 40) == 1;

	if (written && ftruncate(fd, 0) != 0)
		written = true;
	if (fd >= 0)
		close(fd);
	return written;
}

const struct attempt attempts_on_limits[] = {
	{"open 10,000 descriptors", opens_descriptors},
	{"take memory without end", takes_memory},
	{"take shared memory without end", takes_shared_memory},
	{"share memory of zeros", shares_zeros},
	{"start 1,000 threads", starts_threads},
	{"lock memory without end", locks_memory},
	{"fill the disk", fills_disk},
	{NULL, NULL},
};

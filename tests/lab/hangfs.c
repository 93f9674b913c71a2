/*
 * A file system on which nothing ever answers, as a network file system whose server is gone:
 * hangfs FOLDER mounts it and runs until it is ended; whoever looks into the folder waits until
 * then or is killed. It writes a line for each.
 */
#define FUSE_USE_VERSION 31
#include <errno.h>
#include <fuse.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void *start(struct fuse_conn_info *connection, struct fuse_config *config)
{
	(void)connection;
	config->intr = 1; /* pause() returns when who waits is killed */
	return NULL;
}

static int hang_getattr(const char *path, struct stat *status, struct fuse_file_info *info)
{
	static const char asked[] = "asked\n";

	(void)info;
	if (strcmp(path, "/") == 0) {
		memset(status, 0, sizeof(*status));
		status->st_mode = S_IFDIR | 0755;
		status->st_uid = getuid();
		status->st_nlink = 2;
		return 0;
	}
	if (write(STDOUT_FILENO, asked, sizeof(asked) - 1) < 0)
		return -EIO;
	pause();
	return -EINTR; /* who waited was killed */
}

/* libfuse sends SIGUSR1 to the thread whose asker was killed, but takes no note of it itself. */
static void interrupt(int number)
{
	(void)number;
}

/* Threads that wait for ever are not waited for. */
static void end(int number)
{
	(void)number;
	_exit(0);
}

int main(int argc, char **argv)
{
	static const struct fuse_operations operations = {.init = start, .getattr = hang_getattr};
	static char foreground[] = "-f";
	char *arguments[] = {argv[0], foreground, argv[1], NULL};

	if (argc != 2)
		return 2;
	signal(SIGTERM, end);
	signal(SIGUSR1, interrupt);
	return fuse_main(3, arguments, &operations, NULL);
}

/*
 * What a broken smartcard module would try: from within its worker it connects to the agent and
 * asks for the list of keys, itself, through a child and through an orphan. What came of it goes
 * into a file. It is no PKCS#11 module beyond that: all of it happens when it is loaded, or run as
 * a program.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define OTHERS_MAX_MS 20000

static const char *ask(const char *path)
{
	static const char list[] = {0, 0, 0, 1, 11};
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const char *outcome = "closed";
	char reply;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	if (fd < 0 || strlen(path) >= sizeof(address.sun_path))
		return "no socket";
	strcpy(address.sun_path, path);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
		outcome = "not connected";
	else if (send(fd, list, sizeof(list), MSG_NOSIGNAL) == sizeof(list) &&
		 read(fd, &reply, 1) == 1)
		outcome = "answered";
	close(fd);
	return outcome;
}

/* No memory is taken: the worker has threads, so in a child somebody may hold the lock of malloc().
 */
static void note_words(const char *who, const char *words, const char *notes)
{
	char line[64];
	int len = snprintf(line, sizeof(line), "%s: %s\n", who, words);
	int file = open(notes, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);

	if (file < 0 || write(file, line, (size_t)len) != len)
		_exit(1);
	close(file);
}

static void note(const char *who, const char *path, const char *notes)
{
	note_words(who, ask(path), notes);
}

/* Gets rid of the parents by whom the agent could know it. Its copy of the pipe goes with it. */
static void be_orphan(const char *path, const char *notes)
{
	pid_t parent = getpid();

	if (fork() != 0)
		return;
	setsid();
	for (int i = 0; i < 1000 && getppid() == parent; i++)
		usleep(10000);
	note("orphan", path, notes);
	_exit(0);
}

__attribute__((constructor)) static void call(void)
{
	const char *path = getenv("CALLER_SOCKET");
	const char *notes = getenv("CALLER_NOTES");
	struct pollfd others = {.events = POLLIN};
	int ends[2];
	pid_t child;

	if (path == NULL || notes == NULL || pipe(ends) != 0)
		return;
	note("module", path, notes);
	child = fork();
	if (child == 0) {
		close(ends[0]);
		note("child", path, notes);
		be_orphan(path, notes);
		_exit(0);
	}
	close(ends[1]);
	if (child > 0)
		waitpid(child, NULL, 0);
	else
		note_words("child", "not started", notes);
	/* A worker's end is that of all it started: not before they have tried. */
	others.fd = ends[0];
	poll(&others, 1, OTHERS_MAX_MS);
	close(ends[0]);
}

int main(void)
{
	return 0;
}

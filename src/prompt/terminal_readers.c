/*
 * Looks through /proc. What can't be looked at counts as a reader.
 */
#include "terminal_readers.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define ANCESTORS_MAX 64

/* Programs that wait for the agent's answer and read nothing meanwhile. An ssh that already has a
 * session counts as remote and gets no question in its terminal. */
static const char *const waiting[] = {"ssh", "ssh-add", "ssh-keygen"};

/* Programs that hand on what is typed to somewhere else. */
static const char *const relays[] = {"ssh", "dbclient", "plink", "mosh-client", "telnet", "rlogin",
	"docker", "podman", "nerdctl", "crictl", "kubectl", "oc", "lxc", "incus", "machinectl",
	"systemd-run", "nsenter", "conmon", "tsh", "et", "tmux", "tmux: client", "screen", "script",
	"expect", "sshpass", "socat", "nc", "ncat", "netcat", "minicom", "picocom", "virsh",
	"waypipe"};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static bool is_one_of(const char *name, const char *const *table, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(name, table[i]) == 0)
			return true;
	return false;
}

static void dir_cleanup(DIR **dir)
{
	if (*dir != NULL)
		closedir(*dir);
}

/* The number that a name is, -1 where it is none. */
static int number_of(const char *name)
{
	char *end;
	long number = strtol(name, &end, 10);

	return *name >= '0' && *name <= '9' && *end == '\0' && number <= INT32_MAX ? (int)number
										   : -1;
}

/* Which descriptors of a process are the terminal: any, or those that are meant to be read. */
enum meaning { ANY, FOR_READING };

/* -1 where that can't be seen. Standard output and error are the terminal in most programs. */
static int has_open(pid_t pid, dev_t terminal, enum meaning meaning)
{
	char path[64];
	const struct dirent *entry;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);

	__attribute__((cleanup(dir_cleanup))) DIR *folder = opendir(path);

	if (folder == NULL)
		return errno == ENOENT || errno == ESRCH ? 0 : -1;
	while ((entry = readdir(folder)) != NULL) {
		int fd = number_of(entry->d_name);
		struct stat facts;

		if (fd < 0 || (meaning == FOR_READING && (fd == 1 || fd == 2)))
			continue;
		if (fstatat(dirfd(folder), entry->d_name, &facts, 0) == 0 &&
			S_ISCHR(facts.st_mode) && facts.st_rdev == terminal)
			return 1;
	}
	return 0;
}

static bool is_ancestor(pid_t pid, const struct process *holder)
{
	struct process at = *holder;

	for (unsigned steps = 0; steps < ANCESTORS_MAX && at.parent > 1; steps++) {
		if (at.parent == pid)
			return true;
		if (!process_read(at.parent, &at))
			return false;
	}
	return false;
}

/* git, scp or a shell wait for their ssh, and an ssh for the one that it jumps through. */
static bool ancestor_reads(const char *name, const struct process *holder)
{
	char asker[PROCESS_NAME_MAX];

	process_program(holder->pid, asker);
	if (strcmp(name, "ssh") == 0)
		return strcmp(asker, "ssh") != 0;
	return is_one_of(name, relays, COUNT(relays));
}

static bool may_read(const struct process *other, const struct process *holder, const char *name)
{
	if (other->group == holder->group && other->session == holder->session) {
		if (is_ancestor(other->pid, holder))
			return ancestor_reads(name, holder);
		return has_open(other->pid, holder->terminal, FOR_READING) != 0;
	}
	/* In the background of this very terminal the kernel would stop it. */
	if (other->session == holder->session || !is_one_of(name, relays, COUNT(relays)))
		return false;
	return has_open(other->pid, holder->terminal, ANY) == 1;
}

bool terminal_holder_waits(const struct process *holder)
{
	char name[PROCESS_NAME_MAX];

	process_program(holder->pid, name);
	return is_one_of(name, waiting, COUNT(waiting)) ||
	       has_open(holder->pid, holder->terminal, FOR_READING) == 0;
}

bool terminal_has_reader(const struct process *holder, char name[static PROCESS_NAME_MAX])
{
	__attribute__((cleanup(dir_cleanup))) DIR *folder = opendir("/proc");
	const struct dirent *entry;

	name[0] = '\0';
	if (folder == NULL)
		return true;
	while ((entry = readdir(folder)) != NULL) {
		struct process other;
		int pid = number_of(entry->d_name);

		if (pid <= 0 || pid == holder->pid || !process_read(pid, &other) ||
			other.state == 'Z')
			continue;
		process_program(pid, name);
		if (may_read(&other, holder, name))
			return true;
	}
	return false;
}

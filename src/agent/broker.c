/*
 * One notification after the other: received, judged, answered. Nothing here is shared with the
 * event loop but the table of denials.
 */
#include "broker.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <linux/seccomp.h>
#include <seccomp.h>

#include <keystile/cleanup.h>
#include <keystile/log.h>

#include "broker_address.h"
#include "command_channel.h"
#include "denials.h"
#include "peer.h"

#define STACK ((size_t)256 * 1024)
#define CONNECT_SECONDS 5
/*
 * What one worker may cost us in a second; then it waits for each answer. tss2 connects to a TPM in
 * software for each command. Who goes on and on after a refusal is not well-meaning.
 */
#define COST_PER_SECOND 10000
#define COST_OF_CONNECTION 1
#define COST_OF_REFUSAL 20
#define THROTTLED_MS 20
#define SYSCALL_TEXT_MAX 64
/* More than any module has; the kernel counts them for the user alone, and not at all for root. */
#define THREADS_MAX 256

struct grant {
	struct broker_address address;
	int command; /* that the address stands for; -1: a socket */
};

struct broker {
	struct denials *denials;
	char *backend;
	char *provider;
	pid_t pid;
	int notifications;
	int memory;
	int commands; /* where they are asked for, -1: nowhere */
	struct grant granted[BROKER_GRANTS_MAX];
	size_t count;
	bool tcp; /* all of it */
	time_t second;
	unsigned cost; /* in that second */
};

/* The kernel writes and reads as much as it knows of, which may be more than our headers do. */
union notification {
	struct seccomp_notif is;
	char room[1024];
};

union answer {
	struct seccomp_notif_resp is;
	char room[1024];
};

/* ---- What is asked for ---- */

/* False: it has gone meanwhile, and what was read may be of another process's. */
static bool still_waits(const struct broker *broker, uint64_t id)
{
	return ioctl(broker->notifications, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0;
}

/* 0, or an error of connect(2). */
static int read_address(const struct broker *broker, const struct seccomp_data *call,
	uint8_t bytes[static sizeof(struct sockaddr_storage)], size_t *len)
{
	int claimed = (int)call->args[2];

	if (claimed < 0 || (size_t)claimed > sizeof(struct sockaddr_storage))
		return EINVAL;
	if (broker->memory < 0)
		return EACCES;
	*len = (size_t)claimed;
	return pread(broker->memory, bytes, *len, (off_t)call->args[1]) == (ssize_t)*len ? 0
											 : EFAULT;
}

/* What it stands for is in *command, as in struct grant. */
static bool is_granted(
	const struct broker *broker, const struct broker_address *address, int *command)
{
	*command = -1;
	for (size_t i = 0; i < broker->count; i++) {
		if (!broker_address_same(&broker->granted[i].address, address))
			continue;
		*command = broker->granted[i].command;
		return true;
	}
	return broker->tcp && broker_address_is_tcp(address);
}

static void note_denial(const struct broker *broker, enum denial_kind kind, const char *what)
{
	denials_add(broker->denials, broker->backend, broker->provider, kind, what);
}

/* 0 and the address, and what it stands for, or an error. */
static int judge(const struct broker *broker, const struct seccomp_notif *notification,
	struct broker_address *address, int *command)
{
	uint8_t bytes[sizeof(struct sockaddr_storage)];
	char text[BROKER_ADDRESS_TEXT_MAX] = "an address of another kind";
	size_t len = 0;
	int error = read_address(broker, &notification->data, bytes, &len);

	if (error != 0)
		return error;
	if (!still_waits(broker, notification->id))
		return ENOENT;
	bool known = broker_address_read(BYTES(bytes, len), address);
	if (known && is_granted(broker, address, command))
		return 0;
	if (known)
		broker_address_text(address, text);
	note_denial(broker, DENIAL_CONNECT, text);
	return EACCES;
}

/* ---- Connecting ---- */

/* A descriptor, or a negative error. It takes no more than CONNECT_SECONDS. */
static int connected(const struct broker_address *address)
{
	const struct timeval most = {.tv_sec = CONNECT_SECONDS};
	const struct timeval forever = {0};
	AUTO(fd) fd = socket(address->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &most, sizeof(most)) != 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)&address->address, address->len) != 0)
		return errno == EINPROGRESS ? -ETIMEDOUT : -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &forever, sizeof(forever)) != 0)
		return -errno;
	return TAKE_FD(fd);
}

/* Over the worker's own socket, whose number it gave. 0 or an error. */
static int put_into_worker(
	const struct broker *broker, const struct seccomp_notif *for_call, int fd)
{
	struct seccomp_notif_addfd add = {.id = for_call->id,
		.flags = SECCOMP_ADDFD_FLAG_SETFD,
		.srcfd = (uint32_t)fd,
		.newfd = (uint32_t)for_call->data.args[0],
		.newfd_flags = O_CLOEXEC};

	return ioctl(broker->notifications, SECCOMP_IOCTL_NOTIF_ADDFD, &add) < 0 ? errno : 0;
}

static int make_connection(const struct broker *broker, const struct seccomp_notif *notification)
{
	struct broker_address address;
	int command = -1;
	int error = judge(broker, notification, &address, &command);

	if (error != 0)
		return error;
	AUTO(fd) fd = command >= 0 ? command_channel_ask(broker->commands, (unsigned)command)
				   : connected(&address);
	if (fd < 0)
		return -fd;
	return put_into_worker(broker, notification, fd);
}

/* ---- New threads ---- */

/* 0 where that can't be seen: the folder of its threads has a link for each of them. */
static unsigned long thread_count(const struct broker *broker)
{
	char path[64];
	struct stat facts;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)broker->pid);
	return stat(path, &facts) == 0 && facts.st_nlink > 2 ? facts.st_nlink - 2 : 0;
}

/*
 * That it is a thread, and no process, stands in a register, which nobody can change meanwhile: so
 * the kernel may go on with the call itself.
 */
static bool is_new_thread(const struct seccomp_data *call)
{
	return call->nr == SYS_clone && (call->args[0] & CLONE_THREAD) != 0;
}

static int judge_thread(const struct broker *broker)
{
	if (thread_count(broker) < THREADS_MAX)
		return 0;
	note_denial(broker, DENIAL_CALL, "clone (too many threads)");
	return EAGAIN;
}

/* ---- Everything else is refused ---- */

/* An error. What is a newer way to do the same seems not to be there, so that the older is taken.
 */
static int refuse_call(const struct broker *broker, const struct seccomp_data *call)
{
	char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, call->nr);
	char text[SYSCALL_TEXT_MAX];

	if (name == NULL)
		snprintf(text, sizeof(text), "%d", call->nr);
	else if (call->nr == SYS_socket)
		snprintf(text, sizeof(text), "%s (family %d, type %d)", name, (int)call->args[0],
			(int)call->args[1] & 0xf);
	else
		snprintf(text, sizeof(text), "%s", name);
	free(name);
	note_denial(broker, DENIAL_CALL, text);
	return call->nr == SYS_openat2 ? ENOSYS : EPERM;
}

/* ---- The thread ---- */

static void throttle(struct broker *broker, unsigned cost)
{
	const struct timespec pause = {.tv_nsec = THROTTLED_MS * 1000000L};
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	if (now.tv_sec != broker->second) {
		broker->second = now.tv_sec;
		broker->cost = 0;
	}
	broker->cost += cost;
	if (broker->cost > COST_PER_SECOND)
		nanosleep(&pause, NULL);
}

/* False when nobody is left who could ask. */
static bool await_notification(const struct broker *broker)
{
	struct pollfd asked = {.fd = broker->notifications, .events = POLLIN};
	int count;

	do {
		count = poll(&asked, 1, -1);
	} while (count < 0 && errno == EINTR);
	return count > 0 && (asked.revents & POLLIN) != 0;
}

/* False: nothing more comes. One that was withdrawn in between is no end. */
static bool serve(struct broker *broker)
{
	union notification notification = {0};
	union answer answer = {0};
	int error = EPERM;
	bool thread;

	if (!await_notification(broker))
		return false;
	if (ioctl(broker->notifications, SECCOMP_IOCTL_NOTIF_RECV, &notification) != 0)
		return errno == ENOENT || errno == EINTR;
	thread = is_new_thread(&notification.is.data);
	if (notification.is.data.nr == SYS_connect)
		error = make_connection(broker, &notification.is);
	else if (thread)
		error = judge_thread(broker);
	else
		error = refuse_call(broker, &notification.is.data);
	throttle(broker, error == 0 ? COST_OF_CONNECTION : COST_OF_REFUSAL);
	answer.is.id = notification.is.id;
	answer.is.error = -error;
	if (thread && error == 0)
		answer.is.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
	/* Who does not wait for it any more needs none. */
	(void)ioctl(broker->notifications, SECCOMP_IOCTL_NOTIF_SEND, &answer);
	return true;
}

static void *run(void *argument)
{
	struct broker *broker = argument;

	pthread_setname_np(pthread_self(), "ks-broker");
	while (serve(broker))
		;
	broker_free(broker);
	return NULL;
}

/* ---- The event loop's side ---- */

struct broker *broker_new(struct denials *denials, const char *backend, const char *provider)
{
	struct broker *broker = calloc(1, sizeof(*broker));

	if (broker == NULL)
		return NULL;
	broker->denials = denials_reference(denials);
	broker->notifications = broker->memory = broker->commands = -1;
	broker->backend = strdup(backend);
	broker->provider = strdup(provider);
	if (broker->backend != NULL && broker->provider != NULL)
		return broker;
	broker_free(broker);
	return NULL;
}

struct broker *broker_copy(const struct broker *broker)
{
	struct broker *copy =
		broker == NULL ? NULL
			       : broker_new(broker->denials, broker->backend, broker->provider);

	if (copy == NULL)
		return NULL;
	memcpy(copy->granted, broker->granted, sizeof(copy->granted));
	copy->count = broker->count;
	copy->tcp = broker->tcp;
	return copy;
}

void broker_free(struct broker *broker)
{
	if (broker == NULL)
		return;
	if (broker->notifications >= 0)
		close(broker->notifications);
	if (broker->memory >= 0)
		close(broker->memory);
	if (broker->commands >= 0)
		close(broker->commands);
	denials_release(broker->denials);
	free(broker->backend);
	free(broker->provider);
	free(broker);
}

static bool grant(struct broker *broker, const char *text, int command)
{
	struct grant *granted = &broker->granted[broker->count];

	if (broker->count == BROKER_GRANTS_MAX)
		return false;
	granted->command = command;
	if (broker_address_parse(text, &granted->address))
		broker->count++;
	return true;
}

bool broker_grant(struct broker *broker, const char *text)
{
	return grant(broker, text, -1);
}

bool broker_grant_command(struct broker *broker, const char *text, unsigned number)
{
	return grant(broker, text, (int)number);
}

void broker_set_commands(struct broker *broker, int channel)
{
	broker->commands = channel;
}

void broker_grant_tcp(struct broker *broker)
{
	broker->tcp = true;
}

/* What the kernel calls the file of a descriptor. Another kind of file could block us. */
static bool is_file(int fd, const char *name)
{
	char path[64];
	char found[64];
	ssize_t len;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	len = readlink(path, found, sizeof(found));
	return len == (ssize_t)strlen(name) && memcmp(found, name, (size_t)len) == 0;
}

/* Whose memory it is; 0: it is none. */
static pid_t memory_owner(int fd)
{
	static const char folder[] = "/proc/";
	char path[64];
	char found[64] = "";
	long pid;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (readlink(path, found, sizeof(found) - 1) < 0 ||
		strncmp(found, folder, strlen(folder)) != 0)
		return 0;
	pid = strtol(found + strlen(folder), NULL, 10);
	snprintf(path, sizeof(path), "/proc/%ld/mem", pid);
	return pid > 0 && is_file(fd, path) ? (pid_t)pid : 0;
}

/* Without a memory a child is not known, and its threads are not counted. */
static bool descriptors_fit(struct broker *broker, const struct broker_watched *watched)
{
	pid_t owner = broker->memory < 0 ? 0 : memory_owner(broker->memory);

	broker->pid = watched->child ? owner : watched->pid;
	if (!is_file(broker->notifications, "anon_inode:seccomp notify"))
		return false;
	if (broker->memory < 0)
		return true;
	return watched->child ? owner > 0 && peer_parent(owner) == watched->pid
			      : owner == watched->pid;
}

static bool start_thread(struct broker *broker)
{
	pthread_attr_t attributes;
	pthread_t thread;
	sigset_t all;
	sigset_t before;
	int error;

	sigfillset(&all);
	if (pthread_attr_init(&attributes) != 0)
		return false;
	error = pthread_attr_setstacksize(&attributes, STACK);
	if (error == 0)
		error = pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	if (error == 0)
		error = pthread_sigmask(SIG_SETMASK, &all, &before);
	if (error == 0) {
		error = pthread_create(&thread, &attributes, run, broker);
		pthread_sigmask(SIG_SETMASK, &before, NULL);
	}
	pthread_attr_destroy(&attributes);
	return error == 0;
}

enum ks_error broker_start(struct broker *broker, const struct broker_watched *watched)
{
	enum ks_error error = KS_OK;

	broker->notifications = watched->notifications_fd;
	broker->memory = watched->memory_fd;
	if (descriptors_fit(broker, watched)) {
		error = start_thread(broker) ? KS_OK : KS_NO_MEMORY;
		if (error == KS_OK)
			return KS_OK;
	} else if (!watched->child) { /* which may have ended, and is not known then */
		error = KS_BAD_INPUT;
	}
	broker_free(broker);
	return error;
}

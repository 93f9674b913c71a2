/*
 * Connects in a worker's place. A worker's filter of system calls (seccomp_unotify(2)) lets its
 * thread wait in connect(), and in each call that is refused, until it is answered here. The
 * address is copied once from the worker's memory and compared with what is granted; the socket is
 * made and connected by the agent, and put in the place of the worker's own. What is refused is
 * remembered.
 *
 * Each has a thread of its own, as reading the memory of a process and connecting may both take
 * time; it ends with the last of the worker's threads, and needs nobody to stop it.
 */
#ifndef AGENT_BROKER_H
#define AGENT_BROKER_H

#include <stdbool.h>
#include <sys/types.h>

#include <keystile/error.h>

struct broker;
struct denials;

#define BROKER_GRANTS_MAX 64
#define BROKER_GRANTS_CONFIGURED_MAX 32

/* For the worker of that provider; both texts are copied. NULL: no memory. */
struct broker *broker_new(struct denials *denials, const char *backend, const char *provider);
/* As keystile.conf(5) writes it; what is no address grants nothing. False: no memory. */
bool broker_grant(struct broker *broker, const char *text);
/* Every address of TCP. */
void broker_grant_tcp(struct broker *broker);
/* An address that stands for the command of that number, which is asked for by the channel. */
bool broker_grant_command(struct broker *broker, const char *text, unsigned number);
/* Takes the channel, see command_channel.h. */
void broker_set_commands(struct broker *broker, int channel);
void broker_free(struct broker *broker); /* one that was not started; NULL is fine */

/* One with the same grants, not started. NULL: no memory. */
struct broker *broker_copy(const struct broker *broker);

/* Whom it is to answer. */
struct broker_watched {
	pid_t pid;
	bool child; /* a child of that process, whose number its memory tells */
	int notifications_fd;
	int memory_fd; /* -1: nothing can be connected */
};

/*
 * From here on it is on its own. Takes it and the descriptors in any case. KS_BAD_INPUT: these are
 * not what they should be, of that process.
 */
KS_MUST_CHECK enum ks_error broker_start(
	struct broker *broker, const struct broker_watched *watched);

#endif

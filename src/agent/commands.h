/*
 * Commands that a worker may talk to (grant-command in keystile.conf(5)). A module connects to an
 * address that stands for one, such as p11-kit's client does; its broker then asks here, and the
 * event loop starts the command as the person would, with one end of a pair of sockets as standard
 * input and output. The other end goes to the module, and nothing else: neither which command nor
 * with what words is its choice, and how often it is started is bounded.
 */
#ifndef AGENT_COMMANDS_H
#define AGENT_COMMANDS_H

#include <jansson.h>

#define COMMANDS_AT_ONCE 4 /* of one worker */
#define COMMANDS_PER_MINUTE 8

struct agent;
struct commands;

/*
 * A command ended that was not told to, otherwise than with status 0: whoever had its stream can do
 * no more with that. why, which names it, is borrowed. The worker may be ended from within.
 */
typedef void commands_lost(void *owner, const char *why);

/*
 * For one worker of that backend, whose name stays the caller's; the list, ended by NULL, is
 * copied. NULL: no memory.
 */
struct commands *commands_new(struct agent *agent, const char *backend, char *const *configured,
	commands_lost *lost, void *owner);
/* Where its broker asks; it is taken by this call, which is made once. */
int commands_channel(struct commands *commands);
/* Ends all that was started, and what that has started. NULL is fine. */
void commands_end(struct commands *commands);
/* For `keystile status`. NULL is fine: none are granted. */
json_t *commands_json(const struct commands *commands);

#endif

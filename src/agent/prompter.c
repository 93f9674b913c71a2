/*
 * The list of prompters. What they are told is dropped where they don't read.
 */
#include "prompter.h"

#include <stdlib.h>
#include <unistd.h>

#include <keystile/cleanup.h>
#include <keystile/log.h>
#include <keystile/process.h>

#include "agent.h"
#include "control_server.h"
#include "prompt_where.h"
#include "status.h"

static json_t *refusal(const char *words)
{
	return json_pack("{s:b,s:s}", "ok", 0, "error", words);
}

static void make_room(struct agent *agent)
{
	const struct prompter *oldest = agent->prompters;
	unsigned count = 0;

	for (const struct prompter *at = agent->prompters; at != NULL; at = at->next) {
		oldest = at;
		count++;
	}
	if (count >= PROMPTERS_MAX)
		prompter_drop(agent, oldest->id, "there are too many prompters");
}

/* False where it can't be told who that is. */
static bool identify(struct prompter *prompter)
{
	struct process process;

	prompter->pid = control_pid(prompter->control);
	if (!process_read(prompter->pid, &process) || process.terminal == 0)
		return false;
	prompter->start_time = process.start_time;
	return true;
}

/* Where questions go although it waits. */
static const char *elsewhere(const struct agent *agent)
{
	struct prompt_way_choice choice = prompt_where(agent, PROMPT_PIN, NULL);

	if (choice.obstacle == NULL && choice.way != PROMPT_BY_PROMPTER)
		return prompt_way_name(choice.way);
	return "";
}

json_t *prompter_register(struct agent *agent, struct control *control, int fd)
{
	AUTO(fd) terminal = fd;
	struct prompter *prompter;

	if (terminal < 0)
		return refusal("no terminal was handed over");
	prompter_forget(agent, control);
	make_room(agent);
	prompter = calloc(1, sizeof(*prompter));
	if (prompter == NULL)
		return NULL;
	prompter->control = control;
	prompter->fd = -1;
	prompter->id = ++agent->prompters_seen;
	if (!identify(prompter)) {
		free(prompter);
		return refusal("the agent can't see you, or you have no terminal of your own");
	}
	prompter->fd = TAKE_FD(terminal);
	prompter->next = agent->prompters;
	agent->prompters = prompter;
	log_info("a prompter waits for questions (pid %d)", (int)prompter->pid);
	return json_pack(
		"{s:b,s:i,s:s}", "ok", 1, "pid", (int)getpid(), "elsewhere", elsewhere(agent));
}

void prompter_forget(struct agent *agent, const struct control *control)
{
	struct prompter **at = &agent->prompters;
	struct prompter *gone;

	while (*at != NULL && (*at)->control != control)
		at = &(*at)->next;
	if (*at == NULL)
		return;
	gone = *at;
	*at = gone->next;
	close(gone->fd);
	free(gone);
}

bool prompter_is(const struct agent *agent, const struct control *control)
{
	const struct prompter *prompter = agent->prompters;

	while (prompter != NULL && prompter->control != control)
		prompter = prompter->next;
	return prompter != NULL;
}

const struct prompter *prompter_ready(const struct agent *agent)
{
	const struct prompter *prompter = agent->prompters;
	struct process process;

	while (prompter != NULL && (!process_read(prompter->pid, &process) ||
					   process.start_time != prompter->start_time ||
					   !process_in_foreground(&process)))
		prompter = prompter->next;
	return prompter;
}

static struct prompter *find(const struct agent *agent, uint64_t id)
{
	struct prompter *prompter = agent->prompters;

	while (prompter != NULL && prompter->id != id)
		prompter = prompter->next;
	return prompter;
}

void prompter_tell(struct agent *agent, uint64_t id, const char *event, const char *text)
{
	const struct prompter *prompter = find(agent, id);

	if (prompter != NULL)
		control_tell(prompter->control,
			json_pack("{s:s,s:o}", "event", event, "text", foreign_text(text)));
}

void prompter_drop(struct agent *agent, uint64_t id, const char *why)
{
	const struct prompter *prompter = find(agent, id);

	if (prompter == NULL)
		return;
	log_info("the prompter (pid %d) is asked no more: %s", (int)prompter->pid, why);
	control_drop(prompter->control, json_pack("{s:s,s:s}", "event", "dropped", "text", why));
}

/*
 * See children.h. libuv reaps only its own processes, by their pids; strangers are reaped here, and
 * libuv's own are left to it.
 */
#include "children.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent.h"
#include "peer.h"

#define ANCESTORS_MAX 64
#define WALKS_MAX 8
#define AGAIN_MS 100

static bool is_ours(const struct children *children, pid_t pid)
{
	for (unsigned i = 0; i < children->count; i++)
		if (children->pids[i] == pid)
			return true;
	return false;
}

static void on_again(uv_timer_t *timer);

static void reap_strangers(struct agent *agent)
{
	struct children *children = &agent->children;
	siginfo_t ended = {0};

	while (waitid(P_ALL, 0, &ended, WEXITED | WNOHANG | WNOWAIT) == 0 && ended.si_pid != 0) {
		if (is_ours(children, ended.si_pid)) {
			uv_timer_start(&children->again, on_again, AGAIN_MS, 0);
			return;
		}
		waitpid(ended.si_pid, NULL, WNOHANG);
		ended.si_pid = 0;
	}
}

static void on_again(uv_timer_t *timer)
{
	reap_strangers(timer->data);
}

static void on_child(uv_signal_t *handle, int number)
{
	(void)number;
	reap_strangers(handle->data);
}

void children_init(struct agent *agent)
{
	struct children *children = &agent->children;

	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	uv_timer_init(&agent->loop, &children->again);
	uv_signal_init(&agent->loop, &children->ended);
	children->again.data = agent;
	children->ended.data = agent;
	uv_signal_start(&children->ended, on_child, SIGCHLD);
}

void children_deinit(struct agent *agent)
{
	uv_close((uv_handle_t *)&agent->children.ended, NULL);
	uv_close((uv_handle_t *)&agent->children.again, NULL);
}

enum ks_error children_room(const struct children *children)
{
	return children->count < CHILDREN_MAX ? KS_OK : KS_BUSY;
}

void children_started(struct children *children, pid_t pid)
{
	children->pids[children->count++] = pid;
}

void children_ended(struct children *children, pid_t pid)
{
	for (unsigned i = 0; i < children->count; i++) {
		if (children->pids[i] != pid)
			continue;
		children->pids[i] = children->pids[--children->count];
		return;
	}
}

/* What one walk up found out. */
enum ancestry { ANCESTRY_STRANGER, ANCESTRY_OURS, ANCESTRY_CHANGED };

static enum ancestry walk_up(pid_t pid)
{
	pid_t self = getpid();

	for (int i = 0; i < ANCESTORS_MAX; i++) {
		if (pid == self)
			return ANCESTRY_OURS;
		if (pid == 1 || pid == 0)
			return ANCESTRY_STRANGER;
		if (pid < 0)
			return ANCESTRY_CHANGED;
		pid = peer_parent(pid);
	}
	/* Nobody nests processes as deep as that but to hide where they come from. */
	return ANCESTRY_OURS;
}

/*
 * A parent that ends on the way has handed its children on: then the walk begins again. Orphans go
 * to ancestors of their parent, so who is a stranger stays one.
 */
bool children_descends(struct children *children, pid_t pid, uint64_t start_time)
{
	enum ancestry found = ANCESTRY_CHANGED;

	if (start_time != 0 && pid == children->stranger &&
		start_time == children->stranger_start_time)
		return false;
	for (int i = 0; found == ANCESTRY_CHANGED && i < WALKS_MAX; i++)
		found = walk_up(pid);
	if (found != ANCESTRY_STRANGER)
		return true;
	children->stranger = pid;
	children->stranger_start_time = start_time;
	return false;
}

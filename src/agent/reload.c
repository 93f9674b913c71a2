/*
 * One run at a time; who asks during a run gets another one after it. See reload.h.
 */
#include "reload.h"

#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include <keystile/log.h>

#include "agent.h"
#include "attestation.h"
#include "configured.h"

struct reload {
	uv_work_t work;
	struct agent *agent;
	reload_done *done;
	uint64_t run; /* the one in work, or the last */
	bool running;
	bool again;
	char *refusal; /* of the last run */
	/* The thread's while it runs. */
	struct config_files files;
	struct config fresh;
	enum ks_error error;
	char *words;
};

static void begin(struct reload *reload);

static void read_files(uv_work_t *work)
{
	struct reload *reload = work->data;

	reload->error = config_load_files(&reload->files, &reload->fresh, &reload->words);
}

/* All at once; what was said on the command line stays said. */
static void take(struct agent *agent, struct config *fresh)
{
	struct config before = agent->config;

	agent->config = *fresh;
	*fresh = (struct config){0};
	agent->configured++;
	agent_add_settings(agent);
	approvals_forget(&agent->approvals);
	unlock_waits_configured(agent);
	configured_follow(agent);
	attestation_again(agent);
	config_deinit(&before);
}

static char *refusal_of(struct reload *reload)
{
	char *words = reload->words;

	reload->words = NULL;
	if (reload->error != KS_OK && words == NULL)
		words = strdup(ks_error_text(reload->error));
	return words;
}

static void on_read(uv_work_t *work, int status)
{
	struct reload *reload = work->data;
	struct agent *agent = reload->agent;
	static const char no_words[] = "out of memory";

	reload->running = false;
	free(reload->refusal);
	reload->refusal = refusal_of(reload);
	if (agent->stopping || status != 0) {
		config_deinit(&reload->fresh);
		return;
	}
	if (reload->error == KS_OK) {
		take(agent, &reload->fresh);
		log_info("the configuration was read anew");
	} else {
		if (reload->refusal == NULL)
			log_error("%s", no_words);
		else
			log_error("the configuration stays as it was: %s", reload->refusal);
	}
	reload->done(agent, reload->run,
		reload->error == KS_OK || reload->refusal != NULL ? reload->refusal : no_words);
	if (reload->again)
		begin(reload);
}

static void begin(struct reload *reload)
{
	reload->run++;
	reload->running = true;
	reload->again = false;
	/* Fails only without functions. */
	(void)uv_queue_work(&reload->agent->loop, &reload->work, read_files, on_read);
}

struct reload *reload_new(struct agent *agent, reload_done *done)
{
	struct reload *reload = calloc(1, sizeof(*reload));

	if (reload == NULL)
		return NULL;
	*reload = (struct reload){
		.agent = agent, .done = done, .files = agent->settings.config_files};
	reload->work.data = reload;
	return reload;
}

uint64_t reload_ask(struct reload *reload)
{
	if (!reload->running)
		begin(reload);
	else
		reload->again = true;
	return reload->again ? reload->run + 1 : reload->run;
}

const char *reload_refusal(const struct reload *reload)
{
	return reload->refusal;
}

bool reload_free(struct reload **reload)
{
	if (*reload == NULL)
		return true;
	if ((*reload)->running)
		return false;
	config_deinit(&(*reload)->fresh);
	free((*reload)->refusal);
	free((*reload)->words);
	free(*reload);
	*reload = NULL;
	return true;
}

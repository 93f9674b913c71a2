/*
 * Sets the agent up around its event loop and takes it down again.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <keystile/cleanup.h>
#include <keystile/control.h>
#include <keystile/log.h>
#include <keystile/text.h>

#include "agent_run.h"
#include "certificates.h"
#include "config_listener.h"
#include "configured.h"
#include "connection.h"
#include "control_server.h"
#include "denials.h"
#include "known_hosts.h"
#include "listener.h"
#include "lock.h"
#include "prompt_where.h"
#include "provider.h"
#include "reload.h"
#include "user_manager.h"

/*
 * Descriptors kept for what is not a client: of each provider its socket, its output, its memory
 * and what it asks for, then prompts, files and all else. Where there are few, half are kept.
 */
#define DESCRIPTORS_KEPT (4 * PROVIDERS_MAX + 96)
#define STOP_MAX_MS 3000
#define EXIT_SIGNALLED 2
#define OWN_SOCKET_MODE 0600

/* Beside the sockets, what exists only while the process runs. */
struct life {
	struct agent agent;
	char *folder; /* of control.sock and remote.sock */
	uv_timer_t stop_limit;
	struct socket_place *place;
	bool daemon;
	bool activated;
};

const char *agent_allowed_providers(const struct agent *agent)
{
	const char *patterns = agent->settings.allowed_providers;

	return patterns != NULL ? patterns : agent->config.allowed_providers;
}

bool agent_provider_allowed(const struct agent *agent, const char *canonical)
{
	return text_match_list(canonical, agent_allowed_providers(agent)) == 1;
}

void agent_add_settings(struct agent *agent)
{
	const struct settings *settings = &agent->settings;

	agent->config.allow_remote_without_presence |= settings->allow_remote_without_presence;
	agent->config.allow_rsa_sha1 |= settings->allow_rsa_sha1;
	agent->config.allow_ssh_dss |= settings->allow_ssh_dss;
}

static void drop_all_keys(struct agent *agent)
{
	while (agent->providers != NULL)
		provider_close(agent->providers);
}

static void remove_all_keys(struct agent *agent)
{
	configured_removed_all(agent);
	drop_all_keys(agent);
}

static void on_stop_limit(uv_timer_t *timer)
{
	uv_stop(timer->loop);
}

static void stop(struct life *life, int exit_status)
{
	struct agent *agent = &life->agent;

	if (agent->stopping)
		return;
	agent->stopping = true;
	agent->exit_status = exit_status;
	listeners_close(agent);
	while (agent->connections != NULL)
		connection_close(agent->connections);
	lock_close(agent->lock);
	known_hosts_close(agent->known_hosts);
	certificates_close(agent->certificates);
	controls_close(agent);
	configured_close(agent);
	drop_all_keys(agent);
	prompts_deinit(agent);
	vaults_deinit(agent);
	expiry_deinit(agent);
	children_deinit(agent);
	for (size_t i = 0; i < sizeof(agent->signals) / sizeof(agent->signals[0]); i++)
		uv_close((uv_handle_t *)&agent->signals[i], NULL);
	/* A worker that hangs in the kernel can't be waited for. */
	uv_timer_start(&life->stop_limit, on_stop_limit, STOP_MAX_MS, 0);
	uv_unref((uv_handle_t *)&life->stop_limit);
}

static void on_signal(uv_signal_t *handle, int number)
{
	struct life *life = handle->data;

	if (number == SIGUSR1)
		remove_all_keys(&life->agent);
	else if (number == SIGHUP && life->activated)
		(void)reload_ask(life->agent.reload);
	else if (number == SIGTERM && life->activated)
		stop(life, 0);
	else if (number != SIGINT || !life->daemon)
		stop(life, EXIT_SIGNALLED);
}

static void watch_signals(struct life *life)
{
	static const int numbers[] = {SIGHUP, SIGTERM, SIGINT, SIGUSR1};
	struct agent *agent = &life->agent;
	sigset_t watched;

	sigemptyset(&watched);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* a file that got too long is an error like others */
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		uv_signal_init(&agent->loop, &agent->signals[i]);
		agent->signals[i].data = life;
		uv_signal_start(&agent->signals[i], on_signal, numbers[i]);
		sigaddset(&watched, numbers[i]);
	}
	/* They were held back since the sockets were made. */
	sigprocmask(SIG_UNBLOCK, &watched, NULL);
}

/* The command that was started with us: when it ends, so do we. */
static void watch_parent(pid_t parent)
{
	if (parent == 0)
		return;
	if (prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0) != 0 || getppid() != parent)
		raise(SIGTERM);
}

static void raise_descriptor_limit(struct agent *agent)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		limit.rlim_cur = 256;
	if (limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
		getrlimit(RLIMIT_NOFILE, &limit);
	}
	if (limit.rlim_cur > 1024UL * 1024)
		limit.rlim_cur = 1024UL * 1024;
	agent->client_descriptors_max = limit.rlim_cur > 2 * DESCRIPTORS_KEPT
						? (unsigned)limit.rlim_cur - DESCRIPTORS_KEPT
						: (unsigned)limit.rlim_cur / 2;
}

/* Listening again after the fork makes us the one whom SO_PEERCRED names to clients. */
static enum ks_error listen_on(
	struct life *life, enum listener_kind kind, struct socket_place *place)
{
	if (listen(place->fd, SOCKET_BACKLOG) != 0)
		return KS_DEVICE_FAILED;
	return listener_add(&life->agent,
		&(struct listener_wish){.kind = kind, .fd = place->fd, .path = place->absolute});
}

static void add_own_socket(struct life *life, enum listener_kind kind, const char *name)
{
	AUTO(text) path = text_format("%s/%s", life->folder, name);
	struct socket_place place = {.fd = -1};

	/* One that was killed leaves its socket in the folder that all of them use. */
	if (path == NULL || socket_place_listener(path, OWN_SOCKET_MODE, &place) != KS_OK ||
		listen_on(life, kind, &place) != KS_OK) {
		log_warning("no socket %s/%s", life->folder, name);
		if (place.fd >= 0)
			close(place.fd);
	}
	socket_place_deinit(&place);
}

/*
 * control.sock and remote.sock. Without them clients are still served, so failing here is no
 * reason to end.
 */
static void make_own_sockets(struct life *life)
{
	life->folder = life->activated ? control_runtime_folder() : control_agent_folder(getpid());
	if (life->folder == NULL || socket_place_make_folder(life->folder) != KS_OK) {
		log_warning("no control socket: `keystile status` can't reach this agent");
		free(life->folder);
		life->folder = NULL;
		return;
	}
	add_own_socket(life, LISTENER_CONTROL, "control.sock");
	add_own_socket(life, LISTENER_REMOTE, "remote.sock");
}

static enum listener_kind kind_of(const struct config_listener *section)
{
	return section->local ? LISTENER_AGENT : LISTENER_REMOTE;
}

static enum ks_error add_configured(struct life *life, const struct config_listener *section)
{
	AUTO(text) beside = life->folder == NULL
				    ? NULL
				    : text_format("%s/%s.sock", life->folder, section->name);
	const char *path = section->path != NULL ? section->path : beside;
	struct socket_place place = {.fd = -1};
	enum ks_error error = KS_NOT_ALLOWED;

	if (path != NULL)
		error = socket_place_listener(path, section->mode, &place);
	if (error == KS_OK)
		error = listener_add(&life->agent, &(struct listener_wish){.kind = kind_of(section),
							   .fd = place.fd,
							   .path = place.absolute,
							   .section = section});
	if (error != KS_OK && place.fd >= 0) {
		unlink(path);
		close(place.fd);
	}
	socket_place_deinit(&place);
	return error;
}

/* One that can't be made is told of; those whose sockets are there are served all the same. */
static void add_all_configured(struct life *life)
{
	const struct config *config = &life->agent.config;

	for (size_t i = 0; i < config->listener_count; i++) {
		const struct config_listener *section = &config->listeners[i];
		enum ks_error error = listener_named(&life->agent, section->name) != NULL
					      ? KS_OK
					      : add_configured(life, section);

		if (error == KS_BUSY)
			log_warning("no listener %s: something is there already, or another agent "
				    "starts there",
				section->name);
		else if (error != KS_OK)
			log_warning("no listener %s: its socket can't be made", section->name);
	}
}

/* A name that is known neither to us nor to the configuration is for remote use. */
static enum ks_error add_activated(struct agent *agent, const struct activated *socket)
{
	const struct config_listener *section = config_listener_named(&agent->config, socket->name);

	return listener_add(agent,
		&(struct listener_wish){.kind = section != NULL ? kind_of(section) : socket->kind,
			.fd = socket->fd,
			.section = section});
}

static enum ks_error add_listeners(struct life *life, const struct activation *activation)
{
	enum ks_error error = KS_OK;

	if (life->place != NULL)
		return listen_on(life, LISTENER_AGENT, life->place);
	for (unsigned i = 0; error == KS_OK && activation != NULL && i < activation->count; i++)
		error = add_activated(&life->agent, &activation->sockets[i]);
	return error;
}

static enum ks_error init(struct life *life, struct agent_start *start)
{
	struct agent *agent = &life->agent;

	agent->settings = start->settings;
	agent->config = *start->config;
	*start->config = (struct config){0};
	agent_add_settings(agent);
	agent->uid = getuid();
	agent->null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	life->place = start->place;
	life->activated = start->activation != NULL;
	life->daemon = start->daemon;
	if (agent->null_fd < 0 || uv_loop_init(&agent->loop) != 0 || vaults_init(agent) != KS_OK ||
		expiry_init(agent) != KS_OK)
		return KS_NO_MEMORY;
	agent->denials = denials_new();
	agent->lock = lock_new(agent);
	agent->known_hosts = known_hosts_new(&agent->loop);
	agent->certificates = certificates_new(agent);
	agent->reload = reload_new(agent, controls_reloaded);
	agent->surroundings.start = agent->settings.environment;
	agent->user_manager = user_manager_new(agent, prompt_where_told);
	if (agent->denials == NULL || agent->lock == NULL || agent->known_hosts == NULL ||
		agent->certificates == NULL || agent->reload == NULL || agent->user_manager == NULL)
		return KS_NO_MEMORY;
	agent->started_ms = uv_now(&agent->loop);
	raise_descriptor_limit(agent);
	uv_timer_init(&agent->loop, &life->stop_limit);
	children_init(agent);
	prompts_init(agent);
	watch_signals(life);
	watch_parent(start->parent);
	return add_listeners(life, start->activation);
}

static void on_walk(uv_handle_t *handle, void *argument)
{
	(void)argument;
	if (!uv_is_closing(handle))
		uv_close(handle, NULL);
}

static void deinit(struct life *life)
{
	struct agent *agent = &life->agent;

	if (life->folder != NULL)
		rmdir(life->folder);
	free(life->folder);
	if (life->place != NULL && life->place->folder != NULL)
		rmdir(life->place->folder);
	if (life->place != NULL)
		socket_place_deinit(life->place);
	audit_deinit(agent);
	denials_release(agent->denials);
	keyring_deinit(&agent->keyring);
	ssh_seen_deinit(&agent->ssh_seen);
	host_guesses_deinit(&agent->hosts_guessed);
	config_deinit(&agent->config);
	surroundings_deinit(&agent->surroundings);
	uv_walk(&agent->loop, on_walk, NULL);
	uv_run(&agent->loop, UV_RUN_NOWAIT);
	/*
	 * A thread may still read a file that does not answer, or hash a password. libuv would wait
	 * for the one, and OpenSSL takes itself down under the other.
	 */
	if (!known_hosts_free(&agent->known_hosts) || !certificates_free(&agent->certificates) ||
		!reload_free(&agent->reload) || !user_manager_free(&agent->user_manager) ||
		uv_loop_close(&agent->loop) != 0)
		_exit(agent->exit_status);
	close(agent->null_fd);
}

int agent_run(struct agent_start *start)
{
	struct life *life = calloc(1, sizeof(*life));
	int status;

	if (life != NULL)
		agent_give_up(&life->agent.given_up); /* before there are threads */
	if (life == NULL || init(life, start) != KS_OK) {
		log_error("cannot start: %s", strerror(errno));
		free(life);
		return 1;
	}
	make_own_sockets(life);
	add_all_configured(life);
	if (start->ready != NULL)
		start->ready(start);
	configured_follow(&life->agent);
	uv_run(&life->agent.loop, UV_RUN_DEFAULT);
	status = life->agent.exit_status;
	deinit(life);
	free(life);
	return status;
}

/*
 * keystile-agent: ssh-agent's command line around agent_run(). Everything here happens
 * before the event loop: sockets, what is printed for the shell, and becoming a daemon.
 */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <syslog.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <keystile/cleanup.h>
#include <keystile/control.h>
#include <keystile/log.h>
#include <keystile/text.h>

#include "agent_run.h"
#include "options.h"
#include "paths.h"

/* What the shell is to evaluate; ssh-agent's words to the letter. */
static void print_variable(const struct options *options, const char *name, const char *value)
{
	if (options->csh)
		printf("setenv %s %s;\n", name, value);
	else
		printf("%s=%s; export %s;\n", name, value, name);
}

static void print_start(const struct options *options, const char *path, pid_t pid)
{
	char number[32];

	snprintf(number, sizeof(number), "%ld", (long)pid);
	print_variable(options, "SSH_AUTH_SOCK", path);
	if (!options->foreground)
		print_variable(options, "SSH_AGENT_PID", number);
	printf("echo Agent pid %s;\n", number);
	fflush(stdout);
}

/* In ssh-agent's words; NULL: it is one. */
static const char *not_a_pid(const char *text, long *pid)
{
	char *end = NULL;

	errno = 0;
	*pid = strtol(text, &end, 10);
	if (end == text || *end != '\0')
		return "invalid";
	if (*pid < 2)
		return "too small";
	return errno != 0 || *pid > INT_MAX ? "too large" : NULL;
}

static int kill_agent(const struct options *options)
{
	const char *text = getenv("SSH_AGENT_PID");
	const char *unset = options->csh ? "unsetenv" : "unset";
	const char *wrong;
	long pid;

	if (text == NULL) {
		fputs("SSH_AGENT_PID not set, cannot kill agent\n", stderr);
		return 1;
	}
	wrong = not_a_pid(text, &pid);
	if (wrong != NULL) {
		fprintf(stderr, "SSH_AGENT_PID=\"%s\", which is not a good PID: %s\n", text, wrong);
		return 1;
	}
	if (kill((pid_t)pid, SIGTERM) != 0) {
		perror("kill");
		return 1;
	}
	printf("%s SSH_AUTH_SOCK;\n%s SSH_AGENT_PID;\necho Agent pid %ld killed;\n", unset, unset,
		pid);
	return 0;
}

/* Nobody may look into a process that sees PINs pass. */
static void harden(void)
{
	struct rlimit none = {0};
	gid_t group = getgid();

	/* A set-gid copy needs nothing of its group. First, as changed ids set "dumpable" anew. */
	if (setresgid(group, group, group) != 0)
		_exit(EXIT_FAILURE);
	setrlimit(RLIMIT_CORE, &none);
#ifndef KEYSTILE_SANITIZED
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#endif
}

/*
 * scrypt takes 16 MiB for the moment of a lock (password_hash.c). The allocator would learn from
 * that to keep pieces of this size, and much more of what else is given back.
 */
static void fix_memory_thresholds(void)
{
	mallopt(M_MMAP_THRESHOLD, 1024 * 1024);
	mallopt(M_TRIM_THRESHOLD, 512 * 1024);
}

/* Standard descriptors that are closed would be taken by sockets. */
static void fill_standard_descriptors(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

static void to_syslog(enum log_level level, const char *line, void *context)
{
	static const int priorities[] = {LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG};

	(void)context;
	syslog(priorities[level], "%s", line);
}

static enum ks_error load_config(const struct config_files *files, struct config *out)
{
	AUTO(text) words = NULL;
	enum ks_error error = config_load_files(files, out, &words);

	if (error != KS_OK)
		fprintf(stderr, "keystile-agent: %s\n",
			words != NULL ? words : ks_error_text(error));
	return error;
}

/* It is read again by a process whose folder is another one. */
static char *absolute(const char *path)
{
	AUTO(text) folder = path[0] == '/' ? NULL : getcwd(NULL, 0);

	return folder != NULL ? text_format("%s/%s", folder, path) : strdup(path);
}

static enum ks_error make_socket(const struct options *options, struct socket_place *out)
{
	enum ks_error error;

	if (options->address != NULL) {
		error = socket_place_at(options->address, out);
		if (error == KS_BUSY)
			log_error("cannot make the socket %s: %s", options->address,
				strerror(EADDRINUSE));
	} else if (options->in_tmp) {
		error = socket_place_tmp(out);
	} else {
		if (!options->keep_stale)
			socket_place_clean_up(false);
		error = socket_place_home(out);
	}
	if (error == KS_OK && listen(out->fd, SOCKET_BACKLOG) != 0)
		error = KS_DEVICE_FAILED;
	return error;
}

static struct settings settings_of(const struct options *options, const struct config_files *files)
{
	static char *nothing[] = {NULL};

	return (struct settings){.allowed_providers = options->allowed_providers,
		.allow_remote_pkcs11 = options->allow_remote_pkcs11,
		.allow_remote_without_presence = options->allow_remote_without_presence,
		.allow_rsa_sha1 = options->allow_rsa_sha1,
		.allow_ssh_dss = options->allow_ssh_dss,
		.websafe_allow = options->websafe_allow,
		.lifetime_s = options->lifetime_s,
		.config_files = *files,
		.debug = options->debug,
		.environment = getauxval(AT_SECURE) != 0 ? nothing : environ};
}

/* The parent after the fork: tells the shell, or becomes the command. */
static int be_parent(const struct options *options, const char *path, pid_t agent)
{
	AUTO(text) folder = control_agent_folder(agent);
	AUTO(text) control = folder == NULL ? NULL : text_format("%s/control.sock", folder);
	char number[32];

	if (options->command == NULL) {
		print_start(options, path, agent);
		return 0;
	}
	snprintf(number, sizeof(number), "%ld", (long)agent);
	if (setenv("SSH_AUTH_SOCK", path, 1) != 0 || setenv("SSH_AGENT_PID", number, 1) != 0 ||
		(control != NULL && setenv("KEYSTILE_CONTROL", control, 1) != 0)) {
		perror("setenv");
		return 1;
	}
	execvp(options->command[0], options->command);
	perror(options->command[0]);
	return 1;
}

static void become_daemon(void)
{
	int fd = open("/dev/null", O_RDWR);

	setsid();
	if (chdir("/") != 0)
		log_warning("cannot leave the folder: %s", strerror(errno));
	for (int standard = 0; fd >= 0 && standard <= STDERR_FILENO; standard++)
		dup2(fd, standard);
	if (fd > STDERR_FILENO)
		close(fd);
	openlog("keystile-agent", LOG_PID, LOG_AUTH);
	log_to(to_syslog, NULL);
}

/* Where there is one that waits for it, as with Type=notify; no child of ours hears of it. */
static void tell_manager(const struct agent_start *start)
{
	(void)start;
	sd_notify(1, "READY=1");
}

static int run_activated(struct agent_start *start)
{
	start->place = NULL;
	start->ready = tell_manager;
	return agent_run(start);
}

/* One that comes before the loop runs waits for it, so that what was made is taken away again. */
static void hold_signals(sigset_t *before)
{
	sigset_t held;

	sigemptyset(&held);
	sigaddset(&held, SIGHUP);
	sigaddset(&held, SIGTERM);
	sigaddset(&held, SIGINT);
	sigaddset(&held, SIGUSR1);
	sigprocmask(SIG_BLOCK, &held, before);
}

static void tell_parent(const struct agent_start *start)
{
	close(start->ready_fd);
}

/* Until the child's sockets are there, or it has ended. */
static void await_child(int ready)
{
	char nothing;

	while (read(ready, &nothing, 1) < 0 && errno == EINTR)
		;
	close(ready);
}

/* The agent has its threads from agent_run() on: here it may still go on as a child. */
static int run_in_background(
	const struct options *options, struct agent_start *start, const sigset_t *signals)
{
	pid_t parent = getpid();
	int ready[2];
	pid_t child;
	int status;

	if (pipe2(ready, O_CLOEXEC) != 0 || (child = fork()) < 0) {
		perror("fork");
		return 1;
	}
	if (child > 0) {
		close(ready[1]);
		await_child(ready[0]);
		sigprocmask(SIG_SETMASK, signals, NULL);
		status = be_parent(options, start->place->path, child);
		socket_place_deinit(start->place);
		return status;
	}
	close(ready[0]);
	if (options->command != NULL)
		start->parent = parent;
	start->daemon = true;
	start->ready = tell_parent;
	start->ready_fd = ready[1];
	become_daemon();
	return agent_run(start);
}

static void announce(const struct agent_start *start)
{
	print_start(start->options, start->place->path, getpid());
}

static int run_in_foreground(struct agent_start *start)
{
	start->ready = announce;
	return agent_run(start);
}

static int run(
	const struct options *options, const struct config_files *files, struct config *config)
{
	struct activation activation = {0};
	struct socket_place place = {.fd = -1};
	struct agent_start start = {.settings = settings_of(options, files),
		.config = config,
		.place = &place,
		.options = options};
	sigset_t signals;

	hold_signals(&signals);
	if (options->foreground && options->address == NULL)
		activation_take(&activation);
	closefrom(STDERR_FILENO + 1 + (int)activation.count);
	if (activation.count > 0) {
		start.activation = &activation;
		return run_activated(&start);
	}
	if (make_socket(options, &place) != KS_OK) {
		socket_place_deinit(&place);
		return 1;
	}
	return options->foreground ? run_in_foreground(&start)
				   : run_in_background(options, &start, &signals);
}

int main(int argc, char **argv)
{
	struct options options;
	struct config config;
	struct config_files files = {.system = paths_config_system};
	AUTO(text) only = NULL;
	int status = options_parse(argc, argv, &options);

	if (status != OPTIONS_GO_ON)
		return status;
	if (options.kill)
		return kill_agent(&options);
	if (options.clean > 0) {
		socket_place_clean_up(options.clean > 1);
		puts("Deleted stale agent sockets in ~/.ssh/agent");
		return 0;
	}
	harden();
	fix_memory_thresholds();
	fill_standard_descriptors();
	log_start("keystile-agent", options.debug ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARNING);
	if (options.config != NULL)
		files.only = only = absolute(options.config);
	if ((options.config != NULL && only == NULL) || load_config(&files, &config) != KS_OK)
		return 1;
	status = run(&options, &files, &config);
	config_deinit(&config);
	return status;
}

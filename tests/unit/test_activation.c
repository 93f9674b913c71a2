/*
 * Activated sockets: what a name stands for, and which descriptors are taken.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <keystile/log.h>

#include "activation.h"
#include "test.h"

static void a_name_decides_what_a_socket_is_for(void **state)
{
	static const struct {
		const char *name;
		bool names_given;
		unsigned count;
		enum listener_kind kind;
	} rows[] = {
		{"agent", true, 3, LISTENER_AGENT},
		{"agent.sock", true, 1, LISTENER_AGENT},
		{"keystile.socket", true, 1, LISTENER_AGENT},
		{"ssh-agent.socket", true, 2, LISTENER_AGENT},
		{"control", true, 2, LISTENER_CONTROL},
		{"control.sock", true, 2, LISTENER_CONTROL},
		{"remote", true, 2, LISTENER_REMOTE},
		/* What is not known is for remote use, also where it is the only one. */
		{"unknown", true, 1, LISTENER_REMOTE},
		{"", true, 1, LISTENER_REMOTE},
		{"Agent", true, 1, LISTENER_REMOTE},
		{"agent ", true, 1, LISTENER_REMOTE},
		/* A manager without names. */
		{"unknown", false, 1, LISTENER_AGENT},
		{"unknown", false, 2, LISTENER_REMOTE},
		{"agent", false, 2, LISTENER_REMOTE},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (activation_kind(rows[i].name, rows[i].names_given, rows[i].count) !=
			rows[i].kind)
			fail_msg("row %zu, \"%s\"", i, rows[i].name);
}

static void without_a_manager_there_are_none(void **state)
{
	struct activation taken;

	(void)state;
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	activation_take(&taken);
	assert_int_equal(taken.count, 0);
}

static void put_listener(int at)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	/* The kernel chooses a name in its own namespace; nothing is left behind. */
	assert_return_code(bind(fd, (struct sockaddr *)&address, sizeof(sa_family_t)), 0);
	assert_return_code(listen(fd, 1), 0);
	assert_int_equal(dup2(fd, at), at);
	if (fd != at)
		close(fd);
}

static void set_environment(const char *count, const char *names)
{
	char pid[32];

	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	setenv("LISTEN_PID", pid, 1);
	setenv("LISTEN_FDS", count, 1);
	if (names != NULL)
		setenv("LISTEN_FDNAMES", names, 1);
	else
		unsetenv("LISTEN_FDNAMES");
}

static void ignore(enum log_level level, const char *line, void *context)
{
	(void)level;
	(void)line;
	(void)context;
}

static void listening_sockets_are_taken_and_all_else_is_closed(void **state)
{
	struct activation taken;

	(void)state;
	log_to(ignore, NULL);
	put_listener(3);
	put_listener(4);
	assert_int_equal(dup2(STDERR_FILENO, 5), 5);		       /* no socket */
	assert_int_equal(dup2(socket(AF_UNIX, SOCK_STREAM, 0), 6), 6); /* does not listen */
	set_environment("4", "control:mine:agent:agent");
	activation_take(&taken);
	log_to(NULL, NULL);
	assert_int_equal(taken.count, 2);
	assert_int_equal(taken.sockets[0].fd, 3);
	assert_int_equal(taken.sockets[0].kind, LISTENER_CONTROL);
	assert_int_equal(taken.sockets[1].fd, 4);
	assert_int_equal(taken.sockets[1].kind, LISTENER_REMOTE);
	assert_int_equal(fcntl(5, F_GETFD), -1);
	assert_int_equal(fcntl(6, F_GETFD), -1);
	assert_null(getenv("LISTEN_FDS"));
	close(3);
	close(4);
}

static void sockets_for_another_process_are_left_alone(void **state)
{
	struct activation taken;

	(void)state;
	put_listener(3);
	set_environment("1", "agent");
	setenv("LISTEN_PID", "1", 1);
	activation_take(&taken);
	assert_int_equal(taken.count, 0);
	assert_int_not_equal(fcntl(3, F_GETFD), -1);
	close(3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_decides_what_a_socket_is_for),
		cmocka_unit_test(without_a_manager_there_are_none),
		cmocka_unit_test(listening_sockets_are_taken_and_all_else_is_closed),
		cmocka_unit_test(sockets_for_another_process_are_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

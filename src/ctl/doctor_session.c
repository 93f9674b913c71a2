/*
 * What surrounds the agent in the person's session: ssh itself, what systemd knows of the display,
 * known_hosts, the clock.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <keystile/cleanup.h>
#include <keystile/text.h>

#include "doctor.h"
#include "output.h"

/* The first release of OpenSSH whose client binds sessions. */
#define BINDS_SINCE_MAJOR 8
#define BINDS_SINCE_MINOR 9
#define CLOCK_SLACK_S (24 * 3600)

static bool is_set(const char *name)
{
	const char *value = getenv(name);

	return value != NULL && value[0] != '\0';
}

/* "OpenSSH_9.2p1 ..." */
static bool parse_release(const char *said, unsigned long *major, unsigned long *minor)
{
	static const char begin[] = "OpenSSH_";
	char *end;

	if (said == NULL || strncmp(said, begin, strlen(begin)) != 0)
		return false;
	*major = strtoul(said + strlen(begin), &end, 10);
	if (*end != '.')
		return false;
	*minor = strtoul(end + 1, NULL, 10);
	return true;
}

static void check_ssh(struct doctor *doctor)
{
	static char program[] = "ssh", version[] = "-V";
	static char *const command[] = {program, version, NULL};
	AUTO(text) said = output_of(command);
	unsigned long major = 0, minor = 0;

	if (!parse_release(said, &major, &minor))
		doctor_say(doctor, DOCTOR_WARN, "ssh", "sudo apt install openssh-client",
			"no ssh of OpenSSH is found in PATH");
	else if (major < BINDS_SINCE_MAJOR ||
		 (major == BINDS_SINCE_MAJOR && minor < BINDS_SINCE_MINOR))
		doctor_say(doctor, DOCTOR_FAIL, "ssh",
			"\nuse OpenSSH 8.9 or later; until then see ssh-without-session-bind in "
			"keystile.conf(5)",
			"version %lu.%lu does not say which session it asks for: all it wants "
			"counts as remote",
			major, minor);
	else
		doctor_say(doctor, DOCTOR_PASS, "ssh", "", "version %lu.%lu binds its sessions",
			major, minor);
}

/* A line NAME=... among lines. */
static bool has_variable(const char *lines, const char *name)
{
	size_t len = strlen(name);

	for (const char *line = lines; line != NULL && *line != '\0';) {
		if (strncmp(line, name, len) == 0 && line[len] == '=')
			return true;
		line = strchr(line, '\n');
		line += line != NULL;
	}
	return false;
}

static void check_manager(struct doctor *doctor)
{
	static char program[] = "systemctl", user[] = "--user", show[] = "show-environment";
	static char *const command[] = {program, user, show, NULL};
	static const char *const names[] = {
		"DISPLAY", "WAYLAND_DISPLAY", "DBUS_SESSION_BUS_ADDRESS"};
	AUTO(text) known = output_of(command);
	AUTO(text) lacking = strdup("");

	for (size_t i = 0; known != NULL && i < sizeof(names) / sizeof(names[0]); i++) {
		char *longer;

		if (!is_set(names[i]) || has_variable(known, names[i]) || lacking == NULL)
			continue;
		longer = text_format("%s %s", lacking, names[i]);
		free(lacking);
		lacking = longer;
	}
	if (known == NULL)
		doctor_say(doctor, DOCTOR_PASS, "session", "",
			"no systemd of yours to be told of a display");
	else if (lacking != NULL && lacking[0] != '\0')
		doctor_say(doctor, DOCTOR_WARN, "session",
			"systemctl --user import-environment DISPLAY WAYLAND_DISPLAY XAUTHORITY "
			"DBUS_SESSION_BUS_ADDRESS; keystile env --update",
			"your systemd does not know this session's%s, so an agent that it starts "
			"can't show you questions here",
			lacking);
	else
		doctor_say(doctor, DOCTOR_PASS, "session", "",
			"your systemd knows what this session has of a display and a bus");
}

static void check_known_hosts(struct doctor *doctor)
{
	const char *home = getenv("HOME");
	AUTO(text) path = home != NULL ? text_format("%s/.ssh/known_hosts", home) : NULL;

	if (path == NULL)
		return;
	if (access(path, R_OK) == 0)
		doctor_say(doctor, DOCTOR_PASS, "known_hosts", "", "%s can be read", path);
	else if (errno == ENOENT)
		doctor_say(doctor, DOCTOR_PASS, "known_hosts", "", "there is no %s yet", path);
	else
		doctor_say(doctor, DOCTOR_FAIL, "known_hosts",
			"ls -ld ~/.ssh ~/.ssh/known_hosts; chmod u+rwx ~/.ssh; chmod u+rw "
			"~/.ssh/known_hosts",
			"%s can't be read, so hosts have no names in questions: %s", path,
			strerror(errno));
}

/* A battery that is empty sets it back by years: certificates and time limits go wrong. */
static void check_clock(struct doctor *doctor)
{
	struct stat program;

	if (stat("/proc/self/exe", &program) != 0)
		return;
	if (time(NULL) + CLOCK_SLACK_S < program.st_mtime)
		doctor_say(doctor, DOCTOR_FAIL, "clock", "timedatectl set-ntp true",
			"it shows a time before this program was made");
	else
		doctor_say(doctor, DOCTOR_PASS, "clock", "", "it is not behind this program");
}

void doctor_check_session(struct doctor *doctor)
{
	check_ssh(doctor);
	check_manager(doctor);
	check_known_hosts(doctor);
	check_clock(doctor);
}

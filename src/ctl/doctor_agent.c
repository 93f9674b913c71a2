/*
 * Where ssh would look for an agent, who is there, and what our own one says of itself.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <keystile/cleanup.h>
#include <keystile/text.h>
#include <keystile/version.h>

#include "control.h"
#include "doctor.h"
#include "field.h"
#include "find.h"
#include "status.h"

#define CHECK_SOCKET "SSH_AUTH_SOCK"
#define START                                                                                      \
	"systemctl --user enable --now keystile.socket\nwithout systemd: eval \"$(keystile-agent " \
	"-s)\""
#define POINT_HERE "eval \"$(keystile env -s)\""
#define ANEW "then log in anew; in this shell: " POINT_HERE

/* Other agents that desktops start, by a part of their program's name, and what ends that. */
static const struct rival {
	const char *program;
	const char *remedy;
} rivals[] = {
	{"gpg-agent", "systemctl --user mask --now gpg-agent-ssh.socket; "
		      "sed -i /^enable-ssh-support/d ~/.gnupg/gpg-agent.conf\n" ANEW},
	{"gcr-ssh-agent",
		"systemctl --user mask --now gcr-ssh-agent.socket gcr-ssh-agent.service\n" ANEW},
	{"gnome-keyring",
		"mkdir -p ~/.config/autostart && cp /etc/xdg/autostart/gnome-keyring-ssh.desktop "
		"~/.config/autostart/ && "
		"echo Hidden=true >> ~/.config/autostart/gnome-keyring-ssh.desktop\n" ANEW},
	{"ssh-agent", "systemctl --user mask --now ssh-agent.service ssh-agent.socket\n"
		      "in an X session also take use-ssh-agent out of "
		      "/etc/X11/Xsession.options; " ANEW},
};

/* Of the first rival whose name the program's path holds; else how to point to us. */
static const char *rival_remedy(const char *program)
{
	for (size_t i = 0; i < sizeof(rivals) / sizeof(rivals[0]); i++)
		if (strstr(program, rivals[i].program) != NULL)
			return rivals[i].remedy;
	return POINT_HERE;
}

/* The agent, and who else listens where ssh looks. */
static void compare_places(struct doctor *doctor, const struct control *control)
{
	const struct auth_socket *auth = &control->auth;
	AUTO(text) program = auth->trouble == 0 ? find_program(auth->pid) : NULL;

	if (auth->path == NULL || auth->path[0] == '\0')
		doctor_say(doctor, DOCTOR_FAIL, CHECK_SOCKET, doctor->status ? POINT_HERE : START,
			"is not set: ssh asks no agent");
	else if (auth->trouble != 0)
		doctor_say(doctor, DOCTOR_FAIL, CHECK_SOCKET, doctor->status ? POINT_HERE : START,
			"nobody answers at %s: %s", auth->path, strerror(auth->trouble));
	else if (doctor->status != NULL &&
		 (auth->pid == control->pid || status_listens_at(doctor->status, auth->path)))
		doctor_say(doctor, DOCTOR_PASS, CHECK_SOCKET, "", "ssh finds Keystile at %s",
			auth->path);
	else
		doctor_say(doctor, DOCTOR_FAIL, CHECK_SOCKET,
			program != NULL ? rival_remedy(program) : POINT_HERE,
			"%s belongs to %s, not to Keystile", auth->path,
			program != NULL ? program : "another program");
}

static void compare_versions(struct doctor *doctor)
{
	const char *version = text_in(doctor->status, "version");

	if (strcmp(version, KEYSTILE_VERSION) == 0)
		doctor_say(doctor, DOCTOR_PASS, "agent", "", "version %s runs, as this command is",
			version);
	else
		doctor_say(doctor, DOCTOR_WARN, "agent",
			"systemctl --user restart keystile.service\nwithout systemd, start the "
			"agent anew",
			"version %s runs, but this command is version %s", version,
			KEYSTILE_VERSION);
}

/* Of what control_open() complained of, the reason; what to do is said in our own words. */
static void say_nobody(struct doctor *doctor, const struct buf *said)
{
	AUTO(text) words = strndup(said->len > 0 ? (const char *)said->data : "", said->len);

	if (words != NULL)
		words[strcspn(words, ";\n")] = '\0';
	doctor_say(doctor, DOCTOR_FAIL, "agent", START, "%s",
		words != NULL && words[0] != '\0' ? words : "no agent of Keystile answers");
}

/* A socket that a service manager keeps is answered by it until the agent is there: asked first. */
void doctor_check_agent(struct doctor *doctor)
{
	AUTO(buf) said = {0};
	struct control control;

	complain_into(&said);
	if (control_open(&control) == KS_OK) {
		if (control_call(&control, "status", &doctor->status) != KS_OK)
			doctor->status = NULL;
		complain_into(NULL);
		compare_places(doctor, &control);
		control_close(&control);
	} else {
		complain_into(NULL);
		compare_places(doctor, &control);
	}
	if (doctor->status != NULL)
		compare_versions(doctor);
	else
		say_nobody(doctor, &said);
}

static void check_provider(struct doctor *doctor, const json_t *provider)
{
	const char *trouble = text_in(provider, "last_error");

	if (strcmp(text_in(provider, "state"), "ready") == 0)
		doctor_say(doctor, DOCTOR_PASS, "provider", "", "%s is loaded",
			text_in(provider, "name"));
	else
		doctor_say(doctor, DOCTOR_FAIL, "provider",
			"keystile status\nkeystile doctor with the path of the library looks at "
			"that",
			"%s: %s: %s", text_in(provider, "name"), text_in(provider, "state"),
			trouble[0] != '\0' ? trouble : "no reason is known");
}

static void check_configured(struct doctor *doctor, const json_t *configured)
{
	const char *state = text_in(configured, "state");
	const char *trouble = text_in(configured, "trouble");

	if (strncmp(state, "removed", strlen("removed")) == 0)
		doctor_say(doctor, DOCTOR_WARN, "configured provider", "keystile reload",
			"%s was removed by ssh-add -e or -D", text_in(configured, "name"));
	else if (trouble[0] != '\0')
		doctor_say(doctor, DOCTOR_FAIL, "configured provider",
			"keystile reload\nafter that was mended, or load in its section of "
			"keystile.conf(5); it is tried again by itself too",
			"%s (%s): %s: %s", text_in(configured, "name"), text_in(configured, "load"),
			state, trouble);
	else
		doctor_say(doctor, DOCTOR_PASS, "configured provider", "", "%s (%s): %s",
			text_in(configured, "name"), text_in(configured, "load"), state);
}

/* Servers that know the certificate refuse such a key; ssh itself uses the key all the same. */
static void check_x509(struct doctor *doctor, const json_t *key)
{
	const json_t *x509 = json_object_get(key, "x509");
	const char *state = text_in(x509, "state");

	if (state[0] != '\0' && strcmp(state, "valid") != 0)
		doctor_say(doctor, DOCTOR_WARN, "certificate",
			"\nwhoever gave you the card renews it; a login that goes by the key alone "
			"works on",
			"of %s, on %s: %s (%s to %s)", text_in(x509, "subject"),
			text_in(key, "token"), state, text_in(x509, "not_before"),
			text_in(x509, "not_after"));
}

static void check_certificate(struct doctor *doctor, const json_t *file)
{
	const char *state = text_in(file, "state");

	if (json_is_true(json_object_get(file, "belongs")) && strcmp(state, "valid") != 0)
		doctor_say(doctor, DOCTOR_WARN, "certificate",
			"get a new one from whoever signed it; until then it is not offered",
			"%s: %s", text_in(file, "path"), state);
}

static bool has_display(void)
{
	const char *x11 = getenv("DISPLAY"), *wayland = getenv("WAYLAND_DISPLAY");

	return (x11 != NULL && x11[0] != '\0') || (wayland != NULL && wayland[0] != '\0');
}

static void check_asking(struct doctor *doctor)
{
	const json_t *asking = json_object_get(doctor->status, "asking");
	const char *obstacle = text_in(asking, "obstacle");

	if (obstacle[0] != '\0')
		doctor_say(doctor, DOCTOR_FAIL, "asking you",
			has_display() ? "keystile env --update\na pinentry has to be installed, "
					"or ssh-askpass"
				      : "keystile prompter\nleft running in a terminal of its own; "
					"in a desktop's session: keystile env --update",
			"the agent could not ask you for a PIN: %s", obstacle);
	else
		doctor_say(doctor, DOCTOR_PASS, "asking you", "", "by %s %s",
			text_in(asking, "way"), text_in(asking, "program"));
}

void doctor_check_status(struct doctor *doctor)
{
	const json_t *warnings = json_object_get(doctor->status, "warnings");
	const json_t *providers = json_object_get(doctor->status, "providers");
	const json_t *configured = json_object_get(doctor->status, "configured");
	const json_t *keys = json_object_get(doctor->status, "keys");
	const json_t *files =
		json_object_get(json_object_get(doctor->status, "certificates"), "files");

	if (doctor->status == NULL)
		return;
	for (size_t i = 0; i < json_array_size(warnings); i++)
		doctor_say(doctor, DOCTOR_WARN, "settings", "", "%s",
			json_string_value(json_array_get(warnings, i)));
	for (size_t i = 0; i < json_array_size(keys); i++)
		check_x509(doctor, json_array_get(keys, i));
	for (size_t i = 0; i < json_array_size(files); i++)
		check_certificate(doctor, json_array_get(files, i));
	for (size_t i = 0; i < json_array_size(configured); i++)
		check_configured(doctor, json_array_get(configured, i));
	for (size_t i = 0; i < json_array_size(providers); i++)
		check_provider(doctor, json_array_get(providers, i));
	check_asking(doctor);
}

/*
 * Card readers: plugged in, served by pcscd, and which of them another program keeps to itself.
 * PC/SC's library is loaded only when this is looked at, so that who has no cards needs none.
 */
#include <dlfcn.h>
#include <errno.h>
#include <glob.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <winscard.h>

#include <keystile/cleanup.h>
#include <keystile/socket_users.h>
#include <keystile/text.h>

#include "doctor.h"

#define CCID_CLASS "0b" /* of USB interfaces: smart card readers */
#define LIBRARY "libpcsclite.so.1"
#define READERS_MAX 16
#define PATIENCE_SECONDS 5
#define HANG_UP_MS 1000

static bool reader_plugged_in(void)
{
	glob_t found = {0};
	bool any = false;

	if (glob("/sys/bus/usb/devices/*/bInterfaceClass", GLOB_NOSORT, NULL, &found) == 0)
		for (size_t i = 0; i < found.gl_pathc; i++)
			any |= doctor_file_begins(
				found.gl_pathv[i], CCID_CLASS, strlen(CCID_CLASS));
	globfree(&found);
	return any;
}

static bool pcscd_installed(void)
{
	return access("/usr/sbin/pcscd", F_OK) == 0 || access("/usr/bin/pcscd", F_OK) == 0;
}

static bool ccid_driver_installed(void)
{
	return doctor_any_file("/usr/lib*/pcsc/drivers/*ccid*") ||
	       doctor_any_file("/usr/lib/*/pcsc/drivers/*ccid*");
}

/* The queue is not waited for. -1 and errno. */
static int connect_to_pcscd(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = PCSCD_SOCKET};
	AUTO(fd) fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0)
		return -1;
	return TAKE_FD(fd);
}

/* Before it was asked anything: what pcscd does with whom polkit does not permit (access_pcsc). */
static bool hangs_up(void)
{
	AUTO(fd) fd = connect_to_pcscd();
	struct pollfd end = {.fd = fd, .events = POLLIN};
	char byte;

	return fd >= 0 && poll(&end, 1, HANG_UP_MS) > 0 && read(fd, &byte, 1) <= 0;
}

static void say_unreachable(struct doctor *doctor, int trouble)
{
	if (!pcscd_installed())
		doctor_say(doctor, DOCTOR_FAIL, "card readers", "sudo apt install pcscd",
			"a reader is plugged in, but pcscd, which serves readers, is not "
			"installed");
	else
		doctor_say(doctor, DOCTOR_FAIL, "card readers",
			trouble == EACCES ? "ls -l " PCSCD_SOCKET
					  : "sudo systemctl enable --now pcscd.socket",
			"a reader is plugged in, but pcscd can't be reached at %s: %s",
			PCSCD_SOCKET, strerror(trouble));
}

/* ---- What pcscd says ---- */

/* The functions that are used, by their names in the library. */
struct pcsc {
	void *library;
	LONG (*establish)(DWORD, LPCVOID, LPCVOID, LPSCARDCONTEXT);
	LONG (*release)(SCARDCONTEXT);
	LONG (*list_readers)(SCARDCONTEXT, LPCSTR, LPSTR, LPDWORD);
	LONG (*get_status)(SCARDCONTEXT, DWORD, SCARD_READERSTATE *, DWORD);
	LONG (*free_memory)(SCARDCONTEXT, LPCVOID);
};

static bool load_pcsc(struct pcsc *pcsc)
{
	const struct {
		const char *name;
		void *function;
	} wanted[] = {{"SCardEstablishContext", &pcsc->establish},
		{"SCardReleaseContext", &pcsc->release}, {"SCardListReaders", &pcsc->list_readers},
		{"SCardGetStatusChange", &pcsc->get_status},
		{"SCardFreeMemory", &pcsc->free_memory}};

	pcsc->library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
	for (size_t i = 0; pcsc->library != NULL && i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		void *found = dlsym(pcsc->library, wanted[i].name);

		if (found == NULL)
			return false;
		memcpy(wanted[i].function, &found, sizeof(found));
	}
	return pcsc->library != NULL;
}

static void say_reader(struct doctor *doctor, const SCARD_READERSTATE *reader)
{
	AUTO(text) programs = NULL;

	if ((reader->dwEventState & SCARD_STATE_EXCLUSIVE) == 0) {
		doctor_say(doctor, DOCTOR_PASS, "card readers", "", "%s: %s", reader->szReader,
			(reader->dwEventState & SCARD_STATE_PRESENT) != 0 ? "a card is in it"
									  : "no card is in it");
		return;
	}
	programs = socket_users(PCSCD_SOCKET);
	doctor_say(doctor, DOCTOR_FAIL, "card readers",
		programs != NULL && strstr(programs, "scdaemon") != NULL
			? "echo pcsc-shared >> ~/.gnupg/scdaemon.conf; gpgconf --kill scdaemon"
			: "\nend the program that holds it, or have it share the reader",
		"%s: another program keeps it to itself%s%s", reader->szReader,
		programs != NULL ? "; these use readers: " : "", programs != NULL ? programs : "");
}

static void say_readers(struct doctor *doctor, const struct pcsc *pcsc, SCARDCONTEXT context)
{
	DWORD room = SCARD_AUTOALLOCATE;
	char *names = NULL;
	SCARD_READERSTATE states[READERS_MAX] = {0};
	DWORD count = 0;

	if (pcsc->list_readers(context, NULL, (LPSTR)&names, &room) != SCARD_S_SUCCESS)
		names = NULL;
	for (const char *name = names; name != NULL && *name != '\0' && count < READERS_MAX;
		name += strlen(name) + 1)
		states[count++].szReader = name;
	if (count == 0)
		doctor_say(doctor, reader_plugged_in() ? DOCTOR_FAIL : DOCTOR_PASS, "card readers",
			reader_plugged_in() ? "sudo systemctl restart pcscd" : "",
			"pcscd answers, and knows of no reader");
	else if (pcsc->get_status(context, 0, states, count) == SCARD_S_SUCCESS)
		for (DWORD i = 0; i < count; i++)
			say_reader(doctor, &states[i]);
	if (names != NULL)
		pcsc->free_memory(context, names);
}

static void ask_pcscd(struct doctor *doctor)
{
	struct pcsc pcsc = {0};
	SCARDCONTEXT context;
	LONG answer;

	if (!load_pcsc(&pcsc)) {
		doctor_say(doctor, DOCTOR_PASS, "card readers", "", "pcscd answers at %s",
			PCSCD_SOCKET);
		return;
	}
	answer = pcsc.establish(SCARD_SCOPE_SYSTEM, NULL, NULL, &context);
	if (answer == SCARD_S_SUCCESS) {
		say_readers(doctor, &pcsc, context);
		pcsc.release(context);
	} else if (answer == SCARD_W_SECURITY_VIOLATION || hangs_up()) {
		doctor_say(doctor, DOCTOR_FAIL, "card readers",
			"pkaction --verbose --action-id org.debian.pcsc-lite.access_pcsc",
			"pcscd refuses you by polkit: it serves who sits at the machine, and not a "
			"login by ssh or a service, unless a rule in /etc/polkit-1/rules.d says "
			"so");
	} else {
		doctor_say(doctor, DOCTOR_FAIL, "card readers", "sudo systemctl restart pcscd",
			"pcscd takes connections, but does not serve (%#lx)",
			(unsigned long)answer);
	}
}

void doctor_check_readers(struct doctor *doctor)
{
	bool plugged_in = reader_plugged_in();
	AUTO(fd) fd = connect_to_pcscd();
	int trouble = fd >= 0 ? 0 : errno;

	if (trouble == 0 || trouble == EAGAIN) {
		if (!doctor_apart(doctor, ask_pcscd, PATIENCE_SECONDS))
			doctor_say(doctor, DOCTOR_FAIL, "card readers",
				"sudo systemctl restart pcscd",
				"pcscd takes connections at %s, but does not answer", PCSCD_SOCKET);
	} else if (plugged_in) {
		say_unreachable(doctor, trouble);
	} else {
		doctor_say(doctor, DOCTOR_PASS, "card readers", "",
			"no USB card reader is plugged in");
	}
	if (plugged_in && pcscd_installed() && !ccid_driver_installed())
		doctor_say(doctor, DOCTOR_FAIL, "card readers", "sudo apt install libccid",
			"pcscd has no driver for USB readers (CCID)");
}

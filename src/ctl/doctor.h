/*
 * `keystile doctor`: goes through what breaks in practice. Each check looks at one thing, changes
 * nothing, and says what it found and the command that mends it.
 */
#ifndef KEYSTILE_CTL_DOCTOR_H
#define KEYSTILE_CTL_DOCTOR_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include <keystile/error.h>

/* Also what the command ends with, or with the last. */
enum doctor_verdict { DOCTOR_PASS, DOCTOR_WARN, DOCTOR_FAIL, DOCTOR_MISUSED };

struct doctor {
	json_t *findings; /* array of {"check", "verdict", "found", "remedy", "advice"} */
	enum doctor_verdict worst;
	json_t *status; /* what the agent said of itself; NULL: none was reached */
};

/*
 * Notes what a check found. remedy is a line for a shell, as it can be pasted; behind a line end in
 * it words for the person may follow. "" where there is nothing to mend.
 */
void doctor_say(struct doctor *doctor, enum doctor_verdict verdict, const char *check,
	const char *remedy, const char *format, ...) KS_PRINTF(5, 6);

/* One that stands in JSON already; a reference is taken. */
void doctor_add(struct doctor *doctor, json_t *finding);

typedef void doctor_check(struct doctor *doctor);

/*
 * doctor_apart.c: a check that may hang or crash, in a process of its own. False: it did, and found
 * nothing.
 */
bool doctor_apart(struct doctor *doctor, doctor_check *check, unsigned seconds);

/* doctor_agent.c: who is behind SSH_AUTH_SOCK; the first of all, sets status. */
void doctor_check_agent(struct doctor *doctor);
/* What the agent itself complains of: providers, tokens, sockets, how it would ask. */
void doctor_check_status(struct doctor *doctor);
/* doctor_devices.c: all of the next three, and security keys. */
void doctor_check_devices(struct doctor *doctor);
/* doctor_readers.c: pcscd, its driver, its polkit, who holds a reader. */
void doctor_check_readers(struct doctor *doctor);
/* doctor_tpm.c: permissions, wrong PINs, firmware. */
void doctor_check_tpm(struct doctor *doctor);
/* Small files, as /sys has them. */
bool doctor_file_begins(const char *path, const void *bytes, size_t len);
bool doctor_any_file(const char *pattern);
/* doctor_session.c: display, systemd's environment, ssh, known_hosts, clock. */
void doctor_check_session(struct doctor *doctor);
/* doctor_provider.c: could this library be loaded? */
void doctor_check_provider(struct doctor *doctor, const char *path);

/* All of them, and of these libraries; prints; a verdict. */
int doctor_run(bool as_json, char *const *libraries, int count);

#endif

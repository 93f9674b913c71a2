/*
 * The agent's control socket seen from the command (include/keystile/control.h): finding it,
 * proving not to be relayed, one question and its answer. What goes wrong is said on standard
 * error, with what to do, before a function returns.
 */
#ifndef KEYSTILE_CTL_CONTROL_H
#define KEYSTILE_CTL_CONTROL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <jansson.h>

#include <keystile/buffer.h>

#define CONTROL_PATIENCE_MS 5000 /* for everything together */

/* Who listens where ssh and its like look for an agent. */
struct auth_socket {
	const char *path; /* SSH_AUTH_SOCK, borrowed from the environment; NULL: not set */
	int trouble;	  /* 0, or why nobody was reached there (errno) */
	pid_t pid;	  /* 0: of a process that can't be seen from here */
};

struct control {
	int fd;
	char *path; /* of the socket; NULL before it was found */
	pid_t pid;  /* who listens there; 0 as above */
	int64_t deadline_ms;
	struct auth_socket auth;
};

/*
 * Connects to the agent that KEYSTILE_CONTROL names, else to the one behind SSH_AUTH_SOCK, else to
 * the person's own. KS_OK: greeted, and control_close() is due. Any error has been said; auth is
 * filled in all the same.
 */
KS_MUST_CHECK enum ks_error control_open(struct control *control);
/* A person is asked meanwhile: so long from now. */
void control_be_patient(struct control *control, int patience_ms);
/* Until the deadline, at least 1. */
int control_left_ms(const struct control *control);
void control_close(struct control *control);

/* Asks one command; the caller gives *answer back with json_decref(). It has "ok": true. */
KS_MUST_CHECK enum ks_error control_call(
	struct control *control, const char *command, json_t **answer);
/* The same with a whole request, to which a reference is taken. */
KS_MUST_CHECK enum ks_error control_ask(struct control *control, json_t *request, json_t **answer);

/* The same with a descriptor that goes along; it stays the caller's. */
KS_MUST_CHECK enum ks_error control_hand_over(
	struct control *control, json_t *request, int descriptor, json_t **answer);
/* What the agent says unasked, within a patience of its own; the caller gives it back. */
KS_MUST_CHECK enum ks_error control_hear(struct control *control, json_t **object);

/* "keystile: ..." with everything but printable ASCII and line ends escaped. */
void complain(const char *format, ...) KS_PRINTF(1, 2);
/* Complaints are appended to said instead, without "keystile: ", until NULL is given. */
void complain_into(struct buf *said);

#endif

/*
 * One worker process as the agent sees it: starting it, the frames to and from it, the
 * operations it has in work, their deadlines, and its end, whether it was told to go, crashed, hung
 * or sent nonsense. A worker never costs more than the operations that it held.
 *
 *   worker_new ─▶ STARTING ──hello──▶ READY ──worker_end, EOF, nonsense, late──▶ ENDED
 */
#ifndef AGENT_WORKER_H
#define AGENT_WORKER_H

#include <keystile/backend.h>
#include <keystile/frame.h>

#include "quiet.h"
#include "stream.h"
#include "worker_output.h"

struct agent;
struct broker;
struct commands;
struct worker;
struct operation;

struct worker_events {
	/*
	 * Borrowed, checked by frame_decode(); keys not parsed yet. An error: it is no time for
	 * tokens, and the worker has lost its mind.
	 */
	enum ks_error (*token)(struct worker *worker, const struct ks_token *token,
		const struct ks_key *keys, size_t count);
	enum ks_error (*token_gone)(struct worker *worker, uint32_t token);
	enum ks_error (*card)(struct worker *worker, const struct frame_card *card);
	/*
	 * The process is lost; its operations have been answered with errors. why is for a person.
	 * The worker frees itself; the pointer is dead after this call.
	 */
	void (*ended)(struct worker *worker, const char *why);
};

/* How an operation goes. None is called after operation_abandon(). */
struct operation_events {
	/* Once, at the end; the operation is dead after this call. words and result are borrowed.
	 */
	void (*done)(struct operation *operation, enum ks_error error, struct bytes words,
		struct bytes result);
	/* The worker wants a PIN. Answer with operation_answer_pin(). NULL: always KS_PIN_NEEDED.
	 */
	void (*ask_pin)(
		struct operation *operation, uint32_t token, int32_t tries_left, bool retry);
	/* The token waits for a touch, or does no longer. Answer awaited with
	 * operation_answer_touch(). */
	void (*touch)(struct operation *operation, uint32_t token, bool awaited);
	/* The token whose PIN a person is asked for was pulled. NULL: the worker has to see to it.
	 */
	void (*token_gone)(struct operation *operation);
	/* It waits for the token that operation->waits_for names. Optional. */
	void (*waits)(struct operation *operation);
};

struct operation {
	struct operation *next;
	struct worker *worker;
	const struct operation_events *events; /* NULL when abandoned */
	void *owner;
	struct buf frame; /* encoded, until it is sent */
	int fd;		  /* goes with the frame, or -1 */
	uint32_t id;
	enum frame_type type;
	uint32_t token; /* of a signature; where a key may be on any, once it was found */
	uint32_t named; /* the one that the worker was told */
	uint32_t used;	/* where a key may be on any: that alone was it; 0: not known, or several */
	uint32_t waits_for; /* this token, which others use; 0: none */
	char *path;	    /* of a remote one, see prompt_path.h; NULL: not told apart */
	uint64_t round;	    /* of a remote one that waits: in which it is its path's turn */
	bool remote;
	bool urgent;
	bool running;
	bool cancel_sent;    /* the deadline passed, or who asked has gone */
	bool asking;	     /* a person is being asked: the deadline stands still */
	unsigned pins_asked; /* how often the worker asked */
	bool pin_given;	     /* a PIN was handed over for this operation */
	bool touch_noticed;  /* the person was told to touch */
	bool touch_asked;    /* an answer to the worker's notice is due: likewise */
	bool touching;	     /* the token waits, or is about to */
	unsigned touches_asked;
	uint64_t touch_asked_ms;
	uint32_t presence; /* enum ks_presence bits that the worker vouches for */
	uint64_t deadline_ms;
	uint32_t timeout_ms;
};

enum worker_state { WORKER_STARTING, WORKER_READY, WORKER_ENDED };

/* What the worker said of its confinement, before any foreign code ran in it. */
struct worker_confinement {
	bool told;
	bool filtered;	   /* system calls */
	bool brokered;	   /* the agent connects for it */
	unsigned landlock; /* version of the kernel's interface, 0: none */
	char lacking[160]; /* words as the worker said them, "" where nothing is */
};

struct worker {
	struct agent *agent;
	const struct ks_needs *needs;
	enum worker_state state;
	const struct worker_events *events;
	void *owner;
	struct stream stream;
	uv_process_t process;
	uv_timer_t clock; /* runs while operations do */
	unsigned handles; /* of libuv, still open */
	pid_t pid;
	int exit_status;
	int exit_signal;
	unsigned hung_up; /* ticks of the clock since its socket ended, and one; 0: it has not */
	bool killed;	  /* by us, as it did not end */
	struct buf in;
	struct operation *operations; /* oldest first */
	unsigned running;
	unsigned waiting;
	unsigned remote_running;
	unsigned remote_waiting;
	uint64_t round; /* of the remote one that began last */
	unsigned parallel;
	uint32_t last_id;
	uint32_t
		first_token; /* where keys that are added are said to be; 0: none was told of yet */
	struct quiet quiet;  /* when its signatures ended, for better or worse, or it began */
	struct worker_confinement confinement;
	char *shown; /* its provider's name, for what it is kept from; NULL until it is opened */
	struct broker *broker;	   /* for when it is confined; until then ours */
	struct commands *commands; /* that it may talk to; NULL: none */
	int incoming_fd;	   /* came with bytes that are no whole frame yet, -1: none */
	int memory_fd;		   /* its memory, until its broker has it; -1: none */
	struct worker_output output;
	unsigned unasked;      /* what it sent of its own accord since the clock ticked last */
	unsigned lines;	       /* of the log, likewise */
	unsigned long dropped; /* lines that were too many */
};

/* Operations that one worker may have waiting beyond those it works on. */
#define WORKER_WAITING_MAX 256

/* Starts the process. On failure words (borrowed, static) say why. */
KS_MUST_CHECK enum ks_error worker_new(struct agent *agent, const struct ks_needs *needs,
	const struct worker_events *events, void *owner, struct worker **out);
/* Ends it without calling ended(); its operations are answered: the provider was removed. */
void worker_end(struct worker *worker);
/* Ends it because of what it did: logs, answers its operations, calls ended(). */
void worker_fail(struct worker *worker, const char *why);

/* What worker_operate() is asked for. */
struct operation_wish {
	struct frame *frame; /* its operation and its timeout field are filled in */
	int fd;		     /* goes with it, taken; -1: none */
	bool remote;	     /* for a remote connection: these hold at most half of all places */
	const char *path; /* the way by which it came: one holds at most half of theirs; copied */
	bool urgent;	  /* goes before all that wait, and is never refused for want of a place;
			     where clients add keys, one place is for it alone */
	const struct operation_events *events;
	void *owner;
};

/*
 * Hands an operation to the worker, now or when it has room. KS_BUSY when too many wait. *out lives
 * until done().
 */
KS_MUST_CHECK enum ks_error worker_operate(
	struct worker *worker, const struct operation_wish *wish, struct operation **out);
/* Who asked has gone: the worker is told to cancel, the result will be dropped. */
void operation_abandon(struct operation *operation);
/* verdict KS_OK hands over fd, the reading end of a pipe that holds the PIN; fd is taken. */
void operation_answer_pin(struct operation *operation, enum ks_error verdict, int fd);
void operation_answer_touch(struct operation *operation, enum ks_error verdict);
/* A token was pulled: nobody is to type its PIN any more. */
void operations_token_gone(struct worker *worker, uint32_t token);
/* Requests for that token that wait for others, here or in the worker. */
unsigned worker_count_waiting(const struct worker *worker, uint32_t token);
/* It is of a remote request, and keeps a local one waiting for that token. */
bool operation_is_in_the_way(const struct operation *operation);
/* The token that it is with; 0: that is not known, or it is with several. */
uint32_t operation_token(const struct operation *operation);
/* No other signature with this one's token is in work, given up or not. */
bool operation_is_alone(const struct operation *operation);
/*
 * That remote request's signature for which a person is asked to touch this token, or NULL. Where a
 * key may be on any token, one signature has a token at a time: also one whose PIN is asked for,
 * and one whose token is just being chosen.
 */
struct operation *worker_remote_user(const struct worker *worker, uint32_t token);

#endif

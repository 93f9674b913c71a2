/*
 * The inside of a worker. parallel + 1 threads take turns at the socket: the one whose turn
 * it is reads frames, acts on cancels and answers itself, and keeps the first operation it
 * meets: it gives its turn back and calls the backend. The next turn is given when there is
 * something to read, and to the thread that came last, so that requests one after the other wake
 * but one thread. No operation is handed from thread to thread, and as the agent never has more
 * than parallel operations in work, one thread is always left to hear of a cancel or an answer.
 */
#ifndef KEYSTILE_WORKER_WORKER_H
#define KEYSTILE_WORKER_WORKER_H

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "channel.h"

#define PARALLEL_MAX 16
/* What the agent understands; frame_decode() refuses other bits. */
#define TOKEN_FLAGS_KNOWN                                                                          \
	(KS_TOKEN_NEEDS_LOGIN | KS_TOKEN_LOGGED_IN | KS_TOKEN_PIN_PAD | KS_TOKEN_LAST_TRY |        \
		KS_TOKEN_PIN_BLOCKED | KS_TOKEN_NO_PIN | KS_TOKEN_SHARED)
#define KEY_FLAGS_KNOWN (KS_KEY_ALWAYS_PIN | KS_KEY_ALWAYS_TOUCH)

/* Life of the provider: each step is taken once. */
enum provider_state {
	PROVIDER_UNKNOWN,
	PROVIDER_LOCATED, /* canonical is set */
	PROVIDER_OPEN,	  /* state is the backend's */
	PROVIDER_FAILED,
};

/* A question to the agent; it is put once and answered once, though perhaps too late. */
enum question_state { QUESTION_NONE, QUESTION_ASKED, QUESTION_ANSWERED, QUESTION_GIVEN_UP };

struct question {
	enum question_state state;
	enum ks_error verdict;
	int fd; /* that came with the answer, -1 for none */
};

/* One for each thread, used again for each operation that the thread keeps. */
struct ks_operation {
	struct ks_worker *worker;
	struct incoming incoming; /* the frame in work */
	struct timespec deadline; /* CLOCK_MONOTONIC */
	atomic_bool cancelled;	  /* by the agent */
	bool pin_given;		  /* the only ground for claiming KS_PRESENCE_PIN */
	bool touch_shown;	  /* FRAME_TOUCH_AWAITED was sent and said yes to */
	char *words;		  /* ks_explain() */

	/* Under the worker's lock, which other threads take to find and answer it. */
	bool running;
	uint32_t id;
	struct question pin;
	struct question touch;
	pthread_cond_t answered; /* or cancelled */
	int cancel_fd;		 /* timer, -1 until it is asked for */
};

/* Lines of the log in the current second; under a lock of its own. */
struct log_budget {
	pthread_mutex_t lock;
	time_t second;
	unsigned lines;
	unsigned dropped;
};

struct ks_worker {
	const struct ks_backend *backend;
	struct channel channel;
	int memory_fd;		 /* until the agent has it, -1 for none */
	int turns;		 /* epoll descriptor that gives the turn to one thread */
	pthread_barrier_t begun; /* every thread but the first one, and who started them */
	pthread_mutex_t reading; /* held for a turn: says in C what turns says in the kernel */
	bool greeted;		 /* by the agent; under reading */

	pthread_mutex_t lock;
	pthread_cond_t idle; /* running became 0 */
	enum provider_state provider;
	char *canonical;
	struct buf grants; /* as FRAME_OPEN has them; not changed after it */
	void *state;
	unsigned running;
	uint32_t ended[PARALLEL_MAX]; /* ids of the last ones, for answers that crossed */
	unsigned ended_next;

	struct log_budget log;
	struct ks_operation operations[PARALLEL_MAX + 1];
};

/* Runs the worker until the agent ends it; does not return. */
_Noreturn void worker_run(const struct ks_backend *backend, int channel_fd, int memory_fd);

/*
 * The threads beside the one that calls, which is the only one before open(): what confines it
 * holds for them too.
 */
KS_MUST_CHECK enum ks_error worker_start_threads(struct ks_worker *worker);

/* The agent broke the rules of docs/PROTOCOL.md: says so in the log and ends the process. */
_Noreturn void worker_fail(const struct ks_worker *worker, const char *what);

#endif

/*
 * Attempts of which something else than an error number tells how they went: the process dies, or
 * should, or somebody else must not notice.
 */
#include "hostile.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define AGENT_FD 3
#define LINE 80
#define PIECE ((size_t)16 << 20)

static void wait_for_ever(void)
{
	for (;;)
		pause();
}

static void *write_without_end(void *argument)
{
	static const char words[] = "\033[2J flood";
	static char text[4096 - 4096 % LINE];
	int fd = *(int *)argument;

	memset(text, 'x', sizeof(text));
	for (size_t i = 0; i + LINE <= sizeof(text); i += LINE) {
		memcpy(text + i, words, sizeof(words) - 1);
		text[i + LINE - 1] = '\n';
	}
	(void)fcntl(fd, F_SETFL, 0); /* it may even wait until there is room */
	for (;;)
		if (write(fd, text, sizeof(text)) < 0)
			usleep(1000);
	return NULL;
}

static void flood_output(void)
{
	static int fds[] = {STDOUT_FILENO, STDERR_FILENO};
	pthread_t thread;

	for (int i = 0; i < 2; i++)
		(void)pthread_create(&thread, NULL, write_without_end, &fds[i]);
	wait_for_ever();
}

static const unsigned char *log_frame(size_t *len)
{
	static unsigned char frame[4 + 1 + 4 + 4 + 4 + 100];
	const size_t body = sizeof(frame) - 4;

	memset(frame, 'x', sizeof(frame));
	memset(frame, 0, 17);
	frame[3] = (unsigned char)body;
	frame[4] = 40; /* FRAME_LOG */
	frame[12] = 0; /* an error */
	frame[16] = 100;
	*len = sizeof(frame);
	return frame;
}

/* A million lines and then some, past the library that counts them. */
static void *log_without_end(void *argument)
{
	size_t len;
	const unsigned char *frame = log_frame(&len);
	unsigned char *many = malloc(len * 100);

	(void)argument;
	for (size_t i = 0; many != NULL && i < 100; i++)
		memcpy(many + i * len, frame, len);
	while (many != NULL && write(AGENT_FD, many, len * 100) == (ssize_t)(len * 100))
		continue;
	return NULL;
}

static void flood_agent(void)
{
	pthread_t thread;

	(void)pthread_create(&thread, NULL, log_without_end, NULL);
	wait_for_ever();
}

static void talk_nonsense(void)
{
	static const char words[] = "\xff\xff\xff\xff nonsense";

	if (write(AGENT_FD, words, sizeof(words)) > 0)
		wait_for_ever();
}

/* Until there is no more; what comes of it is used as it is, as careless code does. */
static void take_memory(void)
{
	for (;;) {
		char *piece = mmap(NULL, PIECE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

		*(volatile char *)piece = 1;
	}
}

static void *spin(void *argument)
{
	(void)argument;
	for (volatile unsigned long turns = 0;; turns++)
		continue;
	return NULL;
}

/* Who is told to die with its parent is the first thread. */
static void lose_first_thread(void)
{
	pthread_t thread;
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	if (pthread_create(&thread, NULL, spin, NULL) == 0)
		syscall(SYS_exit, 0);
}

static void stop(void)
{
	raise(SIGSTOP);
}

static void hang_up(void)
{
	close(AGENT_FD);
	wait_for_ever();
}

/* Against all that a process can be told. */
static void hold_out(void)
{
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	for (int number = 1; number < 65; number++)
		(void)signal(number, SIG_IGN);
	setsid();
	wait_for_ever();
}

#ifdef __x86_64__
static void call_in_32_bits(void)
{
	long number = 20; /* getpid there */

	__asm__ volatile("int $0x80" : "+a"(number) : : "memory");
}

static void call_in_x32(void)
{
	syscall(0x40000000 | SYS_getpid);
}
#endif

static const struct {
	const char *name;
	void (*act)(void);
} acts[] = {
	{"flood output", flood_output},
	{"flood the agent", flood_agent},
	{"talk nonsense", talk_nonsense},
	{"take memory", take_memory},
	{"lose the first thread", lose_first_thread},
	{"stop", stop},
	{"hang up", hang_up},
	{"hold out", hold_out},
#ifdef __x86_64__
	{"call in 32 bits", call_in_32_bits},
	{"call in x32", call_in_x32},
#endif
};

void hostile_act(const char *name)
{
	for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]); i++)
		if (strcmp(acts[i].name, name) == 0)
			acts[i].act();
}

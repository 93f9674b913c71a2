/*
 * Lifetimes of keys and providers (ssh-add -t, -t). They count while the machine sleeps too, as
 * ssh-agent's do, so they are kept by a clock of the kernel that does (CLOCK_BOOTTIME), and not by
 * libuv's timers.
 */
#ifndef AGENT_EXPIRY_H
#define AGENT_EXPIRY_H

#include <stdint.h>

#include <uv.h>

#include <keystile/error.h>

struct agent;

struct expiry {
	uv_poll_t poll;
	int fd;		  /* a timer of the kernel, -1: there is none */
	uint64_t next_ms; /* when it is due, 0: never */
};

uint64_t expiry_now_ms(void);
/* The time that is seconds from now, never 0. */
uint64_t expiry_after(uint32_t seconds);

KS_MUST_CHECK enum ks_error expiry_init(struct agent *agent);
void expiry_deinit(struct agent *agent);
/* Something is due at that time (0: never), perhaps sooner than what was before. */
void expiry_at(struct agent *agent, uint64_t when_ms);
/* Drops what is over by now; cheap where nothing is. Before each message, so that 0 seconds are
 * none. */
void expiry_check(struct agent *agent);

#endif

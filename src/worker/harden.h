/*
 * What a worker gives up before it reads a byte. This part is the same for every
 * backend; what differs between them (files, sockets, system calls) stands in the
 * backend's struct ks_needs, which is what a sandbox reads between locate() and open().
 */
#ifndef KEYSTILE_WORKER_HARDEN_H
#define KEYSTILE_WORKER_HARDEN_H

#include <stdbool.h>

/* 16 threads with 8 MiB of stack and 64 MiB of malloc's arena each fit twice. */
#define HARDEN_ADDRESS_SPACE_MAX ((rlim_t)4 << 30)
/* Memory that is written: stacks and heap. OpenSC, SoftHSM and tpm2-pkcs11 need some 200 MiB. */
#define HARDEN_DATA_MAX ((rlim_t)1 << 30)

/*
 * What a worker, and a program that it starts for itself, gives up alike; exec() gives some of it
 * back. With foreign code it is also the first to go when the machine runs out of memory. NULL, or
 * the name of what was kept, with errno.
 */
const char *harden_program(bool foreign_code);

/*
 * Where foreign code runs: a crash for want of memory says so on standard error, by which the agent
 * tells the person. Code that handles such signals itself is not told of.
 */
void harden_explain_crashes(void);
/*
 * A worker: gives everything up but stdin, stdout, stderr, descriptor channel and those from there
 * up to last. NULL when all of it worked, otherwise the name of what was kept, with errno set; the
 * process must then end.
 */
const char *harden(int channel, int last, bool foreign_code);

#endif

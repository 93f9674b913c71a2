/*
 * What a worker gives up before it reads a byte. This part is the same for every
 * backend; what differs between them (files, sockets, system calls) stands in the
 * backend's struct ks_needs, which is what a sandbox reads between locate() and open().
 */
#ifndef KEYSTILE_WORKER_HARDEN_H
#define KEYSTILE_WORKER_HARDEN_H

/*
 * What a worker, and a program that it starts for itself, gives up alike; exec() gives some of it
 * back. NULL, or the name of what was kept, with errno.
 */
const char *harden_program(void);

/*
 * A worker: gives everything up but stdin, stdout, stderr, descriptor channel and those from there
 * up to last. NULL when all of it worked, otherwise the name of what was kept, with errno set; the
 * process must then end.
 */
const char *harden(int channel, int last);

#endif

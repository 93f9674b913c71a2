/*
 * Root's powers, one by one: what a process does not need it gives up, so that to be root's is not
 * to be root.
 */
#ifndef KEYSTILE_CAPABILITIES_H
#define KEYSTILE_CAPABILITIES_H

#include <stdbool.h>
#include <stdint.h>

#define CAPABILITY(number) (UINT64_C(1) << (number)) /* CAP_... of linux/capability.h */

/*
 * The calling thread, and what it starts from now on, holds none but those in kept, and hands none
 * on by exec() of its own accord. PR_SET_NO_NEW_PRIVS must be set, or exec() gives root all of them
 * back. False with errno.
 */
bool capabilities_keep(uint64_t kept);
/* What the calling thread may use now. */
uint64_t capabilities_held(void);

#endif

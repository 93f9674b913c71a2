/*
 * Room in a TPM without resource manager, among the workers of one person: who finds none says so
 * in a file of the folder of state, and who holds something looks there each second.
 */
#ifndef KEYSTILE_TPM2_WANTED_H
#define KEYSTILE_TPM2_WANTED_H

#include <stdbool.h>
#include <time.h>

/* The folder may be NULL: then nobody is told. */
void wanted_ask(const char *state_folder);
/* Whether another process has asked since *seen, which is set. */
bool wanted_by_another(const char *state_folder, struct timespec *seen);

#endif

/*
 * Loading and removing what leaves open which providers it means (provider_find.h): each that is
 * found is loaded or removed as if it had been named, side by side. Loading has succeeded where one
 * of them has keys; then the client is answered, and the others may still come.
 */
#ifndef AGENT_PROVIDER_SEVERAL_H
#define AGENT_PROVIDER_SEVERAL_H

#include "connection.h"

struct constraints;

/*
 * given is taken, and so is pin_fd (-1: no PIN), which is used only where it is clear for whose
 * token it was typed. constraints is borrowed; NULL: they are to be removed. Answers the
 * connection.
 */
void provider_several(
	struct connection *connection, char *given, struct constraints *constraints, int pin_fd);

#endif

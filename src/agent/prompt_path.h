/*
 * The way that a remote request came, as far as nobody at its far end can make up another one: by
 * it requests take turns, share places and are quiet after a no.
 */
#ifndef AGENT_PROMPT_PATH_H
#define AGENT_PROMPT_PATH_H

#include "peer.h"

/*
 * listener: the name of the one on which it came in. NULL: out of memory; the caller frees it.
 */
char *prompt_path(const struct peer *peer, const char *listener);

#endif

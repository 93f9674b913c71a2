/*
 * Text of strangers in JSON.
 */
#ifndef AGENT_FOREIGN_TEXT_H
#define AGENT_FOREIGN_TEXT_H

#include <jansson.h>

/*
 * A string of a text that may not be UTF-8, which jansson refuses: tokens and clients write what
 * they like. A new reference, NULL when out of memory.
 */
json_t *foreign_text(const char *text);

#endif

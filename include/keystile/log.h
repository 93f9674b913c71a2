/*
 * Log lines for people. A failure is logged once, where it starts. Text that
 * comes from a client, a token or a module is passed through text_quote() first.
 * Secrets are never logged.
 */
#ifndef KEYSTILE_LOG_H
#define KEYSTILE_LOG_H

#include <keystile/error.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* Where lines go. The sink gets a level and one line without its newline. */
typedef void log_sink(enum log_level level, const char *line, void *context);

/* Writes to stderr as "name: line" by default; level LOG_LEVEL_WARNING. */
void log_start(const char *name, enum log_level level);
void log_to(log_sink *sink, void *context); /* NULL: back to stderr */
enum log_level log_level(void);

void log_error(const char *format, ...) KS_PRINTF(1, 2);
void log_warning(const char *format, ...) KS_PRINTF(1, 2);
void log_info(const char *format, ...) KS_PRINTF(1, 2);
void log_debug(const char *format, ...) KS_PRINTF(1, 2);

#endif

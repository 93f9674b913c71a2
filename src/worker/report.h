/*
 * What a worker tells its agent of its own accord: log lines, tokens, progress.
 */
#ifndef KEYSTILE_WORKER_REPORT_H
#define KEYSTILE_WORKER_REPORT_H

#include <keystile/log.h>

#include "worker.h"

#define LOG_LINES_PER_SECOND 100

void report_init(struct ks_worker *worker);
/* A log_sink; context is the worker. Over the budget a line is counted instead of sent. */
void report_log(enum log_level level, const char *line, void *context);
/* Says how many lines were dropped, if any were and their second is over. */
void report_dropped(struct ks_worker *worker);

#define REPORT_DENIALS_MAX 64
/* From here on report_denial() tells who is at its other end. */
void report_denials(struct channel *channel);
/* The confinement kept code of this process from a file. From any thread; few are told. */
void report_denial(const char *path, bool writes);

/* A frame of a program that this operation runs, as if it came from this process. */
KS_MUST_CHECK enum ks_error report_for_program(
	struct ks_operation *operation, const struct frame *frame, int fd);

#endif

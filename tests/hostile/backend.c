/*
 * A backend whose own code was taken over, with the needs of a real one: what holds a worker is
 * tried from the inside of it, also where the worker runs no module. Built into programs of the
 * real one's name, for tests alone.
 */
#include <keystile/backends.h>

#include "hostile.h"

extern const struct ks_needs HOSTILE_NEEDS;

static enum ks_error strike(struct ks_worker *worker, struct ks_operation *operation,
	const char *canonical, void **state)
{
	(void)worker;
	(void)operation;
	(void)canonical;
	*state = NULL;
	hostile_run();
	return KS_DEVICE_FAILED;
}

static enum ks_error list(void *state, struct ks_operation *operation)
{
	(void)state;
	(void)operation;
	return KS_DEVICE_FAILED;
}

static enum ks_error login(void *state, struct ks_operation *operation, const struct secret *pin)
{
	(void)pin;
	return list(state, operation);
}

static enum ks_error sign(void *state, struct ks_operation *operation,
	const struct ks_sign *request, struct buf *signature)
{
	(void)request;
	(void)signature;
	return list(state, operation);
}

static void end(void *state)
{
	(void)state;
}

static const struct ks_backend hostile = {
	.version = KEYSTILE_BACKEND_VERSION,
	.needs = &HOSTILE_NEEDS,
	.parallel = 2,
	.open = strike,
	.list = list,
	.login = login,
	.sign = sign,
	.close = end,
};

const struct ks_backend *const ks_this_backend = &hostile;

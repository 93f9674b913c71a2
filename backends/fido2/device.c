/*
 * Opening a token's device, which another program may have just now: a browser that asks for a
 * touch, or ssh-keygen.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include <fido/err.h>

#include <keystile/cleanup.h>
#include <keystile/log.h>

#include "code.h"
#include "signing.h"

#define BUSY_MS 2000
#define PATIENT_MS 5000
#define BUSY_STEP_MS 50

uint32_t device_patience_ms(const struct signing *signing)
{
	if (signing->patient)
		return PATIENT_MS;
	return signing->request->remote ? 0 : BUSY_MS;
}

enum ks_error device_rest(const struct signing *signing, uint32_t *patience_ms)
{
	struct pollfd over = {.fd = ks_cancel_fd(signing->operation), .events = POLLIN};

	if (*patience_ms < BUSY_STEP_MS)
		return code_error(signing->operation, FIDO_ERR_CHANNEL_BUSY);
	*patience_ms -= BUSY_STEP_MS;
	return poll(&over, 1, BUSY_STEP_MS) != 0 ? KS_CANCELLED : KS_OK;
}

static enum ks_error not_opened(const struct signing *signing, const char *path, int error)
{
	log_error("%s can't be opened: %s", path, strerror(error));
	ks_explain(signing->operation, "%s can't be opened: %s", path, strerror(error));
	return error == ENOENT || error == ENODEV || error == ENXIO ? KS_NO_TOKEN
								    : KS_DEVICE_FAILED;
}

static enum ks_error open_node(
	const struct signing *signing, const char *path, uint32_t *patience_ms, int *out)
{
	enum ks_error error = KS_OK;

	do {
		*out = open(path, O_RDWR | O_CLOEXEC | O_NOCTTY);
		if (*out >= 0)
			return KS_OK;
		if (errno != EBUSY && errno != EAGAIN && errno != EINTR)
			return not_opened(signing, path, errno);
		error = device_rest(signing, patience_ms);
	} while (error == KS_OK);
	return error;
}

/* Programs that use libfido2, as this does, lock the device as long as they speak with it. */
static enum ks_error lock_device(const struct signing *signing, int device, uint32_t *patience_ms)
{
	enum ks_error error = KS_OK;

	while (error == KS_OK && flock(device, LOCK_EX | LOCK_NB) != 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return KS_OK; /* it can't be locked by anybody */
		error = device_rest(signing, patience_ms);
	}
	return error;
}

enum ks_error device_open(struct signing *signing, struct fido_token *token)
{
	AUTO(fd) device = -1;
	uint32_t patience_ms = device_patience_ms(signing);
	enum ks_error error = open_node(signing, token->path, &patience_ms, &device);

	if (error != KS_OK)
		return error;
	error = token_check_node(signing->tokens, token, device);
	if (error != KS_OK)
		return code_error(signing->operation, TOKEN_CODE_GONE);
	error = lock_device(signing, device, &patience_ms);
	if (error != KS_OK)
		return error;
	return session_start(&token->session, signing->operation, TAKE_FD(device), token->removed);
}

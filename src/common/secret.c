/*
 * Memory for secrets: pages of their own, so that locking, leaving out of dumps
 * and wiping in a forked child cover nothing else and miss nothing. A forked child
 * finds zeroes there, not locked: who goes on as a child makes its secrets after that.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <keystile/cleanup.h>
#include <keystile/log.h>
#include <keystile/secret.h>

#define SECRET_CAP_MAX ((size_t)1 << 20)

/* One byte beyond cap is there too: secret_read() sees by it that too much came. */
static size_t secret_mapped(const struct secret *secret)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return (secret->cap + 1 + page - 1) / page * page;
}

enum ks_error secret_init(struct secret *secret, size_t cap)
{
	void *pages;

	*secret = (struct secret){0};
	if (cap == 0 || cap > SECRET_CAP_MAX)
		return KS_BAD_INPUT;
	secret->cap = cap;
	pages = mmap(NULL, secret_mapped(secret), PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (pages == MAP_FAILED) {
		log_error("no memory for a secret: %s", strerror(errno));
		*secret = (struct secret){0};
		return KS_NO_MEMORY;
	}
	secret->data = pages;
	secret->locked = mlock(pages, secret_mapped(secret)) == 0;
	/* Old kernels lack one or the other; RLIMIT_CORE and PR_SET_DUMPABLE stand besides. */
	if (madvise(pages, secret_mapped(secret), MADV_DONTDUMP) != 0 ||
		madvise(pages, secret_mapped(secret), MADV_WIPEONFORK) != 0)
		log_debug("memory of a secret: madvise: %s", strerror(errno));
	return KS_OK;
}

void secret_wipe(struct secret *secret)
{
	if (secret->data)
		explicit_bzero(secret->data, secret_mapped(secret));
	secret->len = 0;
}

void secret_deinit(struct secret *secret)
{
	secret_wipe(secret);
	if (secret->data)
		munmap(secret->data, secret_mapped(secret));
	*secret = (struct secret){0};
}

enum ks_error secret_read(struct secret *secret, int fd)
{
	ssize_t got;

	if (!secret->data)
		return KS_BAD_INPUT;
	secret_wipe(secret);
	do {
		got = read(fd, secret->data + secret->len, secret->cap + 1 - secret->len);
		if (got > 0)
			secret->len += (size_t)got;
	} while (secret->len <= secret->cap && (got > 0 || (got < 0 && errno == EINTR)));
	if (got == 0)
		return KS_OK;
	if (got < 0)
		log_error("reading a secret: %s", strerror(errno));
	secret_wipe(secret);
	return KS_BAD_INPUT;
}

enum ks_error secret_to_pipe(const uint8_t *data, size_t len, int *out)
{
	int ends[2];
	ssize_t written;

	*out = -1;
	if (len == 0 || len > SECRET_PIPE_MAX)
		return KS_BAD_INPUT;
	if (pipe2(ends, O_CLOEXEC) != 0) {
		log_error("no pipe for a secret: %s", strerror(errno));
		return KS_NO_MEMORY;
	}
	/* Who has very many pipes gets small ones: what does not fit must fail instead of wait. */
	written = fcntl(ends[1], F_SETFL, O_NONBLOCK) == 0 ? write(ends[1], data, len) : -1;
	close(ends[1]);
	if (written != (ssize_t)len) {
		log_error("a secret did not fit into its pipe");
		close(ends[0]);
		return KS_NO_MEMORY;
	}
	*out = ends[0];
	return KS_OK;
}

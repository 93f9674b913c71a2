/*
 * Byte strings, a bounded buffer that owns and wipes, and a reader over borrowed
 * bytes. Both speak the types of RFC 4251 section 5. A buffer or reader that
 * failed once stays failed and does nothing more, so a whole message is put or
 * read in a row and checked once at its end.
 */
#ifndef KEYSTILE_BUFFER_H
#define KEYSTILE_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <keystile/error.h>

/* Borrowed bytes: whoever hands them out owns them. */
struct bytes {
	const uint8_t *data;
	size_t len;
};

#define BYTES(pointer, length) ((struct bytes){.data = (pointer), .len = (length)})

struct bytes bytes_of(const char *text); /* without its NUL; NULL gives an empty one */
bool bytes_equal(struct bytes a, struct bytes b);
bool bytes_equal_text(struct bytes a, const char *text);

/* Bytes that are owned; zeroed means empty. Content is wiped before memory is given back. */
struct buf {
	uint8_t *data;
	size_t len;
	size_t cap;
	size_t max;  /* never grows beyond this; 0 means BUF_MAX_DEFAULT */
	bool failed; /* out of memory or over max, sticky */
};

#define BUF_MAX_DEFAULT ((size_t)1 << 20)

void buf_init(struct buf *buf, size_t max);
void buf_deinit(struct buf *buf); /* wipes, frees, zeroes; safe on a zeroed one */
void buf_clear(struct buf *buf);  /* wipes the content, keeps memory and max, clears failed */
void buf_consume(struct buf *buf, size_t len); /* drops bytes from the front */
uint8_t *buf_reserve(
	struct buf *buf, size_t len); /* room for len more bytes, or NULL; does not change len */
struct bytes buf_bytes(const struct buf *buf);

void buf_put(struct buf *buf, struct bytes bytes); /* raw, without a length */
void buf_put_u8(struct buf *buf, uint8_t value);
void buf_put_u32(struct buf *buf, uint32_t value);
void buf_put_u64(struct buf *buf, uint64_t value);
void buf_put_bool(struct buf *buf, bool value);
void buf_put_string(struct buf *buf, struct bytes string); /* u32 length and content */
void buf_put_text(struct buf *buf, const char *text);	   /* the same for C text; NULL is empty */
void buf_put_mpint(
	struct buf *buf, struct bytes magnitude); /* unsigned big-endian to RFC 4251 mpint */
/* Opens a string whose length is not known yet; close it with the offset that open returned. */
size_t buf_open_string(struct buf *buf);
void buf_close_string(struct buf *buf, size_t opened);
KS_MUST_CHECK enum ks_error buf_status(const struct buf *buf); /* KS_OK or KS_NO_MEMORY */

/* Reads from borrowed bytes; results borrow from them too. */
struct reader {
	const uint8_t *data;
	size_t left;
	bool failed; /* sticky; what was read after a failure is zero or empty */
};

struct reader reader_of(struct bytes bytes);
uint8_t reader_u8(struct reader *reader);
uint32_t reader_u32(struct reader *reader);
uint64_t reader_u64(struct reader *reader);
bool reader_bool(struct reader *reader); /* any nonzero byte is true (RFC 4251) */
struct bytes reader_string(struct reader *reader);
struct bytes reader_raw(struct reader *reader, size_t len);
/* Magnitude of a non-negative mpint without leading zeros; negative or longer than max_len fails.
 */
struct bytes reader_mpint(struct reader *reader, size_t max_len);
/*
 * A string as C text. Fails where it holds a NUL before its end (one trailing NUL
 * is tolerated, as OpenSSH does) or is longer than max_len. Returns a copy that
 * the caller frees, NULL on failure.
 */
char *reader_text(struct reader *reader, size_t max_len);
/* The same, borrowed: without the trailing NUL, and of any length. */
struct bytes reader_text_bytes(struct reader *reader);
/* KS_OK when nothing failed and nothing is left over, otherwise KS_BAD_INPUT. */
KS_MUST_CHECK enum ks_error reader_end(const struct reader *reader);
/* KS_OK when nothing failed, whatever is left over. */
KS_MUST_CHECK enum ks_error reader_status(const struct reader *reader);

#endif

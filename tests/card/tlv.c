/*
 * Reads and writes tags, lengths and values.
 */
#include "tlv.h"

#define TAG_GOES_ON 0x1f

static void put_length(struct buf *out, size_t len)
{
	if (len >= 0x100) {
		buf_put_u8(out, 0x82);
		buf_put_u8(out, (uint8_t)(len >> 8));
	} else if (len >= 0x80) {
		buf_put_u8(out, 0x81);
	}
	buf_put_u8(out, (uint8_t)len);
}

void tlv_put(struct buf *out, unsigned tag, struct bytes value)
{
	if (tag > 0xff)
		buf_put_u8(out, (uint8_t)(tag >> 8));
	buf_put_u8(out, (uint8_t)tag);
	put_length(out, value.len);
	buf_put(out, value);
}

void tlv_put_u8(struct buf *out, unsigned tag, uint8_t value)
{
	tlv_put(out, tag, BYTES(&value, 1));
}

static size_t length(struct reader *in)
{
	size_t first = reader_u8(in), len = 0;

	if (first < 0x80)
		return first;
	if (first != 0x81 && first != 0x82) {
		in->failed = true;
		return 0;
	}
	for (; first > 0x80; first--)
		len = len << 8 | reader_u8(in);
	return len;
}

struct bytes tlv_next(struct reader *in, unsigned *tag)
{
	*tag = reader_u8(in);
	if ((*tag & TAG_GOES_ON) == TAG_GOES_ON)
		*tag = *tag << 8 | reader_u8(in);
	return reader_raw(in, length(in));
}

struct bytes tlv_find(struct bytes in, unsigned tag)
{
	struct reader reader = reader_of(in);

	while (!reader.failed && reader.left > 0) {
		unsigned found;
		struct bytes value = tlv_next(&reader, &found);

		if (!reader.failed && found == tag)
			return value;
	}
	return BYTES(NULL, 0);
}

/*
 * BER-TLV as smartcards use it (ISO 7816-4 section 6.3): a tag of one or two bytes, a length of up
 * to three.
 */
#ifndef CARD_TLV_H
#define CARD_TLV_H

#include <keystile/buffer.h>

void tlv_put(struct buf *out, unsigned tag, struct bytes value);
void tlv_put_u8(struct buf *out, unsigned tag, uint8_t value);
/* The next element; what is malformed fails the reader. */
struct bytes tlv_next(struct reader *in, unsigned *tag);
/* The first element with that tag, its data NULL where there is none or the bytes are malformed. */
struct bytes tlv_find(struct bytes in, unsigned tag);

#endif

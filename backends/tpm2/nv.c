/*
 * Read in pieces that any TPM gives at once.
 */
#include "nv.h"

#include <string.h>

#define CHUNK_MAX 512

/* The empty authorisation value goes by HMAC as well. */
static TSS2_RC read_chunks(struct held *held, ESYS_TR place, uint8_t *out, UINT16 size)
{
	for (UINT16 at = 0; at < size;) {
		UINT16 chunk = size - at < CHUNK_MAX ? (UINT16)(size - at) : CHUNK_MAX;
		TPM2B_MAX_NV_BUFFER *data = NULL;
		TSS2_RC code = Esys_NV_Read(held->tpm.esys, place, place, held->session,
			ESYS_TR_NONE, ESYS_TR_NONE, chunk, at, &data);

		if (code != TSS2_RC_SUCCESS)
			return code;
		if (data->size != chunk) {
			Esys_Free(data);
			return TPM2_RC_SIZE;
		}
		memcpy(out + at, data->buffer, chunk);
		at = (UINT16)(at + chunk);
		Esys_Free(data);
	}
	return TSS2_RC_SUCCESS;
}

static bool read_object(struct held *held, ESYS_TR object, struct buf *out)
{
	TPM2B_NV_PUBLIC *public = NULL;
	uint8_t *room;
	UINT16 size = 0;
	bool good = Esys_NV_ReadPublic(held->tpm.esys, object, ESYS_TR_NONE, ESYS_TR_NONE,
			    ESYS_TR_NONE, &public, NULL) == TSS2_RC_SUCCESS;

	if (good)
		size = public->nvPublic.dataSize;
	Esys_Free(public);
	room = good && size <= NV_MAX ? buf_reserve(out, size) : NULL;
	if (room == NULL || read_chunks(held, object, room, size) != TSS2_RC_SUCCESS)
		return false;
	out->len += size;
	return true;
}

bool nv_read(struct held *held, TPM2_HANDLE place, struct buf *out)
{
	ESYS_TR object = ESYS_TR_NONE;
	bool good;

	if (Esys_TR_FromTPMPublic(held->tpm.esys, place, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
		    &object) != TSS2_RC_SUCCESS)
		return false;
	good = read_object(held, object, out);
	tpm_forget(held->tpm.esys, &object);
	return good;
}

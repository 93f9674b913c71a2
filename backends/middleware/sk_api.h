/*
 * OpenSSH's interface for security key libraries (its sk-api.h, version 10, in use since OpenSSH
 * 8.9), as far as signatures need it: a binary interface, so order and types are theirs.
 */
#ifndef KEYSTILE_MIDDLEWARE_SK_API_H
#define KEYSTILE_MIDDLEWARE_SK_API_H

#include <stddef.h>
#include <stdint.h>

#define SK_VERSION_MAJOR UINT32_C(0x000a0000)
#define SK_VERSION_MAJOR_MASK UINT32_C(0xffff0000)

/* Algorithms. */
#define SK_ECDSA 0
#define SK_ED25519 1

/* Flags of a key and of a signature are SK_FLAG_... of keystile/public_key.h. */

/* What sk_sign() returns besides 0; other values mean as much as SK_ERROR_GENERAL. */
#define SK_ERROR_GENERAL (-1)
#define SK_ERROR_UNSUPPORTED (-2)
#define SK_ERROR_PIN_REQUIRED (-3) /* also: the PIN was wrong */
#define SK_ERROR_DEVICE_NOT_FOUND (-4)

/* It, and what it points to, come from malloc() and are the caller's. */
struct sk_sign_response {
	uint8_t flags;
	uint32_t counter;
	uint8_t *sig_r; /* Ed25519: the signature */
	size_t sig_r_len;
	uint8_t *sig_s; /* ECDSA only */
	size_t sig_s_len;
};

struct sk_option;

typedef uint32_t sk_api_version_function(void);
/* data is not hashed yet; pin may be NULL; options end with NULL, or are NULL. */
typedef int sk_sign_function(uint32_t algorithm, const uint8_t *data, size_t data_len,
	const char *application, const uint8_t *key_handle, size_t key_handle_len, uint8_t flags,
	const char *pin, struct sk_option **options, struct sk_sign_response **response);

#endif

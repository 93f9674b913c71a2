/* A credential that a test brings along: the same one on two tokens, or one id with two keys. */
#include <string.h>

#include "control.h"
#include "token.h"

static int digit(char letter)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = letter != '\0' ? strchr(digits, letter) : NULL;

	return at != NULL ? (int)(at - digits) : -1;
}

const char *control_bytes(const char *text, size_t room, struct span *out, uint8_t *bytes)
{
	size_t len = strlen(text) / 2;

	if (strlen(text) % 2 != 0 || len > room)
		return "hexadecimal digits are wanted, and not so many";
	for (size_t i = 0; i < len; i++) {
		int high = digit(text[2 * i]);
		int low = digit(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return "hexadecimal digits are wanted";
		bytes[i] = (uint8_t)(high << 4 | low);
	}
	*out = (struct span){bytes, len};
	return NULL;
}

const char *control_hold(struct token *token, char *const words[static 3], uint32_t protect)
{
	uint8_t seed[KEY_SEED_LEN];
	uint8_t id[STORE_U2F_ID_LEN];
	uint8_t rp[STORE_RP_MAX];
	struct span seed_span;
	struct span id_span;
	struct span rp_span;
	const char *wrong = control_bytes(words[0], sizeof(seed), &seed_span, seed);

	if (wrong == NULL)
		wrong = control_bytes(words[1], sizeof(id), &id_span, id);
	if (wrong == NULL)
		wrong = control_bytes(words[2], sizeof(rp), &rp_span, rp);
	if (wrong != NULL)
		return wrong;
	if (seed_span.len != KEY_SEED_LEN || id_span.len == 0)
		return "a seed of 32 bytes and an id are wanted";
	if (protect < PROTECT_OPTIONAL || protect > PROTECT_PIN)
		return "a level from 1 to 3 is wanted";
	store_hold(&token->store, rp_span, id_span, seed)->protect = (enum store_protect)protect;
	return NULL;
}

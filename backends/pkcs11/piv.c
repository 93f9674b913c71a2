/*
 * Which card it is, and how often its PIN may be wrong. NIST SP 800-73-4 part 2; what Yubico added
 * is at https://docs.yubico.com/yesdk/users-manual/application-piv/apdu/.
 */
#include "piv.h"

#include <stdio.h>
#include <string.h>

#include <keystile/cleanup.h>

#define SELECT 0xa4
#define BY_NAME 0x04
#define VERIFY 0x20
#define GET_DATA 0xcb
#define GET_METADATA 0xf7
#define GET_SERIAL 0xf8
#define GET_VERSION 0xfd
#define PIN 0x80
#define TRIES 0x63c0 /* and how many */
#define BLOCKED 0x6983
#define TRIES_LEFT 0x06 /* element of the PIN's metadata: how many there are, how many are left */
#define TAG_GOES_ON 0x1f
/* As these modules call the maker of a PIV token. */
#define OPENSC "piv_II"
#define YKCS11 "Yubico (www.yubico.com)"
/* Fewer digits than that tell no cards apart. */
#define SERIAL_MIN 8

void piv_facts_deinit(struct piv_facts *facts)
{
	for (size_t i = 0; i < facts->count; i++) {
		buf_deinit(&facts->keys[i].blob);
		buf_deinit(&facts->keys[i].attestation);
	}
	buf_deinit(&facts->intermediate);
	*facts = (struct piv_facts){.tries = KS_TRIES_UNKNOWN};
}

bool piv_is(const char *manufacturer)
{
	return strcmp(manufacturer, OPENSC) == 0 || strcmp(manufacturer, YKCS11) == 0;
}

/* ---- Elements ---- */

static size_t read_length(struct reader *in)
{
	size_t first = reader_u8(in), len = 0;

	if (first < 0x80)
		return first;
	in->failed |= first != 0x81 && first != 0x82;
	for (; first > 0x80 && !in->failed; first--)
		len = len << 8 | reader_u8(in);
	return len;
}

struct bytes piv_element(struct bytes in, unsigned tag)
{
	struct reader reader = reader_of(in);

	while (!reader.failed && reader.left > 0) {
		unsigned found = reader_u8(&reader);
		struct bytes value;

		if ((found & TAG_GOES_ON) == TAG_GOES_ON)
			found = found << 8 | reader_u8(&reader);
		value = reader_raw(&reader, read_length(&reader));
		if (!reader.failed && found == tag)
			return value;
	}
	return BYTES(NULL, 0);
}

/* ---- Whose card it is ---- */

static bool select_application(struct card *card)
{
	static const uint8_t name[] = {0xa0, 0x00, 0x00, 0x03, 0x08};
	const struct card_command command = {
		.instruction = SELECT, .p1 = BY_NAME, .data = BYTES(name, sizeof(name))};
	AUTO(buf) answer = {0};

	return card_ask(card, &command, &answer) == CARD_OK;
}

/* Hexadecimal digits, of which modules show the last ones. */
static bool ends_with(struct bytes number, const char *serial)
{
	char digits[2 * 32 + 1] = "";
	size_t len = strlen(serial);

	if (number.len > 32 || len < SERIAL_MIN || len > 2 * number.len)
		return false;
	for (size_t i = 0; i < number.len; i++)
		snprintf(digits + 2 * i, 3, "%02x", number.data[i]);
	return strcasecmp(digits + 2 * number.len - len, serial) == 0;
}

/* The card holder's unique identifier: its FASC-N or its GUID is OpenSC's serial number. */
static bool has_identifier(struct card *card, const char *serial)
{
	static const uint8_t tag[] = {0x5c, 0x03, 0x5f, 0xc1, 0x02};
	const struct card_command command = {
		.instruction = GET_DATA, .p1 = 0x3f, .p2 = 0xff, .data = BYTES(tag, sizeof(tag))};
	AUTO(buf) answer = {0};
	struct bytes object;

	if (card_ask(card, &command, &answer) != CARD_OK)
		return false;
	object = piv_element(buf_bytes(&answer), 0x53);
	return ends_with(piv_element(object, 0x34), serial) ||
	       ends_with(piv_element(object, 0x30), serial);
}

/* The device's own; "" where it tells none. */
static void read_serial(struct card *card, char out[static 11])
{
	const struct card_command command = {.instruction = GET_SERIAL};
	AUTO(buf) answer = {0};
	struct reader in;

	out[0] = '\0';
	if (card_ask(card, &command, &answer) != CARD_OK || answer.len != 4)
		return;
	in = reader_of(buf_bytes(&answer));
	snprintf(out, 11, "%u", reader_u32(&in));
}

static bool is_meant(struct card *card, const struct piv_wanted *wanted, const char *device)
{
	if (strcmp(wanted->manufacturer, YKCS11) == 0)
		return device[0] != '\0' && strcmp(device, wanted->serial) == 0;
	return has_identifier(card, wanted->serial);
}

/* ---- What it says ---- */

static void read_firmware(struct card *card, char out[static 12])
{
	const struct card_command command = {.instruction = GET_VERSION};
	AUTO(buf) answer = {0};

	out[0] = '\0';
	if (card_ask(card, &command, &answer) == CARD_OK && answer.len == 3)
		snprintf(out, 12, "%u.%u.%u", answer.data[0], answer.data[1], answer.data[2]);
}

/* VERIFY without a PIN costs no try. */
static int32_t tries_by_asking(struct card *card)
{
	const struct card_command command = {.instruction = VERIFY, .p2 = PIN, .silent = true};
	AUTO(buf) answer = {0};
	unsigned status = card_ask(card, &command, &answer);

	if ((status & 0xfff0) == TRIES)
		return (int32_t)(status & 0x0f);
	return status == BLOCKED ? 0 : KS_TRIES_UNKNOWN;
}

static int32_t tries_by_metadata(struct card *card)
{
	const struct card_command command = {.instruction = GET_METADATA, .p2 = PIN};
	AUTO(buf) answer = {0};
	struct bytes tries;

	if (card_ask(card, &command, &answer) != CARD_OK)
		return KS_TRIES_UNKNOWN;
	tries = piv_element(buf_bytes(&answer), TRIES_LEFT);
	return tries.len == 2 ? tries.data[1] : KS_TRIES_UNKNOWN;
}

bool piv_read(struct card *card, const struct piv_wanted *wanted, struct piv_facts *facts)
{
	facts->yubikey = card->yubikey;
	facts->known = select_application(card);
	if (facts->known && card->yubikey)
		read_serial(card, facts->serial);
	facts->known = facts->known && is_meant(card, wanted, facts->serial);
	if (facts->known)
		facts->tries = tries_by_asking(card);
	if (facts->known && card->yubikey) {
		read_firmware(card, facts->firmware);
		piv_read_keys(card, wanted, facts);
	}
	return facts->known && !card->failed;
}

int32_t piv_tries(struct card *card, const struct piv_wanted *wanted, bool logged_in)
{
	char serial[11] = "";

	if (logged_in ? !card->yubikey : !select_application(card))
		return KS_TRIES_UNKNOWN;
	if (card->yubikey)
		read_serial(card, serial);
	if (!is_meant(card, wanted, serial))
		return KS_TRIES_UNKNOWN;
	return logged_in ? tries_by_metadata(card) : tries_by_asking(card);
}

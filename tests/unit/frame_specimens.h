/*
 * One frame of each type, each field with a value of its own; hello once for each
 * direction. The fuzz corpus is made of the same.
 */
#ifndef FRAME_SPECIMENS_H
#define FRAME_SPECIMENS_H

#include <keystile/frame.h>

#define SPECIMEN_BYTES(text)                                                                       \
	{                                                                                          \
		.data = (const uint8_t *)(text), .len = sizeof(text) - 1                           \
	}

static const struct ks_certificate specimen_certificate = {.subject = "ada@example.org",
	.issuer = "CN=Cards,O=Example",
	.issuer_name = "Cards",
	.usages = "1.3.6.1.5.5.7.3.2,1.3.6.1.4.1.311.20.2.2",
	.not_before = 1700000000,
	.not_after = KS_TIME_MAX,
	.others = 1};

static struct ks_key specimen_keys[] = {
	{.blob = SPECIMEN_BYTES("first\0blob"),
		.label = "first key",
		.flags = KS_KEY_ALWAYS_PIN,
		.id = "01af",
		.certificate = &specimen_certificate},
	{.blob = SPECIMEN_BYTES("second blob"), .label = "", .flags = 0},
};

static struct ks_key_facts specimen_facts[] = {
	{.blob = SPECIMEN_BYTES("first\0blob"),
		.slot = 0x9a,
		.pin = KS_PIN_ONCE,
		.touch = KS_TOUCH_ALWAYS,
		.origin = KS_ORIGIN_GENERATED,
		.attestation = SPECIMEN_BYTES("\x30\0der")},
	{.blob = SPECIMEN_BYTES("second blob"), .slot = 0x95},
};

static const struct frame frame_specimens[] = {
	{.type = FRAME_HELLO, .hello = {.version = FRAME_VERSION, .log_level = 3}},
	{.type = FRAME_HELLO,
		.hello = {.version = FRAME_VERSION, .name = SPECIMEN_BYTES("fake"), .parallel = 4}},
	{.type = FRAME_LOCATE,
		.operation = 1,
		.locate = {.timeout_ms = 1000, .provider = SPECIMEN_BYTES("/usr/lib/module.so")}},
	{.type = FRAME_OPEN,
		.operation = 2,
		.open = {.timeout_ms = 2000, .grants = SPECIMEN_BYTES("\0\0\0\0\4/opt")}},
	{.type = FRAME_LIST, .operation = 3, .plain = {.timeout_ms = 3000}},
	{.type = FRAME_LOGIN, .operation = 4, .plain = {.timeout_ms = 4000}},
	{.type = FRAME_SIGN,
		.operation = 0xfffffffe,
		.sign = {.timeout_ms = 5000,
			.token = 77,
			.algorithm = KS_ALGORITHM_RSA_SHA512,
			.demand = KS_PRESENCE_TOUCH | KS_PRESENCE_PIN,
			.remote = true,
			.blob = SPECIMEN_BYTES("a\0key"),
			.data = SPECIMEN_BYTES("some\0data")}},
	{.type = FRAME_RELEASE, .operation = 6, .release = {.timeout_ms = 6000, .token = 78}},
	{.type = FRAME_ADMINISTER,
		.operation = 7,
		.administer = {.timeout_ms = 7000, .request = SPECIMEN_BYTES("{\"do\": \"it\"}")}},
	{.type = FRAME_CANCEL, .operation = 8},
	{.type = FRAME_PIN_ANSWER, .operation = 9, .answer = {.verdict = KS_REFUSED}},
	{.type = FRAME_TOUCH_ANSWER, .operation = 10, .answer = {.verdict = KS_OK}},
	{.type = FRAME_QUIT},
	{.type = FRAME_ADD, .operation = 19, .plain = {.timeout_ms = 8000}},
	{.type = FRAME_REMOVE,
		.operation = 20,
		.remove = {.timeout_ms = 9000, .blob = SPECIMEN_BYTES("an\0added key")}},
	{.type = FRAME_DONE,
		.operation = 11,
		.done = {.error = KS_PIN_WRONG,
			.words = SPECIMEN_BYTES("wrong PIN, 2 tries left"),
			.result = SPECIMEN_BYTES("\0\1\2")}},
	{.type = FRAME_TOKEN,
		.operation = 12,
		.token = {.token = {.id = 79,
				  .label = "label",
				  .serial = "serial",
				  .model = "model",
				  .location = "reader 0",
				  .flags = KS_TOKEN_NEEDS_LOGIN | KS_TOKEN_LAST_TRY,
				  .tries_left = 1},
			.keys = specimen_keys,
			.count = 2}},
	{.type = FRAME_TOKEN_GONE, .gone = {.token = 80}},
	{.type = FRAME_ASK_PIN,
		.operation = 13,
		.ask_pin = {.token = 81,
			.tries_left = KS_TRIES_UNKNOWN,
			.flags = KS_TOKEN_PIN_PAD,
			.retry = true}},
	{.type = FRAME_TOUCH_AWAITED, .operation = 14, .gone = {.token = 82}},
	{.type = FRAME_TOUCH_OVER, .operation = 15},
	{.type = FRAME_PRESENCE, .operation = 16, .presence = {.presence = KS_PRESENCE_TOUCH}},
	{.type = FRAME_PROGRESS, .operation = 17, .text = {.text = SPECIMEN_BYTES("half done")}},
	{.type = FRAME_LOG,
		.operation = 18,
		.text = {.level = 2, .text = SPECIMEN_BYTES("the reader is slow")}},
	{.type = FRAME_CONFINED,
		.operation = 21,
		.confined = {.landlock = 7,
			.filtered = true,
			.brokered = true,
			.lacking = SPECIMEN_BYTES("sockets are not kept from it")}},
	{.type = FRAME_MEMORY, .operation = 22},
	{.type = FRAME_DENIED,
		.operation = 23,
		.denied = {.writes = true, .path = SPECIMEN_BYTES("/opt/vendor/cache")}},
	{.type = FRAME_WAITS, .operation = 24, .gone = {.token = 83}},
	{.type = FRAME_CARD,
		.operation = 25,
		.card = {.token = 84,
			.firmware = SPECIMEN_BYTES("5.4.3"),
			.serial = SPECIMEN_BYTES("1234567"),
			.intermediate = SPECIMEN_BYTES("\x30\0signer"),
			.keys = specimen_facts,
			.count = 2}},
};

#define FRAME_SPECIMEN_COUNT (sizeof(frame_specimens) / sizeof(frame_specimens[0]))

#endif

/*
 * Writes the corpora of the fuzz targets but the configuration's, one named file for each message:
 * make-corpus tests/fuzz/corpus
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <keystile/cleanup.h>
#include <keystile/text.h>

#include "../unit/frame_specimens.h"
#include "../unit/key_vectors.h"
#include "../unit/vector.h"
#include "corpus.h"

bool corpus_file(const char *folder, const char *name, struct bytes content)
{
	AUTO(text) path = text_format("%s/%s", folder, name);
	FILE *file;
	bool written;

	if (!path)
		return false;
	for (char *at = path + strlen(folder); *at; at++)
		*at = *at == ' ' || *at == '@' || *at == '_' ? '-' : *at;
	file = fopen(path, "we");
	if (!file)
		return false;
	written = fwrite(content.data, 1, content.len, file) == content.len;
	return fclose(file) == 0 && written;
}

static const char *specimen_name(const struct frame *frame)
{
	if (frame->type == FRAME_HELLO)
		return frame->hello.name.len > 0 ? "hello-of-worker" : "hello-of-agent";
	return frame_type_name(frame->type);
}

static bool write_frames(const char *folder)
{
	for (size_t i = 0; i < FRAME_SPECIMEN_COUNT; i++) {
		AUTO(buf) buf = {0};

		frame_encode(&frame_specimens[i], &buf);
		buf_consume(&buf, FRAME_HEADER);
		if (buf_status(&buf) != KS_OK ||
			!corpus_file(folder, specimen_name(&frame_specimens[i]), buf_bytes(&buf)))
			return false;
	}
	return true;
}

static bool write_key(const char *folder, const struct key_vector *vector, const char *what,
	const char *blob_base64)
{
	AUTO(text) name = text_format("%s%s", vector->algorithm, what);
	AUTO(buf) blob = {0}, signature = {0}, whole = {0};

	vector_put(&blob, blob_base64);
	vector_put(&signature, vector->signature);
	buf_put_string(&whole, buf_bytes(&blob));
	buf_put_string(&whole, buf_bytes(&signature));
	vector_put(&whole, vector_signed_data);
	if (!name || buf_status(&blob) != KS_OK || buf_status(&signature) != KS_OK ||
		buf_status(&whole) != KS_OK)
		return false;
	return corpus_file(folder, name, buf_bytes(&whole));
}

static bool write_private_key(
	const char *folder, const struct key_vector *vector, const char *what, const char *base64)
{
	AUTO(text) name = text_format("%s%s", vector->algorithm, what);
	AUTO(buf) message = {0};

	vector_put(&message, base64);
	if (!name || buf_status(&message) != KS_OK)
		return false;
	return corpus_file(folder, name, buf_bytes(&message));
}

static bool write_private_keys(const char *folder)
{
	for (size_t i = 0; i < KEY_VECTOR_COUNT; i++) {
		const struct key_vector *vector = &key_vectors[i];

		if (!write_private_key(folder, vector, "", vector->added) ||
			!write_private_key(
				folder, vector, "-certificate", vector->added_certificate))
			return false;
	}
	return true;
}

static bool write_keys(const char *folder)
{
	for (size_t i = 0; i < KEY_VECTOR_COUNT; i++) {
		const struct key_vector *vector = &key_vectors[i];

		if (!write_key(folder, vector, "", vector->blob) ||
			!write_key(folder, vector, "-user-certificate", vector->user_certificate) ||
			!write_key(folder, vector, "-host-certificate", vector->host_certificate))
			return false;
	}
	return true;
}

/* ---- Session binds: steps as fuzz_session_bind.c reads them ---- */

struct bind_step {
	uint8_t change, host, forwarding, value, where;
	const char *session_id;
};

struct bind_story {
	const char *name;
	struct bind_step steps[4];
	unsigned repeated; /* how often all steps come, with a session id of its own each time */
};

static const struct bind_story bind_stories[] = {
	{"authentication", {{.session_id = "a"}}, 1},
	{"authentication-twice", {{.session_id = "a"}, {.session_id = "b"}}, 1},
	{"forwarded", {{.session_id = "a", .forwarding = 1}, {.session_id = "b", .host = 1}}, 1},
	{"repeat-after-authentication",
		{{.session_id = "a", .forwarding = 1}, {.session_id = "b"},
			{.session_id = "a", .forwarding = 1}},
		1},
	{"same-session-other-key",
		{{.session_id = "a", .forwarding = 1},
			{.session_id = "a", .host = 1, .forwarding = 1}},
		1},
	{"session-id-too-long",
		{{.session_id = "more than 128 bytes "
				"...............................................dots.."
				"................................................................"
				"."}},
		1},
	{"no-session-id", {{.session_id = "", .forwarding = 1}}, 1},
	{"changed-signature", {{.change = 1, .value = 1, .where = 60, .session_id = "a"}}, 1},
	{"cut", {{.change = 2, .where = 20, .session_id = "a", .forwarding = 1}}, 1},
	{"longer", {{.change = 3, .value = 7, .session_id = "a", .forwarding = 1}}, 1},
	{"no-bind", {{.change = 4, .session_id = "no bind at all"}}, 1},
	{"too-many", {{.session_id = "many", .forwarding = 1}}, 18},
	{"too-many-failures", {{.change = 2, .where = 3, .session_id = "many"}}, 18},
};

static void put_steps(struct buf *out, const struct bind_story *story, unsigned round)
{
	for (size_t i = 0; i < 4 && story->steps[i].session_id != NULL; i++) {
		const struct bind_step *step = &story->steps[i];
		struct bytes id = bytes_of(step->session_id);

		buf_put_u8(out, step->change);
		buf_put_u8(out, step->host);
		buf_put_u8(out, step->forwarding);
		buf_put_u8(out, step->value);
		buf_put_u8(out, step->where);
		buf_put_u8(out, (uint8_t)(id.len + (round > 0)));
		buf_put(out, id);
		if (round > 0)
			buf_put_u8(out, (uint8_t)round);
	}
}

static bool write_binds(const char *folder)
{
	for (size_t i = 0; i < sizeof(bind_stories) / sizeof(bind_stories[0]); i++) {
		AUTO(buf) out = {0};

		for (unsigned round = 0; round < bind_stories[i].repeated; round++)
			put_steps(&out, &bind_stories[i], round);
		if (buf_status(&out) != KS_OK ||
			!corpus_file(folder, bind_stories[i].name, buf_bytes(&out)))
			return false;
	}
	return true;
}

/* ---- Operations: steps as fuzz_operation.c reads them ---- */

enum { BEGIN = 0, ABANDON = 8, GIVE_PIN = 16, REFUSE_PIN = 24, NOTE_TOUCH = 32, FRAME = 40 };

struct operation_step {
	uint8_t what;
	struct frame frame; /* with FRAME */
};

#define SAYS(frame_type, number)                                                                   \
	{                                                                                          \
		.what = FRAME, .frame = {.type = (frame_type), .operation = (number) }             \
	}
#define VOUCHES(bits, number)                                                                      \
	{                                                                                          \
		.what = FRAME, .frame = {                                                          \
			.type = FRAME_PRESENCE,                                                    \
			.operation = (number),                                                     \
			.presence = {bits}                                                         \
		}                                                                                  \
	}

static const struct operation_story {
	const char *name;
	struct operation_step steps[6];
	size_t count;
} operation_stories[] = {
	{"signed", {{.what = BEGIN}, SAYS(FRAME_DONE, 1)}, 2},
	{"pin",
		{{.what = BEGIN}, SAYS(FRAME_ASK_PIN, 1), {.what = GIVE_PIN},
			VOUCHES(KS_PRESENCE_PIN, 1), SAYS(FRAME_DONE, 1)},
		5},
	{"pin-refused",
		{{.what = BEGIN}, SAYS(FRAME_ASK_PIN, 1), {.what = REFUSE_PIN},
			SAYS(FRAME_DONE, 1)},
		4},
	{"pin-claimed", {{.what = BEGIN}, VOUCHES(KS_PRESENCE_PIN, 1)}, 2},
	{"touch",
		{{.what = BEGIN}, SAYS(FRAME_TOUCH_AWAITED, 1), {.what = NOTE_TOUCH},
			VOUCHES(KS_PRESENCE_TOUCH, 1), SAYS(FRAME_TOUCH_OVER, 1),
			SAYS(FRAME_DONE, 1)},
		6},
	{"abandoned",
		{{.what = BEGIN}, SAYS(FRAME_ASK_PIN, 1), {.what = ABANDON}, SAYS(FRAME_DONE, 1)},
		4},
	{"answered-twice", {{.what = BEGIN}, SAYS(FRAME_DONE, 1), SAYS(FRAME_DONE, 1)}, 3},
	{"queue",
		{{.what = BEGIN}, {.what = BEGIN + 1}, {.what = BEGIN + 2}, SAYS(FRAME_DONE, 2),
			SAYS(FRAME_DONE, 3)},
		5},
	{"answered-in-the-queue",
		{{.what = BEGIN}, {.what = BEGIN + 1}, {.what = BEGIN + 2}, SAYS(FRAME_DONE, 3)},
		4},
};

static void put_operation_step(struct buf *out, const struct operation_step *step)
{
	AUTO(buf) frame = {0};

	buf_put_u8(out, step->what);
	if (step->what != FRAME)
		return;
	frame_encode(&step->frame, &frame);
	if (buf_status(&frame) != KS_OK) {
		out->failed = true;
		return;
	}
	buf_put_u8(out, (uint8_t)(frame.len - FRAME_HEADER));
	buf_put(out, BYTES(frame.data + FRAME_HEADER, frame.len - FRAME_HEADER));
}

static bool write_operations(const char *folder)
{
	for (size_t i = 0; i < sizeof(operation_stories) / sizeof(operation_stories[0]); i++) {
		const struct operation_story *story = &operation_stories[i];
		AUTO(buf) out = {0};

		for (size_t step = 0; step < story->count; step++)
			put_operation_step(&out, &story->steps[step]);
		if (buf_status(&out) != KS_OK || !corpus_file(folder, story->name, buf_bytes(&out)))
			return false;
	}
	return true;
}

static bool write_corpus(const char *top, const char *name, bool (*write)(const char *folder))
{
	AUTO(text) folder = text_format("%s/%s", top, name);

	if (folder && (mkdir(folder, 0777) == 0 || errno == EEXIST) && write(folder))
		return true;
	fprintf(stderr, "%s/%s: %s\n", top, name, strerror(errno));
	return false;
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
		return 2;
	}
	return write_corpus(argv[1], "frame", write_frames) &&
			       write_corpus(argv[1], "public_key", write_keys) &&
			       write_corpus(argv[1], "private_key", write_private_keys) &&
			       write_corpus(argv[1], "message", corpus_messages) &&
			       write_corpus(argv[1], "session_bind", write_binds) &&
			       write_corpus(argv[1], "constraints", corpus_constraints) &&
			       write_corpus(argv[1], "destination", corpus_destinations) &&
			       write_corpus(argv[1], "certificate", corpus_certificates) &&
			       write_corpus(argv[1], "known_hosts", corpus_known_hosts) &&
			       write_corpus(argv[1], "subject", corpus_subjects) &&
			       write_corpus(argv[1], "operation", write_operations)
		       ? 0
		       : 1;
}

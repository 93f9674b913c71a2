/*
 * See known_hosts_index.h. An entry is the key's digest and where its names lie in one text of
 * all; they are sorted once, so no choice of keys makes a question slow.
 */
#include "known_hosts_index.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#define DIGEST 32

struct entry {
	uint8_t digest[DIGEST];
	uint32_t patterns; /* offset in names */
	uint8_t marker;
	bool hashed;
};

struct known_hosts_index {
	struct entry *entries;
	size_t capacity;
	struct buf names; /* texts, each with its NUL */
	struct known_hosts_count count;
	bool failed; /* out of memory */
	/* While it is built: */
	struct buf line; /* the beginning of a line whose end has not come */
	bool too_long;	 /* the rest of this line is passed over */
	size_t lines;
	size_t read;
	struct known_hosts_line parsed;
};

struct known_hosts_index *known_hosts_index_new(void)
{
	struct known_hosts_index *index = calloc(1, sizeof(*index));

	if (index == NULL)
		return NULL;
	index->names.max = KNOWN_HOSTS_FILE_MAX;
	return index;
}

void known_hosts_index_free(struct known_hosts_index **index)
{
	if (*index == NULL)
		return;
	free((*index)->entries);
	buf_deinit(&(*index)->names);
	buf_deinit(&(*index)->line);
	buf_deinit(&(*index)->parsed.key);
	free(*index);
	*index = NULL;
}

/* ---- Building ---- */

static bool digest_of(struct bytes key, uint8_t out[static DIGEST])
{
	return EVP_Digest(key.data, key.len, out, NULL, EVP_sha256(), NULL) == 1;
}

static struct entry *next_entry(struct known_hosts_index *index)
{
	size_t capacity = index->capacity == 0 ? 64 : index->capacity * 2;
	struct entry *entries;

	if (index->count.entries == index->capacity) {
		entries = realloc(index->entries, capacity * sizeof(*entries));
		if (entries == NULL)
			return NULL;
		index->entries = entries;
		index->capacity = capacity;
	}
	return &index->entries[index->count.entries];
}

static void add(struct known_hosts_index *index, const struct known_hosts_line *line)
{
	struct entry *entry = next_entry(index);

	if (entry == NULL || !digest_of(buf_bytes(&line->key), entry->digest)) {
		index->failed = true;
		return;
	}
	entry->patterns = (uint32_t)index->names.len;
	entry->marker = (uint8_t)line->marker;
	entry->hashed = line->hashed;
	buf_put(&index->names, line->patterns);
	buf_put_u8(&index->names, '\0');
	index->count.entries++;
}

static void take_line(struct known_hosts_index *index, struct bytes text)
{
	enum known_hosts_line_kind kind = KNOWN_HOSTS_MALFORMED;

	index->lines++;
	if (!index->too_long)
		kind = known_hosts_line_parse(text, &index->parsed);
	index->failed |= index->parsed.key.failed;
	index->too_long = false;
	if (kind == KNOWN_HOSTS_ENTRY)
		add(index, &index->parsed);
	index->count.malformed += kind == KNOWN_HOSTS_MALFORMED;
}

/* A part of a line that goes on in the next piece, or ends here after earlier ones. */
static void keep(struct known_hosts_index *index, struct bytes part)
{
	if (index->too_long || part.len > KNOWN_HOSTS_LINE_MAX - index->line.len) {
		index->too_long = true;
		buf_clear(&index->line);
		return;
	}
	buf_put(&index->line, part);
}

static void take_end_of_line(struct known_hosts_index *index, struct bytes part)
{
	if (index->line.len == 0 && !index->too_long) {
		take_line(index, part);
		return;
	}
	keep(index, part);
	take_line(index, buf_bytes(&index->line));
	buf_clear(&index->line);
}

bool known_hosts_index_feed(struct known_hosts_index *index, struct bytes piece)
{
	while (piece.len > 0 && !index->count.cut && !index->failed) {
		const uint8_t *newline = memchr(piece.data, '\n', piece.len);
		size_t len = newline == NULL ? piece.len : (size_t)(newline - piece.data);

		if (index->lines == KNOWN_HOSTS_LINES_MAX ||
			len >= KNOWN_HOSTS_FILE_MAX - index->read) {
			index->count.cut = true;
			break;
		}
		if (newline == NULL)
			keep(index, BYTES(piece.data, len));
		else
			take_end_of_line(index, BYTES(piece.data, len++));
		index->read += len;
		piece = BYTES(piece.data + len, piece.len - len);
	}
	index->failed |= index->names.failed || index->line.failed;
	return !index->count.cut && !index->failed;
}

/* Of one key, what revokes it comes first, and the rest stays in the order of the file. */
static int compare(const void *one, const void *other)
{
	const struct entry *a = one, *b = other;
	int order = memcmp(a->digest, b->digest, DIGEST);

	if (order == 0)
		order = (b->marker == KNOWN_HOSTS_REVOKED) - (a->marker == KNOWN_HOSTS_REVOKED);
	return order != 0 ? order : (a->patterns > b->patterns) - (a->patterns < b->patterns);
}

enum ks_error known_hosts_index_end(struct known_hosts_index *index)
{
	/* A cut line is not taken for a whole one. */
	if (!index->count.cut && !index->failed && (index->line.len > 0 || index->too_long))
		take_line(index, buf_bytes(&index->line));
	buf_deinit(&index->line);
	buf_deinit(&index->parsed.key);
	if (index->failed || index->names.failed)
		return KS_NO_MEMORY;
	if (index->count.entries > 0)
		qsort(index->entries, index->count.entries, sizeof(*index->entries), compare);
	return KS_OK;
}

/* ---- Questions ---- */

static size_t first_of(const struct known_hosts_index *index, const uint8_t digest[static DIGEST])
{
	size_t from = 0, to = index->count.entries;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (memcmp(index->entries[middle].digest, digest, DIGEST) < 0)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

void known_hosts_index_find(const struct known_hosts_index *index, struct bytes key,
	void (*found)(const struct known_hosts_entry *entry, void *context), void *context)
{
	uint8_t digest[DIGEST];
	size_t first;

	if (!digest_of(key, digest))
		return;
	first = first_of(index, digest);
	for (size_t i = first; i < index->count.entries && i - first < KNOWN_HOSTS_FOUND_MAX; i++) {
		const struct entry *entry = &index->entries[i];

		if (memcmp(entry->digest, digest, DIGEST) != 0)
			break;
		found(&(struct known_hosts_entry){.marker = (enum known_hosts_marker)entry->marker,
			      .hashed = entry->hashed,
			      .patterns = (const char *)index->names.data + entry->patterns},
			context);
	}
}

struct known_hosts_count known_hosts_index_count(const struct known_hosts_index *index)
{
	return index->count;
}

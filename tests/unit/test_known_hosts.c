/*
 * known_hosts files: which lines are understood, which names they give to a bound host, and that
 * nothing in them costs more than its share.
 */
#include <stdlib.h>
#include <string.h>

#include <keystile/cleanup.h>
#include <keystile/text.h>

#include "host_names.h"
#include "path_maker.h"
#include "test.h"

/* The hosts a, b, c and their authority, with what stands for their keys in a file. */
struct bed {
	struct hosts hosts;
	char *key[HOSTS]; /* "ssh-ed25519 AAAA..." */
	char *authority;
	struct session_bind bind;
	struct host_names names;
};

static char *key_text(const struct buf *blob)
{
	char base64[512];

	assert_true(blob->len < 300);
	EVP_EncodeBlock((uint8_t *)base64, blob->data, (int)blob->len);
	return text_format("ssh-ed25519 %s", base64);
}

static int make_bed(void **state)
{
	static struct bed bed;

	bed = (struct bed){0};
	assert_true(hosts_make(&bed.hosts));
	for (int i = 0; i < HOSTS; i++)
		bed.key[i] = key_text(&bed.hosts.of[i].blob);
	bed.authority = key_text(&bed.hosts.authority_blob);
	*state = &bed;
	return 0;
}

static void unbind(struct bed *bed)
{
	host_names_deinit(&bed->names);
	buf_deinit(&bed->bind.host_key);
	public_key_free(&bed->bind.certificate);
	bed->bind = (struct session_bind){0};
}

static int free_bed(void **state)
{
	struct bed *bed = *state;

	unbind(bed);
	for (int i = 0; i < HOSTS; i++)
		free(bed->key[i]);
	free(bed->authority);
	hosts_free(&bed->hosts);
	return 0;
}

/* What a bind by that blob leaves behind. */
static void bind_to(struct bed *bed, struct bytes blob, bool certified)
{
	unbind(bed);
	buf_put(&bed->bind.host_key, blob);
	assert_int_equal(buf_status(&bed->bind.host_key), KS_OK);
	bed->bind.certified = certified;
	if (certified)
		assert_int_equal(public_key_parse(blob, &bed->bind.certificate), KS_OK);
}

static struct known_hosts_index *index_of(struct bytes text, size_t piece)
{
	struct known_hosts_index *index = known_hosts_index_new();

	assert_non_null(index);
	for (size_t at = 0; at < text.len; at += piece) {
		size_t len = piece < text.len - at ? piece : text.len - at;

		if (!known_hosts_index_feed(index, BYTES(text.data + at, len)))
			break;
	}
	assert_int_equal(known_hosts_index_end(index), KS_OK);
	return index;
}

static void ask(struct bed *bed, struct bytes text, const char *const *candidates, uint64_t now)
{
	struct known_hosts_index *index = index_of(text, 4096);

	host_names_deinit(&bed->names);
	host_names_add(&bed->names, index, &bed->bind, candidates, now);
	assert_false(bed->names.failed);
	known_hosts_index_free(&index);
}

/* $a, $b, $c in the row's text are the hosts' keys, $x is the authority's. */
static char *written(const struct bed *bed, const char *text)
{
	AUTO(buf) out = {0};

	for (; *text != '\0'; text++) {
		if (*text != '$')
			buf_put_u8(&out, (uint8_t)*text);
		else if (*++text == 'x')
			buf_put(&out, bytes_of(bed->authority));
		else
			buf_put(&out, bytes_of(bed->key[*text - 'a']));
	}
	buf_put_u8(&out, '\0');
	assert_int_equal(buf_status(&out), KS_OK);
	return strdup((const char *)out.data);
}

/* "name name", with "+hashed", "+revoked", "+authority", "+more" for what else is said. */
static char *summary(const struct host_names *names)
{
	AUTO(buf) out = {0};

	for (size_t i = 0; i < names->count; i++) {
		buf_put(&out, bytes_of(i > 0 ? " " : ""));
		buf_put(&out, bytes_of(names->names[i]));
	}
	buf_put(&out, bytes_of(names->hashed ? "+hashed" : ""));
	buf_put(&out, bytes_of(names->revoked ? "+revoked" : ""));
	buf_put(&out, bytes_of(names->by_authority ? "+authority" : ""));
	buf_put(&out, bytes_of(names->more ? "+more" : ""));
	buf_put_u8(&out, '\0');
	assert_int_equal(buf_status(&out), KS_OK);
	assert_true(names->count == 0 || names->names[names->count] == NULL);
	return strdup((const char *)out.data);
}

/* Of "a.example" and of "[a.example]:2222". */
#define HASH_OF_PORT "|1|YWFhYWFhYWFhYWFhYWFhYWFhYWE=|89bLKOjvlcV8u6d8IPT7QiisIX4="
#define HASH_OF_A "|1|YWFhYWFhYWFhYWFhYWFhYWFhYWE=|niqKOb39NFzUvkNMH3LJyuNduIc="

static void each_line_gives_its_names(void **state)
{
	static const struct {
		const char *text, *names;
	} rows[] = {
		{"", ""},
		{"\n\n# a comment $a\n  \n", ""},
		{"a.example $a", "a.example"},
		{"a.example $a\n", "a.example"},
		{"  \t a.example\t $a\tcomment of\tmany words \n", "a.example"},
		{"a.example $a\r\nb.example $a\r\n", "a.example b.example"},
		{"b.example $b\na.example $a\nc.example $c\n", "a.example"},
		{"a,10.0.0.1,::1 $a\n", "a 10.0.0.1 ::1"},
		{"a $a\na $a\nb,a $a\n", "a b"},
		{"A.Example,[B]:1 $a\n", "a.example b:1"},
		{"*.example,!bad.example,a? $a\n", "*.example a?"},
		{"!a.example $a\n", ""},
		{",,a,, $a\n", "a"},
		{"[a.example]:2222 $a\n", "a.example:2222"},
		{"[10.0.0.1]:22,[::1]:2222 $a\n", "10.0.0.1:22 [::1]:2222"},
		{"[a.example $a\n", "[a.example"},
		{"[*.example]:* $a\n", "*.example:*"},
		{"a $b\n", ""},
		{"a\n", ""},
		{"a ssh-ed25519\n", ""},
		{"a ssh-ed25519 \n", ""},
		{"a ssh-ed25519 ?!\n", ""},
		{"a ssh-ed25519 ====\n", ""},
		{"a ssh-rsa 1024 35 17\n", ""},
		{"a 1024 35 17\nb $a\n", "b"},
		{"a ssh-ed25519 AAA\nb $a", "b"},
		{"a s$a\nb $a\n", "b"},
		{"@revoked * $a\n", "+revoked"},
		{"a $a\n@revoked a $a\n", "a+revoked"},
		{"@revoked b $b\na $a\n", "a"},
		{"@cert-authority a $a\n", ""},
		{"@unknown a $a\nb $a\n", "b"},
		{"@ a $a\n@\n@revoked\n@cert-authority a\nb $a\n", "b"},
		{"@revoked\t a  $a\n", "+revoked"},
		{HASH_OF_A " $a\n", "+hashed"},
		{HASH_OF_A " $b\n", ""},
		{"b $a\n" HASH_OF_A " $a\n", "b+hashed"},
		{"@revoked " HASH_OF_A " $a\n", "+revoked"},
		{"|1|YWFh|YWFh $a\nb $a\n", "b"},
		{"|2|YWFhYWFhYWFhYWFhYWFhYWFhYWE=|niqKOb39NFzUvkNMH3LJyuNduIc= $a\n", ""},
		{"|1| $a\n| $a\n|1|| $a\nb $a\n", "b"},
		{HASH_OF_A ",b $a\n", ""},
	};
	struct bed *bed = *state;

	bind_to(bed, buf_bytes(&bed->hosts.of[0].blob), false);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		AUTO(text) text = written(bed, rows[i].text);
		AUTO(text) names = NULL;

		ask(bed, bytes_of(text), NULL, 1000);
		names = summary(&bed->names);
		if (strcmp(names, rows[i].names) != 0)
			fail_msg("row %zu, \"%s\": \"%s\", not \"%s\"", i, rows[i].text, names,
				rows[i].names);
	}
}

static void a_line_with_a_nul_is_none(void **state)
{
	struct bed *bed = *state;
	AUTO(text) text = written(bed, "a%b $a\nc $a\n");

	*strchr(text, '%') = '\0';
	bind_to(bed, buf_bytes(&bed->hosts.of[0].blob), false);
	ask(bed, BYTES((const uint8_t *)text, strlen(text) + 1 + strlen(text + strlen(text) + 1)),
		NULL, 1000);
	assert_int_equal(bed->names.count, 1);
	assert_string_equal(bed->names.names[0], "c");
}

/* A NUL at the end is no blank. */
static void nothing_is_left_out_at_the_end_of_a_line_but_blanks(void **state)
{
	static const char ends[] = " \t\r";
	struct bed *bed = *state;

	bind_to(bed, buf_bytes(&bed->hosts.of[0].blob), false);
	for (size_t i = 0; i < sizeof(ends); i++) {
		AUTO(text) line = text_format("a %s%c", bed->key[0], ends[i]);

		ask(bed, BYTES((const uint8_t *)line, strlen("a ") + strlen(bed->key[0]) + 1), NULL,
			1000);
		assert_int_equal(bed->names.count, ends[i] != '\0');
	}
}

static void a_hashed_name_is_told_only_when_it_is_guessed(void **state)
{
	static const struct {
		const char *candidates[3];
		const char *text, *names;
	} rows[] = {
		{{"b.example", "a.example"}, HASH_OF_A " $a\n", "a.example"},
		{{"b.example"}, HASH_OF_A " $a\n", "+hashed"},
		{{NULL}, HASH_OF_A " $a\n", "+hashed"},
		{{"a.example"}, HASH_OF_A " $b\n", ""},
		{{"a.example"}, "b $a\n", "b"},
		{{"a.example", "[a.example]:2222"}, HASH_OF_PORT " $a\n", "a.example:2222"},
		{{"a.example"}, HASH_OF_PORT " $a\n" HASH_OF_A " $a\n", "a.example+hashed"},
	};
	struct bed *bed = *state;

	bind_to(bed, buf_bytes(&bed->hosts.of[0].blob), false);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		AUTO(text) text = written(bed, rows[i].text);
		AUTO(text) names = NULL;

		ask(bed, bytes_of(text), rows[i].candidates, 1000);
		names = summary(&bed->names);
		assert_string_equal(names, rows[i].names);
	}
}

struct certified_row {
	const char *text, *names;
	struct certificate_draft draft; /* key and authority are filled in */
};

static void check_certified(struct bed *bed, const struct certified_row *row)
{
	struct certificate_draft draft = row->draft;
	AUTO(text) text = written(bed, row->text);
	AUTO(text) names = NULL;
	AUTO(buf) blob = {0};

	draft.key = bed->hosts.of[0].key;
	draft.authority = bed->hosts.authority;
	certificate_put(&blob, &draft);
	assert_int_equal(buf_status(&blob), KS_OK);
	bind_to(bed, buf_bytes(&blob), true);
	ask(bed, bytes_of(text), NULL, 1000);
	names = summary(&bed->names);
	if (strcmp(names, row->names) != 0)
		fail_msg("\"%s\": \"%s\", not \"%s\"", row->text, names, row->names);
}

static void a_certificate_names_what_its_authority_may_certify(void **state)
{
	static const struct certified_row rows[] = {
		{"@cert-authority *.example $x\n", "a.example+authority",
			{.principals = {"a.example", "a.other", "a"}}},
		{"@cert-authority * $x\n", "a.example a+authority",
			{.principals = {"A.example", "a"}}},
		{"@cert-authority *.example,!a.* $x\n", "b.example+authority",
			{.principals = {"a.example", "b.example"}}},
		{"@cert-authority b,*.example $x\n", "b+authority", {.principals = {"b"}}},
		{"@cert-authority b.example $x\n", "b.example+authority",
			{.principals = {"*.example"}}},
		{"@cert-authority *.example $x\n", "*.example+authority",
			{.principals = {"*.example"}}},
		{"@cert-authority [*.example]:2222 $x\n", "a.example:2222+authority",
			{.principals = {"a.example"}}},
		{"@cert-authority b $x\n@cert-authority a $x\n", "a+authority",
			{.principals = {"a"}}},
		{"@cert-authority " HASH_OF_A " $x\n", "a.example+authority",
			{.principals = {"b.example", "a.example"}}},
		{"@cert-authority *.example $x\n", "", {.principals = {NULL}}},
		{"@cert-authority *.example $x\n", "", {.principals = {"", "a"}}},
		{"@cert-authority *.example $b\n", "", {.principals = {"a.example"}}},
		{"@cert-authority *.example $a\n", "", {.principals = {"a.example"}}},
		{"*.example $x\n", "", {.principals = {"a.example"}}},
		{"@revoked * $x\n@cert-authority * $x\n", "a+revoked+authority",
			{.principals = {"a"}}},
		{"@revoked * $a\n@cert-authority * $x\n", "a+revoked+authority",
			{.principals = {"a"}}},
		{"@cert-authority * $x\n", "", {.user = true, .principals = {"a"}}},
		{"@cert-authority * $x\n", "", {.principals = {"a"}, .valid_after = 1001}},
		{"@cert-authority * $x\n", "a+authority",
			{.principals = {"a"}, .valid_after = 1000}},
		{"@cert-authority * $x\n", "", {.principals = {"a"}, .valid_before = 1000}},
		{"@cert-authority * $x\n", "a+authority",
			{.principals = {"a"}, .valid_before = 1001}},
		{"@cert-authority * $x\n", "", {.principals = {"a"}, .critical_option = "x"}},
		{"@revoked * $x\n", "+revoked", {.principals = {"a"}, .valid_before = 1}},
		/* Its own key is the host's also without the certificate. */
		{"c $a\n", "c", {.principals = {"a"}}},
		{"c $a\n@cert-authority * $x\n", "c a", {.principals = {"a"}}},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check_certified(*state, &rows[i]);
}

static void a_certificate_that_stands_for_nobody_is_its_key(void **state)
{
	struct bed *bed = *state;
	AUTO(text) text = written(bed, "c $a\n@cert-authority * $x\n");

	bind_to(bed, buf_bytes(&bed->hosts.of[0].certificate), true);
	public_key_free(&bed->bind.certificate);
	ask(bed, bytes_of(text), NULL, 1000);
	assert_int_equal(bed->names.count, 1);
	assert_string_equal(bed->names.names[0], "c");
}

static void pieces_may_end_anywhere(void **state)
{
	struct bed *bed = *state;
	AUTO(text) text = written(bed, "a $a\r\n\n# x\nb,[c]:3 $a\n@revoked * $b\nd $a");

	bind_to(bed, buf_bytes(&bed->hosts.of[0].blob), false);
	for (size_t piece = 1; piece < strlen(text) + 2; piece++) {
		struct known_hosts_index *index = index_of(bytes_of(text), piece);
		AUTO(text) names = NULL;

		host_names_deinit(&bed->names);
		host_names_add(&bed->names, index, &bed->bind, NULL, 1000);
		names = summary(&bed->names);
		assert_string_equal(names, "a b c:3 d");
		assert_int_equal(known_hosts_index_count(index).entries, 4);
		known_hosts_index_free(&index);
	}
}

/* ---- Limits ---- */

static void repeat(struct buf *out, const char *text, size_t times)
{
	struct bytes bytes = bytes_of(text);

	while (times-- > 0)
		buf_put(out, bytes);
	assert_int_equal(buf_status(out), KS_OK);
}

static void a_line_that_is_too_long_is_passed_over(void **state)
{
	static const size_t pieces[] = {1000, 4096, 1 << 20};
	struct bed *bed = *state;
	AUTO(text) end = written(bed, ",b $a\nc $a\n");
	AUTO(buf) text = {0};

	repeat(&text, "a,", KNOWN_HOSTS_LINE_MAX / 2);
	repeat(&text, end, 1);
	bind_to(bed, buf_bytes(&bed->hosts.of[0].blob), false);
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		struct known_hosts_index *index = index_of(buf_bytes(&text), pieces[i]);

		assert_int_equal(known_hosts_index_count(index).entries, 1);
		assert_int_equal(known_hosts_index_count(index).malformed, 1);
		known_hosts_index_free(&index);
	}
}

static void no_more_than_some_names_are_kept(void **state)
{
	struct bed *bed = *state;
	AUTO(text) revoked = written(bed, "@revoked * $a\n");
	AUTO(buf) text = {.max = 1 << 26};

	bind_to(bed, buf_bytes(&bed->hosts.of[0].blob), false);
	for (int i = 0; i < HOST_NAMES_MAX; i++) {
		AUTO(text) pattern = text_format("host%d,", i);

		repeat(&text, pattern, 1);
	}
	repeat(&text, " ", 1);
	repeat(&text, bed->key[0], 1);
	repeat(&text, "\n", 1);
	ask(bed, buf_bytes(&text), NULL, 1000);
	assert_int_equal(bed->names.count, HOST_NAMES_MAX);
	assert_false(bed->names.more);
	for (int i = 0; i < 2 * KNOWN_HOSTS_FOUND_MAX; i++) {
		AUTO(text) line = text_format("other%d %s\n", i, bed->key[0]);

		repeat(&text, line, 1);
	}
	repeat(&text, revoked, 1);
	ask(bed, buf_bytes(&text), NULL, 1000);
	assert_int_equal(bed->names.count, HOST_NAMES_MAX);
	assert_true(bed->names.more);
	assert_true(bed->names.revoked);
}

static void the_same_name_again_and_again_ends(void **state)
{
	struct bed *bed = *state;
	AUTO(buf) text = {0};

	bind_to(bed, buf_bytes(&bed->hosts.of[0].blob), false);
	repeat(&text, "a,", 30000);
	repeat(&text, "b ", 1);
	repeat(&text, bed->key[0], 1);
	ask(bed, buf_bytes(&text), NULL, 1000);
	assert_int_equal(bed->names.count, 1);
	assert_true(bed->names.more);
}

static void no_more_than_some_lines_are_read(void **state)
{
	struct bed *bed = *state;
	AUTO(buf) text = {.max = 1 << 26};
	struct known_hosts_index *index;

	repeat(&text, "a ", 1);
	repeat(&text, bed->key[0], 1);
	repeat(&text, "\n", KNOWN_HOSTS_LINES_MAX);
	index = index_of(buf_bytes(&text), 65536);
	assert_false(known_hosts_index_count(index).cut);
	known_hosts_index_free(&index);
	repeat(&text, "b ", 1);
	index = index_of(buf_bytes(&text), 65536);
	assert_true(known_hosts_index_count(index).cut);
	assert_int_equal(known_hosts_index_count(index).entries, 1);
	known_hosts_index_free(&index);
}

static void a_file_is_not_read_without_end(void **state)
{
	struct known_hosts_index *index = known_hosts_index_new();
	uint8_t *piece = calloc(1, 1 << 20);
	unsigned fed = 0;

	(void)state;
	assert_true(index != NULL && piece != NULL);
	while (known_hosts_index_feed(index, BYTES(piece, 1 << 20)) && fed < 1000)
		fed++;
	assert_true(fed >= 1 && fed <= KNOWN_HOSTS_FILE_MAX >> 20);
	assert_int_equal(known_hosts_index_end(index), KS_OK);
	assert_true(known_hosts_index_count(index).cut);
	known_hosts_index_free(&index);
	free(piece);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_bed, free_bed)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_line_gives_its_names),
		TEST(a_line_with_a_nul_is_none),
		TEST(nothing_is_left_out_at_the_end_of_a_line_but_blanks),
		TEST(a_hashed_name_is_told_only_when_it_is_guessed),
		TEST(a_certificate_names_what_its_authority_may_certify),
		TEST(a_certificate_that_stands_for_nobody_is_its_key),
		TEST(pieces_may_end_anywhere),
		TEST(a_line_that_is_too_long_is_passed_over),
		TEST(no_more_than_some_names_are_kept),
		TEST(the_same_name_again_and_again_ends),
		TEST(no_more_than_some_lines_are_read),
		cmocka_unit_test(a_file_is_not_read_without_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

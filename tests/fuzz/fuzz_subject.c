/*
 * What a client wants signed. The input: a string with the key's blob, then the data. What is
 * believed of the data must stand in it; a login or an SSH signature is written again from what was
 * understood.
 */
#include <stdlib.h>
#include <string.h>

#include <keystile/cleanup.h>

#include "subject.h"
#include "websafe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static bool within(struct bytes part, struct bytes whole)
{
	return part.len == 0 || (part.data >= whole.data && part.len <= whole.len &&
					part.data + part.len <= whole.data + whole.len);
}

/* All but the algorithm's name, which has the room between front and back. */
static void check_login(const struct subject *subject, struct bytes data, struct bytes blob)
{
	AUTO(buf) front = {0}, back = {0};

	buf_put_string(&front, subject->session_id);
	buf_put_u8(&front, 50);
	buf_put_string(&front, subject->user);
	buf_put_text(&front, "ssh-connection");
	buf_put_text(
		&front, subject->hostbound ? "publickey-hostbound-v00@openssh.com" : "publickey");
	buf_put_u8(&front, 1);
	buf_put_string(&back, blob);
	if (subject->hostbound)
		buf_put_string(&back, subject->host_key);
	require(buf_status(&front) == KS_OK && buf_status(&back) == KS_OK);
	require(front.len + back.len < data.len && subject->session_id.len > 0);
	require(memcmp(front.data, data.data, front.len) == 0);
	require(memcmp(back.data, data.data + data.len - back.len, back.len) == 0);
	require(subject->user.len == 0 ||
		memchr(subject->user.data, '\0', subject->user.len) == NULL);
}

static void check_sshsig(const struct subject *subject, struct bytes data)
{
	AUTO(buf) front = {0};

	buf_put(&front, bytes_of("SSHSIG"));
	buf_put_string(&front, subject->sign_namespace);
	require(buf_status(&front) == KS_OK && subject->sign_namespace.len > 0);
	require(front.len < data.len && memcmp(front.data, data.data, front.len) == 0);
}

/* A key that a web page could use signs what SSH knows, and all others anything. */
static void check_websafe(const struct subject *subject)
{
	bool known = subject->kind == SUBJECT_LOGIN || subject->kind == SUBJECT_SSHSIG;

	require(websafe_permits("https://example.org", WEBSAFE_DEFAULT_ALLOW, subject) == known);
	require(websafe_permits("ssh:", WEBSAFE_DEFAULT_ALLOW, subject));
	require(websafe_permits(NULL, WEBSAFE_DEFAULT_ALLOW, subject));
	require(websafe_permits("https://example.org", NULL, subject));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct reader in = reader_of(BYTES(data, len));
	struct bytes blob = reader_string(&in);
	struct bytes rest = BYTES(in.data, in.left);
	struct subject subject;
	struct public_key *key;

	if (public_key_parse(blob, &key) != KS_OK)
		return 0;
	subject_parse(rest, blob, key, &subject);
	require(within(subject.session_id, rest) && within(subject.user, rest));
	require(within(subject.host_key, rest) && within(subject.sign_namespace, rest));
	require(within(subject.hash_name, rest));
	if (subject.kind == SUBJECT_LOGIN)
		check_login(&subject, rest, blob);
	else
		require(subject.session_id.len == 0 && subject.user.len == 0 && !subject.hostbound);
	if (subject.kind == SUBJECT_SSHSIG)
		check_sshsig(&subject, rest);
	check_websafe(&subject);
	public_key_free(&key);
	return 0;
}

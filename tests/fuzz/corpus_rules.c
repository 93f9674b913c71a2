/*
 * What decides where a key may be used: constraints, destinations, certificates.
 */
#include <ctype.h>

#include <keystile/cleanup.h>
#include <keystile/text.h>

#include "../unit/key_vectors.h"
#include "../unit/path_maker.h"
#include "../unit/vector.h"
#include "corpus.h"

/* ---- Constraints: what is added, then as they stand in a message ---- */

static void put_certificates(struct buf *out)
{
	AUTO(buf) certificate = {0};
	size_t opened;

	vector_put(&certificate, key_vectors[0].user_certificate);
	extension_put(out, "associated-certs-v00@openssh.com");
	buf_put_u8(out, 1);
	opened = buf_open_string(out);
	buf_put_string(out, buf_bytes(&certificate));
	buf_close_string(out, opened);
}

struct constraint_story {
	const char *name;
	uint8_t what;
	const char *plain; /* bytes in hexadecimal */
	const char *hops;  /* NULL: none */
	bool certificates;
	const char *sk_provider;
};

static const struct constraint_story constraint_stories[] = {
	{"none", 0, "", NULL, false, NULL},
	{"lifetime-and-confirm", 0, "010000001e02", NULL, false, NULL},
	{"maxsign", 0, "0300000001", NULL, false, NULL},
	{"confirm-twice", 0, "0202", NULL, false, NULL},
	{"middleware", 1, "", NULL, false, "/usr/lib/middleware.so"},
	{"internal", 1, "", NULL, false, "Internal"},
	{"no-hops", 0, "", "", false, NULL},
	{"hops", 0, "02", "-A AB=joe bC ca=*", false, NULL},
	{"certificates", 2, "", NULL, true, NULL},
	{"all-of-a-token", 2, "010000001e02", "-A AB", true, NULL},
};

static uint8_t hex_digit(char digit)
{
	return (uint8_t)(isdigit((unsigned char)digit) ? digit - '0' : digit - 'a' + 10);
}

static bool write_constraint(
	const char *folder, const struct hosts *hosts, const struct constraint_story *story)
{
	AUTO(buf) out = {0};

	buf_put_u8(&out, story->what);
	for (const char *at = story->plain; *at != '\0'; at += 2)
		buf_put_u8(&out, (uint8_t)(hex_digit(at[0]) << 4 | hex_digit(at[1])));
	if (story->hops != NULL)
		hops_put(&out, hosts, story->hops);
	if (story->certificates)
		put_certificates(&out);
	if (story->sk_provider != NULL) {
		extension_put(&out, "sk-provider@openssh.com");
		buf_put_text(&out, story->sk_provider);
	}
	return buf_status(&out) == KS_OK && corpus_file(folder, story->name, buf_bytes(&out));
}

bool corpus_constraints(const char *folder)
{
	struct hosts hosts;
	bool written = hosts_make(&hosts);

	for (size_t i = 0; i < sizeof(constraint_stories) / sizeof(constraint_stories[0]); i++)
		written = written && write_constraint(folder, &hosts, &constraint_stories[i]);
	hosts_free(&hosts);
	return written;
}

/* ---- Destinations: hops, binds and a login as fuzz_destination.c reads them ---- */

static const struct {
	const char *name, *hops, *path, *user;
} destination_stories[] = {
	{"unbound", "-A", "", "joe"},
	{"one-hop", "-A", "A", "joe"},
	{"another-host", "-A", "B", "joe"},
	{"user", "-A=j*", "A", "joe"},
	{"another-user", "-A=j*", "A", "root"},
	{"two-hops", "-A AB", "A>B", "joe"},
	{"three-hops", "-A AB BC=joe", "A>B>C", "joe"},
	{"forwarded", "-A AB", "A>", "joe"},
	{"behind-a-login", "-A AB", "AB", "joe"},
	{"twice", "-A AA", "A>A", "joe"},
	{"certificate", "-a", "a", "joe"},
	{"certificates", "-a ab", "a>b", "joe"},
	{"another-certificate", "-a", "b", "joe"},
	{"everywhere", "", "A>B", "joe"},
};

/* Logs in with the session id of the last bind at its host. */
static void put_bound_login(
	struct buf *out, uint32_t session, const char *user, struct bytes host_key)
{
	AUTO(buf) blob = {0};

	vector_put(&blob, key_vectors[0].blob);
	buf_put_u32(out, 4);
	buf_put_u32(out, session);
	buf_put_u8(out, 50);
	buf_put_text(out, user);
	buf_put_text(out, "ssh-connection");
	buf_put_text(out, "publickey-hostbound-v00@openssh.com");
	buf_put_u8(out, 1);
	buf_put_text(out, key_vectors[0].algorithm);
	buf_put_string(out, buf_bytes(&blob));
	buf_put_string(out, host_key);
}

static void put_path(struct buf *out, const struct hosts *hosts, const char *path, const char *user)
{
	struct bytes host_key = bytes_of("none");
	AUTO(buf) binds = {0};
	uint8_t count = 0;

	for (; *path != '\0'; count++) {
		bool forwarding = path[1] == '>';

		host_key = host_shows(hosts, *path);
		buf_put_bool(&binds, forwarding);
		buf_put_string(&binds, host_key);
		path += forwarding ? 2 : 1;
	}
	buf_put_u8(out, count);
	buf_put(out, buf_bytes(&binds));
	put_bound_login(out, count, user, host_key);
}

bool corpus_destinations(const char *folder)
{
	struct hosts hosts;
	bool written = hosts_make(&hosts);

	for (size_t i = 0; i < sizeof(destination_stories) / sizeof(destination_stories[0]); i++) {
		AUTO(buf) constraints = {0}, out = {0};

		hops_put(&constraints, &hosts, destination_stories[i].hops);
		buf_put_string(&out, buf_bytes(&constraints));
		buf_put_u64(&out, 1000);
		buf_put_bool(&out, false);
		put_path(&out, &hosts, destination_stories[i].path, destination_stories[i].user);
		written = written && buf_status(&out) == KS_OK &&
			  corpus_file(folder, destination_stories[i].name, buf_bytes(&out));
	}
	hosts_free(&hosts);
	return written;
}

/* ---- Certificates: blob, a host's name, the time, and a change ---- */

static bool write_certificate(const char *folder, const char *name, const char *blob_base64)
{
	AUTO(buf) blob = {0}, out = {0};

	vector_put(&blob, blob_base64);
	buf_put_string(&out, buf_bytes(&blob));
	buf_put_text(&out, "host");
	buf_put_u64(&out, 1770000000); /* in 2026: ssh-keygen made them from 2020 to 2040 */
	buf_put_u8(&out, 0);
	buf_put_u8(&out, 40);
	buf_put_u8(&out, 1);
	return buf_status(&blob) == KS_OK && buf_status(&out) == KS_OK &&
	       corpus_file(folder, name, buf_bytes(&out));
}

bool corpus_certificates(const char *folder)
{
	for (size_t i = 0; i < KEY_VECTOR_COUNT; i++) {
		AUTO(text) user = text_format("%s-user", key_vectors[i].algorithm);
		AUTO(text) host = text_format("%s-host", key_vectors[i].algorithm);

		if (!user || !host ||
			!write_certificate(folder, user, key_vectors[i].user_certificate) ||
			!write_certificate(folder, host, key_vectors[i].host_certificate))
			return false;
	}
	return true;
}

/* ---- Known hosts: the size of pieces, and lines; a capital is a host's key, X the authority's
 * ---- */

#define HASHED "|1|YWFhYWFhYWFhYWFhYWFhYWFhYWE=|niqKOb39NFzUvkNMH3LJyuNduIc="

static const struct {
	const char *name, *names, *hosts;
} known_hosts_stories[] = {
	{"names", "a.example,10.0.0.1,::1", "A"},
	{"patterns", "*.example,!b.example,c?", "A"},
	{"port", "[a.example]:2222,[::1]:22", "A"},
	{"hashed", HASHED, "A"},
	{"many", "a,b,c", "ABCAB"},
	{"authority", "@cert-authority *.example", "X"},
	{"authority-of-a-port", "@cert-authority [*.example]:2222,!b.*", "XB"},
	{"authority-hashed", "@cert-authority " HASHED, "X"},
	{"revoked", "@revoked *", "AX"},
	{"comment", "# a", "AB"},
	{"unknown-marker", "@other a", "AB"},
	{"no-names", "", "AB"},
};

static void put_known_host(struct buf *out, const char *names, struct bytes blob)
{
	char base64[256];

	EVP_EncodeBlock((uint8_t *)base64, blob.data, (int)blob.len);
	buf_put(out, bytes_of(names));
	buf_put(out, bytes_of(" ssh-ed25519 "));
	buf_put(out, bytes_of(base64));
	buf_put(out, bytes_of(" a comment\r\n"));
}

bool corpus_known_hosts(const char *folder)
{
	struct hosts hosts;
	bool written = hosts_make(&hosts);

	for (size_t i = 0; i < sizeof(known_hosts_stories) / sizeof(known_hosts_stories[0]); i++) {
		AUTO(buf) out = {0};

		buf_put_u8(&out, 7);
		for (const char *at = known_hosts_stories[i].hosts; *at != '\0'; at++)
			put_known_host(&out, known_hosts_stories[i].names,
				*at == 'X' ? buf_bytes(&hosts.authority_blob)
					   : host_shows(&hosts, *at));
		written = written && buf_status(&out) == KS_OK &&
			  corpus_file(folder, known_hosts_stories[i].name, buf_bytes(&out));
	}
	hosts_free(&hosts);
	return written;
}

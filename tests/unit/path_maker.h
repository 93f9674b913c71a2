/*
 * Hosts as letters, for tests of destinations: "A>B" is a connection that A forwards and that
 * logs in at B, "-A AB=joe" are hops from here to A, and from A to joe at B. Small letters are host
 * certificates, and in hops entries for the authority that signed them.
 */
#ifndef PATH_MAKER_H
#define PATH_MAKER_H

#include <ctype.h>
#include <string.h>

#include "certificate_maker.h"
#include "constraint_maker.h"

#define HOSTS 3

struct host {
	char name[sizeof("a.example")];
	EVP_PKEY *key;
	struct buf blob;
	struct buf certificate;
};

struct hosts {
	struct host of[HOSTS];
	EVP_PKEY *authority;
	struct buf authority_blob;
};

/* The same key each time. */
static inline EVP_PKEY *key_of_number(uint8_t number)
{
	const uint8_t secret[32] = {1, number};

	return EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, secret, sizeof(secret));
}

static inline bool hosts_make(struct hosts *hosts)
{
	bool made;

	*hosts = (struct hosts){.authority = key_of_number(HOSTS)};
	made = hosts->authority != NULL &&
	       public_key_put_pkey(&hosts->authority_blob, hosts->authority) == KS_OK;
	for (uint8_t i = 0; i < HOSTS && made; i++) {
		struct host *host = &hosts->of[i];

		memcpy(host->name, "a.example", sizeof(host->name));
		host->name[0] = (char)('a' + i);
		host->key = key_of_number(i);
		made = host->key != NULL && public_key_put_pkey(&host->blob, host->key) == KS_OK;
		if (!made)
			break;
		certificate_put(&host->certificate, &(struct certificate_draft){.key = host->key,
							    .authority = hosts->authority,
							    .principals = {host->name}});
		made = buf_status(&host->certificate) == KS_OK;
	}
	return made;
}

static inline void hosts_free(struct hosts *hosts)
{
	for (int i = 0; i < HOSTS; i++) {
		EVP_PKEY_free(hosts->of[i].key);
		buf_deinit(&hosts->of[i].blob);
		buf_deinit(&hosts->of[i].certificate);
	}
	EVP_PKEY_free(hosts->authority);
	buf_deinit(&hosts->authority_blob);
}

static inline const struct host *host_of(const struct hosts *hosts, char letter)
{
	return &hosts->of[(tolower(letter) - 'a') % HOSTS];
}

/* What a host shows when it is bound. */
static inline struct bytes host_shows(const struct hosts *hosts, char letter)
{
	const struct host *host = host_of(hosts, letter);

	return buf_bytes(islower(letter) ? &host->certificate : &host->blob);
}

static inline struct host_draft host_draft_of(const struct hosts *hosts, char letter)
{
	struct host_draft draft = {.name = RAW("")};

	if (letter == '-')
		return draft;
	draft.name = bytes_of(host_of(hosts, letter)->name);
	draft.keys[0].ca = islower(letter) != 0;
	draft.keys[0].blob = islower(letter) ? buf_bytes(&hosts->authority_blob)
					     : buf_bytes(&host_of(hosts, letter)->blob);
	return draft;
}

/* The constraint for hops that are separated by blanks. */
static inline void hops_put(struct buf *out, const struct hosts *hosts, const char *hops)
{
	size_t opened;

	extension_put(out, "restrict-destination-v00@openssh.com");
	opened = buf_open_string(out);
	while (*hops != '\0') {
		size_t len = strcspn(hops, " ");
		struct hop_draft hop = {
			.from = host_draft_of(hosts, hops[0]), .to = host_draft_of(hosts, hops[1])};

		if (hops[2] == '=')
			hop.to.user = BYTES((const uint8_t *)hops + 3, len - 3);
		hop_draft_put(out, &hop);
		hops += len + strspn(hops + len, " ");
	}
	buf_close_string(out, opened);
}

#endif

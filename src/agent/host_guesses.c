/*
 * See host_guesses.h. Every word counts, whatever option it belongs to, as does what stands behind
 * an option's letter, a "=" or an "@".
 */
#include "host_guesses.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include <keystile/text.h>

#define WORDS_MAX 200
#define PLACES_MAX 24
#define PORTS_MAX 4
#define PORT_LEN_MAX 5

/* What a command line has of each; borrowed from it. */
struct places {
	struct bytes hosts[PLACES_MAX];
	size_t host_count;
	struct bytes ports[PORTS_MAX];
	size_t port_count;
};

static struct bytes after(struct bytes text, size_t count)
{
	return BYTES(text.data + count, text.len - count);
}

/* What is behind the last one of the character, or all. */
static struct bytes behind(struct bytes text, char character)
{
	const uint8_t *at = text.len > 0 ? memrchr(text.data, character, text.len) : NULL;

	return at == NULL ? text : after(text, (size_t)(at - text.data) + 1);
}

/* Takes what is before the first one of the character, or all; *rest goes on behind it. */
static struct bytes take_until(struct bytes *rest, char character)
{
	const uint8_t *at = rest->len > 0 ? memchr(rest->data, character, rest->len) : NULL;
	struct bytes taken = BYTES(rest->data, at == NULL ? rest->len : (size_t)(at - rest->data));

	*rest = after(*rest, at == NULL ? rest->len : taken.len + 1);
	return taken;
}

static bool is_port(struct bytes text)
{
	for (size_t i = 0; i < text.len; i++)
		if (!isdigit(text.data[i]))
			return false;
	return text.len > 0 && text.len <= PORT_LEN_MAX;
}

static bool is_host(struct bytes text)
{
	for (size_t i = 0; i < text.len; i++)
		if (!isalnum(text.data[i]) && memchr("._-:%", text.data[i], 5) == NULL)
			return false;
	return text.len > 0 && text.len <= HOST_GUESS_LEN_MAX && text.data[0] != '-';
}

static void add_port(struct places *places, struct bytes text)
{
	if (is_port(text) && places->port_count < PORTS_MAX)
		places->ports[places->port_count++] = text;
}

static void add_host(struct places *places, struct bytes text)
{
	if (is_host(text) && places->host_count < PLACES_MAX)
		places->hosts[places->host_count++] = text;
}

/* [ssh://][user@]host[:port][/], where a host with colons of its own may stand in brackets. */
static void add_place(struct places *places, struct bytes text)
{
	if (text.len > 6 && memcmp(text.data, "ssh://", 6) == 0) {
		text = after(text, 6);
		text = take_until(&text, '/');
	}
	text = behind(text, '@');
	if (text.len > 0 && text.data[0] == '[') {
		text = after(text, 1);
		add_host(places, take_until(&text, ']'));
		add_port(places, behind(text, ':'));
	} else if (behind(text, ':').len > 0 && is_port(behind(text, ':')) &&
		   memchr(text.data, ':', text.len) == behind(text, ':').data - 1) {
		add_host(places, take_until(&text, ':'));
		add_port(places, text);
	} else {
		add_host(places, text);
	}
}

static void add_word(struct places *places, struct bytes word)
{
	if (word.len > 2 && word.data[0] == '-')
		word = after(word, 2);
	word = behind(behind(word, '='), ' ');
	if (is_port(word))
		add_port(places, word);
	else
		while (word.len > 0)
			add_place(places, take_until(&word, ','));
}

/* Takes name, which is NULL when there was no memory for it. */
static void add_name(struct host_guesses *guesses, char *name)
{
	for (char *at = name; at != NULL && *at != '\0'; at++)
		*at = (char)tolower((unsigned char)*at);
	if (name != NULL && guesses->count < HOST_GUESSES_MAX)
		guesses->names[guesses->count++] = name;
	else
		free(name);
}

void host_guesses_read(struct host_guesses *guesses, struct bytes words)
{
	struct places places = {0};

	for (int i = 0; i < WORDS_MAX && words.len > 0; i++)
		add_word(&places, take_until(&words, '\0'));
	for (size_t i = 0; i < places.host_count; i++) {
		struct bytes host = places.hosts[i];

		add_name(guesses, strndup((const char *)host.data, host.len));
		for (size_t k = 0; k < places.port_count; k++)
			add_name(guesses, text_format("[%.*s]:%.*s", (int)host.len,
						  (const char *)host.data, (int)places.ports[k].len,
						  (const char *)places.ports[k].data));
	}
}

void host_guesses_remember(struct host_guesses *guesses, const char *name)
{
	char *copy;

	for (size_t i = 0; i < guesses->count; i++)
		if (strcmp(guesses->names[i], name) == 0)
			return;
	copy = strdup(name);
	if (copy != NULL && guesses->count == HOST_GUESSES_MAX) {
		free(guesses->names[0]);
		memmove(&guesses->names[0], &guesses->names[1],
			--guesses->count * sizeof(guesses->names[0]));
	}
	if (copy != NULL)
		guesses->names[guesses->count++] = copy;
}

void host_guesses_deinit(struct host_guesses *guesses)
{
	for (size_t i = 0; i < guesses->count; i++)
		free(guesses->names[i]);
	*guesses = (struct host_guesses){0};
}

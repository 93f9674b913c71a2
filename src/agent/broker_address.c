/*
 * Socket addresses between text and the kernel's structs.
 */
#include "broker_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#define UNIX_HEAD offsetof(struct sockaddr_un, sun_path)
#define UNIX_PATH_MAX sizeof(((struct sockaddr_un *)0)->sun_path)
#define PORT_DIGITS_MAX 5

/* A path has no NUL in it and one behind it; an abstract name begins with one and is just len. */
static bool set_unix(struct broker_address *out, const void *path, size_t len)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	bool abstract = len > 0 && *(const char *)path == '\0';

	*out = (struct broker_address){0};
	if (len == 0 || len > UNIX_PATH_MAX - (abstract ? 0 : 1))
		return false;
	memcpy(address.sun_path, path, len);
	memcpy(&out->address, &address, sizeof(address));
	out->len = (socklen_t)(UNIX_HEAD + len + (abstract ? 0 : 1));
	return true;
}

static void set_ipv4(struct broker_address *out, struct in_addr host, in_port_t port)
{
	const struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr = host, .sin_port = port};

	*out = (struct broker_address){.len = sizeof(address)};
	memcpy(&out->address, &address, sizeof(address));
}

static void set_ipv6(
	struct broker_address *out, const struct in6_addr *host, in_port_t port, uint32_t scope)
{
	const struct sockaddr_in6 address = {.sin6_family = AF_INET6,
		.sin6_addr = *host,
		.sin6_port = port,
		.sin6_scope_id = scope};

	*out = (struct broker_address){.len = sizeof(address)};
	memcpy(&out->address, &address, sizeof(address));
}

/* ---- Text ---- */

static bool parse_unix(const char *text, struct broker_address *out)
{
	char name[UNIX_PATH_MAX + 1] = {0};
	size_t len = strlen(text);

	if (len < 2 || len > UNIX_PATH_MAX)
		return false;
	memcpy(name, text, len);
	if (text[0] == '@')
		name[0] = '\0';
	return set_unix(out, name, len);
}

/* In network order, 0 when it is none. */
static in_port_t parse_port(const char *text)
{
	unsigned port = 0;
	size_t len = strlen(text);

	if (len == 0 || len > PORT_DIGITS_MAX || strspn(text, "0123456789") != len)
		return 0;
	for (; *text != '\0'; text++)
		port = port * 10 + (unsigned)(*text - '0');
	return port <= UINT16_MAX ? htons((uint16_t)port) : 0;
}

static bool parse_tcp(const char *text, struct broker_address *out)
{
	const char *colon = strrchr(text, ':');
	in_port_t port = colon != NULL ? parse_port(colon + 1) : 0;
	char host[INET6_ADDRSTRLEN + 2] = "";
	size_t len = colon != NULL ? (size_t)(colon - text) : 0;
	struct in_addr ipv4;
	struct in6_addr ipv6;

	if (port == 0 || len == 0 || len >= sizeof(host))
		return false;
	memcpy(host, text, len);
	if (inet_pton(AF_INET, host, &ipv4) == 1) {
		set_ipv4(out, ipv4, port);
		return true;
	}
	if (host[0] != '[' || host[len - 1] != ']')
		return false;
	host[len - 1] = '\0';
	if (inet_pton(AF_INET6, host + 1, &ipv6) != 1)
		return false;
	set_ipv6(out, &ipv6, port, 0);
	return true;
}

bool broker_address_parse(const char *text, struct broker_address *out)
{
	static const char tcp[] = "tcp:";

	if (text[0] == '/' || text[0] == '@')
		return parse_unix(text, out);
	return strncmp(text, tcp, strlen(tcp)) == 0 && parse_tcp(text + strlen(tcp), out);
}

void broker_address_text(
	const struct broker_address *address, char out[static BROKER_ADDRESS_TEXT_MAX])
{
	char host[INET6_ADDRSTRLEN] = "?";
	struct sockaddr_un local;
	struct sockaddr_in ipv4;
	struct sockaddr_in6 ipv6;

	memcpy(&local, &address->address, sizeof(local));
	memcpy(&ipv4, &address->address, sizeof(ipv4));
	memcpy(&ipv6, &address->address, sizeof(ipv6));
	if (local.sun_family == AF_UNIX) {
		bool abstract = local.sun_path[0] == '\0';
		int len = (int)(address->len - UNIX_HEAD) - 1;

		snprintf(out, BROKER_ADDRESS_TEXT_MAX, "%s%.*s", abstract ? "@" : "", len,
			local.sun_path + (abstract ? 1 : 0));
	} else if (local.sun_family == AF_INET) {
		inet_ntop(AF_INET, &ipv4.sin_addr, host, sizeof(host));
		snprintf(out, BROKER_ADDRESS_TEXT_MAX, "tcp:%s:%u", host, ntohs(ipv4.sin_port));
	} else {
		inet_ntop(AF_INET6, &ipv6.sin6_addr, host, sizeof(host));
		snprintf(out, BROKER_ADDRESS_TEXT_MAX, "tcp:[%s]:%u", host, ntohs(ipv6.sin6_port));
	}
}

/* ---- The kernel's structs ---- */

static bool read_unix(struct bytes bytes, struct broker_address *out)
{
	const uint8_t *path = bytes.data + UNIX_HEAD;
	size_t len = bytes.len - UNIX_HEAD;

	if (bytes.len <= UNIX_HEAD || bytes.len > sizeof(struct sockaddr_un))
		return false;
	return set_unix(out, path, path[0] == '\0' ? len : strnlen((const char *)path, len));
}

bool broker_address_read(struct bytes bytes, struct broker_address *out)
{
	sa_family_t family;
	struct sockaddr_in ipv4;
	struct sockaddr_in6 ipv6;

	if (bytes.len < sizeof(family))
		return false;
	memcpy(&family, bytes.data, sizeof(family));
	if (family == AF_UNIX)
		return read_unix(bytes, out);
	if (family == AF_INET && bytes.len >= sizeof(ipv4)) {
		memcpy(&ipv4, bytes.data, sizeof(ipv4));
		set_ipv4(out, ipv4.sin_addr, ipv4.sin_port);
		return true;
	}
	if (family != AF_INET6 || bytes.len < sizeof(ipv6))
		return false;
	memcpy(&ipv6, bytes.data, sizeof(ipv6));
	set_ipv6(out, &ipv6.sin6_addr, ipv6.sin6_port, ipv6.sin6_scope_id);
	return true;
}

bool broker_address_same(const struct broker_address *a, const struct broker_address *b)
{
	return a->len == b->len && memcmp(&a->address, &b->address, a->len) == 0;
}

bool broker_address_is_tcp(const struct broker_address *address)
{
	return address->address.ss_family != AF_UNIX;
}

/*
 * Addresses as the configuration and as a worker write them.
 */
#include "test.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/un.h>

#include "broker_address.h"

#define HEAD offsetof(struct sockaddr_un, sun_path)

static struct broker_address parsed(const char *text)
{
	struct broker_address address;

	assert_true(broker_address_parse(text, &address));
	return address;
}

/* As a program hands it to connect(2); len is that of the path, with what follows it. */
static bool read_unix(const void *path, size_t len, struct broker_address *out)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	memcpy(address.sun_path, path, len);
	return broker_address_read(BYTES((const uint8_t *)&address, HEAD + len), out);
}

static void what_is_written_is_what_is_shown(void **state)
{
	static const char *const texts[] = {
		"/run/pcscd/pcscd.comm",
		"@keystile",
		"@a",
		"tcp:127.0.0.1:2321",
		"tcp:[::1]:2321",
		"tcp:[2001:db8::1]:65535",
		"tcp:0.0.0.0:1",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct broker_address address = parsed(texts[i]);
		char text[BROKER_ADDRESS_TEXT_MAX];

		broker_address_text(&address, text);
		assert_string_equal(text, texts[i]);
		assert_int_equal(
			broker_address_is_tcp(&address), strncmp(texts[i], "tcp:", 4) == 0);
	}
}

static void what_is_no_address_is_refused(void **state)
{
	static const char *const texts[] = {
		"",
		"/",
		"@",
		"relative",
		"unix",
		"tcp:",
		"tcp::1",
		"tcp:127.0.0.1",
		"tcp:127.0.0.1:",
		"tcp:127.0.0.1:0",
		"tcp:127.0.0.1:65536",
		"tcp:127.0.0.1:+1",
		"tcp:127.0.0.1: 1",
		"tcp:127.0.0.1:000001",
		"tcp:localhost:1",
		"tcp:127.1:1",
		"tcp:::1:1",
		"tcp:[::1:1",
		"tcp:[]:1",
		"tcp:[127.0.0.1]:1",
		"tcp:[fe80::1%lo]:1",
		"udp:127.0.0.1:1",
	};
	struct broker_address address;
	char longest[sizeof(((struct sockaddr_un *)0)->sun_path) + 1];

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (broker_address_parse(texts[i], &address))
			fail_msg("%s is taken", texts[i]);
	memset(longest, 'x', sizeof(longest));
	longest[0] = '/';
	longest[sizeof(longest) - 1] = '\0';
	assert_false(broker_address_parse(longest, &address)); /* no room for its end */
	longest[sizeof(longest) - 2] = '\0';
	assert_true(broker_address_parse(longest, &address));
}

static void a_path_is_the_same_however_its_end_is_given(void **state)
{
	struct broker_address granted = parsed("/run/s");
	struct broker_address asked;
	char rest[] = "/run/s\0and what was in memory";

	(void)state;
	assert_true(read_unix("/run/s", 6, &asked)); /* without a NUL, as the kernel takes it too */
	assert_true(broker_address_same(&granted, &asked));
	assert_true(read_unix("/run/s", 7, &asked));
	assert_true(broker_address_same(&granted, &asked));
	assert_true(read_unix(rest, sizeof(rest), &asked));
	assert_true(broker_address_same(&granted, &asked));
}

static void a_path_that_leads_there_is_not_the_same(void **state)
{
	static const char *const paths[] = {
		"/run/./s", "//run/s", "/run/s/", "run/s", "/run/S", "/run/", "/run/s2"};
	struct broker_address granted = parsed("/run/s");
	struct broker_address asked;

	(void)state;
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		assert_true(read_unix(paths[i], strlen(paths[i]) + 1, &asked));
		assert_false(broker_address_same(&granted, &asked));
	}
}

static void an_abstract_name_is_all_of_its_bytes(void **state)
{
	struct broker_address granted = parsed("@name");
	struct broker_address asked;

	(void)state;
	assert_true(read_unix("\0name", 5, &asked));
	assert_true(broker_address_same(&granted, &asked));
	assert_true(read_unix("\0name\0", 6, &asked));
	assert_false(broker_address_same(&granted, &asked));
	assert_true(read_unix("@name", 6, &asked)); /* a file of that name */
	assert_false(broker_address_same(&granted, &asked));
	assert_true(read_unix("/name", 6, &asked));
	assert_false(broker_address_same(&granted, &asked));
}

static void a_tcp_address_is_host_and_port_of_its_family(void **state)
{
	struct broker_address granted = parsed("tcp:127.0.0.1:80");
	struct broker_address granted6 = parsed("tcp:[::1]:80");
	struct broker_address asked;
	struct {
		struct sockaddr_in address;
		uint8_t more[8];
	} ipv4 = {.address = {.sin_family = AF_INET, .sin_port = htons(80)}, .more = {1}};
	struct sockaddr_in6 ipv6 = {.sin6_family = AF_INET6,
		.sin6_port = htons(80),
		.sin6_addr = in6addr_loopback,
		.sin6_flowinfo = 7};

	(void)state;
	ipv4.address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	memset(ipv4.address.sin_zero, 0xff, sizeof(ipv4.address.sin_zero));
	assert_true(broker_address_read(BYTES((const uint8_t *)&ipv4, sizeof(ipv4)), &asked));
	assert_true(broker_address_same(&granted, &asked));
	ipv4.address.sin_port = htons(81);
	assert_true(broker_address_read(BYTES((const uint8_t *)&ipv4, sizeof(ipv4)), &asked));
	assert_false(broker_address_same(&granted, &asked));
	assert_true(broker_address_read(BYTES((const uint8_t *)&ipv6, sizeof(ipv6)), &asked));
	assert_true(broker_address_same(&granted6, &asked));
	assert_false(broker_address_same(&granted, &asked));
	ipv6.sin6_scope_id = 2;
	assert_true(broker_address_read(BYTES((const uint8_t *)&ipv6, sizeof(ipv6)), &asked));
	assert_false(broker_address_same(&granted6, &asked));
}

static void what_is_too_short_or_of_another_kind_is_none(void **state)
{
	union {
		struct sockaddr_storage whole;
		uint8_t bytes[sizeof(struct sockaddr_storage)];
	} address = {0};
	struct broker_address out;

	(void)state;
	assert_false(broker_address_read(BYTES(NULL, 0), &out));
	for (int family = 0; family < 50; family++) {
		size_t least = family == AF_INET ? sizeof(struct sockaddr_in)
						 : sizeof(struct sockaddr_in6);

		address.whole.ss_family = (sa_family_t)family;
		for (size_t len = 0; len <= sizeof(address.bytes); len++) {
			bool known = (family == AF_INET || family == AF_INET6) && len >= least;

			if (family != AF_UNIX)
				assert_int_equal(
					broker_address_read(BYTES(address.bytes, len), &out),
					known);
		}
	}
	address.whole.ss_family = AF_UNIX;
	assert_false(broker_address_read(BYTES(address.bytes, HEAD), &out)); /* no name */
	assert_true(broker_address_read(BYTES(address.bytes, HEAD + 1), &out));
	assert_false(
		broker_address_read(BYTES(address.bytes, sizeof(struct sockaddr_un) + 1), &out));
	memset(address.bytes + HEAD, 'x', sizeof(address.bytes) - HEAD);
	assert_false(broker_address_read(BYTES(address.bytes, sizeof(struct sockaddr_un)), &out));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_what_is_shown),
		cmocka_unit_test(what_is_no_address_is_refused),
		cmocka_unit_test(a_path_is_the_same_however_its_end_is_given),
		cmocka_unit_test(a_path_that_leads_there_is_not_the_same),
		cmocka_unit_test(an_abstract_name_is_all_of_its_bytes),
		cmocka_unit_test(a_tcp_address_is_host_and_port_of_its_family),
		cmocka_unit_test(what_is_too_short_or_of_another_kind_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

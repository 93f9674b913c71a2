/*
 * See key_usage.h. Names are those of RFC 5280, RFC 4556, RFC 4334 and of Microsoft's
 * documentation, as openssl and its like write them.
 */
#include "key_usage.h"

#include <stddef.h>
#include <string.h>

static const struct {
	const char *name, *oid;
} known[] = {
	{KEY_USAGE_ANY, "2.5.29.37.0"},
	{"serverAuth", "1.3.6.1.5.5.7.3.1"},
	{"clientAuth", "1.3.6.1.5.5.7.3.2"},
	{"codeSigning", "1.3.6.1.5.5.7.3.3"},
	{"emailProtection", "1.3.6.1.5.5.7.3.4"},
	{"timeStamping", "1.3.6.1.5.5.7.3.8"},
	{"OCSPSigning", "1.3.6.1.5.5.7.3.9"},
	{"secureShellClient", "1.3.6.1.5.5.7.3.21"},
	{"secureShellServer", "1.3.6.1.5.5.7.3.22"},
	{"documentSigning", "1.3.6.1.5.5.7.3.36"},
	{"pkinitClient", "1.3.6.1.5.2.3.4"},
	{"smartcardLogon", "1.3.6.1.4.1.311.20.2.2"},
	{"fileEncryption", "1.3.6.1.4.1.311.10.3.4"},
	{"pivCardAuth", "2.16.840.1.101.3.6.8"},
};

#define KNOWN (sizeof(known) / sizeof(known[0]))

/* The digits for a name that is known; what is none stands for itself. */
static const char *oid_of(const char *usage)
{
	for (size_t i = 0; i < KNOWN; i++)
		if (strcmp(known[i].name, usage) == 0)
			return known[i].oid;
	return usage;
}

static bool is_oid(const char *usage)
{
	size_t len = strlen(usage);

	return len > 2 && usage[strspn(usage, "0123456789.")] == '\0' && usage[0] != '.' &&
	       usage[len - 1] != '.' && strchr(usage, '.') != NULL && strstr(usage, "..") == NULL;
}

bool key_usage_fits(const char *usage)
{
	return strcmp(usage, "*") == 0 || is_oid(oid_of(usage));
}

bool key_usage_among(const char *usages, const char *usage)
{
	const char *oid = oid_of(usage);
	size_t len = strlen(oid);

	if (strcmp(usage, "*") == 0)
		return true;
	if (usages[0] == '\0')
		return strcmp(usage, KEY_USAGE_ANY) == 0;
	for (; usages[0] != '\0'; usages += usages[0] == ',') {
		size_t one = strcspn(usages, ",");

		if (one == len && memcmp(usages, oid, len) == 0)
			return true;
		usages += one;
	}
	return false;
}

const char *key_usage_name(struct bytes oid)
{
	for (size_t i = 0; i < KNOWN; i++)
		if (bytes_equal_text(oid, known[i].oid))
			return known[i].name;
	return NULL;
}

/* Until the rules are here, everything that needs them is refused. */
#include "associated.h"
enum ks_error associated_expand(const struct constraints *constraints, const struct ks_key *keys,
	size_t count, size_t max, struct ks_key **out, size_t *out_count)
{
	(void)constraints;
	(void)keys;
	(void)count;
	(void)max;
	(void)out;
	(void)out_count;
	return KS_NO_MEMORY;
}

/*
 * See offer.h.
 */
#include "offer.h"

#include <stdio.h>

#include <keystile/cleanup.h>

#define TIME_MAX 24 /* "4294967295 seconds" */

/* In the largest unit that says it exactly. */
static void put_time(uint32_t seconds, char out[static TIME_MAX])
{
	const char *unit = "second";
	uint32_t count = seconds;

	if (seconds % 3600 == 0) {
		unit = "hour";
		count = seconds / 3600;
	} else if (seconds % 60 == 0) {
		unit = "minute";
		count = seconds / 60;
	}
	snprintf(out, TIME_MAX, "%u %s%s", (unsigned)count, unit, count == 1 ? "" : "s");
}

void offer_label(uint32_t seconds, char out[static OFFER_LABEL_MAX])
{
	char time[TIME_MAX];

	put_time(seconds, time);
	snprintf(out, OFFER_LABEL_MAX, "Yes, for %s", time);
}

void offer_put(struct buf *out, uint32_t seconds)
{
	char time[TIME_MAX];

	put_time(seconds, time);
	buf_put(out, bytes_of("A yes may count for "));
	buf_put(out, bytes_of(time));
	buf_put(out, bytes_of(": for this process, key, user and host\n"));
}

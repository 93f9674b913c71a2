/*
 * The checks in their order, and how what they found is shown.
 */
#include "doctor.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <keystile/cleanup.h>
#include <keystile/text.h>

#include "control.h"
#include "field.h"
#include "page.h"

#define VALUE 6

static const char *const verdicts[] = {
	[DOCTOR_PASS] = "pass",
	[DOCTOR_WARN] = "warn",
	[DOCTOR_FAIL] = "fail",
};

void doctor_add(struct doctor *doctor, json_t *finding)
{
	const char *verdict = json_string_value(json_object_get(finding, "verdict"));

	for (enum doctor_verdict i = DOCTOR_PASS; verdict != NULL && i <= DOCTOR_FAIL; i++)
		if (strcmp(verdict, verdicts[i]) == 0 && i > doctor->worst)
			doctor->worst = i;
	json_array_append(doctor->findings, finding);
}

void doctor_say(struct doctor *doctor, enum doctor_verdict verdict, const char *check,
	const char *remedy, const char *format, ...)
{
	size_t command = strcspn(remedy, "\n");
	AUTO(text) words = NULL;
	AUTO(text) safe = NULL;
	AUTO(text) line = text_format("%.*s", (int)command, remedy);
	AUTO(text) paste = line != NULL ? page_escape(line, false) : NULL;
	va_list arguments;

	va_start(arguments, format);
	words = text_format_list(format, arguments);
	va_end(arguments);
	safe = words != NULL ? page_escape(words, false) : NULL;

	json_t *finding = json_pack("{s:s,s:s,s:s,s:s,s:s}", "check", check, "verdict",
		verdicts[verdict], "found", safe != NULL ? safe : "out of memory", "remedy",
		paste != NULL ? paste : "", "advice",
		remedy[command] != '\0' ? remedy + command + 1 : "");

	doctor_add(doctor, finding);
	json_decref(finding);
}

static void print_finding(struct page *page, const json_t *finding)
{
	const char *verdict = json_string_value(json_object_get(finding, "verdict"));
	const char *remedy = text_in(finding, "remedy");
	const char *advice = text_in(finding, "advice");
	enum page_style style = PAGE_PLAIN;

	if (strcmp(verdict, verdicts[DOCTOR_WARN]) == 0)
		style = PAGE_WARNING;
	else if (strcmp(verdict, verdicts[DOCTOR_FAIL]) == 0)
		style = PAGE_BAD;
	page_text(page, style, 0, VALUE, "%s  %s: %s", verdict,
		json_string_value(json_object_get(finding, "check")),
		json_string_value(json_object_get(finding, "found")));
	/* A line as it is, to be copied. */
	if (remedy[0] != '\0')
		fprintf(page->out, "%*s%s\n", VALUE, "", remedy);
	if (advice[0] != '\0')
		page_text(page, PAGE_PLAIN, VALUE, VALUE, "(%s)", advice);
}

static void print_all(const struct doctor *doctor, bool as_json)
{
	struct page page = page_of(stdout);
	AUTO(text) text = NULL;

	if (!as_json) {
		for (size_t i = 0; i < json_array_size(doctor->findings); i++)
			print_finding(&page, json_array_get(doctor->findings, i));
		return;
	}

	json_t *whole = json_pack(
		"{s:O,s:s}", "findings", doctor->findings, "worst", verdicts[doctor->worst]);

	text = json_dumps(whole, JSON_INDENT(2) | JSON_ENSURE_ASCII);
	puts(text != NULL ? text : "null");
	json_decref(whole);
}

int doctor_run(bool as_json, char *const *libraries, int count)
{
	struct doctor doctor = {.findings = json_array()};

	doctor_check_agent(&doctor);
	doctor_check_status(&doctor);
	doctor_check_devices(&doctor);
	doctor_check_session(&doctor);
	for (int i = 0; i < count; i++)
		doctor_check_provider(&doctor, libraries[i]);
	print_all(&doctor, as_json);
	json_decref(doctor.findings);
	json_decref(doctor.status);
	return (int)doctor.worst;
}

/*
 * See keystile/option_row.h.
 */
#include <keystile/option_row.h>

#include <string.h>

#define INDENT 2
#define PURPOSE 26 /* column where the purposes begin */

bool option_row_is(const struct option_row *row)
{
	return row->name != NULL || row->letter != '\0';
}

void option_rows_describe(
	const struct option_row *rows, const char *start, struct option_tables *out)
{
	size_t letters = strlen(start), names = 0;

	*out = (struct option_tables){0};
	memcpy(out->letters, start, letters);
	for (int i = 0; i < OPTION_ROWS_MAX && option_row_is(&rows[i]); i++) {
		const struct option_row *row = &rows[i];

		if (row->letter != '\0')
			out->letters[letters++] = row->letter;
		if (row->letter != '\0' && row->value != NULL)
			out->letters[letters++] = ':';
		if (row->name != NULL)
			out->names[names++] = (struct option){.name = row->name,
				.has_arg = row->value != NULL ? required_argument : no_argument,
				.val = row->letter != '\0' ? row->letter : OPTION_NAMED + i};
	}
}

int option_row_place(const struct option_row *rows, int returned)
{
	for (int i = 0; option_row_is(&rows[i]); i++)
		if (returned == (rows[i].letter != '\0' ? rows[i].letter : OPTION_NAMED + i))
			return i;
	return -1;
}

const char *option_row_name(const struct option_row *row, char out[static OPTION_NAME_MAX])
{
	const char letter[] = {row->letter, '\0'};

	(void)snprintf(out, OPTION_NAME_MAX, "%s%s", row->name != NULL ? "--" : "-",
		row->name != NULL ? row->name : letter);
	return out;
}

void option_row_print(const struct option_row *row, FILE *out)
{
	char name[OPTION_NAME_MAX];

	fputs(option_row_name(row, name), out);
	if (row->value != NULL)
		fprintf(out, " %s", row->value->name);
}

/* "-c, --csh" as well as "-f" and "--json". */
static int print_names(const struct option_row *row, FILE *out)
{
	int width = INDENT;

	fprintf(out, "%*s", INDENT, "");
	if (row->letter != '\0')
		width += fprintf(out, "-%c", row->letter);
	if (row->name != NULL)
		width += fprintf(out, "%s--%s", row->letter != '\0' ? ", " : "", row->name);
	if (row->value != NULL)
		width += fprintf(out, " %s", row->value->name);
	return width;
}

void option_rows_print(const struct option_row *rows, FILE *out)
{
	for (const struct option_row *row = rows; option_row_is(row); row++) {
		int width = print_names(row, out);

		if (width >= PURPOSE)
			fprintf(out, "\n%*s", PURPOSE, "");
		else
			fprintf(out, "%*s", PURPOSE - width, "");
		fprintf(out, "%s\n", row->purpose);
	}
}

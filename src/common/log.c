/*
 * Log lines. Each is put together in one piece and written by one write(), so that
 * lines of several processes on one stderr do not mix.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <keystile/log.h>

#define LOG_LINE_MAX 2048
#define LOG_NAME_MAX 64

static struct {
	char name[LOG_NAME_MAX];
	enum log_level level;
	log_sink *sink;
	void *context;
} log_state = {.name = "keystile", .level = LOG_LEVEL_WARNING};

void log_start(const char *name, enum log_level level)
{
	snprintf(log_state.name, sizeof(log_state.name), "%s", name);
	log_state.level = level;
}

void log_to(log_sink *sink, void *context)
{
	log_state.sink = sink;
	log_state.context = context;
}

enum log_level log_level(void)
{
	return log_state.level;
}

static void log_to_stderr(const char *line)
{
	char whole[LOG_NAME_MAX + LOG_LINE_MAX + 4];
	int len = snprintf(whole, sizeof(whole), "%s: %s\n", log_state.name, line);

	/* There is nobody to tell that logging failed. */
	if (len > 0 && write(STDERR_FILENO, whole, (size_t)len) < 0)
		return;
}

/* A line stays one line and drives no terminal, whatever was put in it. */
static void log_clean(char *line)
{
	for (; *line; line++)
		if ((unsigned char)*line < 0x20 || *line == 0x7f)
			*line = '?';
}

KS_PRINTF(2, 0)
static void log_write(enum log_level level, const char *format, va_list arguments)
{
	char line[LOG_LINE_MAX];
	int saved_errno = errno;
	int len;

	if (level > log_state.level)
		return;
	len = vsnprintf(line, sizeof(line), format, arguments);
	if (len < 0)
		snprintf(line, sizeof(line), "a line that could not be written: %.100s", format);
	else if ((size_t)len >= sizeof(line))
		memcpy(line + sizeof(line) - 4, "...", 4);
	log_clean(line);
	if (log_state.sink)
		log_state.sink(level, line, log_state.context);
	else
		log_to_stderr(line);
	errno = saved_errno;
}

void log_error(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	log_write(LOG_LEVEL_ERROR, format, arguments);
	va_end(arguments);
}

void log_warning(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	log_write(LOG_LEVEL_WARNING, format, arguments);
	va_end(arguments);
}

void log_info(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	log_write(LOG_LEVEL_INFO, format, arguments);
	va_end(arguments);
}

void log_debug(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	log_write(LOG_LEVEL_DEBUG, format, arguments);
	va_end(arguments);
}

/*
 * The file holds the number of the process that asked last; its time says when.
 */
#include "wanted.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <keystile/cleanup.h>
#include <keystile/log.h>
#include <keystile/text.h>

#include "remembered.h"

static char *file_in(const char *state_folder)
{
	return state_folder != NULL ? text_format("%s/room-wanted", state_folder) : NULL;
}

void wanted_ask(const char *state_folder)
{
	AUTO(text) file = file_in(state_folder);
	AUTO(text) who = text_format("%d", (int)getpid());

	if (file != NULL && who != NULL && remembered_write(file, bytes_of(who)) != KS_OK)
		log_debug("other workers are not asked for room in the TPM");
}

bool wanted_by_another(const char *state_folder, struct timespec *seen)
{
	AUTO(text) file = file_in(state_folder);
	AUTO(text) who = text_format("%d", (int)getpid());
	AUTO(buf) content = {0};
	struct stat found;

	if (file == NULL || who == NULL || stat(file, &found) != 0)
		return false;
	if (found.st_mtim.tv_sec == seen->tv_sec && found.st_mtim.tv_nsec == seen->tv_nsec)
		return false;
	*seen = found.st_mtim;
	return remembered_read(file, &content) == KS_OK &&
	       !bytes_equal_text(buf_bytes(&content), who);
}

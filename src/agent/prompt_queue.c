/*
 * See prompt_queue.h. A path's questions are dealt to rounds, one to each, from the round after the
 * present one on. So who asks again is behind everybody who waits for a first answer, and who asks
 * for much waits the longer.
 */
#include "prompt_queue.h"

#include <stddef.h>
#include <string.h>

static bool is_of(const struct prompt_place *place, const char *path)
{
	return path != NULL && place->path != NULL && strcmp(place->path, path) == 0;
}

const char *prompt_queue_full(const struct prompt_queue *queue, const char *path)
{
	unsigned all = 0, remote = 0, same = 0;

	for (const struct prompt_place *place = queue->first; place != NULL; place = place->next) {
		all++;
		remote += place->path != NULL;
		same += is_of(place, path);
	}
	if (same >= PROMPT_QUEUE_PATH_MAX)
		return "too many questions that came this way wait for the person already";
	if (path != NULL && remote >= PROMPT_QUEUE_REMOTE_MAX)
		return "too many remote questions wait for the person already";
	return all >= PROMPT_QUEUE_MAX ? "too many questions wait for the person already" : NULL;
}

bool prompt_queue_has(const struct prompt_queue *queue, const char *path)
{
	for (const struct prompt_place *place = queue->first; place != NULL; place = place->next)
		if (is_of(place, path))
			return true;
	return false;
}

void prompt_queue_add(struct prompt_queue *queue, struct prompt_place *place)
{
	struct prompt_place **end = &queue->first;

	place->next = NULL;
	place->round = place->path == NULL ? 0 : queue->round + 1;
	for (; *end != NULL; end = &(*end)->next)
		if (is_of(*end, place->path))
			place->round = (*end)->round + 1;
	*end = place;
}

struct prompt_place *prompt_queue_take(struct prompt_queue *queue)
{
	struct prompt_place *found = queue->first;

	if (found == NULL)
		return NULL;
	for (struct prompt_place *place = found->next; place != NULL; place = place->next)
		if (place->round < found->round)
			found = place;
	if (found->path != NULL)
		queue->round = found->round;
	prompt_queue_remove(queue, found);
	return found;
}

void prompt_queue_remove(struct prompt_queue *queue, struct prompt_place *place)
{
	struct prompt_place **at = &queue->first;

	while (*at != NULL && *at != place)
		at = &(*at)->next;
	if (*at == NULL)
		return;
	*at = place->next;
	place->next = NULL;
}

/*
 * See audit_process.h.
 */
#include "audit_process.h"

#include "parents.h"

static json_t *parents_of(const struct peer *peer)
{
	json_t *list = json_array();
	struct parents parents;

	parents_read(&parents, peer);
	for (size_t i = 0; i < parents.count; i++)
		json_array_append_new(list, audit_path(bytes_of(parents.executables[i])));
	parents_deinit(&parents);
	return list;
}

json_t *audit_process(const struct peer *peer, bool with_parents)
{
	json_t *process = json_pack("{s:i,s:o}", "pid", (int)peer->pid, "executable",
		audit_path(bytes_of(peer->executable)));

	if (with_parents && process != NULL &&
		json_object_set_new(process, "parents", parents_of(peer)) != 0) {
		json_decref(process);
		return NULL;
	}
	return process;
}

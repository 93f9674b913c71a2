/*
 * Who is at the other end: that a process which has ended, or whose number is another's by now, is
 * never taken for the one that connected.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <keystile/cleanup.h>

#include "peer.h"
#include "test.h"

struct place {
	char folder[64];
	struct sockaddr_un address;
	int listening;
};

static void place_init(struct place *place)
{
	*place = (struct place){.address.sun_family = AF_UNIX};
	strcpy(place->folder, "/tmp/test-peer-XXXXXX");
	assert_non_null(mkdtemp(place->folder));
	snprintf(place->address.sun_path, sizeof(place->address.sun_path), "%s/s", place->folder);
	place->listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(place->listening, (const struct sockaddr *)&place->address,
				 sizeof(place->address)),
		0);
	assert_int_equal(listen(place->listening, 5), 0);
}

static void place_deinit(struct place *place)
{
	close(place->listening);
	unlink(place->address.sun_path);
	rmdir(place->folder);
}

static int connect_to(const struct place *place)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (connect(fd, (const struct sockaddr *)&place->address, sizeof(place->address)) != 0)
		return -1;
	return fd;
}

/* A process that connects, says so, and lives until it is killed. */
static pid_t child_that_connects(const struct place *place, int *accepted)
{
	pid_t child = fork();

	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (connect_to(place) < 0)
			_exit(1);
		for (;;)
			pause();
	}
	assert_true(child > 0);
	*accepted = accept4(place->listening, NULL, NULL, SOCK_CLOEXEC);
	assert_true(*accepted >= 0);
	return child;
}

static void end(pid_t child)
{
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, NULL, 0), child);
}

static void a_process_that_forked_and_goes_on_is_told_apart(void **state)
{
	struct place place;
	struct peer own;
	struct peer forked;
	int accepted;
	pid_t child;
	int fd;

	(void)state;
	place_init(&place);
	fd = connect_to(&place);
	accepted = accept4(place.listening, NULL, NULL, SOCK_CLOEXEC);
	assert_int_equal(peer_read(accepted, &own), KS_OK);
	assert_int_equal(own.pid, getpid());
	assert_false(own.forked);
	assert_false(own.other_namespace);
	close(accepted);
	close(fd);
	child = child_that_connects(&place, &accepted);
	assert_int_equal(peer_read(accepted, &forked), KS_OK);
	assert_int_equal(forked.pid, child);
	assert_string_equal(forked.executable, own.executable);
	assert_true(forked.forked);
	end(child);
	close(accepted);
	peer_deinit(&own);
	peer_deinit(&forked);
	place_deinit(&place);
}

static void one_that_has_ended_before_it_is_looked_at_is_nobody(void **state)
{
	struct place place;
	struct peer peer;
	int accepted;

	(void)state;
	place_init(&place);
	end(child_that_connects(&place, &accepted));
	assert_int_equal(peer_read(accepted, &peer), KS_OK);
	assert_string_equal(peer.executable, "");
	assert_false(peer_unchanged(&peer, true));
	close(accepted);
	peer_deinit(&peer);
	place_deinit(&place);
}

static void one_that_ends_is_changed_whether_its_folder_was_kept_or_not(void **state)
{
	(void)state;
	for (int keep = 0; keep < 2; keep++) {
		struct place place;
		struct peer peer;
		int accepted;
		pid_t child;

		place_init(&place);
		child = child_that_connects(&place, &accepted);
		assert_int_equal(peer_read(accepted, &peer), KS_OK);
		assert_true(peer_unchanged(&peer, keep == 1));
		assert_int_equal(peer.folder >= 0, keep);
		end(child);
		assert_false(peer_unchanged(&peer, keep == 1));
		close(accepted);
		peer_deinit(&peer);
		place_deinit(&place);
	}
}

/* As if the number had been given to another process, of the same program, since the accept. */
static void the_same_number_with_another_start_is_another_process(void **state)
{
	struct place place;
	struct peer peer;
	int accepted;
	int fd;

	(void)state;
	place_init(&place);
	fd = connect_to(&place);
	accepted = accept4(place.listening, NULL, NULL, SOCK_CLOEXEC);
	assert_int_equal(peer_read(accepted, &peer), KS_OK);
	assert_true(peer_unchanged(&peer, false));
	peer.start_time--;
	assert_false(peer_unchanged(&peer, false));
	assert_false(peer_unchanged(&peer, true));
	assert_int_equal(peer.folder, -1);
	close(accepted);
	close(fd);
	peer_deinit(&peer);
	place_deinit(&place);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_process_that_forked_and_goes_on_is_told_apart),
		cmocka_unit_test(one_that_has_ended_before_it_is_looked_at_is_nobody),
		cmocka_unit_test(one_that_ends_is_changed_whether_its_folder_was_kept_or_not),
		cmocka_unit_test(the_same_number_with_another_start_is_another_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

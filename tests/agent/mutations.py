"""
Faults that are put into the source by hand: those of test_unnoticed.py, and each rule of who counts as remote taken
away. `tests/mutate` puts them in, one after the other, and says which of them their test did not notice.
"""
import dataclasses

HERE = "tests/agent/test_unnoticed.py"


@dataclasses.dataclass(frozen=True)
class Mutation:
    """One piece of text in a source file, which occurs there once, in place of which another stands."""
    fault: str
    test: str  # has to fail with it
    file: str
    old: str
    new: str
    here: str = HERE  # where the test is


def _in(file, *rows, here=HERE):
    return [Mutation(fault, test, f"src/agent/{file}", old, new, here) for fault, test, old, new in rows]


def _origin(file, *rows):
    return _in(file, *rows, here="tests/agent/test_origin.py")


def _session(file, *rows):
    return _in(file, *rows, here="tests/agent/test_surroundings.py")


BIND_VERIFIED = "test_a_bind_is_verified"
BIND_REMEMBERED = "test_a_bind_that_failed_is_remembered"
LOGINS_ALONE = "test_a_restricted_key_signs_logins_alone"
LOCKS = "test_a_lock_locks"
CONFIRMS = "test_a_confirmation_is_asked_for"
WEBSAFE = "test_a_web_sites_key_signs_nothing_for_the_web"
FAR_PROVIDERS = "test_who_is_not_here_loads_no_provider"
LEFT_BEHIND = "test_the_socket_goes_with_the_agent"
EXTENSIONS = "test_the_extensions_are_told"

ALL = [
    *_in("session_bind.c",
         ("a bind whose signature is not verified", BIND_VERIFIED,
          "error = public_key_verify(\n\t\t\tkey, message->signature, message->session_id, PERMIT_NOTHING_OLD, NULL);",
          "error = KS_OK;"),
         ("a bind whose signature is verified and does not count", BIND_VERIFIED,
          "\tif (error != KS_OK) {\n\t\tlog_info(\"session bind refused: the host's",
          "\tif (false) {\n\t\tlog_info(\"session bind refused: the host's"),
         ("a bind accepted after an authentication bind", "test_nothing_is_bound_after_an_authentication",
          "if (!record->forwarding) {", "if (false) {"),
         ("a bind forgotten", FAR_PROVIDERS, "\tbinds->attempted = true;\n", "")),
    *_in("dispatch.c",
         ("a failed bind that leaves the connection local", BIND_REMEMBERED,
          "\torigin_worsen(&connection->origin, rule);\n", "\t(void)rule;\n"),
         ("a failed bind forgotten", BIND_REMEMBERED,
          "\torigin_worsen(&connection->origin, rule);\n", "\tconnection->binds.attempted = false;\n")),
    *_in("destination.c",
         ("a constrained key signing with the wrong session id",
          "test_a_restricted_key_signs_for_the_session_that_was_bound_last",
          "if (!bytes_equal(subject->session_id, buf_bytes(&last->session_id)))", "if (false)"),
         ("a constrained key signing with the wrong host key",
          "test_a_restricted_key_signs_for_the_host_that_was_bound_last",
          "if (subject->hostbound && !bytes_equal(subject->host_key, buf_bytes(&last->host_key)))", "if (false)"),
         ("a constrained key signing plain publickey over a forwarded connection",
          "test_a_restricted_key_signs_for_afar_only_what_names_its_host",
          "if (!subject->hostbound && binds->count > 1)", "if (false)"),
         ("a constrained key signing data that is no userauth request", LOGINS_ALONE,
          "return \"the key is restricted to destinations, and this is no login\";", "return NULL;")),
    *_in("subject.c",
         ("bytes after a userauth request", LOGINS_ALONE,
          "return reader_end(&reader) == KS_OK && subject->session_id.len > 0 &&",
          "return reader_status(&reader) == KS_OK && subject->session_id.len > 0 &&"),
         ("another message taken for a userauth request", LOGINS_ALONE,
          "message == SSH_MSG_USERAUTH_REQUEST && ", ""),
         ("another service than ssh-connection", LOGINS_ALONE,
          "\t       bytes_equal_text(service, \"ssh-connection\") &&\n", ""),
         ("another method than publickey", LOGINS_ALONE,
          "(subject->hostbound || bytes_equal_text(method, \"publickey\")) &&", "(method.len > 0) &&"),
         ("a userauth request without a signature", LOGINS_ALONE, "has_signature == 1 &&", "has_signature <= 1 &&"),
         ("a userauth request for another key", LOGINS_ALONE,
          "(bytes_equal(blob, key_blob) && public_key_takes_algorithm(key, algorithm))",
          "public_key_takes_algorithm(key, algorithm)"),
         ("a userauth request with another algorithm", LOGINS_ALONE,
          "(bytes_equal(blob, key_blob) && public_key_takes_algorithm(key, algorithm))",
          "bytes_equal(blob, key_blob)")),
    *_in("connection.c",
         ("the peer's uid unchecked", "test_other_users_are_not_served",
          "if (peer->uid != agent->uid && peer->uid != 0) {", "if (agent->uid != agent->uid) {")),
    *_in("socket_place.c",
         ("socket mode", "test_sockets_are_their_owners_alone", "mask = umask(0177);", "mask = umask(0);"),
         ("socket mode left to the umask", "test_sockets_are_their_owners_alone",
          "mask = umask(0177);", "mask = umask(0177);\n\tumask(mask);")),
    *_in("main.c",
         ("a dumpable process", "test_the_process_can_not_be_looked_into",
          "\tprctl(PR_SET_DUMPABLE, 0, 0, 0, 0);\n", "")),
    *_in("lock.c", ("lock doing nothing", LOCKS, "\tlock->locked = true;\n", "")),
    *_in("key_list.c",
         ("lock that hides no keys", LOCKS, " && !lock_hides_keys(connection); rank++", "; rank++")),
    *_in("dispatch.c",
         ("lock that lets messages through", LOCKS,
          "\tif (!lock_locked(connection->agent->lock))\n\t\treturn true;", "\treturn true;"),
         ("lock that leaves query", LOCKS, " &&\n\t\t !lock_locked(connection->agent->lock))\n", ")\n")),
    *_in("sign.c",
         ("confirm never asked", CONFIRMS, "else if (sign->verdict.confirm && !sign_remembered(sign))", "else if (false)")),
    *_in("sign_confirm.c",
         ("any answer to confirm a yes", CONFIRMS,
          "} else if (status != PROMPT_YES && status != PROMPT_YES_REMEMBER) {",
          "} else if (status > PROMPT_NO && status != PROMPT_YES_REMEMBER) {")),
    *_in("constraints_parse.c", ("confirm not heard", CONFIRMS, "\tparser->constraints->confirm = true;\n", "")),
    *_in("key_rules.c",
         ("confirm not found", CONFIRMS, "return source->constraints->confirm;", "return false;")),
    *_in("policy.c",
         ("confirm not in the verdict", CONFIRMS, ".allowed = true, .confirm = facts->confirm,", ".allowed = true,")),
    *_in("sign_check.c",
         ("websafe off", WEBSAFE, "if (!websafe_permits(", "if (false && !websafe_permits(")),
    *_in("websafe.c",
         ("websafe that permits everything", WEBSAFE, "text_match_list(application, allow) == 1)",
          "text_match_list(application, allow) <= 1)"),
         ("websafe that takes all data for SSH's", WEBSAFE,
          "\t       subject->kind == SUBJECT_SSHSIG;\n", "\t       subject->kind != SUBJECT_LOGIN;\n")),
    *_in("options.c",
         ("websafe off unless a list is given", WEBSAFE,
          "(struct options){.websafe_allow = WEBSAFE_DEFAULT_ALLOW}", "(struct options){.websafe_allow = NULL}")),
    *_in("provider_load.c",
         ("-P ignored", "test_a_provider_that_the_list_does_not_allow_is_not_loaded",
          "return path[0] == '/' && agent_provider_allowed(provider->agent, path);", "return path[0] == '/';")),
    *_in("dispatch.c",
         ("a remote provider accepted", FAR_PROVIDERS,
          "{MESSAGE_ADD_TOKEN, LOCAL, REFUSED,", "{MESSAGE_ADD_TOKEN, ANYBODY, REFUSED,")),
    *_in("provider_request.c",
         ("a provider accepted on a bound connection", FAR_PROVIDERS,
          "return !connection->binds.attempted || ", "return true || ")),
    *_in("key_request.c",
         ("a security key library accepted from an ssh that bound nothing", FAR_PROVIDERS,
          "if (names_middleware(message) && remote)", "if (false)"),
         ("a security key library accepted on a bound connection", FAR_PROVIDERS,
          "if (names_middleware(message) && connection->binds.attempted &&", "if (false &&")),
    *_in("dispatch.c",
         ("query unanswered", EXTENSIONS, "\t\tquery(connection);\n",
          "\t\tconnection_answer(connection, MESSAGE_FAILURE), (void)query;\n"),
         ("query that names nothing", EXTENSIONS, "\tbuf_put_text(&reply, session_bind_name);\n", "")),
    *_in("listener.c",
         ("the socket left behind", LEFT_BEHIND, "\t\tunlink(listener->path);\n", "\t\t(void)0;\n")),
    *_in("agent.c",
         ("the socket's folder left behind", LEFT_BEHIND, "\t\trmdir(life->place->folder);\n", "\t\t(void)0;\n"),
         ("the agent's own folder left behind", LEFT_BEHIND, "\t\trmdir(life->folder);\n", "\t\t(void)0;\n")),
    *_origin("origin.c",
             ("the remote socket taken for the local one",
              "test_every_connection_to_the_remote_socket_is_remote", "if (facts->listener_remote)", "if (false)"),
             ("an unknown process taken for a known one", "test_a_program_that_was_deleted_is_remote",
              " || peer->executable_deleted ||\n", " ||\n"),
             ("a process without an executable taken for a known one", "test_a_process_that_shows_nobody_what_it_is_is_remote",
              "peer->pid <= 0 || peer->executable[0] == '\\0' || peer->executable_deleted ||\n\t\tpeer->start_time == 0)",
              "peer->executable_deleted)"),
             ("what sshd hands on", "test_what_sshd_hands_on_is_remote",
              "if (config_is_relay(config, peer->executable))", "if (false && config != NULL)"),
             ("what socat hands on", "test_what_socat_relays_is_remote_however_it_is_bound",
              "if (config_is_relay(config, peer->executable))", "if (false && config != NULL)"),
             ("what a relay of one's own hands on", "test_a_relay_of_ones_own_is_remote_once_it_is_configured",
              "if (config_is_relay(config, peer->executable))", "if (false && config != NULL)"),
             ("a container's socket", "test_a_process_to_which_the_socket_was_mounted_is_remote",
              "if (peer->other_namespace)", "if (false)"),
             ("what ssh hands on from the other side", "test_what_ssh_hands_on_from_the_other_side_is_remote",
              "(facts->ssh_seen_before || peer->forked)", "peer->forked"),
             ("a second connection of the same ssh", "test_its_second_connection_is_remote_also_after_the_first_is_closed",
              "(facts->ssh_seen_before || peer->forked)", "peer->forked"),
             ("what an ssh in the background hands on", "test_what_an_ssh_in_the_background_hands_on_is_remote",
              "(facts->ssh_seen_before || peer->forked)", "facts->ssh_seen_before"),
             ("unknown clients, though configured", "test_unknown_clients_can_be_configured_to_be_remote",
              "if (config->unknown_clients_remote && !is_known(peer))", "if (false && !is_known(peer))")),
    *_origin("peer.c",
             ("another mount namespace", "test_a_process_in_another_namespace_is_remote",
              "!same_namespace(folder, \"mnt\") || ", ""),
             ("another pid namespace", "test_a_process_in_another_namespace_is_remote",
              "!same_namespace(folder, \"pid\") ||\n", "\n"),
             ("another user namespace", "test_a_process_in_another_namespace_is_remote",
              "!same_namespace(folder, \"user\") || ", ""),
             ("another root folder", "test_a_process_with_another_root_is_remote", " || !same_root(folder);", ";\n\t(void)same_root;"),
             ("a number that is another process's by now",
              "test_a_process_that_got_the_number_of_the_one_that_asked_gets_no_signature",
              "peer->start_time == 0 || peer_start_time(peer->pid) != peer->start_time", "peer->start_time == 0"),
             ("another program in the same process", "test_a_process_that_became_another_gets_no_signature",
              "strcmp(executable, peer->executable) == 0;", "executable[0] != '\\0';")),
    *_origin("sign_check.c",
             ("an ssh that asks for another session", "test_another_session_than_the_bound_one_asks",
              "\t\t!bytes_equal(subject->session_id, buf_bytes(&bind->session_id)))\n", "\t\tfalse)\n"),
             ("an ssh that asks for no login", "test_what_is_no_login_is_not_signed_as_local",
              "subject->kind != SUBJECT_LOGIN ||\n\t\t!bytes_equal(subject->session_id, buf_bytes(&bind->session_id)))\n",
              "(subject->kind == SUBJECT_LOGIN &&\n\t\t!bytes_equal(subject->session_id, buf_bytes(&bind->session_id))))\n")),
    *_origin("dispatch.c",
             ("an ssh that does not bind first", "test_anything_before_the_bind_makes_it_remote",
              "if (!connection->first_message_seen && !bind)", "if (false)"),
             ("a forwarded agent", "test_a_forwarding_bind_makes_it_remote", "\tif (forwarding)\n", "\tif (false)\n")),
    *_origin("connection.c",
             ("a worker that asks its agent", "test_a_worker_and_what_it_starts_are_not_served",
              "if (children_descends(&agent->children, peer->pid, peer->start_time)) {", "if (false) {")),
    *_session("control_server.c",
              ("a display told over what may be a relay", "test_a_client_that_may_have_been_relayed_can_tell_nothing",
               "if (!control->descriptor_seen) {", "if (false) {")),
    *_session("surroundings.c",
              ("any variable taken as a display", "test_what_is_no_display_bus_terminal_or_language_is_refused_with_a_reason",
               "\t\tif (strcmp(variables[i].name, name) == 0)\n\t\t\treturn i;\n\treturn -1;",
               "\t\tif (strcmp(variables[i].name, name) == 0)\n\t\t\treturn i;\n\treturn 0;"),
              ("a display of another machine", "test_the_display_of_another_machine_is_not_taken",
               "{\"DISPLAY\", SURROUNDINGS_DISPLAY, true, display_flaw}", "{\"DISPLAY\", SURROUNDINGS_DISPLAY, true, language_flaw}"),
              ("half of the session before", "test_the_newest_session_wins_and_nothing_of_the_one_before_is_left",
               "bool replaced = surroundings_has(fresh, variables[i].part);", "bool replaced = fresh->entries[i] != NULL;"),
              ("a login that takes the display away", "test_a_login_without_a_display_takes_none_away",
               "bool replaced = surroundings_has(fresh, variables[i].part);", "bool replaced = true;"),
              ("systemd believed before the session", "test_who_has_told_of_a_display_is_believed_and_systemd_is_not_asked",
               "\tif (surroundings_has(updated, part))\n\t\treturn SURROUNDINGS_UPDATE;",
               "\tif (!surroundings_has(managed, part) && surroundings_has(updated, part))\n\t\treturn SURROUNDINGS_UPDATE;")),
    *_session("prompt.c",
              ("a display that is not looked for", "test_a_display_that_came_up_later_is_learnt_when_it_is_needed",
               "looking = prompt_where_look(agent, wish->kind);", "looking = false;")),
    *_session("user_manager.c",
              ("any entry of systemd's taken", "test_a_display_that_came_up_later_is_learnt_when_it_is_needed",
               " || surroundings_flaw(variable, end + 1) != NULL)", ")"),
              ("a bus that is waited for without end", "test_a_bus_that_never_greets_is_given_up",
               "\tif (left_ms <= 0)\n\t\treturn false;", "\tif (left_ms <= 0)\n\t\tleft_ms = 1000000;")),
]

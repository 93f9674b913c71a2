/*
 * The command line, which is ssh-agent's (CONFORMANCE, last table).
 */
#ifndef AGENT_OPTIONS_H
#define AGENT_OPTIONS_H

#include <stdbool.h>

/* What main() does next when the command line leaves nothing more to do. */
#define OPTIONS_GO_ON (-1)

struct options {
	bool csh;		       /* -c, or SHELL looks like it */
	bool kill;		       /* -k */
	bool foreground;	       /* -D or -d */
	bool debug;		       /* -d */
	bool in_tmp;		       /* -T: the socket goes to TMPDIR, as before OpenSSH 10.1 */
	bool keep_stale;	       /* -U: other agents' stale sockets stay */
	unsigned clean;		       /* -u, once or twice: clean stale sockets up and end */
	const char *address;	       /* -a */
	const char *allowed_providers; /* -P */
	const char *config;	       /* long option --config */
	bool allow_remote_pkcs11;      /* -O allow-remote-pkcs11 */
	bool allow_remote_without_presence; /* -O of that name, ours */
	bool allow_rsa_sha1;		    /* -O of that name, ours */
	bool allow_ssh_dss;		    /* -O of that name, ours */
	const char *websafe_allow; /* -O websafe-allow=LIST; NULL: -O no-restrict-websafe */
	long lifetime_s;	   /* -t; 0: none */
	char **command;		   /* NULL: none */
};

/* OPTIONS_GO_ON, or the exit status after a message was printed. */
int options_parse(int argc, char **argv, struct options *out);

#endif

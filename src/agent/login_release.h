/*
 * Logins that nobody used for a while end (release-after in keystile.conf(5)): a card that is
 * logged in is held by its module, and whoever else wants it to himself is refused; and a login
 * that is forgotten is one that anybody at the keyboard can use. The time counts while the machine
 * sleeps, too.
 */
#ifndef AGENT_LOGIN_RELEASE_H
#define AGENT_LOGIN_RELEASE_H

#include <stdint.h>

struct agent;
struct provider;
struct token;

/* One section of the configuration says so of this provider: the shortest time counts. */
void login_release_say(struct provider *provider, uint32_t seconds);
/* What is configured may be another time now: it begins again. */
void login_release_follow(struct provider *provider);
/* The token's worker has said how it is. */
void login_release_look(struct token *token);
/* It made a signature. */
void login_release_used(struct token *token);
/* Ends those whose time is over. When the next one is, 0: none. */
uint64_t login_release_due(struct agent *agent, uint64_t now_ms);

#endif

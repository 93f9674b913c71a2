/*
 * Private keys out of files. ssh-add reads them, as it knows all of their formats and asks for
 * passphrases: it is run with an agent that takes one key and is nobody else's.
 */
#ifndef KEYSTILE_CTL_KEY_SOURCE_H
#define KEYSTILE_CTL_KEY_SOURCE_H

#include <keystile/error.h>
#include <keystile/secret.h>

/*
 * *key is the private key as it stands in message 17, from the name of its type to its last field
 * (include/keystile/private_key.h), *comment what goes with it. secret_deinit() and free() are due
 * after KS_OK. What failed was said.
 */
KS_MUST_CHECK enum ks_error key_source_read(const char *path, struct secret *key, char **comment);

#endif

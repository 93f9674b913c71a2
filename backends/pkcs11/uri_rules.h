/*
 * What a PKCS#11 URI must not say, whoever takes it.
 */
#ifndef KEYSTILE_PKCS11_URI_RULES_H
#define KEYSTILE_PKCS11_URI_RULES_H

struct p11_kit_uri;

/* Words for what can't be taken, or NULL. None of the URI itself is in them. */
const char *uri_objection(struct p11_kit_uri *uri);

#endif

/*
 * Whether the touch that a smartcard wants for a key is proven: the card attests it of that very
 * key, and its maker's certificate, which the person trusts, leads to the card's. A worker of its
 * own looks at these certificates (backends/attestation), as the agent parses none of strangers;
 * the worker of the token only carries them.
 *
 * What is proven is a fact about the key, for good: with it no signature is made without a touch,
 * whoever asks the card for it. That the person knew what the touch was for is the notice's matter
 * (sign_touch.c).
 */
#ifndef AGENT_ATTESTATION_H
#define AGENT_ATTESTATION_H

struct agent;
struct token;

/*
 * Asks about each key of the token's card that claims such a touch and was not asked about before,
 * one after the other; the answers go into the card. It ends with the card at the latest.
 */
void attestation_begin(struct token *token);
/* The folders of trusted certificates may have others now: asks about all keys again. */
void attestation_again(struct agent *agent);

#endif

/*
 * A module that was taken over by its card: it strikes while it is loaded. It is no PKCS#11 module
 * and no library of a security key.
 */
#include "hostile.h"

__attribute__((constructor)) static void be_loaded(void)
{
	hostile_run();
}

/*
 * A module that ends the process which loads it, before anybody has called it.
 */
#include <unistd.h>

__attribute__((constructor)) static void end(void)
{
	_exit(3);
}

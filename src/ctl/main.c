/*
 * keystile: what the person asks the agent for. One command a run; see keystile(1).
 */
#include "command.h"

int main(int argc, char **argv)
{
	return argc > 0 ? command_run(argc - 1, argv + 1) : EXIT_USAGE;
}

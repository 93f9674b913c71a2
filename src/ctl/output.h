/*
 * What another program says, for checks: bounded in time and length.
 */
#ifndef KEYSTILE_CTL_OUTPUT_H
#define KEYSTILE_CTL_OUTPUT_H

/*
 * Both streams of a program that is looked for in PATH and has nothing to read; the caller frees
 * them. NULL where it could not be started, failed, or took longer than two seconds.
 */
char *output_of(char *const command[]);

#endif

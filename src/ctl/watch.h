/*
 * keystile status --watch: the page again and again, as top does it.
 */
#ifndef KEYSTILE_CTL_WATCH_H
#define KEYSTILE_CTL_WATCH_H

/* Until a signal ends it; an exit status. */
int watch_status(void);

#endif

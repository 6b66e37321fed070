/* Naming one endpoint: ID, @LABEL, :PORT, LOCAL>PEER. */
#ifndef ACKCTL_SELECTOR_H
#define ACKCTL_SELECTOR_H

#include "ctl.h"

/* The id of what `text` names. Where several endpoints match, those whose state is among
 * `preferred` (bits STATE_BIT()) decide; a port is looked for among the local ones first. 0, or the
 * exit code after the error was printed: 2 with the candidates when it is ambiguous or no selector,
 * 4 when there is none. A number is taken as it is. */
int selector_resolve(struct ctl *ctl, const char *text, uint32_t preferred, uint64_t *id);

#endif

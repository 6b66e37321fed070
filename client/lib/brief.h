/* Brief rows of a ListResponse, straight from its bytes. */
#ifndef ACKD_LIB_BRIEF_H
#define ACKD_LIB_BRIEF_H

#include "client/lib/ackd.h"
#include "client/lib/wire.h"

/* The next row of a ListResponse, out of what is left of it; its instance_id is noted in passing.
 */
enum brief_next { BRIEF_ROW, BRIEF_END, BRIEF_BROKEN };
enum brief_next brief_next(struct reader *rows, struct reader *row, char instance_id[64]);
/* Fills what a brief row tells, and clears what it does not; other members of *out stay. False when
 * the row is malformed. */
bool brief_row(struct reader row, struct ackd_connection *out);

#endif

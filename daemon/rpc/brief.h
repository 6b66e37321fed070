/* Rows of a listing as bytes: the fields that view BASIC fills and no others. */
#ifndef ACKD_RPC_BRIEF_H
#define ACKD_RPC_BRIEF_H

#include "rpc/view.h"

/* No row is longer, with its tag and length: three addresses' worth of numbers and the texts, each
 * at its longest. */
enum { BRIEF_MAX = 512 };

/* Rows that follow each other as fields number 1 of a message (ListResponse.connections,
 * KillResponse.killed). */
struct brief {
    size_t length;
    uint8_t bytes[];
};

/* Room for so many rows; free() it. NULL without memory. */
struct brief *brief_new(unsigned rows);

/* Adds a row that view_connection(..., false) made. As often as there is room for. */
void brief_add(struct brief *b, const Ackd__V1__Connection *row);

/* Hands the rows to a message without rows of its own; *field must live as long as the message. */
void brief_attach(struct brief *b, ProtobufCMessageUnknownField *field, ProtobufCMessage *message);

#endif

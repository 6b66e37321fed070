/* The comments of the .proto files, made by docs.awk. */
#ifndef ACKD_LIB_DOCS_H
#define ACKD_LIB_DOCS_H

#include <stddef.h>

/* `member` is "" for the type itself. */
struct proto_doc {
    const char *type, *member, *text;
};
extern const struct proto_doc proto_docs[];
extern const size_t proto_doc_count;

#endif

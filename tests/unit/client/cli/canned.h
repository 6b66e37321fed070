/* A daemon's answers that never change: what the golden files were made from. */
#ifndef ACKCTL_TEST_CANNED_H
#define ACKCTL_TEST_CANNED_H

#include "double.h"

/* What the script shall do besides. */
struct canned {
    /* Calls of this path ("/ackd.v1.Tcp/Open") fail so; NULL: none does. */
    const char *fail_path;
    int code; /* gRPC's */
    const char *errno_name, *reason, *message;
    bool endless;  /* Watch and Capture do not end by themselves */
    bool no_rows;  /* List finds nothing */
    bool mirror;   /* the watched connection's peer is here, too: as 70 */
    bool timeouts; /* Open and Accept come to nothing within their wait */
    size_t
        syn_takes; /* bytes of an Open's data that are accepted; the stream echoes what follows */
};

/* A script for double_start(); `canned` must live as long. */
struct double_script canned_script(const struct canned *canned);

#endif

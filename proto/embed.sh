#!/bin/sh
# embed.sh FILE SYMBOL OUTPUT.c: the bytes of FILE as a C array SYMBOL and its length SYMBOL_length.
set -eu
{
    echo '#include "descriptors.h"'
    echo "const uint8_t $2[] = {"
    od -An -v -tu1 "$1" | sed 's/^ *//; s/  */,/g; s/$/,/'
    echo '};'
    echo "const size_t $2_length = sizeof($2);"
} >"$3.tmp"
mv "$3.tmp" "$3"

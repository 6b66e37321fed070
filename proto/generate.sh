#!/bin/sh
# generate.sh PROTOC-C PROTO-DIR INCLUDE-DIR OUT-DIR WRAPPER.c WRAPPER.h NAME…: C code for every NAME.proto under OUT-DIR, a source file
# that includes all the sources and a header that includes all the headers (meson cannot name outputs in folders; who
# depends on the header is compiled after the code was generated).
set -eu
protoc_c=$1 proto_dir=$2 include=$3 out=$4 source=$5 header=$6
shift 6
: >"$source.tmp"
: >"$header.tmp"
files=
for name in "$@"; do
    files="$files $name.proto"
    echo "#include \"$name.pb-c.c\"" >>"$source.tmp"
    echo "#include \"$name.pb-c.h\"" >>"$header.tmp"
done
# shellcheck disable=SC2086
"$protoc_c" -I"$proto_dir" -I"$include" --c_out="$out" $files
mv "$source.tmp" "$source"
mv "$header.tmp" "$header"

#!/bin/sh
# generate.sh PROTOC-C PROTO-DIR INCLUDE-DIR OUT-DIR WRAPPER NAME…: C code for every NAME.proto under OUT-DIR, and WRAPPER, a
# source file that includes it all (meson cannot name outputs in folders).
set -eu
protoc_c=$1 proto_dir=$2 include=$3 out=$4 wrapper=$5
shift 5
: >"$wrapper.tmp"
files=
for name in "$@"; do
    files="$files $name.proto"
    echo "#include \"$name.pb-c.c\"" >>"$wrapper.tmp"
done
# shellcheck disable=SC2086
"$protoc_c" -I"$proto_dir" -I"$include" --c_out="$out" $files
mv "$wrapper.tmp" "$wrapper"

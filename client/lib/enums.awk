# enums.awk: the enums of types.proto as ackd_enums.h, with their comments: "enum CloseReason { CLOSE_NORMAL = 1; }" becomes
# "enum ackd_close_reason { ACKD_CLOSE_NORMAL = 1, };".
function wrap(text) {
    if (text != "") printf "%s/* %s */\n", indent, text
}
function snake(name) {
    while (match(name, /[a-z0-9][A-Z]/))
        name = substr(name, 1, RSTART) "_" tolower(substr(name, RSTART + 1, 1)) substr(name, RSTART + 2)
    return tolower(name)
}
BEGIN {
    print "/* The enums of the schema: made by enums.awk from proto/ackd/v1/types.proto. Included by ackd_types.h. */"
    print "#ifndef ACKD_ENUMS_H\n#define ACKD_ENUMS_H\n"
}
/^ *\/\// { line = $0; sub(/^ *\/\/ ?/, "", line); doc = doc (doc == "" ? "" : " ") line; next }
/^enum [A-Za-z0-9]+ \{/ { wrap(doc); doc = ""; printf "enum ackd_%s {\n", snake($2); inside = 1; indent = "    "; next }
/^\}/ && inside { print "};\n"; inside = 0; indent = ""; doc = ""; next }
/=/ && inside { wrap(doc); doc = ""; sub(/;/, ""); printf "    ACKD_%s = %s,\n", $1, $3; next }
{ doc = "" }
END { print "#endif" }

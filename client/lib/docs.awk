# docs.awk: the comments of .proto files as a C table {type, member, sentence}, for ackd_proto_doc(). A comment belongs to the field, the
# enum value or the type on the next line; a one-field oneof hands its comment to its field.
function emit(member, text) {
    gsub(/\\/, "\\\\", text); gsub(/"/, "\\\"", text)
    printf "    {\"%s\", \"%s\", \"%s\"},\n", package type, member, text
}
function push(name) { stack[++depth] = type; type = type (type == "" ? "." : ".") name; kind[depth] = 1 }
BEGIN {
    print "/* Made by docs.awk from the .proto files. */"
    print "#include \"client/lib/docs.h\"\n"
    print "const struct proto_doc proto_docs[] = {"
}
FNR == 1 { depth = 0; type = ""; doc = "" }
/^package / { package = $2; sub(/;/, "", package) }
/^ *\/\// { line = $0; sub(/^ *\/\/ ?/, "", line); doc = doc (doc == "" ? "" : " ") line; next }
/^ *(message|enum) [A-Za-z0-9_]+ \{/ {
    push($2)
    if (doc != "") emit("", doc)
    doc = ""
    if ($0 ~ /\}/) type = stack[depth--]
    next
}
/^ *service / || /^ *rpc / || /^extend / { skip = $0 ~ /\}/ ? skip : skip + 1; doc = ""; next }
/^ *oneof [A-Za-z0-9_]+ \{ *$/ { stack[++depth] = type; next }
/=/ && depth > 0 && skip == 0 {
    text = $0
    sub(/^ *oneof [A-Za-z0-9_]+ \{/, "", text)
    sub(/ *=.*/, "", text)
    n = split(text, words, " ")
    if (doc != "") emit(words[n], doc)
    doc = ""
    next
}
/^ *\}/ { if (skip > 0) skip--; else if (depth > 0) type = stack[depth--]; doc = ""; next }
{ doc = "" }
END { print "};\nconst size_t proto_doc_count = sizeof proto_docs / sizeof *proto_docs;" }

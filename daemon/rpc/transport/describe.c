/* The index of a descriptor set. `protoc --descriptor_set_out` writes one
 * google.protobuf.FileDescriptorSet: a repeated field of FileDescriptorProto, each describing a
 * .proto file. Reflection hands those out as they are, so the index points into the set's bytes,
 * and only the names are kept: of files with what they import, of symbols, of extensions, and of
 * methods with the role that their option names. Custom options are extensions, which protobuf-c
 * keeps as unknown fields. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "google/protobuf/descriptor.pb-c.h"
#include "rpc/transport/internal.h"

enum { ROLE_OPTION = 50001, NAME_SIZE = 512 };

struct file {
    char *name;
    ProtobufCBinaryData bytes;
    int *imports;
    size_t imports_count;
};

struct symbol {
    char *name;
    int file;
    int role; /* of a method, -1 of anything else */
};

struct extension {
    char *type;
    int32_t number;
    int file;
};

struct described {
    struct file *files;
    size_t files_count;
    struct symbol *symbols; /* sorted by name */
    size_t symbols_count, symbols_capacity;
    struct extension *extensions;
    size_t extensions_count, extensions_capacity;
    bool failed; /* memory lacked */
};

/* Where a name stands: its file and the name around it. */
struct place {
    struct described *d;
    int file;
    const char *scope; /* "" or "package.Type" */
};

/* Room for one more of `size` bytes, or NULL. */
static void *more(struct described *d, void *array, size_t *capacity, size_t count, size_t size)
{
    if (count < *capacity) {
        return array;
    }
    size_t wanted = *capacity ? *capacity * 2 : 64;
    void *grown = realloc(array, wanted * size);
    if (!grown) {
        d->failed = true;
        return NULL;
    }
    *capacity = wanted;
    return grown;
}

/* "scope.name" into `out`, which is NAME_SIZE long. */
static void qualify(char *out, const char *scope, const char *name)
{
    snprintf(out, NAME_SIZE, "%s%s%s", scope, *scope ? "." : "", name ? name : "");
}

static void add_symbol(struct place at, const char *name, int role)
{
    struct described *d = at.d;
    char full[NAME_SIZE];
    qualify(full, at.scope, name);
    struct symbol *symbols =
        more(d, d->symbols, &d->symbols_capacity, d->symbols_count, sizeof(*symbols));
    char *copy = symbols ? strdup(full) : NULL;
    if (symbols) {
        d->symbols = symbols;
    }
    if (!copy) {
        d->failed = true;
        return;
    }
    d->symbols[d->symbols_count++] = (struct symbol){copy, at.file, role};
}

static void add_extension(struct place at, const Google__Protobuf__FieldDescriptorProto *field)
{
    struct described *d = at.d;
    add_symbol(at, field->name, -1);
    if (!field->extendee) {
        return;
    }
    struct extension *extensions =
        more(d, d->extensions, &d->extensions_capacity, d->extensions_count, sizeof(*extensions));
    /* Resolved names begin with a dot. */
    char *type = extensions ? strdup(field->extendee + (field->extendee[0] == '.')) : NULL;
    if (extensions) {
        d->extensions = extensions;
    }
    if (!type) {
        d->failed = true;
        return;
    }
    d->extensions[d->extensions_count++] = (struct extension){type, field->number, at.file};
}

static void add_enum(struct place at, const Google__Protobuf__EnumDescriptorProto *type)
{
    add_symbol(at, type->name, -1);
    /* Values stand beside their enum, not inside of it. */
    for (size_t i = 0; i < type->n_value; i++) {
        add_symbol(at, type->value[i]->name, -1);
    }
}

static void add_message(struct place at, const Google__Protobuf__DescriptorProto *type)
{
    char scope[NAME_SIZE];
    add_symbol(at, type->name, -1);
    qualify(scope, at.scope, type->name);
    struct place inside = {at.d, at.file, scope};
    for (size_t i = 0; i < type->n_field; i++) {
        add_symbol(inside, type->field[i]->name, -1);
    }
    for (size_t i = 0; i < type->n_oneof_decl; i++) {
        add_symbol(inside, type->oneof_decl[i]->name, -1);
    }
    for (size_t i = 0; i < type->n_extension; i++) {
        add_extension(inside, type->extension[i]);
    }
    for (size_t i = 0; i < type->n_enum_type; i++) {
        add_enum(inside, type->enum_type[i]);
    }
    for (size_t i = 0; i < type->n_nested_type; i++) {
        add_message(inside, type->nested_type[i]);
    }
}

/* The varint of an unknown field; protobuf-c keeps its bytes without the tag. */
static int role_option(const Google__Protobuf__MethodOptions *options)
{
    for (unsigned i = 0; options && i < options->base.n_unknown_fields; i++) {
        const ProtobufCMessageUnknownField *field = &options->base.unknown_fields[i];
        if (field->tag == ROLE_OPTION && field->wire_type == PROTOBUF_C_WIRE_TYPE_VARINT &&
            field->len == 1) {
            return field->data[0];
        }
    }
    return 0;
}

static void add_service(struct place at, const Google__Protobuf__ServiceDescriptorProto *service)
{
    char scope[NAME_SIZE];
    add_symbol(at, service->name, -1);
    qualify(scope, at.scope, service->name);
    struct place inside = {at.d, at.file, scope};
    for (size_t i = 0; i < service->n_method; i++) {
        add_symbol(inside, service->method[i]->name, role_option(service->method[i]->options));
    }
}

static void add_names(struct place at, const Google__Protobuf__FileDescriptorProto *file)
{
    for (size_t i = 0; i < file->n_message_type; i++) {
        add_message(at, file->message_type[i]);
    }
    for (size_t i = 0; i < file->n_enum_type; i++) {
        add_enum(at, file->enum_type[i]);
    }
    for (size_t i = 0; i < file->n_extension; i++) {
        add_extension(at, file->extension[i]);
    }
    for (size_t i = 0; i < file->n_service; i++) {
        add_service(at, file->service[i]);
    }
}

/* protoc writes a file after those that it imports, so that they are known here. */
static void add_imports(struct described *d, struct file *file,
                        const Google__Protobuf__FileDescriptorProto *from)
{
    file->imports = calloc(from->n_dependency + 1, sizeof(int));
    if (!file->imports) {
        d->failed = true;
        return;
    }
    for (size_t i = 0; i < from->n_dependency; i++) {
        int index = described_file(d, from->dependency[i]);
        if (index >= 0) {
            file->imports[file->imports_count++] = index;
        }
    }
}

static bool add_file(struct described *d, ProtobufCBinaryData bytes)
{
    Google__Protobuf__FileDescriptorProto *from =
        google__protobuf__file_descriptor_proto__unpack(NULL, bytes.len, bytes.data);
    if (!from || !from->name) {
        google__protobuf__file_descriptor_proto__free_unpacked(from, NULL);
        return false;
    }
    struct file *files = realloc(d->files, (d->files_count + 1) * sizeof(*files));
    char *name = files ? strdup(from->name) : NULL;
    if (files) {
        d->files = files;
    }
    if (name) {
        struct file *file = &d->files[d->files_count];
        *file = (struct file){.name = name, .bytes = bytes};
        add_imports(d, file, from);
        add_names((struct place){d, (int)d->files_count, from->package ? from->package : ""}, from);
        d->files_count++;
    }
    google__protobuf__file_descriptor_proto__free_unpacked(from, NULL);
    return name && !d->failed;
}

/* A varint of at most 32 bits; 0 bytes when there is none. */
static size_t read_varint(const uint8_t *data, size_t length, size_t *value)
{
    *value = 0;
    for (size_t i = 0; i < length && i < 5; i++) {
        *value |= (size_t)(data[i] & 0x7f) << (7 * i);
        if (!(data[i] & 0x80)) {
            return i + 1;
        }
    }
    return 0;
}

/* Splits the set: field 1, length-delimited, is all it has. */
static bool add_files(struct described *d, const uint8_t *set, size_t length)
{
    while (length > 0) {
        size_t size, n = read_varint(set + 1, length - 1, &size);
        if (set[0] != 0x0a || n == 0 || size > length - 1 - n) {
            return false;
        }
        if (!add_file(d, (ProtobufCBinaryData){size, (uint8_t *)set + 1 + n})) {
            return false;
        }
        set += 1 + n + size;
        length -= 1 + n + size;
    }
    return true;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct symbol *)a)->name, ((const struct symbol *)b)->name);
}

struct described *described_new(const uint8_t *set, size_t length)
{
    struct described *d = calloc(1, sizeof(*d));
    if (!d) {
        return NULL;
    }
    if (!add_files(d, set, length)) {
        described_free(d);
        return NULL;
    }
    if (d->symbols_count > 0) {
        qsort(d->symbols, d->symbols_count, sizeof(*d->symbols), by_name);
    }
    return d;
}

void described_free(struct described *d)
{
    if (!d) {
        return;
    }
    for (size_t i = 0; i < d->files_count; i++) {
        free(d->files[i].name);
        free(d->files[i].imports);
    }
    for (size_t i = 0; i < d->symbols_count; i++) {
        free(d->symbols[i].name);
    }
    for (size_t i = 0; i < d->extensions_count; i++) {
        free(d->extensions[i].type);
    }
    free(d->files);
    free(d->symbols);
    free(d->extensions);
    free(d);
}

int described_file(const struct described *d, const char *name)
{
    for (size_t i = 0; i < d->files_count; i++) {
        if (strcmp(d->files[i].name, name) == 0) {
            return (int)i;
        }
    }
    return -1;
}

static const struct symbol *find_symbol(const struct described *d, const char *name)
{
    struct symbol key = {(char *)name, 0, 0};
    return d->symbols_count
               ? bsearch(&key, d->symbols, d->symbols_count, sizeof(*d->symbols), by_name)
               : NULL;
}

int described_symbol(const struct described *d, const char *symbol)
{
    const struct symbol *found = find_symbol(d, symbol);
    return found ? found->file : -1;
}

int described_extension(const struct described *d, const char *type, int32_t number)
{
    for (size_t i = 0; i < d->extensions_count; i++) {
        if (d->extensions[i].number == number && strcmp(d->extensions[i].type, type) == 0) {
            return d->extensions[i].file;
        }
    }
    return -1;
}

int described_extensions(const struct described *d, const char *type, int32_t *numbers,
                         size_t capacity)
{
    size_t count = 0;
    if (!find_symbol(d, type)) {
        return -1;
    }
    for (size_t i = 0; i < d->extensions_count; i++) {
        if (strcmp(d->extensions[i].type, type) == 0) {
            if (count < capacity) {
                numbers[count] = d->extensions[i].number;
            }
            count++;
        }
    }
    return (int)count;
}

int described_role(const struct described *d, const char *path)
{
    const char *slash = path[0] == '/' ? strrchr(path, '/') : NULL;
    if (!slash || slash == path) {
        return -1;
    }
    char name[NAME_SIZE];
    snprintf(name, sizeof(name), "%.*s.%s", (int)(slash - path - 1), path + 1, slash + 1);
    const struct symbol *found = find_symbol(d, name);
    return found ? found->role : -1;
}

size_t described_files(const struct described *d)
{
    return d->files_count;
}

static size_t add_closure(const struct described *d, int file, ProtobufCBinaryData *out,
                          size_t count)
{
    const struct file *f = &d->files[file];
    for (size_t i = 0; i < count; i++) {
        if (out[i].data == f->bytes.data) {
            return count;
        }
    }
    for (size_t i = 0; i < f->imports_count; i++) {
        count = add_closure(d, f->imports[i], out, count);
    }
    out[count] = f->bytes;
    return count + 1;
}

size_t described_closure(const struct described *d, int file, ProtobufCBinaryData *out)
{
    return add_closure(d, file, out, 0);
}

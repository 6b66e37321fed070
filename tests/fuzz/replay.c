/* Gives every file of the directories and files named as arguments to the fuzz target once, in a
 * buffer of exactly its size. */
#include "fuzz.h"

#include <dirent.h>
#include <sys/stat.h>

static unsigned n_inputs;

static void replay_file(const char *path, size_t size)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data = malloc(size > 0 ? size : 1);
    FUZZ_CHECK(file != NULL && data != NULL);
    FUZZ_CHECK(fread(data, 1, size, file) == size);
    fclose(file);
    fprintf(stderr, "%s\n", path); /* the last line before a crash */
    LLVMFuzzerTestOneInput(data, size);
    free(data);
    n_inputs++;
}

static void replay(const char *path)
{
    struct stat st;
    DIR *dir = opendir(path);
    if (dir == NULL) {
        FUZZ_CHECK(stat(path, &st) == 0);
        replay_file(path, (size_t)st.st_size);
        return;
    }
    for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        char name[4096];
        if (entry->d_name[0] != '.') {
            snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
            replay(name);
        }
    }
    closedir(dir);
}

int main(int argc, char **argv)
{
    LLVMFuzzerTestOneInput(NULL, 0);
    for (int i = 1; i < argc; i++) {
        replay(argv[i]);
    }
    printf("%u inputs\n", n_inputs);
    return n_inputs > 0 ? 0 : 1;
}

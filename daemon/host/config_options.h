/* The table of options, and what is checked when all are known. Only config.c uses this. */
#ifndef ACKD_HOST_CONFIG_OPTIONS_H
#define ACKD_HOST_CONFIG_OPTIONS_H

#include "host/config.h"

struct config_option {
    const char *name;
    const char *argument; /* NULL: takes none */
    const char *help;
    /* Takes one word. false: *right says what would be right. */
    bool (*set)(struct config *config, const char *word, char *right, size_t room);
    bool is_list;
    bool only_command_line;
    size_t count; /* of a list: offsetof its count in struct config */
};

/* Ends with a NULL name; fewer than 64. */
extern const struct config_option config_options[];

/* What single words cannot show: whether the whole makes sense. Says what does not. */
bool config_check(struct config *config, FILE *errors);

#endif

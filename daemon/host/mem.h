/* Where the arenas of the daemon get their chunks. */
#ifndef ACKD_HOST_MEM_H
#define ACKD_HOST_MEM_H

#include "base/arena.h"

/* Anonymous private mappings: zeroed, page-aligned, and really given back when they are. */
extern const struct arena_source mem_mmap;

/* Makes malloc() and free() cost the same each time. Call it before they are used much. */
void mem_steady(void);

#endif

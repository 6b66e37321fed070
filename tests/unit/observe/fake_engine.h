#ifndef TEST_OBSERVE_FAKE_ENGINE_H
#define TEST_OBSERVE_FAKE_ENGINE_H

#include "observe/observe.h"

struct fake_engine {
    struct tcp_event events[16];
    size_t n;
    bool tracing;
    struct ip_addr local;
};
extern struct fake_engine fake;

#endif

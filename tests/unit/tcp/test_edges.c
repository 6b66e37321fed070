/* The second program of scripts: the engine where its rules meet each other. */
#include "script.h"

int main(void)
{
    return handshake_tests() + windows_tests() + user_calls_tests() + recovery_tests() +
           time_wait_tests() + accounting_tests();
}

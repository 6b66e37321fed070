/* Runs the groups of this directory. */
#include "recovery_tests.h"

int main(void)
{
    return rack_tests() + tlp_tests() + prr_tests() + frto_tests() + undo_tests() + renege_tests() +
           rfc6675_tests() + newreno_tests() + sack_tests();
}

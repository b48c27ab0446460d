/* cmocka, with the headers that it wants before it; numbers are compared as doubles, and none is close to NaN
 * (cmocka's own assert_float_equal works in float and lets NaN and infinity pass). */
#ifndef LASER_TESTS_TESTING_H
#define LASER_TESTS_TESTING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#undef assert_float_equal
#define assert_float_equal(found, expected, tolerance)                                                       \
    do {                                                                                                     \
        double found_ = (found), expected_ = (expected), off_ = found_ - expected_;                          \
        if (!(off_ <= (tolerance) && -off_ <= (tolerance)))                                                  \
            fail_msg("%s is %.17g, %.17g was expected", #found, found_, expected_);                          \
    } while (0)

#endif

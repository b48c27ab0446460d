/* cmocka, with the headers that it wants before it. */
#ifndef LASER_TESTS_TESTING_H
#define LASER_TESTS_TESTING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif

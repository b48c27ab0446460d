/* Numbers as text, the same text on every machine. */
#ifndef LASER_BASE_NUMBER_H
#define LASER_BASE_NUMBER_H

#include <stddef.h>

enum { LASER_NUMBER_SIZE = 32 };

/* The shortest decimal that reads back as the same double, written as Python's repr() writes it ("0.1",
 * "1e-05", "1e+16", "3.0"); "Infinity", "-Infinity" and "NaN" as Python's json does.  Returns text. */
char *laser_number_shortest(double value, char text[LASER_NUMBER_SIZE]);

/* For people: so many digits after the point, and never a zero with a minus; changes have their sign
 * ("+0.0300"; "+0.0000" for none), in powers of ten where they say so ("+1.88e-01").  Returns text. */
char *laser_number_fixed(double value, int digits, char text[LASER_NUMBER_SIZE]);
char *laser_number_change(double value, int digits, char text[LASER_NUMBER_SIZE]);
char *laser_number_change_power(double value, int digits, char text[LASER_NUMBER_SIZE]);

/* For people: bytes with a binary unit ("512 MiB", "1.2 GiB") and a time as
 * "3.2 s", "4 min 05 s", "2 h 30 min", "3 d 4 h".  Returns text. */
char *laser_number_bytes(double size_bytes, char text[LASER_NUMBER_SIZE]);
char *laser_number_time(double time_s, char text[LASER_NUMBER_SIZE]);

#endif

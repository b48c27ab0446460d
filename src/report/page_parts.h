/* The sources of the page, each with a zero behind it, put into the program when it is built (page_tables.c,
 * from src/report/page/). Private to this module. */
#ifndef LASER_REPORT_PAGE_PARTS_H
#define LASER_REPORT_PAGE_PARTS_H

#include <stddef.h>

extern const unsigned char laser_page_html[], laser_page_css[], laser_page_js[];
extern const size_t laser_page_html_size, laser_page_css_size, laser_page_js_size;

#endif

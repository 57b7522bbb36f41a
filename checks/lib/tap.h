/* SPDX-License-Identifier: GPL-2.0 */
/* TAP on stdout, as lab/lib-tap.sh writes it in shell. */
#ifndef LAB_TAP_H
#define LAB_TAP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

static int tap_number, tap_failed;

__attribute__((unused, format(printf, 2, 3)))
static void ok(bool good, const char *fmt, ...)
{
	va_list ap;

	printf("%sok %d - ", good ? "" : "not ", ++tap_number);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	fflush(stdout);
	tap_failed += !good;
}

__attribute__((unused)) static void skip(const char *name, const char *why)
{
	printf("ok %d - %s # SKIP %s\n", ++tap_number, name, why);
}

#endif

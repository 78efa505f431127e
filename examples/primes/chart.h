/* SPDX-License-Identifier: MIT */
/* A chart of times: two panels, two lines in each. */
#ifndef PRIMES_CHART_H
#define PRIMES_CHART_H

enum { CHART_POINTS_MAX = 8 };

typedef struct panel {
    const char *title, *x_title;
    int points;
    double x[CHART_POINTS_MAX];
    double ms[2][CHART_POINTS_MAX]; /* synchronous, asynchronous */
} panel;

/* Writes an SVG; 0, or -1 when the file cannot be written. */
int write_chart(const char *path, const panel panels[2]);

#endif

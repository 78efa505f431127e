/* SPDX-License-Identifier: MIT */
/* The same places for the same numbers of points, whatever the times are; only these move. */
#include "chart.h"

#include <stdio.h>

enum { WIDTH = 360, HEIGHT = 320, LEFT = 64, RIGHT = 20, TOP = 64, BOTTOM = 52 };

static const char *const names[2] = { "synchronous", "asynchronous" };
static const char *const colours[2] = { "#0072b2", "#d55e00" };

/* The smallest of 1, 2, 5, 10, 20, … that is not less. */
static double round_up(double value)
{
    double step = 1;
    for (int i = 0; step < value; i++)
        step *= i % 3 == 1 ? 2.5 : 2;
    return step;
}

static double greatest(const panel *p)
{
    double most = 0;
    for (int line = 0; line < 2; line++)
        for (int i = 0; i < p->points; i++)
            most = p->ms[line][i] > most ? p->ms[line][i] : most;
    return most;
}

/* Points stand at equal distances: their numbers double from one to the next. */
static double x_of(const panel *p, int left, int point)
{
    double room = WIDTH - LEFT - RIGHT;
    return left + LEFT + (p->points < 2 ? room / 2 : room * point / (p->points - 1));
}

static double y_of(double ms, double top)
{
    return HEIGHT - BOTTOM - ms / top * (HEIGHT - TOP - BOTTOM);
}

static void write_text(FILE *file, double x, double y, const char *anchor, const char *text)
{
    fprintf(file, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text>\n", x, y, anchor, text);
}

static void write_axes(FILE *file, const panel *p, int left, double top)
{
    char number[32];
    for (int i = 0; i <= 4; i++) {
        double ms = top * i / 4, y = y_of(ms, top);
        fprintf(file, "<path class=\"grid\" d=\"M%d %.1fH%d\"/>\n", left + LEFT, y,
                left + WIDTH - RIGHT);
        snprintf(number, sizeof number, "%g", ms);
        write_text(file, left + LEFT - 8, y + 4, "end", number);
    }
    for (int i = 0; i < p->points; i++) {
        snprintf(number, sizeof number, "%g", p->x[i]);
        write_text(file, x_of(p, left, i), HEIGHT - BOTTOM + 18, "middle", number);
    }
    double middle = left + (LEFT + WIDTH - RIGHT) / 2.0;
    write_text(file, middle, HEIGHT - BOTTOM + 38, "middle", p->x_title);
    write_text(file, middle, 24, "middle", p->title);
    write_text(file, left + LEFT - 8, TOP - 16, "end", "ms");
}

static void write_line(FILE *file, const panel *p, int left, double top, int line)
{
    fprintf(file, "<path class=\"line\" stroke=\"%s\" d=\"", colours[line]);
    for (int i = 0; i < p->points; i++)
        fprintf(file, "%c%.1f %.1f", i ? 'L' : 'M', x_of(p, left, i), y_of(p->ms[line][i], top));
    fprintf(file, "\"/>\n");
    for (int i = 0; i < p->points; i++)
        fprintf(file, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3\" fill=\"%s\"/>\n", x_of(p, left, i),
                y_of(p->ms[line][i], top), colours[line]);
    double x = left + LEFT + 12 + 110 * line, y = TOP - 20;
    fprintf(file, "<path class=\"line\" stroke=\"%s\" d=\"M%.1f %.1fh14\"/>\n", colours[line], x,
            y);
    write_text(file, x + 20, y + 4, "start", names[line]);
}

int write_chart(const char *path, const panel panels[2])
{
    FILE *file = fopen(path, "w");
    if (!file)
        return -1;
    fprintf(file,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" "
            "font-family=\"sans-serif\" font-size=\"12\">\n"
            "<style>.grid{stroke:#ccc}.line{fill:none;stroke-width:2}</style>\n"
            "<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n",
            2 * WIDTH, HEIGHT);
    for (int i = 0; i < 2; i++) {
        double top = round_up(greatest(&panels[i]));
        write_axes(file, &panels[i], i * WIDTH, top);
        for (int line = 0; line < 2; line++)
            write_line(file, &panels[i], i * WIDTH, top, line);
    }
    fprintf(file, "</svg>\n");
    return fclose(file) == 0 ? 0 : -1;
}

/* SPDX-License-Identifier: MIT */
#include "job/report_private.h"

#include <math.h>

enum { BAR = 13, MARK_ROOM = 58, BARS_MAX = 64, FOOT = 34, HEAD = 26 };

static const double log_from_ratio = 40; /* largest to smallest: logarithmic from here on */

double rmdi_report_step(double ns, unsigned n)
{
    static const double seconds[] = { 1,     2,     5,     10,    15,     30,    60,
                                      120,   300,   600,   900,   1800,   3600,  7200,
                                      10800, 21600, 43200, 86400, 172800, 604800 };
    double wanted = ns / (n ? n : 1);
    if (!(wanted > 0))
        return 1;
    for (size_t i = 0; wanted > 5e8 && i < sizeof seconds / sizeof *seconds; i++)
        if (wanted <= seconds[i] * 1e9)
            return seconds[i] * 1e9;
    double step = wanted > 5e8 ? 864e11 : 1; /* tens of days, or fractions of a second */
    while (step * 10 < wanted)
        step *= 10;
    return wanted <= step       ? step
           : wanted <= 2 * step ? 2 * step
           : wanted <= 5 * step ? 5 * step
                                : 10 * step;
}

typedef struct axis {
    double low, high;
    bool logarithmic;
    double x, width;
} axis;

static double place(const axis *a, double value)
{
    double share = a->logarithmic ? log(value / a->low) / log(a->high / a->low)
                                  : (value - a->low) / (a->high - a->low);
    return a->x + a->width * (share < 0 ? 0 : share > 1 ? 1 : share);
}

static double edge(const axis *a, size_t i, size_t n)
{
    double share = (double)i / (double)n;
    return a->logarithmic ? a->low * pow(a->high / a->low, share)
                          : a->low + (a->high - a->low) * share;
}

static axis axis_of(const report_chart *chart)
{
    axis a = { .low = (double)chart->all->min,
               .high = (double)chart->all->max,
               .x = chart->x,
               .width = chart->width };
    double least = chart->bytes ? 1024 : 1000; /* nobody cares about less */
    a.logarithmic = a.high > log_from_ratio * (a.low > least ? a.low : least);
    if (a.logarithmic && a.low < least)
        a.low = least;
    if (!a.logarithmic && a.high - a.low < a.high / 50) {
        a.low = a.low * .9;
        a.high = a.high * 1.1;
    }
    if (a.high <= a.low)
        a.high = a.low + least;
    return a;
}

static void mark(rmdi_page *page, const report_chart *chart, const axis *a, double value)
{
    double x = place(a, value), y = chart->y + chart->height - FOOT;
    rmdi_page_format(page, "<path class=\"tick\" d=\"M%s %sv4\"/>", rmdi_px(x).text,
                     rmdi_px(y).text);
    rmdi_page_format(page, "<text class=\"label\" text-anchor=\"middle\" x=\"%s\" y=\"%s\">",
                     rmdi_px(x).text, rmdi_px(y + 17).text);
    if (chart->bytes)
        rmdi_page_size_mark(page, value);
    else
        rmdi_page_mark(page, value);
    rmdi_page_text(page, "</text>");
}

static void mark_evenly(rmdi_page *page, const report_chart *chart, const axis *a)
{
    unsigned n = (unsigned)(a->width / (MARK_ROOM + 12));
    double step = 1;
    if (chart->bytes)
        while (step * n < a->high - a->low)
            step *= 2;
    else
        step = rmdi_report_step(a->high - a->low, n);
    for (double at = ceil(a->low / step) * step; at <= a->high; at += step)
        mark(page, chart, a, at);
}

/* Round numbers, as far apart as their words need; over a wide range only powers of ten. */
static void mark_log(rmdi_page *page, const report_chart *chart, const axis *a)
{
    static const double wide[] = { 1e3,  1e4,  1e5,   1e6,   1e7,    1e8,    1e9,    1e10,
                                   6e10, 6e11, 36e11, 36e12, 864e11, 864e12, 864e13, 864e14 };
    static const double fine[] = { 1e3,    2e3,     5e3,    1e4,   2e4,   5e4,   1e5,   2e5,
                                   5e5,    1e6,     2e6,    5e6,   1e7,   2e7,   5e7,   1e8,
                                   2e8,    5e8,     1e9,    2e9,   5e9,   1e10,  2e10,  6e10,
                                   12e10,  3e11,    6e11,   12e11, 36e11, 72e11, 18e12, 36e12,
                                   864e11, 1728e11, 432e12, 864e12 };
    bool few = a->high / a->low < 3000;
    const double *times = few ? fine : wide;
    size_t n = few ? sizeof fine / sizeof *fine : sizeof wide / sizeof *wide;
    double last = -1e9;
    for (size_t i = 0; i < (chart->bytes ? 25 : n); i++) {
        double value = chart->bytes ? ldexp(1, 10 + 2 * (int)i) : times[i];
        if (value < a->low || value > a->high || place(a, value) - last < MARK_ROOM)
            continue;
        mark(page, chart, a, value);
        last = place(a, value);
    }
}

static void bar_title(rmdi_page *page, const report_chart *chart, double low, double high,
                      uint64_t count, uint64_t bad)
{
    rmdi_page_text(page, "<title>");
    rmdi_page_count(page, count);
    rmdi_page_text(page, count == 1 ? " attempt, " : " attempts, ");
    if (bad) {
        rmdi_page_count(page, bad);
        rmdi_page_text(page, " of them not OK, ");
    }
    void (*say)(rmdi_page *, double) = chart->bytes ? rmdi_page_size : rmdi_page_time;
    say(page, low);
    rmdi_page_text(page, " to ");
    say(page, high);
    rmdi_page_text(page, "</title>");
}

static void rectangle(rmdi_page *page, const char *class, double x, double y, double width,
                      double height)
{
    rmdi_page_format(page, "<rect class=\"%s\" x=\"%s\" y=\"%s\" width=\"%s\" height=\"%s\"/>",
                     class, rmdi_px(x).text, rmdi_px(y).text, rmdi_px(width).text,
                     rmdi_px(height).text);
}

typedef struct bars {
    size_t n;
    double edges[BARS_MAX + 1];
    uint64_t counts[BARS_MAX], bad[BARS_MAX], most;
} bars;

static void bar(rmdi_page *page, const report_chart *chart, const bars *b, size_t i)
{
    double room = chart->height - HEAD - FOOT, width = chart->width / (double)b->n;
    double height = room * (double)b->counts[i] / (double)b->most;
    double base = chart->y + chart->height - FOOT, x = chart->x + (double)i * width;
    double bad = room * (double)b->bad[i] / (double)b->most;
    height = height < 2 ? 2 : height;
    bad = b->bad[i] && bad < 2 ? 2 : bad < height ? bad : height;
    rmdi_page_text(page, "<g>");
    bar_title(page, chart, b->edges[i], b->edges[i + 1], b->counts[i], b->bad[i]);
    rectangle(page, "hit", x, chart->y + HEAD, width, room);
    if (height > bad)
        rectangle(page, "ok", x + .75, base - height, width - 1.5, height - bad);
    if (bad > 0)
        rectangle(page, "bad", x + .75, base - bad, width - 1.5, bad);
    rmdi_page_text(page, "</g>");
}

static void count_bars(bars *b, const report_chart *chart, const axis *a)
{
    b->n = (size_t)(chart->width / BAR);
    b->n = b->n > BARS_MAX ? BARS_MAX : b->n < 1 ? 1 : b->n;
    for (size_t i = 0; i <= b->n; i++)
        b->edges[i] = edge(a, i, b->n);
    rmdi_spread_count(chart->all, b->edges, b->counts, b->n);
    if (chart->bad)
        rmdi_spread_count(chart->bad, b->edges, b->bad, b->n);
    for (size_t i = 0; i < b->n; i++)
        b->most = b->counts[i] > b->most ? b->counts[i] : b->most;
}

static void median(rmdi_page *page, const report_chart *chart, const axis *a)
{
    double value = (double)rmdi_spread_quantile(chart->all, .5), x = place(a, value);
    bool left = x > a->x + a->width * .6;
    rmdi_page_format(page, "<path class=\"median\" d=\"M%s %sv%s\"/>", rmdi_px(x).text,
                     rmdi_px(chart->y + 6).text, rmdi_px(chart->height - FOOT - 6).text);
    rmdi_page_format(page, "<text class=\"label strong\" text-anchor=\"%s\" x=\"%s\" y=\"%s\">",
                     left ? "end" : "start", rmdi_px(left ? x - 5 : x + 5).text,
                     rmdi_px(chart->y + 15).text);
    rmdi_page_text(page, "median ");
    if (chart->bytes)
        rmdi_page_size(page, value);
    else
        rmdi_page_time(page, value);
    rmdi_page_text(page, "</text>");
}

void rmdi_report_histogram(rmdi_page *page, const report_chart *chart)
{
    axis a = axis_of(chart);
    bars b = { 0 };
    double base = chart->y + chart->height - FOOT;
    count_bars(&b, chart, &a);
    rmdi_page_format(page, "<path class=\"grid\" d=\"M%s %sh%s\"/>", rmdi_px(chart->x).text,
                     rmdi_px(chart->y + HEAD).text, rmdi_px(chart->width).text);
    rmdi_page_format(page, "<text class=\"label\" text-anchor=\"end\" x=\"%s\" y=\"%s\">",
                     rmdi_px(chart->x - 6).text, rmdi_px(chart->y + HEAD + 4).text);
    rmdi_page_count(page, b.most);
    rmdi_page_format(page, "</text><text class=\"label\" text-anchor=\"end\" x=\"%s\" y=\"%s\">0",
                     rmdi_px(chart->x - 6).text, rmdi_px(base + 1).text);
    rmdi_page_text(page, "</text>");
    for (size_t i = 0; i < b.n; i++)
        if (b.counts[i])
            bar(page, chart, &b, i);
    rmdi_page_format(page, "<path class=\"axis\" d=\"M%s %sh%s\"/>", rmdi_px(chart->x).text,
                     rmdi_px(base).text, rmdi_px(chart->width).text);
    if (a.logarithmic)
        mark_log(page, chart, &a);
    else
        mark_evenly(page, chart, &a);
    median(page, chart, &a);
}

/* SPDX-License-Identifier: MIT */
/* The still picture. Its style uses nothing that only browsers know: no variables, and colours that
 * are readable wherever the picture is put, on a ground of its own. */
#include "job/report_private.h"
#include "job/report_text.h"

#include <math.h>

enum { WIDTH = 1200, EDGE = 40, LEFT = 84, LANES_TOP = 262, LANES_HEIGHT = 480, COMMAND_MAX = 150 };

static const char style[] =
    "<style>text{font:14px system-ui,-apple-system,'Segoe UI',Roboto,'Noto Sans','DejaVu Sans',"
    "sans-serif;fill:#23211d}.ground{fill:#fbf9f5}.lane{fill:#efeae0}.verdict{font-size:30px;"
    "font-weight:600}.command{font:13px ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace;"
    "fill:#6b665c}.title{font-size:17px;font-weight:600}.name,.label{font-size:12px;fill:#6b665c}"
    ".figure{font-size:20px;font-weight:600}.strong{fill:#23211d}.ok{fill:#3f8f86}.failed,.bad{"
    "fill:#c2410c}.timeout{fill:#b7820a}.cancelled{fill:#fff;stroke:#8b8778}.lost{fill:#8a4f9e}"
    ".pending,.unbegun{fill:#fff;stroke:#b9b3a5;stroke-dasharray:3 2}.hit{fill:none}.grid{stroke:"
    "#e4dfd5}.axis,.tick{stroke:#6b665c}.median{stroke:#23211d;stroke-width:1.2}</style>\n"
    "<defs><pattern id=\"failed\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\" "
    "patternTransform=\"rotate(45)\"><rect width=\"6\" height=\"6\" fill=\"#c2410c\"/><rect "
    "width=\"1.5\" height=\"6\" fill=\"#fff\" opacity=\".6\"/></pattern><pattern id=\"timeout\" "
    "width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\"><rect width=\"6\" height=\"6\" "
    "fill=\"#b7820a\"/><rect width=\"1.5\" height=\"6\" fill=\"#fff\" opacity=\".6\"/></pattern>"
    "</defs>\n";

static const struct {
    rmd_outcome outcome;
    const char *class, *name, *fill;
} kinds[] = {
    { RMD_OUTCOME_OK, "ok", "OK", "" },
    { RMD_OUTCOME_FAILED, "failed", "failed", " style=\"fill:url(#failed)\"" },
    { RMD_OUTCOME_TIMEOUT, "timeout", "timed out", " style=\"fill:url(#timeout)\"" },
    { RMD_OUTCOME_CANCELLED, "cancelled", "cancelled", "" },
    { RMD_OUTCOME_LOST, "lost", "lost", "" },
    { RMD_OUTCOME_DEAD, "lost", "dead", "" },
    { RMD_PENDING, "pending", "without an end", "" },
};
enum { KINDS = sizeof kinds / sizeof *kinds };

static void text(rmdi_page *page, const char *class, double x, double y)
{
    rmdi_page_format(page, "<text class=\"%s\" x=\"%s\" y=\"%s\">", class, rmdi_px(x).text,
                     rmdi_px(y).text);
}

static void rectangle(rmdi_page *page, const char *class, const char *more, double x, double y,
                      double width, double height)
{
    rmdi_page_format(page, "<rect class=\"%s\"%s x=\"%s\" y=\"%s\" width=\"%s\" height=\"%s\"/>\n",
                     class, more, rmdi_px(x).text, rmdi_px(y).text, rmdi_px(width).text,
                     rmdi_px(height).text);
}

/* ---- head ---- */

static void figure(rmdi_page *page, unsigned i, const char *name, const char *value,
                   const char *note)
{
    (void)note;
    rmdi_page_format(page,
                     "<text class=\"name\" x=\"%u\" y=\"178\">%s</text>"
                     "<text class=\"figure\" x=\"%u\" y=\"203\">%s</text>\n",
                     EDGE + i * 190, name, EDGE + i * 190, value);
}

static void census_bar(rmdi_page *page, const report *r)
{
    double all = (double)(r->tasks + r->not_begun), x = EDGE;
    for (size_t i = 0; i <= KINDS; i++) {
        uint64_t count = i < KINDS ? r->outcomes[kinds[i].outcome] : r->not_begun;
        if (!count)
            continue;
        double width = (double)count / all * (WIDTH - 2 * EDGE);
        rectangle(page, i < KINDS ? kinds[i].class : "unbegun", i < KINDS ? kinds[i].fill : "", x,
                  116, width < 3 ? 3 : width, 14);
        x += width;
    }
}

static void census_legend(rmdi_page *page, const report *r)
{
    double x = EDGE;
    for (size_t i = 0; i <= KINDS; i++) {
        uint64_t count = i < KINDS ? r->outcomes[kinds[i].outcome] : r->not_begun;
        if (!count)
            continue;
        rectangle(page, i < KINDS ? kinds[i].class : "unbegun", i < KINDS ? kinds[i].fill : "", x,
                  139, 11, 11);
        text(page, "name", x + 17, 149);
        rmdi_page_count(page, count);
        rmdi_page_format(page, " %s</text>\n", i < KINDS ? kinds[i].name : "not begun");
        x += 165;
    }
}

static void write_head(rmdi_page *page, const report *r)
{
    text(page, "verdict", EDGE, 62);
    rmdi_report_verdict(page, r);
    rmdi_page_text(page, "</text>\n");
    text(page, "command", EDGE, 92);
    rmdi_page_foreign(page, rmdi_bytes_of(r->shown ? r->shown->run.command : "remuda run"),
                      COMMAND_MAX - 20);
    rmdi_page_text(page, "</text>\n");
    census_bar(page, r);
    census_legend(page, r);
    rmdi_report_figures(page, r, figure);
}

/* ---- timeline ---- */

typedef struct scale {
    int64_t begin;
    double span, height; /* ns; of a lane */
    uint32_t lanes;
} scale;

static double across(const scale *s, int64_t ns)
{
    return LEFT + (double)(ns - s->begin) / s->span * (WIDTH - EDGE - LEFT);
}

static void write_blocks(rmdi_page *page, const report_drawing *drawing, const scale *s, bool bad)
{
    double gap = s->height >= 6 ? 2 : 0;
    for (size_t i = 0; i < drawing->blocks.count; i++) {
        const rmdi_report_block *b = &drawing->blocks.items[i];
        if (rmdi_report_is_bad(b->outcome) != bad)
            continue;
        size_t kind = 0;
        while (kind + 1 < KINDS && kinds[kind].outcome != b->outcome)
            kind++;
        double x = across(s, b->start), width = across(s, b->end) - x, least = bad ? 1.5 : .8;
        width = width > 3 ? width - .8 : width < least ? least : width;
        /* Too narrow for its hatching: below the middle, so that many leave the rest visible. */
        double top = bad && width < 2.5 && s->height >= 5 ? (s->height - gap) * .55 : 0;
        rectangle(page, kinds[kind].class, width > 7 ? kinds[kind].fill : "", x,
                  LANES_TOP + b->lane * s->height + top, width, s->height - gap - top);
    }
}

static void write_marks(rmdi_page *page, const scale *s)
{
    double step = rmdi_report_step(s->span, 8), y = LANES_TOP + s->lanes * s->height;
    for (double ns = ceil((double)s->begin / step) * step; ns <= (double)s->begin + s->span;
         ns += step) {
        double x = across(s, (int64_t)ns);
        rmdi_page_format(page, "<path class=\"tick\" d=\"M%s %sv5\"/>", rmdi_px(x).text,
                         rmdi_px(y).text);
        rmdi_page_format(page, "<text class=\"label\" text-anchor=\"middle\" x=\"%s\" y=\"%s\">",
                         rmdi_px(x).text, rmdi_px(y + 20).text);
        rmdi_page_mark(page, ns);
        rmdi_page_text(page, "</text>\n");
    }
}

static void write_names(rmdi_page *page, const scale *s)
{
    unsigned every = 1;
    while (every * s->height < 14)
        every *= 2;
    for (uint32_t i = 0; i < s->lanes; i++)
        if ((i == 0 && (every - 1) * s->height > 20) || (i + 1) % every == 0)
            rmdi_page_format(page,
                             "<text class=\"label\" text-anchor=\"end\" x=\"%d\" y=\"%s\">"
                             "%u</text>\n",
                             LEFT - 10, rmdi_px(LANES_TOP + (i + .5) * s->height + 3).text, i + 1);
}

static scale scale_of(const report_run *run)
{
    bool all = run->run.slots <= 32 && run->run.slots <= run->drawing->lanes_len;
    scale s = { .begin = run->begin, .span = (double)(run->end - run->begin) };
    s.lanes = all ? run->run.slots : run->drawing->lanes_used;
    s.lanes = s.lanes ? s.lanes : 1;
    s.span = s.span < 1000 ? 1000 : s.span;
    s.height = LANES_HEIGHT / (double)s.lanes;
    s.height = s.height > 28 ? 28 : s.height < .5 ? .5 : s.height;
    return s;
}

/* Returns where it ends. */
static double write_timeline(rmdi_page *page, const report_run *run)
{
    scale s = scale_of(run);
    text(page, "title", EDGE, LANES_TOP - 14);
    rmdi_page_text(page, "Slots over time</text>\n");
    rectangle(page, "lane", "", LEFT, LANES_TOP, WIDTH - EDGE - LEFT, s.lanes * s.height);
    write_blocks(page, run->drawing, &s, false);
    write_blocks(page, run->drawing, &s, true);
    write_marks(page, &s);
    write_names(page, &s);
    return LANES_TOP + s.lanes * s.height + 30;
}

static void write_histograms(rmdi_page *page, const report *r, double y)
{
    report_chart runs = { .all = &r->phases[PHASE_RUN],
                          .bad = &r->bad_runs,
                          .x = LEFT,
                          .y = y + 40,
                          .width = 480,
                          .height = 220 };
    report_chart memory = {
        .all = &r->memory, .bytes = true, .x = 680, .y = y + 40, .width = 480, .height = 220
    };
    if (!runs.all->count)
        return;
    text(page, "title", EDGE, y + 28);
    rmdi_page_text(page, "Run times</text>\n");
    rmdi_report_histogram(page, &runs);
    text(page, "title", 636, y + 28);
    rmdi_page_text(page, "Memory</text>\n");
    rmdi_report_histogram(page, &memory);
}

static double height_of(const report *r)
{
    if (!r->shown || !r->shown->drawing || !r->attempts)
        return LANES_TOP;
    scale s = scale_of(r->shown);
    return LANES_TOP + s.lanes * s.height + 30 + (r->phases[PHASE_RUN].count ? 270 : 10);
}

int rmdi_report_svg(rmdi_page *page, report *r)
{
    double height = height_of(r);
    rmdi_page_format(page,
                     "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %s\" width=\"%d\" "
                     "height=\"%s\">\n<title>",
                     WIDTH, rmdi_px(height).text, WIDTH, rmdi_px(height).text);
    rmdi_report_verdict(page, r);
    rmdi_page_text(page, "</title>\n");
    rmdi_page_text(page, style);
    rectangle(page, "ground", "", 0, 0, WIDTH, height);
    write_head(page, r);
    if (r->shown && r->shown->drawing && r->attempts) {
        rmdi_report_blocks_coarsen(&r->shown->drawing->blocks,
                                   (r->shown->end - r->shown->begin) / 2000);
        write_histograms(page, r, write_timeline(page, r->shown));
    }
    rmdi_page_text(page, "</svg>\n");
    return 0;
}

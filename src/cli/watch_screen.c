/* SPDX-License-Identifier: MIT */
#include "cli/watch_screen.h"

#include "port/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* The other page, no cursor, long lines are cut: the terminal knows best how wide things are. */
static const char enter_page[] = "\033[?1049h\033[?25l\033[?7l\033[H\033[2J";
static const char leave_page[] = "\033[?7h\033[?25h\033[?1049l";

bool rmdi_screen_is_possible(void)
{
    const char *kind = getenv("TERM");
    return isatty(1) && kind && *kind && strcmp(kind, "dumb") != 0;
}

void rmdi_screen_size(unsigned *columns, unsigned *lines)
{
    struct winsize size;
    bool known = ioctl(1, TIOCGWINSZ, &size) == 0;
    *columns = known && size.ws_col ? size.ws_col : 80;
    *lines = known && size.ws_row ? size.ws_row : 24;
}

/* ---- writing ---- */

static void write_some(rmdi_screen *s)
{
    while (s->out.len && !s->error) {
        ssize_t n = rmdi_fd_write_quietly(s->fd, s->out.data, s->out.len);
        if (n == -EAGAIN)
            break;
        if (n < 0 && n != -EINTR)
            s->error = (int)-n;
        else if (n > 0)
            rmdi_buffer_consume(&s->out, (size_t)n);
    }
}

static void on_writable(rmd_source *source, unsigned events, void *ctx)
{
    rmdi_screen *s = ctx;
    (void)events;
    write_some(s);
    if (s->out.len && !s->error)
        return;
    rmd_source_free(source);
    s->writable = NULL;
}

static void flush(rmdi_screen *s)
{
    write_some(s);
    if (s->out.len && !s->error && !s->writable &&
        rmd_loop_watch(s->loop, &s->writable, s->fd, RMD_WRITABLE, on_writable, s) < 0)
        s->error = ENOMEM;
}

bool rmdi_screen_is_stuck(const rmdi_screen *s)
{
    return s->out.len != 0;
}

/* A page has as many lines as the terminal: a newline behind the last one would scroll it. */
static int add_lines(rmdi_buffer *out, const rmdi_buffer *page)
{
    const char *at = page->data, *end = at + page->len;
    int err = rmdi_buffer_add_text(out, "\033[H");
    while (err == 0 && at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        const char *stop = newline ? newline : end;
        /* First: behind a full line the cursor stands on its last character. */
        err = rmdi_buffer_add_text(out, "\033[K");
        if (err == 0)
            err = rmdi_buffer_add(out, at, (size_t)(stop - at));
        at = stop + 1;
        if (err == 0 && at < end)
            err = rmdi_buffer_add_text(out, "\r\n");
    }
    return err;
}

void rmdi_screen_show(rmdi_screen *s, const rmdi_buffer *page)
{
    if (rmdi_screen_is_stuck(s) || !s->entered || !page->len)
        return;
    if (add_lines(&s->out, page) < 0)
        rmdi_buffer_clear(&s->out); /* the next one may find memory */
    flush(s);
}

/* ---- coming and going ---- */

/* Keys come at once and are not shown; Ctrl-C and the like go on to be signals. */
static void take_keys(rmdi_screen *s)
{
    struct termios now;
    if (!isatty(0) || tcgetattr(0, &s->before) < 0)
        return;
    now = s->before;
    now.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    now.c_cc[VMIN] = 1;
    now.c_cc[VTIME] = 0;
    s->keys = tcsetattr(0, TCSANOW, &now) == 0;
}

int rmdi_screen_enter(rmdi_screen *s, rmd_loop *loop)
{
    take_keys(s);
    s->loop = loop;
    /* O_NONBLOCK belongs to the description, which the shell shares; this one is ours. */
    if (s->fd <= 0)
        s->fd = open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (s->fd < 0) /* no /proc: it blocks, then */
        s->fd = fcntl(1, F_DUPFD_CLOEXEC, 3);
    int err = rmdi_buffer_add_text(&s->out, enter_page);
    if (err < 0)
        return err;
    s->entered = true;
    flush(s);
    return 0;
}

void rmdi_screen_leave(rmdi_screen *s)
{
    if (s->entered) {
        /* Behind the rest of what was begun: half a sequence would swallow this one. */
        rmdi_buffer_add_text(&s->out, leave_page);
        write_some(s);
    }
    s->entered = false;
    /* From the background it would stop us, and there the terminal is not as we left it. */
    if (s->keys && tcgetpgrp(0) == getpgrp())
        tcsetattr(0, TCSANOW, &s->before);
    s->keys = false;
}

void rmdi_screen_free(rmdi_screen *s)
{
    rmdi_screen_leave(s);
    rmd_source_free(s->writable);
    rmdi_buffer_free(&s->out);
    if (s->fd > 0)
        rmdi_fd_close(&s->fd);
}

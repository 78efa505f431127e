/* SPDX-License-Identifier: MIT */
/* A page that takes the whole terminal and is drawn again in place. */
#ifndef RMDI_CLI_WATCH_SCREEN_H
#define RMDI_CLI_WATCH_SCREEN_H

#include "data/bytes.h"

#include <remuda/loop.h>
#include <termios.h>

typedef struct rmdi_screen {
    rmd_loop *loop;
    rmd_source *writable; /* while the terminal takes nothing */
    int fd;               /* the terminal, in a description of our own */
    rmdi_buffer out;      /* what it has not taken yet */
    int error;            /* errno value of the first write that failed; nothing is written then */
    bool entered, keys;   /* keys: `before` is what the terminal did with them */
    struct termios before;
} rmdi_screen;

/* Can there be one: is standard output a terminal that understands more than lines? */
bool rmdi_screen_is_possible(void);

void rmdi_screen_size(unsigned *columns, unsigned *lines);

/* Takes the terminal: other page, no cursor, keys without echo and at once. Comes to a stop, as any
 * program does, when the terminal belongs to another one now. RMD_ENOMEM. */
RMD_NODISCARD int rmdi_screen_enter(rmdi_screen *screen, rmd_loop *loop);
/* Gives it back as it was, without waiting. May be entered again. */
void rmdi_screen_leave(rmdi_screen *screen);
void rmdi_screen_free(rmdi_screen *screen);

/* Shows these lines and nothing else. Never waits: while the terminal takes nothing (Ctrl-S), pages
 * are dropped, and signals and keys go on to work. */
void rmdi_screen_show(rmdi_screen *screen, const rmdi_buffer *page);
bool rmdi_screen_is_stuck(const rmdi_screen *screen);

#endif

/* SPDX-License-Identifier: MIT */
/* Being called at the turns of the process's life. */
#ifndef RMDI_PORT_HOOKS_H
#define RMDI_PORT_HOOKS_H

/* at_exit() (unless NULL) runs when the program ends by exit() or by returning from main;
 * in_child() in every child made by fork(), where only the forking thread is left. Later calls are
 * for the same functions and change nothing; but when several threads come first at once, each
 * function may be called as often as that. 0, or an errno value (then the next call tries
 * again). */
int rmdi_hooks_set(void (*at_exit)(void), void (*in_child)(void));

#endif

/* SPDX-License-Identifier: MIT */
/* Being called at the end of a thread, whoever started it. */
#ifndef RMDI_PORT_THREAD_END_H
#define RMDI_PORT_THREAD_END_H

/* fn() runs on the calling thread when it ends, by returning or by pthread_exit(), after what it
 * has in _Thread_local variables was used last by it, and before that is gone. Once, however often
 * this is called; but when fn itself calls this, once more, and so on up to the number of passes of
 * the system (4). There may be two different functions in the program, each called for itself, in
 * no certain order. They do not run for the thread that ends the process, by exit() or by returning
 * from main. 0 or an errno value. */
int rmdi_thread_end_call(void (*fn)(void));

#endif

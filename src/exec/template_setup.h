/* SPDX-License-Identifier: MIT */
/* What the owner of a processes pool tells its template process, and what that tells the owner.
 *
 * The template is the program anew (or another one that was named), started by posix_spawn, with
 * one thread. It forks the workers: so what it has loaded is shared by all of them, and nothing of
 * the owner's threads, locks and memory is. It does nothing by itself: it forks when told to, tells
 * how its children end, and reaps them when told to; until then their numbers are their own, and
 * their groups may be signalled. When the owner has gone it kills what is left, and ends. */
#ifndef RMDI_EXEC_TEMPLATE_SETUP_H
#define RMDI_EXEC_TEMPLATE_SETUP_H

#include "exec/ring.h"
#include "port/pidfd.h"

/* argv[0] of a template: by it rmd_start() knows its work, and people read it in ps. */
#define RMDI_TEMPLATE_NAME "rmd:template"

enum {
    RMDI_TEMPLATE_SOCKET = 3, /* descriptors in the template */
    RMDI_TEMPLATE_SETUP = 4,
    RMDI_TEMPLATE_BELL = 5,
    RMDI_TEMPLATE_SHARED = 6, /* if there is any */

    RMDI_FUNCTION_NAME_MAX = 129,
    RMDI_POOL_NAME_MAX = 48,
    RMDI_NUMBER_DIGITS = 20, /* of the number at the end of the mark in the environment */
};

/* A function with encoded arguments, to be called once. */
typedef struct rmdi_setup_call {
    char function[RMDI_FUNCTION_NAME_MAX]; /* "": none */
    uint32_t at, len;                      /* in `data` */
} rmdi_setup_call;

/* In memory that the template and the workers map, and only read. */
typedef struct rmdi_template_setup {
    char version[32]; /* of the library: both must have the same */
    int32_t owner;
    char pool[RMDI_POOL_NAME_MAX];
    rmdi_setup_call preload, initializer;
    uint32_t carried_at, carried_len;              /* in `data`: see carried.h */
    uint64_t tasks_max, resident_max, address_max; /* of a worker; 0: no limit */
    uint64_t shared_bytes, shared_id;              /* 0: nothing is shared */
    unsigned char data[];
} rmdi_template_setup;

typedef enum rmdi_template_what {
    /* from the owner: */
    RMDI_TEMPLATE_FORK, /* index, number; and the ring's memory and a pipe for stderr */
    RMDI_TEMPLATE_REAP, /* pid */
    /* from the template: */
    RMDI_TEMPLATE_READY,
    RMDI_TEMPLATE_BUSY,       /* text: what it does until the next message; it may die of that */
    RMDI_TEMPLATE_FAILED,     /* error, text; it ends */
    RMDI_TEMPLATE_FORKED,     /* number, pid; and a pidfd */
    RMDI_TEMPLATE_NOT_FORKED, /* number, error, text */
    RMDI_TEMPLATE_ENDED,      /* pid, end: it is a zombie */
    RMDI_TEMPLATE_STOPPED,    /* pid: by SIGSTOP or its like; */
    RMDI_TEMPLATE_CONTINUED,  /* and again */
} rmdi_template_what;

typedef struct rmdi_template_message {
    uint32_t what;
    uint32_t index;
    uint64_t number; /* of the worker in the guard's table */
    int32_t pid, error;
    rmdi_child_end end;
    char text[RMDI_RING_DETAIL];
} rmdi_template_message;

/* The life of a template process. Never returns. */
_Noreturn void rmdi_template_process(void);

/* What a worker is made of. */
typedef struct rmdi_worker_birth {
    const rmdi_template_setup *setup;
    unsigned index;
    uint64_t number;
    int memory, errors, bell; /* its own */
    char *mark; /* the digits of its number in the environment; NULL: there are none */
} rmdi_worker_birth;

/* The life of a worker process. Never returns. */
_Noreturn void rmdi_worker_process(const rmdi_worker_birth *birth);

/* Calls a function of a setup. 0, or its error with the thread's detail. */
int rmdi_setup_run(const rmdi_template_setup *setup, const rmdi_setup_call *call);

/* The name of the worker that this process is, as "processes-1"; "": it is none. */
const char *rmdi_worker_process_name(void);

#endif

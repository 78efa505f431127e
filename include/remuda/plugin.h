/* SPDX-License-Identifier: MIT */
/* floor: exec */
/* Plug-ins: functions in a shared library that is loaded while the program runs.
 *
 *     static int upper(rmd_call *call)
 *     ...
 *     static const rmd_function functions[] = { { "upper", upper }, { 0 } };
 *     RMD_PLUGIN(functions);
 *
 *     cc -shared -fPIC -o libdemo.so demo.c $(pkg-config --cflags remuda)
 *
 *     err = rmd_plugin_load("./libdemo.so");
 *
 * A plug-in calls the Remuda of the program that loads it, and need not be linked with the library;
 * if it is, that changes nothing. The program is one that is linked with the shared library, or
 * that exports what it has (-rdynamic), as the command does.
 *
 * The functions are known on every kind of pool: on threads at once; on processes in pools that are
 * opened afterwards, whose workers load the plug-in before anything is preloaded, from the same
 * file: if that has changed since it was loaded, the pool is not opened (RMD_EINVAL). What runs
 * when the library is loaded (its constructors) runs there, too, and starts no thread. */
#ifndef REMUDA_PLUGIN_H
#define REMUDA_PLUGIN_H

#include <remuda/api.h>
#include <remuda/function.h>
#include <remuda/version.h>

RMD_BEGIN

/* What a plug-in exports, under the name rmd_plugin. */
typedef struct rmd_plugin_table {
    size_t size;                   /* sizeof(rmd_plugin_table) */
    const char *version;           /* of the headers that it was compiled with */
    const char *(*library)(void);  /* whose Remuda it calls */
    const rmd_function *functions; /* as for rmd_functions_add() */
} rmd_plugin_table;

/* Stands once in a plug-in, outside of functions: exports this table of functions. */
#define RMD_PLUGIN(functions)                                                                  \
    RMDI_PLUGIN_EXTERN RMD_API const rmd_plugin_table rmd_plugin;                              \
    RMDI_PLUGIN_EXTERN_DEFINED const rmd_plugin_table rmd_plugin = { sizeof(rmd_plugin_table), \
                                                                     RMD_VERSION, rmd_version, \
                                                                     (functions) }

#ifdef __cplusplus
#define RMDI_PLUGIN_EXTERN         extern "C"
#define RMDI_PLUGIN_EXTERN_DEFINED extern "C"
#else
#define RMDI_PLUGIN_EXTERN extern
#define RMDI_PLUGIN_EXTERN_DEFINED
#endif

/* Loads a plug-in and adds its functions, all or none. path is the name of a file, absolute or from
 * the current directory; unlike for dlopen(3) also without a '/' in it: no other folders are
 * searched. The library stays loaded as long as the program runs. Loading the same one again is
 * fine, and does nothing.
 *
 * Errors, all with a detail that names the file: RMD_ENOENT, RMD_EACCES and others of the system
 * (the file); RMD_EINVAL: it is no shared library for this system, or needs something that is not
 * there; it has no rmd_plugin; it was compiled for another version (the first two numbers must be
 * the same), or calls another copy of Remuda than the program; a function is not well described, or
 * its name is taken (see rmd_functions_add). RMD_EDEADLK: a constructor of a plug-in calls it.
 * RMD_ENOMEM. What its constructors do was done by then.
 *
 * Any thread, but not in a process that was forked while another thread was here. Blocks as long as
 * reading the file takes. */
RMD_API int rmd_plugin_load(const char *path) RMD_NODISCARD;

RMD_END

#endif

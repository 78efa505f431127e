/* SPDX-License-Identifier: MIT */
/* remuda: the command. */
#include "cli/verb.h"

#include <errno.h>
#include <fcntl.h>
#include <remuda/error.h>
#include <remuda/net.h>
#include <remuda/start.h>
#include <remuda/version.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

typedef struct verb {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
} verb;

static const verb verbs[] = {
    { "run", rmdi_verb_run, "run a command over many inputs on a pool of workers" },
    { "call", rmdi_verb_call, "call a function of a plug-in, or a program, once" },
    { "map", rmdi_verb_map, "call a function for each line of standard input" },
    { "functions", rmdi_verb_functions, "list the functions that can be called" },
    { "explain", rmdi_verb_explain, "tell from a journal or a flight record what became of tasks" },
    { "watch", rmdi_verb_watch, "follow a run from another terminal, through its journal" },
};

int rmdi_complain(const char *verb_name, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "remuda%s%s: ", *verb_name ? " " : "", verb_name);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    return RMDI_EXIT_OWN_ERROR;
}

int rmdi_complain_error(const char *verb_name, int error)
{
    return rmdi_complain(verb_name, "%s [%s]", rmd_error_detail(), rmd_error_name(error));
}

static int help(void)
{
    printf("remuda: worker pools for C programs, and for the command line\n\n"
           "usage: remuda VERB [options] ...\n\n");
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        printf("    remuda %-10s %s\n", verbs[i].name, verbs[i].help);
    printf("\n    remuda VERB --help    tells about one of them\n"
           "    remuda --version      prints the version\n");
    return 0;
}

/* What was asked for has to arrive: a full disk is an error here, too. */
static int end_output(int status)
{
    if (status || (fflush(stdout) == 0 && !ferror(stdout)))
        return status;
    return rmdi_complain("", "writing the output: %s", strerror(errno));
}

/* A descriptor that was closed at our start would be given to the next file we open, and
 * that would then be taken for standard output. What stands in cannot be used either, so
 * that using it is still an error. */
static void fill_standard_descriptors(void)
{
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0)
            open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY);
}

int main(int argc, char **argv)
{
    static char
        output[32 * 1024]; /* with less, writing help could fail before end_output() looks */
    setvbuf(stdout, output, _IOFBF, sizeof output);
    fill_standard_descriptors();
    signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is told by the error of the write */
    rmd_net_use();
    if (rmd_start(&argc, &argv) < 0)
        return rmdi_complain("", "REMUDA_RECORD: %s", rmd_error_detail());
    const char *name = argc > 1 ? argv[1] : "--help";
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (strcmp(name, verbs[i].name) == 0)
            return end_output(verbs[i].run(argc - 1, argv + 1));
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0)
        return end_output(help());
    if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0) {
        printf("remuda %s\n", rmd_version());
        return end_output(0);
    }
    return rmdi_complain("", "unknown verb \"%s\"; remuda --help lists those there are", name);
}

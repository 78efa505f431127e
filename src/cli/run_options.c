/* SPDX-License-Identifier: MIT */
/* Options come before the command, spelled as GNU parallel's; behind the command come
 * the input sources. One table of options serves the reader and the help. */
#include "cli/run_options.h"

#include "base/alloc.h"
#include "base/error.h"
#include "cli/option_table.h"
#include "cli/run_values.h"
#include "job/quote.h"
#include "job/size.h"
#include "port/cpu.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COMMAND_LINE_MAX = 8192 };

#define FLAG(member) offsetof(rmdi_cli_run, member)

/* ---- reading one option ---- */

static int set_jobs(void *to, const char *value)
{
    rmdi_cli_run *cli = to;
    cli->jobs = value;
    return rmdi_jobs_parse(value, rmdi_cpu_usable(), &cli->run.slots);
}

static int add_source(rmdi_cli_run *cli, const rmdi_inputs_source *source)
{
    void *sources = cli->sources;
    int err = rmdi_array_reserve(&sources, &cli->sources_capacity, cli->sources_len,
                                 sizeof *cli->sources);
    cli->sources = sources;
    if (err == 0)
        cli->sources[cli->sources_len++] = *source;
    return err;
}

static int set_arg_file(void *to, const char *value)
{
    rmdi_cli_run *cli = to;
    return add_source(cli, &(rmdi_inputs_source){ .file = value });
}

static int set_delimiter(void *to, const char *value)
{
    rmdi_cli_run *cli = to;
    cli->run.inputs.delimiter = value;
    return 0;
}

static int set_colsep(void *to, const char *value)
{
    rmdi_cli_run *cli = to;
    cli->run.inputs.column_separator = value;
    return 0;
}

static int set_trim(void *to, const char *value)
{
    rmdi_cli_run *cli = to;
    return rmdi_trim_parse(value, &cli->run.inputs.trim);
}

static int set_group_size(rmdi_cli_run *cli, const char *value)
{
    uint64_t n;
    int err = rmdi_count_parse(value, 0, UINT32_MAX, &n);
    if (err < 0)
        return err;
    cli->run.inputs.group = (size_t)n;
    cli->run.inputs.no_values = n == 0;
    cli->run.blocks.records = n;
    return 0;
}

static int set_max_args(void *to, const char *value)
{
    rmdi_cli_run *cli = to;
    uint64_t n;
    if (cli->run.template.repeat_words) /* -N wins, whichever comes first */
        return rmdi_count_parse(value, 0, UINT32_MAX, &n);
    return set_group_size(cli, value);
}

static int set_max_replace_args(void *to, const char *value)
{
    rmdi_cli_run *cli = to;
    cli->run.template.repeat_words = true;
    return set_group_size(cli, value);
}

static int set_replace(void *to, const char *value)
{
    rmdi_cli_run *cli = to;
    cli->run.template.replace = value;
    return 0;
}

static int set_no_keep_order(void *to, const char *value)
{
    rmdi_cli_run *cli = to;
    (void)value;
    cli->run.keep_order = false;
    return 0;
}

/* --group, --line-buffer and --ungroup exclude one another. */
static int set_output(rmdi_cli_run *cli, rmdi_run_output output, unsigned bit)
{
    cli->outputs_seen |= bit;
    if (cli->outputs_seen & (cli->outputs_seen - 1))
        return rmdi_fail(RMD_EINVAL, "--group, --line-buffer and --ungroup exclude one another");
    cli->run.output = output;
    return 0;
}

static int set_group(void *to, const char *value)
{
    rmdi_cli_run *cli = to;
    (void)value;
    return set_output(cli, RMDI_RUN_GROUP, 1);
}

static int set_lines(void *to, const char *value)
{
    rmdi_cli_run *cli = to;
    (void)value;
    return set_output(cli, RMDI_RUN_LINES, 2);
}

static int set_ungroup(void *to, const char *value)
{
    rmdi_cli_run *cli = to;
    (void)value;
    return set_output(cli, RMDI_RUN_UNGROUP, 4);
}

static int set_tagstring(void *to, const char *value)
{
    rmdi_cli_run *cli = to;
    rmdi_free(cli->tag);
    cli->tag = NULL;
    int err = rmdi_tagstring_parse(value, &cli->tag);
    return err;
}

static int set_joblog(void *to, const char *value)
{
    rmdi_cli_run *cli = to;
    if (!value[*value == '+'])
        return rmdi_fail(RMD_EINVAL, "--joblog: the name of the file is empty");
    cli->run.joblog = value;
    return 0;
}

static int set_journal(void *to, const char *value)
{
    rmdi_cli_run *cli = to;
    if (!*value)
        return rmdi_fail(RMD_EINVAL, "--journal: the name of the file is empty");
    cli->run.journal = value;
    return 0;
}

static int set_sync(void *to, const char *value)
{
    rmdi_cli_run *cli = to;
    if (strcmp(value, "full") != 0 && strcmp(value, "normal") != 0)
        return rmdi_fail(RMD_EINVAL, "--sync \"%s\": takes full or normal", value);
    cli->run.sync = *value == 'f' ? RMDI_SYNC_FULL : RMDI_SYNC_NORMAL;
    return 0;
}

static int set_retry_failed(void *to, const char *value)
{
    rmdi_cli_run *cli = to;
    (void)value;
    cli->run.resume = cli->run.retry_failed = true;
    return 0;
}

static int add_environment(void *to, const char *value)
{
    rmdi_cli_run *cli = to;
    if (!*value || strchr(value, '='))
        return rmdi_fail(RMD_EINVAL, "--env \"%s\": takes the name of a variable", value);
    int err = rmdi_words_add(&cli->environment, value);
    cli->run.environment = cli->environment.words;
    return err;
}

static int add_report(void *to, const char *value)
{
    rmdi_cli_run *cli = to;
    int err = rmdi_words_add(&cli->reports, value);
    cli->run.reports = cli->reports.words;
    return err;
}

static int set_retries(void *to, const char *value)
{
    rmdi_cli_run *cli = to;
    uint64_t n;
    int err = rmdi_count_parse(value, 0, UINT32_MAX, &n);
    if (err == 0)
        cli->run.attempts_max = n ? (unsigned)n : UINT32_MAX; /* 0: for ever */
    return err;
}

static int set_timeout(void *to, const char *value)
{
    rmdi_cli_run *cli = to;
    cli->run.timeout_ns = 0;
    cli->run.timeout_share = 0;
    if (*value && value[strlen(value) - 1] == '%')
        return rmdi_percent_parse(value, &cli->run.timeout_share);
    return rmdi_duration_parse(value, &cli->run.timeout_ns);
}

static int set_termseq(void *to, const char *value)
{
    rmdi_cli_run *cli = to;
    cli->run.ladder = cli->ladder;
    return rmdi_termseq_parse(value, cli->ladder, RMDI_LADDER_MAX, &cli->run.ladder_len);
}

static int set_halt(void *to, const char *value)
{
    rmdi_cli_run *cli = to;
    return rmdi_halt_parse(&cli->run.halt, value);
}

static int set_delay(void *to, const char *value)
{
    rmdi_cli_run *cli = to;
    return rmdi_duration_parse(value, &cli->run.delay_ns);
}

static int set_dir(void *to, const char *value)
{
    rmdi_cli_run *cli = to;
    cli->run.dir = value;
    return 0;
}

static int set_silent(void *to, const char *value)
{
    rmdi_cli_run *cli = to;
    (void)value;
    cli->run.show_command = false;
    return 0;
}

static int set_json(void *to, const char *value)
{
    rmdi_cli_run *cli = to;
    (void)value;
    cli->run.census = cli->run.json = true;
    return 0;
}

static int set_events(void *to, const char *value)
{
    rmdi_cli_run *cli = to;
    if (!value[*value == '+'])
        return rmdi_fail(RMD_EINVAL, "--events: the name of the file is empty");
    cli->run.events = value;
    return 0;
}

static int set_record(void *to, const char *value)
{
    rmdi_cli_run *cli = to;
    cli->record = value;
    return 0;
}

static int set_pipe(void *to, const char *value)
{
    rmdi_cli_run *cli = to;
    (void)value;
    cli->run.pipe = true;
    cli->run.template.never_append = true;
    return 0;
}

static int set_block(void *to, const char *value)
{
    rmdi_cli_run *cli = to;
    const uint64_t most = INT32_MAX; /* as in GNU parallel; a larger one is cut to it */
    uint64_t n;
    int err = rmdi_size_parse(value, &n);
    if (err == 0)
        cli->run.blocks.block_bytes = (size_t)(n < most ? n : most);
    return err;
}

static int set_recstart(void *to, const char *value)
{
    rmdi_cli_run *cli = to;
    cli->run.blocks.record_start = value;
    return 0;
}

static int set_recend(void *to, const char *value)
{
    rmdi_cli_run *cli = to;
    cli->run.blocks.record_end = value;
    return 0;
}

static int set_shell(void *to, const char *value)
{
    rmdi_cli_run *cli = to;
    if (!*value)
        return rmdi_fail(RMD_EINVAL, "--shell: the name of the shell is empty");
    cli->run.template.shell = value;
    return 0;
}

static int set_nothing(void *to, const char *value)
{
    (void)to;
    (void)value;
    return 0;
}

/* ---- the table ---- */

static const rmdi_option rows[] = {
    { "jobs|max-procs|maxprocs", 'j', "N|+N|-N|N%|0", set_jobs,
      .help = "tasks at a time (also -P); % of the usable processors; 0: as descriptors allow" },
    { "procs", 'P', "N", set_jobs, .help = NULL },
    { "arg-file|argfile", 'a', "FILE", set_arg_file, .help = "take inputs from the lines of FILE" },
    { "null", '0', .help = "inputs end with a NUL byte, not a newline",
      .flag = FLAG(run.inputs.nul) },
    { "delimiter", 'd', "STR", set_delimiter, .help = "inputs end with STR (\\n \\t \\0 \\ooo)" },
    { "colsep|col-sep", 'C', "REGEX", set_colsep,
      .help = "split each input into columns: {1} {2}" },
    { "trim", 0, "n|l|r|lr|rl", set_trim, .help = "remove blanks around inputs" },
    { "no-run-if-empty|norunifempty", 'r', .help = "leave out blank inputs",
      .flag = FLAG(run.inputs.skip_empty) },
    { "link|xapply", 0, .help = "take the sources in step; short ones start again",
      .flag = FLAG(run.inputs.link_all) },
    { "max-args|maxargs", 'n', "N", set_max_args, .help = "N inputs for one task" },
    { "max-replace-args|maxreplaceargs", 'N', "N", set_max_replace_args,
      .help = "the same, and words are repeated; with --pipe: N records" },
    { "replace-string", 'I', "STR", set_replace, .help = "use STR in place of {}" },
    { "quote", 'q', .help = "the words of the command have no special characters",
      .flag = FLAG(run.template.quote) },
    { "shell", 0, "SHELL", set_shell, .help = "run commands that need one with SHELL" },
    { "keep-order|keeporder", 'k', .help = "show outputs in the order of the inputs",
      .flag = FLAG(run.keep_order) },
    { "no-keep-order|nokeep-order|nok", 0, NULL, set_no_keep_order, .help = NULL },
    { "group", 0, NULL, set_group, .help = "show each task's output in one piece (the default)" },
    { "line-buffer|line-buffered|linebuffer|linebuffered|lb", 0, NULL, set_lines,
      .help = "show output line by line as it comes; --lb" },
    { "ungroup", 'u', NULL, set_ungroup, .help = "let tasks write directly" },
    { "tag", 0, .help = "begin each line with the input and a tab", .flag = FLAG(tag_wanted) },
    { "tagstring|tag-string", 0, "STR", set_tagstring,
      .help = "begin each line with STR and a tab" },
    { "joblog|jl", 0, "FILE", set_joblog, .help = "write a line for each task; +FILE appends" },
    { "journal", 0, "FILE", set_journal,
      .help = "record every task in FILE, so that it can be resumed" },
    { "resume", 0, .help = "go on with the journal: run only what has not ended",
      .flag = FLAG(run.resume) },
    { "retry-failed|retryfailed|resume-failed|resumefailed", 0, NULL, set_retry_failed,
      .help = "the same, and run again what has failed" },
    { "at-most-once", 0, .help = "never start a task twice: what a killed run had started is lost",
      .flag = FLAG(run.at_most_once) },
    { "sync", 0, "full|normal", set_sync,
      .help = "what of the journal survives a power failure (full)" },
    { "env", 0, "NAME", add_environment, .help = "the value of NAME belongs to what a task is" },
    { "retries", 0, "N", set_retries, .help = "start a task that fails up to N times in all" },
    { "timeout", 0, "TIME|N%", set_timeout,
      .help = "end a task after TIME; % of the median so far" },
    { "termseq|term-seq", 0, "SIG,MS,...", set_termseq,
      .help = "how tasks are ended (TERM,200,TERM,100,TERM,50,KILL,25)" },
    { "halt|halt-on-error|haltonerror", 0, "WHEN", set_halt,
      .help = "never | (now|soon),(fail|success|done)=(N|N%)" },
    { "delay", 0, "TIME", set_delay, .help = "wait TIME between two starts" },
    { "wd|workdir", 0, "DIR", set_dir,
      .help = "run the tasks in DIR, which is made if it is missing" },
    { "dry-run|dryrun|dr", 0, .help = "show the commands, run nothing", .flag = FLAG(run.dry_run) },
    { "show-command", 'v', .help = "show the command before its output",
      .flag = FLAG(run.show_command) },
    { "verbose", 't', .help = "show the command on stderr when it starts",
      .flag = FLAG(run.trace) },
    { "silent", 0, NULL, set_silent, .help = NULL },
    { "quiet", 0, .help = "say nothing about failed tasks", .flag = FLAG(run.quiet) },
    { "bar", 0, .help = "show progress with a bar", .flag = FLAG(run.bar) },
    { "eta|progress", 0, .help = "show progress in words", .flag = FLAG(run.eta) },
    { "census", 0, .help = "print the account at the end, also to a file",
      .flag = FLAG(run.census) },
    { "json", 0, NULL, set_json,
      .help = "print the account as a JSON object, the last line of stderr" },
    { "events", 0, "FD|FILE", set_events,
      .help = "tell everything that happens, a JSON object a line" },
    { "report", 0, "FILE", add_report,
      .help = "draw the run as a page, FILE.html, or a picture, FILE.svg" },
    { "record", 0, "FILE", set_record,
      .help = "write a flight record at the end, at a crash, and on SIGUSR2" },
    { "pipe|spreadstdin", 0, NULL, set_pipe, .help = "give each task a block of standard input" },
    { "block|block-size|blocksize", 0, "SIZE", set_block, .help = "size of a block (1M)" },
    { "recstart", 0, "STR", set_recstart, .help = "records begin with STR" },
    { "recend", 0, "STR", set_recend, .help = "records end with STR (\\n)" },
    { "remove-rec-sep|removerecsep|rrs", 0,
      .help = "leave the ends and beginnings of records out; --rrs",
      .flag = FLAG(run.blocks.remove_separators) },
    { "will-cite|willcite|nn", 0, NULL, set_nothing, .help = NULL },
    { "plain", 0, NULL, set_nothing, .help = NULL },
    { "help", 'h', .help = "this text", .flag = FLAG(help) },
};

static const rmdi_option_table table = { .verb = "run",
                                         .rows = rows,
                                         .count = sizeof rows / sizeof *rows };

/* ---- the command and the sources behind it ---- */

typedef struct source_word {
    const char *word;
    bool files, linked;
} source_word;

static const source_word source_words[] = {
    { ":::", false, false },
    { ":::+", false, true },
    { "::::", true, false },
    { "::::+", true, true },
};

static const source_word *find_source_word(const char *word)
{
    for (size_t i = 0; i < sizeof source_words / sizeof *source_words; i++)
        if (strcmp(word, source_words[i].word) == 0)
            return &source_words[i];
    return NULL;
}

static size_t count_words(char **argv)
{
    size_t n = 0;
    while (argv[n] && !find_source_word(argv[n]))
        n++;
    return n;
}

/* A NULL-terminated copy of the array, not of the words. */
static const char **copy_words(char **argv, size_t n)
{
    const char **words = rmdi_alloc((n + 1) * sizeof *words);
    for (size_t i = 0; words && i < n; i++)
        words[i] = argv[i];
    if (words)
        words[n] = NULL;
    return words;
}

static int add_files(rmdi_cli_run *cli, char **argv, size_t n, bool linked)
{
    int err = 0;
    for (size_t i = 0; i < n && err == 0; i++)
        err = add_source(cli, &(rmdi_inputs_source){ .file = argv[i], .linked = linked });
    return err;
}

static int add_list(rmdi_cli_run *cli, char **argv, size_t n, bool linked)
{
    void *lists = cli->lists;
    int err = rmdi_array_reserve(&lists, &cli->lists_capacity, cli->lists_len, sizeof *cli->lists);
    cli->lists = lists;
    const char **words = err == 0 ? copy_words(argv, n) : NULL;
    if (!words)
        return rmdi_fail_memory();
    cli->lists[cli->lists_len++] = words;
    return add_source(cli, &(rmdi_inputs_source){ .words = words, .linked = linked });
}

static int read_command(rmdi_cli_run *cli, char **argv)
{
    size_t n = count_words(argv);
    cli->words = copy_words(argv, n);
    if (!cli->words)
        return rmdi_fail_memory();
    cli->run.template.words = n ? cli->words : NULL;
    int err = 0;
    for (argv += n; *argv && err == 0; argv += n) {
        const source_word *kind = find_source_word(*argv++);
        n = count_words(argv);
        err = kind->files ? add_files(cli, argv, n, kind->linked)
                          : add_list(cli, argv, n, kind->linked);
    }
    return err;
}

static int check(const rmdi_cli_run *cli)
{
    if (cli->run.pipe && !cli->run.template.words)
        return rmdi_fail(RMD_EINVAL, "--pipe needs a command to give the blocks to");
    if (!cli->run.journal && (cli->run.resume || cli->run.at_most_once))
        return rmdi_fail(RMD_EINVAL, "%s needs --journal FILE, where it is recorded what was done",
                         cli->run.retry_failed ? "--retry-failed"
                         : cli->run.resume     ? "--resume"
                                               : "--at-most-once");
    return 0;
}

/* How we were called, as can be pasted into a shell. A long list of inputs is cut. */
static int join_command_line(rmdi_cli_run *cli, int argc, char **argv)
{
    int err = rmdi_buffer_add_text(&cli->command_line, "remuda");
    for (int i = 0; i < argc && err == 0 && cli->command_line.len <= COMMAND_LINE_MAX; i++) {
        err = rmdi_buffer_add_byte(&cli->command_line, ' ');
        if (err == 0)
            err = rmdi_quote_add(&cli->command_line, rmdi_bytes_of(argv[i]));
    }
    if (err == 0 && cli->command_line.len > COMMAND_LINE_MAX) {
        cli->command_line.len = COMMAND_LINE_MAX;
        err = rmdi_buffer_add_text(&cli->command_line, " ...");
    }
    cli->run.command_line = cli->command_line.data;
    return err;
}

int rmdi_cli_run_read(rmdi_cli_run *cli, int argc, char **argv)
{
    *cli = (rmdi_cli_run){ 0 };
    cli->run.slots = rmdi_cpu_usable();
    int err = set_termseq(cli, "TERM,200,TERM,100,TERM,50,KILL,25");
    int rest = err < 0 ? err : rmdi_options_read(&table, cli, argc, argv);
    if (rest < 0)
        err = rest;
    else if (!cli->help)
        err = read_command(cli, argv + rest);
    /* An empty --tagstring counts as not given. Tasks that write directly have no tag. */
    cli->run.tag = cli->tag && *cli->tag ? cli->tag : cli->tag_wanted ? "{}" : NULL;
    if (cli->run.output == RMDI_RUN_UNGROUP && !cli->run.dry_run)
        cli->run.tag = NULL;
    cli->run.inputs.sources = cli->sources;
    cli->run.inputs.sources_count = cli->sources_len;
    if (err == 0)
        err = join_command_line(cli, argc, argv);
    return err < 0 || cli->help ? err : check(cli);
}

void rmdi_cli_run_free(rmdi_cli_run *cli)
{
    for (size_t i = 0; i < cli->lists_len; i++)
        rmdi_free(cli->lists[i]);
    rmdi_free(cli->lists);
    rmdi_free(cli->sources);
    rmdi_free(cli->words);
    rmdi_free(cli->tag);
    rmdi_free(cli->environment.words);
    rmdi_free(cli->reports.words);
    rmdi_buffer_free(&cli->command_line);
}

/* ---- help ---- */

void rmdi_cli_run_help(void)
{
    printf("usage: remuda run [options] COMMAND [ARGS] [::: INPUT...] [:::: FILE...]\n"
           "       remuda run [options] --pipe COMMAND [ARGS] < FILE\n\n"
           "Runs COMMAND once for each input, several at a time. Inputs come from standard input\n"
           "(one a line) or from behind the command:\n"
           "  ::: INPUT...   these          :::+ INPUT...   in step with the source before\n"
           "  :::: FILE...   their lines    ::::+ FILE...   likewise\n"
           "In COMMAND {} is the input, {.} without extension, {/} without directory, {//} its\n"
           "directory, {/.} without both, {#} the number of the task, {%%} of its slot, {2} {2.}\n"
           "the second of several. Without any, {} is added. Without COMMAND the inputs are\n"
           "commands. Values are never read as shell syntax, whatever they hold.\n\n");
    rmdi_options_help(&table);
    printf("\nExit status: 0; the number of failed tasks, 101 if more than 100; 255 for errors of\n"
           "our own; 129, 130, 143 after HUP, INT, TERM; 141 when nobody reads the output.\n"
           "Examples:\n"
           "  remuda run -j4 gzip -9 ::: *.log\n"
           "  remuda run -k --tag 'grep -c {1} {2}' ::: alpha beta :::: files.txt\n"
           "  remuda run --pipe --recstart '>' -N1 -k 'phmmer - db.fa' < queries.fa\n"
           "More: man remuda-run\n");
}

/* SPDX-License-Identifier: MIT */
#include "exec/command.h"

#include "kit.h"
#include "kit_alloc.h"

#include <fcntl.h>
#include <remuda/error.h>
#include <signal.h>
#include <unistd.h>

static const char *const argv[] = { "sort", "-n", NULL };

static rmd_command plain(void)
{
    return (rmd_command){ .size = sizeof(rmd_command), .argv = argv };
}

/* Must be refused with a detail that holds this word. */
static void refuse(const rmd_command *command, const char *word)
{
    rmdi_command copy;
    CHECK_EQ(rmdi_command_copy(&copy, command), RMD_EINVAL);
    CHECK_CONTAINS(rmd_error_detail(), word);
    rmdi_command_free(&copy);
}

TEST(a_command_without_size_or_program_is_refused)
{
    rmd_command command = plain();
    static const char *const none[] = { NULL };
    refuse(NULL, "none was given");
    command.size = 7;
    refuse(&command, "size is 7");
    command = plain();
    command.argv = NULL;
    refuse(&command, "argv");
    command.argv = none;
    refuse(&command, "argv");
}

TEST(a_bad_stream_is_refused_by_its_name)
{
    static const char *const names[] = { "stdin", "stdout", "stderr" };
    for (int i = 0; i < 3; i++) {
        rmd_command command = plain();
        rmd_stream *streams[] = { &command.in, &command.out, &command.err };
        streams[i]->kind = (rmd_stream_kind)99;
        refuse(&command, names[i]);
        streams[i]->kind = (rmd_stream_kind)-1;
        refuse(&command, names[i]);
        streams[i]->kind = RMD_STREAM_FD;
        streams[i]->fd = 987;
        refuse(&command, names[i]);
        CHECK_CONTAINS(rmd_error_detail(), "987");
        streams[i]->fd = -1;
        refuse(&command, names[i]);
        streams[i]->kind = RMD_STREAM_FILE;
        refuse(&command, names[i]);
        streams[i]->kind = i ? RMD_STREAM_SINK : RMD_STREAM_CAPTURE;
        refuse(&command, names[i]);
        streams[i]->kind = i ? RMD_STREAM_BYTES : RMD_STREAM_TAIL;
        refuse(&command, names[i]);
        streams[i]->kind = RMD_STREAM_BYTES;
        streams[i]->bytes.len = 3;
        refuse(&command, names[i]);
    }
}

TEST(bad_descriptors_are_refused_by_their_place)
{
    static int fds[64];
    rmd_command command = plain();
    command.fds = fds;
    command.fds_len = 62;
    refuse(&command, "62 descriptors");
    command.fds_len = 2;
    fds[1] = 987;
    refuse(&command, "fds[1]");
    CHECK_CONTAINS(rmd_error_detail(), "987");
    fds[1] = -1;
    refuse(&command, "fds[1]");
    command.fds = NULL;
    refuse(&command, "fds");
}

TEST(bad_limits_are_refused_by_their_name)
{
    static const rmd_kill_step bad_steps[] = { { SIGTERM, 1 }, { 0, 1 },       { SIGTERM, 1 },
                                               { _NSIG, 1 },   { SIGTERM, 1 }, { SIGTERM, -1 } };
    rmd_command command = plain();
    command.limits.queue_ms_max = -1;
    refuse(&command, "queue_ms_max");
    command = plain();
    command.limits.run_ms_max = INT64_MIN;
    refuse(&command, "run_ms_max");
    command = plain();
    command.limits.total_ms_max = -5;
    refuse(&command, "total_ms_max");
    command = plain();
    command.limits.ladder = bad_steps;
    refuse(&command, "ladder without steps");
    for (int i = 0; i < 3; i++) {
        command.limits.ladder = bad_steps + 2 * i;
        command.limits.ladder_len = 2;
        refuse(&command, "step 2 of the kill ladder");
    }
}

TEST(additions_to_the_environment_must_have_the_form_name_equals_value)
{
    static const char *const good[] = { "A=1", "B=", "C==", NULL };
    static const char *const bad[] = { "A=1", "BARE", NULL }, *const nameless[] = { "=x", NULL };
    rmdi_command copy;
    rmd_command command = plain();
    command.env = bad;
    refuse(&command, "\"BARE\"");
    command.env = nameless;
    refuse(&command, "\"=x\"");
    command.env = good;
    command.envp = bad; /* a whole environment is passed on as it is */
    CHECK_EQ(rmdi_command_copy(&copy, &command), 0);
    rmdi_command_free(&copy);
}

TEST(a_copy_has_all_defaults)
{
    rmdi_command copy;
    rmd_command command = plain();
    REQUIRE(rmdi_command_copy(&copy, &command) == 0);
    CHECK_EQ(copy.streams[RMD_STDIN].kind, RMD_STREAM_NULL);
    CHECK_EQ(copy.streams[RMD_STDOUT].kind, RMD_STREAM_CAPTURE);
    CHECK_EQ(copy.streams[RMD_STDERR].kind, RMD_STREAM_TAIL);
    CHECK_EQ(copy.limits.attempts_max, 1);
    REQUIRE(copy.limits.ladder_len == 2);
    CHECK_EQ(copy.limits.ladder[0].signal, SIGTERM);
    CHECK_EQ(copy.limits.ladder[0].wait_ms, 2000);
    CHECK_EQ(copy.limits.ladder[1].signal, SIGKILL);
    CHECK_STR(copy.name, "sort");
    CHECK(copy.envp == NULL && copy.env == NULL && copy.dir == NULL && copy.fds == NULL);
    rmdi_command_free(&copy);
    rmdi_command_free(&copy);
}

/* Everything that a command can hold, in memory that the caller then overwrites. */
typedef struct original {
    char program[8], env[8], dir[8], name[8], path[8], bytes[8];
    const char *argv[2], *envs[2];
    int fds[2];
    rmd_kill_step ladder[1];
    rmd_command command;
} original;

static void fill(original *o)
{
    *o = (original){ .program = "prog",
                     .env = "A=1",
                     .dir = "/",
                     .name = "name",
                     .path = "file",
                     .bytes = "bytes",
                     .ladder = { { SIGINT, 5 } } };
    o->argv[0] = o->program;
    o->envs[0] = o->env;
    o->fds[1] = 1;
    o->command = (rmd_command){ .size = sizeof o->command,
                                .argv = o->argv,
                                .envp = o->envs,
                                .env = o->envs,
                                .dir = o->dir,
                                .in = { .kind = RMD_STREAM_BYTES, .bytes = { o->bytes, 5 } },
                                .out = { .kind = RMD_STREAM_FILE, .path = o->path },
                                .fds = o->fds,
                                .fds_len = 2,
                                .limits = { .ladder = o->ladder, .ladder_len = 1 },
                                .name = o->name };
}

TEST(a_copy_needs_nothing_of_the_original)
{
    original o;
    rmdi_command copy;
    fill(&o);
    REQUIRE(rmdi_command_copy(&copy, &o.command) == 0);
    memset(&o, 'x', sizeof o);
    CHECK_STR(copy.argv[0], "prog");
    CHECK(copy.argv[1] == NULL);
    CHECK_STR(copy.envp[0], "A=1");
    CHECK_STR(copy.env[0], "A=1");
    CHECK_STR(copy.dir, "/");
    CHECK_STR(copy.name, "name");
    CHECK_STR(copy.streams[RMD_STDOUT].path, "file");
    CHECK_MEM(copy.streams[RMD_STDIN].bytes.data, "bytes", 5);
    CHECK_EQ(copy.fds[0] + copy.fds[1], 1);
    CHECK_EQ(copy.limits.ladder_len, 2); /* the KILL was missing */
    CHECK_EQ(copy.limits.ladder[0].signal, SIGINT);
    CHECK_EQ(copy.limits.ladder[1].signal, SIGKILL);
    rmdi_command_free(&copy);
}

static int copy_once(void *arg)
{
    original *o = arg;
    rmdi_command copy;
    int err = rmdi_command_copy(&copy, &o->command);
    rmdi_command_free(&copy);
    return err;
}

TEST(a_copy_fails_cleanly_at_each_allocation)
{
    original o;
    fill(&o);
    CHECK_INT(kit_alloc(copy_once, &o, RMD_ENOMEM), >, 9);
}

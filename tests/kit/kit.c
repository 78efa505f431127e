/* SPDX-License-Identifier: MIT */
/* The runner: finds cases, runs each in its own process, reports. */
#include "kit.h"
#include "kit_report.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum verdict { PASSED, FAILED, SKIPPED, VERDICTS };

enum { STATUS_SKIPPED = 77 };

static kit_case *first;
static kit_case **last = &first;
static const char *program;

void kit_add(kit_case *c)
{
    *last = c;
    last = &c->next;
}

const char *kit_helper(const char *name)
{
    static char path[4096];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    path[length < 0 ? 0 : length] = '\0';
    char *slash = strrchr(path, '/');
    size_t folder = slash == NULL ? 0 : (size_t)(slash - path) + 1;
    snprintf(path + folder, sizeof path - folder, "%s", name);
    return path;
}

int kit_patience(void)
{
    const char *text = getenv("KIT_LIMIT_FACTOR");
    int factor = text == NULL ? 1 : atoi(text);
    return factor < 1 ? 1 : factor;
}

/* The case's side. */

static _Noreturn void run_case(const kit_case *c)
{
    c->run();
    fflush(NULL);
    int status = kit_failures() > 0 ? 1 : 0;
    /* exit, not _exit: the leak checker works in an exit handler. */
    exit(status);
}

static _Noreturn void become_case(const kit_case *c, int output, const char *folder, pid_t runner)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != runner)
        _exit(1);
    setpgid(0, 0);
    dup2(output, STDOUT_FILENO);
    dup2(output, STDERR_FILENO);
    close(output);
    int null = open("/dev/null", O_RDONLY);
    dup2(null, STDIN_FILENO);
    if (null != STDIN_FILENO)
        close(null);
    setvbuf(stdout, NULL, _IOLBF, 0);
    setenv("TMPDIR", folder, 1);
    run_case(c);
}

/* The runner's side. */

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "%s: %s: %s\n", program, what, strerror(errno));
    exit(1);
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *where)
{
    (void)status;
    (void)kind;
    (void)where;
    remove(path);
    return 0;
}

static bool read_children(char *list, size_t size)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%d/children", getpid());
    FILE *file = fopen(path, "re");
    bool some = file != NULL && fgets(list, (int)size, file) != NULL;
    if (file != NULL)
        fclose(file);
    return some;
}

/* Kills whatever left the case's group: orphans come to us, the subreaper. */
static void kill_orphans(void)
{
    char list[4096];
    while (read_children(list, sizeof list)) {
        for (char *rest = list, *id; (id = strtok_r(rest, " \n", &rest)) != NULL;)
            kill((pid_t)atoi(id), SIGKILL);
        waitpid(-1, NULL, 0);
    }
}

/* Waits for the case to end; false when its time is up. Does not reap. */
static bool wait_case(pid_t pid, int limit_seconds)
{
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    struct pollfd ended = { .fd = pidfd, .events = POLLIN };
    int got;
    do
        got = poll(&ended, 1, limit_seconds * 1000);
    while (got < 0 && errno == EINTR);
    close(pidfd);
    return got > 0;
}

static void print_output(int output)
{
    char buffer[4096], last_byte = '\n';
    ssize_t length;
    lseek(output, 0, SEEK_SET);
    while ((length = read(output, buffer, sizeof buffer)) > 0) {
        fwrite(buffer, 1, (size_t)length, stdout);
        last_byte = buffer[length - 1];
    }
    if (last_byte != '\n')
        putchar('\n');
}

static enum verdict judge(const kit_case *c, int status, bool in_time, int output)
{
    bool failed = kit_failures() > 0;
    if (in_time && !failed && WIFEXITED(status) && WEXITSTATUS(status) == STATUS_SKIPPED) {
        printf("skip  %s: %s\n", c->name, kit_remarked());
        return SKIPPED;
    }
    if (in_time && !failed && WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        const char *remark = kit_remarked();
        printf("pass  %s%s%s\n", c->name, *remark ? ": " : "", remark);
        return PASSED;
    }
    print_output(output);
    if (!in_time)
        printf("FAIL  %s: still running after %d s, killed\n", c->name,
               c->limit_seconds * kit_patience());
    else if (WIFSIGNALED(status))
        printf("FAIL  %s: killed by signal %d (%s)\n", c->name, WTERMSIG(status),
               strsignal(WTERMSIG(status)));
    else if (failed)
        printf("FAIL  %s\n", c->name);
    else
        printf("FAIL  %s: exit status %d\n", c->name, WEXITSTATUS(status));
    printf("      again: %s %s\n", program, c->name);
    return FAILED;
}

static enum verdict run_forked(const kit_case *c)
{
    const char *parent = getenv("TMPDIR");
    char folder[1024];
    snprintf(folder, sizeof folder, "%s/remuda-test-XXXXXX", parent == NULL ? "/tmp" : parent);
    int output = memfd_create("output", MFD_CLOEXEC);
    if (mkdtemp(folder) == NULL || output < 0)
        die("no temporary folder");
    kit_report_reset();
    fflush(NULL);
    pid_t runner = getpid();
    pid_t pid = fork();
    if (pid == 0)
        become_case(c, output, folder, runner);
    if (pid < 0)
        die("no process for the case");
    setpgid(pid, pid); /* by both, so that neither side depends on the other's speed */
    bool in_time = wait_case(pid, c->limit_seconds * kit_patience());
    kill(-pid, SIGKILL); /* before reaping: until then the group's number cannot be reused */
    int status = 0;
    waitpid(pid, &status, 0);
    kill_orphans();
    enum verdict verdict = judge(c, status, in_time, output);
    fflush(stdout);
    close(output);
    nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    return verdict;
}

static bool wanted(const kit_case *c, int words, char **word)
{
    for (int i = 0; i < words; i++)
        if (strstr(c->name, word[i]) != NULL)
            return true;
    return words == 0;
}

static int run_all(int words, char **word)
{
    int count[VERDICTS] = { 0 };
    for (const kit_case *c = first; c != NULL; c = c->next)
        if (wanted(c, words, word))
            count[run_forked(c)]++;
    printf("%d passed, %d failed, %d skipped\n", count[PASSED], count[FAILED], count[SKIPPED]);
    if (count[PASSED] + count[FAILED] + count[SKIPPED] == 0) {
        fprintf(stderr, "%s: no such case; --list prints them\n", program);
        return 2;
    }
    if (count[FAILED] > 0)
        return 1;
    return count[PASSED] > 0 ? 0 : STATUS_SKIPPED;
}

int kit_main(int argc, char **argv)
{
    program = argv[0];
    bool list = argc == 2 && strcmp(argv[1], "--list") == 0;
    bool here = argc == 3 && strcmp(argv[1], "--no-fork") == 0;
    if (argc > 1 && argv[1][0] == '-' && !list && !here) {
        fprintf(stderr, "usage: %s [--list | --no-fork NAME | NAME...]\n", program);
        return 2;
    }
    setenv("REMUDA_GUARD", KIT_GUARD, 0); /* the built one, not an installed one */
    kit_report_open();
    for (const kit_case *c = first; c != NULL; c = c->next) {
        if (list)
            puts(c->name);
        else if (here && wanted(c, 1, argv + 2))
            run_case(c);
    }
    if (list)
        return 0;
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    return here ? run_all(1, argv + 2) : run_all(argc - 1, argv + 1);
}

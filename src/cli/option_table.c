/* SPDX-License-Identifier: MIT */
#include "cli/option_table.h"

#include "base/error.h"

#include <ctype.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

enum { ROWS_MAX = 80, NAMES_MAX = 160, LONG_BASE = 256, A_WORD = 1 };

/* getopt's view of the table; the names are cut out of `names`. */
typedef struct getopt_table {
    struct option longs[NAMES_MAX];
    char names[NAMES_MAX][32];
    char shorts[2 * ROWS_MAX + 3];
} getopt_table;

static void add_long_names(getopt_table *view, size_t *used, const rmdi_option *row, int value)
{
    for (const char *name = row->names; *name && *used < NAMES_MAX - 1;) {
        size_t len = strcspn(name, "|");
        snprintf(view->names[*used], sizeof view->names[0], "%.*s", (int)len, name);
        view->longs[*used] = (struct option){ .name = view->names[*used],
                                              .has_arg = row->value != NULL,
                                              .val = value };
        ++*used;
        name += len + (name[len] == '|');
    }
}

static void fill_view(getopt_table *view, const rmdi_option_table *table)
{
    size_t used = 0, letters = 0;
    view->shorts[letters++] = table->word ? '-' : '+'; /* give words in order; stop at the first */
    view->shorts[letters++] = ':'; /* tell a missing value from an unknown option */
    for (size_t i = 0; i < table->count && i < ROWS_MAX; i++) {
        const rmdi_option *row = &table->rows[i];
        add_long_names(view, &used, row, LONG_BASE + (int)i);
        if (!row->letter)
            continue;
        view->shorts[letters++] = row->letter;
        if (row->value)
            view->shorts[letters++] = ':';
    }
    view->shorts[letters] = 0;
    view->longs[used] = (struct option){ 0 };
}

static const rmdi_option *find_row(const rmdi_option_table *table, int found)
{
    for (size_t i = 0; i < table->count; i++)
        if (found == LONG_BASE + (int)i || (found < LONG_BASE && found == table->rows[i].letter))
            return &table->rows[i];
    return NULL;
}

/* ---- what is wrong ---- */

/* The word with the option in it; getopt stays on a word until its last letter. */
static const char *word_of_option(char *const *argv)
{
    bool inside = optopt < 0 && argv[optind] && strchr(argv[optind], optopt);
    return argv[inside ? optind : optind - 1];
}

/* How many long names the word abbreviates. */
static unsigned count_names(const rmdi_option_table *table, const char *word)
{
    size_t len = strncmp(word, "--", 2) == 0 ? strcspn(word + 2, "=") : 0;
    unsigned count = 0;
    for (size_t i = 0; len && i < table->count; i++)
        for (const char *name = table->rows[i].names; name; name = strchr(name, '|')) {
            name += *name == '|';
            count += strncmp(name, word + 2, len) == 0;
        }
    return count;
}

static int complain_of(const rmdi_option_table *table, int found, char *const *argv)
{
    char letter[3] = { '-', (char)optopt, 0 };
    const char *what = optopt > 0 && optopt < LONG_BASE ? letter : word_of_option(argv);
    if (found == ':')
        return rmdi_fail(RMD_EINVAL, "option %s needs a value", what);
    if (optopt >= LONG_BASE)
        return rmdi_fail(RMD_EINVAL, "option %s takes no value", what);
    unsigned count = count_names(table, what);
    if (count > 1)
        return rmdi_fail(RMD_EINVAL, "option %s could be any of %u; write more of it", what, count);
    return rmdi_fail(RMD_EINVAL, "option %s is unknown; remuda %s --help lists all", what,
                     table->verb);
}

/* The messages about values name the value; this names the option, unless they do. */
static int name_option(const rmdi_option *row, int err)
{
    char detail[RMDI_ERROR_DETAIL_MAX];
    if (err == RMD_ENOMEM || *rmd_error_detail() == '-')
        return err;
    snprintf(detail, sizeof detail, "%s", rmd_error_detail());
    return rmdi_fail(err, "--%.*s: %s", (int)strcspn(row->names, "|"), row->names, detail);
}

/* ---- reading ---- */

static int read_row(const rmdi_option *row, void *to)
{
    if (row->read) {
        int err = row->read(to, optarg);
        return err < 0 ? name_option(row, err) : 0;
    }
    bool *flag = (bool *)(void *)((char *)to + row->flag);
    *flag = true;
    return 0;
}

/* getopt never is inside of such a word: no option has a digit or a point for a letter. */
static bool is_number(const char *word)
{
    return word && word[0] == '-' && (isdigit((unsigned char)word[1]) || word[1] == '.');
}

static int read_words(const rmdi_option_table *table, void *to, char **argv)
{
    int err = 0;
    while (argv[optind] && err == 0)
        err = table->word(to, argv[optind++]);
    return err;
}

static int read_all(const rmdi_option_table *table, const getopt_table *view, void *to, int argc,
                    char **argv)
{
    for (int err = 0; err == 0;) {
        if (table->word && optind > 0 && is_number(argv[optind])) {
            err = table->word(to, argv[optind++]);
            continue;
        }
        int found = getopt_long(argc, argv, view->shorts, view->longs, NULL);
        const rmdi_option *row = found > A_WORD ? find_row(table, found) : NULL;
        if (found == -1)
            return table->word ? read_words(table, to, argv) : 0;
        if (found == A_WORD)
            err = table->word(to, optarg);
        else
            err = row ? read_row(row, to) : complain_of(table, found, argv);
        if (err < 0 || (row && strcmp(row->names, "help") == 0))
            return err;
    }
    return 0;
}

int rmdi_options_read(const rmdi_option_table *table, void *to, int argc, char **argv)
{
    getopt_table view;
    fill_view(&view, table);
    optind = 0; /* start anew, with glibc's own memory cleared */
    opterr = 0;
    int err = read_all(table, &view, to, argc, argv);
    return err < 0 ? err : optind;
}

/* ---- help ---- */

static void print_row(const rmdi_option *row)
{
    char left[64];
    char letter[5] = { '-', row->letter, ',', ' ', 0 };
    snprintf(left, sizeof left, "%s--%.*s%s%s", row->letter ? letter : "    ",
             (int)strcspn(row->names, "|"), row->names, row->value ? " " : "",
             row->value ? row->value : "");
    printf("  %-32s %s\n", left, row->help);
}

void rmdi_options_help(const rmdi_option_table *table)
{
    for (size_t i = 0; i < table->count; i++)
        if (table->rows[i].help)
            print_row(&table->rows[i]);
}

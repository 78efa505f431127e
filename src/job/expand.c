/* SPDX-License-Identifier: MIT */
/* From a template and values to an argv. Arguments are written one after the other into one
 * buffer, which may move while it grows; so pointers are made last. */
#include "base/alloc.h"
#include "base/decimal.h"
#include "base/error.h"
#include "job/quote.h"
#include "job/template.h"
#include "job/template_private.h"

#include <string.h>

/* ---- walking ---- */

static const size_t no_value = RMDI_NO_VALUE;

static rmd_bytes text_of(const rmdi_template *t, const rmdi_atom *atom)
{
    return (rmd_bytes){ .data = t->text.data + atom->offset, .len = atom->len };
}

static int gap(rmdi_walker *w)
{
    return w->gap(w, rmdi_bytes_of(" "));
}

static int walk_all(rmdi_walker *w, const rmdi_atom *atom)
{
    int err = 0;
    for (size_t v = 0; err == 0 && v < w->input->count; v++) {
        err = v ? gap(w) : 0;
        if (err == 0)
            err = w->value(w, atom, v);
    }
    return err;
}

/* What is missing is nothing, but the directory of nothing is "." as in GNU parallel. */
static int walk_position(rmdi_walker *w, const rmdi_atom *atom)
{
    size_t index = rmdi_place_index(atom->place.position, w->input->count);
    if (index < w->input->count)
        return w->value(w, atom, index);
    return atom->place.kind == RMDI_PLACE_DIRECTORY ? w->value(w, atom, no_value) : 0;
}

/* only: inside a group, the value that it is repeated for. */
static int walk_place(rmdi_walker *w, const rmdi_atom *atom, bool in_group, size_t only)
{
    const rmdi_place *place = &atom->place;
    if (place->kind == RMDI_PLACE_SEQ || place->kind == RMDI_PLACE_SLOT)
        return w->value(w, atom, 0);
    if (!place->all)
        return walk_position(w, atom);
    if (!in_group)
        return walk_all(w, atom);
    return only == no_value ? 0 : w->value(w, atom, only);
}

static int walk_atom(rmdi_walker *w, const rmdi_atom *atom, bool in_group, size_t only)
{
    switch (atom->kind) {
    case RMDI_ATOM_LITERAL: return w->literal(w, text_of(w->t, atom));
    case RMDI_ATOM_BREAK: return w->gap(w, text_of(w->t, atom));
    case RMDI_ATOM_PLACE: return walk_place(w, atom, in_group, only);
    case RMDI_ATOM_GROUP: break;
    }
    return 0;
}

static int walk_members(rmdi_walker *w, const rmdi_atom *group, size_t only)
{
    int err = 0;
    for (size_t i = 1; err == 0 && i <= group->members; i++)
        err = walk_atom(w, group + i, true, only);
    return err;
}

static int walk_group(rmdi_walker *w, const rmdi_atom *group)
{
    if (!w->input->count)
        return walk_members(w, group, no_value);
    int err = 0;
    for (size_t v = 0; err == 0 && v < w->input->count; v++) {
        err = v ? gap(w) : 0;
        if (err == 0)
            err = walk_members(w, group, v);
    }
    return err;
}

int rmdi_template_walk(rmdi_walker *w)
{
    int err = 0;
    const rmdi_atom *atoms = w->t->atoms;
    for (size_t i = 0; err == 0 && i < w->t->atoms_len; i += 1 + atoms[i].members)
        err = atoms[i].kind == RMDI_ATOM_GROUP ? walk_group(w, &atoms[i])
                                               : walk_atom(w, &atoms[i], false, no_value);
    return err;
}

rmd_bytes rmdi_template_value(const rmdi_task_input *input, rmdi_place_kind kind, size_t value,
                              char digits[RMDI_DECIMAL_MAX])
{
    if (kind < RMDI_PLACE_SEQ)
        return rmdi_place_apply(kind, value == no_value ? rmdi_bytes_of("") : input->values[value]);
    uint64_t number = kind == RMDI_PLACE_SEQ ? input->seq : input->slot;
    return (rmd_bytes){ .data = digits, .len = (size_t)(rmdi_decimal(digits, number) - digits) };
}

int rmdi_template_join(const rmdi_task_input *input, rmdi_buffer *out)
{
    int err = rmdi_buffer_add_text(out, "");
    for (size_t i = 0; err == 0 && i < input->count; i++) {
        err = i ? rmdi_buffer_add_byte(out, ' ') : 0;
        if (err == 0)
            err = rmdi_buffer_add(out, input->values[i].data, input->values[i].len);
    }
    return err;
}

/* ---- arguments ---- */

static int begin_argument(rmdi_expansion *e)
{
    void *starts = e->starts;
    int err = rmdi_array_reserve(&starts, &e->starts_capacity, e->argc, sizeof *e->starts);
    e->starts = starts;
    if (err < 0)
        return err;
    e->starts[e->argc++] = e->bytes.len;
    e->in_word = true;
    return 0;
}

static int add_to_argument(rmdi_expansion *e, rmd_bytes text)
{
    int err = e->in_word ? 0 : begin_argument(e);
    return err < 0 ? err : rmdi_buffer_add(&e->bytes, text.data, text.len);
}

static int end_argument(rmdi_expansion *e)
{
    if (!e->in_word)
        return 0;
    e->in_word = false;
    return rmdi_buffer_add_byte(&e->bytes, 0);
}

/* What an error says about a value: its beginning, and only what can be shown. */
static int fail_nul(size_t value, const char *bytes)
{
    return rmdi_fail(RMD_EINVAL,
                     "value %zu of the task holds a NUL byte, which no argument can: '%.60s...'",
                     value + 1, bytes);
}

static int check_nul(const rmdi_task_input *input, size_t value)
{
    if (value == no_value)
        return 0;
    rmd_bytes v = input->values[value];
    return v.len && memchr(v.data, 0, v.len) ? fail_nul(value, v.data) : 0;
}

static int add_value(rmdi_expansion *e, const rmdi_task_input *input, rmdi_place_kind kind,
                     size_t value)
{
    char digits[RMDI_DECIMAL_MAX];
    int err = kind < RMDI_PLACE_SEQ ? check_nul(input, value) : 0;
    return err < 0 ? err : add_to_argument(e, rmdi_template_value(input, kind, value, digits));
}

static int argument_literal(rmdi_walker *w, rmd_bytes text)
{
    return add_to_argument(w->ctx, text);
}

/* In a quoted template each of the words is an argument, be it empty. */
static int argument_gap(rmdi_walker *w, rmd_bytes text)
{
    (void)text;
    int err = end_argument(w->ctx);
    return err == 0 && w->t->quote ? begin_argument(w->ctx) : err;
}

static int argument_value(rmdi_walker *w, const rmdi_atom *atom, size_t value)
{
    return add_value(w->ctx, w->input, atom->place.kind, value);
}

static void restart(rmdi_expansion *e)
{
    rmdi_buffer_clear(&e->bytes);
    e->argc = 0;
    e->in_word = false;
}

int rmdi_template_arguments(const rmdi_template *t, const rmdi_task_input *input, rmdi_expansion *e)
{
    rmdi_walker w = {
        .t = t,
        .input = input,
        .ctx = e,
        .literal = argument_literal,
        .gap = argument_gap,
        .value = argument_value,
    };
    restart(e);
    int err = t->quote ? begin_argument(e) : 0;
    if (err == 0)
        err = rmdi_template_walk(&w);
    return err < 0 ? err : end_argument(e);
}

/* ---- the script ---- */

/* Looking further back than this would cost more than another variable of the same value. */
enum { VARIABLES_SEARCHED = 256 };

/* The number of the variable that holds it, from 1; 0 when there is no memory. */
static size_t variable_for(rmdi_expansion *e, rmdi_place_kind kind, size_t value)
{
    size_t searched = e->variables_len;
    if (searched > VARIABLES_SEARCHED)
        searched = VARIABLES_SEARCHED;
    for (size_t i = 0; i < searched; i++)
        if (e->variables[i].kind == kind && e->variables[i].value == value)
            return i + 1;
    void *all = e->variables;
    int err = rmdi_array_reserve(&all, &e->variables_capacity, e->variables_len,
                                 sizeof *e->variables);
    e->variables = all;
    if (err < 0)
        return 0;
    e->variables[e->variables_len++] = (rmdi_variable){ .kind = kind, .value = value };
    return e->variables_len;
}

static int script_literal(rmdi_walker *w, rmd_bytes text)
{
    rmdi_expansion *e = w->ctx;
    return w->t->quote ? rmdi_quote_add(&e->bytes, text)
                       : rmdi_buffer_add(&e->bytes, text.data, text.len);
}

/* The '' in front makes an empty word a word; to others it adds nothing. */
static int script_gap(rmdi_walker *w, rmd_bytes text)
{
    rmdi_expansion *e = w->ctx;
    return w->t->quote ? rmdi_buffer_add_text(&e->bytes, " ''")
                       : rmdi_buffer_add(&e->bytes, text.data, text.len);
}

static int script_value(rmdi_walker *w, const rmdi_atom *atom, size_t value)
{
    rmdi_expansion *e = w->ctx;
    size_t n = variable_for(e, atom->place.kind, value);
    if (!n)
        return RMD_ENOMEM;
    switch (atom->context) {
    case RMDI_SHELL_DOUBLE: return rmdi_buffer_add_format(&e->bytes, "${rmd_%zu}", n);
    case RMDI_SHELL_SINGLE: return rmdi_buffer_add_format(&e->bytes, "'\"${rmd_%zu}\"'", n);
    case RMDI_SHELL_BARE:
    case RMDI_SHELL_REFUSED: break;
    }
    return rmdi_buffer_add_format(&e->bytes, "\"${rmd_%zu}\"", n);
}

/* rmd_1=$1 rmd_2=$2; shift 2; */
static int add_prologue(rmdi_expansion *e)
{
    int err = 0;
    for (size_t i = 1; err == 0 && i <= e->variables_len; i++)
        err = rmdi_buffer_add_format(&e->script, i < 10 ? "%srmd_%zu=$%zu" : "%srmd_%zu=${%zu}",
                                     i > 1 ? " " : "", i, i);
    if (err == 0 && e->variables_len)
        err = rmdi_buffer_add_format(&e->script, "; shift %zu; ", e->variables_len);
    return err;
}

/* The text behind the prologue is made first, in e->bytes, because it tells how many variables
 * there are. It depends on the number of values, never on the values. */
static int make_script(const rmdi_template *t, const rmdi_task_input *input, rmdi_expansion *e)
{
    rmdi_walker w = {
        .t = t,
        .input = input,
        .ctx = e,
        .literal = script_literal,
        .gap = script_gap,
        .value = script_value,
    };
    restart(e);
    rmdi_buffer_clear(&e->script);
    e->variables_len = 0;
    e->has_script = false;
    int err = t->quote ? rmdi_buffer_add_text(&e->bytes, "''") : 0;
    if (err == 0)
        err = rmdi_template_walk(&w);
    if (err == 0)
        err = add_prologue(e);
    if (err == 0)
        err = rmdi_buffer_add(&e->script, e->bytes.data, e->bytes.len);
    e->script_values = input->count;
    e->has_script = err == 0;
    return err;
}

static int add_variables(const rmdi_task_input *input, rmdi_expansion *e)
{
    int err = 0;
    restart(e);
    for (size_t i = 0; err == 0 && i < e->variables_len; i++) {
        err = begin_argument(e);
        if (err == 0)
            err = add_value(e, input, e->variables[i].kind, e->variables[i].value);
        if (err == 0)
            err = end_argument(e);
    }
    return err;
}

/* ---- the argv ---- */

/* Room for what precedes the arguments, and for NULL. */
enum { HEAD = 4 };

static int point(rmdi_expansion *e, size_t head)
{
    size_t need = head + e->argc + 1;
    if (need > e->argv_capacity) {
        char **argv = rmdi_realloc(e->argv, (need + HEAD) * sizeof *argv);
        if (!argv)
            return rmdi_fail_memory();
        e->argv = argv;
        e->argv_capacity = need + HEAD;
    }
    for (size_t i = 0; i < e->argc; i++)
        e->argv[head + i] = e->bytes.data + e->starts[i];
    e->argc += head;
    e->argv[e->argc] = NULL;
    return 0;
}

static char minus_c[] = "-c";

static int expand_shell(const rmdi_template *t, const rmdi_task_input *input, rmdi_expansion *e)
{
    int err = 0;
    if (!e->has_script || e->script_values != input->count)
        err = make_script(t, input, e);
    if (err == 0)
        err = add_variables(input, e);
    size_t head = e->variables_len ? 4 : 3;
    if (err == 0)
        err = point(e, head);
    if (err < 0)
        return err;
    e->argv[0] = t->shell;
    e->argv[1] = minus_c;
    e->argv[2] = e->script.data;
    if (head == 4)
        e->argv[3] = t->shell;
    e->direct = false;
    return 0;
}

/* The value is the script. */
static int expand_script(const rmdi_template *t, const rmdi_task_input *input, rmdi_expansion *e)
{
    int err = 0;
    restart(e);
    for (size_t i = 0; err == 0 && i < input->count; i++)
        err = check_nul(input, i);
    if (err == 0)
        err = rmdi_template_join(input, &e->bytes);
    if (err == 0)
        err = point(e, 3);
    if (err < 0)
        return err;
    e->argv[0] = t->shell;
    e->argv[1] = minus_c;
    e->argv[2] = e->bytes.data;
    e->direct = false;
    return 0;
}

/* echo and its like: would the builtin do something else than the program? */
static bool differs(const rmdi_expansion *e)
{
    for (size_t i = 1; i < e->argc; i++)
        if (e->argv[i][0] == '-' || strchr(e->argv[i], '\\'))
            return true;
    return false;
}

static int expand_direct(const rmdi_template *t, const rmdi_task_input *input, rmdi_expansion *e)
{
    int err = rmdi_template_arguments(t, input, e);
    if (err == 0)
        err = point(e, 0);
    if (err < 0)
        return err;
    e->direct = true;
    return t->alike && differs(e) ? expand_shell(t, input, e) : 0;
}

int rmdi_template_expand(const rmdi_template *t, const rmdi_task_input *input,
                         rmdi_expansion *expansion)
{
    int err;
    if (t->script)
        err = expand_script(t, input, expansion);
    else if (t->direct)
        err = expand_direct(t, input, expansion);
    else
        err = expand_shell(t, input, expansion);
    if (err < 0) {
        rmdi_free(expansion->argv);
        expansion->argv = NULL;
        expansion->argc = expansion->argv_capacity = 0;
    }
    return err;
}

void rmdi_expansion_free(rmdi_expansion *expansion)
{
    rmdi_free(expansion->argv);
    rmdi_free(expansion->starts);
    rmdi_free(expansion->variables);
    rmdi_buffer_free(&expansion->bytes);
    rmdi_buffer_free(&expansion->script);
    *expansion = (rmdi_expansion){ 0 };
}

/* SPDX-License-Identifier: MIT */
/* From a template and values to the text of the command. */
#include "base/error.h"
#include "job/quote.h"
#include "job/template.h"
#include "job/template_private.h"

#include <string.h>

static int add_text(rmdi_walker *w, rmd_bytes text)
{
    return rmdi_buffer_add(w->ctx, text.data, text.len);
}

static bool is_number(rmd_bytes value)
{
    const char *bytes = value.data;
    for (size_t i = 0; i < value.len; i++)
        if (bytes[i] < '0' || bytes[i] > '9')
            return false;
    return value.len > 0;
}

/* Without quotes the text would mean something else than what is run: 2 before > is a descriptor,
 * and what the shell would take for a word of its own was run as a program. */
static bool needs_quotes(const rmdi_walker *w, const rmdi_atom *atom, rmd_bytes value)
{
    char after = w->t->text.data[atom->offset + atom->len];
    if (atom->glued || ((after == '<' || after == '>') && is_number(value)))
        return true;
    return atom->first && ((after && strchr("=+[(", after)) || rmdi_shell_is_own_word(value));
}

static int add_value(rmdi_walker *w, const rmdi_atom *atom, size_t n)
{
    char digits[RMDI_DECIMAL_MAX];
    rmd_bytes value = rmdi_template_value(w->input, atom->place.kind, n, digits);
    switch (atom->context) {
    case RMDI_SHELL_DOUBLE: return rmdi_quote_add_in_double(w->ctx, value, atom->glued);
    case RMDI_SHELL_SINGLE: return rmdi_quote_add_in_single(w->ctx, value);
    case RMDI_SHELL_BARE:
    case RMDI_SHELL_REFUSED: break;
    }
    return needs_quotes(w, atom, value) ? rmdi_quote_add_always(w->ctx, value)
                                        : rmdi_quote_add(w->ctx, value);
}

static int add_plain_value(rmdi_walker *w, const rmdi_atom *atom, size_t n)
{
    char digits[RMDI_DECIMAL_MAX];
    return add_text(w, rmdi_template_value(w->input, atom->place.kind, n, digits));
}

/* Each argument of a quoted template, quoted. */
static int add_arguments(const rmdi_template *t, const rmdi_task_input *input, rmdi_buffer *text)
{
    rmdi_expansion e = { 0 };
    int err = rmdi_template_arguments(t, input, &e);
    for (size_t i = 0; err == 0 && i < e.argc; i++) {
        err = i ? rmdi_buffer_add_byte(text, ' ') : 0;
        if (err == 0)
            err = rmdi_quote_add(text, rmdi_bytes_of(e.bytes.data + e.starts[i]));
    }
    rmdi_expansion_free(&e);
    return err;
}

static int render(const rmdi_template *t, const rmdi_task_input *input, rmdi_buffer *text,
                  int (*value)(rmdi_walker *w, const rmdi_atom *atom, size_t n))
{
    rmdi_walker w = {
        .t = t, .input = input, .ctx = text, .literal = add_text, .gap = add_text, .value = value
    };
    if (t->script)
        return rmdi_template_join(input, text);
    if (t->quote && value == add_value)
        return add_arguments(t, input, text);
    return rmdi_template_walk(&w);
}

static int render_or_rewind(const rmdi_template *t, const rmdi_task_input *input, rmdi_buffer *text,
                            int (*value)(rmdi_walker *w, const rmdi_atom *atom, size_t n))
{
    size_t len = text->len;
    int err = render(t, input, text, value);
    if (err < 0 && text->len > len) {
        text->len = len;
        text->data[len] = 0;
    }
    return err;
}

int rmdi_template_render(const rmdi_template *t, const rmdi_task_input *input, rmdi_buffer *text)
{
    return render_or_rewind(t, input, text, add_value);
}

int rmdi_template_render_plain(const rmdi_template *t, const rmdi_task_input *input,
                               rmdi_buffer *text)
{
    return render_or_rewind(t, input, text, add_plain_value);
}

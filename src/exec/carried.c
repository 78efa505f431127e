/* SPDX-License-Identifier: MIT */
/* A list to whose front one adds, and from which nothing is taken: so reading takes no lock, which
 * a thread could hold while another one forks. It is short, and grows when a program begins. */
#include "exec/carried.h"

#include "base/alloc.h"
#include "base/error.h"
#include "data/cbor.h"
#include "data/frame.h"

#include <remuda/atomics.h>
#include <string.h>

enum { WORDS_MAX = 512 };

/* [kind, value], encoded. */
typedef struct entry {
    struct entry *before; /* added before it */
    size_t len;
    unsigned char data[];
} entry;

RMD_STATIC rmd_atomic(entry *) newest;
static rmdi_carrier *carriers;

void rmdi_carrier_add(rmdi_carrier *carrier)
{
    for (const rmdi_carrier *c = carriers; c; c = c->next)
        if (c == carrier)
            return;
    carrier->next = carriers;
    carriers = carrier;
}

/* ---- carrying ---- */

static bool is_there(const entry *list, const rmdi_buffer *encoded)
{
    for (; list; list = list->before)
        if (list->len == encoded->len && memcmp(list->data, encoded->data, encoded->len) == 0)
            return true;
    return false;
}

static int publish(const rmdi_buffer *encoded)
{
    entry *e = rmdi_alloc(sizeof *e + encoded->len);
    if (!e)
        return rmdi_fail_memory();
    e->len = encoded->len;
    memcpy(e->data, encoded->data, encoded->len);
    e->before = rmd_atomic_load(&newest, RMD_ACQUIRE);
    do {
        if (is_there(e->before, encoded)) {
            rmdi_free(e);
            return 0;
        }
        /* Release: whoever finds it finds it whole. Acquire: we look at those before it. */
    } while (!rmd_atomic_cas(&newest, &e->before, e, RMD_ACQ_REL, RMD_ACQUIRE));
    return 0;
}

int rmdi_carry(const char *kind, const rmd_value *value)
{
    rmdi_buffer encoded = { 0 };
    const rmd_value parts[] = { rmd_text(kind), *value };
    const rmd_value pair = rmd_list(parts, 2);
    int err = rmdi_cbor_encode(&encoded, &pair);
    if (err == 0)
        err = publish(&encoded);
    rmdi_buffer_free(&encoded);
    return err;
}

/* ---- to the template: a frame for each, the oldest first ---- */

static int write_entry(rmdi_buffer *out, const entry *e)
{
    unsigned char head[RMD_FRAME_HEAD];
    int err = rmd_frame_head(head, e->len);
    if (err == 0)
        err = rmdi_buffer_add(out, head, sizeof head);
    return err < 0 ? err : rmdi_buffer_add(out, e->data, e->len);
}

/* The one that was added right before `end`; NULL: the newest. */
static const entry *last_before(const entry *all, const entry *end)
{
    const entry *e = all;
    while (e && e->before != end)
        e = e->before;
    return e;
}

int rmdi_carried_write(rmdi_buffer *out)
{
    const entry *all = rmd_atomic_load(&newest, RMD_ACQUIRE), *done = NULL;
    int err = 0;
    while (done != all && err == 0) {
        done = last_before(all, done);
        err = write_entry(out, done);
    }
    return err;
}

/* ---- in the template ---- */

static const rmdi_carrier *find_carrier(const rmd_value *kind)
{
    const char *text;
    if (!kind || rmd_value_get(kind, &text) < 0)
        return NULL;
    const rmdi_carrier *c = carriers;
    while (c && strcmp(c->kind, text) != 0)
        c = c->next;
    return c;
}

static int refuse_kind(const rmd_value *pair)
{
    const char *text = "?";
    const rmd_value *kind = rmd_value_at(pair, 0);
    if (kind)
        (void)rmd_value_get(kind, &text);
    return rmdi_fail(RMD_EWORKER,
                     "the program that the workers are made of does not know what a \"%s\" is, "
                     "which was added to the one that opens the pool",
                     text);
}

static int replay_by(const rmdi_carrier *carrier, const rmd_value *value,
                     rmdi_carried_note_fn *note)
{
    char words[WORDS_MAX];
    if (!note || !carrier->words)
        return carrier->replay(value);
    carrier->words(value, words, sizeof words);
    note(words);
    int err = carrier->replay(value);
    note(NULL);
    return err;
}

static int replay(rmd_bytes encoded, rmdi_carried_note_fn *note)
{
    const rmd_value *pair;
    int err = rmd_value_decode(&pair, encoded, NULL);
    if (err < 0)
        return err;
    const rmdi_carrier *carrier = find_carrier(rmd_value_at(pair, 0));
    err = carrier ? replay_by(carrier, rmd_value_at(pair, 1), note) : refuse_kind(pair);
    rmd_value_free(pair);
    return err;
}

int rmdi_carried_replay(rmd_bytes written, rmdi_carried_note_fn *note)
{
    rmd_frames frames;
    const char *p = written.data;
    size_t left = written.len;
    int err = 0;
    rmdi_frames_init(&frames, INT32_MAX);
    while (left && err == 0) {
        rmd_bytes frame;
        int64_t taken = rmd_frames_feed(&frames, p, left, &frame);
        if (taken < 0)
            err = (int)taken;
        else if (frame.data)
            err = replay(frame, note);
        p += taken > 0 ? taken : 0;
        left -= taken > 0 ? (size_t)taken : 0;
    }
    rmdi_frames_release(&frames);
    return err;
}

void rmdi_carried_forget(void)
{
    entry *e = rmd_atomic_exchange(&newest, NULL, RMD_ACQ_REL);
    while (e) {
        entry *before = e->before;
        rmdi_free(e);
        e = before;
    }
}

/* SPDX-License-Identifier: MIT */
/* Two walks over the bytes, neither of which calls itself. The first checks everything and counts:
 * how many values there are, and how many bytes of text and the like. It takes no memory, and what it
 * has let through is not looked at again. Then one block is taken, or the caller's scratch memory
 * if that is large enough, and the second walk fills it: all values first, those of one list or map
 * next to each other, and behind them the bytes. */
#include "base/alloc.h"
#include "base/error.h"
#include "data/bignum.h"
#include "data/cbor.h"
#include "data/cbor_float.h"
#include "data/value_text.h"

#include <string.h>

enum { NATURAL = 0, NEGATIVE, BYTES, TEXT, LIST, MAP, TAG, OTHER };
enum { FALSE = 20, TRUE, NIL, HALF = 25, SINGLE, DOUBLE };
enum { HALF_NAN = 0x7e00, INLINE_MAX = 16, ENDS = 0x1fffffff /* no room for these in a single */ };

typedef struct head {
    unsigned major, info;
    uint64_t number;
} head;

/* Of 1 << size bytes. */
static uint64_t big_endian(const unsigned char *p, unsigned size)
{
    uint64_t number = 0;
    memcpy(&number, p, (size_t)1 << size);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    return __builtin_bswap64(number) >> (64 - (8u << size));
#else
    return number >> (64 - (8u << size));
#endif
}

/* Of a head that is known to be there. Returns where it ends. */
static const unsigned char *read_head(const unsigned char *p, head *h)
{
    h->major = *p >> 5;
    h->info = *p & 31;
    if (h->info < 24) {
        h->number = h->info;
        return p + 1;
    }
    unsigned size = h->info - 24;
    switch (size) { /* so that each is one load */
    case 0: h->number = p[1]; break;
    case 1: h->number = big_endian(p + 1, 1); break;
    case 2: h->number = big_endian(p + 1, 2); break;
    default: h->number = big_endian(p + 1, 3); break;
    }
    return p + 1 + ((size_t)1 << size);
}

/* ---- the first walk ---- */

typedef struct level {
    uint64_t left;            /* items that are still to come; of a map twice as many as pairs */
    const unsigned char *key; /* the last one, NULL at first */
    size_t key_len;
    bool is_map;
} level;

typedef struct check {
    const unsigned char *start, *at, *end;
    rmd_value_limits limits;
    bool borrow_bytes;
    size_t values, bytes; /* to be had memory for */
    unsigned depth;
    level levels[RMD_VALUE_DEPTH_MAX];
} check;

static size_t offset(const check *c)
{
    return (size_t)(c->at - c->start);
}

static uint64_t left(const check *c)
{
    return (uint64_t)(c->end - c->at);
}

static int refuse(const check *c, const char *cause)
{
    return rmdi_fail(RMD_EINVAL, "byte %zu: %s", offset(c), cause);
}

static int refuse_short(const check *c, uint64_t wanted)
{
    return rmdi_fail(RMD_EINVAL, "byte %zu: %llu more bytes should follow, and %llu do", offset(c),
                     (unsigned long long)wanted, (unsigned long long)left(c));
}

/* Of lengths and numbers; those of OTHER are floats or simple values, which are looked at later. */
static bool is_shortest(const head *h)
{
    static const uint64_t least[] = { 24, UINT64_C(1) << 8, UINT64_C(1) << 16, UINT64_C(1) << 32 };
    return h->info < 24 || h->number >= least[h->info - 24];
}

/* Leaves `at` at the head when it refuses. */
static int next_head(check *c, head *h)
{
    if (c->at == c->end)
        return refuse_short(c, 1);
    unsigned info = *c->at & 31;
    if (info >= 28)
        return refuse(c, info == 31 ? "a length that is not given in advance is not deterministic"
                                    : "such a head is not defined");
    size_t bytes = info < 24 ? 1 : 1 + ((size_t)1 << (info - 24));
    if (left(c) < bytes)
        return refuse_short(c, bytes);
    const unsigned char *behind = read_head(c->at, h);
    if (h->major != OTHER && !is_shortest(h))
        return refuse(c, "the head is not the shortest");
    c->at = behind;
    return 0;
}

static int check_text(check *c, size_t len)
{
    size_t bad = rmdi_text_check(c->at, len);
    if (bad == len)
        return 0;
    c->at += bad;
    return refuse(c, "a text is not UTF-8");
}

/* Text or bytes, whose head has been read. */
static int check_string(check *c, const head *h)
{
    if (h->number > left(c))
        return refuse_short(c, h->number);
    size_t len = (size_t)h->number;
    int err = h->major == TEXT ? check_text(c, len) : 0;
    if (err < 0)
        return err;
    if (h->major == TEXT)
        c->bytes += len + 1;
    else if (!c->borrow_bytes)
        c->bytes += len;
    c->at += len;
    return 0;
}

static int check_float(check *c, const head *h, const unsigned char *start)
{
    uint32_t single = 0;
    uint16_t half = 0;
    bool narrower = false;
    bool nan = false;
    if (h->info == HALF)
        nan = (h->number & 0x7c00) == 0x7c00 && (h->number & 0x3ff) && h->number != HALF_NAN;
    else if (h->info == SINGLE)
        nan = (h->number & 0x7f800000) == 0x7f800000 && (h->number & 0x7fffff);
    else
        nan = rmdi_float_of_bits(h->number) != rmdi_float_of_bits(h->number);
    if (!nan && h->info == SINGLE)
        narrower = rmdi_float_narrow_32_to_16((uint32_t)h->number, &half);
    else if (!nan && h->info == DOUBLE && !(h->number & ENDS))
        narrower = rmdi_float_narrow_64_to_32(h->number, &single);
    if (!nan && !narrower)
        return 0;
    c->at = start;
    return refuse(c, nan ? "NaN is f9 7e 00 and nothing else" : "the float is not the shortest");
}

static int check_other(check *c, const head *h, const unsigned char *start)
{
    if (h->info >= HALF)
        return check_float(c, h, start);
    if (h->info >= FALSE && h->info <= NIL)
        return 0;
    c->at = start;
    return refuse(c, h->info == 23 ? "undefined is not a value here"
                                   : "such a simple value is not used here");
}

/* Bytes that must hold more than 64 bits and begin with no 0. */
static int check_big(check *c)
{
    head h;
    int err = next_head(c, &h);
    if (err < 0)
        return err;
    if (h.major != BYTES)
        return refuse(c, "bytes should stand in front of this: it follows the tag of a bignum");
    if (h.number > left(c))
        return refuse_short(c, h.number);
    if (h.number <= sizeof(uint64_t) || *c->at == 0)
        return refuse(c, "the bignum is not the shortest form of its number");
    /* A negative one may have a byte more when 1 is added to it. */
    if (h.number >= INLINE_MAX)
        c->bytes += (size_t)h.number + 1;
    c->at += h.number;
    return 0;
}

/* Goes into a list, a map or a reference, of so many items. */
static int enter(check *c, uint64_t items, bool is_map)
{
    if (items > left(c))
        return refuse_short(c, items);
    if (items > c->limits.items_max - c->values)
        return rmdi_fail(RMD_E2BIG, "byte %zu: more than %zu values", offset(c),
                         c->limits.items_max);
    if (c->depth == c->limits.depth_max)
        return rmdi_fail(RMD_E2BIG, "byte %zu: more than %zu deep", offset(c), c->limits.depth_max);
    c->values += (size_t)items;
    c->levels[c->depth++] = (level){ .left = items, .is_map = is_map };
    return 0;
}

static int check_reference(check *c)
{
    unsigned major = c->at < c->end ? *c->at >> 5 : TEXT;
    if (major != BYTES && major != TEXT && major != LIST)
        return refuse(c, "a reference holds a text, bytes or a list");
    return enter(c, 1, false);
}

static int check_tag(check *c, const head *h, const unsigned char *start)
{
    if (h->number == RMDI_CBOR_TAG_NATURAL || h->number == RMDI_CBOR_TAG_NEGATIVE)
        return check_big(c);
    if (h->number == RMDI_CBOR_TAG_REFERENCE)
        return check_reference(c);
    return rmdi_fail(RMD_EINVAL, "byte %zu: tag %llu is not used here", (size_t)(start - c->start),
                     (unsigned long long)h->number);
}

static int check_item(check *c)
{
    head h;
    const unsigned char *start = c->at;
    int err = next_head(c, &h);
    if (err < 0)
        return err;
    switch (h.major) {
    case BYTES:
    case TEXT: return check_string(c, &h);
    case LIST: return enter(c, h.number, false);
    case MAP: return enter(c, h.number > UINT64_MAX / 2 ? UINT64_MAX : h.number * 2, true);
    case TAG: return check_tag(c, &h, start);
    case OTHER: return check_other(c, &h, start);
    default: return 0;
    }
}

/* What cannot be a key: a list, a map, a reference. */
static bool nests(const check *c)
{
    head h = { 0 };
    if (c->at == c->end || *c->at >> 5 < LIST || *c->at >> 5 == OTHER)
        return false;
    if (*c->at >> 5 == TAG && (*c->at & 31) < 24)
        (void)read_head(c->at, &h);
    return h.number != RMDI_CBOR_TAG_NATURAL && h.number != RMDI_CBOR_TAG_NEGATIVE;
}

static int check_key(check *c, level *l)
{
    const unsigned char *start = c->at;
    if (nests(c))
        return refuse(c, "a list, a map or a tag cannot be the key of a map");
    int err = check_item(c);
    if (err < 0)
        return err;
    size_t len = (size_t)(c->at - start);
    /* No encoding is the beginning of another one. */
    int order = l->key ? memcmp(l->key, start, len < l->key_len ? len : l->key_len) : -1;
    if (order >= 0) {
        c->at = start;
        return refuse(c, order ? "the key should stand in front of the one before it"
                               : "the key is there twice");
    }
    l->key = start;
    l->key_len = len;
    return 0;
}

static int check_all(check *c)
{
    c->values = 1;
    int err = check_item(c);
    while (err == 0 && c->depth) {
        level *l = &c->levels[c->depth - 1];
        if (!l->left)
            c->depth--;
        else if (l->left-- % 2 == 0 && l->is_map)
            err = check_key(c, l);
        else
            err = check_item(c);
    }
    if (err == 0 && c->at != c->end)
        err = rmdi_fail(RMD_EINVAL, "byte %zu: the value ends here, and %llu bytes follow",
                        offset(c), (unsigned long long)left(c));
    return err;
}

static int set_limits(rmd_value_limits *limits, const rmd_value_limits *given, rmd_bytes encoded)
{
    if (given && given->size != sizeof *given)
        return rmdi_fail(RMD_EINVAL, "limits of size %zu, not %zu", given->size, sizeof *given);
    *limits = given ? *given : (rmd_value_limits){ 0 };
    if (!limits->bytes_max)
        limits->bytes_max = RMDI_CBOR_BYTES_MAX;
    if (!limits->items_max)
        limits->items_max = RMDI_CBOR_ITEMS_MAX;
    if (!limits->depth_max)
        limits->depth_max = RMD_VALUE_DEPTH_MAX;
    if (limits->depth_max > RMD_VALUE_DEPTH_MAX)
        return rmdi_fail(RMD_EINVAL, "depth_max %zu; values are at most %d deep", limits->depth_max,
                         RMD_VALUE_DEPTH_MAX);
    if (encoded.len > limits->bytes_max)
        return rmdi_fail(RMD_E2BIG, "a value of %zu bytes; the limit is %zu", encoded.len,
                         limits->bytes_max);
    return 0;
}

/* ---- the second walk ---- */

typedef struct building {
    const unsigned char *at;
    bool borrow_bytes;
    rmd_value *values;    /* not used so far */
    unsigned char *bytes; /* not used so far */
    unsigned depth;
    struct {
        rmd_value *next;
        size_t left;
    } levels[RMD_VALUE_DEPTH_MAX];
} building;

static void *take_bytes(building *b, size_t len)
{
    unsigned char *to = b->bytes;
    b->bytes += len;
    return to;
}

static void build_string(building *b, rmd_value *v, const head *h)
{
    size_t len = (size_t)h->number;
    v->type = h->major == TEXT ? RMD_TYPE_TEXT : RMD_TYPE_BYTES;
    v->terminated = h->major == TEXT;
    v->as.bytes = (rmd_bytes){ .data = b->at, .len = len };
    if (h->major == TEXT || !b->borrow_bytes) {
        unsigned char *to = take_bytes(b, len + v->terminated);
        memcpy(to, b->at, len);
        if (v->terminated)
            to[len] = 0;
        v->as.bytes.data = to;
    }
    b->at += len;
}

static void build_int(rmd_value *v, const head *h)
{
    v->type = RMD_TYPE_INT;
    if (h->number <= INT64_MAX) {
        int64_t n = (int64_t)h->number;
        v->as.integer = h->major == NATURAL ? n : -1 - n;
    } else if (h->major == NATURAL) {
        v->type = RMD_TYPE_UINT;
        v->as.natural = h->number;
    } else {
        *v = rmd_big(-1 - (rmd_int128)h->number);
    }
}

static void build_big(building *b, rmd_value *v, bool negative)
{
    head h;
    b->at = read_head(b->at, &h);
    size_t len = (size_t)h.number;
    rmd_bytes magnitude = { .data = b->at, .len = len };
    unsigned char few[INLINE_MAX];
    unsigned char *to = len >= INLINE_MAX ? take_bytes(b, len + 1) : few;
    if (negative) {
        size_t place = len + 1;
        len = rmdi_big_increase(magnitude, to);
        magnitude = (rmd_bytes){ .data = to + place - len, .len = len };
    } else if (to != few) {
        memcpy(to, b->at, len);
        magnitude.data = to;
    }
    *v = rmd_big_of(negative, magnitude);
    b->at += h.number;
}

static void build_other(rmd_value *v, const head *h)
{
    uint64_t bits = h->number;
    if (h->info == NIL)
        return;
    if (h->info < NIL) {
        v->type = RMD_TYPE_BOOL;
        v->as.boolean = h->info == TRUE;
        return;
    }
    v->type = RMD_TYPE_FLOAT;
    if (h->info == HALF && bits == HALF_NAN)
        bits = UINT64_C(0x7ff8000000000000);
    else if (h->info == HALF)
        bits = rmdi_float_widen_32_to_64(rmdi_float_widen_16_to_32((uint16_t)bits));
    else if (h->info == SINGLE)
        bits = rmdi_float_widen_32_to_64((uint32_t)bits);
    v->as.real = rmdi_float_of_bits(bits);
}

static void go_into(building *b, rmd_value *v, const head *h)
{
    size_t count = h->major == TAG ? 1 : (size_t)h->number;
    rmd_value *inside = b->values;
    if (h->major == LIST)
        *v = rmd_list(inside, count);
    else if (h->major == MAP)
        *v = rmd_map_value((rmd_pair *)(void *)inside, count);
    else
        *v = rmd_reference(inside);
    if (h->major == MAP)
        count *= 2; /* a pair is two values and nothing else */
    b->values += count;
    b->levels[b->depth].next = inside;
    b->levels[b->depth++].left = count;
}

static void build_item(building *b, rmd_value *v)
{
    head h;
    *v = rmd_null();
    b->at = read_head(b->at, &h);
    switch (h.major) {
    case NATURAL:
    case NEGATIVE: build_int(v, &h); break;
    case BYTES:
    case TEXT: build_string(b, v, &h); break;
    case OTHER: build_other(v, &h); break;
    default:
        if (h.major == TAG && h.number != RMDI_CBOR_TAG_REFERENCE)
            build_big(b, v, h.number == RMDI_CBOR_TAG_NEGATIVE);
        else
            go_into(b, v, &h);
    }
}

static const rmd_value *build(const check *c, void *memory)
{
    building b; /* its levels are set when they are entered */
    rmd_value *root = memory;
    b.at = c->start;
    b.borrow_bytes = c->borrow_bytes;
    b.values = root + 1;
    b.bytes = (unsigned char *)(root + c->values);
    b.depth = 0;
    build_item(&b, root);
    while (b.depth) {
        __typeof__(b.levels[0]) *l = &b.levels[b.depth - 1];
        if (l->left-- == 0)
            b.depth--;
        else
            build_item(&b, l->next++);
    }
    return root;
}

static int start_check(check *c, rmd_bytes encoded, const rmd_value_limits *limits,
                       bool borrow_bytes)
{
    c->start = c->at = encoded.data ? encoded.data : "";
    c->end = c->start + encoded.len;
    c->borrow_bytes = borrow_bytes;
    c->bytes = 0;
    c->depth = 0;
    return set_limits(&c->limits, limits, encoded);
}

int rmdi_cbor_decode(rmdi_document *document, rmd_bytes encoded, const rmd_value_limits *limits,
                     bool borrow_bytes, void *scratch, size_t scratch_size)
{
    _Static_assert(sizeof(rmd_pair) == 2 * sizeof(rmd_value), "see go_into()");
    check c; /* its levels are set when they are entered */
    int err = start_check(&c, encoded, limits, borrow_bytes);
    *document = (rmdi_document){ 0 };
    if (err == 0)
        err = check_all(&c);
    if (err < 0)
        return err;
    size_t wanted = c.values * sizeof(rmd_value) + c.bytes;
    if (wanted > scratch_size) {
        scratch = document->owned = rmdi_alloc(wanted);
        if (!scratch)
            return rmdi_fail_memory();
    }
    document->root = build(&c, scratch);
    return 0;
}

void rmdi_document_free(rmdi_document *document)
{
    rmdi_free(document->owned);
    *document = (rmdi_document){ 0 };
}

int rmd_value_decode(const rmd_value **value, rmd_bytes encoded, const rmd_value_limits *limits)
{
    rmdi_document document;
    if (!value)
        return rmdi_fail(RMD_EINVAL, "decode: no place for the value was given");
    int err = rmdi_cbor_decode(&document, encoded, limits, false, NULL, 0);
    if (err == 0)
        *value = document.root; /* the root is where the block begins */
    return err;
}

void rmd_value_free(const rmd_value *value)
{
    rmdi_free((void *)(uintptr_t)value);
}

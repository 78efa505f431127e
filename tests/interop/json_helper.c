/* SPDX-License-Identifier: MIT */
/* Our side of the comparison with other readers of JSON. json_helper reads texts, one a line, in
 * hexadecimal, and answers each with a line: "ok" and the JSON of what was read, or the name of the
 * error and its detail. json_helper SEED COUNT takes random values there and back, and writes a
 * line for each: its JSON. */
#include "random_value.h"

#include "job/json_value.h"

#include <remuda/error.h>

#include <stdio.h>
#include <stdlib.h>

static char *line;
static size_t line_size;
static unsigned char bytes[1 << 20];

static unsigned digit(char c)
{
    return c <= '9' ? (unsigned)(c - '0') : (unsigned)(c - 'a' + 10);
}

static size_t read_hex(const char *hex)
{
    size_t len = 0;
    for (; hex[0] > ' ' && hex[1] > ' ' && len < sizeof bytes; hex += 2)
        bytes[len++] = (unsigned char)(digit(hex[0]) << 4 | digit(hex[1]));
    return len;
}

static void answer(const char *hex)
{
    const rmd_value *value;
    rmdi_buffer made = { 0 };
    int err = rmdi_json_decode(&value, (rmd_bytes){ bytes, read_hex(hex) }, NULL);
    if (err < 0) {
        printf("%s %s\n", rmd_error_name(err), rmd_error_detail());
        return;
    }
    err = rmdi_json_encode(&made, value);
    printf("%s %s\n", err < 0 ? "cannot be written:" : "ok",
           err < 0 ? rmd_error_detail() : made.data);
    rmd_value_free(value);
    rmdi_buffer_free(&made);
}

/* A value that can be encoded comes back as it was. */
static bool there_and_back(const rmd_value *value)
{
    const rmd_value *back;
    rmdi_buffer made = { 0 };
    if (rmd_value_encode(value, bytes, sizeof bytes) < 0)
        return false; /* a key came twice */
    int err = rmdi_json_encode(&made, value);
    if (err == 0)
        err = rmdi_json_decode(&back, rmdi_buffer_view(&made), NULL);
    if (err < 0) {
        printf("%s %s: %s\n", rmd_error_name(err), rmd_error_detail(), made.data);
        exit(1);
    }
    printf("%s %s\n", rmd_value_equal(value, back) ? "same" : "CHANGED", made.data);
    rmd_value_free(back);
    rmdi_buffer_free(&made);
    return true;
}

int main(int argc, char **argv)
{
    static maker m;
    if (argc < 3) {
        while (getline(&line, &line_size, stdin) > 0)
            answer(line);
        return 0;
    }
    m.state = strtoull(argv[1], NULL, 10);
    for (int left = atoi(argv[2]); left > 0;) {
        m.used = m.bytes_used = 0;
        rmd_value value = maker_value(&m, 5);
        left -= there_and_back(&value);
    }
    return 0;
}

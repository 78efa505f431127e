/* SPDX-License-Identifier: MIT */
/* Our side of the comparison with other codecs: values_helper reads encodings in hexadecimal, one a
 * line, and answers each with a line: "ok" and the encoding of what it was decoded to, and that
 * value as text; or the name of the error and its detail. values_helper SEED COUNT writes encodings
 * of random values. */
#include "random_value.h"

#include <remuda/error.h>

#include <stdio.h>
#include <stdlib.h>

static char *line, *text;
static size_t line_size;
enum { TEXT_MAX = 1 << 20 };
static unsigned char bytes[TEXT_MAX];

static size_t read_hex(const char *hex)
{
    unsigned byte;
    size_t len = 0;
    for (; sscanf(hex, "%2x", &byte) == 1 && len < sizeof bytes; hex += 2)
        bytes[len++] = (unsigned char)byte;
    return len;
}

static int write_value(const rmd_value *value)
{
    int64_t len = rmd_value_encode(value, bytes, sizeof bytes);
    if (len < 0)
        return (int)len;
    for (int64_t i = 0; i < len; i++)
        printf("%02x", bytes[i]);
    return 0;
}

static void answer(const char *hex)
{
    const rmd_value *value;
    int err = rmd_value_decode(&value, (rmd_bytes){ bytes, read_hex(hex) }, NULL);
    if (err < 0) {
        printf("%s %s\n", rmd_error_name(err), rmd_error_detail());
        return;
    }
    rmd_value_format(value, text, TEXT_MAX);
    printf("ok ");
    write_value(value);
    printf(" %s\n", text);
    rmd_value_free(value);
}

int main(int argc, char **argv)
{
    static maker m;
    text = malloc(TEXT_MAX);
    if (!text)
        return 1;
    if (argc < 3) {
        while (getline(&line, &line_size, stdin) > 0)
            answer(line);
        return 0;
    }
    m.state = strtoull(argv[1], NULL, 10);
    for (int left = atoi(argv[2]); left > 0;) {
        m.used = m.bytes_used = 0;
        rmd_value value = maker_value(&m, 5);
        if (write_value(&value) == 0) { /* else a key came twice */
            putchar('\n');
            left--;
        }
    }
    return 0;
}

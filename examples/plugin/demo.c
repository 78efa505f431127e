/* SPDX-License-Identifier: MIT */
/* A plug-in: functions in a shared library, for programs of C and for the command.
 *
 *     cc -shared -fPIC -o libdemo.so demo.c $(pkg-config --cflags remuda)
 *     remuda call --load ./libdemo.so is_prime 999983
 */
#include <ctype.h>
#include <remuda.h>
#include <stdlib.h>

static int is_prime(rmd_call *call)
{
    int64_t n;
    int err = rmd_call_get(call, 0, &n);
    if (err < 0)
        return err;
    bool prime = n > 1 && (n == 2 || n % 2);
    for (int64_t i = 3; i <= n / i && prime; i += 2)
        prime = n % i;
    return rmd_call_return(call, prime);
}

/* Exact, up to 128 bits. */
static int add(rmd_call *call)
{
    rmd_int128 a, b, sum;
    if (rmd_call_get(call, 0, &a) < 0 || rmd_call_get(call, 1, &b) < 0)
        return rmd_call_fail(call, RMD_EINVAL, "add takes two ints of up to 128 bits");
    if (__builtin_add_overflow(a, b, &sum))
        return rmd_call_fail(call, RMD_E2BIG, "the sum has more than 128 bits");
    return rmd_call_return(call, sum);
}

/* A text gives a text, and bytes give bytes. */
static int upper(rmd_call *call)
{
    rmd_bytes in;
    int err = rmd_call_get(call, 0, &in);
    char *out = malloc(in.len + 1);
    if (err < 0 || !out) {
        free(out);
        return err < 0 ? err : RMD_ENOMEM;
    }
    for (size_t i = 0; i < in.len; i++)
        out[i] = (char)toupper(((const unsigned char *)in.data)[i]);
    if (rmd_call_args(call)->values[0].type == RMD_TYPE_TEXT)
        err = rmd_call_return(call, rmd_text_of(out, in.len));
    else
        err = rmd_call_return(call, ((rmd_bytes){ out, in.len }));
    free(out);
    return err;
}

static int mean(rmd_call *call)
{
    const rmd_value *numbers;
    double sum = 0, x;
    int err = rmd_call_get(call, 0, &numbers);
    for (size_t i = 0; err == 0 && i < numbers->as.list.count; i++) {
        err = rmd_value_get(rmd_value_at(numbers, i), &x);
        sum += err == 0 ? x : 0;
    }
    if (err == 0 && numbers->as.list.count == 0)
        return rmd_call_fail(call, RMD_EINVAL, "the mean of no numbers");
    return err < 0 ? err : rmd_call_return(call, sum / (double)numbers->as.list.count);
}

/* An argument that may be left out, or given by its name. */
static int digits(rmd_call *call)
{
    uint64_t n;
    unsigned base = 10;
    char text[65], *p = &text[64];
    *p = 0;
    if (rmd_call_get(call, 0, &n) < 0)
        return RMD_EINVAL;
    if (rmd_call_has(call, 1) && (rmd_call_get(call, 1, &base) < 0 || base < 2 || base > 36))
        return rmd_call_fail(call, RMD_EINVAL, "a base is a number from 2 to 36");
    do
        *--p = "0123456789abcdefghijklmnopqrstuvwxyz"[n % base];
    while (n /= base);
    return rmd_call_return(call, (const char *)p);
}

static const rmd_function functions[] = {
    { "is_prime", is_prime, "is n a prime number?", "n:int", "bool" },
    { "add", add, "the sum of two ints", "a:int, b:int", "int" },
    { "upper", upper, "a text, or bytes, in capital letters (a to z only)", "what:any", "any" },
    { "mean", mean, "the mean of numbers", "numbers:list", "float" },
    { "digits", digits, "n in another base", "n:int, base:int=", "text" },
    { 0 },
};

RMD_PLUGIN(functions);

/* SPDX-License-Identifier: MIT */
/* Values, arguments and what reads them, in C++. */
#include <cstdio>
#include <remuda.h>
#include <string>

namespace {

std::string shown(const rmd_args &args)
{
    std::string all;
    char text[100];
    for (size_t i = 0; i < args.count; i++) {
        rmd_value_format(&args.values[i], text, sizeof text);
        all += std::string(i ? " " : "") + text;
    }
    return all;
}

int twice(rmd_call *call)
{
    int64_t n;
    int err = rmd_call_get(call, 0, &n);
    return err < 0 ? err : rmd_call_return(call, 2 * n);
}

} // namespace

int main()
{
    static rmd_function functions[2] = {};
    functions[0].name = "twice";
    functions[0].fn = twice;
    if (rmd_functions_add(functions) < 0 || rmd_function_find("twice") != functions)
        return 1;
    rmd_value n = RMD_VALUE(-5), text = RMD_VALUE("text");
    int x = 0;
    unsigned u = 0;
    double d = 0;
    bool b = true;
    const char *t = nullptr;
    if (rmd_value_get(&n, &x) < 0 || rmd_value_get(&n, &d) < 0 || rmd_value_get(&text, &t) < 0)
        return 1;
    if (rmd_value_get(&n, &u) != RMD_E2BIG || rmd_value_get(&text, &b) != RMD_EINVAL)
        return 1;
    std::printf("%d %g %s\n", x, d, t);
    std::printf("%s\n", shown(RMD_ARGS()).c_str());
    std::printf("%s\n", shown(RMD_ARGS(1, true, 2.5, "x", n, RMD_NAMED("base", 16u))).c_str());
    return 0;
}

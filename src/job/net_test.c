/* SPDX-License-Identifier: MIT */
#include "kit.h"

#include "exec/json_hook.h"

#include <remuda/error.h>
#include <remuda/net.h>

TEST(json_is_lent_to_the_floors_below)
{
    const rmd_value *value;
    char *text;
    size_t len;
    CHECK(!rmdi_json_used());
    CHECK_EQ(rmd_net_use(), 0);
    CHECK_EQ(rmd_net_use(), 0);
    const rmdi_json *json = rmdi_json_used();
    REQUIRE(json);
    REQUIRE(json->decode(&value, (rmd_bytes){ "[1, 2.5]", 8 }) == 0);
    REQUIRE(json->encode(value, &text, &len) == 0);
    CHECK_EQ(len, 7);
    CHECK_MEM(text, "[1,2.5]", 7);
    json->free_text(text);
    json->free_value(value);
    CHECK_EQ(json->decode(&value, (rmd_bytes){ "[", 1 }), RMD_ESYNTAX);
    rmd_value bad = rmd_text_of("\xff", 1);
    CHECK_EQ(json->encode(&bad, &text, &len), RMD_EINVAL);
}

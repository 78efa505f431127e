/* SPDX-License-Identifier: MIT */
/* Sends each frame back that comes on descriptor 3, which may be any stream that goes both ways,
 * and says at the end how it ended. */
#include <remuda.h>
#include <stdio.h>

int main(void)
{
    rmd_framed *framed;
    rmd_bytes frame;
    int err = rmd_framed_open(&framed, 3, 3, NULL);
    while (err == 0 && (err = rmd_framed_read(framed, &frame, rmd_after_ms(60000))) == 0)
        err = rmd_framed_write(framed, frame, rmd_after_ms(60000));
    printf("%s %s", rmd_error_name(err), rmd_error_detail());
    rmd_framed_free(framed);
    return 0;
}

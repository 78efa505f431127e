/* SPDX-License-Identifier: MIT */
/* The inside of <remuda/framed.h>, for those who wait for more than the stream. */
#ifndef RMDI_LOOP_FRAMED_H
#define RMDI_LOOP_FRAMED_H

#include <remuda/framed.h>

/* The next frame as far as it can be had without waiting: 0 with frame->data, or NULL when more
 * must come first. Errors as rmd_framed_read(). */
int rmdi_framed_try_read(rmd_framed *framed, rmd_bytes *frame);

/* Is there anything behind the last frame, as far as it was read? */
bool rmdi_framed_has_more(const rmd_framed *framed);

#endif

/* SPDX-License-Identifier: MIT */
/* Flight records, in either form, that may be anything.
 *
 * What must hold: it is refused with a sentence, or told, in words and as JSON; whatever times and
 * numbers it has, no time that is told is negative, and threads that are named are there.
 *
 * Built and run as template_fuzz.c says.
 */
#include "job/flight.h"

#include <remuda/error.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool held)
{
    if (!held)
        abort();
}

static void check(const rmdi_flight *f)
{
    require(f->longest.ns >= 0 && f->waited.ns >= 0);
    require(!f->longest.task || f->longest.thread < f->threads_len);
    require(!f->waited.task || f->waited.thread < f->threads_len);
    for (size_t i = 0; i < f->events_len; i++)
        require(f->events[i].thread < f->threads_len && f->events[i].kind < RMDI_RECORD_KINDS_LEN);
    for (size_t i = 0; i < f->threads_len; i++) {
        const rmdi_flight_thread *t = &f->threads[i];
        require(t->recorded_ns >= 0 && t->parked_ns >= 0 && t->blocked_ns >= 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rmdi_flight flight;
    rmdi_buffer text = { 0 }, words = { 0 };
    require(rmdi_buffer_add(&text, data, size) == 0);
    if (size && rmdi_flight_parse(&flight, "it", &text) == 0) {
        require(rmdi_flight_sum(&flight) == 0);
        check(&flight);
        require(rmdi_flight_tell(&flight, 3, &words) == 0);
        json_t *object = rmdi_flight_json(&flight, 3);
        require(object != NULL);
        json_decref(object);
    } else {
        require(!size || *rmd_error_detail());
    }
    if (size)
        rmdi_flight_free(&flight);
    rmdi_buffer_free(&text);
    rmdi_buffer_free(&words);
    return 0;
}

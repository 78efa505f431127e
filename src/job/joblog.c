/* SPDX-License-Identifier: MIT */
#include "job/joblog.h"

#include <string.h>

int rmdi_joblog_header(rmdi_buffer *line)
{
    return rmdi_buffer_add_text(
        line, "Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand\n");
}

/* One line per task whatever its command holds. */
static void newlines_to_nul(char *text, size_t len)
{
    for (char *end = text + len; (text = memchr(text, '\n', (size_t)(end - text))); text++)
        *text = 0;
}

int rmdi_joblog_row_add(rmdi_buffer *line, const rmdi_joblog_row *row)
{
    size_t before = line->len, command;
    int err = rmdi_buffer_add_format(
        line, "%llu\t%s\t%.3f\t%10.3f\t%llu\t%llu\t%d\t%d\t", (unsigned long long)row->seq,
        row->host ? row->host : ":", row->start, row->runtime, (unsigned long long)row->sent,
        (unsigned long long)row->received, row->exit_value, row->signal);
    command = line->len;
    if (err == 0)
        err = rmdi_buffer_add(line, row->command.data, row->command.len);
    if (err == 0) {
        newlines_to_nul(line->data + command, line->len - command);
        err = rmdi_buffer_add_byte(line, '\n');
    }
    if (err < 0 && line->len > before) {
        line->len = before;
        line->data[before] = 0;
    }
    return err;
}

/* SPDX-License-Identifier: MIT */
/* Tasks in a block: when it has been left, whichever way, none of them runs any more. So they may
 * use what lies on the stack. */
#include <remuda.h>
#include <stdio.h>
#include <stdlib.h>

enum { TILES = 8 };

typedef struct tile {
    int number, colour;
    rmd_event *never;
} tile;

static void must(int err, const char *what)
{
    if (err >= 0)
        return;
    fprintf(stderr, "%s: %s (%s)\n", what, rmd_error_detail(), rmd_error_name(err));
    exit(1);
}

static int draw(void *arg)
{
    tile *t = arg;
    if (t->never) /* a tile that takes for ever: until it is told to stop */
        return rmd_event_wait(t->never, RMD_FOREVER);
    t->colour = t->number * t->number;
    return 0;
}

static int draw_in(rmd_pool *pool, rmd_group *group, tile *t)
{
    rmd_task_options options = { .size = sizeof options, .group = group };
    return rmd_submit(pool, NULL, draw, t, &options);
}

static void draw_all(rmd_pool *pool)
{
    int err;
    tile tiles[TILES];
    RMD_WITH_GROUP (group, RMD_FOREVER, &err) {
        for (int i = 0; i < TILES; i++) {
            tiles[i] = (tile){ .number = i };
            must(draw_in(pool, group, &tiles[i]), "submit");
        }
    } /* here all of them have ended */
    must(err, "group");
    printf("all drawn:");
    for (int i = 0; i < TILES; i++)
        printf(" %d", tiles[i].colour);
    puts("");
}

/* A way out of the block, before its end, takes the tasks along: they are cancelled and waited
 * for. */
static const char *draw_until(rmd_pool *pool, int missing)
{
    int err;
    rmd_event *never;
    tile tiles[2] = { { .number = 0 }, { .number = 1 } };
    must(rmd_event_open(&never), "event");
    RMD_WITH_GROUP (group, RMD_FOREVER, &err) {
        tiles[0].never = never;
        must(draw_in(pool, group, &tiles[0]), "submit");
        if (missing)
            break;
        tiles[0].never = NULL;
    }
    rmd_event_free(never);
    return missing ? "left early" : "drawn";
}

static void draw_in_time(rmd_pool *pool)
{
    int err;
    rmd_event *never;
    tile slow = { .number = 9 };
    must(rmd_event_open(&never), "event");
    slow.never = never;
    RMD_WITH_GROUP (group, rmd_after_ms(20), &err) {
        must(draw_in(pool, group, &slow), "submit");
    }
    rmd_event_free(never); /* nobody waits for it any more */
    printf("with a deadline: %s\n", rmd_error_name(err));
}

int main(void)
{
    rmd_pool *pool;
    rmd_census census;
    char line[100];
    must(rmd_pool_open(&pool, "threads:2", NULL, RMD_FOREVER), "open");
    draw_all(pool);
    printf("one is missing: %s\n", draw_until(pool, 1));
    draw_in_time(pool);
    must(rmd_pool_drain(pool, RMD_FOREVER), "drain");
    must(rmd_pool_census(pool, &census), "census");
    rmd_census_format(&census, line, sizeof line);
    puts(line);
    must(rmd_pool_free(pool), "free");
    return 0;
}

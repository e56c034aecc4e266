/* Records that the group had not handled are gone: their retention ended, or the topic lost its tail. The
 * group stands still there until somebody accepts it. */
#include "deploy/weirctl/group.h"

#include <inttypes.h>

static int decide(
    const struct group *group, struct group_place *place, int32_t number, struct weir_error *err)
{
    if (place->committed >= 0 && place->committed < place->begin)
        place->moved = place->begin;
    if (place->committed <= place->end)
        return 0;
    if (group->settings->to == GROUP_TO_NOWHERE)
        return weir_error_set(err, WEIR_E_USAGE,
            "%s/%" PRId32 " ends at %" PRId64 ", before the group's offset %" PRId64
            ": say --to end if it lost its last records, --to beginning if it was made anew",
            place->topic, number, place->end, place->committed);
    place->moved = group->settings->to == GROUP_TO_END ? place->end : place->begin;
    return 0;
}

int group_accept_loss_run(struct weirctl *ctl, struct weir_error *err)
{
    struct group group;

    int code = group_open(ctl, &group, err);
    for (size_t i = 0; i < group.count && code == 0; i++) {
        struct group_partition *partition = &group.partitions[i];
        code = decide(&group, &partition->source, partition->number, err);
        if (code == 0)
            code = decide(&group, &partition->retry, partition->number, err);
    }
    if (code == 0)
        code = group_move(&group, err);
    group_close(&group);
    return code;
}

/* The documents written to a change log that is not theirs any more: made again, cut short, or of another
 * cluster. Compares first, so that it can be given again after whatever ended it, and writes nothing twice.
 */
#include "common/clock.h"
#include "common/envelope.h"
#include "common/kafka_topic_id.h"
#include "consumers/plugins/store/change.h"
#include "consumers/plugins/store/document.h"
#include "deploy/weirctl/store.h"

#include <inttypes.h>
#include <sysexits.h>

enum { POLL_MS = 10, DESTROY_MS = 3000, TYPE_BYTES = 100 };

struct republish {
    struct store *store;
    struct weir_folder *folder;
    rd_kafka_t *producer;
    const struct weir_collection *collection; /* of the part at hand */
    struct weir_buffer event;
    uint64_t written;
    bool dry;                  /* only counts */
    bool other_cluster;        /* than the folder's was */
    struct weir_error refused; /* the first delivery that failed */
};

static void on_delivery(rd_kafka_t *handle, const rd_kafka_message_t *message, void *opaque)
{
    struct republish *republish = opaque;

    (void)handle;
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR && republish->refused.code == 0)
        weir_error_set(&republish->refused, weir_kafka_code(message->err), "a document was not taken: %s",
            rd_kafka_err2str(message->err));
}

static int open_producer(struct republish *republish, struct weir_error *err)
{
    rd_kafka_conf_t *conf = NULL;

    int code = weir_kafka_conf(
        republish->store->ctl->deployment, WEIR_KAFKA_PRODUCER, "weirctl-republish", NULL, &conf, err);
    if (code < 0)
        return code;
    rd_kafka_conf_set_opaque(conf, republish);
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    return weir_kafka_new_take(RD_KAFKA_PRODUCER, conf, &republish->producer, err);
}

static rd_kafka_headers_t *make_headers(const struct republish *republish, const struct weir_change *change)
{
    rd_kafka_headers_t *headers = rd_kafka_headers_new(8);
    char type[TYPE_BYTES], time[WEIR_CLOCK_RFC3339_BYTES];
    const struct {
        const char *name;
        struct weir_bytes value;
    } all[] = {{WEIR_HEADER_TYPE, weir_bytes_str(type)}, {WEIR_HEADER_SUBJECT, change->key},
        {WEIR_HEADER_TIME, weir_bytes_str(time)}, {WEIR_HEADER_REASON, weir_bytes_str(WEIR_REASON_REPUBLISH)},
        {WEIR_HEADER_ID, change->request}, {WEIR_HEADER_CONTENT_TYPE, weir_bytes_str("application/json")}};

    (void)all;
    snprintf(type, sizeof(type), "weir.%s.%s", republish->collection->name,
        change->op == 'c'   ? "created"
        : change->op == 'u' ? "updated"
                            : "deleted");
    weir_clock_rfc3339(change->ts_ms, time);
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        rd_kafka_header_add(headers, all[i].name, -1, all[i].value.data, (ssize_t)all[i].value.len);
    return headers;
}

static int produce(struct republish *republish, const struct weir_folder_part *part,
    const struct weir_change *change, struct weir_bytes value, struct weir_error *err)
{
    rd_kafka_headers_t *headers = make_headers(republish, change);
    rd_kafka_resp_err_t failed;

    while ((failed = rd_kafka_producev(republish->producer, RD_KAFKA_V_TOPIC(part->changes_topic),
                RD_KAFKA_V_PARTITION(part->partition), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                RD_KAFKA_V_KEY(change->key.data, change->key.len),
                RD_KAFKA_V_VALUE((void *)(uintptr_t)value.data, value.len), RD_KAFKA_V_HEADERS(headers),
                RD_KAFKA_V_END)) == RD_KAFKA_RESP_ERR__QUEUE_FULL)
        rd_kafka_poll(republish->producer, POLL_MS);
    if (failed != RD_KAFKA_RESP_ERR_NO_ERROR)
        rd_kafka_headers_destroy(headers);
    rd_kafka_poll(republish->producer, 0);
    if (failed == RD_KAFKA_RESP_ERR_NO_ERROR && republish->refused.code == 0)
        return 0;
    if (failed == RD_KAFKA_RESP_ERR_NO_ERROR)
        return weir_error_set(err, republish->refused.code, "%s", republish->refused.text);
    return weir_kafka_error_set(err, failed, part->changes_topic);
}

/* The document as it is here, or that it is gone: the event and the tombstone behind it, as the store writes
 * them. */
static int write_difference(void *context, const struct weir_folder_part *part, struct weir_bytes key,
    struct weir_bytes stored, struct weir_error *err)
{
    struct republish *republish = context;
    struct weir_document document = {
        .version = 1, .changed_ms = weir_clock_wall_ms(), .request = weir_bytes_str("republish")};

    republish->written++;
    progress_count(&republish->store->progress, (int64_t)republish->written, 0, "documents",
        "writing %s/%" PRId32, part->changes_topic, part->partition);
    int code = stored.data != NULL ? weir_document_read(stored, &document, err) : 0;
    if (code < 0 || republish->dry)
        return code;
    const struct weir_change change = {
        .op = stored.data == NULL     ? 'd'
              : document.version == 1 ? 'c'
                                      : 'u',
        .collection = republish->collection->name,
        .key = key,
        .request = document.request,
        .version = document.version,
        .ts_ms = document.changed_ms,
        .before = WEIR_BYTES_NULL,
        .after = document.text,
    };
    weir_change_write(&change, &republish->event);
    if (republish->event.failed)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    code = produce(republish, part, &change, weir_buffer_bytes(&republish->event), err);
    if (code == 0 && stored.data == NULL)
        code = produce(republish, part, &change, WEIR_BYTES_NULL, err);
    return code;
}

static int flush(struct republish *republish, struct weir_error *err)
{
    rd_kafka_resp_err_t failed =
        rd_kafka_flush(republish->producer, weirctl_left_ms(republish->store->ctl) + DESTROY_MS);

    if (republish->refused.code != 0)
        return weir_error_set(err, republish->refused.code, "%s", republish->refused.text);
    return weir_kafka_error_set(err, failed, "writing the documents");
}

static int find_collection(
    struct republish *republish, const struct weir_folder_part *part, struct weir_error *err)
{
    republish->collection =
        weir_deployment_collection_of_topic(republish->store->ctl->deployment, part->changes_topic);
    if (republish->collection != NULL)
        return 0;
    return weir_error_set(err, WEIR_E_CONFIG,
        "the folder holds documents of %s, which is the change topic of no [collection]",
        part->changes_topic);
}

static int republish_part(
    struct republish *republish, const struct weir_folder_part *part, struct weir_error *err)
{
    struct store_report report;
    uint64_t before = republish->written;

    int code = find_collection(republish, part, err);
    if (code == 0)
        code = store_replay(
            republish->store, republish->folder, part, true, write_difference, republish, &report, err);
    if (code == 0 && !republish->dry)
        code = flush(republish, err);
    progress_end(&republish->store->progress);
    if (code == 0)
        store_tell(republish->store, "%s/%" PRId32 ": %" PRIu64 " documents, %" PRIu64 " changes %s",
            part->changes_topic, part->partition, report.documents, republish->written - before,
            republish->dry ? "to be written" : "written");
    return code;
}

/* ---- what the folder is a view of from now on */

static int take_topic_id(
    struct republish *republish, const char *topic, bool *ret_other, struct weir_error *err)
{
    WEIR_CLEANUP(buffer) struct weir_buffer name = {0}, known = {0};
    char id[WEIR_KAFKA_TOPIC_ID_BYTES];
    rd_kafka_t *kafka = republish->store->ctl->kafka;

    weir_buffer_printf(&name, "topic/%s", topic);
    int code = weir_kafka_topic_id(kafka, topic, weirctl_left_ms(republish->store->ctl), id, err);
    if (code < 0)
        return code;
    code = weir_folder_get(republish->folder, name.data, &known, err);
    if (code < 0 && code != WEIR_E_NOT_FOUND)
        return code;
    *ret_other = code == 0 && id[0] != '\0' && !weir_bytes_is(weir_buffer_bytes(&known), id);
    weir_folder_put(republish->folder, name.data, id[0] != '\0' ? id : NULL);
    return 0;
}

static int take_cluster(struct republish *republish, struct weir_error *err)
{
    WEIR_CLEANUP(buffer) struct weir_buffer known = {0};
    rd_kafka_t *kafka = republish->store->ctl->kafka;
    char *cluster = rd_kafka_clusterid(kafka, weirctl_left_ms(republish->store->ctl));

    if (cluster == NULL)
        return weir_error_set(err, WEIR_E_UNAVAILABLE, "the cluster does not tell its id");
    int code = weir_folder_get(republish->folder, "cluster", &known, err);
    republish->other_cluster = code == 0 && !weir_bytes_is(weir_buffer_bytes(&known), cluster);
    weir_folder_put(republish->folder, "cluster", cluster);
    rd_kafka_mem_free(kafka, cluster);
    return code == WEIR_E_NOT_FOUND ? 0 : code;
}

static int settle_part(
    struct republish *republish, const struct weir_folder_part *part, struct weir_error *err)
{
    bool other_changes = false, other_commands = false;
    int64_t begin = 0, end = 0;

    int code = find_collection(republish, part, err);
    if (code == 0)
        code = weir_kafka_scan_ends(
            republish->store->scan, part->changes_topic, part->partition, &begin, &end, err);
    if (code == 0)
        code = take_topic_id(republish, part->changes_topic, &other_changes, err);
    if (code == 0)
        code = take_topic_id(republish, republish->collection->command_topic, &other_commands, err);
    if (code < 0)
        return code;
    weir_folder_put_checkpoint(republish->folder, part, end, weir_clock_wall_ms());
    weir_folder_forget_outcomes(republish->folder, part);
    if (republish->other_cluster || other_commands)
        weir_folder_forget_commands(republish->folder, part);
    return 0;
}

static int settle(
    struct republish *republish, const struct weir_folder_part *parts, size_t count, struct weir_error *err)
{
    int code = take_cluster(republish, err);

    for (size_t i = 0; code == 0 && i < count; i++)
        code = settle_part(republish, &parts[i], err);
    if (code < 0)
        return code;
    weir_folder_put(republish->folder, WEIR_FOLDER_REPUBLISHING, NULL);
    return weir_folder_write(republish->folder, err);
}

static void tell_end(const struct republish *republish)
{
    if (republish->other_cluster)
        store_tell(republish->store,
            "where the service's group has no offsets in this cluster yet, it needs them to start: weirctl "
            "group "
            "from-origin --service %s",
            republish->store->service->name);
    store_tell(republish->store, "the change log is what the documents are: start the service");
}

static int write_all(struct republish *republish, struct weir_error *err)
{
    size_t count = 0;
    const struct weir_folder_part *parts = weir_folder_parts(republish->folder, &count);
    int code = 0;

    if (!republish->dry) {
        weir_folder_put(republish->folder, WEIR_FOLDER_REPUBLISHING, "yes");
        code = weir_folder_write(republish->folder, err);
    }
    for (size_t i = 0; code == 0 && i < count; i++)
        code = republish_part(republish, &parts[i], err);
    if (code < 0)
        return code;
    if (republish->dry) {
        store_tell(republish->store,
            "nothing was written: say --yes to write it, with all instances of the service stopped");
        return EX_USAGE;
    }
    code = settle(republish, parts, count, err);
    if (code == 0)
        tell_end(republish);
    return code;
}

static int republish_all(struct republish *republish, struct weir_error *err)
{
    struct store *store = republish->store;

    int code = weir_folder_open(store->settings.path, true, &republish->folder, err);
    if (code == 0)
        code = store_connect(store, err);
    if (code == 0)
        code = store_check_stopped(store, err);
    if (code == 0)
        code = open_producer(republish, err);
    return code < 0 ? code : write_all(republish, err);
}

static int run(struct store *store, struct weir_error *err)
{
    struct republish republish = {.store = store, .dry = !store->flags->yes};

    int code = republish_all(&republish, err);
    weir_kafka_destroy(republish.producer, DESTROY_MS);
    weir_folder_close(republish.folder);
    weir_buffer_done(&republish.event);
    return code;
}

int store_republish_run(struct weirctl *ctl, struct weir_error *err)
{
    return store_run(ctl, run, err);
}

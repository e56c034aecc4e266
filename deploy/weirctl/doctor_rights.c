/* Rights, with each program's own eyes: what `acl plan` says it needs has to work, all else has to be
 * refused. */
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/kafka_topics.h"
#include "deploy/weirctl/doctor.h"
#include "deploy/weirctl/doctor_probe.h"
#include "deploy/weirctl/topic_difference.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AREA "rights"
#define GRANT "weirctl acl plan, and run its lines as an administrator"
#define TAKE "take it away: kafka-acls.sh --remove, or see that the principal is no super user and its own"

enum { SHOWN = 5 };

static const struct {
    enum acl_operation operation;
    const char *verb;
    probe_topics *ask;
} questions[] = {
    {ACL_WRITE, "write", probe_write},
    {ACL_READ, "read", probe_read},
    {ACL_DESCRIBE_CONFIGS, "see the settings of", probe_describe_configs},
    {ACL_CREATE, "create", probe_create},
    {ACL_DELETE, "delete records of", probe_delete},
};

struct rights {
    struct doctor *doctor;
    struct acl_plan plan;
    const char **topics; /* those that are there */
    size_t topic_count;
    const char *program;
    struct probe probe;
    size_t lacking, excess, unknown;
};

/* ---- the plan */

static unsigned planned(const struct rights *rights, enum acl_resource resource, const char *name)
{
    unsigned operations = 0;

    for (size_t i = 0; i < rights->plan.count; i++) {
        const struct acl *acl = &rights->plan.list[i];
        bool fits =
            acl->prefixed ? strncmp(acl->name, name, strlen(acl->name)) == 0 : strcmp(acl->name, name) == 0;
        if (fits && acl->resource == resource && strcmp(acl->program, rights->program) == 0)
            operations |= acl->operations;
    }
    return operations;
}

/* ---- what is told */

/* "a, b and 3 more" */
struct names {
    struct weir_buffer text;
    size_t count;
};

static void add_name(struct names *names, const char *name)
{
    if (names->count++ < SHOWN)
        weir_buffer_printf(&names->text, "%s%s", names->text.len > 0 ? ", " : "", name);
}

static void end_names(struct names *names)
{
    if (names->count > SHOWN)
        weir_buffer_printf(&names->text, " and %zu more", names->count - SHOWN);
}

static void tell_names(
    struct rights *rights, struct names *names, const char *fix, const char *may, const char *verb)
{
    if (names->count > 0) {
        end_names(names);
        doctor_find(rights->doctor, AREA, DOCTOR_ILL, fix, "%s %s %s %s", rights->program, may, verb,
            names->text.data != NULL ? names->text.data : "");
    }
    weir_buffer_done(&names->text);
}

/* Who gets no answers asks no more of them than fit into --timeout. */
static bool is_late(struct rights *rights)
{
    if (rights->unknown == 0 || weir_clock_ms() < rights->doctor->ctl->deadline_ms)
        return false;
    rights->unknown++;
    weir_error_set(&rights->probe.why, WEIR_E_TIMEOUT, "--timeout is over");
    return true;
}

/* ---- topics */

static int ask_topics(struct rights *rights, size_t question, struct weir_error *err)
{
    WEIR_CLEANUP(free) enum probe_answer *answers = calloc(rights->topic_count + 1, sizeof(*answers));
    struct names lacking = {.count = 0}, excess = {.count = 0};

    if (answers == NULL)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    questions[question].ask(&rights->probe, rights->topics, rights->topic_count, answers);
    for (size_t i = 0; i < rights->topic_count; i++) {
        bool needed =
            (planned(rights, ACL_TOPIC, rights->topics[i]) & (unsigned)questions[question].operation) != 0;
        rights->unknown += answers[i] == PROBE_UNKNOWN;
        if (needed && answers[i] == PROBE_REFUSED)
            add_name(&lacking, rights->topics[i]);
        if (!needed && answers[i] == PROBE_ALLOWED && !rights->doctor->open)
            add_name(&excess, rights->topics[i]);
    }
    rights->lacking += lacking.count;
    rights->excess += excess.count;
    tell_names(rights, &lacking, GRANT, "may not", questions[question].verb);
    tell_names(rights, &excess, TAKE, "has no need to", questions[question].verb);
    return 0;
}

/* ---- groups and transactions, each name once */

static bool is_first(const struct rights *rights, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (rights->plan.list[k].resource == rights->plan.list[i].resource &&
            strcmp(rights->plan.list[k].name, rights->plan.list[i].name) == 0)
            return false;
    return true;
}

static void ask_group(struct rights *rights, const char *group, struct names *lacking, struct names *excess)
{
    unsigned needed = planned(rights, ACL_GROUP, group);
    enum probe_answer read = probe_group_read(&rights->probe, group), described = read;

    if ((needed & ACL_READ) == 0 && (needed & ACL_DESCRIBE) != 0)
        described = probe_group_describe(&rights->probe, group);
    rights->unknown += read == PROBE_UNKNOWN || described == PROBE_UNKNOWN;
    if (needed != 0 && described == PROBE_REFUSED)
        add_name(lacking, group);
    if ((needed & ACL_READ) == 0 && read == PROBE_ALLOWED && !rights->doctor->open)
        add_name(excess, group);
}

static void ask_transaction(
    struct rights *rights, const char *prefix, struct names *lacking, struct names *excess)
{
    char id[WEIR_TOPIC_NAME_BYTES + 32];

    snprintf(id, sizeof(id), "%sweirctl-doctor", prefix);
    bool needed = planned(rights, ACL_TRANSACTIONAL_ID, id) != 0;
    enum probe_answer answer = probe_transactional_id(&rights->probe, id);
    rights->unknown += answer == PROBE_UNKNOWN;
    if (needed && answer == PROBE_REFUSED)
        add_name(lacking, prefix);
    if (!needed && answer == PROBE_ALLOWED && !rights->doctor->open)
        add_name(excess, prefix);
}

static void ask_named(struct rights *rights, enum acl_resource resource, const char *verb)
{
    struct names lacking = {.count = 0}, excess = {.count = 0};

    for (size_t i = 0; i < rights->plan.count; i++) {
        const struct acl *acl = &rights->plan.list[i];
        if (acl->resource != resource || !is_first(rights, i) || is_late(rights))
            continue;
        progress_show(&rights->doctor->progress, "looking at rights of %s: %s", rights->program, acl->name);
        (resource == ACL_GROUP ? ask_group : ask_transaction)(rights, acl->name, &lacking, &excess);
    }
    rights->lacking += lacking.count;
    rights->excess += excess.count;
    tell_names(rights, &lacking, GRANT, "may not", verb);
    tell_names(rights, &excess, TAKE, "has no need to", verb);
}

static void ask_cluster(struct rights *rights)
{
    bool open = false;
    enum probe_answer answer = probe_cluster(&rights->probe, &open);

    rights->unknown += answer == PROBE_UNKNOWN;
    if (open && !rights->doctor->open)
        doctor_find(rights->doctor, AREA, DOCTOR_ILL,
            "set authorizer.class.name on the brokers, give each program its rights by `weirctl acl plan`",
            "the cluster asks nobody for rights: whoever reaches it may read and write everything");
    rights->doctor->open |= open;
    if (open || answer != PROBE_ALLOWED)
        return;
    rights->excess++;
    doctor_find(rights->doctor, AREA, DOCTOR_ILL, TAKE,
        "%s has no need to change everybody's rights (Alter on Cluster)", rights->program);
}

/* ---- a program */

static int ask_all(struct rights *rights, struct weir_error *err)
{
    int code = 0;

    ask_cluster(rights);
    for (size_t i = 0; i < sizeof(questions) / sizeof(questions[0]) && code == 0; i++) {
        if (is_late(rights))
            continue;
        progress_show(
            &rights->doctor->progress, "looking at rights of %s: %s", rights->program, questions[i].verb);
        code = ask_topics(rights, i, err);
    }
    if (code < 0)
        return code;
    ask_named(rights, ACL_GROUP, "be in group");
    ask_named(rights, ACL_TRANSACTIONAL_ID, "begin transactions of");
    if (rights->unknown > 0)
        doctor_find(rights->doctor, AREA, DOCTOR_NOTE, "",
            "%s: %zu questions had no clear answer, the last: %s", rights->program, rights->unknown,
            rights->probe.why.text);
    if (rights->lacking + rights->excess + rights->unknown == 0)
        doctor_find(rights->doctor, AREA, DOCTOR_WELL, "", "%s may do what it needs%s", rights->program,
            rights->doctor->open ? "" : ", and nothing else");
    return 0;
}

/* Where no program has anything of its own all of them are one to Kafka, whose rights are those of all. */
static void tell_shared(struct doctor *doctor, const char *program)
{
    doctor_find(doctor, AREA, DOCTOR_NOTE,
        "run weirctl doctor on its machine as root, or name its configuration: --principal NAME=FILE",
        "%s connects by nothing of its own that could be found here: its rights were not looked at", program);
}

static int look_at_program(struct rights *rights, struct weir_error *err)
{
    struct doctor_principal principal;
    struct weir_error why = {0};
    bool own = false;

    rights->lacking = rights->excess = rights->unknown = 0;
    rights->probe = (struct probe){.admin = NULL};
    int code = doctor_principal_load(rights->doctor, rights->program, &principal, &own, &why);
    if (code == 0 && !own && !rights->doctor->open)
        tell_shared(rights->doctor, rights->program);
    else if (code == 0 && (own || strcmp(rights->program, "weirctl") == 0)) {
        code = probe_open(principal.deployment, doctor_patience_ms(rights->doctor), &rights->probe, &why);
        if (code == 0 && ask_all(rights, err) < 0) {
            probe_close(&rights->probe);
            weir_deployment_free(principal.deployment);
            return err->code;
        }
    }
    if (code < 0)
        doctor_find(rights->doctor, AREA, DOCTOR_ILL,
            "see the file, the certificate and the password that it names", "%s can't connect: %s",
            rights->program, why.text);
    probe_close(&rights->probe);
    weir_deployment_free(principal.deployment);
    return 0;
}

static int list_topics(struct rights *rights, const struct weir_topic_states *states, struct weir_error *err)
{
    rights->topics = calloc(states->count + 1, sizeof(*rights->topics));
    if (rights->topics == NULL)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    for (size_t i = 0; i < states->count; i++)
        if (states->topics[i].exists)
            rights->topics[rights->topic_count++] = states->topics[i].plan->name;
    return 0;
}

static int look_at_all(struct rights *rights, struct weir_error *err)
{
    const struct weir_deployment *deployment = rights->doctor->ctl->deployment;

    rights->program = "weirctl"; /* first: it finds out whether there are rights at all */
    int code = look_at_program(rights, err);
    rights->program = "gateway";
    if (code == 0)
        code = look_at_program(rights, err);
    for (size_t i = 0; i < deployment->service_count && code == 0; i++) {
        rights->program = deployment->services[i].name;
        code = look_at_program(rights, err);
    }
    return code;
}

int doctor_rights(struct doctor *doctor, struct weir_error *err)
{
    WEIR_CLEANUP(topic_states) struct weir_topic_states states = {0};
    struct rights rights = {.doctor = doctor};
    struct weir_error ignored;

    int code = weir_topic_states_plan(doctor->ctl->deployment, NULL, NULL, &states, err);
    if (code == 0)
        code = acl_plan_make(doctor->ctl->deployment, &rights.plan, err);
    if (code == 0 && weir_topic_states_read_partitions(
                         doctor->ctl->kafka, doctor_patience_ms(doctor), &states, &ignored) == 0)
        code = list_topics(&rights, &states, err);
    if (code == 0)
        code = look_at_all(&rights, err);
    acl_plan_done(&rights.plan);
    free(rights.topics);
    return code;
}

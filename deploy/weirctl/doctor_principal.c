/* The configuration as another program reads it: the same file, with the variables and credentials of its
 * unit (deploy/systemd), or a file of its own. */
#include "deploy/weirctl/doctor.h"
#include "deploy/weirctl/unit.h"

#include <string.h>

static bool is_program(const struct weir_deployment *deployment, struct weir_bytes name)
{
    bool known = weir_bytes_is(name, "gateway") || weir_bytes_is(name, "weirctl");

    for (size_t i = 0; i < deployment->service_count && !known; i++)
        known = weir_bytes_is(name, deployment->services[i].name);
    return known;
}

int doctor_principals_check(const struct doctor *doctor, struct weir_error *err)
{
    WEIR_CLEANUP(buffer) struct weir_buffer names = {0};
    const struct weir_deployment *deployment = doctor->ctl->deployment;

    for (char **given = doctor->flags->principals; given != NULL && *given != NULL; given++) {
        size_t len = strcspn(*given, "=");
        if ((*given)[len] == '=' && (*given)[len + 1] != '\0' &&
            is_program(deployment, weir_bytes(*given, len)))
            continue;
        for (size_t i = 0; i < deployment->service_count; i++)
            weir_buffer_printf(&names, ", %s", deployment->services[i].name);
        return weir_error_set(err, WEIR_E_USAGE,
            "--principal %s: it is written NAME=FILE, with one of these names: gateway, weirctl%s", *given,
            names.data != NULL ? names.data : "");
    }
    return 0;
}

static int load(struct doctor *doctor, const char *file, doctor_view *view,
    struct doctor_principal *principal, struct weir_error *err)
{
    const char *path = file != NULL ? file : doctor->ctl->arguments->config_path;

    int code = weir_deployment_load(path, &principal->deployment, err);
    if (code < 0 || view == NULL)
        return code;
    const struct weir_service *service = weir_deployment_service(principal->deployment, principal->program);
    if (service == NULL && strcmp(principal->program, "gateway") != 0)
        return weir_error_set(err, WEIR_E_CONFIG, "%s: there is no [service %s]", path, principal->program);
    return view(doctor, principal->deployment, service, err);
}

static int load_as_unit(struct doctor *doctor, doctor_view *view, struct doctor_principal *principal,
    bool *ret_own, struct weir_error *err)
{
    struct unit unit;

    int code =
        unit_enter(doctor->flags->environment, doctor->flags->credentials, principal->program, &unit, err);
    if (code < 0)
        return code;
    *ret_own = unit.own;
    code = load(doctor, NULL, view, principal, err);
    unit_leave(&unit);
    return code;
}

/* The FILE of --principal NAME=FILE. */
static const char *own_file(const struct doctor *doctor, const char *program)
{
    size_t len = strlen(program);

    for (char **given = doctor->flags->principals; given != NULL && *given != NULL; given++)
        if (strncmp(*given, program, len) == 0 && (*given)[len] == '=')
            return *given + len + 1;
    return NULL;
}

static int load_as(struct doctor *doctor, const char *program, doctor_view *view,
    struct doctor_principal *ret_principal, bool *ret_own, struct weir_error *err)
{
    const char *file = own_file(doctor, program);

    *ret_principal = (struct doctor_principal){.program = program};
    *ret_own = true;
    if (file != NULL || strcmp(program, "weirctl") == 0)
        return load(doctor, file, view, ret_principal, err);
    return load_as_unit(doctor, view, ret_principal, ret_own, err);
}

int doctor_principal_load(struct doctor *doctor, const char *program, struct doctor_principal *ret_principal,
    bool *ret_own, struct weir_error *err)
{
    return load_as(doctor, program, NULL, ret_principal, ret_own, err);
}

void doctor_view_as(struct doctor *doctor, const char *program, const char *area, doctor_view *view)
{
    struct doctor_principal principal;
    struct weir_error why;
    bool own = false;

    if (load_as(doctor, program, view, &principal, &own, &why) < 0)
        doctor_find(doctor, area, own ? DOCTOR_ILL : DOCTOR_NOTE,
            "run weirctl doctor on its machine as root, or name its configuration: --principal NAME=FILE",
            "%s's configuration can't be read here: %s", program, why.text);
    weir_deployment_free(principal.deployment);
}

/* Disks of the stores that keep their documents on this machine, for the doctor; named as what may see the
 * store's settings is. */
#include "deploy/weirctl/doctor.h"
#include "deploy/weirctl/store.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#define AREA "disks"

enum { MIB = 1 << 20 };

static void judge(struct doctor *doctor, const char *service, const char *path, int64_t least_bytes)
{
    struct statvfs disk;

    if (statvfs(path, &disk) < 0) {
        doctor_find(doctor, AREA, errno == ENOENT ? DOCTOR_NOTE : DOCTOR_ILL, "",
            errno == ENOENT ? "%s keeps nothing on this machine: %s: %s" : "%s: %s: %s", service, path,
            strerror(errno));
        return;
    }
    int64_t free_bytes = (int64_t)disk.f_bavail * (int64_t)disk.f_frsize;
    if (free_bytes < least_bytes)
        doctor_find(doctor, AREA, DOCTOR_ILL, "give the disk room, or move the folder to a larger one",
            "%s: %" PRId64 " MiB are free at %s, below store.free.min of %" PRId64 " MiB: the service waits",
            service, free_bytes / MIB, path, least_bytes / MIB);
    else if (free_bytes < 2 * least_bytes)
        doctor_find(doctor, AREA, DOCTOR_NOTE, "give the disk room before the service has to wait",
            "%s: %" PRId64 " MiB are free at %s, near store.free.min of %" PRId64 " MiB", service,
            free_bytes / MIB, path, least_bytes / MIB);
    else
        doctor_find(doctor, AREA, DOCTOR_WELL, "", "%s: %" PRId64 " MiB are free at %s", service,
            free_bytes / MIB, path);
}

/* Before the service made its folder the disk of the nearest one that is there counts. */
static void look_at(
    struct doctor *doctor, const struct weir_service *service, const struct weir_store_settings *settings)
{
    struct stat found;

    if (stat(settings->path, &found) < 0 && stat(service->state_dir, &found) == 0)
        judge(doctor, service->name, service->state_dir, settings->free_min_bytes);
    else
        judge(doctor, service->name, settings->path, settings->free_min_bytes);
}

static int view_service(struct doctor *doctor, const struct weir_deployment *deployment,
    const struct weir_service *service, struct weir_error *err)
{
    struct weir_store_settings settings;

    int code = store_settings_read(deployment, service, &settings, err);
    if (code == 0)
        look_at(doctor, service, &settings);
    store_settings_done(&settings);
    return code;
}

int doctor_disks(struct doctor *doctor, struct weir_error *err)
{
    const struct weir_deployment *deployment = doctor->ctl->deployment;

    (void)err;
    for (size_t i = 0; i < deployment->service_count; i++)
        if (store_is_one(&deployment->services[i]))
            doctor_view_as(doctor, deployment->services[i].name, AREA, view_service);
    return 0;
}

/* What RocksDB tells about itself. */
#include "consumers/plugins/store/db.h"
#include "consumers/plugins/store/db_handle.h"

static bool read_number(struct weir_db *db, const char *name, bool summed, uint64_t *ret_number)
{
    uint64_t one = 0;

    if (db->rocks == NULL || rocksdb_property_int_cf(db->rocks, db->documents, name, ret_number) != 0)
        return false;
    for (size_t i = 0; summed && i < db->hour_count; i++)
        if (rocksdb_property_int_cf(db->rocks, db->hours[i].column, name, &one) == 0)
            *ret_number += one;
    return true;
}

bool weir_db_property(struct weir_db *db, const char *name, bool summed, uint64_t *ret_number)
{
    pthread_rwlock_rdlock(&db->lock);
    bool known = read_number(db, name, summed, ret_number);
    pthread_rwlock_unlock(&db->lock);
    return known;
}

void weir_db_take_blocks(uint64_t *ret_hits, uint64_t *ret_reads)
{
    rocksdb_perfcontext_t *context = rocksdb_perfcontext_create();

    *ret_hits = rocksdb_perfcontext_metric(context, rocksdb_block_cache_hit_count);
    *ret_reads = rocksdb_perfcontext_metric(context, rocksdb_block_read_count);
    rocksdb_perfcontext_reset(context);
    rocksdb_perfcontext_destroy(context);
}

#!/bin/bash
# Every public header compiles by itself, as C17 and as C++, with nothing of this tree in sight but the other public ones.
# (The strictest warnings of both compilers are errors.)
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

mkdir "$folder/weir"
cp "$root"/common/include/weir/*.h "$root"/consumers/include/weir/*.h "$folder/weir"
count=0
for header in "$folder"/weir/*.h; do
  printf '#include <weir/%s>\n#include <weir/%s>\nint unit_has_a_name;\n' "${header##*/}" "${header##*/}" > "$folder/one.c"
  cc -std=c17 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wstrict-prototypes -Werror -fsyntax-only -I"$folder" "$folder/one.c"
  c++ -x c++ -std=c++17 -Wall -Wextra -Wpedantic -Wconversion -Werror -fsyntax-only -I"$folder" "$folder/one.c"
  count=$((count + 1))
done
# A whole plugin in C++.
cat > "$folder/plugin.cc" <<'CC'
#include <weir/plugin.h>
static int open(const weir_host *host, const void *, void **ret_instance, weir_error *err)
{
    if (host->topics[0] == nullptr)
        return weir_fail(err, WEIR_E_CONFIG, "no topics");
    weir_say(host, WEIR_SAY_INFO, "plugin.opened", "service=%s", host->service);
    *ret_instance = const_cast<weir_host *>(host);
    return 0;
}
static void close(void *) {}
static int handle(void *instance, struct weir_batch *batch, weir_error *err)
{
    const auto *host = static_cast<const weir_host *>(instance);
    while (const weir_record *record = host->next(batch)) {
        if (host->emit(batch, record, "out", record->key, WEIR_BYTES_NULL, nullptr, 0, err) >= 0)
            host->done(batch, record);
        else if (WEIR_HOST_HAS(host, fail))
            host->fail(batch, record, WEIR_RETRY, nullptr);
    }
    return 0;
}
WEIR_PLUGIN = {.abi = WEIR_PLUGIN_ABI, .struct_size = sizeof(struct weir_plugin), .name = "cplusplus", .version = "1",
    .summary = "Shows that C++ works", .open = open, .close = close, .handle = handle};
CC
c++ -std=c++20 -Wall -Wextra -Werror -Wno-missing-field-initializers -shared -fPIC -I"$folder" -o "$folder/plugin.so" "$folder/plugin.cc"
nm -D --defined-only "$folder/plugin.so" | grep -q ' weir_plugin$' || { echo "the C++ plugin exports no weir_plugin"; exit 1; }
[[ $count -ge 4 ]] || { echo "only $count public headers"; exit 1; }
echo "$count headers stand alone in C17 and C++"

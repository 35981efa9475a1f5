#!/bin/sh
# Runs every libFuzzer target of a build folder for a while (FUZZ_SECONDS each, 60 by default), on its seeds.
set -u
build=$1
seconds=${FUZZ_SECONDS:-60}
status=0
for target in "$build"/fuzz/fuzz_*; do
    [ -x "$target" ] && [ -f "$target" ] || continue
    name=${target##*/fuzz_}
    found=$build/found/$name
    mkdir -p "$found"
    seeds=$found
    [ -d "fuzz/corpus/$name" ] && seeds="$seeds fuzz/corpus/$name"
    dict=""
    [ -f "fuzz/dict/$name.dict" ] && dict="-dict=fuzz/dict/$name.dict"
    echo "== $name"
    "$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=0 -artifact_prefix="$found/" $dict $seeds || status=1
done
exit $status

#!/bin/sh
# Runs every test of a build folder and counts: the last line is "N passed, N failed, N skipped".
set -u
build=$1
log=$build/meson-logs/testlog.txt
status=0
meson test -C "$build" --print-errorlogs || status=1
# A row is a test: TAP lines of the programs, and programs that have none count as one.
awk '
    /^(ok|not ok) [0-9]+ # SKIP/ { skipped++; print "skipped: " substr($0, index($0, "SKIP") + 5) > "/dev/stderr"; next }
    /^ok [0-9]+ - /     { passed++; next }
    /^not ok [0-9]+ - / { failed++; print "failed: " $0 > "/dev/stderr"; next }
    END { printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped; exit failed > 0 }
' "$log" || status=1
exit $status

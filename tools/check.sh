#!/bin/sh
# Runs every test of a build folder and counts: the last line is "N passed, N failed, N skipped".
set -u
build=$1
log=$build/meson-logs/testlog.txt
status=0
meson test -C "$build" --print-errorlogs || status=1
# A row is a test: TAP lines of the programs. A program whose rows all pass and that ends badly all the same (a leak,
# a crash at exit) is one failure more, under its name.
awk '
    /^=+ *[0-9]+\/[0-9]+ *=+$/ { name = ""; bad = 0 }
    /^test: /           { name = $NF }
    /^result: +(exit status|killed|signal)/ && $0 !~ /exit status 0$/ { bad = 1; sub(/^result: +/, ""); why = $0 }
    /^(ok|not ok) [0-9]+ # SKIP/ { skipped++; print "skipped: " substr($0, index($0, "SKIP") + 5) > "/dev/stderr"; next }
    /^ok [0-9]+ - /     { passed++; next }
    /^not ok [0-9]+ - / { failed++; bad = 0; print "failed: " $0 > "/dev/stderr"; next }
    /^=+$/ && bad       { failed++; bad = 0; print "failed: " name " ended with " why > "/dev/stderr" }
    END { printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped; exit failed > 0 }
' "$log" || status=1
exit $status

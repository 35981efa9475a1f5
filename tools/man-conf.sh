#!/bin/sh
# Prints avouchd.conf.5 from the table of keys in os/config.h: the page and the code have one source.
set -eu
cat <<'EOF'
.Dd November 26, 2026
.Dt AVOUCHD.CONF 5
.Os
.Sh NAME
.Nm avouchd.conf
.Nd configuration of the remote attestation service
.Sh DESCRIPTION
An INI file: sections in brackets,
.Li key = value
lines, comments after
.Li \&; .
An unknown key is refused, with the nearest known one as a suggestion; so is a key that stands twice.
Values that are yes or no are written so.
.Sh KEYS
.Bl -tag -width Ds
EOF
awk '
    /#define CONFIG_TABLE/ { on = 1; next }
    on && !/X\(/ { exit }
    on {
        line = $0; sub(/^ *X\(/, "", line); sub(/\) *\\?$/, "", line)
        section = line; sub(/,.*/, "", section)
        rest = line; sub(/^[^,]*, */, "", rest)
        key = rest; sub(/,.*/, "", key)
        sub(/^[^,]*, */, "", rest)
        match(rest, /^"[^"]*"/); def = substr(rest, 2, RLENGTH - 2)
        meaning = substr(rest, RLENGTH + 1); sub(/^, */, "", meaning); gsub(/^"|" *$/, "", meaning)
        printf ".It Cm %s.%s\n%s.\n", section, key, toupper(substr(meaning, 1, 1)) substr(meaning, 2)
        if (def == "") print "Default: empty."
        else printf "Default:\n.Li %s .\n", def
    }' "$1"
cat <<'EOF'
.El
.Sh SEE ALSO
.Xr avouchd 8
EOF

# Sourced: start_service and stop_service around a development service; sets port. Needs build and state.
start_service() {
    cat >"$state/conf" <<EOF
[service]
listen = 127.0.0.1:0
base_url = https://localhost:8443
state = $state/state
location = East US
[metrics]
listen =
EOF
    "$build/avouch-mint" "$state/state/dev" || exit 1
    mkfifo "$state/ready"
    "$build/avouchd" --config "$state/conf" --dev --ready-fd 3 3>"$state/ready" 2>"$state/log" &
    daemon=$!
    read -r word <"$state/ready" || { cat "$state/log" >&2; exit 1; }
    port=$(sed 's/.*://' "$state/state/run/address")
}
stop_service() {
    kill "$daemon"
    wait "$daemon"
    rm -rf "$state"
}

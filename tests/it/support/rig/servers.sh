# Several servers of one script.
servers=()
trap 'kill -TERM "${servers[@]}" 2>/dev/null || true; wait || true' EXIT
# run NAME COMMAND… : a server, until this script ends
run() {
    "${@:2}" >>"$1.log" 2>&1 </dev/null &
    servers+=($!)
}

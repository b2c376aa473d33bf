# The processes of a command: all that is in the session that its leader began. Not just
# its process group: `timeout`, and shells with job control, put what they start into
# groups of their own.

# What is in a session and has not ended, a line each: number, start time, process
# group, name. In a name a line break may stand, so what is no whole line is put
# together first.
members() {
    (cd /proc && sed -n \
        -e ':more' -e '/) [A-Za-z] [0-9-]* [0-9-]* [0-9-]* /!{' -e '$!{' -e 'N' \
        -e 's/\n/_/' -e 'b more' -e '}' -e '}' \
        -e "s/^\([0-9]*\) (\(.*\)) [^ZXx] [0-9-]* \([0-9-]*\) $1 \([^ ]* \)\{15\}\([0-9]*\) .*/\1 \5 \3 \2/p" \
        [0-9]*/stat) 2>/dev/null
}

# Whether a process still runs, which is known by its number and start time.
is_alive() {
    set -- "$2" $(sed -n 's/^.*) //p' "/proc/$1/stat" 2>/dev/null)
    [ $# -ge 21 ] && [ "$2" != Z ] && [ "${21}" = "$1" ]
}

# Whether a process group is there that only its owner can see: hosts may hide what
# others run. That we may not signal it is another answer than that it is gone.
is_hidden() {
    { read -r member </proc/1/stat; } 2>/dev/null && return 1
    case $(LC_ALL=C kill -0 "-$1" 2>&1) in *ot\ permitted*) return 0 ;; esac
    return 1
}

# Whether anything is in a session; it is in $left.
look_into() {
    left=$(members "$1")
    [ -n "$left" ] || ! is_hidden "$1" || left="$1 0 0 (hidden)"
    [ -n "$left" ]
}

# Ends a session: TERM to each of its processes, KILL when the grace is over. What then
# still runs, as it is another user's or cannot be killed, is in $left.
end_session() {
    naps=0 futile=0
    while look_into "$1"; do
        ours=
        # A group gets it all at once. What is begun later tidies up, and has time to.
        [ "$naps" -gt 0 ] || kill -TERM "-$1" 2>/dev/null
        while read -r member start group name; do
            kill -0 "$member" 2>/dev/null || continue
            ours=1
            if [ "$naps" -ge $((grace * rate / 10)) ]; then
                kill -KILL "$member" 2>/dev/null
            elif [ "$naps" -eq 0 ]; then
                [ "$group" = "$1" ] || kill -TERM "$member" 2>/dev/null
                # One that is stopped would not see it.
                kill -CONT "$member" 2>/dev/null
            fi
        done <<END
$left
END
        # One that has just ended cannot be signalled either, so it is looked at again.
        [ -n "$ours" ] || futile=$((futile + 1))
        [ "$futile" -lt 3 ] || return 1
        # What cannot be killed, in a broken mount for example, is not waited for.
        [ "$naps" -lt $((grace * rate / 10 + 10 * rate)) ] || return 1
        nap
        naps=$((naps + 1))
    done
}

# Notes what is left of a job's session, or that nothing is.
note_left() {
    if [ -n "$left" ]; then
        printf '%s\n' "$left" >"$1/left"
    else
        rm -f "$1/left"
    fi
}

# Those that were left of a job and still run are in $left.
look_at_left() {
    left=
    [ -s "$1/left" ] || return
    while read -r member start group name; do
        is_alive "$member" "$start" || { [ "$start" = 0 ] && is_hidden "$member"; } ||
            continue
        left="$left${left:+
}$member $start $group $name"
    done <"$1/left"
}

# Whether one of those in $left is known to be the job's: it was left of it, or has the
# variable that all commands of the action inherit.
is_known() {
    while read -r member start group name; do
        grep -qs "^$member $start " "$1/left" && return
        tr '\0' '\n' 2>/dev/null <"/proc/$member/environ" |
            grep -qxF "WORKSTREAM_IDEMPOTENCY_KEY=$key" && return
    done <<END
$left
END
    return 1
}

# Ends what a job has left that nobody looks after any more. What still runs then is in
# $left. So is a stranger, if it may be one: it is not ended, and nothing is begun beside.
clear_session() {
    left=
    [ -s "$1/pid" ] && read -r leader since on <"$1/pid" || return
    [ "$on" = "$(boot)" ] || return
    [ ! -d "$1/done" ] || [ -s "$1/left" ] || return
    if [ -e "/proc/$leader" ] && ! is_alive "$leader" "$since"; then
        # A zombie has its number still. With another start time it is another process,
        # and the number was free: nothing of the session is left.
        [ "$(identity "$leader")" = "$leader $since $on" ] || return
    fi
    look_into "$leader" || { note_left "$1"; return; }
    is_alive "$leader" "$since" || is_known "$1" || return
    end_session "$leader"
    note_left "$1"
}

# Tells what is in $left, in words that have a number and a name each.
tell_left() {
    [ -z "$left" ] ||
        say left $(printf '%s\n' "$left" | head -n 20 |
            sed -e 's/^\([0-9]*\) [0-9]* [0-9]* /\1:/' -e 's/[[:space:]*?[]/_/g')
}

# Runs a command as a job with a name, or finds the job of that name again.
#
# A job is a directory, and what is in it is its state. Each step is one file that comes
# into its place whole, or one directory that only one can make, so that whoever comes
# later, after whatever has died in between, can tell what was done:
#
#   supervisor       the name is taken: which process looks after the job, by number,
#                    start time and boot
#   begun/           the command may begin; who makes it first decides
#   pid              the leader of the command's session, before it begins
#   cancelled/       it was told to end
#   exit             its exit code
#   done/            nothing more will be done about the job
#   conditions/      it has creates, removes or unless
#   met/             and none of them has kept it from being begun; or else
#   skipped-.../     one has
#   left             what is left of its session, as another user's for example
#   out, err         what it wrote, if it is detached
#
# The caller has set:
#   op         run, or settle: find out about a job and begin nothing
#   name       the job's name
#   base       the same, without the number at its end
#   number     that number; those below it are of earlier attempts
#   key        the action's idempotency key
#   root       the directory that holds the jobs
#   detached   not empty: it goes on when the connection ends; otherwise it is ended
#   transient  not empty: a check, of which nothing is kept
#   grace      tenths of a second between TERM and KILL
#   stdin_size bytes of input that follow this program; empty: none
#   stored     bytes of the beginning, and of the end, that are kept of a long output
#   days       days for which finished jobs are kept
#   start      the program that becomes the command

# Whether the process that is noted in this file of the job still runs.
runs() {
    [ -s "$job/$1" ] || return 1
    read -r pid since on <"$job/$1" || return 1
    [ "$on" = "$(boot)" ] && is_alive "$pid" "$since"
}

cancel() {
    mkdir "$job/decided" 2>/dev/null || return 0
    mkdir "$job/cancelled"
    # Whoever makes this first decides whether the command begins at all.
    mkdir "$job/begun" 2>/dev/null && return
    naps=0
    while [ ! -s "$job/pid" ] && [ "$naps" -lt $((3 * rate)) ]; do
        nap
        naps=$((naps + 1))
    done
    # The number of a session is safe to use only as long as one of these runs.
    { runs supervisor || runs pid; } && read -r leader since on <"$job/pid" || return
    end_session "$leader"
    note_left "$job"
    tell_left
}

# The caller's end of the connection: a word, or its end, says what to do.
watch() {
    word=
    read -r word <&3
    if [ "$word" = end ] || [ -z "$detached" ]; then cancel; fi
}

# Passes on what the command writes to files, until the given test says it is over.
# One open file goes on where it stopped, so nothing need be counted.
follow() {
    exec 4<"$job/out" 5<"$job/err" || return
    while :; do
        over=
        "$@" && over=1
        cat <&4 || return
        cat <&5 >&2 || return
        [ -z "$over" ] || return 0
        nap
    done
}

is_done() { [ -d "$job/done" ]; }

# Whether a job that was told to end does not: what is left of it may not be ended.
stuck=
is_stuck() {
    if runs supervisor; then look_at_left "$job"; else clear_session "$job"; fi
    [ -z "$left" ] || stuck=1
    [ -n "$left" ]
}

# Whether nothing will happen any more to a job that another process looks after.
looks=0
is_settled() {
    is_done && return
    [ -d "$job" ] || return 0
    looks=$((looks + 1))
    [ $((looks % rate)) -eq 1 ] || [ "$rate" -eq 1 ] || return 1
    [ -d "$job/cancelled" ] && is_stuck && return
    runs supervisor && return 1
    runs pid && return 1
    is_done && return
    # Nobody looks after it. If it was not begun, now it never will be.
    mkdir "$job/begun" 2>/dev/null
    clear_session "$job"
    mkdir "$job/done" 2>/dev/null
    return 0
}

shorten() {
    size=$(wc -c <"$1") || return
    [ "$size" -gt $((stored * 2 + 4096)) ] || return
    {
        head -c "$stored" "$1"
        printf '\n[... %s bytes left out ...]\n' $((size - 2 * stored))
        tail -c "$stored" "$1"
    } >"$1.new" && mv -f "$1.new" "$1" || rm -f "$1.new"
}

# Whether the job came to its end before it was known if the command is to be run.
is_unmet() {
    [ -d "$job/conditions" ] && [ ! -d "$job/met" ] || return
    [ -d "$job/cancelled" ] || [ ! -s "$job/exit" ]
}

# Tells how the job stands, for the last time.
tell() {
    set --
    for word in cancelled no-directory no-program no-unless skipped-creates \
        skipped-removes skipped-unless; do
        [ -d "$job/$word" ] && set -- "$@" "$word"
    done
    tell_left
    if [ -n "$stuck" ]; then
        set -- left
    elif [ ! -d "$job" ]; then
        set -- missing
    elif [ ! -s "$job/pid" ] || is_unmet; then
        set -- unbegun
    elif [ -s "$job/exit" ]; then
        read -r code <"$job/exit"
        set -- exit "$code" "$@"
    else
        set -- lost
    fi
    [ -z "$transient" ] || rm -rf "$job"
    finish "$@"
}

# Removes jobs that were finished long ago; once a day is enough.
prune() {
    [ -z "$(find "$root/.pruned" -mtime -1 2>/dev/null)" ] || return
    true >"$root/.pruned" || return
    find "$root" -name done -mtime "+$days" | while read -r old; do
        rm -rf "${old%/done}"
    done
}

fail() {
    # By another name first: somebody may be about to claim this one.
    mv "$job" "$root/.failed-$token" 2>/dev/null || rm -rf "$job"
    rm -rf "$root/.failed-$token"
    finish fault "$1" "$(obstacle "$root")"
}

is_claimed() { [ -e "$job/supervisor" ]; }

# Takes the name; it fails if somebody has it already. A link is made whole or not at
# all, so nobody ever sees a name that is taken and not by whom.
claim() {
    is_claimed && return 1
    claimed= why=
    if identity $$ >"$job/.claim-$token"; then
        why=$(ln "$job/.claim-$token" "$job/supervisor" 2>&1) && claimed=1
    fi
    rm -f "$job/.claim-$token"
    [ -z "$claimed" ] || return 0
    is_claimed && return 1
    [ -z "$why" ] || printf '%s\n' "$why" >&2
    fail record
}

launch() {
    # The shell reads what to do from its input, so that no argument shows it.
    setsid /bin/sh -c 'eval "$(cat)"' sh "$job" "$mask" 3<&- 6>&- <<END
$start
END
}

supervise() {
    # Room for the exit code, should the disk be full by then.
    printf '%4096s' '' >"$job/reserve" || fail record
    if [ -n "$stdin_size" ]; then
        head -c "$stdin_size" <&3 >"$job/stdin" || fail input
        [ "$(wc -c <"$job/stdin")" -eq "$stdin_size" ] || fail input
    fi
    if [ -n "$detached" ]; then
        # Not by `:`, with which a shell would end if that fails.
        true >"$job/out" && true >"$job/err" || fail record
        follow is_done 3<&- &
        follower=$!
    fi
    say running
    watch &
    watcher=$!
    # What this shell itself has to say about how the command ended is for nobody.
    exec 6>&2 2>/dev/null
    if [ -n "$detached" ]; then
        launch >>"$job/out" 2>>"$job/err"
    else
        launch 2>&6
    fi
    code=$?
    exec 2>&6 6>&-
    mkdir "$job/decided" 2>/dev/null
    [ -s "$job/pid" ] && ended "$code"
    rm -f "$job/reserve"
    mkdir "$job/done" 2>/dev/null
    kill "$watcher" 2>/dev/null
    [ -z "$detached" ] || wait "$follower"
    tell
}

ended() {
    { printf '%s\n' "$1" >"$job/exit.new" && mv -f "$job/exit.new" "$job/exit"; } \
        2>/dev/null || {
        rm -f "$job/reserve"
        printf '%s\n' "$1" >"$job/exit.new" && mv -f "$job/exit.new" "$job/exit"
    }
    # What the command has left behind may have something to finish.
    read -r leader since on <"$job/pid"
    naps=0
    while look_into "$leader" && [ $((naps * 2)) -lt "$rate" ]; do
        nap
        naps=$((naps + 1))
    done
    [ -z "$left" ] || end_session "$leader"
    note_left "$job"
    [ -z "$detached" ] || { shorten "$job/out"; shorten "$job/err"; }
}

left=
command -v setsid >/dev/null || finish fault setsid
if [ -n "$transient" ]; then
    # A check must pass on a full disk too, so memory comes first.
    for place in "${XDG_RUNTIME_DIR:-/dev/shm}" /dev/shm "${TMPDIR:-/tmp}" "$root"; do
        job=$place/workstream-$name
        mkdir "$job" 2>/dev/null && break
        job=
    done
    [ -n "$job" ] || { job=$root/$name; mkdir -p "$job" || fail record; }
    claim || fail record
else
    job=$root/$name
    if [ "$op" = run ]; then
        mkdir -p "$job" || fail record
        # Nothing is begun beside what an earlier attempt has left.
        earlier=1
        until [ "$earlier" -ge "$number" ] || is_claimed; do
            clear_session "$root/$base-$earlier"
            [ -z "$left" ] || { rmdir "$job" 2>/dev/null; stuck=1; tell; }
            earlier=$((earlier + 1))
        done
        prune </dev/null >/dev/null 2>&1 3<&- &
    fi
    if [ "$op" = settle ] || ! claim; then
        say joined
        if [ -n "$detached" ]; then
            watch &
            watcher=$!
            until [ -e "$job/err" ] || is_settled; do nap; done
            # Without a caller it is of no interest how the job goes on.
            [ ! -e "$job/err" ] || follow is_settled || { kill "$watcher"; exit 1; }
            kill "$watcher" 2>/dev/null
        else
            [ ! -d "$job" ] || cancel
            until is_settled; do nap; done
        fi
        [ -n "$stuck" ] || look_at_left "$job"
        tell
    fi
fi
say fresh
supervise

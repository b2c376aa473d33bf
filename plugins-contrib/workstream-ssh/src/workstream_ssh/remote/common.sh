# What all remote programs share. The caller has set, in lines before this one:
#   token   a word of its own: what follows it on a line is for the caller to read

say() { printf '%s %s\n' "$token" "$*"; }

# The end of what the caller reads, on both streams. All else that may still be
# written, by a process that has detached itself, is not read any more.
finish() {
    printf '%s\n' "$token" >&2
    say end "$@"
    exit 0
}

# How much there is room for on the disk that a directory is on, in KiB.
room() {
    set -- $(df -Pk "$1" 2>/dev/null | tail -n 1)
    echo "${4:--}"
}

# What keeps us from writing into a directory, which may have yet to be made: that we
# may not, or else how much there is room for.
obstacle() {
    place=$1
    case $place in "$HOME" | "$HOME"/*) [ -d "$HOME" ] || { echo home; return; } ;; esac
    until [ -d "$place" ] || [ -z "$place" ]; do place=${place%/*}; done
    place=${place:-/}
    if [ -w "$place" ] && [ -x "$place" ]; then room "$place"; else echo denied; fi
}

# Not every sleep takes fractions.
rest=0.1 rate=10
nap() { sleep "$rest" 2>/dev/null || { rest=1 rate=1; sleep 1; }; }

mask=$(umask)
umask 077
exec 3<&0 </dev/null
# Scripts that a login shell reads may have said something already: it ends here.
printf '%s\n' "$token" >&2

# What the command's process does before it becomes the command. It is the leader of a
# process group of its own. Its arguments are the job's directory and the umask to have.

# Whoever makes this first decides: the command begins, or never does.
mkdir "$1/begun" 2>/dev/null || exit 125
{ identity $$ >"$1/pid.new" && mv -f "$1/pid.new" "$1/pid"; } || exit 125
umask "$2"
exec </dev/null
[ ! -e "$1/stdin" ] || exec <"$1/stdin"
rm -f "$1/stdin"
enter() { cd "$1" || { mkdir "$job/no-directory"; exit 126; }; }
find_program() {
    command -v "$1" >/dev/null && return
    printf '%s is not found in %s\n' "$1" "$PATH" >&2
    mkdir "$job/$2"
    exit 127
}
exists() { [ -e "$1" ] || [ -L "$1" ]; }
skip() {
    mkdir "$job/skipped-$1"
    exit 0
}
job=$1

# What the programs that copy share.

# The checksum of what comes in, and what kind it is: of the best program there is.
sum_kind() {
    for program in sha256sum shasum openssl; do
        command -v "$program" >/dev/null && { echo sha256; return; }
    done
    echo cksum
}
sum_of() {
    if command -v sha256sum >/dev/null; then
        set -- $(sha256sum)
    elif command -v shasum >/dev/null; then
        set -- $(shasum -a 256)
    elif command -v openssl >/dev/null; then
        set -- $(openssl dgst -sha256 -r)
    else
        set -- $(cksum)
    fi
    echo "$1"
}

# Permissions as an octal number, as Linux and as BSD have them told.
mode_of() { stat -c %a "$1" 2>/dev/null || stat -f %Lp "$1"; }

# What a link leads to is not ours to change, and the link itself is there for a reason.
refuse_link() {
    [ -L "$1" ] || return 0
    printf 'it leads to %s\n' "$(readlink "$1")" >&2
    finish fault link
}

# Whom a file belongs to, by number and by name.
owner_of() { stat -c '%u %g %U %G' "$1" 2>/dev/null || stat -f '%u %g %Su %Sg' "$1"; }

# What is to have no other owner than it has, has that one.
keep_owner() {
    set -- $(owner_of "$1")
    owner=${owner:-$1} group=${group:-$2}
}

# Whether a file has this owner and this group, each of which may be empty.
has_owner() {
    set -- "$2" "$3" $(owner_of "$1")
    { [ -z "$1" ] || [ "$1" = "$3" ] || [ "$1" = "$5" ]; } &&
        { [ -z "$2" ] || [ "$2" = "$4" ] || [ "$2" = "$6" ]; }
}

own() {
    has_owner "$1" "$2" "$3" && return
    chown -h "$2${3:+:$3}" "$1" && changed=1
}

# What is in a directory: a line for each directory, program, link and file; and its
# owner, if it is to have one.
list() (
    cd "$1" || exit
    find . ! -name . -type d -print | sed 's/^/d /'
    find . -type f -perm -100 -print | sed 's/^/x /'
    find . -type l -exec sh -c \
        'for link; do printf "l %s -> %s\n" "$link" "$(readlink "$link")"; done' sh {} +
    find . ! -type d ! -type f ! -type l -print | sed 's/^/? /'
    [ -z "$owner$group" ] || find . -exec sh -c '
        for path; do printf "o %s %s\n" "$(stat -c %u:%g:%U:%G "$path")" "$path"; done
        ' sh {} +
    if command -v sha256sum >/dev/null; then
        find . -type f -exec sha256sum {} + | sed 's/^/s /'
    else
        find . -type f -print | while IFS= read -r file; do
            printf 's %s  %s\n' "$(sum_of <"$file")" "$file"
        done
    fi
)

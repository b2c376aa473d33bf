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

# What is in a directory: a line for each directory, program, link and file.
list() (
    cd "$1" || exit
    find . ! -name . -type d -print | sed 's/^/d /'
    find . -type f -perm -100 -print | sed 's/^/x /'
    find . -type l -exec sh -c \
        'for link; do printf "l %s -> %s\n" "$link" "$(readlink "$link")"; done' sh {} +
    find . ! -type d ! -type f ! -type l -print | sed 's/^/? /'
    if command -v sha256sum >/dev/null; then
        find . -type f -exec sha256sum {} + | sed 's/^/s /'
    else
        find . -type f -print | while IFS= read -r file; do
            printf 's %s  %s\n' "$(sum_of <"$file")" "$file"
        done
    fi
)

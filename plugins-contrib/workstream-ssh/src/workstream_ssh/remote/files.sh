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

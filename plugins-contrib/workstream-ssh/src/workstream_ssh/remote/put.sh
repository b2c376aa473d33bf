# Takes in a file or a directory: beside its place first, then renamed into it.
#
# It tells what is there, is told what to do, takes in what follows, tells what it has
# got, and renames it when it is told that this is right. When the connection ends in
# between, nothing is left. The caller has set:
#   kind      file or tree
#   parent    the directory it belongs into
#   base      the name that it gets there
#   key       marks what attempts of this action leave; the name has more, so that an
#             attempt that has not noticed its end cannot spoil what a later one does
#   unique    this attempt's own word
#   size      how many bytes follow
#   mode      its permissions, octal
#   parents   not empty: make the directory above

target=$parent/$base
new=$parent/.workstream-$key-$unique

fail() {
    rm -rf "$new"
    finish fault "$1" "$(obstacle "$parent")"
}

[ -z "$parents" ] || (umask "$mask" && mkdir -p "$parent") || finish fault parents "$(obstacle "$parent")"
[ -d "$parent" ] || finish fault parent
if [ "$kind" = tree ]; then
    if [ -d "$target" ]; then
        say there "$(sum_kind)"
        list "$target"
    elif [ -e "$target" ] || [ -L "$target" ]; then
        finish fault file
    else
        say absent "$(sum_kind)"
    fi
    say ready
elif [ -d "$target" ]; then
    finish fault directory
elif [ -f "$target" ] && [ "$(wc -c <"$target")" -eq "$size" ]; then
    say there "$(sum_kind)" "$(sum_of <"$target")"
else
    say absent "$(sum_kind)"
fi

word=
read -r word <&3
case $word in
keep)
    [ "$kind" = tree ] || [ "$(mode_of "$target")" = "$mode" ] && finish kept
    chmod "$mode" "$target" || finish fault write
    finish changed
    ;;
send) ;;
*) exit 1 ;;
esac

rm -rf "$parent/.workstream-$key-"*
trap 'rm -rf "$new"' EXIT
trap 'exit 1' HUP INT TERM PIPE
if [ "$kind" = tree ]; then
    mkdir "$new" && head -c "$size" <&3 | tar -xpof - -C "$new" || fail write
    say got
    list "$new"
    say listed
else
    head -c "$size" <&3 >"$new" || fail write
    say got "$(sum_of <"$new")"
fi

word=
read -r word <&3
[ "$word" = commit ] || exit 1
chmod "$mode" "$new" || fail write
if [ "$kind" = tree ]; then
    find "$new" -type f -exec sync {} + 2>/dev/null
    [ ! -e "$target" ] || fail appeared
else
    sync "$new" 2>/dev/null
fi
mv -f "$new" "$target" || fail write
finish changed

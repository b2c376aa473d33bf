# Takes in a file or a directory: beside its place first, then renamed into it. In a
# directory that is there already, file by file; what else is in it stays.
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
#   mode      the permissions of what is new, octal
#   told      not empty: also of a file that is there
#   owner     whom it is to belong to; empty: whom it belongs to, or us
#   group     likewise
#   parents   not empty: make the directory above

target=$parent/$base
rest=.workstream-$key-
new=$parent/$rest$unique

fail() {
    rm -rf "$new"
    finish fault "$1" "$(obstacle "$parent")"
}

# Gives something its owner and its permissions; in this order, as a new owner takes
# some of the permissions away.
put_right() {
    own "$1" "$owner" "$group" || fail owner
    [ "$(mode_of "$1")" = "$2" ] && return
    chmod "$2" "$1" || fail write
    changed=1
}

# Puts a file of a directory into its place.
put_file() {
    place=$target/$1
    mode=$(mode_of "$new/$1") owner=$to_owner group=$to_group
    if [ -f "$place" ]; then
        # A program must be one there as well; all other permissions stay.
        { [ -x "$new/$1" ] && [ ! -x "$place" ]; } ||
            { [ ! -x "$new/$1" ] && [ -x "$place" ]; } || mode=$(mode_of "$place")
        keep_owner "$place"
    fi
    put_right "$new/$1" "$mode"
    mv -f "$new/$1" "$place" || fail write
}

# Does to a directory that is there what a list says.
update() {
    to_owner=$owner to_group=$group
    while IFS= read -r line; do
        path=${line#* }
        case $line in
        d*)
            mkdir "$target/$path" && chmod "$(mode_of "$new/$path")" "$target/$path" &&
                own "$target/$path" "$to_owner" "$to_group" || fail write
            ;;
        f*) put_file "$path" ;;
        l*)
            # Not into what the link that is there leads to.
            mv -fT "$new/$path" "$target/$path" 2>/dev/null || {
                rm -f "$target/$path" && mv -f "$new/$path" "$target/$path"
            } || fail write
            own "$target/$path" "$to_owner" "$to_group" || fail owner
            ;;
        x*) chmod "${path%% *}" "$target/${path#* }" || fail write ;;
        o*) own "$target/$path" "$to_owner" "$to_group" || fail owner ;;
        esac
    done <<END
$orders
END
}

[ -z "$parents" ] || (umask "$mask" && mkdir -p "$parent") ||
    finish fault parents "$(obstacle "$parent")"
[ -d "$parent" ] || finish fault parent "$(obstacle "$parent")"
refuse_link "$target"
if [ "$kind" = tree ]; then
    if [ -d "$target" ]; then
        say there "$(sum_kind)"
        list "$target"
    elif [ -e "$target" ]; then
        finish fault file
    else
        say absent "$(sum_kind)"
    fi
    say ready
elif [ -d "$target" ]; then
    finish fault directory
elif [ -f "$target" ]; then
    keep_owner "$target"
    [ -n "$told" ] || mode=$(mode_of "$target")
    if [ "$(wc -c <"$target")" -eq "$size" ]; then
        say there "$(sum_kind)" "$(sum_of <"$target")"
    else
        say absent "$(sum_kind)"
    fi
else
    say absent "$(sum_kind)"
fi

word= updates=
read -r word size <&3
case $word in
keep)
    changed=
    [ "$kind" = tree ] || put_right "$target" "$mode"
    [ -z "$changed" ] || finish changed
    finish kept
    ;;
update)
    # What is moved must be on the same disk, so it comes into the directory itself.
    new=$target/$rest$unique updates=1
    say orders
    orders=$(head -c "$size" <&3)
    say taken
    read -r word size <&3
    ;;
esac
[ "$word" = send ] || exit 1

rm -rf "${new%"$unique"}"*
trap 'rm -rf "$new"' EXIT
trap 'exit 1' HUP INT TERM PIPE
if [ "$kind" = tree ]; then
    mkdir "$new" && head -c "$size" <&3 | tar -xpof - -C "$new" || fail write
    say got
    list "$new"
    say listed
else
    true >"$new" || fail write
    own "$new" "$owner" "$group" || fail owner
    head -c "$size" <&3 >"$new" || fail write
    say got "$(sum_of <"$new")"
fi

word=
read -r word <&3
[ "$word" = commit ] || exit 1
if [ "$kind" = tree ]; then
    find "$new" -type f -exec sync {} + 2>/dev/null
    if [ -n "$updates" ]; then
        update
        finish changed
    fi
    [ -z "$owner$group" ] || chown -hR "$owner${group:+:$group}" "$new" || fail owner
    chmod "$mode" "$new" || fail write
    [ ! -e "$target" ] || fail appeared
else
    put_right "$new" "$mode"
    sync "$new" 2>/dev/null
fi
mv -f "$new" "$target" || fail write
finish changed

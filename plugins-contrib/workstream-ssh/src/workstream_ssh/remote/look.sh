# Looks at the place of a copy, and changes nothing. The caller has set:
#   kind      file or tree
#   parent    the directory it belongs into
#   base      the name that it gets there
#   size      how many bytes a file has: of one of another size no checksum is told
#   owner     whom it is to belong to; empty: whom it belongs to
#   group     likewise
#   parents   not empty: the directory above would be made

target=$parent/$base
refuse_link "$target"
if [ "$kind" = tree ] && [ -d "$target" ]; then
    say there "$(sum_kind)"
    list "$target"
    finish looked
elif [ "$kind" = file ] && [ -f "$target" ]; then
    there=$(wc -c <"$target" 2>/dev/null) || there=-1
    sum=- owned=owned
    [ "$there" -ne "$size" ] || sum=$(sum_of <"$target")
    has_owner "$target" "$owner" "$group" || owned=other
    say there "$(sum_kind)" $((there)) "$(mode_of "$target")" "$sum" "$owned"
    finish looked
elif [ -d "$target" ]; then
    finish fault directory
elif [ "$kind" = tree ] && [ -e "$target" ]; then
    finish fault file
elif [ -d "$parent" ]; then
    say absent
elif [ -n "$parents" ]; then
    say absent parents
else
    finish fault parent "$(obstacle "$parent")"
fi
finish looked

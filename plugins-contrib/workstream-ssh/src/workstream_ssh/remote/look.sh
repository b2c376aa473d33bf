# Looks at the place of a copy, and changes nothing. The caller has set:
#   kind      file or tree
#   parent    the directory it belongs into
#   base      the name that it gets there
#   size      how many bytes a file has: of one of another size no checksum is told
#   parents   not empty: the directory above would be made

target=$parent/$base
if [ "$kind" = tree ] && [ -d "$target" ]; then
    say there "$(sum_kind)"
    list "$target"
    finish looked
elif [ "$kind" = file ] && [ -f "$target" ]; then
    there=$(wc -c <"$target" 2>/dev/null) || there=-1
    sum=-
    [ "$there" -ne "$size" ] || sum=$(sum_of <"$target")
    say there "$(sum_kind)" $((there)) "$(mode_of "$target")" "$sum"
    finish looked
elif [ -d "$target" ]; then
    finish fault directory
elif [ "$kind" = tree ] && { [ -e "$target" ] || [ -L "$target" ]; }; then
    finish fault file
elif [ -d "$parent" ]; then
    say absent
elif [ -n "$parents" ]; then
    say absent parents
else
    finish fault parent
fi
finish looked

# Hands out a file. It tells its size, and its checksum if it is asked, before any of
# it is sent. The caller has set:
#   source    the file

[ ! -d "$source" ] || finish fault directory
[ -e "$source" ] || finish fault missing
[ -f "$source" ] || finish fault special
[ -r "$source" ] || finish fault unreadable
size=$(wc -c <"$source") || finish fault read
say file $((size)) "$(mode_of "$source")" "$(sum_kind)"
while word= && read -r word <&3; do
    case $word in
    sum) say sum "$(sum_of <"$source")" ;;
    send)
        say sending
        head -c "$size" "$source" || finish fault read
        finish sent "$(sum_of <"$source")"
        ;;
    *) exit ;;
    esac
done

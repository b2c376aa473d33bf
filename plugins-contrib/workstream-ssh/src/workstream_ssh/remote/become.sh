# Where a login begins that has become another user. It comes before all else: doas may
# leave us the HOME of the login, and its directory may be closed to us.

case $(id -un) in
*[!A-Za-z0-9._-]* | '') ;;
*) eval "HOME=~$(id -un)" ;;
esac
cd 2>/dev/null || cd /

#!/bin/bash
# POSIX ACLs over a mount, as on a local file system: run by uml-nfs with the mount in $MNT.
# Prints "PASS|FAIL step" for each.
export LC_ALL=C
umask 022
cd "$MNT" || exit 99
failed=0
step() {
  if (set -e; "$1") > /tmp/out 2>&1; then echo "PASS $1"; else echo "FAIL $1"; sed 's/^/  /' /tmp/out; failed=1; fi
}
as() { setpriv --reuid "$1" --regid "$1" --clear-groups "${@:2}"; }
forget() { echo 3 > /proc/sys/vm/drop_caches; }

# A shared group keeps its rights to what is made where a default list says so, whatever the umask.
inherits() {
  mkdir shared; setfacl -d -m g:4321:rwx,m::rwx shared
  echo x > shared/f; mkdir shared/d; [ "$(stat -c %a shared/f)" = 664 ]
  [ "$(on-server stat -c %a shared/f)" = 664 ]; [ "$(on-server stat -c %a shared/d)" = 775 ]
  on-server getfacl -cpn shared/f | grep -qx 'group:4321:rwx.*effective:rw-'
  on-server getfacl -cpn shared/d | grep -qx 'default:group:4321:rwx'
  mkdir plain; echo x > plain/f; [ "$(stat -c %a plain/f)" = 644 ]
  cp shared/f shared/copy; [ "$(stat -c %a shared/copy)" = 664 ]
}
# What is set is what the server's own tools show, and what the client shows.
same_on_both_sides() {
  echo x > f; chmod 640 f; setfacl -m u:1234:rw,u:77:r,g:4321:x f
  on-server getfacl -cpn f > /tmp/server; forget; getfacl -cpn f > /tmp/client
  cat /tmp/server; cmp /tmp/server /tmp/client; grep -qx user:1234:rw- /tmp/client
  on-server setfacl -m u:99:rwx f; sleep 3; forget; getfacl -cpn f | grep -qx user:99:rwx
  mkdir dir; setfacl -d -m u:5:rx dir; on-server getfacl -cpn dir > /tmp/server; getfacl -cpn dir > /tmp/client; cmp /tmp/server /tmp/client
  setfacl -k dir; [ "$(on-server getfacl -cpn dir | grep -c default)" = 0 ]
  setfacl -b f; [ "$(on-server getfacl -cpn f | grep -c .)" = 3 ]
  cp -p f g; setfacl -m u:1234:r g; cp -p g h; getfacl -cpn h | grep -qx user:1234:r--
}
# The kernel of the server decides by the list.
rights() {
  echo secret > r; chmod 600 r
  if as 1234 cat r; then return 1; fi
  setfacl -m u:1234:r r; as 1234 cat r
  if as 1235 cat r; then return 1; fi
  if as 1234 sh -c 'echo y > r'; then return 1; fi
  setfacl -m u:1234:rw r; as 1234 sh -c 'echo y > r'; grep -q y r
  setfacl -x u:1234 r
  sleep 4; if as 1234 cat r; then return 1; fi
}
# Only the owner changes a list, also by a call that no kernel of a client has looked at.
owner_only() {
  echo x > own; chown 1234:1234 own; chmod 644 own
  as 1234 setfacl -m u:77:rw own; getfacl -cpn own | grep -qx user:77:rw-
  if as 1235 setfacl -m u:1235:rw own; then return 1; fi
  [ "$(on-server getfacl -cpn own | grep -c user:1235)" = 0 ]
}
many_entries() {
  echo x > many; seq 10001 10400 | sed 's/.*/u:&:r/' | setfacl -M - many
  [ "$(on-server getfacl -cpn many | grep -c '^user:1')" = 400 ]; forget; [ "$(getfacl -cpn many | grep -c '^user:1')" = 400 ]
}
for t in inherits same_on_both_sides rights owner_only many_entries; do step $t; done
exit $failed

#!/bin/bash
# What an administrator does with mounts, by hand. The guest has no mount yet.
# Prints PASS or FAIL, step, seconds, remark.
set -u
FAILED=0
step() {
  local name=$1 start status
  start=$SECONDS
  ( set -e; "t_$name" ) > /tmp/step 2>&1
  status=$?
  if [ $status = 0 ]; then echo "PASS $name $((SECONDS - start)) $(tail -n 1 /tmp/step | cut -c1-150)"
  else echo "FAIL $name $((SECONDS - start)) status $status"; tail -n 15 /tmp/step | sed 's/^/     /'; FAILED=$((FAILED + 1)); fi
  cd /; awk '$3 ~ /^nfs/ { print $2 }' /proc/mounts | tac | while read -r m; do umount "$m"; done
}
# Bash opens no descriptor on the mount when it runs something there; a child with its cwd there would keep it busy.
DIR=$(on-server pwd)
on-server 'echo top > f; mkdir -p sub/deep; echo low > sub/deep/f; ln -s /etc escape; ln -s sub link; echo secret > ../secret' || exit 125
mkdir -p /mnt/a /mnt/b
vers() { grep " $1 nfs" /proc/mounts | grep -o 'vers=[0-9.]*' | head -1; }

# The lines that the server printed, as they are: of all exports, and of one by version 3.
t_banner_line() {
  local line; line=$(on-server 'grep -m1 "mount -t nfs" ../../server.log')
  [ "$line" = "  mount -t nfs $SERVER:/ /mnt" ]
  eval "$line"
  [ "$(vers /mnt)" = vers=4.2 ]; grep -q top "/mnt$DIR/f"; umount -R /mnt
  line=$(on-server 'grep -m1 "vers=3" ../../server.log')
  eval "$line"
  grep -q top /mnt/f; [ "$(vers /mnt)" = vers=3 ]; umount /mnt
  echo "$line"
}

# Without a version, mount.nfs takes the newest one. A server that lacks it says so, and mount.nfs
# goes on with the one before.
t_version_falls_back() {
  mount -t nfs -o retry=0 "$SERVER:$DIR" /mnt/a
  [ "$(vers /mnt/a)" = vers=4.2 ]; grep -q top /mnt/a/f
  umount /mnt/a
  on-server 'exe=$(tr "\\0" "\\n" < /proc/$(pgrep -xo ringnfs)/cmdline | head -1)
    setsid $exe serve --listen '"$SERVER"' --port 2050 --versions 3,4.0 --portmap off --squash none --memory 80M --state-dir $PWD/../state2 . > ../old.log 2>&1 & echo $! > ../old.pid
    for _ in $(seq 200); do grep -q vers=3 ../old.log && break; sleep 0.05; done; grep vers=3 ../old.log'
  mount -t nfs -o retry=0,port=2050 "$SERVER:/" /mnt/a
  [ "$(vers /mnt/a)" = vers=4.0 ]; grep -q top "/mnt/a$DIR/f"
  grep ' /mnt/a ' /proc/mounts | cut -c1-150
}
t_version_4_is_refused_at_once() {
  local start=$SECONDS
  if mount -t nfs -o vers=4.2,port=2050,retry=0 "$SERVER:/" /mnt/a; then return 1; fi
  [ $((SECONDS - start)) -lt 20 ]
  on-server 'kill $(cat ../old.pid)'
}
t_udp_mount_protocol() { mount -t nfs -o vers=3,nolock,proto=tcp,mountproto=udp,retry=0 "$SERVER:$DIR" /mnt/a; grep -q top /mnt/a/f; }
t_short_path() { mount -t nfs -o vers=3,nolock,retry=0 "$SERVER:/" /mnt/a; grep -q top /mnt/a/f; }

t_subdirectory() {
  mount -t nfs -o vers=3,nolock,retry=0 "$SERVER:$DIR/sub/deep" /mnt/a
  [ "$(cat /mnt/a/f)" = low ]
  mount -t nfs -o vers=3,nolock,retry=0 "$SERVER:$DIR/sub" /mnt/b
  [ "$(cat /mnt/b/deep/f)" = low ]
  [ ! -e /mnt/a/../../secret ]
}
t_no_way_out() {
  local p
  for p in "$DIR/.." "$DIR/escape" "$DIR/sub/../.." / /etc "$DIR/../secret" "$DIR/f/x" "$DIR/none" "$DIR/escape/passwd"; do
    [ "$p" = / ] && continue # the only export by its short name
    if mount -t nfs -o vers=3,nolock,retry=0 "$SERVER:$p" /mnt/a 2>/tmp/err; then
      ls -la /mnt/a; echo "$p could be mounted"; return 1
    fi
    cat /tmp/err
  done
}
t_file_is_no_mount() { if mount -t nfs -o vers=3,nolock,retry=0 "$SERVER:$DIR/f" /mnt/a; then [ -d /mnt/a ] && ls /mnt/a && return 1; fi; return 0; }

t_showmount() {
  showmount -e "$SERVER" | grep -F "$DIR"
  mount -t nfs -o vers=3,nolock,retry=0 "$SERVER:$DIR" /mnt/a
  showmount -a "$SERVER" > /tmp/all; cat /tmp/all
  grep -E "^($(ip -4 -o addr show vec0 | grep -o '10\.[0-9.]*' | head -1)|c1):$DIR\$" /tmp/all
  showmount -d "$SERVER" | grep -F "$DIR"
}
t_rpcinfo() {
  rpcinfo -p "$SERVER" > /tmp/rpcinfo; cat /tmp/rpcinfo
  grep -Eq '100003 +3 +tcp +2049' /tmp/rpcinfo; grep -Eq '100005 +3 +tcp' /tmp/rpcinfo; grep -Eq '100005 +3 +udp' /tmp/rpcinfo
  grep -Eq '100227 +3 +tcp +2049' /tmp/rpcinfo; grep -Eq '100000 +2 +tcp +111' /tmp/rpcinfo; grep -Eq '100000 +2 +udp +111' /tmp/rpcinfo
  rpcinfo -T tcp "$SERVER" 100003 3; rpcinfo -T udp "$SERVER" 100005 3; rpcinfo -T tcp "$SERVER" 100005 3
  rpcinfo -T tcp "$SERVER" 100003 4; grep -Eq '100003 +4 +tcp +2049' /tmp/rpcinfo
  if rpcinfo -T tcp "$SERVER" 100003 5; then return 1; fi
  rpcinfo -T tcp "$SERVER" 100003 5 2>&1 | grep -i 'low version = 3, high version = 4'
}

# What is changed on the server without it is seen at once by a client that does not cache.
t_behind_its_back() {
  mount -t nfs -o vers=3,nolock,noac,lookupcache=none,retry=0 "$SERVER:$DIR" /mnt/a; cd /mnt/a
  local i
  for i in 1 2 3; do on-server "echo round $i is longer each time $(printf "%0${i}0d" 0) > g"; [ "$(cat g)" = "round $i is longer each time $(printf "%0${i}0d" 0)" ]; done
  on-server 'chmod 604 g; touch -d 2001-01-01 g'; [ "$(stat -c %a g)" = 604 ]; [ "$(stat -c %Y g)" = "$(date -d 2001-01-01 +%s)" ]
  on-server 'mv g h'; [ ! -e g ]; [ -e h ]
  on-server 'rm h; mkdir h; echo in > h/x'; [ "$(cat h/x)" = in ]
  on-server 'mkdir new; touch new/1 new/2'; [ "$(ls new | tr '\n' ' ')" = '1 2 ' ]
  on-server 'rm new/1; touch new/3'; [ "$(ls new | tr '\n' ' ')" = '2 3 ' ]
  exec 9< f; on-server 'echo changed in place > f'; [ "$(cat <&9)" = 'changed in place' ]; exec 9<&-
  exec 9< f; on-server 'rm f; echo another > f'; if cat <&9 2>/tmp/err; then exec 9<&-; return 1; fi; exec 9<&-
  grep -i stale /tmp/err; [ "$(cat f)" = another ]; on-server 'echo top > f'
}

for t in banner_line version_falls_back version_4_is_refused_at_once udp_mount_protocol short_path subdirectory no_way_out file_is_no_mount \
  showmount rpcinfo behind_its_back; do step $t; done
exit $FAILED

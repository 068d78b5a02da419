#!/bin/bash
# The server inside the guest, whose kernel is the oldest that it supports, and that kernel's client on it.
# usage: oldest.sh RINGNFS
export LC_ALL=C
server=$1 dir=/tmp/served log=/tmp/served.log
mkdir -p $dir/sub/inner /tmp/other /mnt/served /mnt/all
mount -t tmpfs -o mode=1777,size=16m inner $dir/sub/inner # one of three exports lies in another
echo in > $dir/sub/inner/f; echo top > $dir/t; echo other > /tmp/other/o
ip link set lo up
"$server" serve --squash none --portmap off --memory 80M --state-dir /tmp/state $dir /tmp/other $dir/sub/inner > $log 2>&1 & pid=$!
until grep -q mount_nfs $log || ! kill -0 $pid; do sleep 0.1; done

step() { local name=$1 out; shift; if out=$("$@" 2>&1); then echo "PASS $name"; else echo "FAIL $name"; sed 's/^/  /' <<< "$out"; sed 's/^/  server: /' $log; failed=1; fi; }
banner() { grep -q '^kernel 6\.1\.' $log && grep -q 'without PBUF_RING_INC: needs Linux 6.12' $log && grep -q 'without RECVSEND_BUNDLE: needs Linux 6.10' $log; }
line() { sed -n "s|^ *\(mount -t nfs .*\) /mnt\$|\1 $2|p" $log | grep -m1 -- "$1" > /tmp/line && sh /tmp/line; } # as it is printed
mounts() { line "vers=3.*:$dir " /mnt/served; }
# All exports at once, with no option: the newest version, each export a file system of its own.
no_option() {
  line '127.0.0.1:/ ' /mnt/all && [ "$(cat /tmp/line)" = 'mount -t nfs 127.0.0.1:/ /mnt/all' ] || return 1
  grep ' /mnt/all nfs4 ' /proc/mounts | grep -q vers=4.2 || return 2
  cd /mnt/all/tmp && [ "$(echo *)" = 'other served' ] && [ "$(cat other/o served/t served/sub/inner/f)" = $'other\ntop\nin' ] || return 3
  [ "$(stat -c %d . other served served/sub served/sub/inner | uniq | wc -l)" = 4 ] || return 4
  [ "$(stat -c %i served/sub/inner)" = "$(stat -c %i $dir/sub/inner)" ] && [ "$(df --output=source served/sub/inner | tail -1)" = "127.0.0.1:$dir/sub/inner" ] || return 5
  echo new > served/sub/inner/g && [ "$(cat $dir/sub/inner/g)" = new ] && [ "$(ls served/sub/inner/..)" = inner ] || return 6
  if ln served/t served/sub/inner/l 2> /dev/null || rmdir served/sub/inner 2> /dev/null; then return 7; fi
  mv served/sub/inner/g served/g && [ "$(cat $dir/g)" = new ] && [ ! -e $dir/sub/inner/g ] && rm served/g || return 8
  exec 7> served/sub/inner/lock && flock 7 && exec 7>&- && rm served/sub/inner/lock || return 9
  cd / && umount -R /mnt/all
}
writes() { head -c 20000000 /dev/urandom > /tmp/src && cp /tmp/src /mnt/served/f && sync -f /mnt/served/f && cmp /tmp/src $dir/f; }
reads() { echo 3 > /proc/sys/vm/drop_caches; cmp /tmp/src /mnt/served/f; }
names() { cd /mnt/served && mkdir d && mv f d/g && ln d/g h && ln -s h s && [ "$(stat -c %h d/g)" = 2 ] && rm -r d h s && [ "$(echo *)" = 'sub t' ]; }
ends() { cd / && umount /mnt/served && kill -TERM $pid && wait $pid; }

failed=0
for s in banner no_option mounts writes reads; do step $s $s; done
step names bash -c "$(declare -f names); names"
# not in a subshell, which could not wait for the server
if ends > /tmp/ends 2>&1; then echo "PASS ends"; else echo "FAIL ends"; sed 's/^/  /' /tmp/ends $log; failed=1; fi
exit $failed

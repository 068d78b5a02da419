#!/bin/bash
# The server inside the guest, whose kernel is the oldest that it supports, and that kernel's client on it.
# usage: oldest.sh RINGNFS
export LC_ALL=C
server=$1 dir=/tmp/served log=/tmp/served.log
mkdir -p $dir /mnt/served
ip link set lo up
"$server" serve --squash none --portmap off --memory 80M --state-dir /tmp/state $dir > $log 2>&1 & pid=$!
until grep -q mount_nfs $log || ! kill -0 $pid; do sleep 0.1; done

step() { local name=$1 out; shift; if out=$("$@" 2>&1); then echo "PASS $name"; else echo "FAIL $name"; sed 's/^/  /' <<< "$out"; sed 's/^/  server: /' $log; failed=1; fi; }
banner() { grep -q '^kernel 6\.1\.' $log && grep -q 'without PBUF_RING_INC: needs Linux 6.12' $log && grep -q 'without RECVSEND_BUNDLE: needs Linux 6.10' $log; }
mounts() { sed -n 's/^ *\(mount -t nfs .*\) \/mnt$/\1 \/mnt\/served/p' $log > /tmp/line && [ -s /tmp/line ] && sh /tmp/line; }
writes() { head -c 20000000 /dev/urandom > /tmp/src && cp /tmp/src /mnt/served/f && sync -f /mnt/served/f && cmp /tmp/src $dir/f; }
reads() { echo 3 > /proc/sys/vm/drop_caches; cmp /tmp/src /mnt/served/f; }
names() { cd /mnt/served && mkdir d && mv f d/g && ln d/g h && ln -s h s && [ "$(stat -c %h d/g)" = 2 ] && rm -r d h s && [ -z "$(ls)" ]; }
ends() { cd / && umount /mnt/served && kill -TERM $pid && wait $pid; }

failed=0
for s in banner mounts writes reads; do step $s $s; done
step names bash -c "$(declare -f names); names"
# not in a subshell, which could not wait for the server
if ends > /tmp/ends 2>&1; then echo "PASS ends"; else echo "FAIL ends"; sed 's/^/  /' /tmp/ends $log; failed=1; fi
exit $failed

#!/bin/bash
# A file system that fills up, and one that is mounted read-only under the server.
# Prints PASS or FAIL, step, seconds, remark.
set -u
FAILED=0
step() {
  local name=$1 start=$SECONDS status
  ( set -e; "t_$name" ) > /tmp/step 2>&1
  status=$?
  if [ $status = 0 ]; then echo "PASS $name $((SECONDS - start)) $(tail -n 1 /tmp/step | cut -c1-150)"
  else echo "FAIL $name $((SECONDS - start)) status $status"; tail -n 15 /tmp/step | sed 's/^/     /'; FAILED=$((FAILED + 1)); fi
}
forget() { echo 3 > /proc/sys/vm/drop_caches; }

t_full() {
  head -c 3000000 /dev/urandom | dd of=keep bs=64k iflag=fullblock conv=fsync; local sum; sum=$(md5sum < keep)
  if dd if=/dev/zero of=fill bs=64k count=2000 conv=fsync 2> /tmp/err; then cat /tmp/err; return 1; fi
  cat /tmp/err; grep -qi 'no space left' /tmp/err
  forget; [ "$(md5sum < keep)" = "$sum" ]; [ "$(stat -c %s keep)" = 3000000 ]
  # with O_DIRECT nothing stands between the application and the status
  if dd if=/dev/zero of=direct bs=64k count=2000 oflag=direct 2> /tmp/err; then cat /tmp/err; return 1; fi
  grep -qi 'no space left' /tmp/err
  rm -f direct
}
t_full_of_names() {
  if python3 - <<'PY'
import os
os.mkdir('names')
for i in range(200000):
    os.symlink('x' * 200, 'names/%0200d' % i)
PY
  then return 1; fi 2> /tmp/err
  grep -i 'no space left' /tmp/err
  rm -rf names
}
t_space_comes_back() {
  rm -f fill
  echo again | dd of=again conv=fsync; forget; [ "$(cat again)" = again ]
  local free; free=$(df --output=avail -k . | tail -1); [ "$free" -gt 5000 ]; echo "$free KiB free"
}
t_read_only() {
  echo before | dd of=ro conv=fsync
  # refused as long as the server keeps a file open for writing that it served a moment ago
  on-server 'for i in $(seq 110); do mount -o remount,ro . 2> /dev/null && exit; sleep 0.5; done; exit 1'
  local c
  for c in 'touch new' 'mkdir dir' 'ln -s a b' 'rm ro' 'mv ro or' 'chmod 600 ro' 'truncate -s 0 ro' 'touch -d 2001-01-01 ro' 'mkfifo p' 'ln ro hard'; do
    if $c 2> /tmp/err; then echo "$c worked"; return 1; fi
    # what opens the file first is told by ACCESS already that it may not write
    grep -Eqi 'read-only file system|(open|touch).*permission denied' /tmp/err || { echo "$c: $(cat /tmp/err)"; return 1; }
  done
  if dd if=/dev/zero of=ro bs=4k count=1 conv=notrunc,fsync 2> /tmp/err; then return 1; fi
  forget; [ "$(cat ro)" = before ]; ls > /dev/null; stat -f . > /dev/null
  on-server 'mount -o remount,rw .'
  forget; echo after > ro; forget; [ "$(cat ro)" = after ]
}
for t in full full_of_names space_comes_back read_only; do step $t; done
exit $FAILED

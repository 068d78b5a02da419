#!/bin/bash
# Everything that changes something is refused on a read-only export. Prints PASS or FAIL.
on-server 'echo data > f; mkdir d; ln -s f l' || exit 125
for c in 'touch new' 'mkdir dir' 'ln -s a b' 'rm f' 'rmdir d' 'mv f g' 'chmod 600 f' 'chown 1 f' 'truncate -s 0 f' 'touch -d 2001-01-01 f' 'touch -h -d 2001-01-01 l' \
  'mkfifo p' 'mknod c c 1 3' 'ln f hard' 'dd if=/dev/zero of=f bs=4k count=1 conv=notrunc,fsync'; do
  if $c 2> /tmp/err; then echo "FAIL read_only_export 0 $c worked"; exit 1; fi
  # what opens the file first is told by ACCESS already that it may not write
  grep -Eqi 'read-only file system|(open|touch).*permission denied' /tmp/err || { echo "FAIL read_only_export 0 $c: $(cat /tmp/err)"; exit 1; }
done
[ "$(cat f)" = data ] && [ "$(readlink l)" = f ] && ls -la > /dev/null && echo PASS read_only_export 0

#!/bin/bash
# The workload of an ordinary user on an NFS mount. Prints "PASS|FAIL|SKIP step seconds remark"
# for each step; the exit status is the number of steps that failed.
#
# usage: smoke.sh [step...]     (no step: all of them), run by uml-nfs with the mount in $MNT
#
# TREE   the tree that cpinclude copies and compares (default /usr/include)
# REPO   the tree that git commits and clones (default /usr/include/linux)
# FILES  how many files the step dir creates (default 5000)
# BIGMB  size in MiB of the file of the step big (default 256)
# FIOMB  size in MiB of the smaller one of the two files of the step fio (default 32)
set -u
export LC_ALL=C GIT_CONFIG_GLOBAL=/tmp/gitconfig
umask 022
: "${TREE:=/usr/include}" "${REPO:=/usr/include/linux}" "${FILES:=5000}" "${BIGMB:=256}" "${FIOMB:=32}"
JOBFILES=$(realpath "$(dirname "$0")/../../../testdata/fio")
export FILES
FAILED=0
[ -d "${MNT:-}" ] && cd "$MNT" || exit 99
WORK=w.$(hostname).$$
mkdir "$WORK" && cd "$WORK" || exit 99
STEPS=" $* "

step() {
  local name=$1 start end seconds status
  [ "$STEPS" = "  " ] || [[ $STEPS == *" $name "* ]] || return 0
  start=${EPOCHREALTIME/./}
  ( set -e; "t_$name" ) >/tmp/step."$name" 2>&1
  status=$?
  end=${EPOCHREALTIME/./}
  seconds=$(( (end - start) / 1000000 )).$(( (end - start) / 100000 % 10 ))
  case $status in
    0) echo "PASS $name $seconds $(tail -n 1 /tmp/step."$name" | cut -c1-120)" ;;
    77) echo "SKIP $name $seconds $(tail -n 1 /tmp/step."$name" | cut -c1-120)" ;;
    *) echo "FAIL $name $seconds status $status"
       tail -n 20 /tmp/step."$name" | sed 's/^/     /'
       FAILED=$((FAILED + 1)) ;;
  esac
}
forget() { echo 3 > /proc/sys/vm/drop_caches; } # makes the client ask the server again

# Every kind of object made, renamed, linked, given attributes, removed.
t_basic() {
  mkdir d; echo hello > d/f; grep -q hello d/f
  mv d/f d/g; [ ! -e d/f ]
  ln d/g d/h; [ "$(stat -c %h d/g)" = 2 ]
  ln -s g d/s; forget; [ "$(readlink d/s)" = g ]; grep -q hello d/s
  chmod 640 d/g; [ "$(stat -c %a d/h)" = 640 ]
  rm d/g; [ "$(stat -c %h d/h)" = 1 ]
  mkfifo d/p; [ -p d/p ]; forget
  (echo through > d/p &); grep -q through d/p
  mknod d/c c 1 3; [ "$(stat -c %t:%T d/c)" = 1:3 ]; forget; cat d/c
  mknod d/b b 7 9; [ -b d/b ]; [ "$(stat -c %t:%T d/b)" = 7:9 ]
  python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("d/sock")'; [ -S d/sock ]
  chown 1000:1001 d/h; [ "$(stat -c %u:%g d/h)" = 1000:1001 ]
  touch -d '2001-02-03 04:05:06.123456789 UTC' d/h; forget
  [ "$(TZ=UTC stat -c %y d/h)" = '2001-02-03 04:05:06.123456789 +0000' ]
  chmod 4711 d/h; [ "$(stat -c %a d/h)" = 4711 ]
  truncate -s 12345 d/h; [ "$(stat -c %s d/h)" = 12345 ]
  if rmdir d 2>/dev/null; then return 1; fi
  rm -r d; [ ! -e d ]
  stat -f . ; df .
}

# The times of a symbolic link itself can be set, and leave its target alone.
t_linktimes() {
  echo x > target; touch -d '2010-01-01 UTC' target; ln -s target link
  touch -h -d '2001-02-03 04:05:06.5 UTC' link; forget
  [ "$(TZ=UTC stat -c %y link)" = '2001-02-03 04:05:06.500000000 +0000' ]
  [ "$(TZ=UTC stat -c %y target)" = '2010-01-01 00:00:00.000000000 +0000' ]
  chown -h 1000:1001 link; forget; [ "$(stat -c %u:%g link)" = 1000:1001 ]; [ "$(stat -c %u target)" = 0 ]
}

# Exclusive creation, use after unlink, append, rename over a file.
t_excl() {
  ( set -C; echo a > x )
  if ( set -C; echo b > x ) 2>/dev/null; then return 1; fi
  grep -q a x
  python3 - <<'PY'
import os, time
fd = os.open('y', os.O_CREAT|os.O_EXCL|os.O_RDWR, 0o600)
now = os.fstat(fd) # the server may have kept the client's verifier in the times
assert abs(now.st_mtime - time.time()) < 3600 and abs(now.st_atime - time.time()) < 3600, now
os.close(fd)
open('/proc/sys/vm/drop_caches', 'w').write('3')
now = os.stat('y')
assert abs(now.st_mtime - time.time()) < 3600 and now.st_mode & 0o7777 == 0o600, now
assert os.stat('y').st_mode & 0o7777 == 0o600
try:
    os.open('y', os.O_CREAT|os.O_EXCL|os.O_RDWR)
    raise SystemExit('an existing file was created exclusively')
except FileExistsError:
    pass
fd = os.open('z', os.O_CREAT|os.O_RDWR, 0o444)
os.write(fd, b'1'); os.unlink('z'); os.write(fd, b'2'); os.lseek(fd, 0, 0)
assert os.read(fd, 9) == b'12'
os.close(fd)
for _ in range(1000): # the client does not wait for the removal of what it has renamed
    if not [n for n in os.listdir('.') if n.startswith('.nfs')]: break
    time.sleep(0.1)
else:
    raise SystemExit(os.listdir('.'))
a = os.open('ap', os.O_CREAT|os.O_WRONLY|os.O_APPEND)
for i in range(10):
    os.write(a, b'x'*10)
os.close(a)
assert os.stat('ap').st_size == 100
os.rename('ap', 'y')
assert os.stat('y').st_size == 100
PY
}

# A large directory: made, listed from the server, looked at with attributes, removed.
t_dir() {
  mkdir many
  python3 - <<'PY'
import os
for i in range(int(os.environ['FILES'])):
    open('many/file-with-a-longer-name-%05d' % i, 'w').close()
PY
  [ "$(ls -U many | wc -l)" = "$FILES" ]
  forget; [ "$(ls -f many | sort -u | wc -l)" = $((FILES + 2)) ]
  forget; ls -l many > /tmp/ls; [ "$(grep -c file-with /tmp/ls)" = "$FILES" ]
  [ "$(find many -type f | wc -l)" = "$FILES" ]
  rm -r many; [ ! -e many ]
  echo "$FILES files"
}

# One large file, through the page cache and with O_DIRECT, compared with its source.
t_big() {
  head -c $((BIGMB << 20)) /dev/urandom > "$OUT/src"
  local sum; sum=$(md5sum < "$OUT/src")
  dd if="$OUT/src" of=big bs=1M conv=fsync 2>/tmp/w
  forget; dd if=big of=/dev/null bs=1M 2>/tmp/r
  [ "$(md5sum < big)" = "$sum" ]; rm big
  dd if="$OUT/src" of=bigd bs=1M oflag=direct 2>/tmp/wd
  dd if=bigd bs=1M iflag=direct 2>/tmp/rd | md5sum > /tmp/md
  [ "$(cat /tmp/md)" = "$sum" ]; rm bigd "$OUT/src"
  rate() { sed -n 's/.*, //p' "$1"; }
  echo "$BIGMB MiB: write+fsync $(rate /tmp/w) read $(rate /tmp/r) O_DIRECT w $(rate /tmp/wd) r+md5 $(rate /tmp/rd)"
}

# Writes of odd sizes at odd places with truncations between them, against a copy in memory.
t_oddio() {
  python3 - <<'PY'
import os, random
seed = random.randrange(1 << 32); print('seed', seed); random.seed(seed)
ref = bytearray(3 << 20)
fd = os.open('odd', os.O_CREAT|os.O_RDWR)
os.ftruncate(fd, len(ref))
for i in range(600):
    o = random.randrange(len(ref)-70000); b = random.randbytes(random.randrange(1, 70000))
    ref[o:o+len(b)] = b; os.pwrite(fd, b, o)
    if i % 50 == 0:
        os.fsync(fd); t = random.randrange(1 << 20, 3 << 20)
        os.ftruncate(fd, t); os.ftruncate(fd, len(ref)); ref[t:] = bytes(len(ref)-t)
os.fsync(fd); os.close(fd)
open('/proc/sys/vm/drop_caches', 'w').write('3')
assert open('odd', 'rb').read() == ref, 'content differs'
PY
}

# A file written and read through a mapping.
t_mmap() {
  python3 - <<'PY'
import mmap, os
fd = os.open('mm', os.O_CREAT|os.O_RDWR); os.ftruncate(fd, 1 << 20)
m = mmap.mmap(fd, 1 << 20); m[5000:5005] = b'abcde'; m[-4:] = b'tail'; m.flush(); m.close(); os.close(fd)
open('/proc/sys/vm/drop_caches', 'w').write('3')
fd = os.open('mm', os.O_RDONLY); m = mmap.mmap(fd, 0, prot=mmap.PROT_READ)
assert m[5000:5005] == b'abcde' and m[-4:] == b'tail' and len(m) == 1 << 20 and m[:5000] == bytes(5000)
PY
}

# Byte-range locks, flock and OFD locks (with nolock they are the client's own).
t_locks() {
  python3 - <<'PY'
import errno, fcntl, os, struct, time
def blocked(pid): # by a lock, says the kernel
    return any('->' in l and ' %d ' % pid in l for l in open('/proc/locks'))
f = open('lk', 'w+b'); f.write(b'x'*100); f.flush()
fcntl.lockf(f, fcntl.LOCK_EX|fcntl.LOCK_NB, 50, 10)
pid = os.fork()
if pid == 0:
    g = open('lk', 'r+b')
    try:
        fcntl.lockf(g, fcntl.LOCK_EX|fcntl.LOCK_NB, 20, 40); os._exit(1)
    except OSError as e:
        assert e.errno in (errno.EAGAIN, errno.EACCES)
    fcntl.lockf(g, fcntl.LOCK_EX|fcntl.LOCK_NB, 10, 80)
    r = fcntl.fcntl(g, fcntl.F_GETLK, struct.pack('hhqqi4x', fcntl.F_WRLCK, 0, 0, 20, 0))
    assert struct.unpack('hhqqi4x', r)[0] == fcntl.F_WRLCK
    fcntl.lockf(g, fcntl.LOCK_EX, 50, 10)   # blocks till the parent unlocks
    os._exit(0 if os.path.exists('/tmp/unlocking') else 2)
while not blocked(pid):
    if os.waitpid(pid, os.WNOHANG)[0]: raise SystemExit('it did not wait for the lock')
    time.sleep(0.05)
open('/tmp/unlocking', 'w').close()
fcntl.lockf(f, fcntl.LOCK_UN, 50, 10)
assert os.waitpid(pid, 0)[1] == 0
o = open('ofd', 'w+b'); F_OFD_SETLK = 37
fcntl.fcntl(o, F_OFD_SETLK, struct.pack('hhqqi4x', fcntl.F_WRLCK, 0, 0, 10, 0))
PY
  flock -n lk2 true
  flock lk2 bash -c '! flock -n lk2 true'
}

# A tree copied with its metadata and compared: names, kinds, modes, owners, sizes, times, link targets, data.
t_cpinclude() {
  listing() { ( cd "$1" && find . -printf '%p %y %m %U %G %s %T@ %l\n' | sed 's/ d \([0-7]*\) \([0-9]*\) \([0-9]*\) [0-9]*/ d \1 \2 \3/' | sort ); }
  cp -a "$TREE" inc
  forget
  diff -r --no-dereference "$TREE" inc
  listing "$TREE" > /tmp/a; listing inc > /tmp/b
  diff /tmp/a /tmp/b | head -6; cmp /tmp/a /tmp/b
  echo "$(wc -l < /tmp/a) entries, $(du -sm inc | cut -f1) MB"
  rm -r inc
}

# A repository: commit, clone over the object transport, fsck, gc.
t_git() {
  git config --global user.email a@b; git config --global user.name n; git config --global init.defaultBranch main
  git init -q r; cp -r "$REPO" r/tree
  git -C r add -A; git -C r commit -qm x
  git clone -q --no-local r r2
  [ -z "$(git -C r2 status --short)" ]; git -C r2 fsck --full --strict
  diff -r r/tree r2/tree; git -C r2 gc -q; git -C r2 fsck --full
  rm -rf r r2
}

# A database in its rollback journal mode, with several writers at once.
t_sqlite() {
  sqlite3 t.db "create table t(a integer primary key,b);
    with recursive c(x) as (select 1 union all select x+1 from c where x<20000) insert into t select x,hex(randomblob(20)) from c;"
  local i k q pids=
  for i in 1 2 3 4 5 6 7 8; do sqlite3 t.db ".timeout 20000" "begin immediate; update t set b=b||'$i' where a%97=$i; commit"; done
  for i in 1 2 3; do
    ( for k in 1 2 3 4 5; do sqlite3 -cmd '.timeout 60000' t.db "insert into t(b) values('p$i$k')"; done ) & pids="$pids $!"
  done
  for q in $pids; do wait "$q"; done
  [ "$(sqlite3 t.db 'pragma integrity_check')" = ok ]
  [ "$(sqlite3 t.db 'select count(*) from t')" = 20015 ]
}

# fio with verification: through the page cache, and deep with O_DIRECT.
t_fio() {
  fio --name=v --filename=fiof --size="$FIOMB"m --rw=randrw --bsrange=512-128k --ioengine=psync --verify=crc32c --verify_fatal=1 --do_verify=1 --randrepeat=0 --runtime=40 --output=/tmp/fio
  fio --name=d --filename=fiod --size=$((2 * FIOMB))m --rw=randwrite --bs=64k --ioengine=libaio --iodepth=16 --direct=1 --verify=crc32c --verify_fatal=1 --do_verify=1 --randrepeat=0 --output=/tmp/fio2
  rm fiof fiod
  grep -h 'err=' /tmp/fio /tmp/fio2 | tr '\n' ' '
}
# The job files that users have, with little to do; verify.fio compares what it reads.
t_fiojobs() {
  local job
  mkdir fiojobs
  for job in "$JOBFILES"/*.fio; do
    env SIZE=8m RUNTIME=500ms JOBS=2 fio --aux-path=/tmp --output=/tmp/fiojob --directory="$PWD/fiojobs" "$job" || { cat /tmp/fiojob; return 1; }
    grep -h 'err=' /tmp/fiojob | grep -v 'err= 0' && return 1
    [ -z "$(ls -A fiojobs)" ]
  done
  rmdir fiojobs
  echo "$(ls "$JOBFILES"/*.fio | wc -l) job files"
}
t_iouring() {
  fio --name=u --filename=fiou --size=32m --rw=randwrite --bs=64k --ioengine=io_uring --iodepth=16 --direct=1 --verify=crc32c --verify_fatal=1 --do_verify=1 --randrepeat=0 --output=/tmp/fio
  rm fiou; grep 'err=' /tmp/fio
}

# What version 3 does not have must be refused cleanly, not done wrongly.
t_fallocate() {
  python3 - <<'PY'
import os
fd = os.open('fa', os.O_CREAT|os.O_RDWR)
os.posix_fallocate(fd, 0, 1 << 20)
assert os.fstat(fd).st_size == 1 << 20
os.pwrite(fd, b'q'*8192, 0); os.fsync(fd)
d = os.open('fc', os.O_CREAT|os.O_RDWR)
n = 0
try:
    n = os.copy_file_range(fd, d, 1 << 20)
except OSError as e:
    print('copy_file_range:', e)
assert os.fstat(d).st_size == n and os.pread(d, 8192, 0) == (b'q'*8192)[:n]
PY
}

only42() { [ "$VERS" = 4.2 ] || { echo 'NFS 4.2 has it'; exit 77; }; }

# What version 4.2 adds: a clone, and copies that do not pass through the client.
t_clone() {
  only42
  python3 - <<'PY'
import errno, fcntl, os, random, struct
FICLONE, FICLONERANGE = 0x40049409, 0x4020940d
data = random.randbytes(1 << 20)
a = os.open('ca', os.O_CREAT|os.O_RDWR); os.write(a, data); os.fsync(a)
b = os.open('cb', os.O_CREAT|os.O_RDWR)
fcntl.ioctl(b, FICLONE, a)
assert os.fstat(b).st_size == len(data) and os.pread(b, 1 << 20, 0) == data
os.pwrite(b, b'z' * 4096, 0); os.fsync(b)
assert os.pread(a, 4096, 0) == data[:4096] and os.pread(b, 1 << 20, 0) == b'z' * 4096 + data[4096:]
fcntl.ioctl(b, FICLONERANGE, struct.pack('qQQQ', a, 65536, 131072, 2 << 20))
assert os.fstat(b).st_size == (2 << 20) + 131072 and os.pread(b, 131072, 2 << 20) == data[65536:65536+131072]
try:
    fcntl.ioctl(b, FICLONERANGE, struct.pack('qQQQ', a, 1, 10, 0)); raise SystemExit('cloned what is not aligned')
except OSError as e:
    assert e.errno == errno.EINVAL, e
c = os.open('cc', os.O_CREAT|os.O_RDWR)
assert os.copy_file_range(a, c, len(data), 0, 100) == len(data)
assert os.pread(c, 1 << 21, 0) == bytes(100) + data
PY
  grep -q ' COPY: [1-9]' /proc/self/mountstats; grep -q ' CLONE: [1-9]' /proc/self/mountstats
}

# Holes: made, punched, found.
t_sparse() {
  only42
  python3 - <<'PY'
import ctypes, errno, os
libc = ctypes.CDLL(None, use_errno=True)
libc.fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]
def falloc(fd, mode, off, n):
    if libc.fallocate(fd, mode, off, n):
        raise OSError(ctypes.get_errno(), 'fallocate')
fd = os.open('sp', os.O_CREAT|os.O_RDWR); M = 1 << 20
for at in (0, 4*M):
    os.pwrite(fd, b'd' * M, at)
os.ftruncate(fd, 8*M); os.fsync(fd)
seek = lambda off, how: os.lseek(fd, off, how)
assert seek(0, os.SEEK_DATA) == 0 and seek(0, os.SEEK_HOLE) == M, seek(0, os.SEEK_HOLE)
assert seek(M, os.SEEK_DATA) == 4*M and seek(4*M, os.SEEK_HOLE) == 5*M and seek(6*M, os.SEEK_HOLE) == 6*M
try:
    seek(6*M, os.SEEK_DATA); raise SystemExit('data in the hole at the end')
except OSError as e:
    assert e.errno == errno.ENXIO
falloc(fd, 3, 4*M + 65536, 65536) # punch, keep the size
assert os.pread(fd, 131072, 4*M + 65536) == bytes(65536) + b'd' * 65536 and seek(4*M, os.SEEK_HOLE) == 4*M + 65536
before = os.fstat(fd).st_blocks
falloc(fd, 0, 5*M, 3*M)
assert os.fstat(fd).st_blocks >= before + 3*M//512 and os.pread(fd, 10, 7*M) == bytes(10)
PY
}

# Extended attributes of users.
t_xattrs() {
  only42
  python3 - <<'PY'
import errno, os
open('xa', 'w').close(); os.mkdir('xd')
for name in ('xa', 'xd'):
    for i in range(20):
        os.setxattr(name, 'user.n%d' % i, b'v' * i * 10)
    assert sorted(os.listxattr(name)) == sorted('user.n%d' % i for i in range(20)), os.listxattr(name)
    assert os.getxattr(name, 'user.n7') == b'v' * 70
    os.setxattr(name, 'user.n7', b'new', os.XATTR_REPLACE)
    assert os.getxattr(name, 'user.n7') == b'new'
    for call, want in ((lambda: os.setxattr(name, 'user.n7', b'', os.XATTR_CREATE), errno.EEXIST),
                       (lambda: os.setxattr(name, 'user.none', b'', os.XATTR_REPLACE), errno.ENODATA),
                       (lambda: os.getxattr(name, 'user.none'), errno.ENODATA)):
        try:
            call(); raise SystemExit('no error')
        except OSError as e:
            assert e.errno == want, e
    os.removexattr(name, 'user.n7')
    assert 'user.n7' not in os.listxattr(name)
PY
}

# The server decides who may read: owner, others, supplementary groups.
t_perm() {
  as() { setpriv --reuid "$1" --regid "$1" "${@:2}"; }
  mkdir p; chmod 700 p; echo s > p/f
  if as 1234 --clear-groups cat p/f 2>/dev/null; then return 1; fi
  chmod 755 p; chmod 600 p/f
  if as 1234 --clear-groups cat p/f 2>/dev/null; then return 1; fi
  chmod 644 p/f; as 1234 --clear-groups cat p/f
  chgrp 4321 p/f; chmod 640 p/f
  if as 1234 --clear-groups cat p/f 2>/dev/null; then return 1; fi
  as 1234 --groups 4321 cat p/f
}

for t in basic linktimes excl dir big oddio mmap locks cpinclude git sqlite fallocate clone sparse xattrs fio fiojobs iouring perm; do step $t; done
cd .. && rm -rf "$WORK" || { echo "FAIL cleanup 0 status $?"; FAILED=$((FAILED + 1)); }
exit $FAILED

#!/usr/bin/env python3
# Two clients of one server, on files that both have open: what one has closed the other sees, and what
# one has locked the other cannot lock, also when the server is killed meanwhile. The first client tells
# the story. The second one does what it is asked: peer(function, arguments) runs a function there, and
# later(...) does so without waiting. Prints PASS or FAIL, step, seconds, remark.
import errno, fcntl, json, os, random, struct, subprocess, sys, threading, time

START = time.time()
CALLS = '/run/sync/peer'
SHARED, EXCLUSIVE, NONE = fcntl.F_RDLCK, fcntl.F_WRLCK, fcntl.F_UNLCK
DENIED = (errno.EAGAIN, errno.EACCES)
failed = 0


# ---------------------------------------------------------------- what both clients can do
def opened(name, flags=os.O_RDWR | os.O_CREAT):
    return os.open(name, flags, 0o644)


def flock(command, fd, kind, start, length):
    return struct.unpack('hhqqi4x', fcntl.fcntl(fd, command, struct.pack('hhqqi4x', kind, 0, start, length, 0)))


def lock(fd, kind, start, length):
    """Locks, or reports that it is denied."""
    try:
        flock(fcntl.F_SETLK, fd, kind, start, length)
        return True
    except OSError as e:
        if e.errno not in DENIED:
            raise
        return False


def wait(fd, kind, start, length):
    """Waits for a lock, and says how long that took."""
    began = time.time()
    flock(fcntl.F_SETLKW, fd, kind, start, length)
    return time.time() - began


def holder(fd, kind, start, length):
    """The lock that is in the way: kind, start, length; None if none is."""
    kind, _, start, length, _ = flock(fcntl.F_GETLK, fd, kind, start, length)
    return None if kind == NONE else [kind, start, length]


def unlock(fd, start=0, length=0):
    flock(fcntl.F_SETLK, fd, NONE, start, length)


def read(fd, n=1000, start=0):
    return os.pread(fd, n, start).decode()


def write(fd, text, start=0):
    os.pwrite(fd, text.encode(), start)


def touch(fd):
    os.pwrite(fd, b'z', 99)
    os.fsync(fd)


def whole(name):
    with open(name) as f:
        return f.read()


def put(name, text):
    with open(name, 'w') as f:
        f.write(text)


def append(name, text):
    with open(name, 'a') as f:
        f.write(text)


def exists(name):
    """Whether the directory lists a name. A stat, and an open of what is known, need not ask the server."""
    return name in os.listdir('.')


def size(fd):
    return os.fstat(fd).st_size


def add(name, times):
    """Adds 1 to the number in a file, again and again, under a lock of that file."""
    fd = opened(name, os.O_RDWR)
    for _ in range(times):
        flock(fcntl.F_SETLKW, fd, EXCLUSIVE, 0, 0)
        n = int(os.pread(fd, 20, 0))
        os.pwrite(fd, b'%019d\n' % (n + 1), 0)
        unlock(fd)
    os.close(fd)


def mount(*options):
    """Mounts the export once more, and returns where."""
    at = '/mnt/other'
    os.makedirs(at, exist_ok=True)
    where = os.environ['SERVER'] + ':' + os.environ['EXPORT']
    subprocess.run(['mount', '-t', 'nfs', '-o', ','.join(options), where, at], check=True)
    return at


def unmount(at):
    subprocess.run(['umount', at], check=True)


# ---------------------------------------------------------------- the second client
def to_host(path, value):
    with open(path + '.new', 'w') as f:
        json.dump(value, f)
        f.flush()
        os.fsync(f.fileno())
    os.rename(path + '.new', path)


def serve():
    def run(n, name, args):
        try:
            answer = {'result': globals()[name](*args)}
        except BaseException as e:
            answer = {'error': repr(e)}
        to_host('%s/%d.answer' % (CALLS, n), answer)

    n = 0
    while True:
        path = '%s/%d.call' % (CALLS, n)
        while not os.path.exists(path):
            time.sleep(0.02)
        with open(path) as f:
            name, args = json.load(f)
        print(n, name, flush=True)  # a client that says nothing for long is taken for one that hangs
        if name == 'end':
            return
        threading.Thread(target=run, args=(n, name, args), daemon=True).start()
        n += 1


class later:
    """A call of the second client that goes on there."""
    count = 0

    def __init__(self, function, *args):
        self.n, later.count = later.count, later.count + 1
        to_host('%s/%d.call' % (CALLS, self.n), [function if isinstance(function, str) else function.__name__, args])

    def done(self):
        return os.path.exists('%s/%d.answer' % (CALLS, self.n))

    def result(self):
        while not self.done():
            time.sleep(0.02)
        with open('%s/%d.answer' % (CALLS, self.n)) as f:
            answer = json.load(f)
        if 'error' in answer:
            raise RuntimeError('the other client: ' + answer['error'])
        return answer['result']


def peer(function, *args):
    return later(function, *args).result()


# ---------------------------------------------------------------- the server's machine
def on_server(command):
    return subprocess.run(['on-server', command], check=True, stdout=subprocess.PIPE).stdout.decode()


def local(name, *locks):
    """Which of some locks (kind, start, length) a program of the server's machine can have, one at a time."""
    code = ('import fcntl,os,struct\nfd=os.open("%s",os.O_RDWR)\nfor k,s,n in %s:\n'
            '  try:\n    for k in (k,%d): fcntl.fcntl(fd,fcntl.F_SETLK,struct.pack("hhqqi4x",k,0,s,n,0))\n    print(1)\n'
            '  except OSError as e: print(0 if e.errno in %s else e)\n' % (name, list(locks), NONE, DENIED))
    return [bool(int(line)) for line in on_server("python3 -c '%s'" % code).split()]


def kill():
    subprocess.run(['kill-server'], check=True)


# ---------------------------------------------------------------- the steps
def close_to_open():
    put('a', 'one')
    assert peer(whole, 'a') == 'one'
    for i in range(10):
        peer(append, 'a', ' %d' % i)
        append('a', '!')
    want = 'one' + ''.join(' %d!' % i for i in range(10))
    assert whole('a') == want and peer(whole, 'a') == want
    os.rename('a', 'b')
    assert not peer(exists, 'a')
    have = peer(whole, 'b')
    assert have == want, have
    peer(put, 'b', 'short')
    assert whole('b') == 'short'


def conflicts():
    fd, other = opened('lk'), peer(opened, 'lk')
    top = (1 << 63) - 1
    # kind and range here, kind and range there, granted
    for k, s, n, k2, s2, n2, ok in (
            (EXCLUSIVE, 0, 10, EXCLUSIVE, 10, 10, True), (EXCLUSIVE, 0, 10, EXCLUSIVE, 9, 1, False),
            (EXCLUSIVE, 0, 10, SHARED, 0, 1, False), (SHARED, 0, 10, SHARED, 5, 10, True),
            (SHARED, 0, 10, EXCLUSIVE, 5, 10, False), (EXCLUSIVE, 100, 0, EXCLUSIVE, 1 << 40, 1, False),
            (EXCLUSIVE, 100, 0, EXCLUSIVE, 99, 1, True), (EXCLUSIVE, 100, 0, EXCLUSIVE, 99, 2, False),
            (EXCLUSIVE, top - 1, 1, EXCLUSIVE, top, 0, True), (EXCLUSIVE, top - 1, 0, SHARED, top, 0, False),
            (SHARED, 0, 0, SHARED, 0, 0, True), (SHARED, 0, 0, EXCLUSIVE, 1 << 62, 1, False)):
        assert lock(fd, k, s, n)
        got = peer(lock, other, k2, s2, n2)
        assert got == ok, (k, s, n, k2, s2, n2, got)
        if not ok:
            assert peer(holder, other, k2, s2, n2) == [k, s, n], peer(holder, other, k2, s2, n2)
        unlock(fd)
        assert ok or peer(lock, other, k2, s2, n2)
        peer(unlock, other)
    # a hole in the middle, an upgrade, a downgrade, and what is merged
    assert lock(fd, EXCLUSIVE, 0, 100)
    unlock(fd, 40, 20)
    assert peer(lock, other, EXCLUSIVE, 40, 20) and not peer(lock, other, SHARED, 39, 1)
    assert not peer(lock, other, SHARED, 60, 1) and not lock(fd, SHARED, 0, 100)
    peer(unlock, other)
    assert lock(fd, SHARED, 0, 100) and peer(lock, other, SHARED, 0, 100)
    assert not lock(fd, EXCLUSIVE, 50, 1)
    peer(unlock, other)
    assert lock(fd, EXCLUSIVE, 50, 1) and peer(holder, other, EXCLUSIVE, 45, 10) == [SHARED, 0, 50]
    assert lock(fd, EXCLUSIVE, 0, 50) and peer(holder, other, SHARED, 0, 0) == [EXCLUSIVE, 0, 51]
    # the close of any descriptor of the file drops the process's locks
    os.close(opened('lk'))
    assert peer(lock, other, EXCLUSIVE, 0, 0)
    peer('close', other)
    assert lock(fd, EXCLUSIVE, 0, 0)
    os.close(fd)


def close(fd):
    os.close(fd)


def read_only():
    """A shared lock needs a file open for reading, an exclusive one a file open for writing."""
    put('ro', 'x')
    fd = opened('ro', os.O_RDONLY)
    assert lock(fd, SHARED, 0, 1)
    try:
        lock(fd, EXCLUSIVE, 0, 1)
        raise AssertionError('locked for writing')
    except OSError as e:
        assert e.errno == errno.EBADF, e
    os.close(fd)


def handed_over():
    """Whoever waits for a lock gets it when it is free, in turn, and a waiter that gives up is forgotten."""
    fd, other = opened('hand'), peer(opened, 'hand')
    waits = []
    for _ in range(3):
        assert lock(fd, EXCLUSIVE, 0, 10)
        w = later(wait, other, EXCLUSIVE, 5, 10)
        time.sleep(1.5)
        assert not w.done()
        began = time.time()
        unlock(fd)
        w.result()
        waits.append(time.time() - began)
        assert not lock(fd, EXCLUSIVE, 0, 6)
        peer(unlock, other)
    os.close(fd)
    peer(close, other)
    return 'handed over after ' + ', '.join('%.2f s' % w for w in waits)


def machine():
    """Programs of the server's machine and clients see each other's locks."""
    fd = opened('local')
    assert lock(fd, EXCLUSIVE, 10, 10) and lock(fd, SHARED, 30, 10)
    got = local('local', (EXCLUSIVE, 15, 1), (SHARED, 19, 1), (EXCLUSIVE, 20, 10), (SHARED, 30, 5), (EXCLUSIVE, 39, 1))
    assert got == [False, False, True, True, False], got
    unlock(fd, 10, 5)
    got = local('local', (EXCLUSIVE, 0, 15), (EXCLUSIVE, 15, 1))
    assert got == [True, False], got
    unlock(fd)
    assert local('local', (EXCLUSIVE, 0, 0)) == [True]
    on_server("setsid -f python3 -c 'import fcntl,os,time\nf=open(\"local\",\"r+\")\nfcntl.lockf(f,fcntl.LOCK_EX,10,5)\n"
              "open(\"held\",\"w\").close()\nwhile not os.path.exists(\"over\"): time.sleep(0.05)' > /dev/null 2>&1")
    while not exists('held'):
        time.sleep(0.1)
        os.listdir('.')
    assert not lock(fd, EXCLUSIVE, 14, 1) and holder(fd, EXCLUSIVE, 0, 0) == [EXCLUSIVE, 5, 10], holder(fd, EXCLUSIVE, 0, 0)
    assert lock(fd, EXCLUSIVE, 15, 1)
    put('over', '')
    wait(fd, EXCLUSIVE, 5, 10)
    os.close(fd)


def removed():
    """A file that is open here and removed there stays as it is, also when the server is killed."""
    fd = opened('gone')
    write(fd, 'content'); os.fsync(fd)
    peer(os_unlink, 'gone')
    assert not exists('gone')
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    assert read(fd) == 'content'
    write(fd, 'CON'); os.fsync(fd)
    put('new', 'new')
    peer(put, 'new.tmp', 'newer')
    new = opened('new', os.O_RDONLY)
    peer(os_rename, 'new.tmp', 'new')
    os.posix_fadvise(new, 0, 0, os.POSIX_FADV_DONTNEED)
    assert read(new) == 'new' and whole('new') == 'newer'
    assert read(fd) == 'CONtent'
    os.close(fd); os.close(new)


def os_unlink(name):
    os.unlink(name)


def os_rename(a, b):
    os.rename(a, b)


def old_and_new():
    """A client of version 3 on the same files."""
    at = peer(mount, 'vers=3', 'nolock', 'retry=0', 'port=' + os.environ['PORT'], 'mountport=' + os.environ['PORT'],
              'proto=tcp', 'mountproto=tcp', 'noac')
    put('both', 'by 4')
    assert peer(whole, at + '/both') == 'by 4'
    peer(append, at + '/both', ', by 3')
    assert whole('both') == 'by 4, by 3'
    fd = opened('both')
    peer(os_rename, at + '/both', at + '/both2')
    write(fd, 'BY'); os.fsync(fd)
    assert peer(whole, at + '/both2') == 'BY 4, by 3'
    peer(os_unlink, at + '/both2')
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    assert read(fd) == 'BY 4, by 3'
    os.close(fd)
    peer(unmount, at)


def killed():
    """Locks are what they were after the server has died, twice in a row, and nobody else gets them."""
    fd, other = opened('kept'), peer(opened, 'kept')
    write(fd, 'x' * 100); os.fsync(fd)
    assert lock(fd, EXCLUSIVE, 0, 10) and lock(fd, SHARED, 20, 10) and lock(fd, EXCLUSIVE, 1 << 40, 0)
    assert peer(lock, other, SHARED, 20, 30) and peer(lock, other, EXCLUSIVE, 60, 10)
    for times in (2, 1):
        for _ in range(times):
            kill()
        peer(touch, other)  # who has nothing to say learns of it when it renews its lease
        write(fd, 'y' * times); os.fsync(fd)
        assert not peer(lock, other, EXCLUSIVE, 5, 1) and peer(holder, other, EXCLUSIVE, 5, 1) == [EXCLUSIVE, 0, 10]
        assert not lock(fd, EXCLUSIVE, 65, 1) and holder(fd, EXCLUSIVE, 65, 1) == [EXCLUSIVE, 60, 10]
        assert holder(fd, EXCLUSIVE, 20, 1)[0] == SHARED and peer(holder, other, EXCLUSIVE, 20, 5)[0] == SHARED
        got = local('kept', (SHARED, 1 << 41, 1), (EXCLUSIVE, 10, 10), (EXCLUSIVE, 9, 1))
        assert got == [False, True, False], got
        assert peer(lock, other, EXCLUSIVE, 80, times)
    unlock(fd)
    assert peer(lock, other, EXCLUSIVE, 0, 10)
    assert lock(fd, SHARED, 20, 10) and lock(fd, EXCLUSIVE, 1 << 40, 0)
    os.close(fd)
    peer(close, other)


def counted():
    """Both clients add to a number under a lock while the server dies: no lock is granted twice."""
    put('number', '%019d\n' % 0)
    rounds = 100
    mine = threading.Thread(target=add, args=('number', rounds))
    mine.start()
    theirs = later(add, 'number', rounds)
    kills = 0
    while kills < 2 and (mine.is_alive() or not theirs.done()):
        time.sleep(0.7)
        kill()
        kills += 1
    mine.join()
    theirs.result()
    n = int(whole('number'))
    assert n == 2 * rounds, 'counted %d, not %d' % (n, 2 * rounds)
    return '%d, %d kills' % (n, kills)


steps = {'close-to-open': close_to_open, 'conflicts': conflicts, 'read-only': read_only, 'handed-over': handed_over,
         'machine': machine, 'removed': removed, 'old-and-new': old_and_new, 'killed': killed, 'counted': counted}
os.makedirs(CALLS, exist_ok=True)
if os.environ['CLIENT'] == '2':
    serve()
    sys.exit(0)
for name in sys.argv[1:] or steps:
    try:
        remark = steps[name]() or ''
        print('PASS', name, '%.1f' % (time.time() - START), remark)
    except BaseException as e:
        failed += 1
        print('FAIL', name, '%.1f' % (time.time() - START), repr(e))
        import traceback
        print('  ' + traceback.format_exc().replace('\n', '\n  '))
    sys.stdout.flush()
later('end')
sys.exit(failed)

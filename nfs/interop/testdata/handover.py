#!/usr/bin/env python3
"""Two mounts of one server, of different versions, are two clients: a lock that one holds and the other waits for."""
import fcntl, os, subprocess, sys, time

A, B = '/mnt/a', '/mnt/b'


def mount(at, opts):
    os.makedirs(at, exist_ok=True)
    subprocess.check_call(['mount', '-t', 'nfs', '-o', 'proto=tcp,port=%s,%s' % (os.environ['PORT'], opts),
                           os.environ['SERVER'] + ':/', at])
    for path, names, _ in os.walk(at):
        if not names:
            return path


def waiter(path, w):
    """A process that says when it begins to wait for the lock, and when it has it."""
    fd = os.open(path, os.O_RDWR)
    os.write(w, b'x')
    fcntl.lockf(fd, fcntl.LOCK_EX)
    os.write(w, b'y')
    os._exit(0)


def handed(held, waits):
    fd = os.open(os.path.join(held, 'f'), os.O_RDWR | os.O_CREAT, 0o666)
    took = []
    for _ in range(2):
        fcntl.lockf(fd, fcntl.LOCK_EX)
        r, w = os.pipe()
        pid = os.fork()
        if pid == 0:
            waiter(os.path.join(waits, 'f'), w)
        os.read(r, 1)
        time.sleep(2)  # so that it waits, and has not just been denied
        began = time.time()
        fcntl.lockf(fd, fcntl.LOCK_UN)
        assert os.read(r, 1) == b'y'
        took.append('%.3f s' % (time.time() - began))
        os.waitpid(pid, 0)
    os.close(fd)
    return ', '.join(took)


a, b = mount(A, 'vers=4.1'), mount(B, 'vers=4.2,nconnect=4,nosharecache')
for name, pair in (('4.1-to-4.2', (a, b)), ('4.2-to-4.1', (b, a))):
    try:
        print('PASS', name, 'after', handed(*pair))
    except BaseException as e:
        print('FAIL', name, repr(e))
    sys.stdout.flush()
for at in B, A:
    subprocess.check_call(['umount', at])

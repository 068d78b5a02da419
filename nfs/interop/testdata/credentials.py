#!/usr/bin/env python3
# Two users on one mount, in turns and at the same time: neither may ever see what is the other's.
# Prints PASS or FAIL, step, seconds, remark. ROUNDS is how often they take turns.
import os, random, sys, time

START = time.time()
ROUNDS = int(os.environ.get('ROUNDS', 20))
failed = 0


def report(name, problem, remark=''):
    global failed
    if problem:
        failed += 1
        print('FAIL', name, '%.1f' % (time.time() - START), problem)
    else:
        print('PASS', name, '%.1f' % (time.time() - START), remark)
    sys.stdout.flush()


def forget():
    with open('/proc/sys/vm/drop_caches', 'w') as f:
        f.write('3')


def as_user(uid, gid, groups, body):
    """Runs body in a process with these credentials; returns what went wrong."""
    r, w = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.setgroups(groups); os.setresgid(gid, gid, gid); os.setresuid(uid, uid, uid)
            problem = body() or ''
        except BaseException as e:
            problem = repr(e)
        os.write(w, problem.encode()); os._exit(0)
    os.close(w)
    problem = b''
    while True:
        b = os.read(r, 65536)
        if not b:
            break
        problem += b
    os.close(r); os.waitpid(pid, 0)
    return problem.decode()


def refused(call, *args):
    try:
        call(*args)
    except PermissionError:
        return True
    return False


def read(name):
    fd = os.open(name, os.O_RDONLY)
    try:
        return os.read(fd, 1 << 20)
    finally:
        os.close(fd)


def write(name, data, mode=0o600):
    fd = os.open(name, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, mode)
    try:
        os.write(fd, data)
    finally:
        os.close(fd)


USERS = (1001, 1002)


def one_round(uid, rng):
    """What one user does: its own files work, the other's do not."""
    other = USERS[1 - USERS.index(uid)]
    for i in rng.sample(range(8), 8):
        mine, theirs = 'u/%d.%d' % (uid, i), 'u/%d.%d' % (other, i)
        secret = b'%d:%d ' % (uid, i) * 200
        write(mine, secret)
        if read(mine) != secret:
            return 'own file %s reads differently' % mine
        st = os.stat(mine)
        if (st.st_uid, st.st_gid, st.st_mode & 0o7777) != (uid, uid, 0o600):
            return 'own file %s is %d:%d %o' % (mine, st.st_uid, st.st_gid, st.st_mode)
        try:
            for call, args in ((read, (theirs,)), (write, (theirs, b'!')), (os.truncate, (theirs, 0)), (os.chmod, (theirs, 0o777)),
                               (os.unlink, (theirs,)), (os.rename, (theirs, mine)), (os.utime, (theirs, (1, 1)))):
                if not refused(call, *args):
                    return '%s of %s by user %d was not refused' % (call.__name__, theirs, uid)
        except FileNotFoundError:
            pass  # not made yet
        if not refused(os.listdir, 'u/dir.%d' % other):
            return "the other's directory could be listed"
    return ''


def squash_none():
    os.mkdir('u'); os.chmod('u', 0o1777)
    for u in USERS:
        os.mkdir('u/dir.%d' % u); os.chown('u/dir.%d' % u, u, u); os.chmod('u/dir.%d' % u, 0o700)
    seed = random.randrange(1 << 32)
    rng = random.Random(seed)
    problem = ''
    for i in range(ROUNDS):
        problem = problem or as_user(USERS[i % 2], USERS[i % 2], [], lambda: one_round(USERS[i % 2], rng))
        if i % 5 == 0:
            forget()
    report('in-turns', problem, 'seed %d' % seed)

    children = []
    for u in USERS * 2:
        r, w = os.pipe()
        pid = os.fork()
        if pid == 0:
            mine = random.Random(seed + u)
            problem = ''
            for i in range(ROUNDS // 2):
                # each round in a process of its own: no descriptor is inherited
                problem = problem or as_user(u, u, [], lambda: one_round(u, mine))
            os.write(w, problem.encode()); os._exit(0)
        os.close(w); children.append((pid, r))
    # two processes per user write the same file, so only refusals and owners are judged here
    problems = [os.read(r, 65536).decode() for _, r in children]
    for pid, _ in children:
        os.waitpid(pid, 0)
    problems = [p for p in problems if p and 'reads differently' not in p]
    report('at-once', '; '.join(problems))

    write('g', b'for the group', 0o640); os.chown('g', 0, 4321); os.chmod('g', 0o640)
    steps = [
        ('no-group', as_user(1001, 1001, [], lambda: '' if refused(read, 'g') else 'read without the group')),
        ('primary-group', as_user(1001, 4321, [], lambda: '' if read('g') else 'nothing read')),
        ('supplementary-group', as_user(1001, 1001, [7, 4321], lambda: '' if read('g') else 'nothing read')),
        ('sixteen-groups', as_user(1001, 1001, list(range(100, 115)) + [4321], lambda: '' if read('g') else 'nothing read')),
        ('group-again', as_user(1001, 1001, [7], lambda: '' if refused(read, 'g') else 'read after the group was gone')),
        ('setgid-directory', setgid()),
        ('root-is-root', '' if read('u/1001.0') and os.chown('u/1001.0', 5, 6) is None and os.stat('u/1001.0').st_uid == 5 else 'no'),
    ]
    for name, problem in steps:
        report(name, problem)


def setgid():
    os.mkdir('sg'); os.chown('sg', 0, 4321); os.chmod('sg', 0o2777)

    def body():
        write('sg/f', b'x'); os.mkdir('sg/d')
        if os.stat('sg/f').st_gid != 4321 or os.stat('sg/d').st_gid != 4321 or not os.stat('sg/d').st_mode & 0o2000:
            return 'the group was not inherited'
    return as_user(1001, 1001, [], body)


def squash_root():
    """The exported directory has been made by on-server, as root cannot."""
    write('p/root', b'x')
    st = os.stat('p/root')
    report('root-is-nobody', '' if (st.st_uid, st.st_gid) == (65534, 65534) else 'owner %d:%d' % (st.st_uid, st.st_gid))
    report('root-may-not-read', '' if refused(read, 'secret') else 'root read the file of another')
    report('root-may-not-chown', '' if refused(os.chown, 'p/root', 1001, 1001) else 'chown was not refused')
    report('root-may-not-enter', '' if refused(os.listdir, 'closed') else 'root listed a closed directory')

    def body():
        write('p/user', b'mine')
        st = os.stat('p/user')
        return '' if (st.st_uid, st.st_gid) == (1001, 1001) and read('secret') == b'secret\n' else 'user was squashed'
    report('users-are-themselves', as_user(1001, 1001, [], body))
    report('group-root-is-nobody', as_user(1001, 0, [0], lambda: '' if refused(read, 'rootgroup') else 'gid 0 was not squashed'))


def squash_all():
    for uid in (0, 1001):
        def body():
            write('p/by%d' % uid, b'x')
            st = os.stat('p/by%d' % uid)
            return '' if (st.st_uid, st.st_gid) == (1234, 1235) else 'owner %d:%d' % (st.st_uid, st.st_gid)
        report('user-%d-is-anonymous' % uid, as_user(uid, uid, [4321], body))
    report('groups-are-dropped', as_user(1001, 1001, [4321], lambda: '' if refused(read, 'group') else 'a group was kept'))
    report('owner-is-not-the-caller', as_user(1001, 1001, [], lambda: '' if refused(read, 'secret') else 'the uid was kept'))


os.umask(0)
{'none': squash_none, 'root': squash_root, 'all': squash_all}[sys.argv[1]]()
sys.exit(failed)

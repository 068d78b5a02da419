/*
 * floor: the cheapest thing that looks like an NFSv3 server and is made of plain
 * system calls only. It is what the others are compared with: nobody who answers
 * the same calls over the same sockets can do much less.
 *
 * It checks nothing. Replies are written from constants, attributes come from one
 * fstat, and the only files that can be read and written are those that CREATE has
 * made, flat in one directory, known by their number. Changes of names are made in
 * that directory, whatever the call says, and an fsync of it makes each durable;
 * SETATTR sets the mode and syncs the file. Each connection has a thread. The replies to
 * all calls that came with one recv leave with one send. READs of 32 KiB and more
 * are spliced from the file to the socket, smaller ones read behind their header;
 * WRITEs go from the receive buffer to pwrite; COMMIT is an fdatasync.
 *
 * usage: floor PORT DIR [CONGESTION]         (listens on 127.0.0.1)
 *
 * CONGESTION is a congestion control to use instead of the system's, such as reno:
 * one that paces, as bbr does, costs a timer for each send, on loopback too.
 *
 * build: cc -O2 -pthread -o floor floor.c
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	FILES = 65536,          /* how many CREATEs there may be */
	NAME = 255,
	IN = 8 << 20,           /* receive buffer: more than any record */
	OUT = 4 << 20,          /* send buffer */
	FULL = 2 << 20,         /* it is sent early from here on */
	SPLICE = 32 << 10,      /* READs from this size on are spliced */
	TRANSFER = 1 << 20,     /* largest READ and WRITE, as FSINFO says */
	MOUNT = 100005,
	OK = 0,
	IO = 5,
	NOTSUPP = 10004,
};

static int dir;                   /* the directory that holds the files */
static int files[FILES];          /* descriptor by number; 0 is the directory */
static unsigned nfiles = 1;
static pthread_mutex_t making = PTHREAD_MUTEX_INITIALIZER;

/* ---- XDR ---- */

static uint32_t get32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, 4);
	return ntohl(v);
}

static uint64_t get64(const uint8_t *p)
{
	return (uint64_t)get32(p) << 32 | get32(p + 4);
}

static uint8_t *put32(uint8_t *p, uint32_t v)
{
	v = htonl(v);
	memcpy(p, &v, 4);
	return p + 4;
}

static uint8_t *put64(uint8_t *p, uint64_t v)
{
	return put32(put32(p, v >> 32), (uint32_t)v);
}

/* fattr3 of a file: one fstat, as the least that tells the truth. */
static uint8_t *attributes(uint8_t *p, int fd)
{
	struct stat s;

	if (fstat(fd, &s))
		memset(&s, 0, sizeof s);
	p = put32(p, S_ISDIR(s.st_mode) ? 2 : 1);
	p = put32(p, s.st_mode & 07777);
	p = put32(p, s.st_nlink);
	p = put32(p, s.st_uid);
	p = put32(p, s.st_gid);
	p = put64(p, s.st_size);
	p = put64(p, (uint64_t)s.st_blocks * 512);
	p = put64(p, 0); /* rdev */
	p = put64(p, s.st_dev);
	p = put64(p, s.st_ino);
	p = put64(p, (uint64_t)s.st_atim.tv_sec << 32 | s.st_atim.tv_nsec);
	p = put64(p, (uint64_t)s.st_mtim.tv_sec << 32 | s.st_mtim.tv_nsec);
	return put64(p, (uint64_t)s.st_ctim.tv_sec << 32 | s.st_ctim.tv_nsec);
}

/* post_op_attr: they follow. */
static uint8_t *post_op(uint8_t *p, int fd)
{
	return attributes(put32(p, 1), fd);
}

/* A handle is eight bytes: the number of the file. */
static uint8_t *handle(uint8_t *p, unsigned number)
{
	return put64(put32(p, 8), number);
}

/* Reads a handle, and moves the arguments on behind it. */
static unsigned number_of(const uint8_t **args)
{
	uint32_t size = get32(*args);
	unsigned number = size == 8 ? get32(*args + 8) : 0;

	*args += 4 + ((size + 3) & ~3u);
	return number < nfiles ? number : 0;
}

/* ---- the few calls that do something ---- */

/* Takes a diropargs3: copies the name, and moves the arguments on behind it. The
 * directory does not count: there is but one. */
static int name_of(char name[NAME + 1], const uint8_t **args)
{
	uint32_t size;

	number_of(args);
	size = get32(*args);
	if (size > NAME)
		return -1;
	memcpy(name, *args + 4, size);
	name[size] = 0;
	*args += 4 + ((size + 3) & ~3u);
	return 0;
}

/* CREATE: returns the number of the new file, 0 for none. */
static unsigned create(const uint8_t *args)
{
	char name[NAME + 1];
	unsigned number;
	int fd;

	if (name_of(name, &args))
		return 0;
	fd = openat(dir, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return 0;
	pthread_mutex_lock(&making);
	number = nfiles < FILES ? nfiles : 0;
	if (number) {
		files[number] = fd;
		nfiles++;
	}
	pthread_mutex_unlock(&making);
	if (!number)
		close(fd);
	return number;
}

/* What MKDIR, REMOVE, RMDIR and RENAME do. */
static int change(uint32_t proc, const uint8_t *args)
{
	char name[NAME + 1], to[NAME + 1];

	if (name_of(name, &args))
		return -1;
	switch (proc) {
	case 9:
		return mkdirat(dir, name, 0755);
	case 12:
		return unlinkat(dir, name, 0);
	case 13:
		return unlinkat(dir, name, AT_REMOVEDIR);
	default:
		return name_of(to, &args) ? -1 : renameat(dir, name, dir, to);
	}
}

/* ---- a connection ---- */

struct conn {
	int fd;
	int pipe[2]; /* for splice */
	uint8_t *in, *out;
	size_t ready; /* bytes in out */
};

/* Sends what is in the output buffer; more says that data follows at once. */
static int flush(struct conn *c, int more)
{
	size_t done = 0;

	while (done < c->ready) {
		ssize_t n = send(c->fd, c->out + done, c->ready - done, more ? MSG_MORE : 0);

		if (n <= 0)
			return -1;
		done += n;
	}
	c->ready = 0;
	return 0;
}

/* Moves size bytes at offset from a file to the socket without a copy here. */
static int splice_out(struct conn *c, int fd, loff_t offset, size_t size)
{
	while (size) {
		ssize_t n = splice(fd, &offset, c->pipe[1], NULL, size, SPLICE_F_MOVE);

		if (n <= 0)
			return -1;
		size -= n;
		while (n) {
			ssize_t m = splice(c->pipe[0], NULL, c->fd, NULL, n, SPLICE_F_MOVE | (size ? SPLICE_F_MORE : 0));

			if (m <= 0)
				return -1;
			n -= m;
		}
	}
	return 0;
}

/* Answers the call at p (a record without its mark). Returns -1 to hang up. */
static int answer(struct conn *c, const uint8_t *p)
{
	uint32_t xid = get32(p), program = get32(p + 12), proc = get32(p + 20);
	const uint8_t *args = p + 32 + get32(p + 28); /* behind the credential */
	uint8_t *mark = c->out + c->ready, *o = mark + 4;
	size_t splicing = 0;
	uint64_t offset = 0;
	uint32_t count;
	unsigned number;
	int fd = dir;

	args += 8 + get32(args + 4); /* and the verifier */
	o = put32(o, xid);
	o = put32(o, 1); /* REPLY */
	o = put32(o, 0); /* accepted */
	o = put64(o, 0); /* no verifier */
	o = put32(o, 0); /* success */
	if (program == MOUNT) {
		if (proc == 1) { /* MNT: the directory, AUTH_SYS */
			o = put32(o, OK);
			o = handle(o, 0);
			o = put32(o, 1);
			o = put32(o, 1);
		}
		goto done;
	}
	switch (proc) {
	case 0: /* NULL */
		break;
	case 1: /* GETATTR */
		fd = files[number_of(&args)];
		o = attributes(put32(o, OK), fd);
		break;
	case 2: /* SETATTR: of the mode, which is to be set */
		fd = files[number_of(&args)];
		if (fchmod(fd, get32(args + 4) & 07777) || fsync(fd))
			return -1;
		o = post_op(put32(put32(o, OK), 0), fd);
		break;
	case 3: /* LOOKUP: always the same file */
		o = handle(put32(o, OK), nfiles > 1);
		o = post_op(o, files[nfiles > 1]);
		o = put32(o, 0);
		break;
	case 4: /* ACCESS: everything */
		fd = files[number_of(&args)];
		o = post_op(put32(o, OK), fd);
		o = put32(o, 0x3f);
		break;
	case 6: /* READ */
		fd = files[number_of(&args)];
		offset = get64(args);
		count = get32(args + 8);
		if (count > TRANSFER)
			return -1;
		o = post_op(put32(o, OK), fd);
		o = put32(o, count);
		o = put32(o, 0); /* not the end */
		o = put32(o, count);
		if (count >= SPLICE) {
			splicing = count;
		} else {
			if (pread(fd, o, count, offset) < 0)
				return -1;
			o += (count + 3) & ~3u;
		}
		break;
	case 7: /* WRITE */
		fd = files[number_of(&args)];
		offset = get64(args);
		count = get32(args + 8);
		if (pwrite(fd, args + 20, count, offset) != (ssize_t)count)
			return -1;
		o = put32(o, OK);
		o = put32(o, 0); /* nothing about before */
		o = post_op(o, fd);
		o = put32(o, count);
		o = put32(o, 0); /* UNSTABLE */
		o = put64(o, 1); /* verifier */
		break;
	case 8: /* CREATE */
		number = create(args);
		fsync(dir);
		o = put32(o, OK);
		o = handle(put32(o, 1), number);
		o = post_op(o, files[number]);
		o = post_op(put32(o, 0), dir);
		break;
	case 9:  /* MKDIR */
	case 12: /* REMOVE */
	case 13: /* RMDIR */
	case 14: /* RENAME */
		if (change(proc, args)) {
			o = put64(put32(o, IO), 0);
			if (proc == 14)
				o = put64(o, 0);
			break;
		}
		fsync(dir);
		o = put32(o, OK);
		if (proc == 9) { /* the new directory is as good as the only one */
			o = handle(put32(o, 1), 0);
			o = post_op(o, dir);
		}
		o = post_op(put32(o, 0), dir);
		if (proc == 14)
			o = put64(o, 0); /* of the other directory, the same */
		break;
	case 17: /* READDIRPLUS: empty */
		o = post_op(put32(o, OK), dir);
		o = put64(o, 0); /* verifier */
		o = put32(o, 0); /* no entry */
		o = put32(o, 1); /* the end */
		break;
	case 19: /* FSINFO */
		o = post_op(put32(o, OK), dir);
		o = put32(o, TRANSFER);
		o = put32(o, TRANSFER);
		o = put32(o, 4096);
		o = put32(o, TRANSFER);
		o = put32(o, TRANSFER);
		o = put32(o, 4096);
		o = put32(o, 32768);
		o = put64(o, INT64_MAX);
		o = put64(o, 1); /* time granularity: 1 ns */
		o = put32(o, 0x1b);
		break;
	case 21: /* COMMIT */
		fd = files[number_of(&args)];
		if (fdatasync(fd))
			return -1;
		o = put32(o, OK);
		o = put64(o, 0);
		o = put64(o, 1); /* verifier */
		break;
	default:
		o = put32(o, NOTSUPP);
	}
done:
	put32(mark, 1u << 31 | (uint32_t)(o - mark - 4 + splicing));
	c->ready += o - mark;
	if (splicing)
		return flush(c, 1) || splice_out(c, fd, offset, splicing);
	return c->ready > FULL ? flush(c, 0) : 0;
}

static void *serve(void *arg)
{
	struct conn c = {.fd = (int)(intptr_t)arg, .in = malloc(IN), .out = malloc(OUT)};
	size_t have = 0;
	int one = 1;

	if (!c.in || !c.out || pipe2(c.pipe, O_CLOEXEC)) {
		perror("floor: connection");
		exit(1);
	}
	fcntl(c.pipe[1], F_SETPIPE_SZ, 1 << 20);
	setsockopt(c.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	for (;;) {
		ssize_t n = recv(c.fd, c.in + have, IN - have, 0);
		size_t at = 0;

		if (n <= 0)
			goto end;
		have += n;
		while (have - at >= 4) {
			size_t size = get32(c.in + at) & 0x7fffffff;

			if (size < 40 || size > IN - 4)
				goto end;
			if (have - at < 4 + size)
				break; /* the whole record first */
			if (answer(&c, c.in + at + 4))
				goto end;
			at += 4 + size;
		}
		if (at)
			memmove(c.in, c.in + at, have - at);
		have -= at;
		if (c.ready && flush(&c, 0))
			goto end;
	}
end:
	close(c.fd);
	close(c.pipe[0]);
	close(c.pipe[1]);
	free(c.in);
	free(c.out);
	return NULL;
}

int main(int argc, char **argv)
{
	struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	struct rlimit limit;
	int one = 1, ls;

	if (argc != 3 && argc != 4) {
		fprintf(stderr, "usage: floor PORT DIR [CONGESTION]\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max; /* each file stays open */
	setrlimit(RLIMIT_NOFILE, &limit);
	dir = files[0] = open(argv[2], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0) {
		perror(argv[2]);
		return 1;
	}
	ls = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(ls, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (argc == 4 && setsockopt(ls, IPPROTO_TCP, TCP_CONGESTION, argv[3], strlen(argv[3]))) {
		perror(argv[3]);
		return 1;
	}
	addr.sin_port = htons(atoi(argv[1]));
	if (bind(ls, (void *)&addr, sizeof addr) || listen(ls, 1024)) {
		perror("floor: listen");
		return 1;
	}
	for (;;) {
		int fd = accept(ls, NULL, NULL);
		pthread_t thread;

		if (fd < 0)
			continue;
		if (pthread_create(&thread, NULL, serve, (void *)(intptr_t)fd)) {
			close(fd);
			continue;
		}
		pthread_detach(thread);
	}
}

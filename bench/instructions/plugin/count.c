/*
 * count: a plugin for QEMU's translator that counts how often blocks of the guest's
 * code run between two addresses of a program, the begin and the end of a window.
 * A machine must have one processor.
 *
 * Arguments: out=FILE begin=ADDRESS end=ADDRESS [only=ADDRESS]...
 *
 * Each window appends to FILE a line "window", and a line "address instructions
 * executions" for each block that ran. With only, blocks that begin elsewhere are
 * not counted, and the machine is as fast as without the plugin.
 *
 * The interface is version 1 of QEMU's (include/qemu/qemu-plugin.h, which Debian
 * does not package); what is used of it is declared here.
 *
 * build: cc -O2 -shared -fPIC -o count.so count.c
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
typedef struct qemu_info_t qemu_info_t;
enum qemu_plugin_cb_flags { QEMU_PLUGIN_CB_NO_REGS };
enum qemu_plugin_op { QEMU_PLUGIN_INLINE_ADD_U64 };

void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t, void (*)(qemu_plugin_id_t, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *, void (*)(unsigned, void *), enum qemu_plugin_cb_flags, void *);
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *, enum qemu_plugin_op, void *, uint64_t);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *);

int qemu_plugin_version = 1;

struct block {
	struct block *next;
	uint64_t address, size, runs;
};

enum { BUCKETS = 1 << 18, ONLY = 64 };

static struct block *blocks[BUCKETS];
static uint64_t begin, end, only[ONLY];
static int nonly;
static FILE *out;

/* A block is translated again and again; it is counted in one place. */
static struct block *find(uint64_t address, uint64_t size)
{
	struct block **head = &blocks[(address * 0x9e3779b97f4a7c15ull ^ size * 0x51ed270b) >> 20 & (BUCKETS - 1)], *b;

	for (b = *head; b; b = b->next)
		if (b->address == address && b->size == size)
			return b;
	b = calloc(1, sizeof *b);
	if (!b)
		abort();
	b->address = address;
	b->size = size;
	b->next = *head;
	return *head = b;
}

static void on_begin(unsigned cpu, void *unused)
{
	for (int i = 0; i < BUCKETS; i++)
		for (struct block *b = blocks[i]; b; b = b->next)
			b->runs = 0;
}

static void on_end(unsigned cpu, void *unused)
{
	fprintf(out, "window\n");
	for (int i = 0; i < BUCKETS; i++)
		for (struct block *b = blocks[i]; b; b = b->next)
			if (b->runs)
				fprintf(out, "%" PRIx64 " %" PRIu64 " %" PRIu64 "\n", b->address, b->size, b->runs);
	fflush(out);
}

static int wanted(uint64_t address)
{
	for (int i = 0; i < nonly; i++)
		if (only[i] == address)
			return 1;
	return nonly == 0;
}

static void on_translation(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	uint64_t address = qemu_plugin_tb_vaddr(tb);

	if (wanted(address))
		qemu_plugin_register_vcpu_tb_exec_inline(tb, QEMU_PLUGIN_INLINE_ADD_U64,
			&find(address, qemu_plugin_tb_n_insns(tb))->runs, 1);
	if (address == begin)
		qemu_plugin_register_vcpu_tb_exec_cb(tb, on_begin, QEMU_PLUGIN_CB_NO_REGS, NULL);
	if (address == end)
		qemu_plugin_register_vcpu_tb_exec_cb(tb, on_end, QEMU_PLUGIN_CB_NO_REGS, NULL);
}

int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv)
{
	for (int i = 0; i < argc; i++) {
		if (!strncmp(argv[i], "out=", 4))
			out = fopen(argv[i] + 4, "w");
		else if (!strncmp(argv[i], "begin=", 6))
			begin = strtoull(argv[i] + 6, NULL, 0);
		else if (!strncmp(argv[i], "end=", 4))
			end = strtoull(argv[i] + 4, NULL, 0);
		else if (!strncmp(argv[i], "only=", 5) && nonly < ONLY)
			only[nonly++] = strtoull(argv[i] + 5, NULL, 0);
	}
	if (!out || !begin || !end)
		return -1;
	qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
	return 0;
}

/* The filters' rows as BPF (seccomp(2), bpf(4) of old): one block a row, tried one after the other,
 * each "is it this call, and are the arguments so? then let it through". Called by sandbox.c before
 * a process reads from the network. Must never load a program that is not whole. */
#include "common/filter_program.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#define X32_BIT      UINT32_C(0x40000000) /* the same calls once more, with other sizes */
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#error "which architecture are system calls of?"
#endif

#define MISS 255 /* in a jump: to the end of its row's block, whose place is known later */

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "an argument's lower half comes first");

static void put(struct filter_program *p, uint16_t code, uint32_t k, uint8_t if_true,
                uint8_t if_false)
{
    if (p->len == FILTER_PROGRAM_MAX) {
        p->full = true;
        return;
    }
    p->code[p->len++] = (struct sock_filter){.code = code, .k = k, .jt = if_true, .jf = if_false};
}

static void load(struct filter_program *p, size_t offset)
{
    put(p, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

static void give(struct filter_program *p, uint32_t verdict)
{
    put(p, BPF_RET | BPF_K, verdict, 0, 0);
}

/* Go on when a compares so with k, else miss. */
static void need(struct filter_program *p, uint16_t compare, uint32_t k)
{
    put(p, BPF_JMP | compare | BPF_K, k, 0, MISS);
}

static void need_not(struct filter_program *p, uint16_t compare, uint32_t k)
{
    put(p, BPF_JMP | compare | BPF_K, k, MISS, 0);
}

/* Half an argument: 0 the lower 32 bits, 1 the upper. */
static void load_half(struct filter_program *p, unsigned argument, unsigned half)
{
    load(p, offsetof(struct seccomp_data, args) + 8 * argument + 4 * half);
}

/* (argument & mask) == value, over all 64 bits. */
static void need_bits(struct filter_program *p, unsigned argument, uint64_t mask, uint64_t value)
{
    for (unsigned half = 0; half < 2; half++, mask >>= 32, value >>= 32) {
        if ((uint32_t)mask == 0 && (uint32_t)value == 0)
            continue;
        load_half(p, argument, half);
        put(p, BPF_ALU | BPF_AND | BPF_K, (uint32_t)mask, 0, 0);
        need(p, BPF_JEQ, (uint32_t)value);
    }
}

/* A descriptor from a number up. The kernel cuts an int's argument to 32 bits: the rest must be 0.
 */
static void need_from(struct filter_program *p, unsigned argument, uint32_t least)
{
    load_half(p, argument, 1);
    need(p, BPF_JEQ, 0);
    load_half(p, argument, 0);
    need(p, BPF_JGE, least);
    need_not(p, BPF_JGT, UINT16_MAX);
}

static void need_condition(struct filter_program *p, const struct condition *c)
{
    switch (c->kind) {
    case COND_ANY:
        break;
    case COND_EQ:
        need_bits(p, c->argument, UINT64_MAX, c->value);
        break;
    case COND_GE:
        need_from(p, c->argument, (uint32_t)c->value);
        break;
    case COND_MASKED:
        need_bits(p, c->argument, c->mask, c->value);
        break;
    case COND_MAP:
        need_bits(p, 2, PROT_EXEC, 0);
        need_bits(p, 3, MAP_TYPE | MAP_ANONYMOUS, MAP_PRIVATE | MAP_ANONYMOUS);
        break;
    }
}

void filter_begin(struct filter_program *p)
{
    p->len = 0;
    p->full = false;
    load(p, offsetof(struct seccomp_data, arch));
    put(p, BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0);
    give(p, SECCOMP_RET_KILL_PROCESS);
#ifdef X32_BIT
    load(p, offsetof(struct seccomp_data, nr));
    put(p, BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 0, 1);
    give(p, SECCOMP_RET_KILL_PROCESS);
#endif
}

void filter_allow(struct filter_program *p, const struct filter_row *row, bool by_number)
{
    const size_t start = p->len;

    load(p, offsetof(struct seccomp_data, nr));
    need(p, BPF_JEQ, (uint32_t)row->number);
    if (!by_number)
        need_condition(p, &row->condition);
    give(p, SECCOMP_RET_ALLOW);
    for (size_t i = start; i < p->len; i++) {
        struct sock_filter *at = &p->code[i];
        if (BPF_CLASS(at->code) != BPF_JMP)
            continue;
        const uint8_t over = (uint8_t)(p->len - i - 1); /* a block has some 15 instructions */
        at->jt = at->jt == MISS ? over : at->jt;
        at->jf = at->jf == MISS ? over : at->jf;
    }
}

int filter_load(struct filter_program *p, uint32_t otherwise)
{
    give(p, otherwise);
    if (p->full) {
        errno = ENOSPC;
        return -1;
    }
    const struct sock_fprog program = {.len = (unsigned short)p->len, .filter = p->code};
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0 ? 0 : -1;
}

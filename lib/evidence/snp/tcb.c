/* tcb.c: TCB_VERSION: eight bytes whose meaning depends on the processor line (evidence-snp table 1.4). */
#include "evidence/snp/snp.h"

struct snp_tcb snp_tcb_read(struct bytes eight, enum snp_line line)
{
    const uint8_t *b = eight.p;

    if (eight.n != 8)
        return (struct snp_tcb){ 0 };
    if (line == SNP_TURIN || line == SNP_VENICE)
        return (struct snp_tcb){ .fmc = b[0], .bl = b[1], .tee = b[2], .snp = b[3], .ucode = b[7] };
    return (struct snp_tcb){ .bl = b[0], .tee = b[1], .snp = b[6], .ucode = b[7] };
}

bool snp_tcb_at_least(struct snp_tcb a, struct snp_tcb b)
{
    return a.fmc >= b.fmc && a.bl >= b.bl && a.tee >= b.tee && a.snp >= b.snp && a.ucode >= b.ucode;
}

const char *snp_tcb_text(struct snp_tcb t, enum snp_line line, struct arena *a)
{
    const char *s = line == SNP_TURIN || line == SNP_VENICE
        ? arena_printf(a, "fmc %u, boot loader %u, tee %u, snp %u, microcode %u", t.fmc, t.bl, t.tee, t.snp, t.ucode)
        : arena_printf(a, "boot loader %u, tee %u, snp %u, microcode %u", t.bl, t.tee, t.snp, t.ucode);

    return s == NULL ? "" : s;
}

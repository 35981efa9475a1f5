/* kinds.c: the table of evidence kinds. A new kind is a room and a row here. */
#include "evidence/evidence.h"
#include "evidence/azureguest/azureguest.h"
#include "evidence/snp/snp.h"
#include "evidence/tdx/tdx.h"
#include "evidence/tpm/tpm.h"

extern const struct evidence_kind evidence_sgx, evidence_openenclave;

static const struct evidence_kind *const kinds[] = {
    &evidence_sgx,
    &evidence_openenclave,
    &evidence_snp,
    &evidence_tdx,
    &evidence_tpm,
    &evidence_azureguest,
};

static const struct {
    const char *alias, *name;
} aliases[] = {
    { "VbsEnclave", "Tpm" },
    { "Vbs", "Tpm" },
    { "AzureVM", "AzureGuest" },
    { "CVM", "AzureGuest" },
};

const struct evidence_kind *evidence_kind_find(struct bytes name)
{
    for (size_t i = 0; i < COUNT(aliases); i++)
        if (bytes_equal_nocase(name, bytes_str(aliases[i].alias)))
            name = bytes_str(aliases[i].name);
    for (size_t i = 0; i < COUNT(kinds); i++)
        if (bytes_equal_nocase(name, bytes_str(kinds[i]->name)))
            return kinds[i];
    return NULL;
}

const struct evidence_kind *const *evidence_kinds(size_t *ret_count)
{
    *ret_count = COUNT(kinds);
    return kinds;
}

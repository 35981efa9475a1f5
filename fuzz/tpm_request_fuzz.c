/* tpm_request_fuzz.c: the JSON of the challenge protocol: the first byte chooses the outer message, or the
 * payload of a request of version 1 or 2. What parses is verified, without a valid signature: it is refused. */
#include "codec/b64.h"
#include "evidence/tpm/tpm.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_message(struct bytes doc, struct arena *a)
{
    enum tpm_message kind;
    struct err e = { 0 };
    struct bytes jws;

    if (!tpm_message_parse(doc, a, &kind, &jws, &e) && e.code != ERR_TPM_MESSAGE && e.code != ERR_NO_MEMORY)
        __builtin_trap();
}

static void try_request(int version, struct bytes payload, struct arena *a)
{
    struct settings settings = settings_default();
    struct trust none = { .count = 0 };
    struct verify_env env = { .now = 1800000000, .trust = &none, .settings = &settings, .a = a };
    struct out jws = out_open(a);
    struct tpm_request *rq;
    struct err e = { 0 };

    b64url_print(&jws, version == 1 ? LIT("{\"alg\":\"PS256\",\"typ\":\"attReq\"}") : LIT("{\"alg\":\"PS256\",\"typ\":\"attReqV2\"}"));
    out_char(&jws, '.');
    b64url_print(&jws, payload);
    out_text(&jws, ".AAAA");
    if (tpm_request_parse(out_view(&jws), a, &rq, &e) && tpm_request_verify(rq, rq->challenge, &env, &e))
        __builtin_trap();
    if (e.code == ERR_NONE || e.why[0] == 0)
        __builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = bytes_of(data, size);
    struct arena a;

    if (size == 0)
        return 0;
    arena_init(&a, 64 << 20);
    if (data[0] == '{') { /* a seed as it stands */
        try_message(in, &a);
        try_request(1, in, &a);
        try_request(2, in, &a);
    } else if (data[0] % 3 == 0) {
        try_message(bytes_part(in, 1, size), &a);
    } else {
        try_request(data[0] % 3, bytes_part(in, 1, size), &a);
    }
    arena_done(&a);
    return 0;
}

/* tls.c: see tls.h.
 *
 * The development certificate is an authority too: clients refuse wildcards directly below "localhost", so
 * for a provider's name a certificate is made when a client asks for it. With a configured certificate
 * nothing is made. */
#include "front/tls.h"

#include "base/memo.h"
#include "crypto/hash.h"
#include "os/io.h"

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { CHAIN = 8, NAMES = 1024 };

/* Two generations, so that a handshake in progress keeps the one it began with. */
struct identity {
    gnutls_pcert_st chain[CHAIN];
    unsigned count;
    gnutls_privkey_t key;
    /* development only: what signs certificates for further names */
    gnutls_x509_crt_t ca;
    gnutls_x509_privkey_t ca_key;
    struct memo *names;
};

static struct {
    struct identity identity[2];
    size_t current;
    struct front *front;
} the; /* the library's callback has no argument of ours */

static void identity_done(struct identity *t)
{
    memo_free(t->names);
    for (unsigned i = 0; i < t->count; i++)
        gnutls_pcert_deinit(&t->chain[i]);
    if (t->key != NULL)
        gnutls_privkey_deinit(t->key);
    if (t->ca != NULL)
        gnutls_x509_crt_deinit(t->ca);
    if (t->ca_key != NULL)
        gnutls_x509_privkey_deinit(t->ca_key);
    *t = (struct identity){ .count = 0 };
}

static bool path_of(const struct front *f, enum config_key k, const char *file, char *to, size_t size)
{
    const char *set = f->config.value[k];

    return set[0] != 0 ? snprintf(to, size, "%s", set) < (int)size
                       : snprintf(to, size, "%s/tls/%s", f->config.value[CONFIG_service_state], file) < (int)size;
}

static int import(struct identity *t, const gnutls_datum_t *cert, const gnutls_datum_t *key, bool development)
{
    unsigned count = CHAIN;
    int rc = gnutls_pcert_list_import_x509_raw(t->chain, &count, cert, GNUTLS_X509_FMT_PEM, 0);

    if (rc < 0)
        return rc;
    t->count = count;
    if ((rc = gnutls_privkey_init(&t->key)) < 0 || (rc = gnutls_privkey_import_x509_raw(t->key, key, GNUTLS_X509_FMT_PEM, NULL, 0)) < 0
        || !development)
        return rc;
    t->names = memo_new(NAMES);
    if (t->names == NULL || (rc = gnutls_x509_crt_init(&t->ca)) < 0 || (rc = gnutls_x509_crt_import(t->ca, cert, GNUTLS_X509_FMT_PEM)) < 0
        || (rc = gnutls_x509_privkey_init(&t->ca_key)) < 0)
        return t->names == NULL ? GNUTLS_E_MEMORY_ERROR : rc;
    return gnutls_x509_privkey_import2(t->ca_key, key, GNUTLS_X509_FMT_PEM, NULL, 0);
}

static bool identity_load(const struct front *f, struct identity *ret, struct err *e)
{
    char cert_path[4096], key_path[4096];
    struct bytes cert, key;
    struct arena a;
    gnutls_datum_t c, k;
    int rc;

    arena_init(&a, 2 << 20);
    *ret = (struct identity){ .count = 0 };
    if (!path_of(f, CONFIG_tls_certificate, "cert.pem", cert_path, sizeof(cert_path))
        || !path_of(f, CONFIG_tls_key, "key.pem", key_path, sizeof(key_path)) || !file_read(cert_path, 1 << 20, &a, &cert, e)
        || !file_read(key_path, 1 << 16, &a, &key, e)) {
        arena_done(&a);
        return err_set(e, ERR_USAGE, "TLS identity", "path is too long");
    }
    c = (gnutls_datum_t){ (unsigned char *)(uintptr_t)cert.p, (unsigned)cert.n };
    k = (gnutls_datum_t){ (unsigned char *)(uintptr_t)key.p, (unsigned)key.n };
    rc = import(ret, &c, &k, f->config.value[CONFIG_tls_certificate][0] == 0);
    gnutls_memset((void *)(uintptr_t)key.p, 0, key.n);
    arena_done(&a);
    if (rc < 0) {
        identity_done(ret);
        return err_set(e, ERR_USAGE, "TLS identity", "%s, %s: %s", cert_path, key_path, gnutls_strerror(rc));
    }
    return true;
}

bool tls_open(struct front *f, struct err *e)
{
    the.front = f;
    return identity_load(f, &the.identity[0], e);
}

bool tls_reload(struct front *f, struct err *e)
{
    size_t other = 1 - the.current;
    struct identity fresh;

    if (!identity_load(f, &fresh, e))
        return false;
    identity_done(&the.identity[other]);
    the.identity[other] = fresh;
    the.current = other;
    return true;
}

void tls_close(void)
{
    identity_done(&the.identity[0]);
    identity_done(&the.identity[1]);
}

/* -- development: a certificate for one more name -- */

static void free_pcert(void *p)
{
    gnutls_pcert_deinit(p);
    free(p);
}

static int sign_for(struct identity *t, const char *name, gnutls_x509_crt_t crt)
{
    uint8_t serial[16];
    int rc;

    random_bytes(serial, sizeof(serial));
    serial[0] &= 0x7f;
    if ((rc = gnutls_x509_crt_set_version(crt, 3)) < 0 || (rc = gnutls_x509_crt_set_serial(crt, serial, sizeof(serial))) < 0
        || (rc = gnutls_x509_crt_set_activation_time(crt, time(NULL) - 3600)) < 0
        || (rc = gnutls_x509_crt_set_expiration_time(crt, time(NULL) + 30 * 86400)) < 0
        || (rc = gnutls_x509_crt_set_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, name, (unsigned)strlen(name))) < 0
        || (rc = gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_DNSNAME, name, (unsigned)strlen(name), GNUTLS_FSAN_SET)) < 0
        || (rc = gnutls_x509_crt_set_basic_constraints(crt, 0, -1)) < 0 || (rc = gnutls_x509_crt_set_key(crt, t->ca_key)) < 0)
        return rc;
    return gnutls_x509_crt_sign2(crt, t->ca, t->ca_key, GNUTLS_DIG_SHA256, 0);
}

static gnutls_pcert_st *certificate_for(struct identity *t, const char *name)
{
    static const char tag;
    struct digest key = sha256(bytes_str(name));
    gnutls_pcert_st *p = memo_find(t->names, &tag, key.p);
    gnutls_x509_crt_t crt;

    if (p != NULL)
        return p;
    p = calloc(1, sizeof(*p));
    if (p == NULL || gnutls_x509_crt_init(&crt) < 0) {
        free(p);
        return NULL;
    }
    if (sign_for(t, name, crt) < 0 || gnutls_pcert_import_x509(p, crt, 0) < 0) {
        free(p);
        p = NULL;
    } else if (!memo_put(t->names, &tag, key.p, p, free_pcert)) { /* which has freed it */
        p = NULL;
    }
    gnutls_x509_crt_deinit(crt);
    return p;
}

int tls_give(gnutls_session_t session, const gnutls_datum_t *req_ca_rdn, int nreqs, const gnutls_pk_algorithm_t *algos, int algo_count,
             gnutls_pcert_st **ret_chain, unsigned *ret_count, gnutls_privkey_t *ret_key)
{
    struct identity *t = &the.identity[the.current];
    char name[256];
    size_t n = sizeof(name);
    unsigned type;
    gnutls_pcert_st *own;

    (void)req_ca_rdn, (void)nreqs, (void)algos, (void)algo_count;
    *ret_chain = t->chain;
    *ret_count = t->count;
    *ret_key = t->key;
    if (t->names == NULL || gnutls_server_name_get(session, name, &n, &type, 0) != 0 || !tenant_is_provider_host(the.front, bytes_of(name, n)))
        return 0;
    own = certificate_for(t, name);
    if (own != NULL) {
        *ret_chain = own;
        *ret_count = 1;
    }
    return 0;
}

/* tls.h: the certificates that the HTTPS listener shows. */
#ifndef AVOUCH_FRONT_TLS_H
#define AVOUCH_FRONT_TLS_H

#include "front/front.h"

#include <gnutls/abstract.h>

bool tls_open(struct front *f, struct err *e) CHECKED;
/* Reads certificate and key anew; on failure the ones in use stay. Handshakes under way keep theirs. */
bool tls_reload(struct front *f, struct err *e) CHECKED;
void tls_close(void);

/* Callback of the TLS library. */
int tls_give(gnutls_session_t session, const gnutls_datum_t *req_ca_rdn, int nreqs, const gnutls_pk_algorithm_t *algos, int algo_count,
             gnutls_pcert_st **ret_chain, unsigned *ret_count, gnutls_privkey_t *ret_key);

#endif

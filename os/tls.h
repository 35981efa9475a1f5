/* tls.h: the development certificate of the HTTPS listener. */
#ifndef AVOUCH_OS_TLS_H
#define AVOUCH_OS_TLS_H

#include "base/err.h"

/* Makes an ECDSA P-256 key and a self-signed certificate for localhost, *.localhost, 127.0.0.1 and ::1,
 * valid for a year, unless both files are there already. */
bool tls_make_development(const char *cert_path, const char *key_path, struct err *e) CHECKED;

#endif

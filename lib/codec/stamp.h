/* stamp.h: times as whole seconds since 1970 UTC, and their texts. Proleptic Gregorian, years 1 to 9999. */
#ifndef AVOUCH_CODEC_STAMP_H
#define AVOUCH_CODEC_STAMP_H

#include "base/arena.h"
#include "base/bytes.h"

/* RFC 3339 with Z: YYYY-MM-DDThh:mm:ssZ exactly; impossible dates are refused. */
bool stamp_parse(struct bytes text, int64_t *ret);
/* The contents of ASN.1 UTCTime (YYMMDDhhmmssZ) or GeneralizedTime (YYYYMMDDhhmmssZ); RFC 5280 4.1.2.5. */
bool stamp_parse_utctime(struct bytes text, int64_t *ret);
bool stamp_parse_gentime(struct bytes text, int64_t *ret);

#define STAMP_SIZE sizeof("YYYY-MM-DDThh:mm:ssZ")
struct stamp_text {
    char s[STAMP_SIZE];
};
struct stamp_text stamp_text(int64_t t);

/* Fields of a date; seconds to date and back. */
void stamp_split(int64_t t, int *year, int *month, int *day, int *hour, int *minute, int *second);
bool stamp_join(int year, int month, int day, int hour, int minute, int second, int64_t *ret);

#endif

/* stamp.c: see stamp.h. Days are counted from March so that the leap day is the last of its year. */
#include "codec/stamp.h"

#include <stdio.h>

static int64_t days_of(int year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t yoe = y - era * 400;
    int64_t doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;

    return era * 146097 + doe - 719468;
}

static int days_in(int year, int month)
{
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

    if (month == 2 && ((year % 4 == 0 && year % 100 != 0) || year % 400 == 0))
        return 29;
    return days[month - 1];
}

bool stamp_join(int year, int month, int day, int hour, int minute, int second, int64_t *ret)
{
    if (year < 1 || year > 9999 || month < 1 || month > 12 || day < 1 || day > days_in(year, month)
        || hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59)
        return false;
    *ret = days_of(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
    return true;
}

void stamp_split(int64_t t, int *year, int *month, int *day, int *hour, int *minute, int *second)
{
    int64_t days = t / 86400, rest = t % 86400, era, doe, yoe, doy, mp;

    if (rest < 0) {
        rest += 86400;
        days--;
    }
    days += 719468;
    era = (days >= 0 ? days : days - 146096) / 146097;
    doe = days - era * 146097;
    yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    mp = (5 * doy + 2) / 153;
    *day = (int)(doy - (153 * mp + 2) / 5 + 1);
    *month = (int)(mp < 10 ? mp + 3 : mp - 9);
    *year = (int)(yoe + era * 400 + (*month <= 2));
    *hour = (int)(rest / 3600);
    *minute = (int)(rest / 60 % 60);
    *second = (int)(rest % 60);
}

struct stamp_text stamp_text(int64_t t)
{
    struct stamp_text r;
    int y, mo, d, h, mi, s;

    stamp_split(t, &y, &mo, &d, &h, &mi, &s);
    if (y < 1 || y > 9999 || snprintf(r.s, sizeof(r.s), "%04u-%02u-%02uT%02u:%02u:%02uZ", (unsigned)y % 10000u,
                                      (unsigned)mo % 100u, (unsigned)d % 100u, (unsigned)h % 100u,
                                      (unsigned)mi % 100u, (unsigned)s % 100u) < 0)
        snprintf(r.s, sizeof(r.s), "(out of range)");
    return r;
}

/* Reads the pattern: '9' is a digit of the next number, a blank ends a number, anything else stands for itself. */
static bool scan(struct bytes text, const char *pattern, int *fields)
{
    size_t at = 0;
    int *f = fields;

    *f = 0;
    for (; *pattern != 0; pattern++) {
        if (*pattern == ' ') {
            *++f = 0;
            continue;
        }
        if (at >= text.n)
            return false;
        if (*pattern == '9') {
            if (text.p[at] < '0' || text.p[at] > '9')
                return false;
            *f = *f * 10 + (text.p[at] - '0');
        } else if (text.p[at] != (uint8_t)*pattern) {
            return false;
        }
        at++;
    }
    return at == text.n;
}

bool stamp_parse(struct bytes text, int64_t *ret)
{
    int f[7];

    return scan(text, "9999 -99 -99 T99 :99 :99 Z", f)
        && stamp_join(f[0], f[1], f[2], f[3], f[4], f[5], ret);
}

bool stamp_parse_utctime(struct bytes text, int64_t *ret)
{
    int f[7];

    return scan(text, "99 99 99 99 99 99 Z", f)
        && stamp_join(f[0] < 50 ? 2000 + f[0] : 1900 + f[0], f[1], f[2], f[3], f[4], f[5], ret);
}

bool stamp_parse_gentime(struct bytes text, int64_t *ret)
{
    int f[7];

    return scan(text, "9999 99 99 99 99 99 Z", f)
        && stamp_join(f[0], f[1], f[2], f[3], f[4], f[5], ret);
}

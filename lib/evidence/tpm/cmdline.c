/* cmdline.c: the kernel command line that a boot loader measured (evidence-tpm section 8).
 *
 * The specification takes the last line that its digest covers. That is not enough: after the boot root may extend PCR 8
 * or 12 with another one, and whoever sends the log may give what stood there before another prefix, since prefixes are
 * not measured. What cannot be changed is the sequence of measured texts. So the claim is made only where all of them,
 * whatever the log calls them, speak of one line: texts of lines are all the same, GRUB's own `linux` commands (it measures
 * them too) have that line, and no event of the PCR keeps its text hidden. Else there is no claim, and a policy that asks
 * for one refuses. A log where the boot loader measured no line at all still believes one that root adds later: policies
 * that must exclude that compare the PCR itself. */
#include "evidence/tpm/boot.h"
#include "evidence/tpm/efi.h"

enum { GRUB_PCR = 8, SYSTEMD_PCR = 12 };

struct lines {
    struct bytes found; /* p NULL: none yet */
    bool doubtful;
};

static void note(struct lines *l, struct bytes line)
{
    if (l->found.p == NULL)
        l->found = line;
    else if (!bytes_equal(l->found, line))
        l->doubtful = true;
}

/* Of a command GRUB measures the bare words, of a line the words in the quotes that the kernel needs. */
static bool same_words(struct bytes a, struct bytes b)
{
    size_t i = 0, j = 0;

    for (;;) {
        while (i < a.n && strchr("\"'\\", a.p[i]) != NULL && a.p[i] != 0)
            i++;
        while (j < b.n && strchr("\"'\\", b.p[j]) != NULL && b.p[j] != 0)
            j++;
        if (i == a.n || j == b.n)
            return i == a.n && j == b.n;
        if (a.p[i++] != b.p[j++])
            return false;
    }
}

/* What follows a command that loads a kernel: "linux /vmlinuz ro". */
static bool loads_kernel(struct bytes text, struct bytes *ret)
{
    static const char *const commands[] = { "linux ", "linuxefi ", "linux16 " };

    for (size_t i = 0; i < COUNT(commands); i++)
        if (bytes_is(bytes_part(text, 0, strlen(commands[i])), commands[i])) {
            *ret = bytes_part(text, strlen(commands[i]), text.n);
            return true;
        }
    return false;
}

static bool is_text(const struct tpm_event *ev)
{
    return ev->covered && ev->type == EV_IPL && ev->text_kind != TEXT_NONE && ev->text_kind != TEXT_SECTION_NAME;
}

/* A separator's digest is that of nothing else, so nothing hides behind it. */
static void note_pcr(const struct tpm_state *s, unsigned pcr, struct arena *a, struct lines *ret)
{
    struct lines here = { .doubtful = false }, loaded = { .doubtful = false };
    bool hidden = false;

    for (size_t i = 0; i < s->log.count; i++) {
        const struct tpm_event *ev = &s->log.events[i];
        struct bytes line;

        if (!ev->visible || ev->pcr != pcr || ev->separator)
            continue;
        hidden |= !is_text(ev);
        if (pcr == SYSTEMD_PCR && ev->covered && ev->text_kind == TEXT_UTF16)
            note(&here, utf16_text(a, ev->text));
        else if (pcr == GRUB_PCR && ev->covered && ev->text_kind == TEXT_KERNEL_COMMAND_LINE)
            note(&here, ev->text);
        if (pcr == GRUB_PCR && loads_kernel(ev->text, &line))
            note(&loaded, line);
    }
    if (here.found.p == NULL)
        return;
    note(ret, here.found);
    ret->doubtful |= hidden || here.doubtful || loaded.doubtful || (loaded.found.p != NULL && !same_words(loaded.found, here.found));
}

struct bytes tpm_kernel_command_line(const struct tpm_state *s, struct arena *a)
{
    struct lines l = { .doubtful = false };

    note_pcr(s, GRUB_PCR, a, &l);
    note_pcr(s, SYSTEMD_PCR, a, &l);
    return l.doubtful ? (struct bytes){ NULL, 0 } : l.found;
}

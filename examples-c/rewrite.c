/*
 * rewrite - put one address in the place of another, in the envelope and in the header.
 *
 *   cc -o rewrite rewrite.c -lmilter
 *   ./rewrite inet:8890@127.0.0.1 old@a.example new@b.example [BODYFILE]
 *
 * Sender, recipient and From header OLD become NEW. A message with one of these also gets
 * "X-Old-Address: OLD" at the top and "X-Rewritten: QUEUE-ID" at the end of its header, loses
 * its X-Mailer headers, and with BODYFILE (lines ending in CRLF) has that file as its body.
 */
#define _GNU_SOURCE /* strcasestr */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <libmilter/mfapi.h>

#define ACTIONS (SMFIF_ADDHDRS | SMFIF_CHGHDRS | SMFIF_CHGFROM | SMFIF_ADDRCPT | SMFIF_DELRCPT | SMFIF_CHGBODY)
#define UNUSED_STEPS (SMFIP_NOCONNECT | SMFIP_NOHELO | SMFIP_NODATA | SMFIP_NOUNKNOWN | SMFIP_NOEOH | SMFIP_NOBODY)

struct message {
    int sender, recipient, from; /* these are OLD */
    int mailers;                 /* number of X-Mailer headers */
};
static char *old_address, *new_address;
static unsigned char body[10 * 1024 * 1024];
static size_t body_len; /* 0: leave bodies alone */

/* The MTA says what it can do, we say what we want of it, and which macros at which stage. */
static sfsistat on_negotiate(SMFICTX *ctx, unsigned long actions, unsigned long steps,
                             unsigned long u2, unsigned long u3, unsigned long *want_actions,
                             unsigned long *want_steps, unsigned long *w2, unsigned long *w3)
{
    (void)u2, (void)u3, (void)w2, (void)w3;
    if ((actions & ACTIONS) != ACTIONS)
        return SMFIS_REJECT; /* we cannot work with this MTA */
    *want_actions = ACTIONS | (actions & SMFIF_SETSYMLIST);
    *want_steps = steps & UNUSED_STEPS;
    if ((actions & SMFIF_SETSYMLIST) != 0 && smfi_setsymlist(ctx, SMFIM_EOM, "i") == MI_FAILURE)
        return SMFIS_REJECT;
    return SMFIS_CONTINUE;
}

static sfsistat forget(SMFICTX *ctx)
{
    free(smfi_getpriv(ctx));
    smfi_setpriv(ctx, NULL);
    return SMFIS_CONTINUE;
}

/* Addresses come as the SMTP client typed them, mostly in angle brackets. */
static int is_old(const char *address)
{
    size_t len = strlen(old_address);
    address += address[0] == '<';
    return strncmp(address, old_address, len) == 0
           && (address[len] == '\0' || strcmp(address + len, ">") == 0);
}

static sfsistat on_envfrom(SMFICTX *ctx, char **argv)
{
    struct message *m = calloc(1, sizeof *m);
    forget(ctx);
    if (m == NULL || smfi_setpriv(ctx, m) == MI_FAILURE)
        return SMFIS_TEMPFAIL;
    m->sender = is_old(argv[0]);
    return SMFIS_CONTINUE;
}

static sfsistat on_envrcpt(SMFICTX *ctx, char **argv)
{
    struct message *m = smfi_getpriv(ctx);
    if (m != NULL && is_old(argv[0]))
        m->recipient = 1;
    return SMFIS_CONTINUE;
}

static sfsistat on_header(SMFICTX *ctx, char *name, char *value)
{
    struct message *m = smfi_getpriv(ctx);
    if (m != NULL && strcasecmp(name, "From") == 0 && strcasestr(value, old_address) != NULL)
        m->from = 1;
    if (m != NULL && strcasecmp(name, "X-Mailer") == 0)
        m->mailers++;
    return SMFIS_CONTINUE;
}

/* Modifications can be asked for at the end of the message only. */
static sfsistat on_eom(SMFICTX *ctx)
{
    struct message *m = smfi_getpriv(ctx);
    char *id = smfi_getsymval(ctx, "i");
    int failed;
    if (m == NULL || !(m->sender || m->recipient || m->from))
        return forget(ctx);
    failed = smfi_progress(ctx); /* "still at work": the MTA's time limit starts again */
    if (m->sender)
        failed |= smfi_chgfrom(ctx, new_address, NULL);
    if (m->recipient)
        failed |= smfi_delrcpt(ctx, old_address) | smfi_addrcpt(ctx, new_address);
    if (m->from)
        failed |= smfi_chgheader(ctx, "From", 1, new_address);
    for (; m->mailers > 0; m->mailers--) /* NULL deletes; the last one first, as the rest move up */
        failed |= smfi_chgheader(ctx, "X-Mailer", m->mailers, NULL);
    failed |= smfi_addheader(ctx, "X-Rewritten", id != NULL ? id : "unknown");
    failed |= smfi_insheader(ctx, 0, "X-Old-Address", old_address);
    if (body_len > 0)
        failed |= smfi_replacebody(ctx, body, (int)body_len);
    forget(ctx);
    return failed == MI_SUCCESS ? SMFIS_CONTINUE : SMFIS_TEMPFAIL;
}

int main(int argc, char **argv)
{
    struct smfiDesc desc = {
        .xxfi_name = "rewrite", .xxfi_version = SMFI_VERSION, .xxfi_flags = ACTIONS,
        .xxfi_negotiate = on_negotiate, .xxfi_envfrom = on_envfrom, .xxfi_envrcpt = on_envrcpt,
        .xxfi_header = on_header, .xxfi_eom = on_eom, .xxfi_abort = forget, .xxfi_close = forget,
    };
    FILE *file = argc == 5 ? fopen(argv[4], "rb") : NULL;
    if (argc < 4 || argc > 5 || argv[2][0] == '\0' || argv[3][0] == '\0') {
        fprintf(stderr, "usage: %s SOCKET OLD NEW [BODYFILE]\n", argv[0]);
        return 2;
    }
    old_address = argv[2];
    new_address = argv[3];
    if (file != NULL)
        body_len = fread(body, 1, sizeof body, file);
    if (argc == 5 && (body_len == 0 || body_len == sizeof body)) {
        fprintf(stderr, "%s: cannot read %s, or it is empty or above 10 MB\n", argv[0], argv[4]);
        return 1;
    }
    if (smfi_setconn(argv[1]) == MI_FAILURE || smfi_register(desc) == MI_FAILURE
        || smfi_opensocket(1) == MI_FAILURE) {
        fprintf(stderr, "%s: cannot listen on %s, see the system log\n", argv[0], argv[1]);
        return 1;
    }
    return smfi_main() == MI_SUCCESS ? 0 : 1;
}

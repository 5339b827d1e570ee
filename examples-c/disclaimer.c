/*
 * disclaimer - append a text to outgoing plain-text messages.
 *
 *   cc -o disclaimer disclaimer.c -lmilter
 *   ./disclaimer inet:8890@127.0.0.1 "ACME Ltd, registered in Ruritania" [DAEMON]
 *
 * Outgoing: the client logged in ({auth_authen} is set), or came in through the MTA's service
 * DAEMON ({daemon_name}; "MSA" in sendmail, milter_macro_daemon_name in Postfix's master.cf).
 * Plain text: Content-Type text/plain or none, sent as 7bit or 8bit. All else passes unchanged,
 * and so do bodies above MAX_BODY. The text should be ASCII, which every charset has.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <libmilter/mfapi.h>

#define MAX_BODY (8 * 1024 * 1024) /* bytes kept in memory per message */

struct message {
    size_t len; /* bytes in body */
    unsigned char *body;
};
static const char *text, *submission = "";

/* However a message or a connection ends, its memory goes. SMFIS_ACCEPT: pass it as it is. */
static sfsistat forget(SMFICTX *ctx)
{
    struct message *m = smfi_getpriv(ctx);
    if (m != NULL)
        free(m->body);
    free(m);
    smfi_setpriv(ctx, NULL);
    return SMFIS_ACCEPT;
}

static sfsistat on_envfrom(SMFICTX *ctx, char **argv)
{
    const char *daemon = smfi_getsymval(ctx, "{daemon_name}");
    (void)argv;
    forget(ctx);
    if (smfi_getsymval(ctx, "{auth_authen}") == NULL
        && (daemon == NULL || strcmp(daemon, submission) != 0))
        return SMFIS_ACCEPT; /* this message only: the next one is looked at again */
    if (smfi_setpriv(ctx, calloc(1, sizeof(struct message))) == MI_FAILURE)
        return SMFIS_TEMPFAIL;
    return SMFIS_CONTINUE;
}

static sfsistat on_header(SMFICTX *ctx, char *name, char *value)
{
    int plain = 1;
    value += strspn(value, " \t\r\n"); /* the space after the colon may still be there */
    if (strcasecmp(name, "Content-Type") == 0)
        plain = strncasecmp(value, "text/plain", 10) == 0;
    else if (strcasecmp(name, "Content-Transfer-Encoding") == 0)
        plain = strncasecmp(value, "7bit", 4) == 0 || strncasecmp(value, "8bit", 4) == 0;
    return plain ? SMFIS_CONTINUE : forget(ctx);
}

/* A body comes in pieces of up to 64 KB, split anywhere. */
static sfsistat on_body(SMFICTX *ctx, unsigned char *piece, size_t len)
{
    struct message *m = smfi_getpriv(ctx);
    unsigned char *body;
    if (m == NULL || len > MAX_BODY - m->len || (body = realloc(m->body, m->len + len)) == NULL)
        return forget(ctx);
    memcpy(body + m->len, piece, len);
    m->body = body;
    m->len += len;
    return SMFIS_CONTINUE;
}

/* Calls of smfi_replacebody add up to the new body, whose lines end in CRLF. */
static int put(SMFICTX *ctx, const void *bytes, size_t len)
{
    return len == 0 || smfi_replacebody(ctx, (unsigned char *)bytes, (int)len) == MI_SUCCESS;
}

static sfsistat on_eom(SMFICTX *ctx)
{
    struct message *m = smfi_getpriv(ctx);
    int done = m != NULL && put(ctx, m->body, m->len)
               && put(ctx, "\r\n\r\n", m->len == 0 || m->body[m->len - 1] == '\n' ? 2 : 4)
               && put(ctx, text, strlen(text)) && put(ctx, "\r\n", 2);
    forget(ctx);
    return done ? SMFIS_CONTINUE : SMFIS_TEMPFAIL;
}

int main(int argc, char **argv)
{
    struct smfiDesc desc = {
        .xxfi_name = "disclaimer", .xxfi_version = SMFI_VERSION, .xxfi_flags = SMFIF_CHGBODY,
        .xxfi_envfrom = on_envfrom, .xxfi_header = on_header, .xxfi_body = on_body,
        .xxfi_eom = on_eom, .xxfi_abort = forget, .xxfi_close = forget,
    };
    if (argc < 3 || argc > 4) {
        fprintf(stderr, "usage: %s SOCKET TEXT [DAEMON]\n", argv[0]);
        return 2;
    }
    text = argv[2];
    if (argc == 4)
        submission = argv[3];
    if (smfi_setconn(argv[1]) == MI_FAILURE || smfi_register(desc) == MI_FAILURE
        || smfi_opensocket(1) == MI_FAILURE) {
        fprintf(stderr, "%s: cannot listen on %s, see the system log\n", argv[0], argv[1]);
        return 1;
    }
    return smfi_main() == MI_SUCCESS ? 0 : 1;
}

/*
 * gatekeeper - turn mail away by client, sender or recipient.
 *
 *   cc -o gatekeeper gatekeeper.c -lmilter
 *   ./gatekeeper inet:8890@127.0.0.1
 *
 * The rules are the table below: patterns as in the shell, upper or lower case, the
 * first that fits counts; a client is looked up by name, then by address.
 * REJECT and TEMPFAIL answer the SMTP command with two lines of text; QUARANTINE lets the
 * message pass and has the MTA hold it for a human to look at.
 */
#define _GNU_SOURCE /* FNM_CASEFOLD */
#include <arpa/inet.h>
#include <fnmatch.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <libmilter/mfapi.h>

enum stage { CLIENT, SENDER, RECIPIENT };
enum verdict { REJECT, TEMPFAIL, QUARANTINE };

/* In texts write %% for %: some MTAs take them as a format. */
static const struct rule {
    enum stage stage;
    const char *pattern;
    enum verdict verdict;
    const char *code, *status, *line1, *line2;
} rules[] = {
    { CLIENT, "*.dynamic.example", REJECT, "554", "5.7.1", "Dynamic address.", "Use your provider's relay." },
    { CLIENT, "203.0.113.*", REJECT, "554", "5.7.1", "Your network is blocked.", "Write to postmaster." },
    { CLIENT, "198.51.100.*", TEMPFAIL, "451", "4.7.1", "Too much mail from you.", "Try again in an hour." },
    { SENDER, "*@spam.example", REJECT, "550", "5.7.1", "We know you.", "100%% of your mail is spam." },
    { SENDER, "*@slow.example", TEMPFAIL, "451", "4.7.1", "Not now.", "Try again later." },
    { SENDER, "*@odd.example", QUARANTINE, NULL, NULL, "odd sender", NULL },
    { RECIPIENT, "gone@*", REJECT, "550", "5.1.6", "This user has left.", "Try info@ instead." },
    { RECIPIENT, "busy@*", TEMPFAIL, "452", "4.2.2", "This mailbox is full.", "It may not stay so." },
    { RECIPIENT, "trap@*", QUARANTINE, NULL, NULL, "sent to a trap address", NULL },
};

static sfsistat judge(SMFICTX *ctx, enum stage stage, const char *what)
{
    const struct rule *r = rules, *end = rules + sizeof rules / sizeof *rules;
    while (r < end && (r->stage != stage || fnmatch(r->pattern, what, FNM_CASEFOLD) != 0))
        r++;
    if (r == end)
        return SMFIS_CONTINUE;
    if (r->verdict == QUARANTINE) { /* can be asked for at the end only: remember it */
        smfi_setpriv(ctx, (void *)r);
        return SMFIS_CONTINUE;
    }
    /* Should the text be refused, the verdict still counts, with the MTA's own words. */
    smfi_setmlreply(ctx, r->code, r->status, r->line1, r->line2, NULL);
    return r->verdict == REJECT ? SMFIS_REJECT : SMFIS_TEMPFAIL;
}

/* A message or a connection ends: what was remembered about it no longer counts. */
static sfsistat forget(SMFICTX *ctx)
{
    smfi_setpriv(ctx, NULL);
    return SMFIS_CONTINUE;
}

static sfsistat on_connect(SMFICTX *ctx, char *host, struct sockaddr *addr)
{
    char text[INET6_ADDRSTRLEN] = "";
    sfsistat verdict = judge(ctx, CLIENT, host);
    if (verdict != SMFIS_CONTINUE || addr == NULL)
        return verdict;
    if (addr->sa_family == AF_INET)
        inet_ntop(AF_INET, &((struct sockaddr_in *)addr)->sin_addr, text, sizeof text);
    else if (addr->sa_family == AF_INET6)
        inet_ntop(AF_INET6, &((struct sockaddr_in6 *)addr)->sin6_addr, text, sizeof text);
    return judge(ctx, CLIENT, text);
}

/* The address without its angle brackets, in place: callbacks own their arguments. */
static const char *bare(char *address)
{
    size_t len = strlen(address);
    if (len < 2 || address[0] != '<' || address[len - 1] != '>')
        return address;
    address[len - 1] = '\0';
    return address + 1;
}

static sfsistat on_envfrom(SMFICTX *ctx, char **argv)
{
    forget(ctx);
    return judge(ctx, SENDER, bare(argv[0]));
}

static sfsistat on_envrcpt(SMFICTX *ctx, char **argv)
{
    return judge(ctx, RECIPIENT, bare(argv[0])); /* concerns this recipient only */
}

static sfsistat on_eom(SMFICTX *ctx)
{
    const struct rule *r = smfi_getpriv(ctx);
    forget(ctx);
    if (r != NULL && smfi_quarantine(ctx, (char *)r->line1) == MI_FAILURE)
        return SMFIS_TEMPFAIL;
    return SMFIS_CONTINUE;
}

int main(int argc, char **argv)
{
    struct smfiDesc desc = {
        .xxfi_name = "gatekeeper", .xxfi_version = SMFI_VERSION, .xxfi_flags = SMFIF_QUARANTINE,
        .xxfi_connect = on_connect, .xxfi_envfrom = on_envfrom, .xxfi_envrcpt = on_envrcpt,
        .xxfi_eom = on_eom, .xxfi_abort = forget, .xxfi_close = forget,
    };
    if (argc != 2) {
        fprintf(stderr, "usage: %s SOCKET\n", argv[0]);
        return 2;
    }
    if (smfi_setconn(argv[1]) == MI_FAILURE || smfi_register(desc) == MI_FAILURE
        || smfi_opensocket(1) == MI_FAILURE) {
        fprintf(stderr, "%s: cannot listen on %s, see the system log\n", argv[0], argv[1]);
        return 1;
    }
    return smfi_main() == MI_SUCCESS ? 0 : 1;
}

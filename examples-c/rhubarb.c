/*
 * rhubarb - count the messages that contain a word, and tell each of them its number.
 *
 *   cc -o rhubarb rhubarb.c -lmilter
 *   ./rhubarb inet:8890@127.0.0.1 rhubarb
 *
 * A message whose body contains WORD, in upper or lower case, gets a header
 * "X-Rhubarb: WORD in 3 messages so far". The count is shared by all connections, whose
 * callbacks run at the same time: hence the lock around it.
 */
#include <ctype.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <libmilter/mfapi.h>

#define MAX_WORD 100 /* bytes */

struct search {
    size_t matched; /* so many bytes at the end of the text read so far begin the word */
};
static const char *word;
static size_t word_len, fallback[MAX_WORD]; /* matched, where the next byte does not fit */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned long messages;

/* What of the word is matched after one more byte: the algorithm of Knuth, Morris and Pratt. */
static size_t advance(size_t matched, unsigned char byte)
{
    while (matched > 0 && tolower((unsigned char)word[matched]) != tolower(byte))
        matched = fallback[matched - 1];
    return matched + (tolower((unsigned char)word[matched]) == tolower(byte));
}

static sfsistat forget(SMFICTX *ctx)
{
    free(smfi_getpriv(ctx));
    smfi_setpriv(ctx, NULL);
    return SMFIS_CONTINUE;
}

static sfsistat on_envfrom(SMFICTX *ctx, char **argv)
{
    struct search *s = calloc(1, sizeof *s);
    (void)argv;
    forget(ctx);
    return s != NULL && smfi_setpriv(ctx, s) == MI_SUCCESS ? SMFIS_CONTINUE : SMFIS_TEMPFAIL;
}

/* The word may be split between two pieces of the body, so the search goes on across them. */
static sfsistat on_body(SMFICTX *ctx, unsigned char *piece, size_t len)
{
    struct search *s = smfi_getpriv(ctx);
    size_t i;
    for (i = 0; s != NULL && i < len && s->matched < word_len; i++)
        s->matched = advance(s->matched, piece[i]);
    return SMFIS_CONTINUE;
}

static sfsistat on_eom(SMFICTX *ctx)
{
    struct search *s = smfi_getpriv(ctx);
    char value[MAX_WORD + 60];
    int failed = 0;
    if (s != NULL && s->matched == word_len) {
        pthread_mutex_lock(&lock);
        messages++;
        snprintf(value, sizeof value, "%s in %lu message%s so far", word, messages,
                 messages == 1 ? "" : "s");
        pthread_mutex_unlock(&lock);
        failed = smfi_addheader(ctx, "X-Rhubarb", value) == MI_FAILURE;
    }
    forget(ctx);
    return failed ? SMFIS_TEMPFAIL : SMFIS_CONTINUE;
}

int main(int argc, char **argv)
{
    struct smfiDesc desc = {
        .xxfi_name = "rhubarb", .xxfi_version = SMFI_VERSION, .xxfi_flags = SMFIF_ADDHDRS,
        .xxfi_envfrom = on_envfrom, .xxfi_body = on_body, .xxfi_eom = on_eom,
        .xxfi_abort = forget, .xxfi_close = forget,
    };
    size_t i;
    if (argc != 3 || argv[2][0] == '\0' || strlen(argv[2]) > MAX_WORD) {
        fprintf(stderr, "usage: %s SOCKET WORD\n", argv[0]);
        return 2;
    }
    word = argv[2];
    word_len = strlen(word);
    for (i = 1; i < word_len; i++)
        fallback[i] = advance(fallback[i - 1], (unsigned char)word[i]);
    if (smfi_setconn(argv[1]) == MI_FAILURE || smfi_register(desc) == MI_FAILURE
        || smfi_opensocket(1) == MI_FAILURE) {
        fprintf(stderr, "%s: cannot listen on %s, see the system log\n", argv[0], argv[1]);
        return 1;
    }
    return smfi_main() == MI_SUCCESS ? 0 : 1;
}

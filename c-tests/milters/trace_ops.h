/* One scripted call of the API: performs it and appends its arguments and result to the trace. */
#ifndef TRACE_OPS_H
#define TRACE_OPS_H

#include "trace.h"

/* In/out values of xxfi_negotiate; NULL in every other callback. */
static unsigned long *negotiated[4];
/* What `keep` remembered: a value of smfi_getsymval looked at again in a later callback. */
static char *kept;

#define IS(name) (strcmp(op, name) == 0)

static int modification(const char *op, SMFICTX *ctx, const struct token *t, long *result)
{
	if (IS("addheader"))
		*result = smfi_addheader(ctx, t[0].s, t[1].s);
	else if (IS("insheader"))
		*result = smfi_insheader(ctx, (int)t[0].i, t[1].s, t[2].s);
	else if (IS("chgheader"))
		*result = smfi_chgheader(ctx, t[0].s, (int)t[1].i, t[2].s);
	else if (IS("chgfrom"))
		*result = smfi_chgfrom(ctx, t[0].s, t[1].s);
	else if (IS("addrcpt"))
		*result = smfi_addrcpt(ctx, t[0].s);
	else if (IS("addrcpt_par"))
		*result = smfi_addrcpt_par(ctx, t[0].s, t[1].s);
	else if (IS("delrcpt"))
		*result = smfi_delrcpt(ctx, t[0].s);
	else if (IS("replacebody"))
		*result = smfi_replacebody(ctx, (unsigned char *)t[0].s, (int)t[1].i);
	else if (IS("quarantine"))
		*result = smfi_quarantine(ctx, t[0].s);
	else if (IS("progress"))
		*result = smfi_progress(ctx);
	else
		return 0;
	return 1;
}

static int setting(const char *op, SMFICTX *ctx, const struct token *t, long *result)
{
	if (IS("setreply"))
		*result = smfi_setreply(ctx, t[0].s, t[1].s, t[2].s);
	else if (IS("setmlreply")) /* tokens past the last one are NULL */
		*result = smfi_setmlreply(ctx, t[0].s, t[1].s, t[2].s, t[3].s, t[4].s, t[5].s, t[6].s, t[7].s,
			t[8].s, t[9].s, t[10].s, t[11].s, t[12].s, t[13].s, t[14].s, t[15].s, t[16].s, t[17].s,
			t[18].s, t[19].s, t[20].s, t[21].s, t[22].s, t[23].s, t[24].s, t[25].s, t[26].s, t[27].s,
			t[28].s, t[29].s, t[30].s, t[31].s, t[32].s, t[33].s, t[34].s, t[35].s, t[36].s, t[37].s,
			NULL);
	else if (IS("setpriv"))
		*result = smfi_setpriv(ctx, (void *)t[0].i);
	else if (IS("getpriv"))
		*result = (long)smfi_getpriv(ctx);
	else if (IS("setsymlist"))
		*result = smfi_setsymlist(ctx, (int)t[0].i, t[1].s);
	else if (IS("setmaxdatasize"))
		*result = (long)smfi_setmaxdatasize((size_t)t[0].i);
	else if (IS("settimeout"))
		*result = smfi_settimeout((int)t[0].i);
	else if (IS("setdbg"))
		*result = smfi_setdbg((int)t[0].i);
	else if (IS("setbacklog"))
		*result = smfi_setbacklog((int)t[0].i);
	else if (IS("setconn"))
		*result = smfi_setconn(t[0].s);
	else if (IS("opensocket"))
		*result = smfi_opensocket((int)t[0].i);
	else
		return 0;
	return 1;
}

static int special(const char *op, SMFICTX *ctx, const struct token *t, struct line *l)
{
	if (IS("getsymval"))
		put_string(l, smfi_getsymval(ctx, t[0].s));
	else if (IS("keep"))
		put_string(l, kept = smfi_getsymval(ctx, t[0].s));
	else if (IS("kept"))
		put_string(l, kept);
	else if (IS("version")) {
		unsigned int major = 9, minor = 9, patch = 9;

		put_number(l, "%ld: ", smfi_version(t[0].i & 1 ? NULL : &major, t[0].i & 2 ? NULL : &minor,
			t[0].i & 4 ? NULL : &patch));
		put_number(l, "%ld.", (long)major);
		put_number(l, "%ld.", (long)minor);
		put_number(l, "%ld", (long)patch);
	} else if (strncmp(op, "pf", 2) == 0 && op[2] >= '0' && op[2] <= '3' && op[3] == '\0') {
		unsigned long *where = negotiated[op[2] - '0'];

		if (where != NULL)
			*where = (unsigned long)t[0].i;
		put(l, where == NULL ? "not negotiating" : "set");
	} else
		return 0;
	return 1;
}

/* Runs `op token...`; a '!' in front of the operation passes a NULL context. */
static void perform(char *words, SMFICTX *ctx)
{
	struct token tokens[MAX_TOKENS];
	struct line l = {"", 0};
	char *save, *op = strtok_r(words, " ", &save), *word;
	int count = 0, i;
	long result = 0;

	put(&l, "  ");
	put(&l, op);
	memset(tokens, 0, sizeof tokens);
	while (count < MAX_TOKENS - 1 && (word = strtok_r(NULL, " ", &save)) != NULL) {
		struct token *t = &tokens[count++];

		*t = decode(word);
		put(&l, " ");
		if (*word == 'i')
			put_number(&l, "%ld", t->i);
		else if (t->s == NULL)
			put(&l, "NULL");
		else
			put_bytes(&l, t->s, t->n);
	}
	if (*op == '!') {
		ctx = NULL;
		op++;
	}
	put(&l, " = ");
	if (modification(op, ctx, tokens, &result) || setting(op, ctx, tokens, &result))
		put_number(&l, "%ld", result);
	else if (!special(op, ctx, tokens, &l))
		put(&l, "unknown operation");
	emit(&l);
	for (i = 0; i < count; i++)
		free(tokens[i].s);
}

#endif

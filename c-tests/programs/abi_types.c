/* Every function and every member has the type that existing sources rely on: this file has to
 * compile without a warning in C and in C++. It is compiled, never run. */
#include <libmilter/mfapi.h>

int (*p_opensocket)(bool) = smfi_opensocket;
int (*p_register)(struct smfiDesc) = smfi_register;
int (*p_main)(void) = smfi_main;
int (*p_setbacklog)(int) = smfi_setbacklog;
int (*p_setdbg)(int) = smfi_setdbg;
int (*p_settimeout)(int) = smfi_settimeout;
int (*p_setconn)(char *) = smfi_setconn;
int (*p_stop)(void) = smfi_stop;
size_t (*p_setmaxdatasize)(size_t) = smfi_setmaxdatasize;
int (*p_version)(unsigned int *, unsigned int *, unsigned int *) = smfi_version;
char *(*p_getsymval)(SMFICTX *, char *) = smfi_getsymval;
int (*p_setreply)(SMFICTX *, char *, char *, char *) = smfi_setreply;
int (*p_setmlreply)(SMFICTX *, const char *, const char *, ...) = smfi_setmlreply;
int (*p_addheader)(SMFICTX *, char *, char *) = smfi_addheader;
int (*p_chgheader)(SMFICTX *, char *, int, char *) = smfi_chgheader;
int (*p_insheader)(SMFICTX *, int, char *, char *) = smfi_insheader;
int (*p_chgfrom)(SMFICTX *, char *, char *) = smfi_chgfrom;
int (*p_addrcpt)(SMFICTX *, char *) = smfi_addrcpt;
int (*p_addrcpt_par)(SMFICTX *, char *, char *) = smfi_addrcpt_par;
int (*p_delrcpt)(SMFICTX *, char *) = smfi_delrcpt;
int (*p_progress)(SMFICTX *) = smfi_progress;
int (*p_replacebody)(SMFICTX *, unsigned char *, int) = smfi_replacebody;
int (*p_quarantine)(SMFICTX *, char *) = smfi_quarantine;
int (*p_setpriv)(SMFICTX *, void *) = smfi_setpriv;
void *(*p_getpriv)(SMFICTX *) = smfi_getpriv;
int (*p_setsymlist)(SMFICTX *, int, char *) = smfi_setsymlist;

sfsistat c_connect(SMFICTX *, char *, _SOCK_ADDR *);
sfsistat c_string(SMFICTX *, char *);
sfsistat c_array(SMFICTX *, char **);
sfsistat c_header(SMFICTX *, char *, char *);
sfsistat c_plain(SMFICTX *);
sfsistat c_body(SMFICTX *, unsigned char *, size_t);
sfsistat c_unknown(SMFICTX *, const char *);
sfsistat c_negotiate(SMFICTX *, unsigned long, unsigned long, unsigned long, unsigned long,
	unsigned long *, unsigned long *, unsigned long *, unsigned long *);

static char name[] = "types";

struct smfiDesc positional = {
	name, SMFI_VERSION, SMFIF_ADDHDRS | SMFIF_CHGBODY, c_connect, c_string, c_array, c_array, c_header,
	c_plain, c_body, c_plain, c_plain, c_plain, c_unknown, c_plain, c_negotiate
};

smfiDesc_str by_typedef;
smfiDesc_ptr pointer = &by_typedef;
SMFICTX_PTR context;
struct smfi_str *by_tag;

int uses(void);
int uses(void)
{
	sfsistat status = SMFIS_CONTINUE;
	struct sockaddr *address = (_SOCK_ADDR *)0;

	context = by_tag;
	return status + (address == 0) + (int)sizeof(socklen_t) + AF_INET6 + SOMAXCONN;
}

/*
 * The types and functions of libmilter.
 *
 * Generated from src/ffi by cbindgen; do not edit. Sources include
 * <libmilter/mfapi.h>, which adds the constants.
 *
 * All functions return MI_SUCCESS or MI_FAILURE unless they say otherwise. A
 * ctx is valid from a session's first callback until its last xxfi_close
 * returns. "Thread" tells from which thread a function may be called.
 */

#ifndef _LIBMILTER_LIBMILTER_H
#define _LIBMILTER_LIBMILTER_H

#include <sys/types.h>
#include <sys/socket.h>

#ifndef _SOCK_ADDR
# define _SOCK_ADDR struct sockaddr
#endif

/* A bool that agrees with the source's own: C++'s, C23's, <stdbool.h>'s, or int. */
#ifndef __cplusplus
/* As in sendmail 8.18.2: GCC's C99 and later have <stdbool.h>'s, unless the source has made its own. */
# if !defined(SM_CONF_STDBOOL_H) && defined(__GNUC__) && !defined(__clang__) && \
     defined(__STDC_VERSION__) && __STDC_VERSION__ >= 199901L && (defined(_STDBOOL_H) || \
     (!defined(bool) && !defined(__bool_true_false_are_defined)))
#  define SM_CONF_STDBOOL_H 1
# endif
# if defined(SM_CONF_STDBOOL_H) && SM_CONF_STDBOOL_H
#  include <stdbool.h>
# elif defined(__STDC_VERSION__) && __STDC_VERSION__ > 201710L
/* C23, or on the way there, where bool may be a keyword or may not. */
#  include <stdbool.h>
# else
#  if !defined(bool) && !defined(__bool_true_false_are_defined)
typedef int bool;
#   define false 0
#   define true 1
#   define __bool_true_false_are_defined 1
#  endif
# endif
#endif

struct smfi_str;
struct smfiDesc;

typedef struct smfi_str SMFICTX;
typedef struct smfi_str *SMFICTX_PTR;
typedef struct smfiDesc smfiDesc_str;
typedef struct smfiDesc *smfiDesc_ptr;

/**
 * What a callback returns: one of SMFIS_CONTINUE, SMFIS_REJECT, SMFIS_DISCARD, SMFIS_ACCEPT,
 * SMFIS_TEMPFAIL, SMFIS_NOREPLY, SMFIS_SKIP. Anything else is logged and taken as
 * SMFIS_TEMPFAIL, or where the MTA waits for no reply as SMFIS_NOREPLY.
 */
typedef int sfsistat;

/**
 * A filter: its name, what it wants to do, and its callbacks.
 *
 * Each callback may be NULL. Callbacks of one session never run at the same time, but they may
 * run on different threads; those of different sessions run at the same time. All arguments
 * belong to the library and are valid until the callback returns; they may be written to.
 */
struct smfiDesc {
    /**
     * Name in log messages; NULL for "Unknown". Copied by smfi_register.
     */
    char *xxfi_name;
    /**
     * SMFI_VERSION, or 2, 3 or 4 for old filters, which have fewer of the members below.
     */
    int xxfi_version;
    /**
     * Actions the filter may want, SMFIF_*. smfi_* functions for other actions fail.
     */
    unsigned long xxfi_flags;
    /**
     * A client has connected: its host name, and its address or NULL if that is not known.
     */
    sfsistat (*xxfi_connect)(SMFICTX *ctx, char *hostname, _SOCK_ADDR *hostaddr);
    /**
     * HELO or EHLO with its argument.
     */
    sfsistat (*xxfi_helo)(SMFICTX *ctx, char *helohost);
    /**
     * MAIL: the sender, then its ESMTP arguments, then NULL.
     */
    sfsistat (*xxfi_envfrom)(SMFICTX *ctx, char **argv);
    /**
     * RCPT: a recipient, then its ESMTP arguments, then NULL.
     */
    sfsistat (*xxfi_envrcpt)(SMFICTX *ctx, char **argv);
    /**
     * One header: its name and its value, folded lines separated by LF.
     */
    sfsistat (*xxfi_header)(SMFICTX *ctx, char *headerf, char *headerv);
    /**
     * The headers are complete.
     */
    sfsistat (*xxfi_eoh)(SMFICTX *ctx);
    /**
     * A chunk of the body: not terminated, at least one byte, lines end in CRLF.
     */
    sfsistat (*xxfi_body)(SMFICTX *ctx, unsigned char *bodyp, size_t len);
    /**
     * The message is complete; the only callback in which it may be changed.
     */
    sfsistat (*xxfi_eom)(SMFICTX *ctx);
    /**
     * The message is given up. The result is ignored.
     */
    sfsistat (*xxfi_abort)(SMFICTX *ctx);
    /**
     * The SMTP connection ends, or the MTA has hung up; called once for each. The result is ignored.
     */
    sfsistat (*xxfi_close)(SMFICTX *ctx);
    /**
     * A command the MTA does not know. Needs xxfi_version > 2.
     */
    sfsistat (*xxfi_unknown)(SMFICTX *ctx, const char *arg);
    /**
     * DATA. Needs xxfi_version > 3.
     */
    sfsistat (*xxfi_data)(SMFICTX *ctx);
    /**
     * Option negotiation: f0 the actions and f1 the protocol flags the MTA offers, pf0 and pf1
     * those the filter wants. May also return SMFIS_ALL_OPTS. Needs xxfi_version > 4.
     */
    sfsistat (*xxfi_negotiate)(SMFICTX *ctx,
                               unsigned long f0,
                               unsigned long f1,
                               unsigned long f2,
                               unsigned long f3,
                               unsigned long *pf0,
                               unsigned long *pf1,
                               unsigned long *pf2,
                               unsigned long *pf3);
};

#ifdef __cplusplus
extern "C" {
#endif /* __cplusplus */

/**
 * Registers a filter; the structure is copied, its name too.
 *
 * Call before smfi_main. A later call replaces the registration for the next smfi_main. Thread:
 * the one that calls smfi_main. Returns MI_SUCCESS, or MI_FAILURE if xxfi_version is not one this
 * library knows; the registration before stays then.
 */
int smfi_register(struct smfiDesc descr);

/**
 * Sets where to listen: "unix:/path", "local:/path", "/path", "inet:port@host",
 * "inet6:port@host" or "fd:number"; also "systemd:name" and "abstract:name", and several of them with
 * commas between, see libmilter(3).
 *
 * Call before smfi_opensocket or smfi_main. The string is copied; it is looked at when the socket
 * is opened. Thread: the one that calls smfi_main. Returns MI_SUCCESS, or MI_FAILURE if the
 * string is NULL or empty.
 */
int smfi_setconn(char *oconn);

/**
 * Opens the listening socket, or all of several, now, so that its errors are seen early and privileges can be
 * dropped before smfi_main.
 *
 * Call after smfi_register and smfi_setconn. If rmsocket is true, a unix socket that is at the
 * path already is removed first. Starts no thread. Thread: the one that calls smfi_main. Returns
 * MI_SUCCESS, or MI_FAILURE; the reason is logged, unless it is that one of these two is missing, and
 * errno has its number if it was a system call.
 * If the socket is open already, or a run has it, the call succeeds and changes nothing.
 */
int smfi_opensocket(bool rmsocket);

/**
 * Sets how many connections may wait to be accepted.
 *
 * Call before smfi_opensocket. Thread: the one that calls smfi_main. Returns MI_SUCCESS, or
 * MI_FAILURE if the number is not positive.
 */
int smfi_setbacklog(int obacklog);

/**
 * Sets the level of debug output, which goes to stdout; 0 for none, 6 for all.
 *
 * Call before smfi_main; a run under way keeps its level. Thread: any. Returns MI_SUCCESS.
 */
int smfi_setdbg(int odbg);

/**
 * Sets how many seconds the MTA may be silent, and may take for one packet in either direction.
 *
 * Default 7210. Negative: for ever. 0: one second for a packet, for ever between packets. Call
 * before smfi_main. Thread: the one that calls smfi_main. Returns MI_SUCCESS.
 */
int smfi_settimeout(int otimeout);

/**
 * Sets how many bytes of payload a packet may have, in either direction, in all sessions.
 *
 * Default 65535. Larger packets from the MTA end their session, larger ones to it are refused.
 * Sessions that negotiated a size keep it. Thread: any, at any time. Returns the limit before.
 */
size_t smfi_setmaxdatasize(size_t sz);

/**
 * Gives the version of the library: 1, 0 and 1.
 *
 * Each pointer may be NULL. Thread: any, at any time. Returns MI_SUCCESS.
 */
int smfi_version(unsigned int *pmajor,
                 unsigned int *pminor,
                 unsigned int *ppl);

/**
 * Serves MTAs until asked to stop.
 *
 * Call after smfi_register and smfi_setconn. Opens the socket unless smfi_opensocket has; starts
 * threads; ignores SIGPIPE; waits for HUP and TERM, which stop the filter when the messages in
 * hand are finished (5 seconds at most), and for INT, which stops it at once. When it returns, no
 * callback is running or will be called, except for one that has not returned 7 seconds after the
 * stop; a stop takes 8 seconds at most, or what LIBMILTER_STOP_SECONDS says, see libmilter(3). It
 * may be called again. Thread: any; a second call fails at once, and changes nothing, while a run is
 * under way. Returns MI_SUCCESS after a stop however it was asked for, also before the call, or
 * MI_FAILURE; the reason is logged, and errno has its number if it was a system call. With
 * "fd:number" the descriptor is closed when the run ends; the next call needs an open one of that
 * number.
 */
int smfi_main(void);

/**
 * Asks the run under way, or else the next one, to stop.
 *
 * Messages in hand are finished, as after SIGTERM. Never waits. Thread: any, at any time, also
 * from callbacks and signal handlers (async-signal-safe). Returns MI_SUCCESS.
 */
int smfi_stop(void);

/**
 * Gives the value of a macro the MTA has sent.
 *
 * Stages: any callback. Names of more than one letter have braces: "{mail_addr}"; "i" and "{i}"
 * are the same. The value belongs to the library; it is valid until the MTA sends new macros for
 * the stage it came with, a command of an earlier stage clears it, or the session ends. Thread:
 * the callback's. Returns NULL if ctx or symname is NULL or there is no such macro.
 */
char *smfi_getsymval(SMFICTX *ctx,
                     char *symname);

/**
 * Tells the MTA which macros the filter wants at a stage, in place of those configured.
 *
 * Stages: xxfi_negotiate. stage is one of SMFIM_CONNECT to SMFIM_EOH, macros a list of names
 * separated by blanks. The string is copied. Sent if the MTA offers SMFIF_SETSYMLIST. Thread: the
 * callback's. Returns MI_SUCCESS, or MI_FAILURE if ctx or macros is NULL, there is no such stage,
 * or the stage has a list already.
 */
int smfi_setsymlist(SMFICTX *ctx,
                    int stage,
                    char *macros);

/**
 * Sets the SMTP reply for a refusal that this or a later callback returns.
 *
 * Stages: any callback but xxfi_negotiate. rcode has three digits and begins with 4 or 5; it is
 * used with SMFIS_TEMPFAIL or SMFIS_REJECT respectively, and otherwise kept. xcode is an enhanced
 * status code or NULL. message is at most 980 bytes without CR and LF, or NULL; to sendmail and
 * Postfix, "%%" stands for "%". The strings are copied. Thread: the callback's. Returns
 * MI_SUCCESS, or MI_FAILURE if an argument is not as described; the reply set before is kept then.
 */
int smfi_setreply(SMFICTX *ctx,
                  char *rcode,
                  char *xcode,
                  char *message);

/**
 * Sets an SMTP reply of several lines for a refusal that this or a later callback returns.
 *
 * As smfi_setreply, but with 1 to 32 lines of at most 980 bytes, the last of which is
 * followed by NULL. If xcode is NULL, it is 4.0.0 or 5.0.0 after rcode.
 */
extern int smfi_setmlreply(SMFICTX *ctx,
                           const char *rcode,
                           const char *xcode,
                           ...);

/**
 * Appends a header to the message.
 *
 * Stages: xxfi_eom. Needs SMFIF_ADDHDRS. The strings are copied. Thread: the callback's, or
 * another while the callback runs. Returns MI_SUCCESS, or MI_FAILURE if ctx, name or value is
 * NULL, name is empty, the action was not negotiated, the stage is another one, the packet is
 * over the data size limit, or the MTA can't be reached.
 */
int smfi_addheader(SMFICTX *ctx,
                   char *headerf,
                   char *headerv);

/**
 * Changes the index-th header of a name, counted from 1, or deletes it.
 *
 * Stages: xxfi_eom. Needs SMFIF_CHGHDRS. A NULL or empty value deletes the header; 0 is passed
 * on and means the first to most MTAs. The strings are copied. Thread: the callback's, or another
 * while the callback runs. Returns MI_SUCCESS, or MI_FAILURE as smfi_addheader does, or if index
 * is negative.
 */
int smfi_chgheader(SMFICTX *ctx,
                   char *headerf,
                   int index,
                   char *headerv);

/**
 * Inserts a header so that it becomes the index-th of all, counted from 0.
 *
 * Stages: xxfi_eom. Needs SMFIF_ADDHDRS. The strings are copied. Thread: the callback's, or
 * another while the callback runs. Returns MI_SUCCESS, or MI_FAILURE as smfi_addheader does, or
 * if index is negative.
 */
int smfi_insheader(SMFICTX *ctx,
                   int index,
                   char *headerf,
                   char *headerv);

/**
 * Changes the envelope sender.
 *
 * Stages: xxfi_eom. Needs SMFIF_CHGFROM. args holds ESMTP arguments, or is NULL. The strings are
 * copied. Thread: the callback's, or another while the callback runs. Returns MI_SUCCESS, or
 * MI_FAILURE if ctx or from is NULL, from is empty, or as smfi_addheader does.
 */
int smfi_chgfrom(SMFICTX *ctx,
                 char *from,
                 char *args);

/**
 * Adds a recipient.
 *
 * Stages: xxfi_eom. Needs SMFIF_ADDRCPT. The string is copied. Thread: the callback's, or another
 * while the callback runs. Returns MI_SUCCESS, or MI_FAILURE if ctx or rcpt is NULL, rcpt is
 * empty, or as smfi_addheader does.
 */
int smfi_addrcpt(SMFICTX *ctx,
                 char *rcpt);

/**
 * Adds a recipient with ESMTP arguments.
 *
 * Stages: xxfi_eom. Needs SMFIF_ADDRCPT_PAR; SMFIF_ADDRCPT is not enough. args may be NULL. The
 * strings are copied. Thread: the callback's, or another while the callback runs. Returns
 * MI_SUCCESS, or MI_FAILURE as smfi_addrcpt does.
 */
int smfi_addrcpt_par(SMFICTX *ctx,
                     char *rcpt,
                     char *args);

/**
 * Deletes a recipient, named as in xxfi_envrcpt.
 *
 * Stages: xxfi_eom. Needs SMFIF_DELRCPT. The string is copied. Thread: the callback's, or another
 * while the callback runs. Returns MI_SUCCESS, or MI_FAILURE as smfi_addrcpt does.
 */
int smfi_delrcpt(SMFICTX *ctx,
                 char *rcpt);

/**
 * Replaces the body; further calls append to the new body.
 *
 * Stages: xxfi_eom. Needs SMFIF_CHGBODY. Lines end in CRLF. The bytes are copied. Thread: the
 * callback's, or another while the callback runs. Returns MI_SUCCESS, or MI_FAILURE if len is
 * negative, bodyp is NULL and len is not 0, or as smfi_addheader does; part of the body may have
 * been sent then.
 */
int smfi_replacebody(SMFICTX *ctx,
                     unsigned char *bodyp,
                     int len);

/**
 * Holds the message in the MTA's quarantine.
 *
 * Stages: xxfi_eom. Needs SMFIF_QUARANTINE. The string is copied. Thread: the callback's, or
 * another while the callback runs. Returns MI_SUCCESS, or MI_FAILURE if ctx or reason is NULL,
 * reason is empty, or as smfi_addheader does.
 */
int smfi_quarantine(SMFICTX *ctx,
                    char *reason);

/**
 * Tells the MTA that the filter is still at work, so that its timeout starts anew.
 *
 * Stages: any callback. Sent at once. Thread: the callback's, or another while the callback runs.
 * Returns MI_SUCCESS, or MI_FAILURE if ctx is NULL or the MTA can't be reached.
 */
int smfi_progress(SMFICTX *ctx);

/**
 * Sets the filter's own pointer of a session.
 *
 * Stages: any callback. The library never follows, frees or clears it; a filter frees what is
 * behind it and sets it to NULL in xxfi_close at the latest. Thread: the callback's. Returns
 * MI_SUCCESS, or MI_FAILURE if ctx is NULL.
 */
int smfi_setpriv(SMFICTX *ctx,
                 void *privatedata);

/**
 * Gives the filter's own pointer of a session.
 *
 * Stages: any callback. Thread: the callback's. Returns what smfi_setpriv has set; NULL if
 * nothing was set or ctx is NULL.
 */
void *smfi_getpriv(SMFICTX *ctx);

#ifdef __cplusplus
}  // extern "C"
#endif  /* __cplusplus */

#endif  /* _LIBMILTER_LIBMILTER_H */

/*
 * The interface of libmilter; what filters include.
 *
 * Types and functions, with what there is to say about them, are in
 * libmilter.h; the protocol's constants in mfdef.h.
 */

#ifndef _LIBMILTER_MFAPI_H
#define _LIBMILTER_MFAPI_H 1

/*
 * Version of the library: major in bits 24 to 30, minor in bits 8 to 22,
 * patch level in bits 0 to 6. Filters put it into xxfi_version.
 */
#ifndef SMFI_VERSION
# ifdef _FFR_MDS_NEGOTIATE
#  define SMFI_VERSION 0x01000002
# else
#  define SMFI_VERSION 0x01000001
# endif
#endif
#ifdef _FFR_MDS_NEGOTIATE
# define SMFI_VERSION_MDS 0x01000002	/* larger payloads are negotiated */
#endif
#define SM_LM_VRS_MAJOR(v) (((v) & 0x7f000000) >> 24)
#define SM_LM_VRS_MINOR(v) (((v) & 0x007fff00) >> 8)
#define SM_LM_VRS_PLVL(v) ((v) & 0x0000007f)

#include <sys/types.h>
#include <sys/socket.h>
#include "libmilter/mfdef.h"

#define LIBMILTER_API extern

#ifndef __P
# if defined(__STDC__) || defined(__cplusplus)
#  define __P(X) X
# else
#  define __P(X) ()
# endif
#endif
#define SM__P(X) __P(X)

/* What functions return. */
#define MI_SUCCESS 0
#define MI_FAILURE (-1)
#ifdef _FFR_WORKERS_POOL
# define MI_CONTINUE 1
#endif

/* What callbacks return. */
#define SMFIS_CONTINUE 0	/* go on */
#define SMFIS_REJECT 1		/* refuse the connection, recipient or message */
#define SMFIS_DISCARD 2		/* take the message and drop it */
#define SMFIS_ACCEPT 3		/* take it without looking further */
#define SMFIS_TEMPFAIL 4	/* refuse for now */
#define SMFIS_NOREPLY 7		/* send no reply, as negotiated */
#define SMFIS_SKIP 8		/* xxfi_body only: skip the rest of the body */
#define SMFIS_ALL_OPTS 10	/* xxfi_negotiate only: all the MTA offers */

/* Actions, for xxfi_flags and xxfi_negotiate. */
#define SMFIF_NONE 0x00000000L
#define SMFIF_ADDHDRS 0x00000001L	/* add and insert headers */
#define SMFIF_CHGBODY 0x00000002L	/* replace the body */
#define SMFIF_MODBODY SMFIF_CHGBODY	/* its older name */
#define SMFIF_ADDRCPT 0x00000004L	/* add recipients */
#define SMFIF_DELRCPT 0x00000008L	/* delete recipients */
#define SMFIF_CHGHDRS 0x00000010L	/* change and delete headers */
#define SMFIF_QUARANTINE 0x00000020L	/* quarantine the message */
#define SMFIF_CHGFROM 0x00000040L	/* change the sender */
#define SMFIF_ADDRCPT_PAR 0x00000080L	/* add recipients with arguments */
#define SMFIF_SETSYMLIST 0x00000100L	/* ask for macros */

/* Stages, for smfi_setsymlist. */
#define SMFIM_NOMACROS (-1)
#define SMFIM_FIRST 0
#define SMFIM_CONNECT 0
#define SMFIM_HELO 1
#define SMFIM_ENVFROM 2
#define SMFIM_ENVRCPT 3
#define SMFIM_DATA 4
#define SMFIM_EOM 5
#define SMFIM_EOH 6
#define SMFIM_LAST 6

#include "libmilter/libmilter.h"

#endif /* _LIBMILTER_MFAPI_H */

/*
 * The milter protocol's constants: letters, flags, sizes.
 */

#ifndef _LIBMILTER_MFDEF_H
#define _LIBMILTER_MFDEF_H 1

#ifndef SMFI_PROT_VERSION
# define SMFI_PROT_VERSION 6	/* highest protocol version */
#endif

/* Sizes, in bytes. */
#define MILTER_LEN_BYTES 4		/* length field of a packet */
#define MILTER_OPTLEN (MILTER_LEN_BYTES * 3)	/* negotiation payload */
#define MILTER_CHUNK_SIZE 65535		/* body chunk */
#define MILTER_MAX_DATA_SIZE 65535	/* default limit for a payload */
#ifdef _FFR_MDS_NEGOTIATE
# define MILTER_MDS_64K 65535		/* payload limits to negotiate */
# define MILTER_MDS_256K 262143
# define MILTER_MDS_1M 1048575
#endif

/* Families of client addresses. */
#define SMFIA_UNKNOWN 'U'
#define SMFIA_UNIX 'L'
#define SMFIA_INET '4'
#define SMFIA_INET6 '6'

/* Commands: from the MTA to the filter. */
#define SMFIC_ABORT 'A'		/* give up the message */
#define SMFIC_BODY 'B'		/* body chunk */
#define SMFIC_CONNECT 'C'	/* connection information */
#define SMFIC_MACRO 'D'		/* macros */
#define SMFIC_BODYEOB 'E'	/* end of the message */
#define SMFIC_HELO 'H'		/* HELO or EHLO */
#define SMFIC_QUIT_NC 'K'	/* quit, another connection follows */
#define SMFIC_HEADER 'L'	/* header */
#define SMFIC_MAIL 'M'		/* MAIL */
#define SMFIC_EOH 'N'		/* end of headers */
#define SMFIC_OPTNEG 'O'	/* option negotiation */
#define SMFIC_QUIT 'Q'		/* quit */
#define SMFIC_RCPT 'R'		/* RCPT */
#define SMFIC_DATA 'T'		/* DATA */
#define SMFIC_UNKNOWN 'U'	/* unknown command */

/* Replies and changes: from the filter to the MTA. */
#define SMFIR_ADDRCPT '+'	/* add recipient */
#define SMFIR_DELRCPT '-'	/* delete recipient */
#define SMFIR_ADDRCPT_PAR '2'	/* add recipient with arguments */
#define SMFIR_SHUTDOWN '4'	/* 421: shut down the connection */
#define SMFIR_ACCEPT 'a'	/* accept */
#define SMFIR_REPLBODY 'b'	/* replace body: chunk */
#define SMFIR_CONTINUE 'c'	/* continue */
#define SMFIR_DISCARD 'd'	/* discard */
#define SMFIR_CHGFROM 'e'	/* change sender */
#define SMFIR_CONN_FAIL 'f'	/* connection failure */
#define SMFIR_ADDHEADER 'h'	/* add header */
#define SMFIR_INSHEADER 'i'	/* insert header */
#define SMFIR_SETSYMLIST 'l'	/* wanted macros */
#define SMFIR_CHGHEADER 'm'	/* change header */
#define SMFIR_PROGRESS 'p'	/* still at work */
#define SMFIR_QUARANTINE 'q'	/* quarantine */
#define SMFIR_REJECT 'r'	/* reject */
#define SMFIR_SKIP 's'		/* skip the rest of this kind */
#define SMFIR_TEMPFAIL 't'	/* refuse for now */
#define SMFIR_REPLYCODE 'y'	/* refuse with this reply */

/* Protocol flags: commands not to send, replies not to wait for. */
#define SMFIP_NOCONNECT 0x00000001L	/* no connection information */
#define SMFIP_NOHELO 0x00000002L	/* no HELO */
#define SMFIP_NOMAIL 0x00000004L	/* no MAIL */
#define SMFIP_NORCPT 0x00000008L	/* no RCPT */
#define SMFIP_NOBODY 0x00000010L	/* no body */
#define SMFIP_NOHDRS 0x00000020L	/* no headers */
#define SMFIP_NOEOH 0x00000040L		/* no end of headers */
#define SMFIP_NR_HDR 0x00000080L	/* no reply for headers */
#define SMFIP_NOHREPL SMFIP_NR_HDR	/* its older name */
#define SMFIP_NOUNKNOWN 0x00000100L	/* no unknown commands */
#define SMFIP_NODATA 0x00000200L	/* no DATA */
#define SMFIP_SKIP 0x00000400L		/* the MTA understands SMFIR_SKIP */
#define SMFIP_RCPT_REJ 0x00000800L	/* rejected recipients too */
#define SMFIP_NR_CONN 0x00001000L	/* no reply for connect */
#define SMFIP_NR_HELO 0x00002000L	/* no reply for HELO */
#define SMFIP_NR_MAIL 0x00004000L	/* no reply for MAIL */
#define SMFIP_NR_RCPT 0x00008000L	/* no reply for RCPT */
#define SMFIP_NR_DATA 0x00010000L	/* no reply for DATA */
#define SMFIP_NR_UNKN 0x00020000L	/* no reply for unknown commands */
#define SMFIP_NR_EOH 0x00040000L	/* no reply for end of headers */
#define SMFIP_NR_BODY 0x00080000L	/* no reply for body chunks */
#define SMFIP_HDR_LEADSPC 0x00100000L	/* header values keep leading space */
#define SMFIP_MDS_256K 0x10000000L	/* payloads of up to 256 KiB */
#define SMFIP_MDS_1M 0x20000000L	/* payloads of up to 1 MiB */

#define SMFI_V1_ACTS 0x0000000FL	/* actions of protocol version 1 */
#define SMFI_V2_ACTS 0x0000003FL	/* actions of protocol version 2 */
#define SMFI_CURR_ACTS 0x000001FFL	/* all actions of now */

#define SMFI_V1_PROT 0x0000003FL	/* flags of protocol version 1 */
#define SMFI_V2_PROT 0x0000007FL	/* flags of protocol version 2 */
#define SMFI_CURR_PROT 0x001FFFFFL	/* all flags of now */
#define SMFI_INTERNAL 0x70000000L	/* flags a filter never sees */
#ifdef _FFR_MILTER_CHECK
# define SMFIP_TEST 0x80000000L
#endif

#endif /* _LIBMILTER_MFDEF_H */

/* Numbers that more than one process must agree on and that travel in messages. */
#ifndef SALLYPORT_FACTS_H
#define SALLYPORT_FACTS_H

#include <stdint.h>

#define SALLYPORT_VERSION "0.1"
#define ID_AUTOMATIC      UINT32_MAX /* user_add, folder_add: take the next id of the range */
#define VIEW_FOLDERS_MAX  256        /* folders of an account's view, its home among them */

enum account_status { ACCOUNT_ENABLED = 0, ACCOUNT_DISABLED = 1 };

/* struct account.flags */
enum account_flag {
    ACCOUNT_DURABLE = 1u << 0,    /* fsync of file and folder before a close is answered */
    ACCOUNT_ATOMIC = 1u << 1,     /* an upload appears under its name only when whole */
    ACCOUNT_BOTH = 1u << 2,       /* password and public key, both, to log in */
    ACCOUNT_DATA_FRESH = 1u << 3, /* FTPS: data connections need not resume the control's session */
    ACCOUNT_LAX_CLOSE = 1u << 4,  /* FTPS: an upload may end without close_notify */
    ACCOUNT_TRASH = 1u << 5,      /* what is removed goes to /.trash */
    ACCOUNT_CODES = 1u << 6,    /* the operator wants a second step: without one, only a browser */
    ACCOUNT_CODE_ON = 1u << 30, /* said by the store: codes are asked for after the first step */
    ACCOUNT_PARTS = 1u << 31,   /* never stored: of an agent whose worker takes uploads in parts */
};

/* struct user_set.valid: which fields to change */
enum account_field {
    ACCOUNT_SET_EMAIL = 1u << 0,
    ACCOUNT_SET_HOME = 1u << 1,
    ACCOUNT_SET_STATUS = 1u << 2,
    ACCOUNT_SET_EXPIRES = 1u << 3,
    ACCOUNT_SET_PASSWORD = 1u << 4,
    ACCOUNT_SET_RIGHTS = 1u << 5,
    ACCOUNT_SET_FLAGS = 1u << 6,
    ACCOUNT_SET_MAX_SESSIONS = 1u << 7,
    ACCOUNT_SET_BANDWIDTH = 1u << 8,
};

/* struct verdict */
enum verdict_outcome {
    VERDICT_DENIED = 0,
    VERDICT_PARTIAL = 1, /* right so far; one of methods must follow */
    VERDICT_OPEN = 2,    /* logged in; the descriptor is the link to the file agent */
    VERDICT_KEY_OK = 3,  /* answer to auth_query: a signature by this key would be looked at */
    VERDICT_ENOUGH = 4,  /* denied, and no further try will be heard */
    VERDICT_KNOWN = 5,   /* HTTPS: logged in, without a file agent yet */
    VERDICT_TOKEN = 6,   /* HTTPS: right; the token is for other connections, not for this one */
    VERDICT_OUT = 7,     /* HTTPS: the web session is forgotten; nothing more will be heard */
};
enum auth_method { AUTH_PASSWORD = 1u << 0, AUTH_PUBLICKEY = 1u << 1, AUTH_CODE = 1u << 2 };

/* struct auth_password.purpose: what is done once the password (and the code) was right. All but
 * the first are the HTTPS worker's; what the store answers to the last three goes back as it is. */
enum login_purpose {
    PURPOSE_SESSION = 0,  /* this connection is the account's */
    PURPOSE_SIGN_IN = 1,  /* a token for other connections */
    PURPOSE_PASSWORD = 2, /* another password */
    PURPOSE_ADDRESS = 3,  /* another address, which must be confirmed */
    PURPOSE_CODES = 4,    /* a secret for codes */
};

/* struct link_is.kind */
enum link_kind {
    LINK_INVITE = 1,  /* the first password of an account */
    LINK_LOST = 2,    /* another one, as it was forgotten */
    LINK_ADDRESS = 3, /* a new address is its owner's */
};

/* struct own_is.codes */
enum codes_state { CODES_OFF = 0, CODES_BEGUN = 1, CODES_ON = 2 };

/* struct notice_wanted.outcome */
enum notice_outcome {
    NOTICE_NONE = 0,      /* there was none before */
    NOTICE_DELIVERED = 1, /* taken by the command; it is forgotten */
    NOTICE_LATER = 2,     /* not now: tried again, later each time, for some days */
    NOTICE_REFUSED = 3,   /* never: forgotten, and said in the log */
};

/* struct file_open.flags */
enum open_flag {
    OPEN_READ = 1u << 0,
    OPEN_WRITE = 1u << 1,
    OPEN_APPEND = 1u << 2,
    OPEN_CREATE = 1u << 3,
    OPEN_TRUNCATE = 1u << 4,
    OPEN_EXCLUSIVE = 1u << 5,
};

/* ATTRIBUTE_FIELDS: access */
enum access_bit {
    ACCESS_EXECUTE = 1u << 0, /* of a folder: pass through */
    ACCESS_WRITE = 1u << 1,
    ACCESS_READ = 1u << 2,
    ACCESS_FIXED = 1u << 3, /* a folder of the view itself: neither renamed nor removed */
};

/* struct file_close.whole */
enum close_end {
    CLOSE_BROKEN = 0,  /* it broke off: an upload in parts is kept, to be gone on with */
    CLOSE_WHOLE = 1,   /* all was read or written */
    CLOSE_DROPPED = 2, /* it broke off, and an upload in parts is not wanted any more */
};

/* struct file_setattr.valid */
enum attribute_flag {
    ATTR_SIZE = 1u << 0,
    ATTR_OWNER = 1u << 1,
    ATTR_MODE = 1u << 2,
    ATTR_ATIME = 1u << 3,
    ATTR_MTIME = 1u << 4,
};

/* What of the sandbox is in force: told by each process, printed by `sallyport status`. */
enum sandbox_layer {
    LAYER_CHROOT = 1u << 0,
    LAYER_IDS = 1u << 1, /* uid and gid of its own, no groups but those of folder sets */
    LAYER_CAPABILITIES = 1u << 2,
    LAYER_NO_NEW_PRIVS = 1u << 3,
    LAYER_NOT_DUMPABLE = 1u << 4,
    LAYER_RLIMITS = 1u << 5,
    LAYER_LANDLOCK = 1u << 6,
    LAYER_SECCOMP = 1u << 7,
};

/* Certificates, each with its key, that one server has at most. A worker knows them by their
 * places: the one of certificates is 0, those of further follow. */
#define TLS_IDENTITIES_MAX 8

/* struct ftps_setup.tls_least */
enum tls_version { TLS_1_2, TLS_1_3 };

/* Exit status of a file agent whose worker sent it what is no request: a security event. */
#define AGENT_MISUSED 2

/* Fixed descriptors of every child: 0, 1 and 2 are /dev/null. */
#define FD_MONITOR 3 /* the link to the monitor (or to the operator's command) */
#define FD_CLIENT  4 /* of a worker: its one connection */
#define FD_AGENT   5 /* of a worker: the link to the file agent, once somebody has logged in */

#endif

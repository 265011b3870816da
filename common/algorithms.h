/* The algorithms offered by default: modern, and only what the libraries have (names unknown to one
 * that is older or newer than these are dropped when the worker starts). */
#ifndef SALLYPORT_ALGORITHMS_H
#define SALLYPORT_ALGORITHMS_H

#define SFTP_KEX                                                                                   \
    "mlkem768x25519-sha256,sntrup761x25519-sha512,sntrup761x25519-sha512@openssh.com,"             \
    "curve25519-sha256,curve25519-sha256@libssh.org,"                                              \
    "diffie-hellman-group18-sha512,diffie-hellman-group16-sha512"
#define SFTP_CIPHERS                                                                               \
    "aes128-gcm@openssh.com,aes256-gcm@openssh.com,chacha20-poly1305@openssh.com,aes256-ctr,"      \
    "aes128-ctr"
/* The two at the end are for clients on libssh2 before 1.11 (curl in Debian 12), which know neither
 * AES-GCM nor the -etm forms. */
#define SFTP_MACS                                                                                  \
    "hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com,hmac-sha2-256,hmac-sha2-512"
#define SFTP_HOST_KEY_ALGORITHMS "ssh-ed25519,ecdsa-sha2-nistp256,rsa-sha2-512,rsa-sha2-256"
#define SFTP_PUBLIC_KEY_ALGORITHMS                                                                 \
    "ssh-ed25519,ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521,"                     \
    "sk-ssh-ed25519@openssh.com,sk-ecdsa-sha2-nistp256@openssh.com,rsa-sha2-512,rsa-sha2-256"

/* Forward secrecy and authenticated encryption alone; AES-128 first: the fastest here by far. */
#define TLS_CIPHERS                                                                                \
    "ECDHE-ECDSA-AES128-GCM-SHA256,ECDHE-RSA-AES128-GCM-SHA256,ECDHE-ECDSA-AES256-GCM-SHA384,"     \
    "ECDHE-RSA-AES256-GCM-SHA384,ECDHE-ECDSA-CHACHA20-POLY1305,ECDHE-RSA-CHACHA20-POLY1305"
#define TLS_CIPHERSUITES                                                                           \
    "TLS_AES_128_GCM_SHA256,TLS_AES_256_GCM_SHA384,TLS_CHACHA20_POLY1305_SHA256"
#define TLS_GROUPS "X25519MLKEM768,X25519,P-256,P-384"

#endif

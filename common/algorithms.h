/* The SSH algorithms offered by default: modern, and only what libssh has (unknown names in a
 * library older or newer than these are dropped when the worker starts). */
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

#endif
